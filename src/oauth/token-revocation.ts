import { auditEvent } from '../audit/events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { Secrets } from '../config/secrets.js'
import { unsealPayload } from './adapter.js'
import { hashIdentifier, type OAuthRecordStore } from './oauth-record.js'

const KINDS = {
  access_token: ['AccessToken', 'ClientCredentials'],
  refresh_token: ['RefreshToken'],
} as const
export type TokenTypeHint = keyof typeof KINDS

/** Ends tokens for who holds another token of the same application and person (CSC API, auth/revoke). */
export class TokenRevocation {
  readonly #parts: {
    records: OAuthRecordStore
    secrets: Secrets
    audit: AuditLog
    now: () => Date
  }

  constructor(parts: {
    records: OAuthRecordStore
    secrets: Secrets
    audit: AuditLog
    now: () => Date
  }) {
    this.#parts = parts
  }

  /**
   * A refresh token takes its whole grant along, an access token only itself and what was approved for it.
   * @returns false for a token that is unknown, ended or somebody else's: all look the same
   */
  async revoke(
    token: string,
    hint: TokenTypeHint | null,
    caller: { readonly clientId: string; readonly userId: string },
  ): Promise<boolean> {
    const { records, secrets, audit, now } = this.#parts
    const idHash = hashIdentifier(token)
    const kinds = hint === null ? Object.values(KINDS).flat() : KINDS[hint]
    for (const kind of kinds) {
      const record = await records.find(kind, idHash)
      if (!record || record.revokedAt) continue
      const { clientId, accountId, grantId } = unsealPayload(secrets, kind, idHash, record)
      if (clientId !== caller.clientId || (accountId ?? '') !== caller.userId) continue
      if (kind === 'RefreshToken' && grantId) await records.revokeGrant(grantId, now())
      else await records.write([{ revoke: { model: kind, idHash }, at: now() }])
      await audit.append(auditEvent('token.revoked', { clientId, kind }))
      return true
    }
    return false
  }
}
