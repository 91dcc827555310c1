import { raw } from 'sql-template-tag'
import { inBatches, someOf } from './batches.js'
import { sql, type Database, type Statement } from './database.js'
import type { Prisma } from './prisma-client/client.js'

const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS
/** So long it is told of what expired that it did, and not that it never was. */
const TOLD_MS = DAY_MS
/** Mails that nothing sent, as where mail is not configured any more. */
const UNSENT_MS = 7 * DAY_MS
/** Refusals and changes on the signer's pages; the audit log keeps them for good. */
const EVENTS_MS = 365 * DAY_MS

/**
 * What expired and nobody can use or ask for any more, removed in small writes. Signing stories
 * (transactions, authorisations and their digests) are the signer's history and stay.
 */
export class ExpiredRows {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Stops after the write it is at. */
  async remove(now: Date, stopping?: AbortSignal): Promise<void> {
    for (const statement of expiredAt(now)) {
      if (stopping?.aborted) return
      await inBatches(this.#database, statement, stopping)
    }
  }
}

function expiredAt(now: Date): Statement[] {
  const told = ago(now, TOLD_MS)
  return [
    // Strangers can begin as many as they like; of one that is gone nobody needs to know what became of it.
    remove(
      'OAuthRecord',
      ['model', 'idHash'],
      sql`"model" IN ('Interaction', 'IdentityRequest', 'PushedAuthorizationRequest')
        AND "expiresAt" < ${now}`,
    ),
    remove('OAuthRecord', ['model', 'idHash'], sql`"expiresAt" < ${told}`),
    remove('Throttle', 'key', sql`"windowEnd" < ${now}`),
    remove('PasskeyChallenge', 'idHash', sql`"expiresAt" < ${now}`),
    remove('PendingAuthenticator', 'userId', sql`"expiresAt" < ${now}`),
    remove('EnrolmentCode', 'userId', sql`"expiresAt" < ${told}`),
    remove('SentCode', 'id', sql`"expiresAt" < ${told}`),
    remove('Sad', 'idHash', sql`"expiresAt" < ${told}`),
    // While an approval stands, it matters that its owner was asked (credentials/extendTransaction).
    remove(
      'ApprovalRequest',
      'transactionId',
      sql`"expiresAt" < ${told} AND NOT EXISTS (
        SELECT 1 FROM "Authorisation" a
         WHERE a."transactionId" = "ApprovalRequest"."transactionId" AND a."expiresAt" > ${now})`,
    ),
    remove('SigningJob', 'idHash', sql`"expiresAt" < ${told}`),
    // Documents are heavy: nothing of them is kept when nobody may fetch it any more.
    remove('DocumentJob', 'idHash', sql`"expiresAt" < ${now}`),
    remove('DepositedDocument', 'id', sql`"expiresAt" < ${now}`),
    remove('RepeatableSigning', 'keyHash', sql`"createdAt" < ${told}`),
    remove('Notice', 'id', sql`"createdAt" < ${ago(now, UNSENT_MS)}`),
    // The oldest have the lowest numbers.
    sql`DELETE FROM "AccountEvent" WHERE "at" < ${ago(now, EVENTS_MS)}
         AND ${someOf('AccountEvent', 'seq', sql`ORDER BY "seq"`)}`,
  ]
}

function remove(
  table: Prisma.ModelName,
  key: string | readonly string[],
  condition: Statement,
): Statement {
  return sql`DELETE FROM ${raw(`"${table}"`)} WHERE ${someOf(table, key, sql`WHERE ${condition}`)}`
}

function ago(now: Date, milliseconds: number): Date {
  return new Date(now.getTime() - milliseconds)
}
