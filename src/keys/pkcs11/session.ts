import type { HashName, KeyAlgorithm } from '../algorithms.js'

/** Names an object while the session's epoch lasts. */
export interface KeyHandle {
  readonly handle: Buffer
}

export type Mechanism =
  | { readonly kind: 'rsa-pkcs' }
  | { readonly kind: 'rsa-pkcs-pss'; readonly hash: HashName; readonly saltLength: number }
  | { readonly kind: 'ecdsa' }

/** The facts about a private key that make it trustworthy, as the token states them. */
export interface PrivateKeyAttributes {
  readonly token: boolean
  readonly private: boolean
  readonly sensitive: boolean
  readonly alwaysSensitive: boolean
  readonly extractable: boolean
  readonly neverExtractable: boolean
  readonly local: boolean
  readonly sign: boolean
  readonly signRecover: boolean
  readonly decrypt: boolean
  readonly unwrap: boolean
  readonly derive: boolean
  readonly allowedMechanisms: readonly Mechanism['kind'][]
}

/** A public key as PKCS#11 has it. */
export type PublicKeyValue =
  | { readonly type: 'rsa'; readonly modulus: Buffer; readonly exponent: Buffer }
  | { readonly type: 'ec'; readonly parameters: Buffer; readonly point: Buffer }

export interface KeyPairHandles {
  readonly privateKey: KeyHandle
  readonly publicKey: KeyHandle
}

/**
 * The few PKCS#11 calls we make, in our own words, on one logged-in session. At most one call at a
 * time. Every failure is a `TokenError`.
 */
export interface Session {
  /** At most two handles: more than one is already too many. */
  findPrivateKeys(id: Buffer): Promise<KeyHandle[]>
  findPublicKeys(id: Buffer): Promise<KeyHandle[]>
  /** The token may read `data` until the promise settles; the caller must not touch it. */
  sign(key: KeyHandle, mechanism: Mechanism, data: Buffer): Promise<Buffer>
  /** `locked` also asks for objects that cannot be changed or copied; not every token knows that. */
  generateKeyPair(algorithm: KeyAlgorithm, id: Buffer, locked: boolean): Promise<KeyPairHandles>
  privateKeyAttributes(key: KeyHandle): Promise<PrivateKeyAttributes>
  publicKeyValue(key: KeyHandle): Promise<PublicKeyValue>
  destroy(key: KeyHandle): Promise<void>
  /** Fails unless the token knows this session as logged in. */
  probe(): Promise<void>
}

/** A session as the pool owns it. */
export interface OpenSession extends Session {
  /** Never while a call is under way: libraries crash. Never throws. */
  close(): void
}

/** A token in a slot of a loaded library. */
export interface Token {
  /** Opens a session and logs in if the token is not logged in yet. */
  openSession(): OpenSession
  /** Brings a library back that says it is not initialised. */
  reinitialise(): void
  /** Lets go of the library; the last user finalises it. All sessions must be closed. */
  release(): void
}
