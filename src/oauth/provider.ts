import Provider, {
  errors,
  interactionPolicy,
  type Client,
  type Configuration,
  type KoaContextWithOIDC,
} from 'oidc-provider'
import type { JWK } from 'jose'
import type { Middleware } from 'koa'
import type { Config } from '../config/schema.js'
import type { Secrets } from '../config/secrets.js'
import { isServiceError } from '../errors.js'
import { certificateHeader } from '../http/client-certificate.js'
import { PROOF_ALGORITHMS } from '../http/dpop.js'
import type { Accounts } from '../identity/accounts.js'
import type { Logger } from '../observability/logger.js'
import { ACCOUNT_CLIENT_ID } from './account-client.js'
import { verifyAccountToken } from './account-token.js'
import { ClientAdapter, hashIdentifier, RecordAdapter } from './adapter.js'
import { CREDENTIAL_DETAIL_TYPES, readAuthorizationDetails } from './authorization-details.js'
import { clientAuthentication } from './client-authentication.js'
import type { ClientStore, Quirk } from './client.js'
import {
  COMMON_PARAMETERS,
  CREDENTIAL_PARAMETERS,
  readCredentialScope,
  rejectCredentialParameters,
  type CscParameters,
} from './credential-scope.js'
import { ACCESS_DENIED, isKnownTokenTypeHint, translateOAuthErrors } from './csc-errors.js'
import {
  isManagementScope,
  MANAGEMENT_DETAIL_TYPES,
  managementScopeOf,
  readManagement,
  type ManagementScope,
} from './management-details.js'
import type { OAuthRecordStore } from './oauth-record.js'
import type { PageRenderer } from './page-renderer.js'
import {
  introspection,
  richAuthorization,
  SCOPES,
  type IntrospectedToken,
} from './rich-authorization.js'

/** The paths of CSC API v2, 8.4; they also answer under each CSC base (app.ts). */
export const OAUTH_ROUTES = {
  authorization: '/oauth2/authorize',
  token: '/oauth2/token',
  revocation: '/oauth2/revoke',
  pushed_authorization_request: '/oauth2/pushed_authorize',
  introspection: '/oauth2/introspect',
  jwks: '/oauth2/jwks',
} as const

/** The claim of a grant that says: tell which credential it is for. */
export const CHOSEN_CREDENTIAL = 'credentialID'

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
    // Browsers name the origin of their own site's requests too; no other one is let in (S50).
    clientBasedCORS: (_ctx, origin) => origin === new URL(config.baseUrl).origin,
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
  provider.use(pinBaseUrl(config.baseUrl))
  provider.use(announceOwn)
  provider.use(answerInQuery)
  provider.use(withoutOpenId)
  provider.use(translateOAuthErrors(provider))
  provider.use(nameChosenCredential(parts))
  useOnceInOneWrite(provider, parts)
  provider.on('server_error', (_ctx, error) => {
    logger.error({ err: error }, 'authorization server error')
  })
  provider.on('authorization.success', (ctx) => {
    keepServiceGrant(ctx)
  })
  return provider
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
    rotateRefreshToken: () => true,
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
  const quirks = client['quirks'] as readonly Quirk[] | undefined
  return quirks?.includes('no-pkce') === true && client.tokenEndpointAuthMethod !== 'none'
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

/** The library adds `openid`, which is not to be had here, and ways to answer that are refused. */
const announceOwn: Middleware = async (koa, next) => {
  const ctx = koa as KoaContextWithOIDC
  await next()
  if (ctx.oidc?.route !== 'discovery') return
  Object.assign(ctx.body as object, {
    scopes_supported: SCOPES,
    response_modes_supported: ['query'],
  })
}

/**
 * Applications are answered in the query of their address, errors included: `form_post` would be a page
 * with a script (S47). Given a mode it does not know, the library says so, in the query.
 */
const answerInQuery: Middleware = (ctx, next) => {
  const { response_mode } = ctx.query
  if (response_mode && response_mode !== 'query') {
    ctx.query = { ...ctx.query, response_mode: 'unsupported' }
  }
  return next()
}

/**
 * Clients of OpenID Connect send these whatever the scope. Here is no ID token they could be for: they
 * count for what they ask of signing in, or not at all (POSTed and pushed, the library refuses them).
 */
const withoutOpenId: Middleware = (ctx, next) => {
  if (ctx.path !== OAUTH_ROUTES.authorization || ctx.method !== 'GET') return next()
  const { nonce, acr_values, id_token_hint, max_age, ...query } = ctx.query
  const asksAnew = max_age !== undefined || query['prompt'] === 'select_account'
  const isSilent = query['prompt'] === 'none'
  const isForOpenId = [nonce, acr_values, id_token_hint].some((each) => each !== undefined)
  if (asksAnew && !isSilent) ctx.query = { ...query, prompt: 'login' }
  else if (isForOpenId || asksAnew) ctx.query = query
  return next()
}

/** Sign in, then agree: to these signatures for scope `credential`, to being seen for scope `service`. */
function signerPolicy(): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base()
  const gone = new interactionPolicy.Check('account_gone', 'the account was disabled', (ctx) =>
    ctx.oidc.session?.accountId && !ctx.oidc.account
      ? interactionPolicy.Check.REQUEST_PROMPT
      : interactionPolicy.Check.NO_NEED_TO_PROMPT,
  )
  policy.get('login')?.checks.add(gone)
  const approval = new interactionPolicy.Prompt(
    { name: 'approval', requestable: false },
    new interactionPolicy.Check('credential_scope', 'the signer has to approve', (ctx) =>
      isApproved(ctx.oidc.params?.['scope']) && approvedGrantId(ctx) === null
        ? interactionPolicy.Check.REQUEST_PROMPT
        : interactionPolicy.Check.NO_NEED_TO_PROMPT,
    ),
  )
  policy.add(approval, 1)
  // Details are approved there too, and nowhere else.
  policy.get('consent')?.checks.remove('rar_prompt')
  return policy
}

/** Whether tokens of that scope stand for one thing that a person agreed to. */
function isApproved(scope: unknown): boolean {
  return scope === 'credential' || isManagementScope(scope)
}

/** Every approval has a grant of its own; being seen is granted once per application and session. */
async function loadExistingGrant(ctx: KoaContextWithOIDC) {
  const { Grant } = ctx.oidc.provider
  const clientId = ctx.oidc.client?.clientId ?? ''
  if (isApproved(ctx.oidc.params?.['scope'])) {
    const grantId = approvedGrantId(ctx)
    serviceGrants.set(ctx, ctx.oidc.session?.grantIdFor(clientId))
    return grantId === null ? undefined : Grant.find(grantId)
  }
  const consented = ctx.oidc.result?.consent?.grantId ?? ctx.oidc.session?.grantIdFor(clientId)
  return consented ? Grant.find(consented) : undefined
}

const serviceGrants = new WeakMap<KoaContextWithOIDC, string | undefined>()

/** An approval must not replace, in the session, the grant by which the application sees the person. */
function keepServiceGrant(ctx: KoaContextWithOIDC): void {
  const grantId = serviceGrants.get(ctx)
  const clientId = ctx.oidc.client?.clientId
  if (grantId && clientId) ctx.oidc.session?.grantIdFor(clientId, grantId)
}

function approvedGrantId(ctx: KoaContextWithOIDC): string | null {
  const approval = (ctx.oidc.result as { approval?: { grantId?: string } } | undefined)?.approval
  return approval?.grantId ?? null
}

/** Scope and CSC parameters of an authorization request, whether pushed or not (CSC API v2, 8.4.2). */
async function rejectUnfitAuthorizationRequest(
  ctx: KoaContextWithOIDC,
  parts: ProviderParts,
): Promise<void> {
  const parameters = (ctx.oidc.params ?? {}) as RequestParameters
  rejectEmptyDetails(ctx)
  if (parameters.authorization_details) parameters.scope ??= scopeOfDetails(parameters)
  parameters.scope ??= 'service'
  if (ctx.oidc.responseMode !== 'query') throw new errors.UnsupportedResponseMode()
  try {
    if (isManagementScope(parameters.scope))
      rejectUnfitManagement(parameters.scope, parameters, parts)
    else if (parameters.authorization_details) rejectUnfitDetails(parameters)
    else if (parameters.scope === 'credential') readCredentialScope(parameters)
    else if (parameters.scope === 'service') rejectCredentialParameters(parameters)
    else throw new errors.InvalidScope('request either service or credential', parameters.scope)
  } catch (error) {
    if (isServiceError(error)) throw new errors.InvalidRequest(error.message)
    throw error
  }
  rejectSigningForOwnPages(ctx, parameters)
  if (isApproved(parameters.scope)) await rejectUnpushed(ctx, parts)
  if (parameters.account_token) await rejectBadAccountToken(ctx, parameters.account_token, parts)
}

async function rejectBadAccountToken(
  ctx: KoaContextWithOIDC,
  token: string,
  { clients, records, now }: ProviderParts,
): Promise<void> {
  // A pushed request was checked, and its token used up, when it was pushed.
  if (ctx.oidc.entities.PushedAuthorizationRequest) return
  const denied = new errors.AccessDenied(ACCESS_DENIED, 'account_token')
  const client = await clients.find(ctx.oidc.client?.clientId ?? '')
  if (!client?.secret) throw denied
  const { id, secret } = client
  const verified = await verifyAccountToken(token, { id, secret }, now()).catch(() => {
    throw denied
  })
  const first = await records.putOnce({
    model: 'AccountToken',
    idHash: hashIdentifier(JSON.stringify([id, verified.jti])),
    grantId: null,
    uidHash: null,
    payload: '',
    expiresAt: verified.forgetAfter,
  })
  if (!first) throw denied
}

type RequestParameters = CscParameters & { scope?: string | undefined }

/** What details ask for says which scope they stand for; what cannot be read is refused as such. */
function scopeOfDetails({ authorization_details = '' }: RequestParameters): string {
  try {
    return managementScopeOf(authorization_details) ?? 'credential'
  } catch {
    return 'credential'
  }
}

/** Details of another kind than the scope, or members beside them, might say something else. */
function rejectUnfitManagement(
  scope: ManagementScope,
  parameters: RequestParameters,
  { config }: ProviderParts,
): void {
  if (!config.newCredentials.allowed) {
    throw new errors.InvalidScope('request either service or credential', scope)
  }
  const { authorization_details: details } = parameters
  const isNamedApart = !details && scope === 'credential-deletion'
  rejectCredentialParameters(isNamedApart ? { ...parameters, credentialID: '' } : parameters)
  if (details && scopeOfDetails(parameters) !== scope) {
    throw new errors.InvalidAuthorizationDetails('Invalid parameter authorization_details')
  }
  try {
    readManagement(scope, parameters)
  } catch (error) {
    if (isServiceError(error) && details) {
      throw new errors.InvalidAuthorizationDetails(error.message)
    }
    throw error
  }
}

/** Details beside scope `credential` say the same; beside its parameters they might not (CSC API v2, 8.4.2). */
function rejectUnfitDetails(parameters: RequestParameters): void {
  const { scope, authorization_details = '' } = parameters
  if (scope !== 'credential') {
    throw new errors.InvalidScope('request either service or credential', scope ?? '')
  }
  rejectCredentialParameters(parameters)
  try {
    readAuthorizationDetails(authorization_details)
  } catch (error) {
    if (isServiceError(error)) throw new errors.InvalidAuthorizationDetails(error.message)
    throw error
  }
}

/** Nothing is signed for the signer's own pages. */
function rejectSigningForOwnPages(
  ctx: KoaContextWithOIDC,
  { scope = '' }: RequestParameters,
): void {
  if (ctx.oidc.client?.clientId === ACCOUNT_CLIENT_ID && scope !== 'service') {
    throw new errors.InvalidScope('request scope service', scope)
  }
}

/** The library takes an empty array for none. */
function rejectEmptyDetails(ctx: KoaContextWithOIDC): void {
  if (ctx.oidc.entities.PushedAuthorizationRequest) return
  const sent = ctx.method === 'POST' ? ctx.oidc.body : ctx.query
  if (sent?.['authorization_details'] && ctx.oidc.params?.['authorization_details'] === undefined) {
    throw new errors.InvalidAuthorizationDetails('Invalid parameter authorization_details')
  }
}

/** Applications may be bound to ask for signatures where no browser can change the question (S35). */
async function rejectUnpushed(ctx: KoaContextWithOIDC, { clients }: ProviderParts): Promise<void> {
  if (ctx.oidc.route !== 'authorization' || ctx.oidc.entities.PushedAuthorizationRequest) return
  const client = await clients.find(ctx.oidc.client?.clientId ?? '')
  if (client?.requirePushedForCredential) {
    throw new errors.InvalidRequest('Pushed Authorization Request must be used')
  }
}

/** For itself, an application gets scope `service` and nothing else (S39). */
function rejectOtherClientScope(ctx: KoaContextWithOIDC): void {
  const scope = ctx.oidc.body?.['scope']
  if (scope && scope !== 'service') {
    throw new errors.InvalidScope('request scope service', typeof scope === 'string' ? scope : '')
  }
}

/** When the signer or the server chose the credential, the application learns which (CSC API v2, 8.4.4). */
function nameChosenCredential({ credentialOf }: ProviderParts): Middleware {
  return async (koa, next) => {
    const ctx = koa as KoaContextWithOIDC
    await next()
    if (ctx.oidc?.route !== 'token' || ctx.status !== 200) return
    const { Grant: grant, AccessToken: token } = ctx.oidc.entities
    if (token?.scope !== 'credential' || !grant?.getOIDCClaims().includes(CHOSEN_CREDENTIAL)) return
    const credentialID = await credentialOf(grant.jti)
    Object.assign(ctx.body as object, { credentialID })
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
