import type { Context, Middleware } from 'koa'
import type { Gate } from '../admission/gate.js'
import { networkOf } from '../admission/network.js'
import { isServiceError } from '../errors.js'
import { readBytes } from '../http/body.js'
import { isGone } from '../http/overload.js'
import { requestId, setRoute } from '../observability/requests.js'
import type { Logger } from '../observability/logger.js'
import type { TimestampAuthority } from '../timestamping/authority.js'
import { MOST_REQUEST_BYTES } from '../timestamping/request.js'

const TSA_PATH = '/tsa'
const QUERY_TYPE = 'application/timestamp-query'
const REPLY_TYPE = 'application/timestamp-reply'

export interface TimestampAuthorityParts {
  readonly authority: Pick<TimestampAuthority, 'respond'>
  /** Through which requests pass, address by address. */
  readonly gate: Gate
  readonly logger: Logger
}

/**
 * Timestamps over HTTP: one request, one response, which is also how a request is refused. @see RFC 3161, 3.4
 */
export function timestampAuthority({
  authority,
  gate,
  logger,
}: TimestampAuthorityParts): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== TSA_PATH) {
      await next()
      return
    }
    setRoute(ctx, TSA_PATH)
    ctx.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
    if (ctx.method !== 'POST') {
      ctx.set('Allow', 'POST')
      return send(ctx, 405, 'Use the POST method.')
    }
    if (!ctx.is(QUERY_TYPE)) return send(ctx, 415, `Send ${QUERY_TYPE}.`)
    try {
      const request = await readBytes(ctx, MOST_REQUEST_BYTES)
      const entrant = { party: `address ${networkOf(ctx.ip)}`, isGone: () => isGone(ctx) }
      ctx.body = await gate.pass(entrant, () =>
        authority.respond(request, (error) =>
          logger.error({ err: error, requestId: requestId(ctx) }, 'no timestamp'),
        ),
      )
      ctx.set('Content-Type', REPLY_TYPE)
    } catch (error) {
      refuse(ctx, error)
    }
  }
}

/** What never came to the authority, in the terms of HTTP. */
function refuse(ctx: Context, error: unknown): void {
  if (!isServiceError(error)) throw error
  switch (error.kind) {
    case 'malformed-request':
      return send(ctx, 400, 'The body cannot be read.')
    case 'request-too-large':
      return send(ctx, 413, 'The request is too large.')
    case 'too-many-requests':
    case 'overloaded':
      ctx.set('Retry-After', String(error.retryAfter))
      return send(ctx, error.kind === 'overloaded' ? 503 : 429, 'Try again later.')
    default:
      throw error
  }
}

function send(ctx: Context, status: number, text: string): void {
  ctx.status = status
  ctx.type = 'text/plain'
  ctx.body = text
}
