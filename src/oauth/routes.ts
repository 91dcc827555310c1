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

const BY_GET: ReadonlySet<string> = new Set([OAUTH_ROUTES.authorization, OAUTH_ROUTES.jwks])

/** Of a path that is there. */
function allowedAt(path: string): string {
  if (path === OAUTH_ROUTES.authorization) return 'GET, HEAD, POST'
  return BY_GET.has(path) ? 'GET, HEAD' : 'POST'
}

/** The library answers 404 to a method it does not expect, as if nothing were there (RFC 9110, 15.5.6). */
export const refuseOtherMethods: Middleware = async (ctx, next) => {
  const { path } = ctx
  await next()
  const isThere = Object.values<string>(OAUTH_ROUTES).includes(path)
  if (!isThere || ctx.status !== 404 || ctx.body) return
  const method = BY_GET.has(path) ? 'GET' : 'POST'
  ctx.status = 405
  ctx.set('Allow', allowedAt(path))
  ctx.body = { error: 'invalid_request', error_description: `Use the ${method} method.` }
}
