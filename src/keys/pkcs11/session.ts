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

/**
 * Attributes of private keys that not every token knows. We ask for them and read them back, unless the
 * operator has said that this token cannot have them (`hsm.tolerate`).
 */
export const OPTIONAL_ATTRIBUTES = [
  'allowedMechanisms',
  'local',
  'modifiable',
  'copyable',
  'signRecover',
  'derive',
] as const
export type OptionalAttribute = (typeof OPTIONAL_ATTRIBUTES)[number]

export interface KeyPairTemplate {
  readonly algorithm: KeyAlgorithm
  readonly id: Buffer
  /** For good in the token and never outside; or for as long as the session, and only until wrapped. */
  readonly kind: 'resident' | 'to-be-wrapped'
  readonly without: ReadonlySet<OptionalAttribute>
  /** Whether only a key that the security officer calls trusted may wrap it. */
  readonly wrapWithTrusted?: boolean
}

/** How a private key leaves the token: which mechanism wraps it. */
export const WRAP_VARIANTS = ['aes-kwp', 'aes-wrap-pad', 'aes-cbc-pad'] as const
export type WrapVariant = (typeof WRAP_VARIANTS)[number]

/** A wrapped private key, and under what. */
export interface WrappedBlob {
  readonly variant: WrapVariant
  /** Initialisation vector of variants that need one; empty otherwise. */
  readonly iv: Buffer
  readonly bytes: Buffer
}

/** What an unwrapped private key becomes: a session object that is never extractable and only signs. */
export interface UnwrapTemplate {
  readonly algorithm: KeyAlgorithm
  readonly id: Buffer
  readonly without: ReadonlySet<OptionalAttribute>
  /** Point or modulus, for tokens that cannot do without (CKA_NSS_DB). */
  readonly publicValue?: Buffer
  /** Only to see whether the token refuses it, as its wrapping key demands. */
  readonly extractable?: true
}

export interface SecretKeyTemplate {
  /** It wraps private keys, or it makes MACs. */
  readonly purpose: 'wrapping' | 'binding'
  readonly id: Buffer
  readonly label: string
  /** Whether the token shall see to it itself that what is unwrapped is never readable (CKA_UNWRAP_TEMPLATE). */
  readonly guarded: boolean
}

/** The facts about a key that wraps keys, or makes MACs, as the token states them. */
export interface SecretKeyAttributes {
  readonly sensitive: boolean
  readonly extractable: boolean
  readonly neverExtractable: boolean
  readonly local: boolean
  readonly wrap: boolean
  readonly unwrap: boolean
  readonly encrypt: boolean
  readonly decrypt: boolean
  readonly sign: boolean
  readonly trusted: boolean
}

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
  /**
   * Signs one after the other. After a failure nothing more is signed, and it says whether there may be
   * signatures. The token may read `data` until the promise settles; the caller must not touch it.
   */
  sign(key: KeyHandle, mechanism: Mechanism, data: readonly Buffer[]): Promise<Buffer[]>
  generateKeyPair(template: KeyPairTemplate): Promise<KeyPairHandles>
  privateKeyAttributes(key: KeyHandle): Promise<PrivateKeyAttributes>
  publicKeyValue(key: KeyHandle): Promise<PublicKeyValue>
  destroy(key: KeyHandle): Promise<void>
  /** At most two handles, as above. */
  findSecretKeys(id: Buffer): Promise<KeyHandle[]>
  /** A token object that is never extractable. */
  generateSecretKey(template: SecretKeyTemplate): Promise<KeyHandle>
  secretKeyAttributes(key: KeyHandle): Promise<SecretKeyAttributes>
  wrap(wrapping: KeyHandle, variant: WrapVariant, key: KeyHandle): Promise<WrappedBlob>
  unwrap(wrapping: KeyHandle, blob: WrappedBlob, template: UnwrapTemplate): Promise<KeyHandle>
  /** HMAC with SHA-256. */
  mac(key: KeyHandle, data: Buffer): Promise<Buffer>
  /** CKA_ID of every private key that is a token object. */
  listPrivateKeyIds(): Promise<Buffer[]>
  /**
   * Fails unless the token knows this session as logged in.
   * @returns who the token says it is: maker and serial number
   */
  probe(): Promise<string>
}

/** A session as the pool owns it. */
export interface OpenSession extends Session {
  /** Never while a call is under way: libraries crash. Never fails. */
  close(): Promise<void>
}

/** What a token says of itself. */
export interface TokenFacts {
  readonly label: string
  readonly manufacturer: string
  readonly model: string
  readonly serialNumber: string
  /** Read-write sessions it can have at once, those of others included; null for no limit. */
  readonly mostSessions: number | null
  readonly mechanisms: ReadonlyMap<number, MechanismFacts>
}

/** In the unit of the mechanism: bits, or bytes. */
export interface MechanismFacts {
  readonly minKeySize: number
  readonly maxKeySize: number
  /** CKF_… */
  readonly flags: number
}

/** A token in a slot of a loaded library. */
export interface Token {
  /** How many digests are best signed by one call now: 1 where waiting for the token is what takes long. */
  readonly signsTogether: number
  /** Needs no session and no login. */
  describe(): Promise<TokenFacts>
  /** Opens a session and logs in if the token is not logged in yet. A refused PIN is not tried again. */
  openSession(): Promise<OpenSession>
  /**
   * Brings a library back that says it is not initialised; one that says nothing of the kind is
   * finalised before, unless others of this process use it. No session may be open.
   */
  reinitialise(): Promise<void>
  /** Lets go of the library; the last user finalises it. All sessions must be closed. */
  release(): Promise<void>
}
