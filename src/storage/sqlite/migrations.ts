import { randomUUID } from 'node:crypto'
import type Sqlite from 'better-sqlite3'
import { migrationFiles, missingMigrations } from '../migration-files.js'

const JOURNAL = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id"                    TEXT PRIMARY KEY NOT NULL,
    "checksum"              TEXT NOT NULL,
    "finished_at"           DATETIME,
    "migration_name"        TEXT NOT NULL,
    "logs"                  TEXT,
    "rolled_back_at"        DATETIME,
    "started_at"            DATETIME NOT NULL DEFAULT current_timestamp,
    "applied_steps_count"   INTEGER UNSIGNED NOT NULL DEFAULT 0
)`

/**
 * Applies what is missing, each migration in one transaction, and records it the way `prisma migrate
 * deploy` would. Refuses a database whose applied migrations differ from the committed files.
 */
export function applyMigrations(database: Sqlite.Database): string[] {
  const applied: string[] = []
  database
    .transaction(() => {
      database.exec(JOURNAL)
      const known = new Map(
        database
          .prepare<[], { name: string; checksum: string }>(
            'SELECT migration_name AS name, checksum FROM _prisma_migrations WHERE rolled_back_at IS NULL',
          )
          .all()
          .map((row) => [row.name, row.checksum]),
      )
      for (const { name, sql, checksum } of missingMigrations(migrationFiles('sqlite'), known)) {
        database.exec(sql)
        database
          .prepare(
            `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
             VALUES (?, ?, ?, ?, ?, 1)`,
          )
          .run(randomUUID(), checksum, name, Date.now(), Date.now())
        applied.push(name)
      }
    })
    .immediate()
  return applied
}
