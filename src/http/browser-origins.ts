import type { Context } from 'koa'

/** What requests of applications carry beyond what any page may send. */
const REQUEST_HEADERS = 'Authorization, Content-Type, DPoP, Idempotency-Key'
const RESPONSE_HEADERS = 'DPoP-Nonce, Retry-After, WWW-Authenticate, X-Request-Id'
const PREFLIGHT_SECONDS = '3600'

/**
 * Lets pages of these origins read the answer (Fetch, 3.2); browsers keep it from all others. Cookies are
 * not let in: applications have tokens.
 * @returns whether the request only asked what it may send, and is answered with that
 */
export function admitOrigin(ctx: Context, origins: readonly string[], methods: string): boolean {
  if (origins.length === 0) return false
  ctx.vary('Origin')
  const origin = ctx.get('origin')
  if (!origins.includes(origin)) return false
  ctx.set('Access-Control-Allow-Origin', origin)
  const isPreflight = ctx.method === 'OPTIONS' && ctx.get('access-control-request-method') !== ''
  if (!isPreflight) {
    ctx.set('Access-Control-Expose-Headers', RESPONSE_HEADERS)
    return false
  }
  ctx.status = 204
  ctx.set({
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': REQUEST_HEADERS,
    'Access-Control-Max-Age': PREFLIGHT_SECONDS,
  })
  return true
}
