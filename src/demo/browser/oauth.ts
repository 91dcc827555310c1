import { toBase64Url } from './encoding.js'

export const CLIENT_ID = 'openrssp-demo'

export type Scope = 'service' | 'credential'

/** RFC 8414, as far as this page uses it. */
export interface ServerMetadata {
  readonly issuer: string
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly revocation_endpoint: string
  readonly pushed_authorization_request_endpoint?: string
  readonly require_pushed_authorization_requests?: boolean
}

/** What must be remembered while the browser is away. Worthless once the answer has come. */
export interface PendingAuthorization {
  readonly scope: Scope
  readonly state: string
  readonly verifier: string
}

export type Callback =
  | { readonly kind: 'none' }
  | { readonly kind: 'code'; readonly code: string; readonly pending: PendingAuthorization }
  | {
      readonly kind: 'refused'
      readonly scope: Scope
      readonly error: string
      readonly description: string
    }
  | { readonly kind: 'untrusted'; readonly why: 'unexpected' | 'state' | 'iss' | 'incomplete' }

function randomValue(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(32)))
}

export function newAuthorization(scope: Scope): PendingAuthorization {
  return { scope, state: randomValue(), verifier: randomValue() }
}

/** @see RFC 7636, 4.2 */
export async function challengeOf(verifier: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  return toBase64Url(new Uint8Array(digest))
}

export async function authorizationParameters(
  pending: PendingAuthorization,
  redirectUri: string,
  more: Readonly<Record<string, string>> = {},
): Promise<URLSearchParams> {
  return new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT_ID,
    redirect_uri: redirectUri,
    scope: pending.scope,
    ...more,
    state: pending.state,
    code_challenge: await challengeOf(pending.verifier),
    code_challenge_method: 'S256',
  })
}

/**
 * Reads the query with which the browser came back. It counts only when this tab asked for it
 * (state) and the server that was asked answers (RFC 9207 iss), refusals included.
 */
export function readCallback(
  query: string,
  pending: PendingAuthorization | undefined,
  issuer: string,
): Callback {
  const parameters = new URLSearchParams(query)
  if (!['code', 'error', 'state', 'iss'].some((name) => parameters.has(name))) {
    return { kind: 'none' }
  }
  if (!pending) return { kind: 'untrusted', why: 'unexpected' }
  const only = (name: string) => {
    const values = parameters.getAll(name)
    return values.length === 1 ? values[0] : undefined
  }
  if (only('state') !== pending.state) return { kind: 'untrusted', why: 'state' }
  if (only('iss') !== issuer) return { kind: 'untrusted', why: 'iss' }
  const error = only('error')
  if (error !== undefined) {
    const description = only('error_description') ?? ''
    return { kind: 'refused', scope: pending.scope, error, description }
  }
  const code = only('code')
  if (!code) return { kind: 'untrusted', why: 'incomplete' }
  return { kind: 'code', code, pending }
}

export function tokenRequest(
  code: string,
  pending: PendingAuthorization,
  redirectUri: string,
): URLSearchParams {
  return new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    client_id: CLIENT_ID,
    redirect_uri: redirectUri,
    code_verifier: pending.verifier,
  })
}

export function revocationRequest(
  token: string,
  hint: 'access_token' | 'refresh_token',
): URLSearchParams {
  return new URLSearchParams({ token, token_type_hint: hint, client_id: CLIENT_ID })
}
