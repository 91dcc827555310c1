import type Provider from 'oidc-provider'
import type { errors, KoaContextWithOIDC } from 'oidc-provider'
import type { Middleware } from 'koa'

/** CSC API v2, 10.1, for `access_denied`. */
export const ACCESS_DENIED = 'The user, authorization server or remote service denied the request.'

interface Answer {
  readonly status: number
  readonly error: string
  readonly error_description: string
}

type Parameters = Readonly<Record<string, unknown>>
type OAuthError = errors.OIDCProviderError

function refusal(error_description: string, error = 'invalid_request', status = 400): Answer {
  return { status, error, error_description }
}

const INVALID_HEADER = refusal('Invalid authorization header', 'invalid_client', 401)
const INVALID_ASSERTION = refusal('Invalid parameter client_assertion', 'invalid_client', 401)
const PROOF_USED = refusal('The DPoP proof was used before', 'invalid_dpop_proof')
const PARAMETER_TWICE = refusal(
  'The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed.',
)
const EXPIRED_CODE = refusal('Authorization code is invalid or expired', 'invalid_grant')

/**
 * The library speaks OAuth; the CSC API prints its own codes and sentences for `oauth2/token` and
 * `oauth2/revoke` (v2, 8.4.4 and 8.4.5). This gives its answers that form; it changes no decision.
 */
export function translateOAuthErrors(provider: Provider): Middleware {
  const failures = new WeakMap<KoaContextWithOIDC, OAuthError>()
  provider.on('grant.error', (ctx, error) => failures.set(ctx, error))
  provider.on('revocation.error', (ctx, error) => failures.set(ctx, error))
  provider.on('pushed_authorization_request.error', (ctx, error) => failures.set(ctx, error))

  return async (koa, next) => {
    const ctx = koa as KoaContextWithOIDC
    await next()
    const route = ctx.oidc?.route
    const failure = failures.get(ctx)
    if (route === 'pushed_authorization_request') {
      ctx.set('Cache-Control', 'no-cache, no-store')
      if (failure && isUsedProof(failure)) ctx.body = wordsOf(PROOF_USED)
      demandProof(ctx, provider)
      return
    }
    if (route === 'introspection') demandProof(ctx, provider)
    if (route !== 'token' && route !== 'revocation') return
    ctx.set('Cache-Control', 'no-store')
    // RFC 6749, 5.1, for caches that know no better.
    ctx.set('Pragma', 'no-cache')
    const answer = failure ? translate(ctx, failure) : route === 'revocation' ? revoked(ctx) : null
    if (!answer) return
    const { status } = answer
    ctx.status = status
    demandProof(ctx, provider)
    ctx.type = 'json'
    ctx.body = wordsOf(answer)
  }
}

/** RFC 9110, 15.5.2: whoever is not known is told how to say who they are. */
function demandProof(ctx: KoaContextWithOIDC, { issuer }: Provider): void {
  if (ctx.status === 401) ctx.set('WWW-Authenticate', `Basic realm="${issuer}"`)
}

function wordsOf({ error, error_description }: Answer) {
  return { error, error_description }
}

function isUsedProof(failure: OAuthError): boolean {
  return detailOf(failure).includes('DPoP proof JWT Replay')
}

function detailOf(failure: OAuthError): string {
  return `${failure.error_description ?? ''} ${failure.error_detail ?? ''}`
}

export function isKnownTokenTypeHint(ctx: KoaContextWithOIDC): boolean {
  const hint = ctx.oidc.params?.['token_type_hint']
  return hint === undefined || hint === 'access_token' || hint === 'refresh_token'
}

/** RFC 7009 answers 200 to anything; the CSC API wants 204, and tells unknown tokens. */
function revoked(ctx: KoaContextWithOIDC): Answer | null {
  const { AccessToken, ClientCredentials, RefreshToken } = ctx.oidc.entities
  if (!isKnownTokenTypeHint(ctx)) return refusal('Invalid parameter token_type_hint')
  const token = AccessToken ?? ClientCredentials ?? RefreshToken
  if (!token || token.clientId !== ctx.oidc.client?.clientId) {
    return refusal('Invalid string parameter token')
  }
  ctx.status = 204
  return null
}

function translate(ctx: KoaContextWithOIDC, failure: OAuthError): Answer | null {
  // Not a form at all: nothing can be said of its fields.
  if (!ctx.oidc.params) return null
  const parameters: Parameters = ctx.oidc.params
  const detail = detailOf(failure)
  if (detail.includes('must not be provided twice')) return PARAMETER_TWICE
  if (isUsedProof(failure)) return PROOF_USED
  return (
    clientFailure(ctx, parameters, failure, detail) ??
    (ctx.oidc.route === 'revocation'
      ? revocationFailure(parameters)
      : tokenFailure(parameters, failure, detail))
  )
}

function clientFailure(
  ctx: KoaContextWithOIDC,
  parameters: Parameters,
  failure: OAuthError,
  detail: string,
): Answer | null {
  if (/authorization header/i.test(detail)) return INVALID_HEADER
  if (detail.includes('no client authentication mechanism')) {
    return refusal('Missing parameter client_id')
  }
  if (detail.includes('client_id mismatch')) return refusal('Invalid parameter client_id')
  if (failure.error !== 'invalid_client') return null
  if (detail.includes('client not found')) return refusal('Invalid parameter client_id')
  if (parameters['client_assertion']) return INVALID_ASSERTION
  const tried = parameters['client_secret'] ?? ctx.get('authorization')
  if (!tried) return refusal('Client authorization required', 'invalid_request', 401)
  return refusal('Invalid parameter client_secret')
}

function revocationFailure(parameters: Parameters): Answer | null {
  return parameters['token'] ? null : refusal('Missing parameter token')
}

function tokenFailure(parameters: Parameters, failure: OAuthError, detail: string): Answer | null {
  const { grant_type } = parameters
  if (!grant_type) return refusal('Missing parameter grant_type')
  if (failure.error === 'unsupported_grant_type' || detail.includes('grant type is not allowed')) {
    return refusal('Invalid parameter grant_type')
  }
  if (grant_type === 'authorization_code') return codeFailure(parameters, failure, detail)
  if (grant_type === 'refresh_token') return refreshFailure(parameters, failure, detail)
  return null
}

function codeFailure(parameters: Parameters, failure: OAuthError, detail: string): Answer | null {
  if (!parameters['code']) return refusal('Missing parameter code')
  // Details where none were approved have the library look for a resource that was not granted.
  const withoutApproval = failure.error === 'invalid_target' && parameters['authorization_details']
  if (withoutApproval || detail.includes('more than was approved')) {
    return refusal('Invalid parameter authorization_details', 'invalid_grant')
  }
  if (failure.error !== 'invalid_grant') return null
  if (detail.includes('authorization code not found')) {
    return refusal('Invalid parameter code', 'invalid_grant')
  }
  if (detail.includes('redirect_uri mismatch')) {
    return refusal(
      'redirect_uri parameter does not match redirect_uri parameter of authorization request',
      'invalid_grant',
    )
  }
  return /expired|consumed|mismatch|not found/.test(detail) ? EXPIRED_CODE : null
}

function refreshFailure(
  parameters: Parameters,
  failure: OAuthError,
  detail: string,
): Answer | null {
  if (!parameters['refresh_token']) return refusal('Missing parameter refresh_token')
  if (failure.error !== 'invalid_grant') return null
  return detail.includes('expired')
    ? refusal('Refresh token expired', 'invalid_grant')
    : refusal('Invalid parameter refresh_token', 'invalid_grant')
}
