/** One thing the authorization server remembers, such as a code, a token or a session. */
export interface OAuthRecord {
  readonly payload: string
  readonly grantId: string | null
  readonly consumedAt: Date | null
  readonly revokedAt: Date | null
  readonly expiresAt: Date | null
}

export interface NewOAuthRecord {
  readonly model: string
  readonly idHash: string
  readonly grantId: string | null
  readonly uidHash: string | null
  readonly payload: string
  readonly expiresAt: Date | null
}

export interface OAuthRecordStore {
  put(record: NewOAuthRecord): Promise<void>
  /** False when the identifier was used before: of concurrent calls, exactly one gets true. */
  putOnce(record: NewOAuthRecord): Promise<boolean>
  find(model: string, idHash: string): Promise<OAuthRecord | null>
  findByUid(model: string, uidHash: string): Promise<(OAuthRecord & { idHash: string }) | null>
  /** Marks the record as used. Of concurrent calls, exactly one gets true. */
  consume(model: string, idHash: string, at: Date): Promise<boolean>
  /** Ends the record and, for an access token, the authorisation it carries. */
  revoke(model: string, idHash: string, at: Date): Promise<void>
  /** Ends everything issued under the grant, and the authorisation of that name. */
  revokeGrant(grantId: string, at: Date): Promise<void>
  /** Forgets what expired before `before`. */
  deleteExpired(before: Date): Promise<void>
}
