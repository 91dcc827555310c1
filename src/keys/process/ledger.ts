import { keyAndValidity, type KeyAndValidity } from '../../certificates/certificate.js'
import { isStatement, requestedKey, timestampTime } from '../../certificates/statement.js'
import { boundFacts, type BoundCredential } from '../../credentials/binding.js'
import {
  allowsSignatureAlgorithm,
  describeAlgorithm,
  type SignatureAlgorithm,
} from '../algorithms.js'
import { approvedFacts } from '../approved-digest.js'
import { digestOf } from '../digest.js'
import { namesDigest } from '../named-digest.js'
import type { WrappedKeyStore } from '../hsm-wrapped.js'
import type { ServiceStatement, SigningOperation, StatementKind } from '../key-custody.js'

/** A row of the ledger as it stands. */
export interface LedgerRow {
  readonly id: string
  readonly authorisationId: string
  /** Base64. */
  readonly digest: string | null
  /** As what it was agreed to: dtbsr, sdr, sodr; null for unsaid. */
  readonly hashType: string | null
  /** Base64: what is signed in its place; null for the digest itself. */
  readonly toBeSigned: string | null
  /** named, prepared; null for the digest itself. */
  readonly derivation: string | null
  readonly state: string
  readonly operationId: string | null
  readonly reservedUntil: Date | null
  readonly signAlgorithm: string | null
  /** MAC over what was approved (`approvedFacts`). */
  readonly binding: string | null
}

/** What a row rests on. */
export interface LedgerAuthorisation {
  readonly clientId: string
  readonly userId: string
  /** OID. */
  readonly hashAlgorithm: string | null
  readonly expiresAt: Date
  readonly revokedAt: Date | null
  /** The person, the application or their consent ended. */
  readonly isEnded: boolean
  readonly credential: LedgerCredential
}

/** The same object as before only if nothing of it changed meanwhile. */
export type LedgerCredential = BoundCredential & {
  readonly binding: string
  readonly status: string
}

export interface LedgerFacts {
  /** In the order asked for; shorter when some are not there. */
  readonly rows: readonly LedgerRow[]
  /** Of the first row. */
  readonly authorisation: LedgerAuthorisation | null
}

/** Whose key it is, of our own: that of an authority, of the OCSP responder or of the timestamping service. */
export type OwnKeyName = 'root' | 'issuing' | 'ocsp' | 'tsa'

/** What the database says a key is for. */
export interface KeyStanding {
  /** Whether a credential has it that was neither revoked nor deleted. */
  readonly isCredentials: boolean
  /** Whether any credential has or had it. */
  readonly wasCredentials: boolean
  readonly authority: OwnKeyName | null
  /** Whether the authority that issues certificates is complete. */
  readonly hasIssuing: boolean
}

/** The database as the key process sees it: a connection of its own that cannot write. */
export interface Ledger extends WrappedKeyStore {
  /** All operations as of one moment, which is after the call. */
  read(operations: readonly SigningOperation[]): Promise<readonly LedgerFacts[]>
  keyStanding(keyId: string): Promise<KeyStanding>
  close(): Promise<void>
}

/** A use of a key that the ledger does not allow. Whoever asks for one is not the server we know. */
export class RefusedUseError extends Error {
  override readonly name = 'RefusedUseError'
}

export interface KeyUse {
  readonly keyId: string
  readonly digests: readonly Buffer[]
  readonly algorithm: SignatureAlgorithm
  readonly operation: SigningOperation
}

export class LedgerRules {
  readonly #isBound: (mac: string, ...facts: readonly string[]) => boolean
  /** Credentials whose binding was found right, as they were read then. */
  readonly #intact = new WeakMap<LedgerCredential, KeyAndValidity>()

  /** @param isBound whether the MAC over the facts is right */
  constructor(isBound: (mac: string, ...facts: readonly string[]) => boolean) {
    this.#isBound = isBound
  }

  /**
   * The same questions the ledger asked when the rows were reserved, of the database as it is now.
   * @returns the public key by which to verify the signatures
   * @throws {RefusedUseError}
   */
  demandReserved(use: KeyUse, { rows, authorisation }: LedgerFacts, now: Date): Buffer {
    const { operation, digests, algorithm } = use
    const [first] = rows
    if (!first || !authorisation) throw new RefusedUseError('the ledger has no such row')
    if (rows.length !== digests.length || operation.rows.length !== digests.length) {
      throw new RefusedUseError('not as many rows as digests')
    }
    if (new Set(operation.rows).size !== rows.length) throw new RefusedUseError('a row twice')
    rows.forEach((row, index) => {
      rejectUnreserved(row, operation.id, now)
      if (row.authorisationId !== first.authorisationId) {
        throw new RefusedUseError('rows of two authorisations')
      }
      rejectOtherDigest(row, digests[index], operation.toBeSigned?.[index], algorithm)
      if (row.signAlgorithm !== describeAlgorithm(algorithm)) {
        throw new RefusedUseError('another algorithm')
      }
    })
    rejectEnded(authorisation, algorithm, now)
    const publicKey = this.#publicKey(use, authorisation, now)
    for (const row of rows) this.#rejectUnapproved(row, authorisation)
    return publicKey
  }

  /** Who can write to the database cannot approve: the MAC of a row is over all that its signer agreed to. */
  #rejectUnapproved(row: LedgerRow, authorisation: LedgerAuthorisation): void {
    const { clientId, userId, hashAlgorithm, credential } = authorisation
    const { id, authorisationId, digest, hashType, binding } = row
    const facts = approvedFacts({
      ...{ authorisationId, clientId, userId, credentialId: credential.id, hashAlgorithm },
      ...{ rowId: id, digest, hashType },
    })
    if (binding === null || !this.#isBound(binding, ...facts)) {
      throw new RefusedUseError('a row that is not as it was approved')
    }
  }

  #publicKey({ keyId, algorithm }: KeyUse, authorisation: LedgerAuthorisation, now: Date): Buffer {
    const { credential, userId } = authorisation
    const { publicKey, notBefore, notAfter } = this.#certificate(credential)
    if (credential.status !== 'enabled') throw new RefusedUseError('the credential is not enabled')
    if (credential.userId !== userId) throw new RefusedUseError('the credential of somebody else')
    if (credential.keyId !== keyId) throw new RefusedUseError('the key of another credential')
    if (!allowsSignatureAlgorithm(credential.keyAlgorithm, algorithm)) {
      throw new RefusedUseError('an algorithm the key must not be used with')
    }
    if (now < notBefore || now > notAfter) throw new RefusedUseError('the certificate is not valid')
    return publicKey
  }

  #certificate(credential: LedgerCredential): KeyAndValidity {
    const known = this.#intact.get(credential)
    if (known) return known
    if (!this.#isBound(credential.binding, ...boundFacts(credential))) {
      throw new RefusedUseError('the credential was tampered with')
    }
    const [leaf] = credential.certificates
    if (!leaf) throw new RefusedUseError('no certificate')
    const facts = keyAndValidity(leaf)
    this.#intact.set(credential, facts)
    return facts
  }
}

/**
 * A hash is the authorised digest itself. For a document the bytes are shown to us: they hash to what was
 * recorded when the row was reserved and, where the record says so, they name the authorised digest. Bytes
 * that are as long as the document they hold are left out.
 */
function rejectOtherDigest(
  row: LedgerRow,
  digest: Buffer | undefined,
  toBeSigned: Buffer | undefined,
  { hash }: SignatureAlgorithm,
): void {
  const asked = digest?.toString('base64')
  if (row.digest === null || asked === undefined) throw new RefusedUseError('another digest')
  if (row.toBeSigned === null) {
    if (row.digest !== asked) throw new RefusedUseError('another digest')
    if (row.hashType !== null && row.hashType !== 'dtbsr') {
      throw new RefusedUseError('the digest of a document signed as a hash')
    }
    return
  }
  if (row.toBeSigned !== asked) throw new RefusedUseError('another digest')
  if (row.hashType === 'dtbsr') throw new RefusedUseError('a hash used for a document')
  if (row.derivation !== 'named' && row.derivation !== 'prepared') {
    throw new RefusedUseError('nobody knows how the digest was derived')
  }
  if (!toBeSigned || toBeSigned.length === 0) {
    if (row.derivation === 'prepared') return
    throw new RefusedUseError('the bytes to be signed are missing')
  }
  if (digestOf(hash, toBeSigned).toString('base64') !== asked) {
    throw new RefusedUseError('other bytes than those of the digest')
  }
  if (row.derivation === 'named' && !namesDigest(toBeSigned, Buffer.from(row.digest, 'base64'))) {
    throw new RefusedUseError('the bytes to be signed do not name the authorised digest')
  }
}

function rejectUnreserved(row: LedgerRow, operationId: string, now: Date): void {
  if (row.operationId !== operationId) throw new RefusedUseError('a row of another signing')
  if (row.state !== 'reserved') throw new RefusedUseError(`a row that is ${row.state}`)
  if (row.reservedUntil === null || row.reservedUntil <= now) {
    throw new RefusedUseError('the reservation is over')
  }
}

function rejectEnded(
  { hashAlgorithm, expiresAt, revokedAt, isEnded }: LedgerAuthorisation,
  { hash }: SignatureAlgorithm,
  now: Date,
): void {
  if (revokedAt !== null) throw new RefusedUseError('the authorisation was revoked')
  if (expiresAt <= now) throw new RefusedUseError('the authorisation is over')
  if (isEnded) throw new RefusedUseError('the person, application or consent ended')
  if (hashAlgorithm !== null && hashAlgorithm !== hash.oid) {
    throw new RefusedUseError('another hash algorithm')
  }
}

/**
 * Authorities are those the database has as such.
 * @param isFresh whether the key was made just now and is to certify itself
 * @throws {RefusedUseError}
 */
export function demandAuthority(standing: KeyStanding, isFresh: boolean): void {
  const { authority, wasCredentials, hasIssuing } = standing
  if (wasCredentials) throw new RefusedUseError('a certificate by the key of a credential')
  if (authority === 'issuing') return
  // The root certifies itself, before it is on record, and the issuing authority; then it rests.
  if (authority === 'root' && !hasIssuing) return
  if (authority === null && isFresh) return
  if (authority === 'ocsp' || authority === 'tsa') {
    throw new RefusedUseError('a certificate by the key of a service')
  }
  throw new RefusedUseError(
    authority === 'root' ? 'the root has nothing left to sign' : 'a certificate by a key of nobody',
  )
}

const SIGNERS: Readonly<Record<StatementKind, readonly OwnKeyName[]>> = {
  crl: ['root', 'issuing'],
  'ocsp-response': ['ocsp'],
  timestamp: ['tsa'],
  'certificate-request': [],
}

/** More than a token may take that is busy: what comes out later says another time than it was made. */
const MOST_CLOCK_DIFFERENCE_MS = 60_000

/**
 * Each of our own keys signs one kind of statement. A timestamp is about now, whatever the server says. A
 * key that is nobody's asks to be certified itself.
 * @throws {RefusedUseError}
 */
export function demandStatement(
  { authority, wasCredentials }: KeyStanding,
  statement: ServiceStatement,
  { publicKey, now }: { readonly publicKey: Buffer | null; readonly now: Date },
): void {
  const { kind, toBeSigned, tstInfo } = statement
  const isNobodys = authority === null && kind === 'certificate-request'
  const mayDo = isNobodys || (authority !== null && SIGNERS[kind].includes(authority))
  if (wasCredentials || !mayDo) throw new RefusedUseError(`a ${kind} by a key that is not for it`)
  if (!isStatement(statement)) throw new RefusedUseError(`what is no ${kind}`)
  if (isNobodys && (!publicKey || requestedKey(toBeSigned)?.equals(publicKey) !== true)) {
    throw new RefusedUseError('a certificate-request for another key')
  }
  if (tstInfo === null) return
  const time = timestampTime(tstInfo)
  if (!time || Math.abs(time.getTime() - now.getTime()) > MOST_CLOCK_DIFFERENCE_MS) {
    throw new RefusedUseError('a timestamp of another time')
  }
}
