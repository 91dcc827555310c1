import type { AuditEvent } from '../audit/events.js'
import type {
  AuthorityName,
  AuthorityRecord,
  AuthorityStore,
  ServiceName,
} from '../certificates/embedded/authority-store.js'
import { change, committed, insert, sql, sweep, type Change, type Database } from './database.js'
import { ownKey } from './key-store.js'
import { formerName } from './ledger-facts.js'
import type { AuthorityKeyModel } from './prisma-client/models/AuthorityKey.js'

export class DatabaseAuthorityStore implements AuthorityStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async load(name: AuthorityName | ServiceName): Promise<AuthorityRecord | null> {
    const [row] = await this.#database.rows<AuthorityKeyModel>(
      sql`SELECT * FROM "AuthorityKey" WHERE "name" = ${name}`,
    )
    return row ? { keyId: row.keyId, certificate: Buffer.from(row.certificate) } : null
  }

  async save(
    name: AuthorityName | ServiceName,
    { keyId, certificate }: AuthorityRecord,
    audit: readonly AuditEvent[] = [],
  ): Promise<void> {
    // The first record of a name stays: whoever lost the race loads the winner's.
    const changes = [insert('AuthorityKey', { name, keyId, certificate }), ownKey(keyId, null)]
    await committed(this.#database, { changes, audit })
  }

  replace(
    name: ServiceName,
    keyId: string,
    next: AuthorityRecord,
    isTrusted: boolean,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    const former = formerName(name)
    const changes = [
      ...dropped(former),
      change(
        sql`UPDATE "AuthorityKey" SET "name" = ${former}
             WHERE "name" = ${name} AND "keyId" = ${keyId}`,
        1,
      ),
      ...(isTrusted ? [] : dropped(former)),
      insert('AuthorityKey', { name, keyId: next.keyId, certificate: next.certificate }),
      ownKey(next.keyId, null),
    ]
    return committed(this.#database, { changes, audit })
  }
}

/** The key of that name goes, if there is one. */
function dropped(name: string): Change[] {
  return [
    sweep(
      sql`UPDATE "HsmKey" SET "state" = 'ending'
           WHERE "state" = 'owned' AND "keyId" = (
             SELECT "keyId" FROM "AuthorityKey" WHERE "name" = ${name})`,
    ),
    sweep(sql`DELETE FROM "AuthorityKey" WHERE "name" = ${name}`),
  ]
}
