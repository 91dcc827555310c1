import type { AuditRecord } from '../audit/chain.js'
import { fileOf, isPostgresql } from '../config/database-url.js'
import type { CommitObserver } from '../observability/metrics.js'
import type { Ledger } from '../keys/process/ledger.js'
import type { Database } from './database.js'

/** Each loads only what its own kind of database needs. */

/** @param url `file:PATH` for SQLite, or `postgresql://…` */
export async function openDatabase(options: {
  readonly url: string
  readonly headFile: string | null
  readonly now: () => Date
  /** Most connections to PostgreSQL that read. */
  readonly connections: number
  readonly observer?: CommitObserver
}): Promise<Database> {
  const { url, headFile, now, connections, observer } = options
  const common = { headFile, now, ...(observer ? { observer } : {}) }
  if (isPostgresql(url)) {
    const { PostgresqlDatabase } = await import('./postgresql/postgresql-database.js')
    return PostgresqlDatabase.open({ ...common, url, connections })
  }
  const { SqliteDatabase } = await import('./sqlite/sqlite-database.js')
  return SqliteDatabase.open({ ...common, file: fileOf(url) })
}

/** The ledger as the key process reads it. */
export async function openLedger(url: string): Promise<Ledger> {
  if (isPostgresql(url)) {
    const { PostgresqlLedger } = await import('./postgresql/postgresql-ledger.js')
    return new PostgresqlLedger(url)
  }
  const { SqliteLedger } = await import('./sqlite/sqlite-ledger.js')
  return new SqliteLedger(fileOf(url))
}

/** The log as it lies there, of which nothing is opened but the reading. */
export async function openAuditReader(url: string): Promise<AuditReader> {
  if (isPostgresql(url)) {
    const { PostgresqlAuditReader } = await import('./postgresql/audit-reader.js')
    return PostgresqlAuditReader.open(url)
  }
  const { SqliteAuditReader } = await import('./sqlite/audit-reader.js')
  return new SqliteAuditReader(fileOf(url))
}

export interface AuditReader {
  read(): AsyncIterable<AuditRecord> | Iterable<AuditRecord>
  close(): Promise<void> | void
}
