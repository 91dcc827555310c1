import { Readable } from 'node:stream'
import type { Context, Middleware } from 'koa'
import { MalformedRequestError } from '../../errors.js'
import { readJson } from '../../http/json-body.js'
import { renderCscError } from '../errors.js'
import { impliedHashAlgorithm } from './hashes.js'

/** How the OAuth endpoints of a version differ from those of v2. */
export interface OAuthDialect {
  /** The endpoints it has, below its base. */
  readonly routes: readonly string[]
  /** What they take and answer in other words. */
  readonly translate: (base: string) => Middleware
}

/** Largest token request in JSON, in bytes. */
const LIMIT = 65536

/**
 * v1, 8.3: `hash` without its algorithm, credential tokens of type SAD, nothing of pushed or rich
 * requests. JSON at the token endpoint is what several services of that time took.
 */
export const V1_OAUTH: OAuthDialect = {
  routes: ['/oauth2/authorize', '/oauth2/token', '/oauth2/revoke'],
  translate: (base) => async (ctx, next) => {
    const { path } = ctx
    if (path === `${base}/oauth2/authorize`) nameHashAlgorithm(ctx)
    if (path === `${base}/oauth2/token` && ctx.is('application/json')) {
      try {
        await readAsForm(ctx)
      } catch (error) {
        const { status, error: code, error_description } = renderCscError(error)
        ctx.status = status
        ctx.body = { error: code, error_description }
        return
      }
    }
    await next()
    if (path === `${base}/oauth2/token` && ctx.status === 200) nameTokenType(ctx)
  },
}

/** Put into the request before anything reads it, so that there is one way to read it. */
function nameHashAlgorithm(ctx: Context): void {
  const { hash, hashAlgorithmOID } = ctx.query
  if (typeof hash !== 'string' || hashAlgorithmOID) return
  const implied = impliedHashAlgorithm(hash.split(','))
  if (implied) ctx.query = { ...ctx.query, hashAlgorithmOID: implied }
}

/** v1, 8.3.3: a credential token goes into the `SAD` of later calls, and its type says so. */
function nameTokenType(ctx: Context): void {
  const answer = { ...(ctx.body as Record<string, unknown>) }
  delete answer['credentialID']
  const isSad = answer['scope'] === 'credential' && answer['token_type'] === 'Bearer'
  ctx.body = isSad ? { ...answer, token_type: 'SAD' } : answer
}

/** @throws {MalformedRequestError} @throws {RequestTooLargeError} */
async function readAsForm(ctx: Context): Promise<void> {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(await readJson(ctx, LIMIT))) {
    if (value === null) continue
    if (typeof value !== 'string') throw new MalformedRequestError(`${name} is no text`)
    form.append(name, value)
  }
  const bytes = Buffer.from(form.toString())
  const { headers, headersDistinct, method, url, socket } = ctx.req
  headers['content-type'] = 'application/x-www-form-urlencoded'
  headers['content-length'] = String(bytes.length)
  delete headers['transfer-encoding']
  const facts = { headers, headersDistinct, method, url, socket }
  const request = Object.assign(Readable.from([bytes]), facts)
  ctx.req = request as unknown as Context['req']
}
