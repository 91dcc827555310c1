import type { Middleware } from 'koa'
import { MalformedRequestError } from '../errors.js'

/**
 * Requests name a path, or the whole address (RFC 9112, 3.2.2). Of the latter, path and query are left:
 * where we are is said by the configuration. What is neither is refused like a request to `/`.
 * @throws {MalformedRequestError}
 */
export const takeWholeAddresses: Middleware = (ctx, next) => {
  const { originalUrl } = ctx
  if (originalUrl.startsWith('/') || originalUrl === '*') return next()
  const isAddress = /^https?:\/\/[^/?#]/i.test(originalUrl) && URL.canParse(originalUrl)
  const { pathname, search } = new URL(isAddress ? originalUrl : 'http://none/')
  ctx.url = pathname + search
  ctx.originalUrl = ctx.request.originalUrl = ctx.url
  if (!isAddress) throw new MalformedRequestError('request target')
  return next()
}
