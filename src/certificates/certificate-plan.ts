import type { SignatureAlgorithm } from '../keys/algorithms.js'
import type { KeyUsage, QcStatements } from './profiles.js'

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
  /** By which the issuer signs it. */
  readonly issuerAlgorithm: SignatureAlgorithm
  readonly keyUsage: readonly KeyUsage[]
  /** Null for end entities. */
  readonly authority: { readonly pathLength: number } | null
  readonly policyOids: readonly string[]
  readonly extendedKeyUsage: readonly string[]
  readonly extendedKeyUsageIsCritical: boolean
  /** Where what is said about the certificate can be fetched; null for nowhere. */
  readonly urls: CertificateUrls
  /** id-pkix-ocsp-nocheck: nobody asks whether an OCSP responder was revoked. */
  readonly ocspNoCheck: boolean
  /** id-ce-noRevAvail: nobody is told whether it was revoked. @see RFC 9608 */
  readonly noRevocationAvailable: boolean
  readonly qcStatements: QcStatements | null
  readonly email: string | undefined
}

export interface CertificateUrls {
  readonly crl: string | null
  readonly ocsp: string | null
  /** The certificate of the issuer, DER. */
  readonly caIssuers: string | null
}

export const NO_URLS: CertificateUrls = { crl: null, ocsp: null, caIssuers: null }
