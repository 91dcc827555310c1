import { errors, type Configuration } from 'oidc-provider'
import type { ClientStore } from './client.js'
import { CREDENTIAL_DETAIL_TYPES, coversDetails } from './authorization-details.js'
import {
  MANAGEMENT_DETAIL_TYPES,
  MANAGEMENT_SCOPES,
  repeatsManagement,
} from './management-details.js'

/** All scopes there are. */
export const SCOPES = ['service', 'credential', ...MANAGEMENT_SCOPES] as const

type Features = NonNullable<Configuration['features']>

/**
 * Rich authorization requests (RFC 9396) for signatures. What they may contain is checked with the whole
 * request (authorization-request.ts); here is what becomes of them: tokens carry what the signer approved.
 */
export function richAuthorization(baseUrl: string) {
  return {
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx, _client, oneOf) =>
        oneOf || ctx.oidc.params?.['authorization_details'] !== undefined ? baseUrl : undefined,
      getResourceServerInfo: (_ctx, resource) => {
        if (resource !== baseUrl) throw new errors.InvalidTarget()
        return { audience: baseUrl, scope: SCOPES.join(' '), accessTokenFormat: 'opaque' }
      },
      useGrantedResource: () => true,
    },
    richAuthorizationRequests: {
      enabled: true,
      types: Object.fromEntries(
        [...CREDENTIAL_DETAIL_TYPES, ...MANAGEMENT_DETAIL_TYPES].map((type) => [
          type,
          { validate: () => undefined },
        ]),
      ),
      authorizationDetailsForGrantSource: (ctx) => ctx.oidc.entities.Grant?.rar,
      authorizationDetailsForAccessToken: (ctx, _token, source) => {
        const approved = source && 'rar' in source ? source.rar : undefined
        const requested = ctx.oidc.params?.['authorization_details']
        if (requested !== undefined && !covers(approved?.[0], requested as string)) {
          throw new errors.InvalidGrant('authorization_details ask for more than was approved')
        }
        return approved
      },
      authorizationDetailsForIntrospection: (_ctx, { rar }) => rar,
    },
  } satisfies Pick<Features, 'resourceIndicators' | 'richAuthorizationRequests'>
}

/** What a token stands for, as far as that decides whether it is active. */
export interface IntrospectedToken {
  readonly accountId?: string | undefined
  readonly clientId: string
  /** Of a credential-scope token: used up, it is active no more. */
  readonly authorisationId: string | null
}

/** Introspection (RFC 7662): of one's own tokens, and of all for those who are told so. */
export function introspection(
  clients: ClientStore,
  isActive: (token: IntrospectedToken) => Promise<boolean>,
) {
  return {
    enabled: true,
    allowedPolicy: async (_ctx, { clientId }, token) => {
      const client = await clients.find(clientId)
      if (!client || client.authMethod === 'none') return false
      if (token.clientId !== clientId && !client.introspectsAll) return false
      const accountId = 'accountId' in token ? token.accountId : undefined
      const forSigning = token.kind === 'AccessToken' && token.scope === 'credential'
      return isActive({
        ...{ accountId, clientId: token.clientId ?? '' },
        authorisationId: forSigning ? (token.grantId ?? '') : null,
      })
    },
  } satisfies Features['introspection']
}

function covers(approved: unknown, requested: string): boolean {
  return coversDetails(approved, requested) || repeatsManagement(approved, requested)
}
