import type { Context, Middleware } from 'koa'
import { MalformedRequestError } from '../../errors.js'
import { readJson } from '../../http/json-body.js'
import { refill } from '../../http/refill.js'
import { renderCscError } from '../errors.js'
import { impliedHashAlgorithm } from './hashes.js'

/** How the OAuth endpoints of a version differ from those of v2. */
export interface OAuthDialect {
  /** The endpoints it has, below its base. */
  readonly routes: readonly string[]
  /** What they take and answer in other words. */
  readonly translate: (base: string) => Middleware
  /** Parameters of v2 that mean nothing to them. */
  readonly unknown: readonly string[]
  /** Scopes it knows. */
  readonly scopes: readonly string[]
  /** What a credential token is called that is bound to no key. */
  readonly credentialTokenType: string
  /** Whether the token endpoint takes JSON, too. */
  readonly json: boolean
}

/** Largest token request in JSON, in bytes. */
const LIMIT = 65536

/** Of v2 alone. */
const UNKNOWN = ['authorization_details', 'request_uri', 'signatureQualifier'] as const

/**
 * v1, 8.3: `hash` without its algorithm, credential tokens of type SAD, nothing of pushed or rich
 * requests. JSON at the token endpoint is what several services of that time took.
 */
export const V1_OAUTH: OAuthDialect = {
  routes: ['/oauth2/authorize', '/oauth2/token', '/oauth2/revoke'],
  ...{ unknown: UNKNOWN, scopes: ['service', 'credential'] },
  ...{ credentialTokenType: 'SAD', json: true },
  translate: (base) => async (ctx, next) => {
    const { path } = ctx
    if (path === `${base}/oauth2/authorize`) speakAsV2(ctx)
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
function speakAsV2(ctx: Context): void {
  const known = Object.entries(ctx.query).filter(([name]) => !UNKNOWN.some((each) => each === name))
  const query = Object.fromEntries(known)
  const { scope, hash, hashes, hashAlgorithmOID } = query
  // A list of none, by the name that refusals are to say.
  if (scope === 'credential' && !hash && !hashes) query['hash'] = ','
  if (typeof hash === 'string' && !hashAlgorithmOID) {
    query['hashAlgorithmOID'] = impliedHashAlgorithm(hash.split(',')) ?? ''
  }
  ctx.query = query
}

/** v1, 8.3.3: a credential token goes into the `SAD` of later calls, and its type says so. */
function nameTokenType(ctx: Context): void {
  const answer = { ...(ctx.body as Record<string, unknown>) }
  delete answer['credentialID']
  delete answer['authorization_details']
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
  refill(ctx, Buffer.from(form.toString()), 'application/x-www-form-urlencoded')
}
