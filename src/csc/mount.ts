import type { Context, Middleware } from 'koa'
import { networkOf } from '../admission/network.js'
import { InsufficientScopeError, isServiceError } from '../errors.js'
import { requireBearer } from '../http/bearer.js'
import { admitOrigin } from '../http/browser-origins.js'
import { certificateHeader } from '../http/client-certificate.js'
import { PROOF_ALGORITHMS } from '../http/dpop.js'
import { Accepted, Created, Large, NO_CONTENT } from '../http/endpoint.js'
import { readJson } from '../http/json-body.js'
import { jsonInPieces } from '../http/json-pieces.js'
import { costOf, isGone, largestBody } from '../http/overload.js'
import type { Logger } from '../observability/logger.js'
import { requestId, setRoute } from '../observability/requests.js'
import type { RenderedError } from './errors.js'
import type { CscMount } from './index.js'
import { withQuirks } from './quirks.js'
import type { CscServices } from './services.js'

/** How long applications should wait before they ask again for what has no result yet. */
const POLL_SECONDS = 2

/** What methods answer that are not there, or that configuration has off. */
export const NOT_IMPLEMENTED: RenderedError = {
  status: 501,
  error: 'not_implemented',
  error_description: 'The method is not supported by this service.',
}

/**
 * Answers every path below a CSC base URI. The order of checks is that of the specification: is the
 * method on, the header, the token, the scope, the JSON, then its members.
 */
export function mountCsc(
  { base, endpoints, renderError }: CscMount,
  parts: { services: Omit<CscServices, 'methods'>; logger: Logger },
): Middleware {
  const { logger } = parts
  const on = endpoints.filter((endpoint) => endpoint.isOn({ ...parts.services, methods: [] }))
  const byPath = new Map(on.map((endpoint) => [endpoint.path, endpoint]))
  const methods = on
    .filter(({ path, extension }) => path !== '/info' && !extension)
    .map(({ path }) => path.slice(1))
  const services: CscServices = { ...parts.services, methods }
  const { limits } = services.config
  const { baseUrl, policy, proxy } = services.config
  const { dpopNonces } = services
  const resource = { baseUrl, dpopNonces, certificateHeader: certificateHeader(proxy) }

  return async (ctx, next) => {
    if (ctx.path !== base && !ctx.path.startsWith(`${base}/`)) {
      await next()
      return
    }
    ctx.set('Cache-Control', 'no-store')
    ctx.set('X-Content-Type-Options', 'nosniff')
    const endpoint = byPath.get(ctx.path.slice(base.length))
    setRoute(ctx, endpoint ? base + endpoint.path : `${base}/*`)
    const methodsAllowed = endpoint?.path === '/info' ? 'GET, HEAD, POST' : 'POST'
    if (admitOrigin(ctx, policy.browserOrigins, methodsAllowed)) return
    if (!endpoint) {
      return send(ctx, NOT_IMPLEMENTED)
    }
    const isRead = ctx.method === 'GET' || ctx.method === 'HEAD'
    const readsByGet = isRead && endpoint.path === '/info'
    if (ctx.method !== 'POST' && !readsByGet) {
      ctx.set('Allow', methodsAllowed)
      return send(ctx, {
        status: 405,
        error: 'invalid_request',
        error_description: 'Use the POST method.',
      })
    }
    try {
      const server = { ...resource, now: services.now() }
      const caller =
        endpoint.scopes.length === 0 ? null : await requireBearer(ctx, services.tokens, server)
      if (caller && !endpoint.scopes.includes(caller.scope))
        throw new InsufficientScopeError('scope')
      const documents = endpoint.takesDocuments
      const sent = readsByGet
        ? {}
        : await readJson(ctx, largestBody(endpoint, limits), { documents })
      const entrant = {
        party: caller ? `client ${caller.clientId}` : `address ${networkOf(ctx.ip)}`,
        cost: costOf(sent),
        isGone: () => isGone(ctx),
      }
      const answer = await services.gate.pass(entrant, async (rest, stay) => {
        const body = caller ? await withQuirks(sent, caller, { endpoint, services }) : sent
        return endpoint.invoke(body, caller, services, {
          idempotencyKey: ctx.get('idempotency-key') || null,
          authorization: ctx.get('authorization') || null,
          address: ctx.ip,
          rest,
          stay,
        })
      })
      if (answer === NO_CONTENT) ctx.status = 204
      else if (answer instanceof Created) sendCreated(ctx, answer)
      else if (answer instanceof Large) sendLarge(ctx, answer)
      else {
        if (answer instanceof Accepted) {
          ctx.status = 202
          ctx.set('Retry-After', String(POLL_SECONDS))
        }
        // Before the body, which is otherwise looked at for its type.
        ctx.set('Content-Type', 'application/json; charset=UTF-8')
        ctx.body = answer instanceof Accepted ? answer.body : answer
      }
    } catch (error) {
      const rendered = renderError(error, endpoint.path)
      services.metrics.refused('csc', isServiceError(error) ? error.kind : 'unforeseen')
      if (rendered.status >= 500) {
        const level = isServiceError(error) && error.kind === 'overloaded' ? 'debug' : 'error'
        logger[level](
          { err: error, path: endpoint.path, requestId: requestId(ctx) },
          'method failed',
        )
      }
      send(ctx, rendered)
    }
  }
}

function sendCreated(ctx: Context, { body }: Created): void {
  ctx.body = body ?? ''
  ctx.status = 201
  if (body) ctx.type = 'application/json; charset=UTF-8'
}

function sendLarge(ctx: Context, { body }: Large): void {
  const { length, stream } = jsonInPieces(body)
  ctx.body = stream
  ctx.type = 'application/json; charset=UTF-8'
  ctx.length = length
}

function send(ctx: Context, rendered: RenderedError): void {
  const { status, error, error_description, retryAfter, challenge } = rendered
  ctx.status = status
  if (retryAfter !== undefined) ctx.set('Retry-After', String(retryAfter))
  if (challenge === 'DPoP') {
    ctx.set('WWW-Authenticate', `DPoP error="${error}", algs="${PROOF_ALGORITHMS.join(' ')}"`)
  } else if (challenge === 'Basic') {
    ctx.set('WWW-Authenticate', 'Basic realm="CSC API", charset="UTF-8"')
  } else if (challenge) ctx.set('WWW-Authenticate', `Bearer error="${error}"`)
  ctx.body = { error, error_description }
  ctx.type = 'application/json; charset=UTF-8'
}
