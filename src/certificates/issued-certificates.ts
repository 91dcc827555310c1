import type { AuditEvent } from '../audit/events.js'
import type { AuthorityName } from './embedded/authority-store.js'
import type { Revocation } from './revocation.js'

/** A certificate as it is put on record before it is signed. */
export interface NewCertificate {
  /** Upper-case hexadecimal. */
  readonly serialNumber: string
  /** The certified key, by its name in key custody. */
  readonly keyId: string
  /** Name of the profile. */
  readonly profile: string
  readonly issuedAt: Date
  readonly notAfter: Date
}

export interface RevokedCertificate {
  readonly serialNumber: string
  readonly revocation: Revocation
}

/**
 * Every certificate the embedded authority issued, and which of them are not good (any more). Those of
 * credentials change together with the credential, in its store.
 */
export interface IssuedCertificateStore {
  register(certificate: NewCertificate): Promise<void>
  /** Null when it was never issued; `revocation` is null while it is good. */
  find(
    serialNumber: string,
  ): Promise<{ readonly profile: string; readonly revocation: Revocation | null } | null>
  /** Of those that end after that time. */
  listRevoked(endsAfter: Date): Promise<readonly RevokedCertificate[]>
  /** Ends one for good. False when it is not there, or was ended before. */
  revoke(
    serialNumber: string,
    revocation: Revocation,
    audit: readonly AuditEvent[],
  ): Promise<boolean>
}

/** What is known of the newest list of an authority without reading it. */
export interface ListState {
  /** cRLNumber; 0 when there was none yet. */
  readonly number: number
  readonly nextUpdate: Date | null
  /** Whether something was revoked or given back that it does not tell of. */
  readonly isOutdated: boolean
  /** What to pass to `publish` for a list of all that is revoked from now on. */
  readonly covered: number
}

export interface PublishedList {
  readonly number: number
  /** CertificateList, DER. */
  readonly bytes: Buffer
  readonly nextUpdate: Date
  readonly covered: number
}

export interface RevocationListStore {
  state(issuer: AuthorityName): Promise<ListState>
  /** DER; null when the newest is another one meanwhile. */
  load(issuer: AuthorityName, number: number): Promise<Buffer | null>
  /** Of several with the same number one stands; the others get false. */
  publish(
    issuer: AuthorityName,
    list: PublishedList,
    audit: readonly AuditEvent[],
  ): Promise<boolean>
}
