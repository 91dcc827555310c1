import { isBase64, newDocument, SHA256 } from '../algorithms.js'
import type { Answer, Json } from '../exchange.js'
import { demand, refused, refusedSomehow, same, succeeded } from '../expectations.js'
import { requirement, type Chapter, type Requirement } from '../requirement.js'
import type { Subject } from '../subject.js'
import { TimeStampToken } from '../time-stamp-token.js'

const missing = (name: string) => `Missing (or invalid type) string parameter ${name}`
const invalid = (name: string) => `Invalid parameter ${name}`

const POLL = { clause: 'CSC v2.0.0.2 §11.12' }
const ASYNC = { clause: 'CSC v2.0.0.2 §8.5, §11.10' }
const PENDING =
  'The previous asynchronous signature request has been accepted for processing, but the processing has not yet been completed.'
const MAX_POLLS = 40

export const signPolling: Chapter = {
  name: 'signatures/signPolling',
  versions: ['v2'],
  method: 'signatures/signPolling',
  requirements: [
    ...pollRow('no requestID', {}, missing('requestID')),
    ...pollRow('a number for requestID', { requestID: 1 }, missing('requestID')),
    ...pollRow('an unknown requestID', { requestID: 'nobody' }, invalid('requestID')),
    ...pollRow(
      'a number for clientData',
      { requestID: 'nobody', clientData: 1 },
      invalid('clientData'),
    ),
    ...pollRow(
      'userID where the token says who it is',
      { requestID: 'nobody', userID: 'x' },
      'userID parameter SHALL be null',
    ),
    requirement('signHash in mode A answers a responseID and no signatures', ASYNC, async (t) => {
      const { answer } = await started(t)
      demand(answer.string('responseID') !== '' && !answer.has('signatures'), 'it does not')
    }),
    requirement('gives the signatures when they are ready', POLL, async (t) => {
      const { answer, authorised, bearer } = await started(t)
      const result = await polled(t, answer.string('responseID'), bearer)
      t.verifySignatures(result, authorised)
    }),
    requirement(
      'gives the same signatures again within the validity period',
      { ...POLL, level: 'SHOULD' },
      async (t) => {
        const { answer, bearer } = await started(t)
        const one = await polled(t, answer.string('responseID'), bearer)
        const two = await polled(t, answer.string('responseID'), bearer)
        same(two.get('signatures'), one.get('signatures'), 'signatures')
      },
    ),
    requirement('gives nothing after the validity period', POLL, async (t) => {
      const { answer, bearer } = await started(t, { validity_period: 60_000 })
      await polled(t, answer.string('responseID'), bearer)
      await t.clock.pass(70)
      const late = await poll(t, answer.string('responseID'), await t.serviceToken())
      refused(late, { words: invalid('requestID') })
    }),
    requirement('gives nothing to another application', POLL, async (t) => {
      const { answer } = await started(t)
      const others = await t.serviceToken(0, t.otherClient())
      refused(await poll(t, answer.string('responseID'), others), { words: invalid('requestID') })
    }),
    requirement('gives nothing to another person', POLL, async (t) => {
      const { answer } = await started(t)
      const others = await t.serviceToken(t.otherSigner())
      refused(await poll(t, answer.string('responseID'), others), { words: invalid('requestID') })
    }),
    requirement('takes the quota when the job is accepted', ASYNC, async (t) => {
      const { authorised } = await started(t)
      refusedSomehow(await t.sign(authorised))
    }),
    requirement('refuses foreign hashes at once', ASYNC, async (t) => {
      const authorised = await t.unspent({ SCAL: '2' })
      const answer = await t.sign(authorised, {
        operationMode: 'A',
        hashes: [newDocument(authorised.documents[0]?.hash).base64],
      })
      refused(answer, { words: 'Hash is not authorized by the SAD.' })
    }),
    ...[
      ['of the machine itself', 'http://127.0.0.1:1/hook'],
      ['of a private network', 'http://10.0.0.1/hook'],
      ['of the cloud provider', 'http://169.254.169.254/latest'],
    ].map(([what = '', response_uri]) =>
      requirement(
        `refuses a response_uri ${what}`,
        { clause: 'OWASP SSRF', level: 'SHOULD' },
        async (t) => {
          const authorised = await t.unspent()
          refused(await t.sign(authorised, { operationMode: 'A', response_uri }), {
            words: invalid('response_uri'),
          })
        },
      ),
    ),
  ],
}

function pollRow(what: string, body: Json, words: string): Requirement[] {
  return [
    requirement(`refuses ${what}`, POLL, async (t) => {
      refused(await t.call('signatures/signPolling', body, await t.serviceToken()), { words })
    }),
  ]
}

async function started(t: Subject, changes: Json = {}) {
  if (t.info.get('asynchronousOperationMode') !== true) t.notApplicable('no asynchronous mode')
  const credential = await t.preferred({})
  const authorised = await t.authorise(credential, t.documentsFor(credential))
  const answer = succeeded(await t.sign(authorised, { operationMode: 'A', ...changes }))
  return { answer, authorised, bearer: await t.serviceToken() }
}

function poll(t: Subject, requestID: string, bearer: string): Promise<Answer> {
  return t.call('signatures/signPolling', { requestID }, bearer)
}

/** Asks until the signatures are there. */
export async function polled(t: Subject, requestID: string, bearer: string): Promise<Answer> {
  for (let polls = 0; polls < MAX_POLLS; polls += 1) {
    const answer = await poll(t, requestID, bearer)
    if (answer.status !== 202) return succeeded(answer)
    same(
      [answer.get('error'), answer.get('error_description')],
      ['accepted_request', PENDING],
      '202',
    )
    await t.pause(250)
  }
  return t.skip('the job took too long')
}

const STAMP = { clause: 'CSC v2.0.0.2 §11.13' }
const RFC3161 = { clause: 'RFC 3161 §2.4.2' }

export const timestamp: Chapter = {
  name: 'signatures/timestamp',
  versions: ['v2', 'v1', 'v0'],
  method: 'signatures/timestamp',
  requirements: [
    ...stampRow('no hash', { hash: undefined }, missing('hash')),
    ...stampRow('a number for hash', { hash: 1 }, missing('hash')),
    ...stampRow('an empty hash', { hash: '' }, 'Empty hash parameter'),
    ...stampRow('a hash that is no Base64', { hash: '*' }, 'Invalid Base64 hash string parameter'),
    ...stampRow('a hash of wrong length', { hash: 'AAAA' }, 'Invalid digest value length'),
    ...stampRow('no hashAlgo', { hashAlgo: undefined }, null),
    ...stampRow('an unknown hashAlgo', { hashAlgo: '1.2.3' }, invalid('hashAlgo')),
    ...stampRow(
      'SHA-1',
      { hash: Buffer.alloc(20).toString('base64'), hashAlgo: '1.3.14.3.2.26' },
      invalid('hashAlgo'),
    ),
    ...stampRow('a nonce that is no number', { nonce: 'xyz' }, invalid('nonce')),
    requirement('gives a time-stamp token over the hash', STAMP, async (t) => {
      const document = newDocument()
      const { hashAlgorithm, digest } = await stamped(t, { hash: document.base64 })
      same([hashAlgorithm, digest.toString('base64')], [SHA256.oid, document.base64], 'imprint')
    }),
    requirement('gives a token whose signature verifies', RFC3161, async (t) => {
      const document = newDocument()
      await (await stamped(t, { hash: document.base64 })).verify(document)
    }),
    requirement('gives a token with the time of now', RFC3161, async (t) => {
      const { time } = await stamped(t, {})
      // Where clocks can be moved, the authority need not be moved along.
      const clocks = [t.clock.now(), t.http.timeAt(t.baseUrl) ?? t.clock.now()]
      const off = Math.min(...clocks.map((now) => Math.abs(time.getTime() - now.getTime()))) / 1000
      demand(off < 120, `its time is ${Math.round(off)} seconds off`)
    }),
    requirement('gives a token and not the response around it', STAMP, async (t) => {
      // ContentInfo begins with an OID, TimeStampResp with the status.
      await stamped(t, {})
    }),
    requirement('puts the nonce into the token', STAMP, async (t) => {
      const nonce = '1F2E3D4C5B6A7988'
      same((await stamped(t, { nonce })).nonce, nonce.toLowerCase(), 'nonce')
    }),
    requirement('takes clientData', STAMP, async (t) => {
      await stamped(t, { clientData: 'order 17' })
    }),
  ],
}

function stampRow(what: string, changes: Json, words: string | null): Requirement[] {
  return [
    requirement(`refuses ${what}`, STAMP, async (t) => {
      refused(await stamp(t, changes), { words })
    }),
  ]
}

async function stamp(t: Subject, changes: Json): Promise<Answer> {
  const body = { hash: newDocument().base64, hashAlgo: SHA256.oid, ...changes }
  return t.call('signatures/timestamp', body, await t.serviceToken())
}

async function stamped(t: Subject, changes: Json): Promise<TimeStampToken> {
  const timestamp = succeeded(await stamp(t, changes)).string('timestamp')
  demand(isBase64(timestamp), 'timestamp is not plain Base64')
  return TimeStampToken.read(Buffer.from(timestamp, 'base64'))
}
