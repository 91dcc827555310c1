/**
 * The only code that writes to the SQLite file. It runs in a thread of its own so that waiting for the
 * disk never stops the event loop, and commits the units of concurrent requests together.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import Sqlite from 'better-sqlite3'
import { chainRecord, EMPTY_LOG, type AuditHead } from '../../audit/chain.js'
import { formatHead } from '../../audit/head-file.js'
import { openSqlite } from './connection.js'
import type { ToWriter, WireResult, WireUnit, WriterOptions } from './writer-protocol.js'

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
  readonly #headFile: number | null
  /** The newest record that this thread has seen or written: the log must keep it. */
  #known: AuditHead

  constructor(options: WriterOptions) {
    this.#database = openSqlite(options.file)
    this.#headFile = options.headFile === null ? null : openHeadFile(options.headFile)
    this.#known = this.#auditHead()
    this.#keepHead(this.#known)
  }

  commit(batch: readonly WireUnit[]): WireResult[] {
    try {
      this.#statement('BEGIN IMMEDIATE').run()
      const before = this.#auditHead()
      if (before.hash !== this.#known.hash) this.#demandRecord(this.#known)
      let head = before
      const results = batch.map((unit): WireResult => {
        const outcome = this.#applyUnit(unit, head)
        if ('head' in outcome) {
          head = outcome.head
          return 'ok'
        }
        return outcome
      })
      if (head !== before) this.#demandRecord(head)
      this.#statement('COMMIT').run()
      this.#known = head
      if (head !== before) this.#keepHead(head)
      return results
    } catch (error) {
      if (this.#database.inTransaction) this.#statement('ROLLBACK').run()
      const failure = error instanceof Error ? error.message : String(error)
      return batch.map(() => ({ failure }))
    }
  }

  close(): void {
    this.#database.close()
    if (this.#headFile !== null) closeSync(this.#headFile)
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

  /** Who deletes records while this runs, or has the database do it, is not to be helped by what follows. */
  #demandRecord({ seq, hash }: AuditHead): void {
    if (seq === EMPTY_LOG.seq) return
    const found = this.#statement('SELECT hash FROM AuditRecord WHERE seq = ?').get(seq)
    if ((found as Pick<AuditHead, 'hash'> | undefined)?.hash !== hash) {
      throw new Error(`the audit log does not hold record ${seq} any more`)
    }
  }

  /** Overwrites one line of fixed length: cheap enough for every commit, and never half a head. */
  #keepHead(head: AuditHead): void {
    if (this.#headFile !== null) writeSync(this.#headFile, formatHead(head), 0)
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

function openHeadFile(file: string): number {
  return openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600)
}

const port = parentPort
if (!port) throw new Error('writer-thread runs as a worker')
const writer = new Writer(workerData as WriterOptions)
port.on('message', (message: ToWriter) => {
  if ('batch' in message) {
    port.postMessage({ results: writer.commit(message.batch) })
  } else {
    writer.close()
    port.postMessage({ closed: true })
    port.close()
  }
})
