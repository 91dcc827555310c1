import Provider, {
  errors,
  type Client,
  type Configuration,
  type KoaContextWithOIDC,
} from 'oidc-provider'
import type { JWK } from 'jose'
import type { Middleware } from 'koa'
import type { Config } from '../config/schema.js'
import type { Secrets } from '../config/secrets.js'
import { StorageUnavailableError } from '../errors.js'
import { certificateHeader } from '../http/client-certificate.js'
import { PROOF_ALGORITHMS } from '../http/dpop.js'
import { pinScheme } from '../http/own-scheme.js'
import type { Accounts } from '../identity/accounts.js'
import type { Logger } from '../observability/logger.js'
import { LANGUAGES } from '../pages/language.js'
import { ClientAdapter, RecordAdapter } from './adapter.js'
import { CREDENTIAL_DETAIL_TYPES } from './authorization-details.js'
import { rejectUnfitAuthorizationRequest } from './authorization-request.js'
import { answerInQuery, askByGet, withoutOpenId } from './authorize-query.js'
import { nameChosenCredential } from './chosen-credential.js'
import { clientAuthentication } from './client-authentication.js'
import { hasQuirk } from './client-quirks.js'
import type { ClientStore } from './client.js'
import { COMMON_PARAMETERS, CREDENTIAL_PARAMETERS } from './credential-scope.js'
import { INVALID_SCOPE, isKnownTokenTypeHint, translateOAuthErrors } from './csc-errors.js'
import { MANAGEMENT_DETAIL_TYPES } from './management-details.js'
import { hashIdentifier, type OAuthRecordStore } from './oauth-record.js'
import { hideFromOtherOrigins } from './other-origins.js'
import type { PageRenderer } from './page-renderer.js'
import { writeTogether } from './record-writes.js'
import { takeRefreshTokenAlias } from './refresh-token-alias.js'
import {
  introspection,
  richAuthorization,
  SCOPES,
  type IntrospectedToken,
} from './rich-authorization.js'
import { OAUTH_ROUTES, refuseOtherMethods } from './routes.js'
import { isApproved, keepServiceGrant, loadExistingGrant, signerPolicy } from './signer-policy.js'

export interface ProviderParts {
  readonly config: Config
  readonly clients: ClientStore
  readonly records: OAuthRecordStore
  readonly accounts: Accounts
  readonly secrets: Secrets
  readonly cookieKeys: string[]
  readonly pages: PageRenderer
  readonly logger: Logger
  readonly signingKey: JWK
  /** 32 bytes when proofs have to carry a nonce (RFC 9449, 8), else null. */
  readonly dpopNonceSecret: Buffer | null
  /** The credential an approval is for. */
  readonly credentialOf: (authorisationId: string) => Promise<string | null>
  /** Whether something can still be signed with an approval. */
  readonly isOpen: (authorisationId: string) => Promise<boolean>
  readonly now: () => Date
}

/**
 * The embedded authorization server: code grant with PKCE S256 and, for scope `service`, refresh and
 * client credentials; PAR, RAR, DPoP, revocation, introspection.
 */
export function createProvider(parts: ProviderParts): Provider {
  const { config, clients, records, secrets, now, logger } = parts
  const protocol = protocolConfiguration()
  const authentication = clientAuthentication(config, now)
  // Browsers name the origin of their own site's requests too (S50).
  const origins = new Set([new URL(config.baseUrl).origin, ...config.policy.browserOrigins])
  const provider = new Provider(config.baseUrl, {
    ...protocol,
    ...authentication,
    features: {
      ...protocol.features,
      ...authentication.features,
      dPoP: dpop(parts),
      ...richAuthorization(config.baseUrl),
      introspection: introspection(clients, (token) => standsBehind(token, parts)),
    },
    adapter: (model: string) =>
      model === 'Client'
        ? new ClientAdapter(clients, certificateHeader(config.proxy) !== null)
        : new RecordAdapter(model, records, secrets, now),
    clientBasedCORS: (_ctx, origin) => origins.has(origin),
    jwks: { keys: [parts.signingKey] },
    cookies: {
      keys: parts.cookieKeys,
      long: { signed: true, sameSite: 'lax' },
      short: { signed: true, sameSite: 'lax' },
    },
    findAccount: async (_ctx, id) => {
      const user = await parts.accounts.find(id)
      return user ? { accountId: user.id, claims: () => ({ sub: user.id }) } : undefined
    },
    interactions: {
      policy: signerPolicy(),
      url: (_ctx, interaction) => `/oauth2/interaction/${interaction.uid}`,
    },
    loadExistingGrant,
    ttl: lifetimes(config, now),
    extraParams: {
      ...Object.fromEntries([...CREDENTIAL_PARAMETERS, ...COMMON_PARAMETERS].map((n) => [n, null])),
      // One check for all of them: it reads the whole request.
      credentialID: (ctx) => rejectUnfitAuthorizationRequest(ctx, parts),
    },
    renderError: (ctx, out, error) => parts.pages.renderOAuthError(ctx, out, error),
  } satisfies Configuration)
  provider.proxy = config.proxy.trusted
  pinScheme(provider, config.baseUrl)
  provider.use(hideFromOtherOrigins((origin) => origins.has(origin)))
  provider.use(writeTogether(provider, { records, now }))
  provider.use(pinBaseUrl(config.baseUrl))
  provider.use(announceOwn(parts))
  provider.use(refuseOtherMethods)
  provider.use(takeRefreshTokenAlias)
  provider.use(askByGet)
  provider.use(answerInQuery)
  provider.use(withoutOpenId)
  provider.use(translateOAuthErrors(provider))
  provider.use(nameChosenCredential(parts.credentialOf))
  provider.use(nameClientScope)
  useOnceInOneWrite(provider, parts)
  keepCodesOfOtherResource(provider)
  provider.on('server_error', (ctx, error) => {
    logger.error({ err: error }, 'authorization server error')
    if (error instanceof StorageUnavailableError) sayNotNow(ctx)
  })
  provider.on('authorization.success', (ctx) => {
    keepServiceGrant(ctx)
  })
  return provider
}

/** What failed is not wrong, and can be asked again (RFC 6749, 4.1.2.1). */
function sayNotNow(ctx: KoaContextWithOIDC): void {
  ctx.status = 503
  ctx.set('Retry-After', '1')
  // A page says it in its own words.
  if (typeof ctx.body !== 'object') return
  ctx.body = { error: 'temporarily_unavailable', error_description: 'Try again later' }
}

function protocolConfiguration(): Configuration {
  return {
    routes: OAUTH_ROUTES,
    scopes: [...SCOPES],
    responseTypes: ['code'],
    clientDefaults: {
      id_token_signed_response_alg: 'ES256',
      token_endpoint_auth_method: 'client_secret_basic',
      authorization_details_types: [...CREDENTIAL_DETAIL_TYPES, ...MANAGEMENT_DETAIL_TYPES],
    },
    enabledJWA: {
      idTokenSigningAlgValues: ['ES256'],
      clientAuthSigningAlgValues: PROOF_ALGORITHMS,
      dPoPSigningAlgValues: PROOF_ALGORITHMS,
    },
    extraClientMetadata: { properties: ['quirks'] },
    pkce: { required: (_ctx, client) => !leavesOutPkce(client) },
    allowOmittingSingleRegisteredRedirectUri: true,
    conformIdTokenClaims: true,
    expiresWithSession: () => false,
    rotateRefreshToken: (ctx) => {
      const { RefreshToken } = ctx.oidc.entities
      if (RefreshToken) rejectOtherResource(ctx, RefreshToken)
      return true
    },
    issueRefreshToken: (_ctx, client, code) =>
      client.grantTypeAllowed('refresh_token') && code.scopes.has('service'),
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      clientCredentials: { enabled: true },
      revocation: {
        enabled: true,
        // What is answered with a refusal (csc-errors.ts) must not have happened.
        allowedPolicy: (ctx, client, token) =>
          token.clientId === client.clientId && isKnownTokenTypeHint(ctx),
      },
      pushedAuthorizationRequests: { enabled: true },
    },
  }
}

/** v1 does not know it: an application may be let off that proves who it is at the token endpoint (S32). */
function leavesOutPkce(client: Client): boolean {
  return hasQuirk(client, 'no-pkce') && client.tokenEndpointAuthMethod !== 'none'
}

function dpop({ dpopNonceSecret }: ProviderParts) {
  return {
    enabled: true,
    nonceSecret: dpopNonceSecret ?? undefined,
    requireNonce: () => dpopNonceSecret !== null,
  }
}

function lifetimes({ lifetimes }: Config, now: () => Date): Configuration['ttl'] {
  const day = 24 * 60 * 60
  const epoch = () => Math.floor(now().getTime() / 1000)
  return {
    AccessToken: (_ctx, token) =>
      isApproved(token.scope) ? lifetimes.credentialTokenSeconds : lifetimes.serviceTokenSeconds,
    ClientCredentials: (ctx) => {
      rejectOtherClientScope(ctx)
      return lifetimes.serviceTokenSeconds
    },
    AuthorizationCode: lifetimes.authorizationCodeSeconds,
    Grant: lifetimes.refreshTokenDays * day,
    IdToken: lifetimes.serviceTokenSeconds,
    Interaction: lifetimes.interactionSeconds,
    PushedAuthorizationRequest: 60,
    RefreshToken: (ctx) =>
      // The chain of rotated tokens ends when the first would have (S45).
      ctx.oidc.entities.RotatedRefreshToken?.remainingTTL ?? lifetimes.refreshTokenDays * day,
    Session: (_ctx, { loginTs }) =>
      // Counted from signing in: using the session does not prolong it (S28).
      Math.max(1, (loginTs ?? epoch()) + lifetimes.sessionSeconds - epoch()),
  }
}

/** What the server says of itself begins with the configured base URL, whatever Host a request names (S51). */
function pinBaseUrl(baseUrl: string): Middleware {
  return (ctx, next) => {
    Object.defineProperty(ctx.request, 'href', { value: `${baseUrl}${ctx.request.url}` })
    return next()
  }
}

/**
 * The library adds `openid`, which is not to be had here, and ways to answer that are refused; it leaves out
 * how applications authenticate elsewhere than at the token endpoint, and the languages of the pages.
 */
function announceOwn({ config }: ProviderParts): Middleware {
  const scopes = config.newCredentials.allowed ? SCOPES : (['service', 'credential'] as const)
  const types = config.newCredentials.allowed ? MANAGEMENT_DETAIL_TYPES : []
  return async (koa, next) => {
    const ctx = koa as KoaContextWithOIDC
    await next()
    if (ctx.oidc?.route !== 'discovery') return
    const body = ctx.body as Record<string, unknown>
    const methods = body['token_endpoint_auth_methods_supported'] as string[]
    const algorithms = body['token_endpoint_auth_signing_alg_values_supported']
    Object.assign(body, {
      scopes_supported: scopes,
      response_modes_supported: ['query'],
      authorization_details_types_supported: [...CREDENTIAL_DETAIL_TYPES, ...types],
      revocation_endpoint_auth_methods_supported: methods,
      revocation_endpoint_auth_signing_alg_values_supported: algorithms,
      // Of public applications there is no telling who asks: they learn nothing (rich-authorization.ts).
      introspection_endpoint_auth_methods_supported: methods.filter((each) => each !== 'none'),
      introspection_endpoint_auth_signing_alg_values_supported: algorithms,
      ui_locales_supported: LANGUAGES,
    })
  }
}

/**
 * The library looks whether a value was used and then notes it, so that of parallel uses many pass; here
 * both are one write (S31).
 */
function useOnceInOneWrite(provider: Provider, { records, now }: ProviderParts): void {
  provider.ReplayDetection.unique = (iss, jti, exp) => {
    const lifetime = Math.max(1, exp - Math.floor(Date.now() / 1000))
    return records.putOnce({
      model: 'ReplayDetection',
      idHash: hashIdentifier(JSON.stringify([iss, jti])),
      ...{ grantId: null, uidHash: null, payload: '' },
      expiresAt: new Date(now().getTime() + lifetime * 1000),
    })
  }
}

/**
 * The library looks at the resource (RFC 8707) once the code or refresh token is used up: what is refused
 * would have cost it, and with the code the signer's approval.
 */
function rejectOtherResource(
  { oidc }: KoaContextWithOIDC,
  { resourceIndicators }: { readonly resourceIndicators: ReadonlySet<string | undefined> },
): void {
  const named = [oidc.params?.['resource'] ?? []].flat() as string[]
  const isUnfit = named.some((each) => !resourceIndicators.has(each))
  if (isUnfit || named.length > 1) throw new errors.InvalidTarget()
}

/** By then the application, the verifier and the redirect URI are proved: nobody else learns or gains anything. */
function keepCodesOfOtherResource({ AuthorizationCode: { prototype } }: Provider): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the code it is of
  const { consume } = prototype
  prototype.consume = function () {
    if (Provider.ctx) rejectOtherResource(Provider.ctx, this)
    return consume.call(this)
  }
}

/** For itself, an application gets scope `service` and nothing else (S39). */
function rejectOtherClientScope(ctx: KoaContextWithOIDC): void {
  const scope = ctx.oidc.body?.['scope']
  if (scope && scope !== 'service') {
    throw new errors.InvalidScope(INVALID_SCOPE, typeof scope === 'string' ? scope : '')
  }
}

/** Whoever named no scope is told which one it became (RFC 6749, 5.1). */
const nameClientScope: Middleware = async (koa, next) => {
  const ctx = koa as KoaContextWithOIDC
  await next()
  if (ctx.oidc?.entities.ClientCredentials && ctx.oidc.route === 'token' && ctx.status === 200) {
    ctx.body = { ...(ctx.body as object), scope: 'service' }
  }
}

/** Whether application and person of a token may still act, and something is left to do. */
async function standsBehind(
  token: IntrospectedToken,
  { clients, accounts, isOpen }: ProviderParts,
): Promise<boolean> {
  const client = await clients.find(token.clientId)
  if (!client || client.disabledAt) return false
  if (token.authorisationId !== null && !(await isOpen(token.authorisationId))) return false
  return token.accountId === undefined || (await accounts.find(token.accountId)) !== null
}
