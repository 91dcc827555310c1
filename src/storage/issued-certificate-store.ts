import type { AuditEvent } from '../audit/events.js'
import type {
  EarlierCertificateStore,
  Found,
  IssuingPlace,
  UnregisteredCertificate,
} from '../certificates/earlier-certificates.js'
import type { AuthorityName } from '../certificates/embedded/authority-store.js'
import type {
  IssuedCertificateStore,
  ListState,
  NewCertificate,
  PublishedList,
  RevocationListStore,
  RevokedCertificate,
} from '../certificates/issued-certificates.js'
import type { FinalReason, Revocation, RevocationReason } from '../certificates/revocation.js'
import {
  change,
  committed,
  dateOf,
  insert,
  sql,
  sweep,
  type Change,
  type Database,
  type StoredDate,
} from './database.js'

interface StoredRevocation {
  readonly serialNumber: string
  readonly revokedAt: StoredDate | null
  readonly reason: string | null
}

interface StoredState {
  readonly number: number | bigint
  readonly nextUpdate: StoredDate | null
  readonly wanted: number | bigint
  readonly covered: number | bigint
}

interface StoredIssuing {
  readonly serialNumber: string
  readonly issuedAt: StoredDate
  readonly isUnowned: number | bigint
}

interface StoredCredential {
  readonly keyId: string
  readonly certificates: string
  readonly status: string
  readonly statusChangedAt: StoredDate | null
  readonly createdAt: StoredDate
}

export class DatabaseIssuedCertificateStore
  implements IssuedCertificateStore, RevocationListStore, EarlierCertificateStore
{
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async register(certificate: NewCertificate): Promise<void> {
    await this.#database.commit({ changes: [insert('IssuedCertificate', { ...certificate })] })
  }

  async find(
    serialNumber: string,
  ): Promise<{ profile: string; revocation: Revocation | null } | null> {
    const [row] = await this.#database.rows<StoredRevocation & { readonly profile: string }>(
      sql`SELECT "serialNumber", "profile", "revokedAt", "reason" FROM "IssuedCertificate"
           WHERE "serialNumber" = ${serialNumber}`,
    )
    return row ? { profile: row.profile, revocation: revocationOf(row) } : null
  }

  async listRevoked(endsAfter: Date): Promise<RevokedCertificate[]> {
    const rows = await this.#database.rows<StoredRevocation>(
      sql`SELECT "serialNumber", "revokedAt", "reason" FROM "IssuedCertificate"
           WHERE "status" IN ('held', 'revoked') AND "notAfter" > ${endsAfter}
           ORDER BY "serialNumber"`,
    )
    return rows.flatMap((row) => {
      const revocation = revocationOf(row)
      return revocation ? [{ serialNumber: row.serialNumber, revocation }] : []
    })
  }

  revoke(
    serialNumber: string,
    { at, reason }: Revocation,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    const ended = change(
      sql`UPDATE "IssuedCertificate"
             SET "status" = 'revoked', "reason" = ${reason},
                 "revokedAt" = CASE "status" WHEN 'held' THEN "revokedAt" ELSE ${at} END
           WHERE "serialNumber" = ${serialNumber} AND "status" <> 'revoked'`,
      1,
    )
    return committed(this.#database, { changes: [ended, wantList()], audit })
  }

  async findUnregistered(
    after: string,
    most: number,
  ): Promise<Found<UnregisteredCertificate, string>> {
    const rows = await this.#database.rows<{ id: string; isRegistered: number | boolean }>(
      sql`SELECT c."id", EXISTS (
                 SELECT 1 FROM "IssuedCertificate" i WHERE i."keyId" = c."keyId") AS "isRegistered"
            FROM "Credential" c WHERE c."id" > ${after} ORDER BY c."id" LIMIT ${most}`,
    )
    const found: UnregisteredCertificate[] = []
    for (const { id, isRegistered } of rows) {
      if (!isRegistered) found.push(...(await this.#certificateOf(id)))
    }
    return { found, next: rows.length < most ? null : (rows.at(-1)?.id ?? null) }
  }

  async #certificateOf(credentialId: string): Promise<UnregisteredCertificate[]> {
    const rows = await this.#database.rows<StoredCredential>(
      sql`SELECT "keyId", "certificates", "status", "statusChangedAt", "createdAt"
            FROM "Credential" WHERE "id" = ${credentialId}`,
    )
    return rows.map(({ keyId, certificates, status, ...times }) => {
      const [leaf = ''] = JSON.parse(certificates) as string[]
      const at = dateOf(times.statusChangedAt) ?? new Date(times.createdAt)
      const reasons = { suspended: 'certificateHold', revoked: 'unspecified' } as const
      const reason = reasons[status as keyof typeof reasons] as RevocationReason | undefined
      const certificate = Buffer.from(leaf, 'base64')
      return { credentialId, keyId, certificate, revocation: reason ? { at, reason } : null }
    })
  }

  async registerEarlier(certificate: NewCertificate, revocation: Revocation | null): Promise<void> {
    const status = revocation?.reason === 'certificateHold' ? 'held' : 'revoked'
    const ended = revocation && { status, revokedAt: revocation.at, reason: revocation.reason }
    const changes = [insert('IssuedCertificate', { ...certificate, ...ended }), wantList()]
    await committed(this.#database, { changes })
  }

  async findUnowned(
    { issuedAt, serialNumber: last }: IssuingPlace,
    before: Date,
    most: number,
  ): Promise<Found<string, IssuingPlace>> {
    const rows = await this.#database.rows<StoredIssuing>(
      sql`SELECT i."serialNumber", i."issuedAt", CASE
                 WHEN i."status" = 'good' AND i."profile" IN ('signer', 'seal') AND NOT EXISTS (
                      SELECT 1 FROM "Credential" c WHERE c."keyId" = i."keyId") THEN 1
                 ELSE 0 END AS "isUnowned"
            FROM "IssuedCertificate" i
           WHERE i."issuedAt" >= ${issuedAt} AND i."issuedAt" < ${before}
             AND (i."issuedAt" > ${issuedAt} OR i."serialNumber" > ${last})
           ORDER BY i."issuedAt", i."serialNumber" LIMIT ${most}`,
    )
    const place = rows.length < most ? undefined : rows.at(-1)
    return {
      found: rows.flatMap((row) => (Number(row.isUnowned) === 1 ? [row.serialNumber] : [])),
      next: place ? { issuedAt: new Date(place.issuedAt), serialNumber: place.serialNumber } : null,
    }
  }

  async state(issuer: AuthorityName): Promise<ListState> {
    const read = () =>
      this.#database.rows<StoredState>(
        sql`SELECT "number", "nextUpdate", "wanted", "covered" FROM "RevocationList"
             WHERE "issuer" = ${issuer}`,
      )
    let [row] = await read()
    if (!row) {
      // From now on it counts what changes.
      await committed(this.#database, { changes: [insert('RevocationList', { issuer })] })
      ;[row] = await read()
    }
    if (!row) throw new Error(`There is no record of the revocation list of ${issuer}`)
    const covered = Number(row.wanted)
    return {
      number: Number(row.number),
      nextUpdate: dateOf(row.nextUpdate),
      isOutdated: Number(row.covered) !== covered,
      covered,
    }
  }

  async load(issuer: AuthorityName, number: number): Promise<Buffer | null> {
    const row = await this.#database.read.revocationList.findUnique({ where: { issuer } })
    return row?.bytes && Number(row.number) === number ? Buffer.from(row.bytes) : null
  }

  publish(
    issuer: AuthorityName,
    { number, bytes, nextUpdate, covered }: PublishedList,
    audit: readonly AuditEvent[],
  ): Promise<boolean> {
    const published = change(
      sql`UPDATE "RevocationList"
             SET "number" = ${number}, "bytes" = ${bytes}, "nextUpdate" = ${nextUpdate}, "covered" = ${covered}
           WHERE "issuer" = ${issuer} AND "number" = ${number - 1}`,
      1,
    )
    return committed(this.#database, { changes: [published], audit })
  }
}

function revocationOf({ revokedAt, reason }: StoredRevocation): Revocation | null {
  const at = dateOf(revokedAt)
  return at && { at, reason: (reason ?? 'unspecified') as RevocationReason }
}

/** The certificate of the credential is not good until it is given back. Only those of ours are there. */
export function holdCertificateOf(credentialId: string, at: Date): Change[] {
  return [
    sweep(
      sql`UPDATE "IssuedCertificate"
             SET "status" = 'held', "revokedAt" = ${at}, "reason" = 'certificateHold'
           WHERE "status" = 'good' AND "keyId" = (
             SELECT "keyId" FROM "Credential" WHERE "id" = ${credentialId})`,
    ),
    wantList(),
  ]
}

export function giveBackCertificateOf(credentialId: string): Change[] {
  return [
    sweep(
      sql`UPDATE "IssuedCertificate" SET "status" = 'good', "revokedAt" = NULL, "reason" = NULL
           WHERE "status" = 'held' AND "keyId" = (
             SELECT "keyId" FROM "Credential" WHERE "id" = ${credentialId})`,
    ),
    wantList(),
  ]
}

/** What was suspended is revoked from then on (X.509, reason code extension). */
export function revokeCertificateOf(credentialId: string, at: Date, reason: FinalReason): Change[] {
  return [
    sweep(
      sql`UPDATE "IssuedCertificate"
             SET "status" = 'revoked', "reason" = ${reason},
                 "revokedAt" = CASE "status" WHEN 'held' THEN "revokedAt" ELSE ${at} END
           WHERE "status" <> 'revoked' AND "keyId" = (
             SELECT "keyId" FROM "Credential" WHERE "id" = ${credentialId})`,
    ),
    wantList(),
  ]
}

/** One that is not known, as it was issued after a backup that was restored, is left out. */
export function revokeCertificate(
  serialNumber: string,
  at: Date,
  reason: RevocationReason,
): Change[] {
  return [
    sweep(
      sql`UPDATE "IssuedCertificate"
             SET "status" = 'revoked', "reason" = ${reason},
                 "revokedAt" = CASE "status" WHEN 'held' THEN "revokedAt" ELSE ${at} END
           WHERE "serialNumber" = ${serialNumber} AND "status" <> 'revoked'`,
    ),
    wantList(),
  ]
}

/** The newest list of the issuing authority tells of something less than there is. */
function wantList(): Change {
  return sweep(sql`UPDATE "RevocationList" SET "wanted" = "wanted" + 1 WHERE "issuer" = 'issuing'`)
}
