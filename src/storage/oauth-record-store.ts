import { auditEvent } from '../audit/events.js'
import {
  ENDED_SESSION,
  type NewOAuthRecord,
  type OAuthRecord,
  type OAuthRecordStore,
  type OwnedOAuthRecord,
} from '../oauth/oauth-record.js'
import { change, committed, insert, sql, sweep, type Database } from './database.js'

/** More sessions or tokens than a person looks at; the rest shows once some were ended. */
const MOST_LISTED = 500

export class DatabaseOAuthRecordStore implements OAuthRecordStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async put(record: NewOAuthRecord): Promise<void> {
    const { model, idHash, grantId, uidHash, payload, expiresAt } = record
    const { accountId = null, clientId = null } = record
    await this.#database.commit({
      changes: [
        change(
          sql`INSERT INTO "OAuthRecord" ("model", "idHash", "grantId", "uidHash", "accountId", "clientId", "payload", "expiresAt")
              VALUES (${model}, ${idHash}, ${grantId}, ${uidHash}, ${accountId}, ${clientId}, ${payload}, ${expiresAt})
              ON CONFLICT ("model", "idHash") DO UPDATE SET
                "grantId" = ${grantId}, "uidHash" = ${uidHash},
                "accountId" = ${accountId}, "clientId" = ${clientId}, "payload" = ${payload}, "expiresAt" = ${expiresAt}`,
          1,
        ),
      ],
    })
  }

  putOnce(record: NewOAuthRecord): Promise<boolean> {
    return committed(this.#database, { changes: [insert('OAuthRecord', { ...record })] })
  }

  find(model: string, idHash: string): Promise<OAuthRecord | null> {
    return this.#database.read.oAuthRecord.findUnique({
      where: { model_idHash: { model, idHash } },
    })
  }

  findByUid(model: string, uidHash: string): Promise<(OAuthRecord & { idHash: string }) | null> {
    return this.#database.read.oAuthRecord.findFirst({
      where: { model, uidHash, revokedAt: null },
    })
  }

  consume(model: string, idHash: string, at: Date): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "OAuthRecord" SET "consumedAt" = ${at}
               WHERE "model" = ${model} AND "idHash" = ${idHash}
                 AND "consumedAt" IS NULL AND "revokedAt" IS NULL`,
          1,
        ),
      ],
    })
  }

  async revoke(model: string, idHash: string, at: Date): Promise<void> {
    await this.#database.commit({
      changes: [
        sweep(
          sql`UPDATE "Authorisation" SET "revokedAt" = ${at}
               WHERE "revokedAt" IS NULL AND "id" IN (
                 SELECT "grantId" FROM "OAuthRecord"
                  WHERE "model" = 'AccessToken' AND "model" = ${model} AND "idHash" = ${idHash})`,
        ),
        sweep(
          sql`UPDATE "OAuthRecord" SET "revokedAt" = ${at}
               WHERE "model" = ${model} AND "idHash" = ${idHash} AND "revokedAt" IS NULL`,
        ),
      ],
    })
  }

  async revokeGrant(grantId: string, at: Date): Promise<void> {
    await this.#database.commit({
      changes: [
        sweep(
          sql`UPDATE "OAuthRecord" SET "revokedAt" = ${at} WHERE "grantId" = ${grantId} AND "revokedAt" IS NULL`,
        ),
        sweep(
          sql`UPDATE "Authorisation" SET "revokedAt" = ${at}
               WHERE "revokedAt" IS NULL AND ("id" = ${grantId} OR "transactionId" IN (
                 SELECT "id" FROM "Transaction" WHERE "grantId" = ${grantId}))`,
        ),
      ],
    })
  }

  listOwned(accountId: string, models: readonly string[], now: Date): Promise<OwnedOAuthRecord[]> {
    return this.#database.read.oAuthRecord.findMany({
      where: {
        ...{ accountId, model: { in: [...models] }, revokedAt: null, consumedAt: null },
        expiresAt: { gt: now },
      },
      orderBy: { expiresAt: 'desc' },
      take: MOST_LISTED,
    })
  }

  endSessions(
    accountId: string,
    uidHashes: readonly string[],
    until: Date,
    at: Date,
  ): Promise<boolean> {
    return committed(this.#database, {
      changes: uidHashes.flatMap((uidHash) => [
        // Also one that was ended before, and came back while its identifier was changing.
        change(
          sql`INSERT INTO "OAuthRecord" ("model", "idHash", "payload", "expiresAt")
              VALUES (${ENDED_SESSION}, ${uidHash}, '', ${until})
              ON CONFLICT ("model", "idHash") DO UPDATE SET "expiresAt" = ${until}`,
          1,
        ),
        sweep(
          sql`UPDATE "OAuthRecord" SET "revokedAt" = ${at}
               WHERE "uidHash" = ${uidHash} AND "model" = 'Session' AND "accountId" = ${accountId}
                 AND "revokedAt" IS NULL`,
        ),
      ]),
      audit: [auditEvent('session.ended', { userId: accountId, sessions: uidHashes.length })],
    })
  }

  async endAccess(accountId: string, clientId: string, at: Date): Promise<void> {
    await this.#database.commit({
      changes: [
        sweep(
          sql`UPDATE "OAuthRecord" SET "revokedAt" = ${at}
               WHERE "accountId" = ${accountId} AND "clientId" = ${clientId} AND "revokedAt" IS NULL`,
        ),
        sweep(
          sql`UPDATE "Authorisation" SET "revokedAt" = ${at}
               WHERE "userId" = ${accountId} AND "clientId" = ${clientId}
                 AND "revokedAt" IS NULL AND "expiresAt" > ${at}`,
        ),
      ],
      audit: [auditEvent('access.ended', { userId: accountId, clientId })],
    })
  }
}
