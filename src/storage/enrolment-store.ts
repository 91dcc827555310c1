import type { AuditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import type { EnrolmentStore, PendingAuthenticator } from '../identity/enrolment.js'
import { endAuthorisations } from './authorisation-end.js'
import { change, committed, insert, sql, sweep, type Change, type Database } from './database.js'
import { totpContext } from './user-store.js'

export class DatabaseEnrolmentStore implements EnrolmentStore {
  readonly #database: Database
  readonly #secrets: Secrets

  constructor(database: Database, secrets: Secrets) {
    this.#database = database
    this.#secrets = secrets
  }

  async begin(pending: PendingAuthenticator): Promise<void> {
    const { userId, id, totpSecret } = pending
    const sealed = this.#secrets.seal(pendingContext(userId, id), totpSecret)
    await this.#database.commit({
      changes: [
        sweep(sql`DELETE FROM "PendingAuthenticator" WHERE "userId" = ${userId}`),
        insert('PendingAuthenticator', { ...pending, totpSecret: sealed }),
      ],
    })
  }

  async findPending(userId: string): Promise<PendingAuthenticator | null> {
    const row = await this.#database.read.pendingAuthenticator.findUnique({ where: { userId } })
    if (!row) return null
    const context = pendingContext(userId, row.id)
    return { ...row, totpSecret: this.#secrets.unseal(context, row.totpSecret) }
  }

  confirm(request: {
    pending: PendingAuthenticator
    step: number
    recoveryHashes: readonly string[]
    at: Date
    audit: readonly AuditEvent[]
  }): Promise<boolean> {
    const { pending, step, recoveryHashes, at, audit } = request
    const { userId, id, proofHash, totpSecret } = pending
    const sealed = this.#secrets.seal(totpContext(userId), totpSecret)
    return committed(this.#database, {
      changes: [
        change(
          sql`DELETE FROM "PendingAuthenticator"
               WHERE "userId" = ${userId} AND "id" = ${id} AND "expiresAt" > ${at}`,
          1,
        ),
        ...(proofHash === null ? [] : [useEnrolmentCode(userId, proofHash, at)]),
        change(
          sql`UPDATE "User" SET "totpSecret" = ${sealed}, "totpLastStep" = ${step}
               WHERE "id" = ${userId} AND "disabledAt" IS NULL`,
          1,
        ),
        ...replaceCodes(userId, recoveryHashes, at),
        endAuthorisations('user', userId, at),
      ],
      audit,
    })
  }

  remove(userId: string, at: Date, audit: readonly AuditEvent[]): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "User" SET "totpSecret" = NULL
               WHERE "id" = ${userId} AND "totpSecret" IS NOT NULL`,
          1,
        ),
        sweep(sql`DELETE FROM "PendingAuthenticator" WHERE "userId" = ${userId}`),
        sweep(sql`DELETE FROM "RecoveryCode" WHERE "userId" = ${userId}`),
        endAuthorisations('user', userId, at),
      ],
      audit,
    })
  }

  replaceRecoveryCodes(
    userId: string,
    hashes: readonly string[],
    at: Date,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        // Nothing is changed but that it is there, as one condition of the unit.
        change(
          sql`UPDATE "User" SET "id" = "id" WHERE "id" = ${userId} AND "totpSecret" IS NOT NULL`,
          1,
        ),
        ...replaceCodes(userId, hashes, at),
      ],
      audit,
    })
  }

  useRecoveryCode(
    userId: string,
    hash: string,
    at: Date,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "RecoveryCode" SET "usedAt" = ${at}
               WHERE "userId" = ${userId} AND "codeHash" = ${hash} AND "usedAt" IS NULL`,
          1,
        ),
      ],
      audit,
    })
  }

  async recoveryCodes(userId: string): Promise<{ hash: string; usedAt: Date | null }[]> {
    const rows = await this.#database.read.recoveryCode.findMany({ where: { userId } })
    return rows.map(({ codeHash, usedAt }) => ({ hash: codeHash, usedAt }))
  }

  async issueCode(
    code: { userId: string; codeHash: string; expiresAt: Date },
    audit: readonly AuditEvent[],
  ): Promise<void> {
    await this.#database.commit({
      changes: [
        sweep(sql`DELETE FROM "EnrolmentCode" WHERE "userId" = ${code.userId}`),
        insert('EnrolmentCode', code),
      ],
      audit,
    })
  }

  async isCodeGood(userId: string, codeHash: string, now: Date): Promise<boolean> {
    const where = { userId, codeHash, usedAt: null, expiresAt: { gt: now } }
    return (await this.#database.read.enrolmentCode.count({ where })) === 1
  }
}

function replaceCodes(userId: string, hashes: readonly string[], createdAt: Date): Change[] {
  return [
    sweep(sql`DELETE FROM "RecoveryCode" WHERE "userId" = ${userId}`),
    ...hashes.map((codeHash) => insert('RecoveryCode', { userId, codeHash, createdAt })),
  ]
}

/** Of concurrent units with one code, exactly one stands. */
export function useEnrolmentCode(userId: string, codeHash: string, at: Date): Change {
  return change(
    sql`UPDATE "EnrolmentCode" SET "usedAt" = ${at}
         WHERE "userId" = ${userId} AND "codeHash" = ${codeHash}
           AND "usedAt" IS NULL AND "expiresAt" > ${at}`,
    1,
  )
}

function pendingContext(userId: string, id: string): string {
  return `user ${userId} pending authenticator ${id}`
}
