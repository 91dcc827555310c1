import { change, committed, sql, sweep, type Database, type Statement } from './database.js'

const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS
/** So long it is told of what expired that it did, and not that it never was. */
const TOLD_MS = DAY_MS
/** Mails that nothing sent, as where mail is not configured any more. */
const UNSENT_MS = 7 * DAY_MS
/** Refusals and changes on the signer's pages; the audit log keeps them for good. */
const EVENTS_MS = 365 * DAY_MS
/** Rows of one write: those who sign meanwhile wait for no more than that. */
const BATCH = 500

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
      // A write that found a whole batch may have left more; the last one takes what there is.
      while (!stopping?.aborted && (await this.#removeBatch(statement)));
      if (stopping?.aborted) return
      await this.#database.commit({ changes: [sweep(statement)] })
    }
  }

  #removeBatch(statement: Statement): Promise<boolean> {
    return committed(this.#database, { changes: [change(statement, BATCH)] })
  }
}

function expiredAt(now: Date): Statement[] {
  const told = ago(now, TOLD_MS)
  return [
    sql`DELETE FROM "OAuthRecord" WHERE ("model", "idHash") IN (
          SELECT "model", "idHash" FROM "OAuthRecord" WHERE "expiresAt" < ${told} LIMIT ${BATCH})`,
    sql`DELETE FROM "Throttle" WHERE "key" IN (
          SELECT "key" FROM "Throttle" WHERE "windowEnd" < ${now} LIMIT ${BATCH})`,
    sql`DELETE FROM "PasskeyChallenge" WHERE "idHash" IN (
          SELECT "idHash" FROM "PasskeyChallenge" WHERE "expiresAt" < ${now} LIMIT ${BATCH})`,
    sql`DELETE FROM "PendingAuthenticator" WHERE "userId" IN (
          SELECT "userId" FROM "PendingAuthenticator" WHERE "expiresAt" < ${now} LIMIT ${BATCH})`,
    sql`DELETE FROM "EnrolmentCode" WHERE "userId" IN (
          SELECT "userId" FROM "EnrolmentCode" WHERE "expiresAt" < ${told} LIMIT ${BATCH})`,
    sql`DELETE FROM "SentCode" WHERE "id" IN (
          SELECT "id" FROM "SentCode" WHERE "expiresAt" < ${told} LIMIT ${BATCH})`,
    sql`DELETE FROM "Sad" WHERE "idHash" IN (
          SELECT "idHash" FROM "Sad" WHERE "expiresAt" < ${told} LIMIT ${BATCH})`,
    // While an approval stands, it matters that its owner was asked (credentials/extendTransaction).
    sql`DELETE FROM "ApprovalRequest" WHERE "transactionId" IN (
          SELECT r."transactionId" FROM "ApprovalRequest" r
           WHERE r."expiresAt" < ${told} AND NOT EXISTS (
             SELECT 1 FROM "Authorisation" a
              WHERE a."transactionId" = r."transactionId" AND a."expiresAt" > ${now})
           LIMIT ${BATCH})`,
    sql`DELETE FROM "SigningJob" WHERE "idHash" IN (
          SELECT "idHash" FROM "SigningJob" WHERE "expiresAt" < ${told} LIMIT ${BATCH})`,
    // Documents are heavy: nothing of them is kept when nobody may fetch it any more.
    sql`DELETE FROM "DocumentJob" WHERE "idHash" IN (
          SELECT "idHash" FROM "DocumentJob" WHERE "expiresAt" < ${now} LIMIT ${BATCH})`,
    sql`DELETE FROM "DepositedDocument" WHERE "id" IN (
          SELECT "id" FROM "DepositedDocument" WHERE "expiresAt" < ${now} LIMIT ${BATCH})`,
    sql`DELETE FROM "RepeatableSigning" WHERE "keyHash" IN (
          SELECT "keyHash" FROM "RepeatableSigning" WHERE "createdAt" < ${told} LIMIT ${BATCH})`,
    sql`DELETE FROM "Notice" WHERE "id" IN (
          SELECT "id" FROM "Notice" WHERE "createdAt" < ${ago(now, UNSENT_MS)} LIMIT ${BATCH})`,
    // The oldest have the lowest numbers.
    sql`DELETE FROM "AccountEvent" WHERE "at" < ${ago(now, EVENTS_MS)} AND "seq" IN (
          SELECT "seq" FROM "AccountEvent" ORDER BY "seq" LIMIT ${BATCH})`,
  ]
}

function ago(now: Date, milliseconds: number): Date {
  return new Date(now.getTime() - milliseconds)
}
