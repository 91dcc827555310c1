import type { BoundCredential } from '../credentials/binding.js'
import type { KeyAlgorithm } from '../keys/algorithms.js'
import type {
  KeyStanding,
  LedgerAuthorisation,
  LedgerCredential,
  LedgerFacts,
  LedgerRow,
  OwnKeyName,
} from '../keys/process/ledger.js'
import type { SigningOperation } from '../keys/key-custody.js'

/*
 * What the key process reads, for every database: the columns, and what they mean. It comes without Prisma,
 * which would double the time the key process takes to start.
 */

export const ROW_COLUMNS = `
  "id", "authorisationId", "digest", "hashType", "toBeSigned", "derivation", "state", "operationId", "reservedUntil", "signAlgorithm",
  "binding"`

/** The grant of the transaction is looked up only where there is one. */
export const AUTHORISATION_COLUMNS = `
  a."id" AS "authorisationId", a."clientId", a."userId" AS "signerId", a."hashAlgorithm", a."expiresAt", a."revokedAt",
  u."disabledAt" AS "userDisabledAt", k."disabledAt" AS "clientDisabledAt",
  t."grantId" IS NOT NULL AND EXISTS (
    SELECT 1 FROM "OAuthRecord" g
     WHERE g."grantId" = t."grantId" AND g."model" = 'Grant' AND g."revokedAt" IS NOT NULL
  ) AS "consentRevoked",
  c."id", c."userId", c."keyId", c."keyAlgorithm", c."certificates", c."SCAL", c."authMode",
  c."authObjects", c."authExpression", c."signatureQualifier", c."ownerClientId", c."pinHash",
  c."approvalFactor", c."binding", c."status"`

export const AUTHORISATION_TABLES = `
  "Authorisation" a
  JOIN "Credential" c ON c."id" = a."credentialId"
  JOIN "User" u ON u."id" = a."userId"
  JOIN "Client" k ON k."id" = a."clientId"
  JOIN "Transaction" t ON t."id" = a."transactionId"`

export const KEY_STANDING = (key: string) => `
  SELECT (SELECT COUNT(*) FROM "Credential" WHERE "keyId" = ${key}) AS "credentials",
         (SELECT COUNT(*) FROM "Credential"
           WHERE "keyId" = ${key} AND "status" NOT IN ('revoked', 'deleted')) AS "live",
         (SELECT "name" FROM "AuthorityKey" WHERE "keyId" = ${key}) AS "authority",
         (SELECT COUNT(*) FROM "AuthorityKey" WHERE "name" = 'issuing') AS "issuing"`

/** Text from SQLite, a date from PostgreSQL. */
type Moment = string | Date

export type StoredRow = Omit<LedgerRow, 'reservedUntil'> & { readonly reservedUntil: Moment | null }

export interface StoredAuthorisation {
  readonly authorisationId: string
  readonly clientId: string
  readonly signerId: string
  readonly hashAlgorithm: string | null
  readonly expiresAt: Moment
  readonly revokedAt: Moment | null
  readonly userDisabledAt: Moment | null
  readonly clientDisabledAt: Moment | null
  readonly consentRevoked: number | boolean
  readonly id: string
  readonly userId: string
  readonly keyId: string
  readonly keyAlgorithm: string
  readonly certificates: string
  readonly SCAL: string
  readonly authMode: string
  readonly authObjects: string
  readonly authExpression: string | null
  readonly signatureQualifier: string | null
  readonly ownerClientId: string | null
  readonly pinHash: string | null
  readonly approvalFactor: string | null
  readonly binding: string
  readonly status: string
}

export interface StoredStanding {
  readonly credentials: number | bigint | string
  readonly live: number | bigint | string
  readonly authority: string | null
  readonly issuing: number | bigint | string
}

/**
 * Reads what is stored. As long as a credential is stored in the same words it is the same object, so that
 * whoever looked at it closely needs to do so once.
 */
export class LedgerReading {
  readonly #credentials = new Map<string, KnownCredential>()

  facts(
    { rows: ids }: SigningOperation,
    rowOf: (id: string) => StoredRow | undefined,
    authorisationOf: (id: string) => StoredAuthorisation | undefined,
  ): LedgerFacts {
    const rows = ids.flatMap((id) => rowOf(id) ?? [])
    const [first] = rows
    const authorisation = first && authorisationOf(first.authorisationId)
    return {
      rows: rows.map((row) => ({ ...row, reservedUntil: toDate(row.reservedUntil) })),
      authorisation: authorisation ? this.#authorisation(authorisation) : null,
    }
  }

  #authorisation(stored: StoredAuthorisation): LedgerAuthorisation {
    const { clientId, signerId, hashAlgorithm } = stored
    const { userDisabledAt, clientDisabledAt, consentRevoked } = stored
    return {
      ...{ clientId, userId: signerId, hashAlgorithm },
      expiresAt: new Date(stored.expiresAt),
      revokedAt: toDate(stored.revokedAt),
      isEnded: userDisabledAt !== null || clientDisabledAt !== null || Boolean(consentRevoked),
      credential: this.#credential(stored),
    }
  }

  #credential(stored: StoredAuthorisation): LedgerCredential {
    const known = this.#credentials.get(stored.id)
    if (known && CREDENTIAL_MEMBERS.every((name) => known.stored[name] === stored[name])) {
      return known.credential
    }
    const credential = toCredential(stored)
    this.#credentials.set(stored.id, { stored, credential })
    const [oldest] = this.#credentials.keys()
    if (this.#credentials.size > MOST_CREDENTIALS && oldest !== undefined) {
      this.#credentials.delete(oldest)
    }
    return credential
  }
}

interface KnownCredential {
  readonly stored: StoredAuthorisation
  readonly credential: LedgerCredential
}

const MOST_CREDENTIALS = 5_000

const CREDENTIAL_MEMBERS = [
  ...(['id', 'userId', 'keyId', 'keyAlgorithm', 'certificates', 'SCAL', 'authMode'] as const),
  ...(['authObjects', 'authExpression', 'signatureQualifier', 'ownerClientId'] as const),
  ...(['pinHash', 'approvalFactor', 'binding', 'status'] as const),
]

function toCredential(stored: StoredAuthorisation): LedgerCredential {
  return {
    ...stored,
    keyAlgorithm: stored.keyAlgorithm as KeyAlgorithm,
    certificates: (JSON.parse(stored.certificates) as string[])
      .slice(0, 1)
      .map((der) => Buffer.from(der, 'base64')),
    SCAL: stored.SCAL as BoundCredential['SCAL'],
    authMode: stored.authMode as BoundCredential['authMode'],
    authObjects: JSON.parse(stored.authObjects) as BoundCredential['authObjects'],
    approvalFactor: (stored.approvalFactor ?? 'otp') as NonNullable<
      BoundCredential['approvalFactor']
    >,
  }
}

function toDate(moment: Moment | null): Date | null {
  return moment === null ? null : new Date(moment)
}

const OWN_KEYS: readonly OwnKeyName[] = ['root', 'issuing', 'ocsp', 'tsa']

/** Under which name the key stands that a service used before the one it uses now. */
export function formerName(name: OwnKeyName): string {
  return `former ${name}`
}

export function keyStanding(stored: StoredStanding | undefined): KeyStanding {
  if (!stored) throw new Error('The database does not say what a key is for')
  const { authority } = stored
  return {
    wasCredentials: Number(stored.credentials) > 0,
    isCredentials: Number(stored.live) > 0,
    authority:
      OWN_KEYS.find((name) => name === authority || formerName(name) === authority) ?? null,
    hasIssuing: Number(stored.issuing) > 0,
  }
}
