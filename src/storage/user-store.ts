import { auditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import {
  UsernameTakenError,
  type Contact,
  type ListedUser,
  type NewUser,
  type NoticeSettings,
  type User,
  type UserSecrets,
  type UserStore,
} from '../identity/user.js'
import { endAuthorisations } from './authorisation-end.js'
import {
  change,
  committed,
  insert,
  sql,
  sweep,
  type Change,
  type Database,
  type Statement,
} from './database.js'
import { modelReader, type Stored } from './model-reader.js'
import type { UserModel } from './prisma-client/models/User.js'
import { userFacts } from './user-binding.js'

const readUser = modelReader<UserModel>({
  ...{ createdAt: 'date', disabledAt: 'date' },
  ...{ otpAtSignIn: 'boolean', signatureNotices: 'boolean' },
})

/** After which one that is still not intact is put on record again. */
const RECORD_AGAIN_MS = 3600_000
const MOST_RECORDED = 1000

export class DatabaseUserStore implements UserStore {
  readonly #database: Database
  readonly #secrets: Secrets
  readonly #now: () => Date
  /** When it was last put on record that a person is not intact. */
  readonly #recorded = new Map<string, number>()

  constructor(database: Database, secrets: Secrets, now: () => Date) {
    this.#database = database
    this.#secrets = secrets
    this.#now = now
  }

  find(id: string): Promise<User | null> {
    return this.#findWhere(sql`"id" = ${id}`)
  }

  findByUsername(username: string): Promise<User | null> {
    return this.#findWhere(sql`"username" = ${username}`)
  }

  async list(): Promise<ListedUser[]> {
    const rows = await this.#database.rows<Stored<UserModel>>(
      sql`SELECT * FROM "User" ORDER BY "username"`,
    )
    return rows.map((row) => ({ ...toUser(readUser(row)), isIntact: this.#flaw(row) === null }))
  }

  async add(user: NewUser): Promise<void> {
    const { id, username } = user
    const added = await committed(this.#database, {
      changes: [insertUser(user, this.#now(), this.#secrets)],
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

  async setContact(id: string, contact: Contact, at: Date): Promise<boolean> {
    for (;;) {
      const row = await this.#intactRow(sql`"id" = ${id}`)
      if (!row) return false
      const { email, phone } = { ...row, ...contact }
      const binding = this.#secrets.bind(...userFacts({ ...row, email, phone }))
      const changed = await committed(this.#database, {
        changes: [
          change(
            sql`UPDATE "User" SET "email" = ${email}, "phone" = ${phone}, "binding" = ${binding}
                 WHERE "id" = ${id} AND "binding" = ${row.binding}`,
            1,
          ),
          ...endActivationData(id, at),
        ],
        audit: [auditEvent('user.changed', { userId: id, changed: Object.keys(contact) })],
      })
      if (changed) return true
    }
  }

  async confirm(id: string, at: Date): Promise<boolean> {
    const [row] = await this.#rows(sql`"id" = ${id}`)
    if (!row || this.#flaw(row) === null) return false
    const { binding, totpSecret } = row
    const authenticatorRemoved = totpSecret !== null && this.#unsealed(row) === null
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "User" SET "binding" = ${this.#secrets.bind(...userFacts(row))},
                     "totpSecret" = ${authenticatorRemoved ? null : totpSecret}
               WHERE "id" = ${id} AND COALESCE("binding", '') = ${binding ?? ''}`,
          1,
        ),
        ...endActivationData(id, at),
      ],
      audit: [auditEvent('user.confirmed', { userId: id, authenticatorRemoved })],
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
    const row = await this.#intactRow(sql`"id" = ${id}`)
    return row && { passwordHash: row.passwordHash, totpSecret: this.#unsealed(row) }
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

  async #findWhere(condition: Statement): Promise<User | null> {
    const row = await this.#intactRow(condition)
    return row && toUser(readUser(row))
  }

  #rows(condition: Statement): Promise<Stored<UserModel>[]> {
    return this.#database.rows(sql`SELECT * FROM "User" WHERE ${condition}`)
  }

  async #intactRow(condition: Statement): Promise<Stored<UserModel> | null> {
    const [row] = await this.#rows(condition)
    if (!row) return null
    const why = this.#flaw(row)
    if (why === null) return row
    await this.#recordRefusal(row.id, why)
    return null
  }

  /** In what the row is not as it was put on record; null when it is. */
  #flaw(row: Stored<UserModel>): string | null {
    const { binding, totpSecret } = row
    if (binding === null) return 'no MAC'
    if (!this.#secrets.isBound(binding, ...userFacts(row))) return 'another MAC'
    if (totpSecret !== null && this.#unsealed(row) === null) return 'the authenticator of another'
    return null
  }

  /** The secret of their authenticator; null when there is none, or it was sealed for somebody else. */
  #unsealed({ id, totpSecret }: Pick<UserModel, 'id' | 'totpSecret'>): string | null {
    if (totpSecret === null) return null
    try {
      return this.#secrets.unseal(totpContext(id), totpSecret)
    } catch {
      return null
    }
  }

  /** Once in a while for each: whoever goes on trying fills no log. */
  async #recordRefusal(userId: string, why: string): Promise<void> {
    const now = this.#now().getTime()
    if ((this.#recorded.get(userId) ?? -Infinity) > now - RECORD_AGAIN_MS) return
    if (this.#recorded.size >= MOST_RECORDED) this.#recorded.clear()
    this.#recorded.set(userId, now)
    await this.#database.commit({
      changes: [],
      audit: [auditEvent('user.refused', { userId, why })],
    })
  }
}

/** A row of a person, under its MAC. */
export function insertUser(user: NewUser, createdAt: Date, secrets: Secrets): Change {
  const { id, totpSecret } = user
  return insert('User', {
    ...user,
    totpSecret: totpSecret === null ? null : secrets.seal(totpContext(id), totpSecret),
    binding: secrets.bind(...userFacts(user)),
    createdAt,
  })
}

/** Codes that were sent, and what was agreed to, are nothing after the person changed. */
function endActivationData(userId: string, at: Date): Change[] {
  return [
    sweep(
      sql`UPDATE "SentCode" SET "spentAt" = ${at}
           WHERE "spentAt" IS NULL
             AND "credentialId" IN (SELECT "id" FROM "Credential" WHERE "userId" = ${userId})`,
    ),
    endAuthorisations('user', userId, at),
  ]
}

/** What a secret is sealed for: this person's, and in use. */
export function totpContext(userId: string): string {
  return `user ${userId} totp`
}

function toUser(row: UserModel): User {
  const { id, username, displayName, givenName, surname, email, phone, country } = row
  const { otpAtSignIn, lang, signatureNotices, disabledAt } = row
  return {
    ...{ id, username, displayName, givenName, surname, email, phone, country },
    ...{ otpAtSignIn, lang, signatureNotices, disabledAt },
  }
}
