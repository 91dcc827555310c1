import { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import type { Context, Middleware } from 'koa'
import type { Gate } from '../admission/gate.js'
import { networkOf } from '../admission/network.js'
import { renderCscError, type RenderedError } from '../csc/errors.js'
import { readJson } from '../http/json-body.js'
import { isGone, largestBody } from '../http/overload.js'
import type { PageRenderer } from '../oauth/page-renderer.js'
import { chosenLanguage } from '../pages/chosen-language.js'
import type { Logger } from '../observability/logger.js'
import { requestId, setRoute } from '../observability/requests.js'
import { chooseReportLanguage, type ReportLanguage } from '../verification/messages.js'
import type { Report } from '../verification/report.js'
import type { Submission } from '../verification/verification.js'
import { readUpload, type Upload } from './multipart.js'
import { renderLateResult, renderReportPage, renderUnderway, renderUploadPage } from './pages.js'
import {
  VERIFICATION_PATH,
  verificationEndpoint,
  type VerifyServices,
} from './verification-endpoint.js'

export interface VerifyParts extends VerifyServices {
  readonly gate: Gate
  readonly pages: Pick<PageRenderer, 'send'>
  readonly limits: { readonly bodyBytes: number; readonly documentBytes: number }
  /** In which pages are when a browser wishes for nothing. */
  readonly defaultLanguage: string
  readonly logger: Logger
  /** How long a browser shows nothing new before it is told that the document is being checked. */
  readonly silentMs?: number
}

/** `POST /verification` as JSON for applications; for people the same address is a page with a form. */
export function verify(parts: VerifyParts): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== VERIFICATION_PATH) {
      await next()
      return
    }
    setRoute(ctx, VERIFICATION_PATH)
    if (ctx.method === 'GET' || ctx.method === 'HEAD') {
      const lang = languageOf(ctx, parts)
      const largest = parts.limits.documentBytes
      return parts.pages.send(ctx, 200, renderUploadPage({ lang, problem: null, largest }))
    }
    if (ctx.method !== 'POST') {
      ctx.set('Allow', 'GET, POST')
      return answerError(ctx, {
        ...{ status: 405, error: 'invalid_request' },
        error_description: 'Use the POST method.',
      })
    }
    if (ctx.is('multipart/form-data')) return answerPage(ctx, parts)
    return answerJson(ctx, parts)
  }
}

async function answerJson(ctx: Context, parts: VerifyParts): Promise<void> {
  ctx.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
  try {
    const sent = await readJson(ctx, largestBody(verificationEndpoint, parts.limits))
    const report = await inTurn(ctx, parts, () =>
      verificationEndpoint.invoke(sent, null, parts, {
        ...{ idempotencyKey: null, authorization: null, address: ctx.ip },
        ...{ rest: (pause) => pause(), stay: () => undefined },
      }),
    )
    ctx.body = report
    ctx.type = 'application/json; charset=UTF-8'
  } catch (error) {
    answerError(ctx, rendered(ctx, error, parts))
  }
}

async function answerPage(ctx: Context, parts: VerifyParts): Promise<void> {
  let lang = languageOf(ctx, parts)
  const largest = parts.limits.documentBytes
  try {
    const upload = await readUpload(ctx, parts.limits.documentBytes)
    lang = chooseReportLanguage(upload.fields.get('lang') ?? lang)
    const submission = submissionOf(upload)
    if (!submission) {
      return parts.pages.send(ctx, 400, renderUploadPage({ lang, problem: 'no-file', largest }))
    }
    const checking = inTurn(ctx, parts, () => parts.verification.verify(submission, lang))
    if (!(await comesSoon(checking, parts))) {
      return parts.pages.send(ctx, 200, Readable.from(inPieces(ctx, parts, lang, checking)))
    }
    parts.pages.send(ctx, 200, renderReportPage({ lang, report: await checking }))
  } catch (error) {
    const { status, retryAfter } = rendered(ctx, error, parts)
    if (retryAfter !== undefined) ctx.set('Retry-After', String(retryAfter))
    const problem = problemOf(status)
    parts.pages.send(ctx, status, renderUploadPage({ lang, problem, largest }))
  }
}

function problemOf(status: number): 'too-large' | 'malformed' | 'busy' {
  if (status === 413) return 'too-large'
  return status < 429 ? 'malformed' : 'busy'
}

/** Whether there is a result, of whatever kind, before anybody wonders. */
async function comesSoon(
  checking: Promise<unknown>,
  { silentMs = 2000 }: VerifyParts,
): Promise<boolean> {
  const waiting = new AbortController()
  const settled = checking.then(
    () => true,
    () => true,
  )
  const patience = setTimeout(silentMs, false, { signal: waiting.signal }).catch(() => false)
  const isThere = await Promise.race([settled, patience])
  waiting.abort()
  return isThere
}

/** The beginning of the page at once, the rest with the result: too late then for a status of its own. */
async function* inPieces(
  ctx: Context,
  parts: VerifyParts,
  lang: ReportLanguage,
  checking: Promise<Report>,
): AsyncGenerator<string> {
  const { beginning, end } = renderUnderway(lang)
  yield beginning
  const result = await checking.catch((error: unknown) =>
    problemOf(rendered(ctx, error, parts).status),
  )
  yield renderLateResult({ lang, result })
  yield end
}

/** Null when no file was chosen. */
function submissionOf({ files }: Upload): Submission | null {
  const [document, content] = [files.get('document'), files.get('content')]
  if (!document) return null
  return {
    name: document.name || null,
    document: document.bytes,
    contents: content ? [{ name: null, bytes: content.bytes, digests: new Map() }] : [],
  }
}

function inTurn(ctx: Context, { gate }: VerifyParts, work: () => Promise<Report>): Promise<Report> {
  return gate.pass({ party: `address ${networkOf(ctx.ip)}`, isGone: () => isGone(ctx) }, work)
}

function languageOf(ctx: Context, { defaultLanguage }: VerifyParts): ReportLanguage {
  const { lang } = ctx.query
  const asked = typeof lang === 'string' && lang !== '' ? lang : chosenLanguage(ctx)
  const wish = asked ?? ctx.get('accept-language')
  return chooseReportLanguage(wish || defaultLanguage)
}

function rendered(ctx: Context, error: unknown, { logger }: VerifyParts): RenderedError {
  const answer = renderCscError(error)
  if (answer.status >= 500) {
    const level = answer.status === 503 ? 'debug' : 'error'
    logger[level]({ err: error, path: ctx.path, requestId: requestId(ctx) }, 'verification failed')
  }
  return answer
}

function answerError(ctx: Context, answer: RenderedError): void {
  const { status, error, error_description, retryAfter } = answer
  ctx.status = status
  if (retryAfter !== undefined) ctx.set('Retry-After', String(retryAfter))
  ctx.body = { error, error_description }
  ctx.type = 'application/json; charset=UTF-8'
}
