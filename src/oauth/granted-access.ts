import type { Secrets } from '../config/secrets.js'
import { ACCOUNT_CLIENT_ID } from './account-client.js'
import { unsealPayload } from './adapter.js'
import { hashIdentifier, type OAuthRecordStore } from './oauth-record.js'

/** A browser in which the person is signed in. */
export interface OpenSession {
  /** Names the session, and opens nothing. */
  readonly handle: string
  readonly authenticatedAt: Date
  readonly expiresAt: Date
  /** How they signed in (RFC 8176). */
  readonly amr: readonly string[]
  /** Applications it was used for. */
  readonly clientIds: readonly string[]
}

/** An application that can see a person's credentials. */
export interface ApplicationAccess {
  readonly clientId: string
  /** Until when its newest access token is good; null when none is. */
  readonly until: Date | null
  /** Until when it can get another without asking; null when it cannot. */
  readonly renewableUntil: Date | null
}

/** What a person once agreed to, seen from their side: who is signed in as them, and who has access. */
export class GrantedAccess {
  readonly #records: OAuthRecordStore
  readonly #secrets: Secrets
  readonly #now: () => Date
  readonly #sessionSeconds: number

  constructor(parts: {
    records: OAuthRecordStore
    secrets: Secrets
    now: () => Date
    sessionSeconds: number
  }) {
    this.#records = parts.records
    this.#secrets = parts.secrets
    this.#now = parts.now
    this.#sessionSeconds = parts.sessionSeconds
  }

  /** The handle of the session with that uid. */
  handleOf(sessionUid: string): string {
    return hashIdentifier(sessionUid)
  }

  /** Newest sign-in first. */
  async sessions(userId: string): Promise<OpenSession[]> {
    const records = await this.#records.listOwned(userId, ['Session'], this.#now())
    return records
      .flatMap((record): OpenSession[] => {
        const { uidHash, expiresAt, model, idHash } = record
        if (uidHash === null || !expiresAt) return []
        const payload = unsealPayload(this.#secrets, model, idHash, record)
        const { loginTs = 0, amr, authorizations = {} } = payload
        const clientIds = Object.keys(authorizations).filter((id) => id !== ACCOUNT_CLIENT_ID)
        const authenticatedAt = new Date(loginTs * 1000)
        const methods = Array.isArray(amr) ? amr : []
        return [{ handle: uidHash, authenticatedAt, expiresAt, amr: methods, clientIds }]
      })
      .sort((a, b) => b.authenticatedAt.getTime() - a.authenticatedAt.getTime())
  }

  /** False when it is another person's, or has ended. */
  async endSession(userId: string, handle: string): Promise<boolean> {
    const open = await this.sessions(userId)
    if (!open.some((session) => session.handle === handle)) return false
    return this.#endSessions(userId, [handle])
  }

  async endOtherSessions(userId: string, sessionUid: string): Promise<void> {
    const own = this.handleOf(sessionUid)
    const others = (await this.sessions(userId)).map(({ handle }) => handle)
    await this.#endSessions(
      userId,
      others.filter((handle) => handle !== own),
    )
  }

  async #endSessions(userId: string, handles: readonly string[]): Promise<boolean> {
    if (handles.length === 0) return true
    const now = this.#now()
    const until = new Date(now.getTime() + this.#sessionSeconds * 1000)
    return this.#records.endSessions(userId, handles, until, now)
  }

  /** Applications whose tokens are good, or can be renewed. */
  async applications(userId: string): Promise<ApplicationAccess[]> {
    const kinds = ['AccessToken', 'RefreshToken']
    const records = await this.#records.listOwned(userId, kinds, this.#now())
    const found = new Map<string, ApplicationAccess>()
    for (const { clientId, model, expiresAt } of records) {
      if (clientId === null) continue
      const known = found.get(clientId) ?? { clientId, until: null, renewableUntil: null }
      const name = model === 'RefreshToken' ? 'renewableUntil' : 'until'
      found.set(clientId, { ...known, [name]: known[name] ?? expiresAt })
    }
    return [...found.values()]
  }

  /** Ends all an application has of this person, tokens and approvals alike, at once (S28, S44). */
  async endApplication(userId: string, clientId: string): Promise<void> {
    await this.#records.endAccess(userId, clientId, this.#now())
  }

  /** Ends what was issued for one approval. */
  async endApproval(authorisationId: string): Promise<void> {
    await this.#records.revokeGrant(authorisationId, this.#now())
  }
}
