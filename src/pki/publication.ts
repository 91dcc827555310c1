import { createHash } from 'node:crypto'
import type { Context, Middleware } from 'koa'
import type { Gate } from '../admission/gate.js'
import { networkOf } from '../admission/network.js'
import type { AuthorityName } from '../certificates/embedded/authority-store.js'
import { OCSP_PATH, PUBLISHED } from '../certificates/embedded/published.js'
import { MOST_REQUEST_BYTES } from '../certificates/ocsp/request.js'
import type { OcspAnswer, OcspResponder } from '../certificates/ocsp/responder.js'
import { ocspRefusal } from '../certificates/ocsp/response.js'
import type { RevocationLists } from '../certificates/revocation-lists.js'
import { isServiceError } from '../errors.js'
import { readBytes } from '../http/body.js'
import { isGone } from '../http/overload.js'
import type { Logger } from '../observability/logger.js'
import { setRoute } from '../observability/requests.js'

export interface PublicationParts {
  readonly responder: Pick<OcspResponder, 'answer'>
  readonly lists: Pick<RevocationLists, 'current'>
  /** DER. */
  readonly certificates: Readonly<Record<AuthorityName, Buffer>>
  readonly now: () => Date
  readonly logger: Logger
  /** Through which requests pass, address by address. */
  readonly gate: Gate
}

/** Caches may be that far behind when something is revoked. */
const CACHE_SECONDS = 300
/** Certificates of authorities do not change. */
const CERTIFICATE_CACHE_SECONDS = 86_400
const RETRY_SECONDS = 10

/** What certificates of the embedded authority point to: certificates and lists of authorities, and OCSP. */
export function publication(parts: PublicationParts): Middleware {
  const files = new Map<string, (ctx: Context) => void | Promise<void>>()
  for (const name of ['root', 'issuing'] as const) {
    const { certificate, crl } = PUBLISHED[name]
    files.set(certificate, (ctx) => sendCertificate(ctx, parts.certificates[name]))
    files.set(crl, (ctx) => sendList(ctx, name, parts))
  }
  return async (ctx, next) => {
    if (ctx.path === OCSP_PATH || ctx.path.startsWith(`${OCSP_PATH}/`)) {
      setRoute(ctx, OCSP_PATH)
      return answerOcsp(ctx, parts)
    }
    const send = files.get(ctx.path)
    if (!send) {
      await next()
      return
    }
    setRoute(ctx, ctx.path)
    if (refusesMethod(ctx, ['GET', 'HEAD'])) return
    await send(ctx)
  }
}

function sendCertificate(ctx: Context, certificate: Buffer): void {
  send(ctx, 'application/pkix-cert', certificate)
  ctx.set('Cache-Control', `public, max-age=${CERTIFICATE_CACHE_SECONDS}`)
}

async function sendList(
  ctx: Context,
  issuer: AuthorityName,
  { lists, logger, gate }: PublicationParts,
): Promise<void> {
  let list
  try {
    list = await gate.pass(entrant(ctx), () => lists.current(issuer))
  } catch (error) {
    const turnedAway = overloaded(error)
    if (!turnedAway) logger.error({ err: error, issuer }, 'no revocation list')
    const { status, retryAfter } = turnedAway ?? { status: 503, retryAfter: RETRY_SECONDS }
    ctx.status = status
    ctx.set({ 'Cache-Control': 'no-store', 'Retry-After': String(retryAfter) })
    ctx.type = 'text/plain'
    ctx.body = 'Try again later'
    return
  }
  send(ctx, 'application/pkix-crl', list.bytes)
  ctx.set('Cache-Control', `public, max-age=${CACHE_SECONDS}, no-transform, must-revalidate`)
  ctx.set('Expires', list.nextUpdate.toUTCString())
  ctx.etag = String(list.number)
  if (ctx.fresh) ctx.status = 304
}

/** @see RFC 6960, appendix A, and RFC 5019, 5 and 6 */
async function answerOcsp(ctx: Context, parts: PublicationParts): Promise<void> {
  if (refusesMethod(ctx, ['GET', 'HEAD', 'POST'])) return
  let answer: OcspAnswer
  let turnedAway = null
  try {
    const request = await requestOf(ctx)
    answer = await parts.gate.pass(entrant(ctx), () => parts.responder.answer(request))
  } catch (error) {
    turnedAway = overloaded(error)
    answer = refusal(error, parts.logger)
  }
  const { bytes, validity } = answer
  send(ctx, 'application/ocsp-response', bytes)
  if (turnedAway) {
    // Said twice: to those who look at the status, and to those who read the response alone.
    ctx.status = turnedAway.status
    ctx.set('Retry-After', String(turnedAway.retryAfter))
  }
  if (!validity) return ctx.set('Cache-Control', 'no-store')
  const left = (validity.nextUpdate.getTime() - parts.now().getTime()) / 1000
  const seconds = Math.max(0, Math.min(CACHE_SECONDS, Math.floor(left)))
  ctx.set('Cache-Control', `public, max-age=${seconds}, no-transform, must-revalidate`)
  ctx.set('Last-Modified', validity.thisUpdate.toUTCString())
  ctx.set('Expires', validity.nextUpdate.toUTCString())
  ctx.etag = createHash('sha256').update(bytes).digest('hex')
  if (ctx.fresh) ctx.status = 304
}

/** The token or database may be back soon; what nobody foresaw is no better the next time. */
function refusal(error: unknown, logger: Logger): OcspAnswer {
  const kind = isServiceError(error) ? error.kind : null
  if (kind === 'malformed-request' || kind === 'request-too-large') {
    return { bytes: ocspRefusal('malformedRequest'), validity: null }
  }
  if (!overloaded(error)) logger.error({ err: error }, 'no OCSP response')
  return { bytes: ocspRefusal(kind === null ? 'internalError' : 'tryLater'), validity: null }
}

/** Addresses take turns. */
function entrant(ctx: Context) {
  return { party: `address ${networkOf(ctx.ip)}`, isGone: () => isGone(ctx) }
}

/** How a request is turned away that was not begun; null for any other failure. */
function overloaded(error: unknown): { status: number; retryAfter: number } | null {
  if (!isServiceError(error)) return null
  if (error.kind === 'overloaded') return { status: 503, retryAfter: error.retryAfter }
  return error.kind === 'too-many-requests' ? { status: 429, retryAfter: error.retryAfter } : null
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/

/** Of a GET it is what follows in the path, where slashes of Base64 may come as they are. */
async function requestOf(ctx: Context): Promise<Buffer> {
  if (ctx.method === 'POST') return readBytes(ctx, MOST_REQUEST_BYTES)
  const [path = ''] = ctx.originalUrl.split('?')
  const text = decoded(path.slice(path.indexOf(OCSP_PATH) + OCSP_PATH.length + 1))
  return Buffer.from(BASE64.test(text) ? text : '', 'base64')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

function send(ctx: Context, type: string, bytes: Buffer): void {
  ctx.status = 200
  ctx.set('X-Content-Type-Options', 'nosniff')
  ctx.set('Content-Type', type)
  ctx.body = bytes
}

function refusesMethod(ctx: Context, allowed: readonly string[]): boolean {
  if (allowed.includes(ctx.method)) return false
  ctx.status = 405
  ctx.set('Allow', allowed.join(', '))
  return true
}
