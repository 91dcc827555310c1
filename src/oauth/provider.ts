import Provider, {
  errors,
  interactionPolicy,
  type Configuration,
  type KoaContextWithOIDC,
} from 'oidc-provider'
import type { JWK } from 'jose'
import type { Middleware } from 'koa'
import type { Config } from '../config/schema.js'
import type { Secrets } from '../config/secrets.js'
import { isServiceError } from '../errors.js'
import type { Accounts } from '../identity/accounts.js'
import type { Logger } from '../observability/logger.js'
import { verifyAccountToken } from './account-token.js'
import { ClientAdapter, hashIdentifier, RecordAdapter } from './adapter.js'
import type { ClientStore } from './client.js'
import {
  COMMON_PARAMETERS,
  CREDENTIAL_PARAMETERS,
  readCredentialScope,
  rejectCredentialParameters,
  type CscParameters,
} from './credential-scope.js'
import { ACCESS_DENIED, isKnownTokenTypeHint, translateOAuthErrors } from './csc-errors.js'
import type { OAuthRecordStore } from './oauth-record.js'
import type { PageRenderer } from './page-renderer.js'

/** The paths of CSC API v2, 8.4; they also answer under each CSC base (app.ts). */
export const OAUTH_ROUTES = {
  authorization: '/oauth2/authorize',
  token: '/oauth2/token',
  revocation: '/oauth2/revoke',
  pushed_authorization_request: '/oauth2/pushed_authorize',
  jwks: '/oauth2/jwks',
} as const

const SCOPES = ['service', 'credential'] as const

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
  readonly now: () => Date
}

/** The embedded authorization server: code grant with PKCE S256, refresh for scope `service`, revocation, PAR. */
export function createProvider(parts: ProviderParts): Provider {
  const { config, clients, records, secrets, now, logger } = parts
  const provider = new Provider(config.baseUrl, {
    ...protocolConfiguration(),
    adapter: (model: string) =>
      model === 'Client'
        ? new ClientAdapter(clients)
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
  provider.use(announceOwnScopes)
  provider.use(translateOAuthErrors(provider))
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
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
    clientDefaults: {
      id_token_signed_response_alg: 'ES256',
      token_endpoint_auth_method: 'client_secret_basic',
    },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    pkce: { required: () => true },
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
      dPoP: { enabled: false },
      revocation: {
        enabled: true,
        // What is answered with a refusal (csc-errors.ts) must not have happened.
        allowedPolicy: (ctx, client, token) =>
          token.clientId === client.clientId && isKnownTokenTypeHint(ctx),
      },
      pushedAuthorizationRequests: { enabled: true },
      resourceIndicators: { enabled: false },
    },
  }
}

function lifetimes({ lifetimes }: Config, now: () => Date): Configuration['ttl'] {
  const day = 24 * 60 * 60
  const epoch = () => Math.floor(now().getTime() / 1000)
  return {
    AccessToken: (_ctx, token) =>
      token.scope === 'credential'
        ? lifetimes.credentialTokenSeconds
        : lifetimes.serviceTokenSeconds,
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

/** The library adds `openid`, which is not to be had here. */
const announceOwnScopes: Middleware = async (koa, next) => {
  const ctx = koa as KoaContextWithOIDC
  await next()
  if (ctx.oidc?.route === 'discovery') Object.assign(ctx.body as object, { scopes_supported: SCOPES })
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
      ctx.oidc.params?.['scope'] === 'credential' && approvedGrantId(ctx) === null
        ? interactionPolicy.Check.REQUEST_PROMPT
        : interactionPolicy.Check.NO_NEED_TO_PROMPT,
    ),
  )
  policy.add(approval, 1)
  return policy
}

/** Every approval has a grant of its own; being seen is granted once per application and session. */
async function loadExistingGrant(ctx: KoaContextWithOIDC) {
  const { Grant } = ctx.oidc.provider
  const clientId = ctx.oidc.client?.clientId ?? ''
  if (ctx.oidc.params?.['scope'] === 'credential') {
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
  const parameters = (ctx.oidc.params ?? {}) as CscParameters & { scope?: string | undefined }
  parameters.scope ??= 'service'
  try {
    if (parameters.scope === 'credential') readCredentialScope(parameters)
    else if (parameters.scope === 'service') rejectCredentialParameters(parameters)
    else throw new errors.InvalidScope('request either service or credential', parameters.scope)
  } catch (error) {
    if (isServiceError(error)) throw new errors.InvalidRequest(error.message)
    throw error
  }
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
