import type { Secrets } from '../config/secrets.js'
import type { AccessToken, AccessTokens, Scope } from '../http/bearer.js'
import type { DpopProof } from '../http/dpop.js'
import { unsealPayload } from './adapter.js'
import { approvedManagement, isManagementScope } from './management-details.js'
import { hashIdentifier, type OAuthRecordStore } from './oauth-record.js'

/** Looks up the access tokens the authorization server issued; no other kind of token passes here. */
export class IssuedAccessTokens implements AccessTokens {
  readonly #parts: {
    records: OAuthRecordStore
    secrets: Secrets
    now: () => Date
  }

  constructor(parts: { records: OAuthRecordStore; secrets: Secrets; now: () => Date }) {
    this.#parts = parts
  }

  async find(token: string): Promise<AccessToken | 'expired' | 'revoked' | null> {
    const { records, secrets, now } = this.#parts
    const idHash = hashIdentifier(token)
    const issued = await records.findAccessToken(idHash)
    if (!issued) return null
    const { model, record } = issued
    if (record.revokedAt) return 'revoked'
    if (record.expiresAt && record.expiresAt <= now()) return 'expired'
    const payload = unsealPayload(secrets, model, idHash, record)
    const { clientId, accountId, scope, grantId } = payload
    const bound = {
      jkt: typeof payload['jkt'] === 'string' ? payload['jkt'] : null,
      x5t: typeof payload['x5t#S256'] === 'string' ? payload['x5t#S256'] : null,
    }
    if (!clientId) return null
    if (model === 'ClientCredentials') {
      return clientId === issued.clientId ? clientToken(clientId, bound) : 'revoked'
    }
    if (!accountId || !isPersonal(scope)) return null
    const management = isManagementScope(scope) ? approvedManagement(payload['rar']) : null
    if (isManagementScope(scope) && !management) return null
    if (clientId !== issued.clientId || accountId !== issued.accountId) return 'revoked'
    const authorisationId = scope === 'credential' ? (grantId ?? null) : null
    return {
      ...{ clientId, userId: accountId, scope, authorisationId, management },
      grantId: grantId ?? null,
      ...bound,
    }
  }

  spendProof({ jkt, jti, forgetAfter }: DpopProof): Promise<boolean> {
    return this.#parts.records.putOnce({
      model: 'DpopProof',
      idHash: hashIdentifier(JSON.stringify([jkt, jti])),
      ...{ grantId: null, uidHash: null, payload: '' },
      expiresAt: forgetAfter,
    })
  }

  spendManagement({ grantId }: AccessToken): Promise<boolean> {
    const { records, now } = this.#parts
    const idHash = hashIdentifier(grantId ?? '')
    return records.putOnce({
      ...{ model: 'ManagementUse', idHash, grantId, uidHash: null, payload: '' },
      expiresAt: new Date(now().getTime() + REMEMBERED_SECONDS * 1000),
    })
  }
}

/** What an application got for itself acts for no person (S39). */
function clientToken(clientId: string, bound: Pick<AccessToken, 'jkt' | 'x5t'>): AccessToken {
  const forNobody = { userId: '', scope: 'client', authorisationId: null, grantId: null } as const
  return { clientId, ...forNobody, management: null, ...bound }
}

/** Longer than any token lives. */
const REMEMBERED_SECONDS = 86_400

function isPersonal(scope: unknown): scope is Exclude<Scope, 'client'> {
  return scope === 'service' || scope === 'credential' || isManagementScope(scope)
}
