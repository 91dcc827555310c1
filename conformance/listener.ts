import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { CannotRun } from './outcome.js'
import type { Target } from './target.js'

export type AnnouncementSettings = NonNullable<Target['announcements']>

/** What came in at the listener. */
export interface Announcement {
  readonly method: string
  /** With query, as it was asked for. */
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

const LOOK_MILLISECONDS = 50
const MAX_BYTES = 100_000

/** A web server that hears what is announced at `response_uri`. */
export class Listener {
  readonly responseUri: string
  readonly #server: Server
  readonly #heard: Announcement[] = []
  #status = 204

  private constructor(settings: AnnouncementSettings) {
    const { responseUri, tls } = settings
    this.responseUri = responseUri
    const hear: RequestListener = (request, response) => {
      void this.#hear(request).finally(() => {
        response.writeHead(this.#status).end()
      })
    }
    this.#server = tls ? createTlsServer(readTls(tls), hear) : createServer(hear)
  }

  /** @throws {CannotRun} when it cannot listen there */
  static async start(settings: AnnouncementSettings): Promise<Listener> {
    const listener = new Listener(settings)
    const { host, port } = settings.listen
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', ({ message }) => {
        reject(new CannotRun(`announcements.listen: ${message}`))
      })
      listener.#server.listen(port, host, resolve)
    })
    return listener
  }

  /** What it answers from now on. */
  answers(status: number): void {
    this.#status = status
  }

  /** All that came to this path. */
  heardAt(path: string): readonly Announcement[] {
    return this.#heard.filter((each) => each.path === path)
  }

  /** The first so many that came to this path; fewer when no more come in time. */
  async waitFor(path: string, count: number, seconds: number): Promise<readonly Announcement[]> {
    const until = Date.now() + seconds * 1000
    while (this.heardAt(path).length < count && Date.now() < until) await sleep(LOOK_MILLISECONDS)
    return this.heardAt(path).slice(0, count)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #hear(request: IncomingMessage): Promise<void> {
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > MAX_BYTES) return
      chunks.push(chunk)
    }
    const { method = '', url: path = '', headers } = request
    this.#heard.push({ method, path, headers, body: Buffer.concat(chunks) })
  }
}

function readTls({ keyFile, certificateFile }: NonNullable<AnnouncementSettings['tls']>) {
  try {
    return { key: readFileSync(keyFile), cert: readFileSync(certificateFile) }
  } catch (error) {
    throw new CannotRun(`announcements.tls: ${error instanceof Error ? error.message : ''}`)
  }
}
