import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { assertDescribed } from '../support/described.js'
import type { Rssp } from '../support/rssp.js'

const FOLDER = join(import.meta.dirname, 'regressions')
const { OPENRSSP_FUZZ_RUNS: runs, OPENRSSP_FUZZ_SEED: seed } = process.env

/** A request, with `@names` for what differs from one service to the next; a fixture when it failed once. */
export interface FuzzedRequest {
  readonly method: string
  /** With the query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

export interface FuzzedAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** What `@names` stand for. */
export type Names = Readonly<Record<string, string>>

/** Tables that no refused request may change, not in any row. */
const UNTOUCHED = [
  ...['Authorisation', 'AuthorisedDigest', 'Sad', 'RepeatableSigning', 'ApprovalRequest'],
  ...['Transaction', 'Client', 'Identity', 'Passkey', 'RecoveryCode', 'AuthorityKey'],
]

/** What `Watch` looks into is a file, whatever the other tests run on. */
export const WATCHED = { database: 'file:rssp.db' }

/** Watches the database of a service from beside it. */
export class Watch {
  readonly #database: Database.Database
  #version: unknown = null
  #state = ''

  constructor({ folder }: Rssp) {
    this.#database = new Database(join(folder, 'rssp.db'), { readonly: true })
  }

  /** A fingerprint of what refusals leave alone. */
  state(): string {
    const version = this.#database.pragma('data_version', { simple: true })
    if (version === this.#version) return this.#state
    const hash = createHash('sha256')
    for (const table of UNTOUCHED) {
      for (const row of this.#database.prepare(`SELECT * FROM "${table}"`).raw().iterate()) {
        hash.update(`${table} ${JSON.stringify(row)}\n`)
      }
    }
    // Wrong guesses are counted there; what matters is which there are and in which state.
    const credentials = 'SELECT "id", "status", "keyId" FROM "Credential" ORDER BY "id"'
    hash.update(JSON.stringify(this.#database.prepare(credentials).raw().all()))
    this.#version = version
    this.#state = hash.digest('hex')
    return this.#state
  }

  count(table: string): number {
    return this.#database.prepare(`SELECT count(*) FROM "${table}"`).pluck().get() as number
  }

  close(): void {
    this.#database.close()
  }
}

export async function send(
  rssp: Rssp,
  request: FuzzedRequest,
  names: Names,
): Promise<FuzzedAnswer> {
  const body = request.body === null ? null : named(request.body, names)
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, named(value, names)]),
  )
  const response = await fetch(rssp.baseUrl + named(request.target, names), {
    method: request.method,
    headers,
    redirect: 'manual',
    ...(body === null ? {} : { body: Buffer.from(body, 'latin1') }),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** Demands an answer that the API describes, below 500, and of a refusal that it changed nothing. */
export async function check(
  rssp: Rssp,
  watch: Watch,
  request: FuzzedRequest,
  names: Names,
): Promise<FuzzedAnswer> {
  const before = watch.state()
  const answer = await send(rssp, request, names)
  const { status, headers, text } = answer
  const isMissing = status === 501 && (text.includes('not_implemented') || text === '')
  if (status >= 500 && !isMissing) throw new Error(`${status} ${text}`)
  const isJson = (headers.get('content-type') ?? '').includes('json')
  const [path = ''] = named(request.target, names).split('?')
  assertDescribed(request.method, path, {
    ...{ status, headers },
    body: isJson && text !== '' ? JSON.parse(text) : text,
  })
  if (status >= 400 && watch.state() !== before) throw new Error(`${status} changed something`)
  return answer
}

/** Text of any bytes: what is not ASCII goes out as UTF-8, so that fixtures are readable. */
function named(text: string, names: Names): string {
  return text.replace(/@(\w+)/g, (whole, name: string) => names[name] ?? whole)
}

/**
 * Tries a property of requests: a few times with a fixed seed, or as often and with the seed that the
 * environment says; then what fails is kept in regressions/.
 */
export async function fuzz(
  title: string,
  requests: fc.Arbitrary<FuzzedRequest>,
  property: (request: FuzzedRequest) => Promise<unknown>,
  usualRuns = 30,
): Promise<void> {
  const details = await fc.check(
    fc.asyncProperty(requests, async (request) => {
      await property(request)
    }),
    { numRuns: Number(runs ?? usualRuns), seed: Number(seed ?? (runs ? Date.now() : 1)) },
  )
  if (!details.failed) return
  const [request] = details.counterexample ?? []
  const fixture = `${JSON.stringify(request, null, 2)}\n`
  if (runs) {
    const name = createHash('sha256').update(fixture).digest('hex').slice(0, 8)
    mkdirSync(FOLDER, { recursive: true })
    writeFileSync(join(FOLDER, `${title.replace(/\W+/g, '-')}-${name}.json`), fixture)
  }
  throw new Error(`seed ${details.seed}, path ${details.counterexamplePath}: ${fixture}`, {
    cause: details.errorInstance,
  })
}

/** Requests that failed once. */
export function regressions(): [string, FuzzedRequest][] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => [file, JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as FuzzedRequest])
}

/** Values that are nothing in particular. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.base64String({ maxLength: 100 }),
  fc.constantFrom(
    ...['', ' ', '\u0000', '../../etc/passwd', "' OR 1=1 --", '%00', '${jndi:ldap://x}'],
    ...['__proto__', 'constructor', 'null', 'NaN', '-1', '1e999', '𝕏'.repeat(600)],
    ...['<x-fuzz>"\'', 'a'.repeat(5000), '\ud800', '\u202e', '{"a":1}', 'A=', '===='],
  ),
)

/** Values of a header, as far as clients can send them. */
export const headerText: fc.Arbitrary<string> = fc
  .oneof(anyText, fc.string({ unit: 'grapheme-ascii', maxLength: 300 }))
  .map((text) => text.replace(/[^\x20-\x7e]/g, '').trim())
