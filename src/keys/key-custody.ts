import type { KeyAlgorithm, SignatureAlgorithm } from './algorithms.js'

/** A key pair as the custody made it. */
export interface GeneratedKey {
  /** Name of the key for every later call; stable across restarts, unique in the token. */
  readonly keyId: string
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer
}

/**
 * Holds private keys and signs digests with them. Plain data in, plain data out: an implementation
 * may live in another process. Keys never leave it.
 */
export interface KeyCustody {
  /**
   * Makes a key pair whose private half is sensitive, never extractable and good for signing only;
   * the attributes are read back and the key is destroyed when one of them is not as demanded.
   */
  generate(algorithm: KeyAlgorithm): Promise<GeneratedKey>

  /**
   * Signs each digest, in order: raw digests in, signatures out (RSA: the octet string; ECDSA: DER
   * ECDSA-Sig-Value). The digests are copied before the call returns, so callers may reuse buffers.
   * @throws {HsmUnavailableError} when the token was certainly not asked to sign anything
   * @throws {HsmOutcomeUnknownError} when it was asked, and signatures may exist
   */
  sign(keyId: string, digests: readonly Buffer[], algorithm: SignatureAlgorithm): Promise<Buffer[]>

  /** The public half as SubjectPublicKeyInfo DER, or null when there is no such key. */
  publicKey(keyId: string): Promise<Buffer | null>

  /** Destroys both halves. Destroying a key that is not there is not an error. */
  destroy(keyId: string): Promise<void>

  /** Whether the token answers now; for readiness. */
  ready(): Promise<boolean>

  /** Waits for calls under way, then closes sessions and finalises the library. */
  close(): Promise<void>
}
