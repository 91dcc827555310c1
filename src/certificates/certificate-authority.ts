import type { CertificateProfile } from './profiles.js'

/** Whom a certificate names. */
export interface SubjectName {
  readonly commonName: string
  readonly givenName?: string
  readonly surname?: string
  readonly organization?: string
  /** By what an organisation is told from others of its name. @see EN 319 412-3, 4.2.1 */
  readonly organizationIdentifier?: string
  readonly country?: string
  readonly serialNumber?: string
  readonly email?: string
}

export interface IssuedCertificate {
  /** The end-entity certificate, DER. */
  readonly certificate: Buffer
  /** The certificates above it, issuer first, DER. */
  readonly chain: readonly Buffer[]
}

/** Certifies public keys whose private halves are in key custody. */
export interface CertificateAuthority {
  /** `publicKey` is a SubjectPublicKeyInfo, DER. The certificate returned carries exactly that key. */
  issue(request: {
    /** Its name in key custody. */
    readonly keyId: string
    readonly publicKey: Buffer
    readonly subject: SubjectName
    readonly profile: CertificateProfile
  }): Promise<IssuedCertificate>
}
