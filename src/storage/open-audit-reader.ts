import type { AuditRecord } from '../audit/chain.js'
import { fileOf, isPostgresql } from '../config/database-url.js'

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
