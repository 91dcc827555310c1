/** An authority's key and its certificate. */
export interface AuthorityRecord {
  /** Name of the key in key custody. */
  readonly keyId: string
  /** DER. */
  readonly certificate: Buffer
}

export type AuthorityName = 'root' | 'issuing'

/** Where the embedded authority keeps what it may not make twice. */
export interface AuthorityStore {
  load(name: AuthorityName): Promise<AuthorityRecord | null>
  /**
   * Keeps the first record of a name for good: a later one is dropped without an error. Callers
   * load again to learn which one counts.
   */
  save(name: AuthorityName, record: AuthorityRecord): Promise<void>
}
