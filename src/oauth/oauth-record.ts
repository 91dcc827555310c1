import { hash } from 'node:crypto'

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
  /** Whose it is, and which application's; absent where it is nobody's. */
  readonly accountId?: string | null
  readonly clientId?: string | null
  readonly payload: string
  readonly expiresAt: Date | null
}

/** A record of a person, found by whose it is. */
export interface OwnedOAuthRecord extends OAuthRecord {
  readonly model: string
  readonly idHash: string
  readonly uidHash: string | null
  readonly clientId: string | null
}

/** An access token, and whether those stand whom it was given out to. */
export interface IssuedToken {
  readonly model: 'AccessToken' | 'ClientCredentials'
  readonly record: OAuthRecord
  /** The application, while it is registered and not disabled. */
  readonly clientId: string | null
  /** The person, while their account is not disabled. */
  readonly accountId: string | null
}

/** Identifiers are bearer values, so only their hash is kept. */
export function hashIdentifier(identifier: string): string {
  return hash('sha256', identifier, 'base64url')
}

/** Says of a session that it was ended, also to whoever renews its identifier at that moment. */
export const ENDED_SESSION = 'EndedSession'

/** A record is written, or ended: then so is the authorisation that an access token carries. */
export type RecordChange =
  | { readonly put: NewOAuthRecord }
  | { readonly revoke: { readonly model: string; readonly idHash: string }; readonly at: Date }

export interface OAuthRecordStore {
  /** All of it, in this order, or nothing. */
  write(changes: readonly RecordChange[]): Promise<void>
  /** False when the identifier was used before: of concurrent calls, exactly one gets true. */
  putOnce(record: NewOAuthRecord): Promise<boolean>
  find(model: string, idHash: string): Promise<OAuthRecord | null>
  findAccessToken(idHash: string): Promise<IssuedToken | null>
  findByUid(model: string, uidHash: string): Promise<(OAuthRecord & { idHash: string }) | null>
  /** Marks the record as used. Of concurrent calls, exactly one gets true. */
  consume(model: string, idHash: string, at: Date): Promise<boolean>
  /** Ends everything issued under the grant, the authorisation of that name, and what was asked for with its tokens. */
  revokeGrant(grantId: string, at: Date): Promise<void>
  /** What of these kinds a person has that is neither used, revoked nor expired; newest first. */
  listOwned(accountId: string, models: readonly string[], now: Date): Promise<OwnedOAuthRecord[]>
  /** Ends sessions of this person, whatever identifier they have or are given now. */
  endSessions(
    accountId: string,
    uidHashes: readonly string[],
    until: Date,
    at: Date,
  ): Promise<boolean>
  /** Ends all that an application has of a person: consent, codes, tokens, approvals that stand. */
  endAccess(accountId: string, clientId: string, at: Date): Promise<void>
}
