import type { AuditEvent } from '../audit/events.js'
import type {
  ActivationStore,
  Authorisation,
  AuthorisedDigest,
  EarlierSigning,
  Reservation,
  SigningJob,
  SigningJobState,
  StoredSad,
} from '../activation/authorisation.js'
import type { DocumentJob, DocumentJobStore } from '../signing/document-jobs.js'
import type { AnnouncementStore, DueAnnouncement } from '../signing/announcements.js'
import type { HashType, Transaction } from '../transactions/transaction.js'
import {
  change,
  committed,
  dateOf,
  insert,
  sql,
  sweep,
  valuesOf,
  type Change,
  type Database,
  type Statement,
  type StoredDate,
} from './database.js'
import { insertTransaction } from './transaction-store.js'

/** An authorisation with one of its digests, or with none. */
interface AuthorisationRow {
  readonly transactionId: string
  readonly clientId: string
  readonly userId: string
  readonly credentialId: string
  readonly hashAlgorithm: string | null
  readonly numSignatures: number
  readonly createdAt: StoredDate
  readonly expiresAt: StoredDate
  readonly revokedAt: StoredDate | null
  readonly extendedAt: StoredDate | null
  readonly rowId: string | null
  readonly digest: string | null
  readonly hashType: string | null
  readonly state: AuthorisedDigest['state'] | null
  readonly binding: string | null
}

/** The authorisation stands, and so do its credential, person, application and their consent. */
export function standing(authorisationId: string, now: Date): Statement {
  return sql`EXISTS (
    SELECT 1 FROM "Authorisation" a
      JOIN "Credential" c ON c."id" = a."credentialId" AND c."status" = 'enabled'
      JOIN "User" u ON u."id" = a."userId" AND u."disabledAt" IS NULL
      JOIN "Client" k ON k."id" = a."clientId" AND k."disabledAt" IS NULL
     WHERE a."id" = ${authorisationId} AND a."revokedAt" IS NULL AND a."expiresAt" > ${now}
       AND NOT EXISTS (
         SELECT 1 FROM "Transaction" t
           JOIN "OAuthRecord" g ON g."grantId" = t."grantId" AND g."model" = 'Grant'
          WHERE t."id" = a."transactionId" AND g."revokedAt" IS NOT NULL))`
}

/** Rows that one statement changes: what holds for all of them is looked at once, and their SQL is said once. */
const MOST_AT_ONCE = 50

function someAtOnce<Row>(rows: readonly Row[]): Row[][] {
  const count = Math.ceil(rows.length / MOST_AT_ONCE)
  return Array.from({ length: count }, (_, index) =>
    rows.slice(index * MOST_AT_ONCE, (index + 1) * MOST_AT_ONCE),
  )
}

function reservedAs({ rowId, digest, derived, binding }: Reservation): (string | null)[] {
  const { toBeSigned, derivation = null } = derived ?? {}
  return [
    ...[rowId, digest.toString('base64')],
    ...[toBeSigned?.toString('base64') ?? null, derivation, binding ?? null],
  ]
}

function signedAs({ rowId, signature }: { rowId: string; signature: Buffer }): string[] {
  return [rowId, signature.toString('base64')]
}

/** Whoever comes without a SAD comes with the token of the approval, which must not have been traded. */
function untraded(authorisationId: string, sadHash: string | null): Statement {
  if (sadHash !== null) return sql`1 = 1`
  return sql`EXISTS (
    SELECT 1 FROM "Authorisation" WHERE "id" = ${authorisationId} AND "extendedAt" IS NULL)`
}

/** One value, one call: a SAD is used up with the rows it reserves. */
function useSad(idHash: string | null, operationId: string, now: Date): Change[] {
  if (idHash === null) return []
  return [
    change(
      sql`UPDATE "Sad" SET "operationId" = ${operationId}
           WHERE "idHash" = ${idHash} AND "operationId" IS NULL AND "endedAt" IS NULL AND "expiresAt" > ${now}`,
      1,
    ),
  ]
}

/** Under the same name there can only be an earlier one of the same caller, of which nothing came. */
function recordJob(
  { idHash, clientId, userId, expiresAt, announcement, documents }: SigningJob,
  operationId: string,
  reserved: readonly Reservation[],
  now: Date,
): Change[] {
  const rows = JSON.stringify(reserved.map(({ rowId }) => rowId))
  const job = change(
    sql`INSERT INTO "SigningJob"
          ("idHash", "operationId", "clientId", "userId", "rows", "createdAt", "expiresAt", "announcement", "announceAt")
        VALUES (${idHash}, ${operationId}, ${clientId}, ${userId}, ${rows}, ${now}, ${expiresAt}, ${announcement}, ${now})
        ON CONFLICT ("idHash") DO UPDATE SET
          "operationId" = ${operationId}, "rows" = ${rows}, "createdAt" = ${now}, "expiresAt" = ${expiresAt},
          "announcement" = ${announcement}, "attempts" = 0, "announceAt" = ${now}`,
    1,
  )
  if (!documents) return [job]
  const request = change(
    sql`INSERT INTO "DocumentJob" ("idHash", "request", "expiresAt")
        VALUES (${idHash}, ${documents}, ${expiresAt})
        ON CONFLICT ("idHash") DO UPDATE SET
          "request" = ${documents}, "result" = NULL, "expiresAt" = ${expiresAt}`,
    1,
  )
  return [job, request]
}

/** Nothing was signed: the SAD and the application's own key are as good as before. */
function giveBack(operationId: string): Change[] {
  return [
    sweep(sql`UPDATE "Sad" SET "operationId" = NULL WHERE "operationId" = ${operationId}`),
    sweep(sql`DELETE FROM "RepeatableSigning" WHERE "operationId" = ${operationId}`),
  ]
}

function insertAuthorisation({ digests, ...row }: Authorisation): Change[] {
  return [
    insert('Authorisation', row),
    ...digests.map(({ id, digest, hashType, state, binding }, position) =>
      insert('AuthorisedDigest', {
        ...{ id, authorisationId: row.id, position, hashType, state, binding },
        digest: digest?.toString('base64') ?? null,
      }),
    ),
  ]
}

function derivedDigest({ toBeSigned }: { toBeSigned: string | null }): Buffer | null {
  return toBeSigned === null ? null : Buffer.from(toBeSigned, 'base64')
}

/** At a time; the others follow. */
const MOST_ANNOUNCED = 50
const MOST_ABANDONED = 1000

interface AbandonedRow {
  readonly id: string
  readonly digest: string | null
  readonly operationId: string | null
  readonly credentialId: string
}

export class DatabaseActivationStore
  implements ActivationStore, AnnouncementStore, DocumentJobStore
{
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async find(id: string): Promise<Authorisation | null> {
    const rows = await this.#database.rows<AuthorisationRow>(
      sql`SELECT a."id", a."transactionId", a."clientId", a."userId", a."credentialId",
                 a."hashAlgorithm", a."numSignatures", a."createdAt", a."expiresAt", a."revokedAt",
                 a."extendedAt", d."id" AS "rowId", d."digest", d."hashType", d."state", d."binding"
            FROM "Authorisation" a LEFT JOIN "AuthorisedDigest" d ON d."authorisationId" = a."id"
           WHERE a."id" = ${id} ORDER BY d."position"`,
    )
    const [row] = rows
    if (!row) return null
    const digests = rows.flatMap(
      ({ rowId, digest, hashType, state, binding }): AuthorisedDigest[] => {
        if (rowId === null || state === null) return []
        const bytes = digest === null ? null : Buffer.from(digest, 'base64')
        return [{ id: rowId, digest: bytes, hashType: hashType as HashType | null, state, binding }]
      },
    )
    const { transactionId, clientId, userId, credentialId, hashAlgorithm, numSignatures } = row
    return {
      ...{ id, transactionId, clientId, userId, credentialId, hashAlgorithm, numSignatures },
      createdAt: new Date(row.createdAt),
      expiresAt: new Date(row.expiresAt),
      revokedAt: dateOf(row.revokedAt),
      extendedAt: dateOf(row.extendedAt),
      digests,
    }
  }

  async stands(id: string, now: Date): Promise<boolean> {
    const rows = await this.#database.rows(sql`SELECT 1 AS "stands" WHERE ${standing(id, now)}`)
    return rows.length === 1
  }

  grant(authorisation: Authorisation, now: Date, audit: readonly AuditEvent[]): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Transaction" SET "state" = 'approved'
               WHERE "id" = ${authorisation.transactionId} AND "state" = 'pending' AND "expiresAt" > ${now}`,
          1,
        ),
        ...insertAuthorisation(authorisation),
      ],
      audit,
    })
  }

  grantExplicitly(
    transaction: Transaction,
    authorisation: Authorisation,
    sad: StoredSad,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        insertTransaction({ ...transaction, state: 'approved' }),
        ...insertAuthorisation(authorisation),
        insert('Sad', { ...sad }),
      ],
      audit,
    })
  }

  findSad(idHash: string): Promise<StoredSad | null> {
    return this.#database.read.sad.findUnique({ where: { idHash } })
  }

  extend(request: Parameters<ActivationStore['extend']>[0]): Promise<boolean> {
    const { authorisationId, sad, next, rows, authorisationExpiresAt, now } = request
    const end = sad
      ? sql`UPDATE "Sad" SET "endedAt" = ${now}
             WHERE "idHash" = ${sad.idHash} AND "endedAt" IS NULL AND "expiresAt" > ${now}
               AND ${standing(authorisationId, now)}`
      : sql`UPDATE "Authorisation" SET "extendedAt" = ${now}
             WHERE "id" = ${authorisationId} AND "extendedAt" IS NULL
               AND ${standing(authorisationId, now)}`
    return committed(this.#database, {
      changes: [
        change(end, 1),
        insert('Sad', { ...next }),
        change(
          sql`UPDATE "Authorisation" SET "expiresAt" = ${authorisationExpiresAt} WHERE "id" = ${authorisationId}`,
          1,
        ),
        ...rows.map(({ rowId, digest, binding = null }) =>
          change(
            sql`UPDATE "AuthorisedDigest"
                   SET "digest" = ${digest.toString('base64')}, "binding" = COALESCE(${binding}, "binding")
                 WHERE "id" = ${rowId} AND "authorisationId" = ${authorisationId}
                   AND "state" IN ('authorised', 'released')`,
            1,
          ),
        ),
      ],
      audit: request.audit,
    })
  }

  reserve(request: Parameters<ActivationStore['reserve']>[0]): Promise<boolean> {
    const { authorisationId, operationId, sadHash, reservedUntil, now } = request
    const { repeatable, rows } = request
    return committed(this.#database, {
      changes: [
        ...useSad(sadHash, operationId, now),
        ...(repeatable === null
          ? []
          : [
              insert('RepeatableSigning', {
                ...{ ...repeatable, operationId, createdAt: now },
                signingTime: repeatable.signingTime ?? null,
                rows: JSON.stringify(rows.map(({ rowId }) => rowId)),
              }),
            ]),
        ...(request.job === null ? [] : recordJob(request.job, operationId, rows, now)),
        ...request.uses.flatMap(({ signAlgorithm, rows }) =>
          someAtOnce(rows).map((some) =>
            change(
              sql`UPDATE "AuthorisedDigest"
                   SET "state" = 'reserved', "operationId" = ${operationId}, "reservedUntil" = ${reservedUntil},
                       "signAlgorithm" = ${signAlgorithm}, "digest" = v."column2",
                       "toBeSigned" = v."column3", "derivation" = v."column4",
                       "binding" = COALESCE(v."column5", "AuthorisedDigest"."binding")
                  FROM (${valuesOf(some.map(reservedAs))}) v
                 WHERE "id" = v."column1" AND "authorisationId" = ${authorisationId}
                   AND "state" IN ('authorised', 'released')
                   AND ${standing(authorisationId, now)} AND ${untraded(authorisationId, sadHash)}`,
              some.length,
            ),
          ),
        ),
      ],
      audit: request.audit,
    })
  }

  async findEarlier(keyHash: string): Promise<EarlierSigning | null> {
    const { read } = this.#database
    const signing = await read.repeatableSigning.findUnique({ where: { keyHash } })
    if (!signing) return null
    const order = JSON.parse(signing.rows) as string[]
    const found = await read.authorisedDigest.findMany({ where: { id: { in: order } } })
    const rows = order.flatMap((id) => found.find((row) => row.id === id) ?? [])
    const signed = rows.every(({ state }) => state === 'consumed')
    const underWay = rows.some(({ state }) => state === 'reserved')
    return {
      requestHash: signing.requestHash,
      state: signed ? 'signed' : underWay ? 'under way' : 'indeterminate',
      signatures: signed ? rows.map(({ signature }) => Buffer.from(signature ?? '', 'base64')) : [],
      signingTime: signing.signingTime,
      toBeSigned: rows.map(derivedDigest),
    }
  }

  async findDocumentJob(idHash: string): Promise<DocumentJob | null> {
    return this.#database.read.documentJob.findUnique({ where: { idHash } })
  }

  async listUnfinished(begunBefore: Date, now: Date): Promise<string[]> {
    const rows = await this.#database.rows<{ readonly idHash: string }>(sql`
      SELECT d."idHash" FROM "DocumentJob" d JOIN "SigningJob" s ON s."idHash" = d."idHash"
       WHERE d."result" IS NULL AND d."expiresAt" > ${now}
         AND s."announcement" IS NOT NULL AND s."createdAt" < ${begunBefore}
       LIMIT ${MOST_ANNOUNCED}`)
    return rows.map(({ idHash }) => idHash)
  }

  finishDocumentJob(idHash: string, result: Uint8Array): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "DocumentJob" SET "result" = ${result}, "request" = NULL
               WHERE "idHash" = ${idHash} AND "result" IS NULL`,
          1,
        ),
      ],
      concludes: true,
    })
  }

  async findJob(idHash: string): Promise<SigningJobState | null> {
    const { read } = this.#database
    const job = await read.signingJob.findUnique({ where: { idHash } })
    if (!job) return null
    const { operationId, ...facts } = job
    const order = JSON.parse(job.rows) as string[]
    const found = await read.authorisedDigest.findMany({
      where: { id: { in: order }, operationId },
    })
    const rows = order.flatMap((id) => found.find((row) => row.id === id) ?? [])
    const are = (state: string) =>
      rows.length === order.length && rows.every((row) => row.state === state)
    if (are('consumed')) {
      const signatures = rows.map(({ signature }) => Buffer.from(signature ?? '', 'base64'))
      return { ...facts, state: 'signed', signatures, toBeSigned: rows.map(derivedDigest) }
    }
    const state = are('reserved')
      ? 'under way'
      : are('indeterminate')
        ? 'indeterminate'
        : // What was released may belong to another signing by now.
          'released'
    return { ...facts, state, signatures: [], toBeSigned: [] }
  }

  async due(now: Date): Promise<DueAnnouncement[]> {
    const jobs = await this.#database.rows<
      Pick<DueAnnouncement, 'idHash' | 'announcement' | 'attempts'>
    >(sql`
      SELECT "idHash", "announcement", "attempts" FROM "SigningJob"
       WHERE "announcement" IS NOT NULL AND "announceAt" <= ${now} AND "expiresAt" > ${now}
       ORDER BY "announceAt" LIMIT ${MOST_ANNOUNCED}`)
    const found = jobs.map(async ({ idHash, announcement, attempts }) => {
      const job = await this.findJob(idHash)
      if (!job) return []
      const isSigned = job.state === 'signed'
      const unfinished =
        isSigned &&
        (await this.#database.read.documentJob.count({
          where: { idHash, result: null },
        }))
      return { idHash, announcement, attempts, state: unfinished ? 'under way' : job.state }
    })
    return (await Promise.all(found)).flat()
  }

  waiting(now: Date): Promise<number> {
    return this.#database.read.signingJob.count({
      where: { announcement: { not: null }, expiresAt: { gt: now } },
    })
  }

  claim({ idHash, attempts }: DueAnnouncement, next: Date): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "SigningJob" SET "attempts" = ${attempts + 1}, "announceAt" = ${next}
               WHERE "idHash" = ${idHash} AND "attempts" = ${attempts} AND "announcement" IS NOT NULL`,
          1,
        ),
      ],
    })
  }

  close({ idHash, attempts }: DueAnnouncement, audit: readonly AuditEvent[]): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "SigningJob" SET "announcement" = NULL
               WHERE "idHash" = ${idHash} AND "attempts" = ${attempts + 1} AND "announcement" IS NOT NULL`,
          1,
        ),
      ],
      audit,
    })
  }

  consume(request: Parameters<ActivationStore['consume']>[0]): Promise<boolean> {
    const { authorisationId, operationId, now } = request
    return committed(this.#database, {
      changes: someAtOnce(request.signatures).map((some) =>
        change(
          sql`UPDATE "AuthorisedDigest"
                 SET "state" = 'consumed', "signature" = v."column2", "settledAt" = ${now}
                FROM (${valuesOf(some.map(signedAs))}) v
               WHERE "id" = v."column1" AND "operationId" = ${operationId} AND "state" = 'reserved'
                 AND ${standing(authorisationId, now)}`,
          some.length,
        ),
      ),
      audit: request.audit,
      concludes: true,
    })
  }

  settle(request: Parameters<ActivationStore['settle']>[0]): Promise<boolean> {
    const { operationId, state, now } = request
    return committed(this.#database, {
      changes: [
        ...(state === 'released' ? giveBack(operationId) : []),
        ...request.rows.map(({ rowId }) =>
          change(
            sql`UPDATE "AuthorisedDigest" SET "state" = ${state}, "settledAt" = ${now}
               WHERE "id" = ${rowId} AND "operationId" = ${operationId} AND "state" = 'reserved'`,
            1,
          ),
        ),
      ],
      audit: request.audit,
      concludes: true,
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
    const rows = await this.#database.rows<AbandonedRow>(sql`
      SELECT d."id", d."digest", d."operationId", a."credentialId"
        FROM "AuthorisedDigest" d JOIN "Authorisation" a ON a."id" = d."authorisationId"
       WHERE d."state" = 'reserved' AND d."reservedUntil" < ${now} LIMIT ${MOST_ABANDONED}`)
    const operations = new Map<string, { credentialId: string; rows: Reservation[] }>()
    for (const { id, digest, operationId, credentialId } of rows) {
      if (operationId === null || digest === null) continue
      const operation = operations.get(operationId) ?? { credentialId, rows: [] }
      operation.rows.push({ rowId: id, digest: Buffer.from(digest, 'base64') })
      operations.set(operationId, operation)
    }
    return [...operations].map(([operationId, operation]) => ({ operationId, ...operation }))
  }
}
