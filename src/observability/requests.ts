import { randomBytes } from 'node:crypto'
import type { Context, Middleware } from 'koa'
import type { Metrics } from './metrics.js'
import type { Tracing } from './tracing.js'

/** Route of what is at no address of ours. */
const NO_ROUTE = 'none'

/**
 * Counts and times every answer, and begins its trace.
 * @param parts.routes fixed paths that stand for themselves; others count by the pattern that matched
 */
export function observeRequests(parts: {
  metrics: Metrics
  tracing: Tracing
  routes: ReadonlySet<string>
}): Middleware {
  const { metrics, tracing, routes } = parts
  return async (ctx, next) => {
    const begun = performance.now()
    const facts = () => ({
      'http.request.method': METHODS.has(ctx.method) ? ctx.method : '_OTHER',
      'http.route': routeOf(ctx, routes),
      'http.response.status_code': ctx.status,
    })
    try {
      await tracing.request(ctx.req.headers, facts, next)
    } finally {
      const seconds = (performance.now() - begun) / 1000
      metrics.requestAnswered(routeOf(ctx, routes), ctx.status, seconds)
      if (ctx.status >= 400) ctx.set('X-Request-Id', requestId(ctx))
    }
  }
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'])

/** Names what answers, for `observeRequests`: a path or pattern of ours, never what was sent. */
export function setRoute(ctx: Context, route: string): void {
  ;(ctx.state as RequestState).route = route
}

interface RequestState {
  route?: string
  requestId?: string
}

function routeOf(ctx: Context, routes: ReadonlySet<string>): string {
  const { route } = ctx.state as RequestState
  if (route !== undefined) return route
  // What @koa/router leaves behind: the pattern of the last route that matched.
  const matched = ctx['_matchedRoute'] as unknown
  if (typeof matched === 'string') return matched
  return routes.has(ctx.path) ? ctx.path : NO_ROUTE
}

/**
 * Names the request in log lines, and in the answer when it is a refusal: the trace the caller named by a
 * `traceparent`, or a name of our own.
 */
export function requestId(ctx: Context): string {
  const state = ctx.state as RequestState
  state.requestId ??=
    /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(ctx.get('traceparent'))?.[1] ??
    randomBytes(16).toString('hex')
  return state.requestId
}
