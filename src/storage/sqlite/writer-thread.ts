/**
 * The only code that writes to the SQLite file. It runs in a thread of its own so that waiting for the
 * disk never stops the event loop, and commits the units of concurrent requests together.
 */
import { statSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import Sqlite from 'better-sqlite3'
import { chainRecord, EMPTY_LOG, type AuditHead } from '../../audit/chain.js'
import { KeptHead } from '../kept-head.js'
import { openSqlite } from './connection.js'
import type {
  FromWriter,
  ToWriter,
  WireResult,
  WireUnit,
  WriterOptions,
} from './writer-protocol.js'

class UnmetRowCount extends Error {
  readonly index: number
  constructor(index: number) {
    super('row count')
    this.index = index
  }
}

class Writer {
  readonly #database: Sqlite.Database
  readonly #statements = new Map<string, Sqlite.Statement>()
  readonly #kept: KeptHead
  readonly #files: readonly string[]
  /** Which files these were when this thread began to write. */
  #opened: readonly string[] | null = null
  /** The newest record that was seen or written: the log must keep it. */
  #known: AuditHead

  constructor({ file, headFile, known }: WriterOptions) {
    this.#database = openSqlite(file)
    this.#files = [file, `${file}-wal`]
    this.#kept = new KeptHead(headFile)
    this.#known = known ?? this.#auditHead()
  }

  /** @param tell is told just before it is committed, and of the end */
  commit(batch: readonly WireUnit[], tell: (message: FromWriter) => void): void {
    let head: AuditHead
    try {
      this.#statement('BEGIN IMMEDIATE').run()
      this.#demandFiles()
      const before = this.#auditHead()
      if (before.hash !== this.#known.hash) this.#demandRecord(this.#known)
      head = before
      const results = batch.map((unit): WireResult => {
        const outcome = this.#applyUnit(unit, head)
        if ('head' in outcome) {
          head = outcome.head
          return 'ok'
        }
        return outcome
      })
      const isRecorded = head !== before
      if (isRecorded) this.#demandRecords(before, head)
      head = { seq: head.seq, hash: head.hash }
      tell({ committing: { results, head, isRecorded } })
      this.#statement('COMMIT').run()
    } catch (error) {
      if (this.#database.inTransaction) this.#statement('ROLLBACK').run()
      tell({ failed: error instanceof Error ? error.message : String(error) })
      return
    }
    this.#known = head
    tell({ committed: true, unkept: this.#kept.keep(head) })
  }

  /** Under the lock of whoever wrote it, who has therefore ended. */
  holds({ seq, hash }: AuditHead): boolean {
    this.#statement('BEGIN IMMEDIATE').run()
    const found = this.#hashOf(seq)
    this.#statement('ROLLBACK').run()
    return found === hash
  }

  close(): void {
    this.#database.close()
    this.#kept.close()
  }

  #applyUnit(unit: WireUnit, head: AuditHead): { head: AuditHead } | { conflict: number } {
    this.#statement('SAVEPOINT unit').run()
    try {
      unit.changes.forEach(({ sql, values, rows }, index) => {
        const touched = this.#run(sql, values, index)
        if (rows !== null && touched !== rows) throw new UnmetRowCount(index)
      })
      for (const entry of unit.audit) {
        const record = chainRecord(head, entry)
        this.#statement(
          'INSERT INTO AuditRecord (seq, at, event, detail, prevHash, hash) VALUES (?, ?, ?, ?, ?, ?)',
        ).run(record.seq, record.at, record.event, record.detail, record.prevHash, record.hash)
        head = record
      }
      this.#statement('RELEASE unit').run()
      return { head }
    } catch (error) {
      if (!(error instanceof UnmetRowCount)) throw error
      this.#statement('ROLLBACK TO unit').run()
      this.#statement('RELEASE unit').run()
      return { conflict: error.index }
    }
  }

  #run(sql: string, values: readonly unknown[], index: number): number {
    try {
      return this.#statement(sql).run(...values).changes
    } catch (error) {
      const taken =
        error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_CONSTRAINT')
      throw taken ? new UnmetRowCount(index) : error
    }
  }

  #auditHead(): AuditHead {
    const row = this.#statement('SELECT seq, hash FROM AuditRecord ORDER BY seq DESC LIMIT 1').get()
    return (row as AuditHead | undefined) ?? EMPTY_LOG
  }

  /** What is written to a file that was deleted or replaced under this process would be gone with it. */
  #demandFiles(): void {
    const found = this.#files.map(identityOf)
    this.#opened ??= found
    const moved = this.#files.find((_, index) => found[index] !== this.#opened?.[index])
    if (moved !== undefined) throw new Error(`${moved} was deleted or replaced while it is in use`)
  }

  /** Who deletes records while this runs is not to be helped by what follows. */
  #demandRecord({ seq, hash }: AuditHead): void {
    if (seq !== EMPTY_LOG.seq && this.#hashOf(seq) !== hash) throw missing(seq)
  }

  /** Who has the database drop records on the way is not to be helped either. */
  #demandRecords(before: AuditHead, { seq, hash }: AuditHead): void {
    const kept = this.#statement('SELECT COUNT(*) FROM AuditRecord WHERE seq > ? AND seq <= ?')
    const count = kept.pluck().get(before.seq, seq)
    if (count !== seq - before.seq || this.#hashOf(seq) !== hash) throw missing(seq)
  }

  #hashOf(seq: number): string | null {
    const found = this.#statement('SELECT hash FROM AuditRecord WHERE seq = ?').get(seq)
    return (found as Pick<AuditHead, 'hash'> | undefined)?.hash ?? null
  }

  #statement(sql: string): Sqlite.Statement {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

function missing(seq: number): Error {
  return new Error(`the audit log does not hold record ${seq} any more`)
}

function identityOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false })
  return found ? `${found.dev}/${found.ino}` : 'none'
}

const port = parentPort
if (!port) throw new Error('writer-thread runs as a worker')
const options = workerData as WriterOptions
const tell = (message: FromWriter) => {
  port.postMessage(message)
}
const writer = new Writer(options)
if (options.sought) tell({ found: writer.holds(options.sought) })
port.on('message', (message: ToWriter) => {
  if ('batch' in message) {
    writer.commit(message.batch, tell)
  } else {
    writer.close()
    tell({ closed: true })
    port.close()
  }
})
