/**
 * The load generator, in a process of its own: sends prepared requests over a fixed number of
 * kept-alive connections, each sending its next request when the last is answered.
 */
import { readFileSync } from 'node:fs'
import { Client, type Dispatcher } from 'undici'

/** What to send, and how. */
export interface Load {
  readonly origin: string
  readonly connections: number
  /** A file of JSON lines, each a `PreparedRequest`; taken in order, each once unless `repeat`. */
  readonly file: string
  /** Begin anew at the end of the file, until the time is over. */
  readonly repeat: boolean
  /** Requests at the beginning that are sent but not counted. */
  readonly warmUp: number
  /** At most this long; what was prepared for longer is left. */
  readonly seconds: number
}

export interface PreparedRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What came of it. Times are in milliseconds. */
export interface LoadResult {
  readonly requests: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** Processor time of the generator itself, for each request. */
  readonly ownCpu: number
  /** Answers other than 200, by status; connection failures count as 0. */
  readonly failures: Readonly<Record<string, number>>
  /** The last answer that was not 200. */
  readonly lastFailure: string | null
}

async function run(load: Load): Promise<LoadResult> {
  const requests = readFileSync(load.file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as PreparedRequest)
  const latencies: number[] = []
  const failures: Record<string, number> = {}
  let lastFailure: string | null = null
  let next = 0
  let begun = performance.now()
  let cpu = process.cpuUsage()
  const over = performance.now() + load.seconds * 1000

  const connection = async (): Promise<void> => {
    const client = new Client(load.origin, { pipelining: 1 })
    for (;;) {
      const index = next++
      const request = requests[load.repeat ? index % requests.length : index]
      const sent = performance.now()
      if (!request || sent > over) break
      if (index === load.warmUp) {
        begun = sent
        cpu = process.cpuUsage()
      }
      const answer = await send(client, request)
      if (answer.status !== 200) {
        failures[answer.status] = (failures[answer.status] ?? 0) + 1
        lastFailure = answer.body
      }
      if (index >= load.warmUp) latencies.push(performance.now() - sent)
    }
    await client.close()
  }
  await Promise.all(Array.from({ length: load.connections }, connection))

  const seconds = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(cpu)
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? 0
  return {
    requests: latencies.length,
    perSecond: latencies.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    ownCpu: (user + system) / 1000 / Math.max(1, latencies.length),
    failures,
    lastFailure,
  }
}

function send(
  client: Client,
  { path, headers, body }: PreparedRequest,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    let status = 0
    const chunks: Buffer[] = []
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => undefined,
      onResponseStart: (_controller, statusCode) => {
        status = statusCode
      },
      onResponseData: (_controller, chunk) => {
        chunks.push(chunk)
      },
      onResponseEnd: () => {
        resolve({ status, body: Buffer.concat(chunks).toString() })
      },
      onResponseError: (_controller, error) => {
        resolve({ status: 0, body: error.message })
      },
    }
    client.dispatch({ path, method: 'POST', headers, body }, handler)
  })
}

process.on('message', (load: Load) => {
  void run(load).then((result) => process.send?.(result))
})
