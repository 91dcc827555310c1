import type { Middleware } from 'koa'

/** The paths of CSC API v2, 8.4; they also answer under each CSC base (app.ts). */
export const OAUTH_ROUTES = {
  authorization: '/oauth2/authorize',
  token: '/oauth2/token',
  revocation: '/oauth2/revoke',
  pushed_authorization_request: '/oauth2/pushed_authorize',
  introspection: '/oauth2/introspect',
  jwks: '/oauth2/jwks',
} as const

/** What the server says of itself (RFC 8414; OpenID Connect Discovery 1.0, 4). */
export const METADATA_PATHS = [
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
] as const

const BY_GET: ReadonlySet<string> = new Set([
  OAUTH_ROUTES.authorization,
  OAUTH_ROUTES.jwks,
  ...METADATA_PATHS,
])
const THERE: ReadonlySet<string> = new Set([...Object.values(OAUTH_ROUTES), ...METADATA_PATHS])

/** Of a path that is there. */
function allowedAt(path: string): string {
  if (path === OAUTH_ROUTES.authorization) return 'GET, HEAD, POST'
  return BY_GET.has(path) ? 'GET, HEAD' : 'POST'
}

/** The library answers 404 to a method it does not expect, as if nothing were there (RFC 9110, 15.5.6). */
export const refuseOtherMethods: Middleware = async (ctx, next) => {
  const { path } = ctx
  await next()
  if (!THERE.has(path) || ctx.status !== 404 || ctx.body) return
  const method = BY_GET.has(path) ? 'GET' : 'POST'
  ctx.status = 405
  ctx.set('Allow', allowedAt(path))
  ctx.body = { error: 'invalid_request', error_description: `Use the ${method} method.` }
}
