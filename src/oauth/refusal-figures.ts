import type { Provider } from 'oidc-provider'
import type { Metrics } from '../observability/metrics.js'

/** Where the library says that it refused something. */
const EVENTS = [
  'authorization.error',
  'grant.error',
  'pushed_authorization_request.error',
  'revocation.error',
  'introspection.error',
  'server_error',
] as const

const KINDS: ReadonlySet<string> = new Set([
  ...['access_denied', 'invalid_authorization_details', 'invalid_client', 'invalid_dpop_proof'],
  ...['invalid_grant', 'invalid_request', 'invalid_request_uri', 'invalid_scope', 'invalid_target'],
  ...['server_error', 'temporarily_unavailable', 'unauthorized_client', 'unsupported_grant_type'],
  ...['unsupported_response_type', 'use_dpop_nonce'],
])

/** Counts what the authorization server refuses, by error code; codes we do not know count as one. */
export function countOAuthRefusals(provider: Provider, metrics: Metrics): void {
  for (const event of EVENTS) {
    provider.on(event as 'grant.error', (_ctx, { error }) => {
      metrics.refused('oauth', KINDS.has(error) ? error : 'other')
    })
  }
}
