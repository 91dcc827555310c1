import { fileOf, isPostgresql } from '../config/database-url.js'
import type { Ledger } from '../keys/process/ledger.js'

/** The ledger as the key process reads it, which loads only what its kind of database needs. */
export async function openLedger(url: string): Promise<Ledger> {
  if (isPostgresql(url)) {
    const { PostgresqlLedger } = await import('./postgresql/postgresql-ledger.js')
    return new PostgresqlLedger(url)
  }
  const { SqliteLedger } = await import('./sqlite/sqlite-ledger.js')
  return new SqliteLedger(fileOf(url))
}
