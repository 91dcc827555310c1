import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Koa, { type Context, type Middleware } from 'koa'
import mount from 'koa-mount'
import type { Provider } from 'oidc-provider'
import { account } from './account/account.js'
import type { Gate } from './admission/gate.js'
import type { AccountParts } from './account/section.js'
import { CSC_MOUNTS, type CscMount } from './csc/index.js'
import { renderCscError } from './csc/errors.js'
import { mountCsc } from './csc/mount.js'
import type { CscServices } from './csc/services.js'
import { demo } from './demo/demo.js'
import { isServiceError } from './errors.js'
import { publication, type PublicationParts } from './pki/publication.js'
import { timestampAuthority } from './pki/timestamp-authority.js'
import { takeTurns, type Entrance } from './http/overload.js'
import { pinScheme } from './http/own-scheme.js'
import { takeWholeAddresses } from './http/request-target.js'
import { believeProxiesOnly } from './http/trusted-proxy.js'
import type { InteractionParts } from './oauth/interaction-steps.js'
import { interactions } from './oauth/interactions.js'
import { METADATA_PATHS, OAUTH_ROUTES } from './oauth/routes.js'
import { PACKAGE } from './package-files.js'
import { keepChosenLanguage } from './pages/chosen-language.js'
import { PASSKEY_SCRIPT_PATH } from './pages/passkey.js'
import {
  AUTHORIZATION_SERVER,
  documents,
  VERIFICATION,
  type DescribedApi,
} from './reference/documents.js'
import { reference } from './reference/reference.js'
import type { Logger } from './observability/logger.js'
import { health, type HealthChecks } from './observability/health.js'
import type { Metrics } from './observability/metrics.js'
import { verify, type VerifyParts } from './verify/verify.js'
import { showMetrics } from './observability/metrics-listener.js'
import { observeRequests, requestId } from './observability/requests.js'
import type { Tracing } from './observability/tracing.js'
import type { TimestampAuthority } from './timestamping/authority.js'

/** The OAuth endpoints answer at the root and again below each of these. */
const CSC_BASES = CSC_MOUNTS.map(({ base }) => base)

/** What openapi/ describes; the first version is also the one at the root. */
function describedApis(services: AppParts['csc']): DescribedApi[] {
  const apis = CSC_MOUNTS.map(({ base, version, endpoints }, index) => ({
    file: `csc-${version}.json`,
    name: `CSC ${version}`,
    paths: [...(index === 0 ? ['/openapi.json'] : []), `${base}/openapi.json`],
    leftOut: endpoints
      .filter((each) => !each.isOn({ ...services, methods: [] }))
      .map(({ path }) => path),
  }))
  const { verification } = services.config
  return [...apis, AUTHORIZATION_SERVER, ...(verification.enabled ? [VERIFICATION] : [])]
}

export interface AppParts {
  readonly provider: Provider
  readonly interactions: InteractionParts
  readonly account: AccountParts
  readonly csc: Omit<CscServices, 'methods'>
  readonly publication: PublicationParts
  /** Null when it does not answer by itself. */
  readonly timestampAuthority: TimestampAuthority | null
  /** Null where signatures are not checked for everybody. */
  readonly verify: VerifyParts | null
  readonly checks: HealthChecks
  readonly entrance: Entrance
  /** Through which pass pages and OAuth endpoints, address by address. */
  readonly pageGate: Gate
  readonly metrics: Metrics
  readonly tracing: Tracing
  readonly cookieKeys: string[]
  readonly logger: Logger
}

/** Which APIs are mounted, and in which order a request passes them. */
export function createApp(parts: AppParts): Koa {
  const { provider, logger, csc } = parts
  const app = new Koa()
  app.proxy = csc.config.proxy.trusted
  pinScheme(app, csc.config.baseUrl)
  app.keys = parts.cookieKeys
  app.on('error', (error: unknown) => {
    if (isBrokenOff(error)) logger.debug({ err: error }, 'request broken off')
    else logger.error({ err: error }, 'request failed')
  })
  app.use(observeRequests({ ...parts, routes: ROUTES }))
  app.use(answerFailures(parts))
  app.use(takeWholeAddresses)
  app.use(believeProxiesOnly(csc.config.proxy))
  app.use(tidyPath)
  app.use(oauthAliases)
  app.use(health(parts.checks))
  if (csc.config.sandbox && !csc.config.metrics.listen) app.use(showMetrics(parts.metrics))
  app.use(parts.entrance.middleware())
  app.use(publication(parts.publication))
  const { timestampAuthority: authority } = parts
  const { gate: pkiGate } = parts.publication
  if (authority) app.use(timestampAuthority({ authority, gate: pkiGate, logger }))
  app.use(assets())
  app.use(keepChosenLanguage)
  const described = describedApis(csc)
  app.use(documents(described, csc.config.baseUrl))
  if (csc.config.reference) app.use(reference(described))
  if (csc.config.sandbox) {
    app.use(demo({ directory: join(PACKAGE, 'dist/demo/public') }))
  }
  for (const each of CSC_MOUNTS) {
    if (each.oauth) app.use(each.oauth.translate(each.base))
    app.use(oauthBelow(each))
    app.use(mountCsc(each, { services: csc, logger }))
  }
  if (parts.verify) app.use(verify(parts.verify))
  app.use(takeTurns(parts.pageGate))
  app.use(interactions(parts.interactions).routes())
  app.use(parts.interactions.identity.routes().routes())
  app.use(account(parts.account).routes())
  app.use(showPeopleAround(parts))
  app.use(mount(provider))
  return app
}

/** Whoever hangs up in the middle is no reason to alarm anybody. */
function isBrokenOff(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException
  return code.startsWith('HPE_') || BROKEN_OFF.has(code)
}
const BROKEN_OFF = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'])

/** Nothing a client sends ends in a stack trace, and nothing unforeseen goes unlogged. */
function answerFailures({ interactions: { pages }, logger }: AppParts): Middleware {
  return async (ctx, next) => {
    try {
      await next()
    } catch (error) {
      const kind = isServiceError(error) ? error.kind : null
      if (kind === 'malformed-request' || kind === 'request-too-large') {
        const status = kind === 'request-too-large' ? 413 : 400
        pages.renderProblem(ctx, status, 'invalid_request', 'invalid-request')
        return
      }
      if (kind === 'overloaded' || kind === 'too-many-requests') {
        refuseForNow(ctx, pages, error)
        return
      }
      logger.error({ err: error, path: ctx.path, requestId: requestId(ctx) }, 'request failed')
      if (kind !== null && UNAVAILABLE.has(kind)) {
        pages.renderProblem(ctx, 503, 'temporarily_unavailable', 'unavailable')
        return
      }
      pages.renderProblem(ctx, 500, 'server_error', 'failure')
    }
  }
}

/** Whoever tries again later may find it there. */
const UNAVAILABLE: ReadonlySet<string> = new Set([
  ...['storage-unavailable', 'hsm-unavailable', 'certificate-unavailable', 'unfit-certificate'],
])

/** Who opens the service's address in a browser, or a wrong one, gets a page and not a bare word. */
function showPeopleAround({ interactions: { pages }, csc }: AppParts): Middleware {
  return async (ctx, next) => {
    if (ctx.path === '/' && csc.config.sandbox && ctx.method === 'GET') {
      ctx.status = 303
      ctx.set('Location', '/demo/')
      return
    }
    await next()
    const isPerson = ctx.method === 'GET' && ctx.accepts('json', 'html') === 'html'
    if (isPerson && ctx.status === 404 && typeof ctx.body !== 'string') {
      pages.renderProblem(ctx, 404, 'invalid_request', 'not-found')
    }
  }
}

/** Applications are told in their own words, people on a page. */
function refuseForNow(ctx: Context, pages: AppParts['interactions']['pages'], reason: unknown) {
  const { status, error, error_description, retryAfter = 1 } = renderCscError(reason)
  if (isForPerson(ctx)) {
    pages.renderProblem(ctx, status, error, 'unavailable')
  } else {
    ctx.status = status
    ctx.set('Cache-Control', 'no-store')
    ctx.body = { error, error_description }
    ctx.type = 'application/json; charset=UTF-8'
  }
  ctx.set('Retry-After', String(retryAfter))
}

/** Whether a browser shows somebody the answer. Programs may accept pages, too, without meaning it. */
function isForPerson(ctx: Context): boolean {
  if (ctx.accepts('json', 'html') !== 'html') return false
  const base = CSC_BASES.find((each) => ctx.path.startsWith(`${each}/`)) ?? ''
  if (ctx.path === base + OAUTH_ROUTES.authorization) return true
  return base === '' && !(ctx.method === 'POST' && (ROUTES.has(ctx.path) || ctx.is('json')))
}

/** Fixed paths, apart from those of the CSC methods. */
const ROUTES: ReadonlySet<string> = new Set([
  ...Object.values(OAUTH_ROUTES),
  ...['/health/live', '/health/ready', '/metrics', '/openapi.json', '/reference'],
  ...METADATA_PATHS,
])

/** Published base URIs get appended to with and without a slash; both spellings are one address. */
const tidyPath: Middleware = (ctx, next) => {
  if (!/\/(\/|$)/.test(ctx.path)) return next()
  const path = ctx.path.replaceAll(/\/{2,}/g, '/')
  const keepsSlash = path === '/' || path.startsWith('/demo')
  ctx.path = keepsSlash ? path : path.replace(/\/$/, '')
  return next()
}

const PROVED: ReadonlySet<string> = new Set([
  OAUTH_ROUTES.token,
  OAUTH_ROUTES.pushed_authorization_request,
])

function oauthBelow({ base, oauth }: CscMount): Middleware {
  return (ctx, next) => {
    const path = ctx.path.slice(base.length)
    const isThere = oauth?.routes.includes(path) ?? path.startsWith('/oauth2/')
    if (!ctx.path.startsWith(`${base}/`) || !isThere) return next()
    ctx.path = path
    // DPoP proofs name the address that was called (RFC 9449, 4.3), which is also this one.
    const isForApplications = ctx.method === 'POST' && PROVED.has(ctx.path)
    if (isForApplications) Object.assign(ctx.req, { originalUrl: ctx.originalUrl })
    return next()
  }
}

/** Addresses that wallets derive from the base URI, whatever the specification calls them. */
const OAUTH_ALIASES: Readonly<Record<string, string>> = {
  '/authorize': OAUTH_ROUTES.authorization,
  '/revoke': OAUTH_ROUTES.revocation,
  '/oauth/revoke': OAUTH_ROUTES.revocation,
}

const oauthAliases: Middleware = (ctx, next) => {
  const base = CSC_BASES.find((each) => ctx.path.startsWith(`${each}/`)) ?? ''
  const path = ctx.path.slice(base.length)
  if (Object.hasOwn(OAUTH_ALIASES, path)) ctx.path = base + (OAUTH_ALIASES[path] ?? path)
  return next()
}

/** Style sheet, script and logo: read once, the same for everybody. */
function assets(): Middleware {
  const files: Readonly<Record<string, { type: string; bytes: Buffer }>> = {
    '/assets/pages.css': asset('text/css; charset=utf-8', 'pages.css'),
    [PASSKEY_SCRIPT_PATH]: asset('text/javascript; charset=utf-8', 'passkeys.js'),
    '/assets/logo.png': asset('image/png', 'logo.png'),
  }
  return (ctx: Context, next) => {
    const file = ctx.method === 'GET' || ctx.method === 'HEAD' ? files[ctx.path] : undefined
    if (!file) return next()
    ctx.type = file.type
    ctx.set('Cache-Control', 'public, max-age=3600')
    ctx.set('X-Content-Type-Options', 'nosniff')
    ctx.body = file.bytes
    return Promise.resolve()
  }
}

function asset(type: string, name: string) {
  const folder = join(PACKAGE, 'src/pages')
  return { type, bytes: readFileSync(join(folder, name)) }
}
