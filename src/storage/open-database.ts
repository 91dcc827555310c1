import { fileOf, isPostgresql } from '../config/database-url.js'
import type { CommitObserver } from '../observability/metrics.js'
import type { Database } from './database.js'
import type { DatabaseLog } from './kept-head.js'

/**
 * Loads what its kind of database needs, and no more.
 * @param url `file:PATH` for SQLite, or `postgresql://…`
 */
export async function openDatabase(options: {
  readonly url: string
  readonly headFile: string | null
  readonly now: () => Date
  /** Most connections to PostgreSQL that read. */
  readonly connections: number
  readonly observer?: CommitObserver
  readonly log?: DatabaseLog
}): Promise<Database> {
  const { url, headFile, now, connections, observer, log } = options
  const common = { headFile, now, ...(observer ? { observer } : {}), ...(log ? { log } : {}) }
  if (isPostgresql(url)) {
    const { PostgresqlDatabase } = await import('./postgresql/postgresql-database.js')
    return PostgresqlDatabase.open({ ...common, url, connections })
  }
  const { SqliteDatabase } = await import('./sqlite/sqlite-database.js')
  return SqliteDatabase.open({ ...common, file: fileOf(url) })
}
