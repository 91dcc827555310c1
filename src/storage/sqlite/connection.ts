import Sqlite from 'better-sqlite3'

/**
 * Opens the file in WAL mode with `synchronous=FULL`. A reopened WAL database comes up as NORMAL, in
 * which a committed write can be lost with the power: the setting is made and read back every time.
 */
export function openSqlite(file: string): Sqlite.Database {
  const database = new Sqlite(file, { timeout: 5000 })
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('foreign_keys = ON')
  if (database.pragma('synchronous', { simple: true }) !== 2) {
    database.close()
    throw new Error('SQLite did not accept synchronous=FULL')
  }
  return database
}
