import type { KeyAlgorithm, SignatureAlgorithm } from './algorithms.js'
import type { KeyOwner } from './key-id.js'

/** A key pair as the custody made it. */
export interface GeneratedKey {
  /** Name of the key for every later call; stable across restarts, unique in the token. */
  readonly keyId: string
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer
  /**
   * The private half as only the token can read it, when it is to be kept outside: opaque text for the
   * database, without which the key is gone.
   */
  readonly wrapped?: string
}

/** The reservation by which a signer's key is used. */
export interface SigningOperation {
  readonly id: string
  /** Ids of the ledger's rows, one for each digest and in their order. */
  readonly rows: readonly string[]
  /** The bytes behind each digest, where the ledger has the digest of a document and of what was made from it. */
  readonly toBeSigned?: readonly Buffer[]
}

/** A certificate as an authority is about to sign it. */
export interface UnsignedCertificate {
  /** TBSCertificate, DER. */
  readonly tbs: Buffer
  readonly algorithm: SignatureAlgorithm
  /** Names of the authority's key and of the certified one. */
  readonly issuerKeyId: string
  readonly subjectKeyId: string
}

/**
 * What authorities and services of ours sign, apart from certificates: each kind with a key for nothing
 * else. And what a key signs that is nobody's yet: a request to be certified, which names that key.
 */
export type StatementKind = 'crl' | 'ocsp-response' | 'timestamp' | 'certificate-request'

/** A statement as an authority or a service of ours is about to sign it. */
export interface ServiceStatement {
  readonly kind: StatementKind
  readonly keyId: string
  /**
   * TBSCertList, ResponseData, CertificationRequestInfo, or the signed attributes of a timestamp as a SET
   * OF, DER.
   */
  readonly toBeSigned: Buffer
  /** Of a timestamp: the TSTInfo that the attributes are about, DER; null for all others. */
  readonly tstInfo: Buffer | null
  readonly algorithm: SignatureAlgorithm
}

/**
 * Holds private keys and signs digests with them. Plain data in, plain data out: an implementation
 * may live in another process. Keys never leave it.
 */
export interface KeyCustody {
  /**
   * Makes a key pair whose private half is sensitive, never extractable and good for signing only;
   * the attributes are read back and the key is destroyed when one of them is not as demanded.
   * @param keyId from `newKeyId`, by callers who put it on record first; tells the custody, too
   */
  generate(algorithm: KeyAlgorithm, keyId?: string): Promise<GeneratedKey>

  /**
   * Ties a wrapped key that belongs to nobody yet to a credential and its user, once.
   * @returns what to keep in the place of `wrapped`
   * @throws {HsmUnavailableError} when it is not as we made it, or belongs to somebody
   */
  bind?(key: Required<GeneratedKey>, owner: KeyOwner): Promise<string>

  /**
   * Signs each digest, in order: raw digests in, signatures out (RSA: the octet string; ECDSA: DER
   * ECDSA-Sig-Value). The digests are copied before the call returns, so callers may reuse buffers.
   * @param operation for keys of signers; a custody that reads the ledger itself signs nothing without
   * @throws {HsmUnavailableError} when the token was certainly not asked to sign anything
   * @throws {HsmOutcomeUnknownError} when it was asked, and signatures may exist
   */
  sign(
    keyId: string,
    digests: readonly Buffer[],
    algorithm: SignatureAlgorithm,
    operation?: SigningOperation,
  ): Promise<Buffer[]>

  /**
   * Signs a certificate with the key of an authority; where this is missing, `sign` does. A custody that
   * looks at what it signs does so for keys of its own alone.
   * @returns what `sign` returns for the digest of `tbs`
   */
  certify?(certificate: UnsignedCertificate): Promise<Buffer>

  /**
   * Signs a statement with the key of an authority or a service; where this is missing, `sign` does. A
   * custody that asks the database lets each of these keys sign statements of its kind alone.
   * @returns what `sign` returns for the digest of `toBeSigned`
   */
  attest?(statement: ServiceStatement): Promise<Buffer>

  /**
   * A signature with this key did not verify. What is remembered of the key is forgotten: the token may mean
   * another one by the handle it was found under.
   */
  doubt?(keyId: string): void

  /** The public half as SubjectPublicKeyInfo DER, or null when there is no such key. */
  publicKey(keyId: string): Promise<Buffer | null>

  /** Destroys both halves. Destroying a key that is not there is not an error. */
  destroy(keyId: string): Promise<void>

  /** Names of all keys that are in the token for good, in no order. */
  listKeyIds?(): Promise<string[]>

  /** Whether the token answers now; for readiness. */
  ready(): Promise<boolean>

  /**
   * Which token answers now, and since which login: once this is another text, it may be another token
   * with other keys. Null when none answers.
   */
  tokenInPlace?(): Promise<string | null>

  /** Waits for calls under way, then closes sessions and finalises the library. */
  close(): Promise<void>
}
