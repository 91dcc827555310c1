import type { AuditEvent } from '../audit/events.js'
import type { FinalReason } from '../certificates/revocation.js'
import {
  APPROVAL_FACTORS,
  type Credential,
  type CredentialStatus,
  type CredentialStore,
  type Suspender,
} from '../credentials/credential.js'
import { HsmUnavailableError } from '../errors.js'
import type { KeyAlgorithm } from '../keys/algorithms.js'
import { endAuthorisations } from './authorisation-end.js'
import {
  change,
  committed,
  ConflictError,
  insert,
  sql,
  type Change,
  type Database,
} from './database.js'
import {
  giveBackCertificateOf,
  holdCertificateOf,
  revokeCertificateOf,
} from './issued-certificate-store.js'
import { endKeyOf, ownKey } from './key-store.js'
import { modelReader, type Stored } from './model-reader.js'
import type { CredentialModel } from './prisma-client/models/Credential.js'

const readCredential = modelReader<CredentialModel>({
  ...{ lockedUntil: 'date', createdAt: 'date', statusChangedAt: 'date', endsAt: 'date' },
})

export class DatabaseCredentialStore implements CredentialStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async find(id: string): Promise<Credential | null> {
    const [row] = await this.#database.rows<Stored<CredentialModel>>(
      sql`SELECT * FROM "Credential" WHERE "id" = ${id}`,
    )
    return row ? toCredential(readCredential(row)) : null
  }

  async list(userId: string): Promise<Credential[]> {
    const rows = await this.#database.rows<Stored<CredentialModel>>(
      sql`SELECT * FROM "Credential" WHERE "userId" = ${userId} ORDER BY "createdAt", "id"`,
    )
    return rows.map((row) => toCredential(readCredential(row)))
  }

  async listAll(): Promise<Credential[]> {
    const rows = await this.#database.rows<Stored<CredentialModel>>(
      sql`SELECT * FROM "Credential" ORDER BY "createdAt"`,
    )
    return rows.map((row) => toCredential(readCredential(row)))
  }

  async add(
    credential: Credential,
    most: number | null,
    createdAt: Date,
    audit: readonly AuditEvent[],
    wrapped: string | null = null,
  ): Promise<boolean> {
    const changes = [
      ownKey(credential.keyId, wrapped),
      ...(most === null ? [] : [hasRoom(credential.userId, most)]),
      insertCredential(credential, createdAt),
    ]
    try {
      await this.#database.commit({ changes, audit })
      return true
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
      if (error.change === 0) throw new HsmUnavailableError('A new key was given up meanwhile')
      return false
    }
  }

  addToCome(
    credential: Credential,
    most: number | null,
    createdAt: Date,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    const changes = [
      ...(most === null ? [] : [hasRoom(credential.userId, most)]),
      insertCredential(credential, createdAt),
    ]
    return committed(this.#database, { changes, audit })
  }

  beginSession(
    { id, session, keyId, certificates, binding, endsAt }: Credential,
    now: Date,
    audit: readonly AuditEvent[],
    wrapped: string | null,
  ): Promise<boolean> {
    const begun = change(
      sql`UPDATE "Credential"
             SET "session" = ${session}, "keyId" = ${keyId}, "certificates" = ${textOf(certificates)},
                 "binding" = ${binding}, "endsAt" = ${endsAt}
           WHERE "id" = ${id} AND "session" IS NULL AND "certificates" = ${textOf([])}
             AND "status" = 'enabled' AND "endsAt" > ${now}`,
      1,
    )
    return committed(this.#database, { changes: [ownKey(keyId, wrapped), begun], audit })
  }

  suspend(id: string, by: Suspender, at: Date, audit: readonly AuditEvent[]): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Credential" SET "status" = 'suspended', "suspendedBy" = ${by}, "statusChangedAt" = ${at}
               WHERE "id" = ${id} AND "status" = 'enabled'`,
          1,
        ),
        endAuthorisations('credential', id, at),
        ...holdCertificateOf(id, at),
      ],
      audit,
    })
  }

  resume(id: string, by: Suspender, at: Date, audit: readonly AuditEvent[]): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Credential" SET "status" = 'enabled', "suspendedBy" = NULL, "statusChangedAt" = ${at}
               WHERE "id" = ${id} AND "status" = 'suspended'
                 AND ("suspendedBy" = 'signer' OR ${by} = 'operator')`,
          1,
        ),
        ...giveBackCertificateOf(id),
      ],
      audit,
    })
  }

  revoke(
    id: string,
    at: Date,
    reason: FinalReason,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Credential" SET "status" = 'revoked', "statusChangedAt" = ${at}
               WHERE "id" = ${id} AND "status" NOT IN ('revoked', 'deleted')`,
          1,
        ),
        endAuthorisations('credential', id, at),
        ...revokeCertificateOf(id, at, reason),
        endKeyOf(id),
      ],
      audit,
    })
  }

  delete(
    id: string,
    at: Date,
    reason: FinalReason | null,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Credential" SET "status" = 'deleted', "statusChangedAt" = ${at}
               WHERE "id" = ${id} AND "status" <> 'deleted'`,
          1,
        ),
        endAuthorisations('credential', id, at),
        ...(reason === null ? [] : revokeCertificateOf(id, at, reason)),
        endKeyOf(id),
      ],
      audit,
    })
  }

  claimSession(id: string, session: string): Promise<boolean> {
    return this.#update(
      sql`UPDATE "Credential" SET "session" = ${session}
           WHERE "id" = ${id} AND "session" IS NULL AND "status" = 'enabled'`,
    )
  }

  async listEnded(now: Date, most: number): Promise<string[]> {
    const rows = await this.#database.rows<{ id: string }>(
      sql`SELECT "id" FROM "Credential"
           WHERE "endsAt" <= ${now} AND "status" <> 'deleted' ORDER BY "endsAt" LIMIT ${most}`,
    )
    return rows.map(({ id }) => id)
  }

  takeGuess(id: string, limit: number, now: Date): Promise<boolean> {
    return this.#update(
      sql`UPDATE "Credential" SET "failedAttempts" = "failedAttempts" + 1
           WHERE "id" = ${id} AND "failedAttempts" < ${limit}
             AND ("lockedUntil" IS NULL OR "lockedUntil" <= ${now})`,
    )
  }

  async clearGuesses(id: string): Promise<void> {
    await this.#update(
      sql`UPDATE "Credential" SET "failedAttempts" = 0, "lockedUntil" = NULL WHERE "id" = ${id}`,
    )
  }

  async giveBackGuess(id: string): Promise<void> {
    await this.#update(
      sql`UPDATE "Credential" SET "failedAttempts" = "failedAttempts" - 1
           WHERE "id" = ${id} AND "failedAttempts" > 0`,
    )
  }

  async lockIfExhausted(id: string, limit: number, until: Date): Promise<Date | null> {
    const locked = await this.#update(
      sql`UPDATE "Credential" SET "failedAttempts" = 0, "lockedUntil" = ${until}
           WHERE "id" = ${id} AND "failedAttempts" >= ${limit}`,
    )
    return locked ? until : null
  }

  #update(statement: ReturnType<typeof sql>): Promise<boolean> {
    return committed(this.#database, { changes: [change(statement, 1)] })
  }
}

export function insertCredential(credential: Credential, createdAt: Date): Change {
  return insert('Credential', {
    ...credential,
    certificates: textOf(credential.certificates),
    authObjects: JSON.stringify(credential.authObjects),
    createdAt,
  })
}

function textOf(certificates: readonly Buffer[]): string {
  return JSON.stringify(certificates.map((der) => der.toString('base64')))
}

/** Nothing is changed but that there are fewer that stand, as one condition of the unit. */
function hasRoom(userId: string, most: number): Change {
  return change(
    sql`UPDATE "User" SET "id" = "id" WHERE "id" = ${userId} AND (
          SELECT COUNT(*) FROM "Credential"
           WHERE "userId" = ${userId} AND "status" NOT IN ('revoked', 'deleted')) < ${most}`,
    1,
  )
}

function toCredential(row: CredentialModel): Credential {
  return {
    ...row,
    keyAlgorithm: row.keyAlgorithm as KeyAlgorithm,
    certificates: (JSON.parse(row.certificates) as string[]).map((der) =>
      Buffer.from(der, 'base64'),
    ),
    SCAL: row.SCAL as Credential['SCAL'],
    authMode: row.authMode as Credential['authMode'],
    authObjects: JSON.parse(row.authObjects) as Credential['authObjects'],
    approvalFactor: APPROVAL_FACTORS.find((each) => each === row.approvalFactor) ?? 'otp',
    status: row.status as CredentialStatus,
    suspendedBy: row.suspendedBy as Suspender | null,
  }
}
