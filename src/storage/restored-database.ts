import type { AuditHead } from '../audit/chain.js'
import { auditEvent } from '../audit/events.js'
import type { RevocationReason } from '../certificates/revocation.js'
import type { Suspender } from '../credentials/credential.js'
import { newestTotpStep } from '../identity/totp.js'
import {
  holdCertificateOf,
  revokeCertificate,
  revokeCertificateOf,
} from './issued-certificate-store.js'
import { endKeyOf } from './key-store.js'
import { inBatches, someOf } from './batches.js'
import { sql, sweep, type Change, type Database, type Statement } from './database.js'

/** What somebody ended after the backup, as the log tells it. */
export type EndedSince = { readonly at: Date } & (
  | {
      readonly what:
        | 'user disabled'
        | 'client disabled'
        | 'credential revoked'
        | 'credential deleted'
        | 'passkey removed'
      readonly id: string
    }
  | { readonly what: 'credential suspended'; readonly id: string; readonly by: Suspender }
  /** Or another one in its place, whose secret no log holds. */
  | { readonly what: 'authenticator removed'; readonly userId: string }
  | { readonly what: 'identity unlinked'; readonly issuer: string; readonly subject: string }
  | {
      readonly what: 'certificate revoked'
      readonly serialNumber: string
      readonly reason: RevocationReason
    }
)

/**
 * Ends all that a backup brings back to life and that may have been used since: approvals, SADs, codes,
 * tokens, sessions and one-time codes. People sign in and agree anew; their keys stay.
 */
export class RestoredDatabase {
  readonly #database: Database
  readonly #now: () => Date

  constructor(database: Database, now: () => Date) {
    this.#database = database
    this.#now = now
  }

  /**
   * @param ended what was ended after the backup; what is ended already stays as it is
   * @param lost the newest head known elsewhere, when it is not in this log
   */
  async end(lost: AuditHead | null, ended: readonly EndedSince[]): Promise<void> {
    const now = this.#now()
    for (const each of ended) await this.#database.commit({ changes: endedAgain(each) })
    for (const statement of outstanding(now)) await inBatches(this.#database, statement)
    await this.#database.commit({ changes: [sweep(SKIP_LIST_NUMBERS)] })
    const event = auditEvent('database.restored', {
      lostHead: lost?.seq ?? null,
      endedAgain: ended.length,
    })
    await this.#database.commit({ changes: [], audit: [event] })
  }
}

/** Numbers of revocation lists go up (RFC 5280, 5.2.3), beyond those that were published since the backup. */
const SKIP_LIST_NUMBERS = sql`
  UPDATE "RevocationList" SET "number" = "number" + 1000, "wanted" = "wanted" + 1`

function outstanding(now: Date): Statement[] {
  // Whoever looked over a shoulder before the backup does not get a second use of what was seen.
  const step = newestTotpStep(now)
  return [
    sql`UPDATE "Authorisation" SET "revokedAt" = ${now}
         WHERE ${someOf('Authorisation', 'id', sql`WHERE "revokedAt" IS NULL AND "expiresAt" > ${now}`)}`,
    sql`UPDATE "Sad" SET "endedAt" = ${now} WHERE ${someOf('Sad', 'idHash', sql`WHERE "endedAt" IS NULL`)}`,
    sql`UPDATE "Transaction" SET "state" = 'rejected'
         WHERE ${someOf('Transaction', 'id', sql`WHERE "state" = 'pending'`)}`,
    sql`UPDATE "OAuthRecord" SET "revokedAt" = ${now}
         WHERE ${someOf('OAuthRecord', ['model', 'idHash'], sql`WHERE "revokedAt" IS NULL`)}`,
    sql`UPDATE "SentCode" SET "spentAt" = ${now}
         WHERE ${someOf('SentCode', 'id', sql`WHERE "spentAt" IS NULL`)}`,
    sql`UPDATE "EnrolmentCode" SET "usedAt" = ${now}
         WHERE ${someOf('EnrolmentCode', 'userId', sql`WHERE "usedAt" IS NULL`)}`,
    sql`UPDATE "RecoveryCode" SET "usedAt" = ${now}
         WHERE ${someOf('RecoveryCode', ['userId', 'codeHash'], sql`WHERE "usedAt" IS NULL`)}`,
    sql`UPDATE "User" SET "totpLastStep" = ${step}
         WHERE ${someOf('User', 'id', sql`WHERE "totpLastStep" < ${step}`)}`,
    sql`DELETE FROM "PasskeyChallenge" WHERE ${someOf('PasskeyChallenge', 'idHash')}`,
    sql`DELETE FROM "PendingAuthenticator"
         WHERE ${someOf('PendingAuthenticator', 'userId')}`,
  ]
}

function endedAgain(ended: EndedSince): Change[] {
  const { at } = ended
  switch (ended.what) {
    case 'user disabled':
      return [
        sweep(
          sql`UPDATE "User" SET "disabledAt" = ${at} WHERE "id" = ${ended.id} AND "disabledAt" IS NULL`,
        ),
      ]
    case 'client disabled':
      return [
        sweep(
          sql`UPDATE "Client" SET "disabledAt" = ${at} WHERE "id" = ${ended.id} AND "disabledAt" IS NULL`,
        ),
      ]
    case 'credential revoked':
    case 'credential deleted': {
      const status = ended.what === 'credential revoked' ? 'revoked' : 'deleted'
      // Whether the certificate of a deleted one was revoked is not known here; it has no key either way.
      const reason = status === 'revoked' ? 'unspecified' : 'cessationOfOperation'
      return [
        endKeyOf(ended.id),
        ...revokeCertificateOf(ended.id, at, reason),
        sweep(
          sql`UPDATE "Credential" SET "status" = ${status}, "statusChangedAt" = ${at}
               WHERE "id" = ${ended.id} AND "status" NOT IN ('revoked', 'deleted')`,
        ),
      ]
    }
    case 'credential suspended':
      return [
        sweep(
          sql`UPDATE "Credential"
                 SET "status" = 'suspended', "suspendedBy" = ${ended.by}, "statusChangedAt" = ${at}
               WHERE "id" = ${ended.id} AND "status" = 'enabled'`,
        ),
        ...holdCertificateOf(ended.id, at),
      ]
    case 'certificate revoked':
      return revokeCertificate(ended.serialNumber, at, ended.reason)
    case 'passkey removed':
      return [sweep(sql`DELETE FROM "Passkey" WHERE "id" = ${ended.id}`)]
    case 'authenticator removed':
      return [
        // Who cannot sign in without one would never come to enrol another.
        sweep(
          sql`UPDATE "User" SET "totpSecret" = NULL WHERE "id" = ${ended.userId} AND NOT "otpAtSignIn"`,
        ),
      ]
    case 'identity unlinked':
      return [
        sweep(
          sql`DELETE FROM "Identity" WHERE "issuer" = ${ended.issuer} AND "subject" = ${ended.subject}`,
        ),
      ]
  }
}
