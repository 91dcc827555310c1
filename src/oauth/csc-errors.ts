import type Provider from 'oidc-provider'
import type { errors, KoaContextWithOIDC } from 'oidc-provider'
import type { Middleware } from 'koa'
import { TokenTypeHint } from './parameters.js'
import { validatorOf } from '../validator.js'

/** CSC API v2, 10.1, for `access_denied`. */
export const ACCESS_DENIED = 'The user, authorization server or remote service denied the request.'
/** The same of `invalid_scope`. */
export const INVALID_SCOPE = 'The requested scope is invalid, unknown, or malformed.'

export interface Answer {
  readonly status: number
  readonly error: string
  readonly error_description: string
}

type Parameters = Readonly<Record<string, unknown>>
type OAuthError = errors.OIDCProviderError

function refusal(error_description: string, error = 'invalid_request', status = 400): Answer {
  return { status, error, error_description }
}

/** Sentences of the CSC API (v2, 8.4.4 and 8.4.5), and one of our own. */
const PARAMETER_TWICE = refusal(
  'The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed.',
)
const PROOF_USED = refusal('The DPoP proof was used before', 'invalid_dpop_proof')
const NO_CLIENT = refusal('Missing parameter client_id')
const UNKNOWN_CLIENT = refusal('Invalid parameter client_id')
const WRONG_SECRET = refusal('Invalid parameter client_secret')
const UNPROVED = refusal('Client authorization required', 'invalid_request', 401)
const INVALID_HEADER = refusal('Invalid authorization header', 'invalid_client', 401)
const INVALID_ASSERTION = refusal('Invalid parameter client_assertion', 'invalid_client', 401)
const NO_GRANT_TYPE = refusal('Missing parameter grant_type')
const WRONG_GRANT_TYPE = refusal('Invalid parameter grant_type')
/** CSC API v2, 10.1; RFC 6749, 5.2, says it of a grant that others may use. */
const FOREIGN_GRANT_TYPE = refusal(
  'The client is not authorized to use this method.',
  'unauthorized_client',
)
const NO_CODE = refusal('Missing parameter code')
const WRONG_CODE = refusal('Invalid parameter code', 'invalid_grant')
const NO_ADDRESS = refusal('Missing parameter redirect_uri')
const EXPIRED_CODE = refusal('Authorization code is invalid or expired', 'invalid_grant')
const OTHER_ADDRESS = refusal(
  'redirect_uri parameter does not match redirect_uri parameter of authorization request',
  'invalid_grant',
)
const OTHER_DETAILS = refusal('Invalid parameter authorization_details', 'invalid_grant')
const NO_REFRESH_TOKEN = refusal('Missing parameter refresh_token')
const WRONG_REFRESH_TOKEN = refusal('Invalid parameter refresh_token', 'invalid_grant')
const EXPIRED_REFRESH_TOKEN = refusal('Refresh token expired', 'invalid_grant')
const NO_TOKEN = refusal('Missing parameter token')
const UNKNOWN_TOKEN = refusal('Invalid string parameter token')
const WRONG_HINT = refusal('Invalid parameter token_type_hint')

const OF_CLIENTS = [
  ...[PARAMETER_TWICE, NO_CLIENT, UNKNOWN_CLIENT, WRONG_SECRET],
  ...[UNPROVED, INVALID_HEADER, INVALID_ASSERTION],
]

/** What the endpoints say in words that are fixed, for openapi/. */
export const FIXED_REFUSALS: Readonly<Record<'token' | 'revocation', readonly Answer[]>> = {
  token: [
    ...OF_CLIENTS,
    ...[NO_GRANT_TYPE, WRONG_GRANT_TYPE, FOREIGN_GRANT_TYPE, NO_CODE, WRONG_CODE, EXPIRED_CODE],
    ...[NO_ADDRESS, OTHER_ADDRESS, OTHER_DETAILS],
    ...[NO_REFRESH_TOKEN, WRONG_REFRESH_TOKEN, EXPIRED_REFRESH_TOKEN, PROOF_USED],
  ],
  revocation: [...OF_CLIENTS, NO_TOKEN, UNKNOWN_TOKEN, WRONG_HINT],
}

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

const isTokenTypeHint = validatorOf(TokenTypeHint)

export function isKnownTokenTypeHint(ctx: KoaContextWithOIDC): boolean {
  const hint = ctx.oidc.params?.['token_type_hint']
  return hint === undefined || isTokenTypeHint(hint)
}

/** RFC 7009 answers 200 to anything; the CSC API wants 204, and tells unknown tokens. */
function revoked(ctx: KoaContextWithOIDC): Answer | null {
  const { AccessToken, ClientCredentials, RefreshToken } = ctx.oidc.entities
  if (!isKnownTokenTypeHint(ctx)) return WRONG_HINT
  const token = AccessToken ?? ClientCredentials ?? RefreshToken
  if (!token || token.clientId !== ctx.oidc.client?.clientId) {
    return UNKNOWN_TOKEN
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
    return NO_CLIENT
  }
  if (detail.includes('client_id mismatch')) return UNKNOWN_CLIENT
  if (failure.error !== 'invalid_client') return null
  if (detail.includes('client not found')) return UNKNOWN_CLIENT
  if (parameters['client_assertion']) return INVALID_ASSERTION
  const tried = parameters['client_secret'] ?? ctx.get('authorization')
  return tried ? WRONG_SECRET : UNPROVED
}

function revocationFailure(parameters: Parameters): Answer | null {
  return parameters['token'] ? null : NO_TOKEN
}

function tokenFailure(parameters: Parameters, failure: OAuthError, detail: string): Answer | null {
  const { grant_type } = parameters
  if (!grant_type) return NO_GRANT_TYPE
  if (failure.error === 'unsupported_grant_type') return WRONG_GRANT_TYPE
  if (detail.includes('grant type is not allowed')) return FOREIGN_GRANT_TYPE
  if (grant_type === 'authorization_code') return codeFailure(parameters, failure, detail)
  if (grant_type === 'refresh_token') return refreshFailure(parameters, failure, detail)
  return null
}

function codeFailure(parameters: Parameters, failure: OAuthError, detail: string): Answer | null {
  if (!parameters['code']) return NO_CODE
  if (detail.includes("missing required parameter 'redirect_uri'")) return NO_ADDRESS
  // Details where none were approved have the library look for a resource that was not granted.
  const withoutApproval = failure.error === 'invalid_target' && parameters['authorization_details']
  if (withoutApproval || detail.includes('more than was approved')) {
    return OTHER_DETAILS
  }
  if (failure.error !== 'invalid_grant') return null
  if (detail.includes('authorization code not found')) {
    return WRONG_CODE
  }
  if (detail.includes('redirect_uri mismatch')) {
    return OTHER_ADDRESS
  }
  return /expired|consumed|mismatch|not found/.test(detail) ? EXPIRED_CODE : null
}

function refreshFailure(
  parameters: Parameters,
  failure: OAuthError,
  detail: string,
): Answer | null {
  if (!parameters['refresh_token']) return NO_REFRESH_TOKEN
  if (failure.error !== 'invalid_grant') return null
  return detail.includes('expired') ? EXPIRED_REFRESH_TOKEN : WRONG_REFRESH_TOKEN
}
