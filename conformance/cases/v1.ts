import { randomBytes } from 'node:crypto'
import { newDocument, RSA_KEY, RSA_PSS } from '../algorithms.js'
import type { KnownCredential } from '../credential-view.js'
import { objectOf, show, stringOf, stringsOf, type Answer, type Json } from '../exchange.js'
import {
  demand,
  demandLifetime,
  MALFORMED,
  refused,
  refusedSomehow,
  same,
  succeeded,
  UNKNOWN_TOKEN,
} from '../expectations.js'
import { requirement, type Chapter, type Requirement, type Version } from '../requirement.js'
import type { Authorised, Subject, Wanted } from '../subject.js'

const clause = (section: string) => ({ clause: `CSC v1.0.4.0 §${section}` })
const should = (section: string) => ({ ...clause(section), level: 'SHOULD' as const })
const both: readonly Version[] = ['v1', 'v0']
const UPPER = MALFORMED.replace('required', 'REQUIRED')
/** The text prints the sentence for a malformed header in three ways. */
const PROTECTED: Readonly<Record<string, string>> = {
  'auth/revoke': UPPER,
  'credentials/list': MALFORMED,
  'credentials/info': MALFORMED,
  'credentials/authorize': MALFORMED,
  'credentials/extendTransaction': UPPER,
  'credentials/sendOTP': 'Malformed authroization header.',
  'signatures/signHash': MALFORMED,
  'signatures/timestamp': MALFORMED,
}
const NOT_IN_V1 = [
  ...['credentials/authorizeCheck', 'credentials/getChallenge', 'signatures/signDoc'],
  ...['signatures/signPolling', 'credentials/create', 'credentials/delete'],
]
const missing = (name: string, type = 'string') =>
  `Missing (or invalid type) ${type} parameter ${name}`
const invalid = (name: string) => `Invalid parameter ${name}`

export const v1Info: Chapter = {
  name: 'v1 info',
  versions: both,
  requirements: [
    requirement('says an edition of its version', clause('11.1'), (t) => {
      const wanted = t.version === 'v0' ? /^0(\.\d+){3}$/ : /^1\.0\.[34]\.\d+$/
      demand(wanted.test(t.info.string('specs')), `specs is ${t.info.string('specs')}`)
    }),
    ...['name', 'logo', 'region', 'lang', 'description'].map((name) =>
      requirement(`has the text ${name}`, clause('11.1'), (t) => {
        demand(t.info.string(name) !== '', `${name} is empty`)
      }),
    ),
    ...['authType', 'methods'].map((name) =>
      requirement(`has the list ${name}`, clause('11.1'), (t) => void t.info.strings(name)),
    ),
    ...[
      'oauth2Issuer',
      'asynchronousOperationMode',
      'validationInfo',
      'signAlgorithms',
      'signature_formats',
      'conformance_levels',
      'supportsRar',
    ].map((name) =>
      requirement(`has no ${name}, which v1 does not know`, should('11.1'), (t) => {
        demand(!t.info.has(name), 'it has')
      }),
    ),
    requirement('names oauth2 when it uses OAuth', clause('11.1'), (t) => {
      const uses = t.info.strings('authType').some((each) => each.startsWith('oauth2'))
      if (uses) demand(URL.canParse(t.info.string('oauth2')), 'oauth2 is no URL')
    }),
    requirement('names no method of v2', clause('11.1'), (t) => {
      same(
        NOT_IN_V1.filter((each) => t.claims(each)),
        [],
        'methods of v2',
      )
    }),
    ...NOT_IN_V1.map((method) =>
      requirement(`${method} is not implemented`, clause('10.1'), async (t) => {
        same((await t.call(method, {}, await t.serviceToken())).status, 501, 'status')
      }),
    ),
  ],
}

export const v1Bearer: Chapter = {
  name: 'v1 access token',
  versions: both,
  requirements: Object.entries(PROTECTED).flatMap(([method, words]) => [
    requirement(`${method} without Authorization is refused`, clause('8.1'), async (t) => {
      t.needs(method)
      refused(await t.call(method, {}), { words })
    }),
    requirement(`${method} with another scheme is refused`, clause('8.1'), async (t) => {
      t.needs(method)
      refused(await t.call(method, {}, null, { Authorization: 'Basic eDp5' }), { words })
    }),
    requirement(`${method} with an unknown token is refused`, clause('10.1'), async (t) => {
      t.needs(method)
      const unknown = randomBytes(32).toString('base64url')
      refused(await t.call(method, {}, unknown), {
        status: 401,
        error: 'invalid_token',
        words: UNKNOWN_TOKEN,
      })
    }),
  ]),
}

export const v1List: Chapter = {
  name: 'v1 credentials/list',
  versions: both,
  method: 'credentials/list',
  requirements: [
    requirement('answers credentialIDs, and nothing of v2', clause('11.4'), async (t) => {
      const answer = await list(t, { credentialInfo: true })
      demand(!answer.has('credentialInfos'), 'it has credentialInfos')
    }),
    requirement('gives at most maxResults, and a token for the rest', clause('11.4'), async (t) => {
      const all = (await list(t)).strings('credentialIDs')
      if (all.length < 2) t.skip('the signer has one credential only')
      const first = await list(t, { maxResults: 1 })
      same(first.strings('credentialIDs').length, 1, 'number of credentials')
      demand(first.has('nextPageToken'), 'there is no nextPageToken')
    }),
    requirement('gives every credential once, page by page', clause('11.4'), async (t) => {
      const all = (await list(t)).strings('credentialIDs')
      const paged: string[] = []
      let next: Json = {}
      for (let pages = 0; pages <= all.length; pages += 1) {
        const page = await list(t, { maxResults: 2, ...next })
        paged.push(...page.strings('credentialIDs'))
        if (!page.has('nextPageToken')) break
        next = { pageToken: page.string('nextPageToken') }
      }
      same(paged.toSorted(), all.toSorted(), 'credentials of all pages')
    }),
    requirement('has no nextPageToken on the last page', clause('11.4'), async (t) => {
      demand(!(await list(t, { maxResults: 1000 })).has('nextPageToken'), 'it has')
    }),
    requirement('refuses an unknown pageToken', clause('11.4'), async (t) => {
      refused(await call(t, 'credentials/list', { pageToken: 'nobody' }), {
        words: invalid('pageToken'),
      })
    }),
    requirement('refuses userID where the token says who it is', clause('11.4'), async (t) => {
      refused(await call(t, 'credentials/list', { userID: 'x' }), {
        words: 'userID parameter MUST be null',
      })
    }),
    requirement('lists nothing of another person', clause('11.4'), async (t) => {
      const own = (await list(t)).strings('credentialIDs')
      const token = await t.serviceToken(t.otherSigner())
      const others = succeeded(await t.call('credentials/list', {}, token)).strings('credentialIDs')
      same(
        own.filter((id) => others.includes(id)),
        [],
        'credentials that both see',
      )
    }),
  ],
}

export const v1CredentialInfo: Chapter = {
  name: 'v1 credentials/info',
  versions: both,
  method: 'credentials/info',
  requirements: [
    ...infoRow('no credentialID', {}, missing('credentialID')),
    ...infoRow('a number for credentialID', { credentialID: 1 }, missing('credentialID')),
    ...infoRow('an unknown credentialID', { credentialID: 'x' }, invalid('credentialID')),
    requirement('refuses an unknown value of certificates', clause('11.5'), async (t) => {
      const { id } = await t.credential()
      const answer = await call(t, 'credentials/info', { credentialID: id, certificates: 'all' })
      refused(answer, { words: invalid('certificates') })
    }),
    requirement('says authMode flat, and no auth', clause('11.5'), async (t) => {
      await each(t, (info) => {
        const mode = stringOf(info, 'authMode')
        demand(['implicit', 'explicit', 'oauth2code'].includes(mode), `authMode is ${mode}`)
        demand(!('auth' in info), 'it has auth, the name of v2')
      })
    }),
    requirement('says presence of PIN and OTP in words', clause('11.5'), async (t) => {
      await each(t, (info) => {
        if (info['authMode'] !== 'explicit') return
        for (const name of ['PIN', 'OTP']) {
          const { presence } = objectOf(info, name)
          demand(
            ['true', 'false', 'optional'].includes(presence as string),
            `it is ${show(presence)}`,
          )
        }
      })
    }),
    requirement('says format of PIN and OTP where they are present', clause('11.5'), async (t) => {
      await each(t, (info) => {
        for (const name of ['PIN', 'OTP']) {
          const object = info[name] as Json | undefined
          if (!object || object['presence'] === 'false') continue
          demand(object['format'] === 'A' || object['format'] === 'N', show(object['format']))
        }
      })
    }),
    requirement('says type and ID of OTPs', clause('11.5'), async (t) => {
      await each(t, ({ OTP }) => {
        const object = OTP as Json | undefined
        if (!object || object['presence'] === 'false') return
        demand(['offline', 'online'].includes(stringOf(object, 'type')), show(object['type']))
        stringOf(object, 'ID')
      })
    }),
    requirement('says multisign as its version does', clause('11.5'), async (t) => {
      await each(t, ({ multisign }) => {
        same(typeof multisign, t.version === 'v0' ? 'boolean' : 'number', 'type of multisign')
      })
    }),
    requirement('says SCAL as the text 1 or 2', clause('11.5'), async (t) => {
      await each(t, ({ SCAL = '1' }) => demand(SCAL === '1' || SCAL === '2', show(SCAL)))
    }),
    requirement('says status and algorithms of the key', clause('11.5'), async (t) => {
      await each(t, (info) => {
        stringOf(objectOf(info, 'key'), 'status')
        stringsOf(objectOf(info, 'key'), 'algo')
      })
    }),
  ],
}

export const v1Authorize: Chapter = {
  name: 'v1 credentials/authorize',
  versions: both,
  method: 'credentials/authorize',
  precondition: async (t) => void (await t.credential({ mode: 'explicit' })),
  requirements: [
    ...authorizeRow('no credentialID', { credentialID: undefined }, missing('credentialID')),
    ...authorizeRow('an unknown credentialID', { credentialID: 'x' }, invalid('credentialID')),
    ...authorizeRow(
      'no numSignatures',
      { numSignatures: undefined },
      missing('numSignatures', 'integer'),
    ),
    ...authorizeRow(
      'a word for numSignatures',
      { numSignatures: 'one' },
      missing('numSignatures', 'integer'),
    ),
    ...authorizeRow(
      '0 signatures',
      { numSignatures: 0 },
      'Invalid value for parameter numSignatures',
    ),
    ...authorizeRow(
      'too many signatures',
      { numSignatures: 99_999 },
      'Numbers of signatures is too high',
    ),
    requirement('gives a SAD for PIN and OTP that signs', clause('11.6'), async (t) => {
      const authorised = await newlyAuthorised(t, 1, { mode: 'explicit' })
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
    requirement('gives the lifetime of a SAD in seconds if any', clause('11.6'), async (t) => {
      const credential = await pinOnly(t)
      demandLifetime(succeeded(await t.callAuthorize(credential, t.documentsFor(credential))))
    }),
    requirement('refuses a wrong PIN, and says so', clause('11.6'), async (t) => {
      if (!t.target.consume?.wrongFactors) t.skip('needs "consume.wrongFactors"')
      const credential = await pinOnly(t)
      const answer = await t.callAuthorize(credential, t.documentsFor(credential), {
        PIN: '000000',
      })
      refused(answer, { error: 'invalid_pin', words: 'The PIN is invalid' })
      succeeded(await t.callAuthorize(credential, t.documentsFor(credential)))
    }),
    requirement('refuses a wrong OTP, and says so', clause('11.6'), async (t) => {
      if (!t.target.consume?.wrongFactors) t.skip('needs "consume.wrongFactors"')
      const credential = (await t.credentials()).find(({ objects }) =>
        objects.some(({ id }) => id === 'OTP'),
      )
      if (!credential) return t.notApplicable('no credential has an OTP')
      const answer = await t.callAuthorize(credential, t.documentsFor(credential), {
        OTP: '000000',
      })
      refused(answer, { error: 'invalid_otp', words: 'The OTP is invalid' })
      succeeded(await t.callAuthorize(credential, t.documentsFor(credential)))
    }),
    requirement(
      'refuses a credential that is authorised by redirect',
      clause('11.6'),
      async (t) => {
        const oauth = await t.credential({ mode: 'oauth2code' })
        refusedSomehow(
          await call(t, 'credentials/authorize', t.authorizeBody(oauth, t.documentsFor(oauth))),
        )
      },
    ),
    requirement('extends a SAD for the next hash', clause('11.7'), async (t) => {
      t.needs('credentials/extendTransaction')
      const authorised = await newlyAuthorised(t, 1, { mode: 'explicit' })
      const documents = t.documentsFor(authorised.credential)
      const body = {
        ...{ credentialID: authorised.credential.id, SAD: authorised.SAD },
        hash: documents.map(({ base64 }) => base64),
      }
      const SAD = succeeded(await call(t, 'credentials/extendTransaction', body)).string('SAD')
      const next = { ...authorised, documents, SAD }
      t.verifySignatures(await t.sign(next), next)
    }),
    ...(
      [
        ['no credentialID', {}, missing('credentialID')],
        ['an unknown credentialID', { credentialID: 'x' }, invalid('credentialID')],
      ] as const
    ).map(([what, body, words]) =>
      requirement(`sendOTP refuses ${what}`, clause('11.8'), async (t) => {
        t.needs('credentials/sendOTP')
        refused(await call(t, 'credentials/sendOTP', body), { words })
      }),
    ),
  ],
}

const ROWS: readonly [string, Json, string, Wanted?][] = [
  ['no credentialID', { credentialID: undefined }, missing('credentialID')],
  ['a number for credentialID', { credentialID: 1 }, missing('credentialID')],
  ['an unknown credentialID', { credentialID: 'x' }, invalid('credentialID')],
  ['no SAD', { SAD: undefined }, missing('SAD')],
  ['a number for SAD', { SAD: 1 }, missing('SAD')],
  ['an unknown SAD', { SAD: 'x' }, invalid('SAD')],
  ['no hash', { hash: undefined }, missing('hash', 'array')],
  ['a text for hash', { hash: 'AAAA' }, missing('hash', 'array')],
  ['an empty list of hashes', { hash: [] }, 'Empty hash array'],
  ['a hash that is no Base64', { hash: ['*'] }, 'Invalid Base64 hash string parameter'],
  [
    'a digest of 31 bytes',
    { hash: [Buffer.alloc(31).toString('base64')] },
    'Invalid digest value length',
  ],
  ['no signAlgo', { signAlgo: undefined }, missing('signAlgo')],
  ['a number for signAlgo', { signAlgo: 1 }, missing('signAlgo')],
  ['an unknown signAlgo', { signAlgo: '1.2.3' }, invalid('signAlgo')],
  ['a number for clientData', { clientData: 1 }, invalid('clientData')],
  [
    'the RSA key OID without hashAlgo',
    { signAlgo: RSA_KEY, hashAlgo: undefined },
    missing('hashAlgo'),
    { kind: 'rsa' },
  ],
  [
    'the RSA key OID with an unknown hashAlgo',
    { signAlgo: RSA_KEY, hashAlgo: '1.2.3' },
    invalid('hashAlgo'),
    { kind: 'rsa' },
  ],
  [
    'RSASSA-PSS without parameters',
    { signAlgo: RSA_PSS },
    missing('signAlgoParams'),
    { kind: 'rsa' },
  ],
]

export const v1SignHash: Chapter = {
  name: 'v1 signatures/signHash',
  versions: both,
  method: 'signatures/signHash',
  requirements: [
    ...ROWS.map(([what, changes, words, wanted]) =>
      requirement(`refuses ${what}`, clause('11.9'), async (t) => {
        refused(await t.sign(await t.unspent(wanted), changes), { words })
      }),
    ),
    requirement('refuses a hash that was not authorised', clause('11.9'), async (t) => {
      const authorised = await t.unspent({ SCAL: '2' })
      const { base64 } = newDocument(authorised.documents[0]?.hash)
      refused(await t.sign(authorised, { hash: [base64] }), {
        words: 'Hash is not authorized by the SAD.',
      })
    }),
    requirement('signs with a credential token as SAD', clause('11.9'), async (t) => {
      const authorised = await newlyAuthorised(t, 1, { mode: 'oauth2code' })
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
    requirement(
      'answers one signature for each hash, in their order',
      clause('11.9'),
      async (t) => {
        const authorised = await newlyAuthorised(t, 3)
        const documents = authorised.documents.toReversed()
        const answer = await t.sign(authorised, { hash: documents.map(({ base64 }) => base64) })
        t.verifySignatures(answer, authorised, documents)
      },
    ),
    requirement('does not sign the same again', clause('8.2'), async (t) => {
      const authorised = await newlyAuthorised(t)
      succeeded(await t.sign(authorised))
      refusedSomehow(await t.sign(authorised))
    }),
    requirement('signs with hashAlgo beside the RSA key OID', clause('11.9'), async (t) => {
      const credential = await t.credential({ kind: 'rsa' })
      const document = newDocument()
      const algorithm = { signAlgo: RSA_KEY, hashAlgorithmOID: document.hash.oid }
      const authorised = await t.authorise(credential, [document], { algorithm })
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
    requirement('refuses the SAD of another application', clause('8.2'), async (t) => {
      const bearer = await t.serviceToken(0, t.otherClient())
      refused(await t.sign(await t.unspent(), {}, bearer), { words: invalid('SAD') })
    }),
  ],
}

async function call(t: Subject, method: string, body: Json): Promise<Answer> {
  return t.call(method, body, await t.serviceToken())
}

async function list(t: Subject, body: Json = {}): Promise<Answer> {
  return succeeded(await call(t, 'credentials/list', body))
}

async function each(t: Subject, look: (info: Json) => void): Promise<void> {
  for (const { raw } of await t.credentials()) look(raw)
}

function infoRow(what: string, body: Json, words: string): Requirement[] {
  return [
    requirement(`refuses ${what}`, clause('11.5'), async (t) => {
      refused(await call(t, 'credentials/info', body), { words })
    }),
  ]
}

function authorizeRow(what: string, changes: Json, words: string): Requirement[] {
  return [
    requirement(`refuses ${what}`, clause('11.6'), async (t) => {
      const credential = await pinOnly(t)
      refused(await t.callAuthorize(credential, t.documentsFor(credential), changes), { words })
    }),
  ]
}

async function pinOnly(t: Subject): Promise<KnownCredential> {
  const explicit = (await t.credentials()).filter(({ mode }) => mode === 'explicit')
  const [cheapest] = explicit.sort((one, other) => one.objects.length - other.objects.length)
  return cheapest ?? t.notApplicable('no explicit credential')
}

async function newlyAuthorised(t: Subject, count = 1, wanted: Wanted = {}): Promise<Authorised> {
  const credential = await t.preferred({ ...wanted, multisign: count })
  return t.authorise(credential, t.documentsFor(credential, count))
}
