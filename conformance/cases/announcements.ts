import { randomBytes } from 'node:crypto'
import { createLocalJWKSet, flattenedVerify, type JSONWebKeySet } from 'jose'
import { demand, same, succeeded } from '../expectations.js'
import { parse, type Json } from '../exchange.js'
import type { Announcement } from '../listener.js'
import { NotMet } from '../outcome.js'
import { requirement, type Chapter } from '../requirement.js'
import type { Subject } from '../subject.js'
import { polled } from './signatures-other.js'

const shall = { clause: 'CSC v2.0.0.2 §8.5, §11.10' }
const should = { ...shall, level: 'SHOULD' } as const
/** What is announced is not specified; that it gives nothing away is good practice. */
const DISCREET = { clause: 'OWASP API Security 2023, API10', level: 'SHOULD' } as const
const SIGNED = { clause: 'RFC 7515 §7.2, appendix F' }
const SIGNATURE = 'jws-signature'
const PATIENCE_SECONDS = 30
/** Until something is sent again. */
const RETRY_SECONDS = 35

/** Results that the application is told of, at a listener of the runner. */
export const announcements: Chapter = {
  name: 'announcements at response_uri',
  versions: ['v2'],
  method: 'signatures/signPolling',
  precondition: async (t) => {
    if (t.info.get('asynchronousOperationMode') !== true) t.notApplicable('no asynchronous mode')
    await t.listener()
  },
  requirements: [
    requirement('come when the result can be fetched', shall, async (t) => {
      const { requestID, bearer } = await announced(t)
      succeeded(await t.call('signatures/signPolling', { requestID }, bearer))
    }),
    requirement('come by POST, to path and query as they were given', should, async (t) => {
      const { announcement, path } = await announced(t)
      same([announcement.method, announcement.path], ['POST', path], 'request line')
    }),
    requirement('name the job by its responseID', should, async (t) => {
      const { announcement, requestID } = await announced(t)
      same(jsonOf(announcement)['responseID'], requestID, 'responseID')
    }),
    requirement('hold no result, which anybody there could read', DISCREET, async (t) => {
      const { announcement, signatures } = await announced(t)
      const text = announcement.body.toString()
      demand(!signatures.some((each) => text.includes(each)), 'there is a signature in it')
    }),
    requirement('bring no credentials of the service along', DISCREET, async (t) => {
      const { announcement } = await announced(t)
      const { authorization, cookie } = announcement.headers
      same([authorization, cookie], [undefined, undefined], 'Authorization and Cookie')
    }),
    requirement('are signed by a key the authorization server publishes', SIGNED, async (t) => {
      const { announcement } = await announced(t)
      await verified(t, announcement, announcement.body)
    }),
    requirement('are signed over the body as it was sent', SIGNED, async (t) => {
      const { announcement } = await announced(t)
      signatureOf(t, announcement)
      const other = Buffer.from('{"responseID":"another"}')
      const accepted = await verified(t, announcement, other).catch(() => null)
      demand(accepted === null, 'the signature fits another body, too')
    }),
    requirement('are signed for this address, and now', SIGNED, async (t) => {
      const { announcement } = await announced(t)
      const { aud, iat } = await verified(t, announcement, announcement.body)
      const { origin } = new URL((await t.listener()).responseUri)
      same(aud, `${origin}${announcement.path}`, 'aud')
      const age = t.clock.now().getTime() / 1000 - Number(iat)
      demand(Math.abs(age) < 3600, `iat is ${Math.round(age)} seconds off`)
    }),
    requirement('come again when they were not taken', should, async (t) => {
      const listener = await t.listener()
      listener.answers(503)
      try {
        const { path } = await announced(t, 'again')
        listener.answers(204)
        await t.clock.pass(RETRY_SECONDS)
        const heard = await listener.waitFor(path, 2, PATIENCE_SECONDS)
        same(heard.length, 2, 'number of announcements')
      } finally {
        listener.answers(204)
      }
    }),
  ],
}

/** A job whose end was announced; made once for all who only look at it. */
function announced(t: Subject, which = 'usual') {
  return t.kept(`announced ${which}`, Infinity, async () => {
    const listener = await t.listener()
    const { responseUri } = listener
    const mark = `${new URL(responseUri).search ? '&' : '?'}job=${randomBytes(8).toString('hex')}`
    const response_uri = `${responseUri}${mark}`
    const credential = await t.preferred({})
    const authorised = await t.authorise(credential, t.documentsFor(credential))
    const answer = succeeded(await t.sign(authorised, { operationMode: 'A', response_uri }))
    const requestID = answer.string('responseID')
    const bearer = await t.serviceToken()
    const signatures = (await polled(t, requestID, bearer)).strings('signatures')
    const { pathname, search } = new URL(response_uri)
    const path = `${pathname}${search}`
    const [announcement] = await listener.waitFor(path, 1, PATIENCE_SECONDS)
    demand(announcement !== undefined, `nothing came in ${PATIENCE_SECONDS} seconds`)
    return { announcement, requestID, path, bearer, signatures }
  })
}

function jsonOf({ body }: Announcement): Json {
  const value = parse(body.toString())
  demand(typeof value === 'object' && value !== null, 'the body is no JSON object')
  return value as Json
}

function signatureOf(t: Subject, { headers }: Announcement): string {
  const header = headers[SIGNATURE]
  return typeof header === 'string' ? header : t.notApplicable('it has no JWS-Signature')
}

/** @returns its protected header */
async function verified(t: Subject, announcement: Announcement, body: Buffer): Promise<Json> {
  const [header = '', payload, signature = ''] = signatureOf(t, announcement).split('.')
  same(payload, '', 'payload of the detached signature')
  const jws = { protected: header, payload: body.toString('base64url'), signature }
  const keys = createLocalJWKSet(await keySet(t))
  try {
    return (await flattenedVerify(jws, keys)).protectedHeader ?? {}
  } catch (error) {
    throw new NotMet(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function keySet(t: Subject): Promise<JSONWebKeySet> {
  return t.kept('jwks', Infinity, async () => {
    const url = (await t.metadata()).string('jwks_uri')
    const { json } = succeeded(await t.http.send({ method: 'GET', url }))
    return json as unknown as JSONWebKeySet
  })
}
