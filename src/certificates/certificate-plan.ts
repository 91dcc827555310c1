import type { KeyUsage } from './profiles.js'

/** ECDSA with SHA-384: what our authorities sign with. */
export const SIGNATURE_OID = '1.2.840.10045.4.3.3'

/** What somebody decided a certificate shall say. */
export interface CertificatePlan {
  /** Big-endian, positive. */
  readonly serialNumber: Buffer
  /** Names, DER. */
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer
  readonly issuerPublicKey: Buffer
  readonly keyUsage: readonly KeyUsage[]
  /** Null for end entities. */
  readonly authority: { readonly pathLength: number } | null
  readonly policyOids: readonly string[]
  readonly extendedKeyUsage: readonly string[]
  readonly email: string | undefined
}
