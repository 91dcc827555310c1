import { createHash } from 'node:crypto'
import { readCertificates, type KnownCertificate } from './known-certificate.js'
import { readStatements, type RevocationStatement } from './revocation-records.js'

/** What came along with a signature, or from elsewhere, to judge it by. */
export interface Material {
  readonly certificates: readonly KnownCertificate[]
  readonly statements: readonly RevocationStatement[]
}

export const NO_MATERIAL: Material = { certificates: [], statements: [] }

/** What of it can be read. Certificates, `CertificateList`s and `OCSPResponse`s, DER. */
export function readMaterial(parts: {
  readonly certificates: readonly Buffer[]
  readonly crls: readonly Buffer[]
  readonly ocspResponses: readonly Buffer[]
}): Material {
  return {
    certificates: readCertificates(parts.certificates),
    statements: readStatements(parts.crls, parts.ocspResponses),
  }
}

export function joinMaterial(...parts: readonly Material[]): Material {
  return {
    certificates: parts.flatMap(({ certificates }) => certificates),
    statements: parts.flatMap(({ statements }) => statements),
  }
}

const FINGERPRINTS = new WeakMap<Buffer, string>()

/** SHA-256 of a statement or a token, reckoned once: lists of revoked certificates are long. */
export function fingerprintOf({ der }: { readonly der: Buffer }): string {
  const known = FINGERPRINTS.get(der) ?? createHash('sha256').update(der).digest('hex')
  FINGERPRINTS.set(der, known)
  return known
}
