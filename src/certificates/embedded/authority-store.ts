import type { AuditEvent } from '../../audit/events.js'

/** A key of our own and its certificate. */
export interface AuthorityRecord {
  /** Name of the key in key custody. */
  readonly keyId: string
  /** DER. */
  readonly certificate: Buffer
}

export type AuthorityName = 'root' | 'issuing'

/** Services with a key of their own, which signs for them and nothing else: OCSP responder, timestamping. */
export type ServiceName = 'ocsp' | 'tsa'

/** Where the embedded authority and services keep what they may not make twice. */
export interface AuthorityStore {
  load(name: AuthorityName | ServiceName): Promise<AuthorityRecord | null>
  /**
   * Keeps the first record of a name: a later one is dropped without an error. Callers load again to
   * learn which one counts.
   */
  save(
    name: AuthorityName | ServiceName,
    record: AuthorityRecord,
    audit?: readonly AuditEvent[],
  ): Promise<void>
  /**
   * Puts another record in the place of that with the key `keyId`, which goes on being the service's
   * until the next one is replaced: others may be signing with it. One that is not trusted any more ends at
   * once. False when it is not there any more.
   */
  replace(
    name: ServiceName,
    keyId: string,
    record: AuthorityRecord,
    isTrusted: boolean,
    audit: readonly AuditEvent[],
  ): Promise<boolean>
}
