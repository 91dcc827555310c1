import type { Secrets } from '../config/secrets.js'
import type { AccessToken, AccessTokens, Scope } from '../http/bearer.js'
import type { Accounts } from '../identity/accounts.js'
import { hashIdentifier, unsealPayload } from './adapter.js'
import type { ClientStore } from './client.js'
import type { OAuthRecordStore } from './oauth-record.js'

/** Looks up the access tokens the authorization server issued; no other kind of token passes here. */
export class IssuedAccessTokens implements AccessTokens {
  readonly #parts: {
    records: OAuthRecordStore
    clients: ClientStore
    accounts: Accounts
    secrets: Secrets
    now: () => Date
  }

  constructor(parts: {
    records: OAuthRecordStore
    clients: ClientStore
    accounts: Accounts
    secrets: Secrets
    now: () => Date
  }) {
    this.#parts = parts
  }

  async find(token: string): Promise<AccessToken | 'expired' | 'revoked' | null> {
    const { records, clients, accounts, secrets, now } = this.#parts
    const idHash = hashIdentifier(token)
    const record = await records.find('AccessToken', idHash)
    if (!record) return null
    if (record.revokedAt) return 'revoked'
    if (record.expiresAt && record.expiresAt <= now()) return 'expired'
    const payload = unsealPayload(secrets, 'AccessToken', idHash, record)
    const { clientId, accountId, scope, grantId } = payload
    if (!clientId || !accountId || (scope !== 'service' && scope !== 'credential')) return null
    const [client, user] = await Promise.all([clients.find(clientId), accounts.find(accountId)])
    if (!user || !client || client.disabledAt) return 'revoked'
    const authorisationId = scope === 'credential' ? (grantId ?? null) : null
    return { clientId, userId: accountId, scope: scope satisfies Scope, authorisationId }
  }
}
