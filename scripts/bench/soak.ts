import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import type { Credential } from '../../src/credentials/credential.js'
import { doubleRedirect, type Signer } from './flows.js'
import { addCredential, addUser, BenchInstallation, prepareSignHash } from './installation.js'
import type { PreparedRequest } from './load.js'
import type { Running } from './processes.js'
import { median, type Figure } from './report.js'

/** What there is of something at one moment. */
interface Sample {
  readonly memory: number
  readonly handles: number
  readonly objects: number
}

const SAMPLE_MS = 2000
const AT_ONCE = 8
const APPROVED_AHEAD = 400
const FLOW_EVERY = 40
/** Everything that expires has expired by then. */
const LATER_MS = 400 * 24 * 3600_000
const EXPIRING = ['OAuthRecord', 'Sad', 'SentCode', 'Throttle', 'RepeatableSigning', 'SigningJob']
const MEBIBYTE = 1024 * 1024

/** Mixed load for some minutes; then what has grown, and what is left of the rows that expire (S110). */
export async function measureSoak(parts: {
  readonly minutes: number
  readonly say: (line: string) => void
}): Promise<Figure[]> {
  const { minutes, say } = parts
  const installation = await BenchInstallation.make()
  // Else it would make its own keys in the middle, a minute after its start.
  await installation.lay(({ serviceKeys }) => serviceKeys.prepare())
  const server = await installation.serve()
  const over = Date.now() + minutes * 60_000
  const samples: Sample[] = []
  const sampling = setInterval(() => {
    samples.push(take(installation, server))
  }, SAMPLE_MS)
  let failures: readonly string[]
  try {
    failures = await load(installation, server.origin, over, (done) => {
      const last = samples.at(-1)
      say(
        `  ${done} requests, ${last?.memory.toFixed(0)} MiB, ${last?.handles} handles, ${last?.objects} objects`,
      )
    })
  } finally {
    clearInterval(sampling)
    await server.stop()
  }
  if (failures.length > 0) throw new Error(`unforeseen answers: ${failures.join('; ')}`)
  const left = await leftAfterExpiry(installation)
  installation.remove()
  const grown = (name: string, read: (sample: Sample) => number, most: number): Figure => {
    const third = Math.floor(samples.length / 3)
    const of = (from: number) => median(samples.slice(from, from + third).map(read))
    return {
      ...{ name: `${name} after ${minutes} minutes`, unit: '', baseline: 'a third earlier' },
      ...{ values: [of(2 * third)], baselineValues: [of(third)], demand: { atMost: most } },
    }
  }
  return [
    // In a few minutes the collector's own ups and downs are larger than a leak would be.
    grown('resident MiB', ({ memory }) => memory, minutes < 30 ? 1.25 : 1.1),
    grown('open handles', ({ handles }) => handles, 1.05),
    grown('objects in the token', ({ objects }) => objects, 1),
    {
      ...{ name: 'rows left that expire', unit: '', baseline: 'one:' },
      ...{ values: [left], baselineValues: [1], demand: { atMost: 0 } },
    },
  ]
}

function take({ token }: BenchInstallation, server: Running): Sample {
  const tokens = join(token.pinFile, '../tokens')
  const objects = readdirSync(tokens, { recursive: true }).filter((name) =>
    String(name).endsWith('.object'),
  )
  return {
    memory: server.residentBytes() / MEBIBYTE,
    handles: server.handles(),
    objects: objects.length,
  }
}

/** Sends until the time is over; resolves to the answers that should not have come. */
async function load(
  installation: BenchInstallation,
  origin: string,
  over: number,
  tell: (done: number) => void,
): Promise<readonly string[]> {
  const failures: string[] = []
  await installation.lay(async (services) => {
    const credentials: Credential[] = []
    const user = await addUser(services)
    for (let each = 0; each < 4; each += 1) {
      credentials.push(await addCredential(services, user, 'p-256'))
    }
    const signers: Signer[] = []
    for (let each = 0; each < 30; each += 1) {
      const signer = await addUser(services)
      const { id } = await addCredential(services, signer, 'p-256')
      signers.push({ user: signer, credentialID: id })
    }
    const file = join(installation.folder, 'soak.jsonl')
    let done = 0
    while (Date.now() < over) {
      await prepareSignHash(services, { credentials, count: APPROVED_AHEAD, digests: 1, file })
      const lines = readFileSync(file, 'utf8').trim().split('\n')
      const approved = lines.map((line) => JSON.parse(line) as PreparedRequest)
      const work = async () => {
        for (let request = approved.pop(); request; request = approved.pop()) {
          for (const { answer, expected } of await visit(origin, request)) {
            if (answer.status !== expected) {
              failures.push(`${answer.status} for ${expected}: ${await answer.text()}`)
            }
            done += 1
          }
          const [signer] = done % FLOW_EVERY === 0 ? signers : []
          // A person's one-time code works once in half a minute.
          if (signer) await inTurn(signers, () => doubleRedirect(origin, signer))
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work))
      tell(done)
      if (failures.length > 0) return
    }
  })
  return failures.slice(0, 5)
}

/** One person at a time, the one who waited longest. */
async function inTurn(signers: Signer[], flow: () => Promise<void>): Promise<void> {
  const signer = signers.shift()
  if (!signer) return
  await flow()
  setTimeout(() => signers.push(signer), 95_000).unref()
}

/** Signs once, tries to sign again, asks what anybody may ask, and asks what is refused. */
async function visit(origin: string, request: PreparedRequest) {
  const send = async (path: string, body: string, headers: PreparedRequest['headers']) =>
    fetch(origin + path, { method: 'POST', headers, body })
  const { path, headers, body } = request
  const asked = [
    { answer: await send(path, body, headers), expected: 200 },
    { answer: await send(path, body, headers), expected: 400 },
    { answer: await send('/csc/v2/info', '{}', headers), expected: 200 },
    { answer: await send(path, '{"credentialID":', headers), expected: 400 },
    {
      answer: await send(path, body, { ...headers, authorization: 'Bearer unknown' }),
      expected: 401,
    },
  ]
  for (const { answer, expected } of asked) {
    if (answer.status === expected) await answer.arrayBuffer()
  }
  return asked
}

async function leftAfterExpiry(installation: BenchInstallation): Promise<number> {
  await installation.lay(({ expiredRows }) => expiredRows.remove(new Date(Date.now() + LATER_MS)))
  const database = new Sqlite(join(installation.folder, 'rssp.db'), { readonly: true })
  const count = (table: string) =>
    database.prepare<[], { rows: number }>(`SELECT COUNT(*) AS rows FROM "${table}"`).get()?.rows
  const left = EXPIRING.reduce((total, table) => total + (count(table) ?? 0), 0)
  database.close()
  return left
}
