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

const SHOULD_422 = { clause: 'ETSI EN 319 422 §5.2', level: 'SHOULD' } as const
const RFC5816 = { clause: 'RFC 5816 §2.2.1' }
const RFC3161_KEY = { clause: 'RFC 3161 §2.3' }
const TIME_STAMPING = '1.3.6.1.5.5.7.3.8'
const SHA1 = '1.3.14.3.2.26'
const MD5 = '1.2.840.113549.2.5'
const OTHER_HASHES = [
  { name: 'SHA-384', oid: '2.16.840.1.101.3.4.2.2', bytes: 48 },
  { name: 'SHA-512', oid: '2.16.840.1.101.3.4.2.3', bytes: 64 },
]

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
    ...[
      ['zeros in front of the nonce', '00000000000000FF'],
      ['a nonce whose first bit is set', 'FFEEDDCCBBAA9988'],
      ['a nonce in small letters', 'deadbeef01'],
      ['a nonce of one digit', '7'],
      ['a nonce of zero', '0'],
    ].map(([what = '', nonce = '']) =>
      requirement(`takes ${what} as the positive number it is`, STAMP, async (t) => {
        const token = await stamped(t, { nonce })
        const digits = nonce.toLowerCase().replace(/^0+/, '')
        same(token.nonce, digits, 'nonce')
        const first = Number.parseInt(token.nonceOctets?.slice(0, 2) ?? 'ff', 16)
        demand(first < 0x80, 'the nonce is a negative number')
      }),
    ),
    requirement('puts no nonce into the token without one', STAMP, async (t) => {
      same((await stamped(t, {})).nonceOctets, null, 'nonce')
    }),
    ...OTHER_HASHES.map(({ name, oid, bytes }) =>
      requirement(`takes ${name}, or says that it does not`, STAMP, async (t) => {
        const hash = Buffer.alloc(bytes, 7)
        const answer = await stamp(t, { hash: hash.toString('base64'), hashAlgo: oid })
        if (answer.status !== 200) return void refused(answer, { words: invalid('hashAlgo') })
        const token = read(answer)
        same(
          [token.hashAlgorithm, token.digest.toString('hex')],
          [oid, hash.toString('hex')],
          'imprint',
        )
      }),
    ),
    requirement('gives tokens of version 1 under a policy', RFC3161, async (t) => {
      const { version, policy } = await stamped(t, {})
      same(version, 1, 'version')
      demand(/^[0-2](\.\d+)+$/.test(policy), `the policy is ${policy}`)
    }),
    requirement('never gives a serial number twice', RFC3161, async (t) => {
      const tokens = [await stamped(t, {}), await stamped(t, {}), await stamped(t, {})]
      same(new Set(tokens.map(({ serialNumber }) => serialNumber)).size, 3, 'serial numbers')
    }),
    requirement('says how accurate its time is', SHOULD_422, async (t) => {
      const { accuracy } = await stamped(t, {})
      demand(accuracy !== null && accuracy > 0 && accuracy <= 1, `its accuracy is ${accuracy}`)
    }),
    requirement('signs a token once, as a SignedData of version 3', RFC3161, async (t) => {
      const { signatures, syntaxVersion } = await stamped(t, {})
      same([signatures, syntaxVersion], [1, 3], 'signatures and version')
    }),
    requirement('signs tokens with no weak hash', SHOULD_422, async (t) => {
      const { digestAlgorithms } = await stamped(t, {})
      const weak = digestAlgorithms.filter((oid) => oid === SHA1 || oid === MD5)
      same(weak, [], 'weak hashes')
    }),
    requirement('puts the certificate of the authority into the token', RFC3161, async (t) => {
      void (await stamped(t, {})).signer
    }),
    requirement('names the certificate in a signed attribute', RFC5816, async (t) => {
      ;(await stamped(t, {})).rejectOtherCertificate()
    }),
    requirement('signs with a key that is for timestamps alone', RFC3161_KEY, async (t) => {
      const { oids, critical } = (await stamped(t, {})).signerUse
      same([oids, critical], [[TIME_STAMPING], true], 'extended key usage')
    }),
    requirement('signs while the certificate of the authority is valid', RFC3161_KEY, async (t) => {
      const { signer, time } = await stamped(t, {})
      const isValid = time >= signer.notBefore.value && time <= signer.notAfter.value
      demand(isValid, 'its time is outside of the validity of its certificate')
    }),
    requirement('refuses a number for clientData', STAMP, async (t) => {
      refused(await stamp(t, { clientData: 1 }), { words: invalid('clientData') })
    }),
    requirement('gives no timestamp without a token', STAMP, async (t) => {
      const body = { hash: newDocument().base64, hashAlgo: SHA256.oid }
      refusedSomehow(await t.call('signatures/timestamp', body))
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
  return read(await stamp(t, changes))
}

function read(answer: Answer): TimeStampToken {
  const timestamp = succeeded(answer).string('timestamp')
  demand(isBase64(timestamp), 'timestamp is not plain Base64')
  return TimeStampToken.read(Buffer.from(timestamp, 'base64'))
}
