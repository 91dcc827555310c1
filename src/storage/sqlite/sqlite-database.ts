import { setImmediate as turn } from 'node:timers/promises'
import type Sqlite from 'better-sqlite3'
import type { AuditHead } from '../../audit/chain.js'
import { readHead } from '../../audit/head-file.js'
import { StorageUnavailableError } from '../../errors.js'
import { rejectCutLog } from '../cut-log.js'
import type { CommitObserver } from '../../observability/metrics.js'
import { ConflictError, type Database, type Statement, type Unit, type Value } from '../database.js'
import { demandHeadFile, type DatabaseLog } from '../kept-head.js'
import { lateClient, type LateClient } from '../late-client.js'
import type { PrismaClient } from '../prisma-client/client.js'
import { openSqlite } from './connection.js'
import { applyMigrations } from './migrations.js'
import { SqliteReader } from './sqlite-reader.js'
import { sqliteValue } from './sqlite-value.js'
import { Writer } from './writer.js'
import type { WireResult, WireUnit } from './writer-protocol.js'

interface Waiting {
  readonly unit: WireUnit
  readonly settle: (result: WireResult) => void
}

interface Parts {
  readonly client: LateClient
  readonly reader: SqliteReader
  readonly writer: Writer
  readonly now: () => Date
  readonly observer: CommitObserver | undefined
}

/**
 * Units of one turn of the event loop are sent to the writer together while it is idle; those that arrive
 * meanwhile share the next commit.
 */
export class SqliteDatabase implements Database {
  readonly #client: LateClient
  readonly #reader: SqliteReader
  readonly #writer: Writer
  readonly #now: () => Date
  readonly #observer: CommitObserver | null
  #queue: Waiting[] = []
  #underWay: Promise<void> | null = null
  #closed = false

  private constructor({ client, reader, writer, now, observer }: Parts) {
    this.#client = client
    this.#reader = reader
    this.#writer = writer
    this.#now = now
    this.#observer = observer ?? null
  }

  /** Creates the file when it is missing and applies the migrations it lacks. */
  static async open(options: {
    readonly file: string
    readonly headFile: string | null
    readonly now: () => Date
    readonly observer?: CommitObserver
    readonly log?: DatabaseLog
  }): Promise<SqliteDatabase> {
    const { file, headFile, now, observer, log } = options
    const migrating = openSqlite(file)
    let known: AuditHead | null = null
    try {
      applyMigrations(migrating)
      if (headFile !== null) known = knownHead(migrating, headFile)
    } finally {
      migrating.close()
    }
    const client = lateClient(async () => {
      const { readingClient } = await import('./reading-client.js')
      return readingClient(file)
    })
    const writer = new Writer({ file, headFile, known }, log ?? null)
    const reader = new SqliteReader(file)
    const database = new SqliteDatabase({ client, reader, writer, now, observer })
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

  rows<Row>(statement: Statement): Promise<Row[]> {
    return this.#reader.rows(statement)
  }

  async commit(unit: Unit): Promise<void> {
    if (this.#closed) throw new StorageUnavailableError('the database is closed')
    const at = this.#now().toISOString()
    const wire: WireUnit = {
      changes: unit.changes.map(({ statement, rows }) => ({
        sql: statement.sql,
        values: statement.values.map((value) => sqliteValue(value as Value)),
        rows: rows ?? null,
      })),
      audit: (unit.audit ?? []).map(({ event, detail }) => ({
        at,
        event,
        detail: JSON.stringify(detail),
      })),
    }
    const result = await new Promise<WireResult>((settle) => {
      this.#queue.push({ unit: wire, settle })
      this.#underWay ??= this.#writeAll()
    })
    if (result === 'ok') return
    if ('conflict' in result) throw new ConflictError(result.conflict)
    throw new StorageUnavailableError(result.failure)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#underWay
    await this.#client.disconnect()
    this.#reader.close()
    await this.#writer.close()
  }

  async #writeAll(): Promise<void> {
    // What else this turn of the event loop brings goes with it.
    await turn()
    while (this.#queue.length > 0) {
      const batch = this.#queue
      this.#queue = []
      const start = performance.now()
      const results = await this.#writer.commit(batch.map(({ unit }) => unit))
      const failed = results.some((result) => typeof result === 'object' && 'failure' in result)
      const seconds = (performance.now() - start) / 1000
      this.#observer?.transaction(batch.length, seconds, failed ? 'failed' : 'committed')
      batch.forEach(({ settle }, index) => {
        settle(results[index] ?? { failure: 'no answer' })
      })
    }
    this.#underWay = null
  }
}

/** What the file remembers, which the log must hold; null when it remembers nothing yet. */
function knownHead(database: Sqlite.Database, headFile: string): AuditHead | null {
  const known = readHead(headFile)
  demandHeadFile(headFile)
  if (!known) return null
  const row = database.prepare('SELECT hash FROM AuditRecord WHERE seq = ?').get(known.seq)
  rejectCutLog(headFile, known, (row as { hash: string } | undefined)?.hash)
  return known
}
