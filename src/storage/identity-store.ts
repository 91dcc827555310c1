import type { AuditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import type { Identity, IdentityStore } from '../identity/identities.js'
import type { NewUser } from '../identity/user.js'
import { endAuthorisations } from './authorisation-end.js'
import { change, committed, insert, sql, type Database } from './database.js'
import { useEnrolmentCode } from './enrolment-store.js'
import { insertUser } from './user-store.js'

export class DatabaseIdentityStore implements IdentityStore {
  readonly #database: Database
  readonly #secrets: Secrets

  constructor(database: Database, secrets: Secrets) {
    this.#database = database
    this.#secrets = secrets
  }

  find(issuer: string, subject: string): Promise<Identity | null> {
    return this.#database.read.identity.findUnique({
      where: { issuer_subject: { issuer, subject } },
    })
  }

  list(userId: string): Promise<Identity[]> {
    return this.#database.rows(
      sql`SELECT "issuer", "subject", "userId", "binding" FROM "Identity" WHERE "userId" = ${userId} ORDER BY "issuer"`,
    )
  }

  add(
    identity: Identity,
    codeHash: string | null,
    linkedAt: Date,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    const { userId } = identity
    return committed(this.#database, {
      changes: [
        insert('Identity', { ...identity, linkedAt }),
        ...(codeHash === null
          ? []
          : [
              useEnrolmentCode(userId, codeHash, linkedAt),
              endAuthorisations('user', userId, linkedAt),
            ]),
      ],
      audit,
    })
  }

  enrol(
    user: NewUser,
    identity: Identity,
    at: Date,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        insertUser(user, at, this.#secrets),
        insert('Identity', { ...identity, linkedAt: at }),
      ],
      audit,
    })
  }

  remove(userId: string, issuer: string, at: Date, audit: readonly AuditEvent[]): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(sql`DELETE FROM "Identity" WHERE "userId" = ${userId} AND "issuer" = ${issuer}`, 1),
        endAuthorisations('user', userId, at),
      ],
      audit,
    })
  }
}
