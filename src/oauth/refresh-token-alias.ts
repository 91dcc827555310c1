import type { Middleware } from 'koa'
import getRawBody from 'raw-body'
import { refill } from '../http/refill.js'
import { OAUTH_ROUTES } from './routes.js'

/** Largest form the library reads, in bytes. */
const LIMIT = 56 * 1024

/**
 * The samples of the CSC API say `refreshToken` for what its table calls `refresh_token` (v1, 8.3.3; v2,
 * 8.4.4). Both are taken; of both in one request, the name of the table counts.
 */
export const takeRefreshTokenAlias: Middleware = async (ctx, next) => {
  const isForm = ctx.is('application/x-www-form-urlencoded')
  if (ctx.path !== OAUTH_ROUTES.token || ctx.method !== 'POST' || !isForm) {
    await next()
    return
  }
  let form: Buffer
  try {
    form = await getRawBody(ctx.req, { limit: LIMIT, length: ctx.get('content-length') || null })
  } catch {
    ctx.set({ 'Cache-Control': 'no-store', Connection: 'close' })
    ctx.status = 400
    const error_description = 'failed to parse the request body'
    ctx.body = { error: 'invalid_request', error_description }
    return
  }
  refill(ctx, renamed(form), ctx.get('content-type'))
  await next()
}

/** Byte by byte as it was, but for the name. */
function renamed(form: Buffer): Buffer {
  const text = form.toString('latin1')
  if (/(^|&)refresh_token=/.test(text)) return form
  return Buffer.from(text.replaceAll(/(^|&)refreshToken=/g, '$1refresh_token='), 'latin1')
}
