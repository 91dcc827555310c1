import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { migrationFiles, missingMigrations } from '../migration-files.js'

/** The number that `prisma migrate` locks, too: it and several servers that start wait for each other. */
const MIGRATION_LOCK = 72707369

const JOURNAL = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id"                    VARCHAR(36) PRIMARY KEY NOT NULL,
    "checksum"              VARCHAR(64) NOT NULL,
    "finished_at"           TIMESTAMPTZ,
    "migration_name"        VARCHAR(255) NOT NULL,
    "logs"                  TEXT,
    "rolled_back_at"        TIMESTAMPTZ,
    "started_at"            TIMESTAMPTZ NOT NULL DEFAULT now(),
    "applied_steps_count"   INTEGER NOT NULL DEFAULT 0
)`

/**
 * Applies what is missing, all in one transaction, and records it the way `prisma migrate deploy`
 * would. Refuses a database whose applied migrations differ from the committed files.
 */
export async function applyMigrations(client: pg.Client): Promise<string[]> {
  const files = migrationFiles('postgresql')
  // Whoever has nothing to apply needs no right to change tables, and waits for nobody.
  if ((await isJournalled(client)) && (await missing()).length === 0) return []
  await client.query('BEGIN')
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
    await client.query(JOURNAL)
    const lacking = await missing()
    for (const { name, sql, checksum } of lacking) {
      await client.query(sql)
      await client.query(
        `INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name", "finished_at", "applied_steps_count")
         VALUES ($1, $2, $3, now(), 1)`,
        [randomUUID(), checksum, name],
      )
    }
    await client.query('COMMIT')
    return lacking.map(({ name }) => name)
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }

  async function missing() {
    const { rows } = await client.query<{ name: string; checksum: string }>(
      'SELECT "migration_name" AS name, "checksum" FROM "_prisma_migrations" WHERE "rolled_back_at" IS NULL',
    )
    return missingMigrations(files, new Map(rows.map((row) => [row.name, row.checksum])))
  }
}

async function isJournalled(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT to_regclass('"_prisma_migrations"') IS NOT NULL AS found`,
  )
  return rows[0]?.found ?? false
}
