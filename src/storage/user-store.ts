import { auditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import {
  UsernameTakenError,
  type Contact,
  type NewUser,
  type NoticeSettings,
  type User,
  type UserSecrets,
  type UserStore,
} from '../identity/user.js'
import { endAuthorisations } from './authorisation-end.js'
import { change, committed, insert, sql, sweep, type Database, type Statement } from './database.js'
import { modelReader, type Stored } from './model-reader.js'
import type { UserModel } from './prisma-client/models/User.js'

const readUser = modelReader<UserModel>({
  ...{ createdAt: 'date', disabledAt: 'date' },
  ...{ otpAtSignIn: 'boolean', signatureNotices: 'boolean' },
})

export class DatabaseUserStore implements UserStore {
  readonly #database: Database
  readonly #secrets: Secrets
  readonly #now: () => Date

  constructor(database: Database, secrets: Secrets, now: () => Date) {
    this.#database = database
    this.#secrets = secrets
    this.#now = now
  }

  async find(id: string): Promise<User | null> {
    return this.#findWhere(sql`"id" = ${id}`)
  }

  async findByUsername(username: string): Promise<User | null> {
    return this.#findWhere(sql`"username" = ${username}`)
  }

  async list(): Promise<User[]> {
    const rows = await this.#database.rows<Stored<UserModel>>(
      sql`SELECT * FROM "User" ORDER BY "username"`,
    )
    return rows.flatMap((row) => toUser(readUser(row)) ?? [])
  }

  async add(user: NewUser): Promise<void> {
    const { id, username, totpSecret } = user
    const sealed = totpSecret === null ? null : this.#secrets.seal(totpContext(id), totpSecret)
    const row = { ...user, totpSecret: sealed, createdAt: this.#now() }
    const added = await committed(this.#database, {
      changes: [insert('User', row)],
      audit: [auditEvent('user.added', { userId: id, username })],
    })
    if (!added) throw new UsernameTakenError(username)
  }

  disable(id: string, at: Date): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "User" SET "disabledAt" = ${at} WHERE "id" = ${id} AND "disabledAt" IS NULL`,
          1,
        ),
        endAuthorisations('user', id, at),
        sweep(
          sql`UPDATE "OAuthRecord" SET "revokedAt" = ${at} WHERE "accountId" = ${id} AND "revokedAt" IS NULL`,
        ),
      ],
      audit: [auditEvent('user.disabled', { userId: id })],
    })
  }

  setContact(id: string, contact: Contact, at: Date): Promise<boolean> {
    const { email, phone } = contact
    return committed(this.#database, {
      changes: [
        ...(email === undefined
          ? []
          : [change(sql`UPDATE "User" SET "email" = ${email} WHERE "id" = ${id}`, 1)]),
        ...(phone === undefined
          ? []
          : [change(sql`UPDATE "User" SET "phone" = ${phone} WHERE "id" = ${id}`, 1)]),
        sweep(
          sql`UPDATE "SentCode" SET "spentAt" = ${at}
               WHERE "spentAt" IS NULL
                 AND "credentialId" IN (SELECT "id" FROM "Credential" WHERE "userId" = ${id})`,
        ),
        endAuthorisations('user', id, at),
      ],
      audit: [auditEvent('user.changed', { userId: id, changed: Object.keys(contact) })],
    })
  }

  setNotices(id: string, { signatureNotices, lang }: NoticeSettings): Promise<boolean> {
    const changed = ['lang', 'signatureNotices']
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "User" SET "signatureNotices" = ${signatureNotices}, "lang" = ${lang}
               WHERE "id" = ${id} AND "disabledAt" IS NULL`,
          1,
        ),
      ],
      audit: [auditEvent('user.changed', { userId: id, changed })],
    })
  }

  async secrets(id: string): Promise<UserSecrets | null> {
    const [row] = await this.#database.rows<Pick<UserModel, 'passwordHash' | 'totpSecret'>>(
      sql`SELECT "passwordHash", "totpSecret" FROM "User" WHERE "id" = ${id}`,
    )
    if (!row) return null
    const { passwordHash, totpSecret } = row
    return {
      passwordHash,
      totpSecret: totpSecret === null ? null : this.#secrets.unseal(totpContext(id), totpSecret),
    }
  }

  async #findWhere(condition: Statement): Promise<User | null> {
    const [row] = await this.#database.rows<Stored<UserModel>>(
      sql`SELECT * FROM "User" WHERE ${condition}`,
    )
    return row ? toUser(readUser(row)) : null
  }

  acceptTotpStep(userId: string, step: number): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "User" SET "totpLastStep" = ${step} WHERE "id" = ${userId} AND "totpLastStep" < ${step}`,
          1,
        ),
      ],
    })
  }
}

/** What a secret is sealed for: this person's, and in use. */
export function totpContext(userId: string): string {
  return `user ${userId} totp`
}

function toUser(row: UserModel | null): User | null {
  if (!row) return null
  const { id, username, displayName, givenName, surname, email, phone, country } = row
  const { otpAtSignIn, lang, signatureNotices, disabledAt } = row
  return {
    ...{ id, username, displayName, givenName, surname, email, phone, country },
    ...{ otpAtSignIn, lang, signatureNotices, disabledAt },
  }
}
