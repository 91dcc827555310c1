import { auditEvent } from '../audit/events.js'
import {
  ENDED_SESSION,
  type IssuedToken,
  type NewOAuthRecord,
  type OAuthRecord,
  type OAuthRecordStore,
  type OwnedOAuthRecord,
  type RecordChange,
} from '../oauth/oauth-record.js'
import {
  change,
  committed,
  dateOf,
  insert,
  sql,
  sweep,
  type Change,
  type Database,
  type Statement,
  type StoredDate,
} from './database.js'
import { modelReader, type Stored } from './model-reader.js'
import type { OAuthRecordModel } from './prisma-client/models/OAuthRecord.js'

/** More sessions or tokens than a person looks at; the rest shows once some were ended. */
const MOST_LISTED = 500

interface TokenRow {
  readonly model: IssuedToken['model']
  readonly payload: string
  readonly grantId: string | null
  readonly consumedAt: StoredDate | null
  readonly revokedAt: StoredDate | null
  readonly expiresAt: StoredDate | null
  readonly client: string | null
  readonly account: string | null
}

const readRecord = modelReader<OAuthRecordModel>({
  ...{ consumedAt: 'date', revokedAt: 'date', expiresAt: 'date' },
})

export class DatabaseOAuthRecordStore implements OAuthRecordStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async write(changes: readonly RecordChange[]): Promise<void> {
    await this.#database.commit({
      changes: changes.flatMap((each) =>
        'put' in each ? putRecord(each.put) : revokeRecord(each.revoke, each.at),
      ),
    })
  }

  putOnce(record: NewOAuthRecord): Promise<boolean> {
    return committed(this.#database, { changes: [insert('OAuthRecord', { ...record })] })
  }

  async find(model: string, idHash: string): Promise<OAuthRecord | null> {
    const [row] = await this.#database.rows<Stored<OAuthRecordModel>>(
      sql`SELECT * FROM "OAuthRecord" WHERE "model" = ${model} AND "idHash" = ${idHash}`,
    )
    return row ? readRecord(row) : null
  }

  /** One look-up for all that a request's token has to be held against. */
  async findAccessToken(idHash: string): Promise<IssuedToken | null> {
    const [row] = await this.#database.rows<TokenRow>(
      sql`SELECT r."model", r."payload", r."grantId", r."consumedAt", r."revokedAt", r."expiresAt",
                 k."id" AS "client", u."id" AS "account"
            FROM "OAuthRecord" r
            LEFT JOIN "Client" k ON k."id" = r."clientId" AND k."disabledAt" IS NULL
            LEFT JOIN "User" u ON u."id" = r."accountId" AND u."disabledAt" IS NULL
           WHERE r."idHash" = ${idHash} AND r."model" IN ('AccessToken', 'ClientCredentials')`,
    )
    if (!row) return null
    const { model, payload, grantId } = row
    return {
      model,
      record: {
        ...{ payload, grantId, consumedAt: dateOf(row.consumedAt) },
        ...{ revokedAt: dateOf(row.revokedAt), expiresAt: dateOf(row.expiresAt) },
      },
      clientId: row.client,
      accountId: row.account,
    }
  }

  async findByUid(model: string, uidHash: string): Promise<OAuthRecordModel | null> {
    const [row] = await this.#database.rows<Stored<OAuthRecordModel>>(
      sql`SELECT * FROM "OAuthRecord"
           WHERE "uidHash" = ${uidHash} AND "model" = ${model} AND "revokedAt" IS NULL LIMIT 1`,
    )
    return row ? readRecord(row) : null
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
        endRequests(sql`= ${grantId}`, at),
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
        endRequests(
          sql`IN (SELECT "grantId" FROM "OAuthRecord"
                   WHERE "accountId" = ${accountId} AND "model" = 'Grant' AND "clientId" = ${clientId})`,
          at,
        ),
      ],
      audit: [auditEvent('access.ended', { userId: accountId, clientId })],
    })
  }
}

/** What was asked under a consent is not waited for any longer than that (S44). */
function endRequests(ofGrants: Statement, at: Date): Change {
  return sweep(
    sql`UPDATE "Transaction" SET "expiresAt" = ${at}
         WHERE "grantId" ${ofGrants} AND "state" = 'pending' AND "expiresAt" > ${at}`,
  )
}

function putRecord(record: NewOAuthRecord): Change {
  const { model, idHash, grantId, uidHash, payload, expiresAt } = record
  const { accountId = null, clientId = null } = record
  return change(
    sql`INSERT INTO "OAuthRecord" ("model", "idHash", "grantId", "uidHash", "accountId", "clientId", "payload", "expiresAt")
        VALUES (${model}, ${idHash}, ${grantId}, ${uidHash}, ${accountId}, ${clientId}, ${payload}, ${expiresAt})
        ON CONFLICT ("model", "idHash") DO UPDATE SET
          "grantId" = excluded."grantId", "uidHash" = excluded."uidHash",
          "accountId" = excluded."accountId", "clientId" = excluded."clientId",
          "payload" = excluded."payload", "expiresAt" = excluded."expiresAt"`,
    1,
  )
}

function revokeRecord({ model, idHash }: { model: string; idHash: string }, at: Date): Change[] {
  const carried = sweep(
    sql`UPDATE "Authorisation" SET "revokedAt" = ${at}
         WHERE "revokedAt" IS NULL AND "id" IN (
           SELECT "grantId" FROM "OAuthRecord" WHERE "model" = ${model} AND "idHash" = ${idHash})`,
  )
  const itself = sweep(
    sql`UPDATE "OAuthRecord" SET "revokedAt" = ${at}
         WHERE "model" = ${model} AND "idHash" = ${idHash} AND "revokedAt" IS NULL`,
  )
  return model === 'AccessToken' ? [carried, itself] : [itself]
}
