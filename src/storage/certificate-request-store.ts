import type { AuditEvent } from '../audit/events.js'
import type {
  CertificateRequest,
  CertificateRequestStore,
} from '../credentials/certificate-requests.js'
import type { Credential } from '../credentials/credential.js'
import type { CredentialTerms } from '../credentials/credential-terms.js'
import type { KeyAlgorithm } from '../keys/algorithms.js'
import type { GeneratedKey } from '../keys/key-custody.js'
import { insertCredential } from './credential-store.js'
import { change, committed, insert, sql, type Change, type Database } from './database.js'

export class DatabaseCertificateRequestStore implements CertificateRequestStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async add(
    { id, keyId, keyAlgorithm, terms, binding }: CertificateRequest,
    createdAt: Date,
    audit: readonly AuditEvent[],
  ): Promise<void> {
    const row = { id, keyId, keyAlgorithm, terms: JSON.stringify(terms), binding, createdAt }
    const changes = [
      insert('CertificateRequest', row),
      change(
        sql`UPDATE "HsmKey" SET "state" = 'requested', "abandonedAt" = NULL
             WHERE "keyId" = ${keyId} AND "state" = 'made'`,
        1,
      ),
    ]
    await this.#database.commit({ changes, audit })
  }

  async find(id: string): Promise<{ request: CertificateRequest; key: GeneratedKey } | null> {
    const row = await this.#database.read.certificateRequest.findUnique({ where: { id } })
    const { keyId = '' } = row ?? {}
    const kept = row && (await this.#database.read.hsmKey.findUnique({ where: { keyId } }))
    if (!row || kept?.state !== 'requested') return null
    const key = { keyId, publicKey: Buffer.from(kept.publicKey ?? '', 'base64') }
    return {
      request: {
        ...{ id, keyId, binding: row.binding },
        keyAlgorithm: row.keyAlgorithm as KeyAlgorithm,
        terms: JSON.parse(row.terms) as CredentialTerms,
      },
      key: kept.wrapped === null ? key : { ...key, wrapped: kept.wrapped },
    }
  }

  fulfil(
    credential: Credential,
    createdAt: Date,
    audit: readonly AuditEvent[],
    wrapped: string | null,
  ): Promise<boolean> {
    const { id, keyId } = credential
    const changes = [
      removeRequest(id),
      change(
        sql`UPDATE "HsmKey" SET "state" = 'owned', "wrapped" = ${wrapped}
             WHERE "keyId" = ${keyId} AND "state" = 'requested'`,
        1,
      ),
      insertCredential(credential, createdAt),
    ]
    return committed(this.#database, { changes, audit })
  }

  withdraw(id: string, audit: readonly AuditEvent[]): Promise<boolean> {
    const changes = [
      change(
        sql`UPDATE "HsmKey" SET "state" = 'ending', "wrapped" = NULL
             WHERE "state" = 'requested' AND "keyId" = (
               SELECT "keyId" FROM "CertificateRequest" WHERE "id" = ${id})`,
        1,
      ),
      removeRequest(id),
    ]
    return committed(this.#database, { changes, audit })
  }
}

function removeRequest(id: string): Change {
  return change(sql`DELETE FROM "CertificateRequest" WHERE "id" = ${id}`, 1)
}
