import { setImmediate as turn } from 'node:timers/promises'
import type pg from 'pg'
import { EMPTY_LOG, type AuditHead } from '../../audit/chain.js'
import { readHead } from '../../audit/head-file.js'
import { StorageUnavailableError } from '../../errors.js'
import type { CommitObserver } from '../../observability/metrics.js'
import { rejectCutLog } from '../cut-log.js'
import { ConflictError, type Database, type Statement, type Unit, type Value } from '../database.js'
import { demandHeadFile, HeadWatch, KeptHead, type DatabaseLog } from '../kept-head.js'
import { lateClient, type LateClient } from '../late-client.js'
import type { PrismaClient } from '../prisma-client/client.js'
import { openClient, readingPool } from './connection.js'
import { applyMigrations } from './migrations.js'
import { Reader } from './reader.js'
import { Writer, type UnitResult, type WriteUnit } from './writer.js'

interface Waiting {
  readonly unit: WriteUnit
  /** Monotonic, milliseconds. */
  readonly since: number
  readonly settle: (result: UnitResult) => void
}

/** Those who write meanwhile, here and on other replicas, wait for one batch. */
const MOST_UNITS = 256
/** A unit that waited longer asks for what was true then. */
const STALE_MS = 5000
const CLOSE_MS = 1000
/** For what every signature needs; the others are for what Prisma asks. */
const MOST_LINES = 2
const MOST_STATEMENTS = 500

/** Units are written while no batch is under way; those that arrive meanwhile share the next one. */
export class PostgresqlDatabase implements Database {
  readonly #client: LateClient
  readonly #pool: pg.Pool
  readonly #reader: Reader
  readonly #writer: Writer
  readonly #kept: KeptHead
  readonly #now: () => Date
  readonly #observer: CommitObserver | null
  #queue: Waiting[] = []
  #underWay: Promise<void> | null = null
  #closed = false

  private constructor(parts: {
    url: string
    connections: number
    headFile: string | null
    known: AuditHead
    schema: string
    now: () => Date
    observer: CommitObserver | undefined
    log: DatabaseLog | undefined
  }) {
    const lines = Math.min(MOST_LINES, Math.max(1, parts.connections - 1))
    this.#reader = new Reader(parts.url, lines)
    this.#pool = readingPool(parts.url, Math.max(1, parts.connections - lines))
    this.#client = lateClient(async () => {
      const { readingClient } = await import('./reading-client.js')
      return readingClient(this.#pool, parts.schema, statementNames())
    })
    this.#now = parts.now
    this.#observer = parts.observer ?? null
    this.#kept = new KeptHead(parts.headFile)
    const headWatch = new HeadWatch(parts.headFile, parts.log ?? null)
    this.#writer = new Writer(parts.url, parts.known, (head) => {
      headWatch.look(this.#kept.keep(head))
    })
  }

  /** Applies the migrations the database lacks; several servers may start at once. */
  static async open(options: {
    readonly url: string
    readonly headFile: string | null
    readonly now: () => Date
    /** For reading, at most, but two; writing takes one more. */
    readonly connections?: number
    readonly observer?: CommitObserver
    readonly log?: DatabaseLog
  }): Promise<PostgresqlDatabase> {
    const { url, headFile, now, observer, log, connections = 8 } = options
    const client = await openClient(url, 'start').catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error)
      throw new StorageUnavailableError(`PostgreSQL cannot be reached: ${why}`, { cause: error })
    })
    let known = EMPTY_LOG
    let schema: string
    try {
      await applyMigrations(client)
      schema = await schemaOfTables(client)
      if (headFile !== null) known = await knownHead(client, headFile)
    } finally {
      await client.end()
    }
    const parts = { url, connections, headFile, known, schema, now, observer, log }
    const database = new PostgresqlDatabase(parts)
    try {
      await database.commit({ changes: [] })
      return database
    } catch (error) {
      await database.close()
      throw error
    }
  }

  get read(): PrismaClient {
    return this.#client.read
  }

  async rows<Row>({ text, values }: Statement): Promise<Row[]> {
    const [rows = []] = await this.#reader.ask([{ text, values: values as Value[] }])
    return rows as Row[]
  }

  async commit(unit: Unit): Promise<void> {
    if (this.#closed) throw new StorageUnavailableError('the database is closed')
    const at = this.#now().toISOString()
    const write: WriteUnit = {
      changes: unit.changes.map(({ statement, rows }) => ({
        text: statement.text,
        values: statement.values as Value[],
        rows: rows ?? null,
      })),
      audit: (unit.audit ?? []).map(({ event, detail }) => ({
        at,
        event,
        detail: JSON.stringify(detail),
      })),
    }
    const result = await new Promise<UnitResult>((settle) => {
      this.#queue.push({ unit: write, since: performance.now(), settle })
      this.#underWay ??= this.#writeAll()
    })
    if (result === 'ok') return
    if ('conflict' in result) throw new ConflictError(result.conflict)
    throw new StorageUnavailableError(result.failure)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#underWay
    this.#writer.close()
    await this.#client.disconnect()
    // A server that stands still would have us wait until it moves.
    const ended = [this.#pool.end(), this.#reader.close()]
    await Promise.race([Promise.all(ended), afterward(CLOSE_MS)])
    this.#kept.close()
  }

  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) {
      // With all that comes within this turn of the event loop.
      await turn()
      const batch = this.#queue.splice(0, MOST_UNITS).filter(rejectStale)
      if (batch.length === 0) continue
      const start = performance.now()
      const results = await this.#writer.commit(batch.map(({ unit }) => unit))
      const failed = results.every((result) => typeof result === 'object' && 'failure' in result)
      const seconds = (performance.now() - start) / 1000
      this.#observer?.transaction(batch.length, seconds, failed ? 'failed' : 'committed')
      batch.forEach(({ settle }, index) => {
        settle(results[index] ?? { failure: 'no answer' })
      })
    }
    this.#underWay = null
  }
}

/** After a stop of this process, or a long wait for the server, the time it was judged by has passed. */
function rejectStale({ since, settle }: Waiting): boolean {
  if (performance.now() - since < STALE_MS) return true
  settle({ failure: 'it waited too long to be written' })
  return false
}

/** Where the role's search path leads to: our own statements name no schema. */
async function schemaOfTables(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace
      WHERE oid = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('"AuditRecord"'))`,
  )
  return rows[0]?.name ?? 'public'
}

/** What the file remembers, which the log must hold. */
async function knownHead(client: pg.Client, headFile: string): Promise<AuditHead> {
  const known = readHead(headFile)
  demandHeadFile(headFile)
  if (!known) return EMPTY_LOG
  const { rows } = await client.query<{ hash: string }>(
    'SELECT "hash" FROM "AuditRecord" WHERE "seq" = $1',
    [known.seq],
  )
  rejectCutLog(headFile, known, rows[0]?.hash)
  return known
}

/**
 * What is asked for is parsed once for each connection and known by name from then on. Were there more
 * texts than a server asks, they would go without: an empty name is forgotten at once.
 */
function statementNames(): (query: { sql: string }) => string {
  const names = new Map<string, string>()
  return ({ sql }) => {
    const known = names.get(sql)
    if (known !== undefined) return known
    if (names.size >= MOST_STATEMENTS) return ''
    const name = `r${names.size}`
    names.set(sql, name)
    return name
  }
}

function afterward(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref())
}
