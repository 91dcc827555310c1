import type { Bytes } from './encoding.js'

/** A hash algorithm under each name it goes by on its way. */
export interface HashAlgorithm {
  readonly name: 'SHA-256' | 'SHA-384' | 'SHA-512'
  readonly oid: string
  readonly openssl: 'sha256' | 'sha384' | 'sha512'
  /** `signAlgo` of ECDSA and of RSA (PKCS#1 v1.5) with this hash. */
  readonly ecdsa: string
  readonly rsa: string
}

export const SHA_256: HashAlgorithm = {
  name: 'SHA-256',
  oid: '2.16.840.1.101.3.4.2.1',
  openssl: 'sha256',
  ecdsa: '1.2.840.10045.4.3.2',
  rsa: '1.2.840.113549.1.1.11',
}
export const SHA_384: HashAlgorithm = {
  name: 'SHA-384',
  oid: '2.16.840.1.101.3.4.2.2',
  openssl: 'sha384',
  ecdsa: '1.2.840.10045.4.3.3',
  rsa: '1.2.840.113549.1.1.12',
}
export const SHA_512: HashAlgorithm = {
  name: 'SHA-512',
  oid: '2.16.840.1.101.3.4.2.3',
  openssl: 'sha512',
  ecdsa: '1.2.840.10045.4.3.4',
  rsa: '1.2.840.113549.1.1.13',
}

/** One row per curve: its OID, what people call it, how WebCrypto calls it, and the hash of its size. */
export const CURVES = [
  { oid: '1.2.840.10045.3.1.7', name: 'P-256', bytes: 32, hash: SHA_256 },
  { oid: '1.3.132.0.34', name: 'P-384', bytes: 48, hash: SHA_384 },
  { oid: '1.3.132.0.35', name: 'P-521', bytes: 66, hash: SHA_512 },
] as const
export type Curve = (typeof CURVES)[number]

/** The `key` of a credential, as far as it decides how to sign. */
export interface KeyInfo {
  readonly algo: readonly string[]
  readonly len: number
  readonly curve?: string
}

export interface Signing {
  readonly hash: HashAlgorithm
  readonly signAlgo: string
  /** “ECDSA P-384” */
  readonly label: string
}

/** How this page signs with a key, or null when it cannot (another curve, another algorithm). */
export function signingWith(key: KeyInfo): Signing | null {
  if (key.curve !== undefined) {
    const curve = CURVES.find(({ oid }) => oid === key.curve)
    if (!curve) return null
    return { hash: curve.hash, signAlgo: curve.hash.ecdsa, label: `ECDSA ${curve.name}` }
  }
  if (!key.algo.some((oid) => oid.startsWith('1.2.840.113549.1.1.'))) return null
  return { hash: SHA_256, signAlgo: SHA_256.rsa, label: `RSA ${key.len}` }
}

export async function digest(hash: HashAlgorithm, content: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest(hash.name, content))
}
