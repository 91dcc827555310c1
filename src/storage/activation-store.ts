import type { AuditEvent } from '../audit/events.js'
import type {
  ActivationStore,
  Authorisation,
  AuthorisedDigest,
  Reservation,
} from '../activation/authorisation.js'
import { change, committed, insert, sql, type Database, type Statement } from './database.js'

/** The authorisation stands, and so do its credential, person and application. */
function standing(authorisationId: string, now: Date): Statement {
  return sql`EXISTS (
    SELECT 1 FROM "Authorisation" a
      JOIN "Credential" c ON c."id" = a."credentialId" AND c."status" = 'enabled'
      JOIN "User" u ON u."id" = a."userId" AND u."disabledAt" IS NULL
      JOIN "Client" k ON k."id" = a."clientId" AND k."disabledAt" IS NULL
     WHERE a."id" = ${authorisationId} AND a."revokedAt" IS NULL AND a."expiresAt" > ${now})`
}

export class DatabaseActivationStore implements ActivationStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async find(id: string): Promise<Authorisation | null> {
    const row = await this.#database.read.authorisation.findUnique({
      where: { id },
      include: { digests: { orderBy: { position: 'asc' } } },
    })
    if (!row) return null
    const digests = row.digests.map(({ id, digest, state }): AuthorisedDigest => {
      return {
        id,
        digest: digest === null ? null : Buffer.from(digest, 'base64'),
        state: state as AuthorisedDigest['state'],
      }
    })
    return { ...row, digests }
  }

  async stands(id: string, now: Date): Promise<boolean> {
    const rows = await this.#database.read.authorisation.count({
      where: { id, revokedAt: null, expiresAt: { gt: now } },
    })
    if (rows === 0) return false
    const { credentialId, userId, clientId } =
      await this.#database.read.authorisation.findUniqueOrThrow({ where: { id } })
    const [credential, user, client] = await Promise.all([
      this.#database.read.credential.count({ where: { id: credentialId, status: 'enabled' } }),
      this.#database.read.user.count({ where: { id: userId, disabledAt: null } }),
      this.#database.read.client.count({ where: { id: clientId, disabledAt: null } }),
    ])
    return credential + user + client === 3
  }

  grant(authorisation: Authorisation, now: Date, audit: readonly AuditEvent[]): Promise<boolean> {
    const { digests, ...row } = authorisation
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Transaction" SET "state" = 'approved'
               WHERE "id" = ${row.transactionId} AND "state" = 'pending' AND "expiresAt" > ${now}`,
          1,
        ),
        insert('Authorisation', row),
        ...digests.map(({ id, digest, state }, position) =>
          insert('AuthorisedDigest', {
            id,
            authorisationId: row.id,
            position,
            digest: digest?.toString('base64') ?? null,
            state,
          }),
        ),
      ],
      audit,
    })
  }

  reserve(request: Parameters<ActivationStore['reserve']>[0]): Promise<boolean> {
    const { authorisationId, operationId, signAlgorithm, reservedUntil, now } = request
    return committed(this.#database, {
      changes: request.rows.map(({ rowId, digest }) =>
        change(
          sql`UPDATE "AuthorisedDigest"
                 SET "state" = 'reserved', "operationId" = ${operationId}, "reservedUntil" = ${reservedUntil},
                     "signAlgorithm" = ${signAlgorithm}, "digest" = ${digest.toString('base64')}
               WHERE "id" = ${rowId} AND "authorisationId" = ${authorisationId}
                 AND "state" IN ('authorised', 'released')
                 AND ${standing(authorisationId, now)}`,
          1,
        ),
      ),
      audit: request.audit,
    })
  }

  consume(request: Parameters<ActivationStore['consume']>[0]): Promise<boolean> {
    const { authorisationId, operationId, now } = request
    return committed(this.#database, {
      changes: request.signatures.map(({ rowId, signature }) =>
        change(
          sql`UPDATE "AuthorisedDigest"
                 SET "state" = 'consumed', "signature" = ${signature.toString('base64')}, "settledAt" = ${now}
               WHERE "id" = ${rowId} AND "operationId" = ${operationId} AND "state" = 'reserved'
                 AND ${standing(authorisationId, now)}`,
          1,
        ),
      ),
      audit: request.audit,
    })
  }

  settle(request: Parameters<ActivationStore['settle']>[0]): Promise<boolean> {
    const { operationId, state, now } = request
    return committed(this.#database, {
      changes: request.rows.map(({ rowId }) =>
        change(
          sql`UPDATE "AuthorisedDigest" SET "state" = ${state}, "settledAt" = ${now}
               WHERE "id" = ${rowId} AND "operationId" = ${operationId} AND "state" = 'reserved'`,
          1,
        ),
      ),
      audit: request.audit,
    })
  }

  revoke(id: string, now: Date, audit: readonly AuditEvent[]): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Authorisation" SET "revokedAt" = ${now} WHERE "id" = ${id} AND "revokedAt" IS NULL`,
          1,
        ),
      ],
      audit,
    })
  }

  async abandoned(now: Date): ReturnType<ActivationStore['abandoned']> {
    const rows = await this.#database.read.authorisedDigest.findMany({
      where: { state: 'reserved', reservedUntil: { lt: now } },
      include: { authorisation: { select: { credentialId: true } } },
      take: 1000,
    })
    const operations = new Map<string, { credentialId: string; rows: Reservation[] }>()
    for (const { id, digest, operationId, authorisation } of rows) {
      if (operationId === null || digest === null) continue
      const operation = operations.get(operationId) ?? {
        credentialId: authorisation.credentialId,
        rows: [],
      }
      operation.rows.push({ rowId: id, digest: Buffer.from(digest, 'base64') })
      operations.set(operationId, operation)
    }
    return [...operations].map(([operationId, operation]) => ({ operationId, ...operation }))
  }
}
