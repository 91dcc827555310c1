import type { SignatureAlgorithm } from '../algorithms.js'

/** Octet strings on their way between threads: one piece of memory crosses sooner than many. */
export interface Joined {
  readonly bytes: Uint8Array
  readonly lengths: readonly number[]
}

export function join(strings: readonly Uint8Array[]): Joined {
  const lengths = strings.map(({ length }) => length)
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0))
  let at = 0
  for (const each of strings) {
    bytes.set(each, at)
    at += each.length
  }
  return { bytes, lengths }
}

export function part({ bytes, lengths }: Joined): Buffer[] {
  let at = bytes.byteOffset
  return lengths.map((length) => Buffer.from(bytes.buffer, (at += length) - length, length))
}

/** A batch of inputs to be signed with one key in one session, one after the other. */
export interface SignJob {
  readonly kind: 'sign'
  /** Path of a PKCS#11 library that this process has loaded and initialised. */
  readonly module: string
  readonly session: bigint | number
  readonly key: bigint | number
  /** CKM_… */
  readonly mechanism: number
  /** As the library reads it in memory; null for none. */
  readonly parameter: Uint8Array | null
  readonly inputs: Joined
}

/** What became of it: signatures in the order of the inputs, as many as were made before it failed. */
export interface Signed {
  readonly signatures: Joined
  readonly failure: { readonly call: 'C_SignInit' | 'C_Sign'; readonly code: number } | null
  /** How long the library took for all, in milliseconds. */
  readonly took: number
}

/** Signatures under one key that are to be verified. */
export interface VerifyJob {
  readonly kind: 'verify'
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
  readonly scheme: SignatureAlgorithm['scheme']
  readonly hash: SignatureAlgorithm['hash']['name']
  readonly saltLength: number | null
  readonly digests: Joined
  readonly signatures: Joined
}

export type NativeJob = SignJob | VerifyJob

/** Of a verification: whether all of them are good. */
export type Outcome<J extends NativeJob> = J extends SignJob ? Signed : boolean
