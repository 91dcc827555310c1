import { fileOf, isPostgresql } from '../config/database-url.js'
import type { CommitObserver } from '../observability/metrics.js'
import type { Database } from './database.js'
import { PostgresqlDatabase } from './postgresql/postgresql-database.js'
import { SqliteDatabase } from './sqlite/sqlite-database.js'

/** @param url `file:PATH` for SQLite, or `postgresql://…` */
export function openDatabase(options: {
  readonly url: string
  readonly headFile: string | null
  readonly now: () => Date
  /** Most connections to PostgreSQL that read. */
  readonly connections: number
  readonly observer?: CommitObserver
}): Promise<Database> {
  const { url, headFile, now, connections, observer } = options
  const common = { headFile, now, ...(observer ? { observer } : {}) }
  return isPostgresql(url)
    ? PostgresqlDatabase.open({ ...common, url, connections })
    : SqliteDatabase.open({ ...common, file: fileOf(url) })
}
