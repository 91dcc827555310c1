import type { Worker } from 'node:worker_threads'
import type Sqlite from 'better-sqlite3'
import { readHead } from '../../audit/head-file.js'
import { StorageUnavailableError } from '../../errors.js'
import { rejectCutLog } from '../cut-log.js'
import { startThread } from '../../isolation/start-thread.js'
import type { CommitObserver } from '../../observability/metrics.js'
import { moduleUrl } from '../../package-files.js'
import { ConflictError, type Database, type Statement, type Unit, type Value } from '../database.js'
import { lateClient, type LateClient } from '../late-client.js'
import type { PrismaClient } from '../prisma-client/client.js'
import { openSqlite } from './connection.js'
import { applyMigrations } from './migrations.js'
import { SqliteReader } from './sqlite-reader.js'
import { sqliteValue } from './sqlite-value.js'
import type {
  FromWriter,
  ToWriter,
  WireResult,
  WireUnit,
  WriterOptions,
} from './writer-protocol.js'

const WRITER = moduleUrl('storage/sqlite/writer-thread.js')

interface Waiting {
  readonly unit: WireUnit
  readonly settle: (result: WireResult) => void
}

/**
 * Units of one turn of the event loop are sent to the writer together while it is idle; those that arrive
 * meanwhile share the next commit.
 */
export class SqliteDatabase implements Database {
  readonly #client: LateClient
  readonly #reader: SqliteReader
  readonly #worker: Worker
  readonly #now: () => Date
  readonly #observer: CommitObserver | null
  #sentAt = 0
  #queue: Waiting[] = []
  #underWay: Waiting[] | null = null
  #isSending = false
  #closed: (() => void) | null = null
  #failure: string | null = null

  private constructor(
    { client, reader }: { client: LateClient; reader: SqliteReader },
    worker: Worker,
    { now, observer }: { now: () => Date; observer?: CommitObserver },
  ) {
    this.#client = client
    this.#reader = reader
    this.#worker = worker
    this.#now = now
    this.#observer = observer ?? null
    worker.on('message', (message: FromWriter) => {
      if ('results' in message) this.#settle(message.results)
      else this.#closed?.()
    })
    worker.on('error', (error) => {
      this.#fail(error instanceof Error ? error.message : String(error))
    })
  }

  /** Creates the file when it is missing and applies the migrations it lacks. */
  static async open(options: {
    readonly file: string
    readonly headFile: string | null
    readonly now: () => Date
    readonly observer?: CommitObserver
  }): Promise<SqliteDatabase> {
    const migrating = openSqlite(options.file)
    try {
      applyMigrations(migrating)
      if (options.headFile !== null) rejectOtherLog(migrating, options.headFile)
    } finally {
      migrating.close()
    }
    const { file, headFile } = options
    const worker = startThread(WRITER, {
      workerData: { file, headFile } satisfies WriterOptions,
    })
    const client = lateClient(async () => {
      const { readingClient } = await import('./reading-client.js')
      return readingClient(file)
    })
    const reader = new SqliteReader(options.file)
    const database = new SqliteDatabase({ client, reader }, worker, options)
    await database.commit({ changes: [] })
    return database
  }

  get read(): PrismaClient {
    return this.#client.read
  }

  rows<Row>(statement: Statement): Promise<Row[]> {
    return this.#reader.rows(statement)
  }

  async commit(unit: Unit): Promise<void> {
    if (this.#failure !== null) throw new StorageUnavailableError(this.#failure)
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
      if (this.#underWay || this.#isSending) return
      // What else this turn of the event loop brings goes with it.
      this.#isSending = true
      setImmediate(() => {
        this.#isSending = false
        this.#send()
      })
    })
    if (result === 'ok') return
    if ('conflict' in result) throw new ConflictError(result.conflict)
    throw new StorageUnavailableError(result.failure)
  }

  async close(): Promise<void> {
    await this.#client.disconnect()
    this.#reader.close()
    if (this.#failure === null) {
      this.#send()
      await new Promise<void>((resolve) => {
        this.#closed = resolve
        this.#post({ close: true })
      })
    }
    await this.#worker.terminate()
  }

  #send(): void {
    if (this.#underWay || this.#queue.length === 0) return
    this.#underWay = this.#queue
    this.#queue = []
    this.#sentAt = performance.now()
    this.#post({ batch: this.#underWay.map(({ unit }) => unit) })
  }

  #settle(results: WireResult[]): void {
    const done = this.#underWay ?? []
    this.#underWay = null
    const failed = results.some((result) => typeof result === 'object' && 'failure' in result)
    const seconds = (performance.now() - this.#sentAt) / 1000
    this.#observer?.transaction(done.length, seconds, failed ? 'failed' : 'committed')
    this.#send()
    done.forEach(({ settle }, index) => {
      settle(results[index] ?? { failure: 'no answer' })
    })
  }

  #fail(message: string): void {
    this.#failure = message
    for (const { settle } of [...(this.#underWay ?? []), ...this.#queue])
      settle({ failure: message })
    this.#underWay = null
    this.#queue = []
  }

  #post(message: ToWriter): void {
    this.#worker.postMessage(message)
  }
}

function rejectOtherLog(database: Sqlite.Database, headFile: string): void {
  const known = readHead(headFile)
  if (!known) return
  const row = database.prepare('SELECT hash FROM AuditRecord WHERE seq = ?').get(known.seq)
  rejectCutLog(headFile, known, (row as { hash: string } | undefined)?.hash)
}
