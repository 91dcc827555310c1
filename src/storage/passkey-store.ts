import type { AuditEvent } from '../audit/events.js'
import type { Passkey, PasskeyChallenge, PasskeyStore } from '../identity/passkeys.js'
import { endAuthorisations } from './authorisation-end.js'
import {
  change,
  committed,
  failedChange,
  insert,
  sql,
  type Change,
  type Database,
} from './database.js'
import { useEnrolmentCode } from './enrolment-store.js'
import type { PasskeyModel } from './prisma-client/models/Passkey.js'

export class DatabasePasskeyStore implements PasskeyStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async find(id: string): Promise<Passkey | null> {
    const row = await this.#database.read.passkey.findUnique({ where: { id } })
    return row ? toPasskey(row) : null
  }

  async list(userId: string): Promise<Passkey[]> {
    const orderBy = [{ createdAt: 'asc' as const }, { id: 'asc' as const }]
    const rows = await this.#database.read.passkey.findMany({ where: { userId }, orderBy })
    return rows.map(toPasskey)
  }

  async addChallenge(challenge: PasskeyChallenge): Promise<void> {
    await this.#database.commit({ changes: [insert('PasskeyChallenge', { ...challenge })] })
  }

  findChallenge(idHash: string): Promise<PasskeyChallenge | null> {
    return this.#database.read.passkeyChallenge.findUnique({ where: { idHash } })
  }

  async use(use: Parameters<PasskeyStore['use']>[0]): Promise<'used' | 'spent' | 'counted'> {
    const { challengeHash, counter, at } = use
    const { id, userId, publicKey } = use.passkey
    const failed = await failedChange(this.#database, {
      changes: [
        spend(challengeHash, at),
        change(
          sql`UPDATE "Passkey" SET "counter" = ${counter}, "lastUsedAt" = ${at}
               WHERE "id" = ${id} AND "userId" = ${userId} AND "publicKey" = ${publicKey}
                 AND ("counter" < ${counter} OR ("counter" = 0 AND ${counter} = 0))`,
          1,
        ),
      ],
    })
    return failed === null ? 'used' : failed === 0 ? 'spent' : 'counted'
  }

  async add(
    passkey: Passkey,
    { challengeHash, codeHash }: { challengeHash: string; codeHash: string | null },
    audit: readonly AuditEvent[],
  ): Promise<'added' | 'spent' | 'taken'> {
    const { userId, createdAt } = passkey
    const row = { ...passkey, transports: JSON.stringify(passkey.transports) }
    const failed = await failedChange(this.#database, {
      changes: [
        insert('Passkey', row),
        spend(challengeHash, createdAt),
        ...(codeHash === null
          ? []
          : [
              useEnrolmentCode(userId, codeHash, createdAt),
              endAuthorisations('user', userId, createdAt),
            ]),
      ],
      audit,
    })
    return failed === null ? 'added' : failed === 0 ? 'taken' : 'spent'
  }

  rename(userId: string, id: string, name: string): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Passkey" SET "name" = ${name} WHERE "id" = ${id} AND "userId" = ${userId}`,
          1,
        ),
      ],
    })
  }

  remove(userId: string, id: string, at: Date, audit: readonly AuditEvent[]): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(sql`DELETE FROM "Passkey" WHERE "id" = ${id} AND "userId" = ${userId}`, 1),
        endAuthorisations('user', userId, at),
      ],
      audit,
    })
  }
}

/** Its row is gone once it was answered. */
function spend(challengeHash: string, at: Date): Change {
  return change(
    sql`DELETE FROM "PasskeyChallenge" WHERE "idHash" = ${challengeHash} AND "expiresAt" > ${at}`,
    1,
  )
}

function toPasskey(row: PasskeyModel): Passkey {
  return { ...row, transports: JSON.parse(row.transports) as string[] }
}
