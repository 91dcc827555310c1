import { auditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import { change, committed, insert, sql, type Database } from './database.js'
import type { InstallationStore } from './installation-store.js'
import { userFacts } from './user-binding.js'
import type { UserModel } from './prisma-client/models/User.js'

/** In which the end of the time is sealed for which approvals need no MAC. */
const NAME = 'unbound until'
/** Longer than any approval of a release before stands, and than rolling out a release takes. */
const ROLLING_OUT_MS = 24 * 3600_000
/** No approval without a MAC is good. */
export const NEVER = new Date(0)
const AT_ONCE = 500

/**
 * Puts people under a MAC that a release before put on record without, once in the life of a database.
 * Who can write to the database cannot have it done again: the log knows that it was.
 * @returns until when approvals without a MAC are good, which such a release may still put on record
 */
export async function bindEarlierRows(parts: {
  readonly database: Database
  readonly installation: InstallationStore
  readonly secrets: Secrets
  readonly now: () => Date
}): Promise<Date> {
  const { database, installation, secrets, now } = parts
  const stored = await installation.get(NAME)
  if (stored !== null) return unsealed(secrets, stored)
  if (await wasBound(database)) return NEVER
  const bound = await bindPeople(database, secrets)
  // Not by whom this process has bound: another that starts with it may have been quicker.
  const rollingOut = (await hasPeople(database)) ? ROLLING_OUT_MS : 0
  const until = new Date(now().getTime() + rollingOut)
  await committed(database, {
    changes: [
      insert('Installation', { name: NAME, value: secrets.seal(NAME, until.toISOString()) }),
    ],
    audit: [auditEvent('installation.bound', { people: bound, unboundUntil: until.toISOString() })],
  })
  // Another process may have been first.
  return unsealed(secrets, (await installation.get(NAME)) ?? '')
}

function unsealed(secrets: Secrets, stored: string): Date {
  try {
    return new Date(secrets.unseal(NAME, stored))
  } catch {
    return NEVER
  }
}

async function wasBound(database: Database): Promise<boolean> {
  const found = await database.rows(
    sql`SELECT 1 AS "was" FROM "AuditRecord" WHERE "event" = 'installation.bound' LIMIT 1`,
  )
  return found.length > 0
}

/** A new database has nobody, and no release before serves beside the one that made it. */
async function hasPeople(database: Database): Promise<boolean> {
  const found = await database.rows(sql`SELECT 1 AS "is" FROM "User" LIMIT 1`)
  return found.length > 0
}

/** @returns how many there were */
async function bindPeople(database: Database, secrets: Secrets): Promise<number> {
  let bound = 0
  for (;;) {
    const rows = await database.rows<UserModel>(
      sql`SELECT * FROM "User" WHERE "binding" IS NULL LIMIT ${AT_ONCE}`,
    )
    if (rows.length === 0) return bound
    const changes = rows.map((row) =>
      change(
        sql`UPDATE "User" SET "binding" = ${secrets.bind(...userFacts(row))}
             WHERE "id" = ${row.id} AND "binding" IS NULL`,
        1,
      ),
    )
    if (await committed(database, { changes })) bound += rows.length
  }
}
