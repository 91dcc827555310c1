import {
  HASHES,
  newDocument,
  PSS_PARAMETERS,
  RSA_KEY,
  RSA_PSS,
  SHA256,
  type Document,
} from '../algorithms.js'
import { choicesOf, type Choice, type KnownCredential } from '../credential-view.js'
import type { Answer, Json } from '../exchange.js'
import {
  demand,
  demandNotStored,
  refused,
  refusedSomehow,
  same,
  succeeded,
} from '../expectations.js'
import { requirement, type Chapter, type Requirement } from '../requirement.js'
import type { Authorised, Subject, Wanted } from '../subject.js'

const shall = { clause: 'CSC v2.0.0.2 §11.10' }
const should = { ...shall, level: 'SHOULD' } as const
const SCAL = { clause: 'CSC v2.0.0.2 §8.2' }
const ONCE = { clause: 'CSC v2.0.0.2 §8.3' }
const ENCODING = { clause: 'CSC v2.0.0.2 §7.5; RFC 4648 §4' }
const RSA: Wanted = { kind: 'rsa' }

const missing = (name: string, type = 'string') =>
  `Missing (or invalid type) ${type} parameter ${name}`
const invalid = (name: string) => `Invalid parameter ${name}`
const NOT_BASE64 = 'Invalid Base64 hash string parameter'
const FOREIGN = 'Hash is not authorized by the SAD.'
const TOO_MANY = 'Numbers of signatures is too high'
const LENGTH = 'Invalid digest value length'

/** Each row of the error table, all other members being right. */
const ROWS: readonly [string, Json, string, { level?: 'SHOULD'; wanted?: Wanted; needs?: 'A' }?][] =
  [
    ['no credentialID', { credentialID: undefined }, missing('credentialID')],
    ['a number for credentialID', { credentialID: 1 }, missing('credentialID')],
    ['a list for credentialID', { credentialID: [] }, missing('credentialID')],
    ['an unknown credentialID', { credentialID: 'nobody-has-this' }, invalid('credentialID')],
    ['no hashes', { hashes: undefined }, missing('hash', 'array')],
    ['a text for hashes', { hashes: 'AAAA' }, missing('hash', 'array')],
    ['an object for hashes', { hashes: { 0: 'AAAA' } }, missing('hash', 'array')],
    ['a number for hashes', { hashes: 1 }, missing('hash', 'array')],
    [
      'the name of v1, hash, alone',
      { hashes: undefined, hash: ['AAAA'] },
      missing('hash', 'array'),
      { level: 'SHOULD' },
    ],
    ['an empty list of hashes', { hashes: [] }, 'Empty hash array'],
    ['a hash that is no Base64', { hashes: ['*not base64*'] }, NOT_BASE64],
    ['a hash with a line break', { hashes: ['AAAA\nAAAA'] }, NOT_BASE64, { level: 'SHOULD' }],
    ['a hash that is a number', { hashes: [1] }, NOT_BASE64],
    ['a hash that is null', { hashes: [null] }, NOT_BASE64],
    ['no signAlgo', { signAlgo: undefined }, missing('signAlgo')],
    ['a number for signAlgo', { signAlgo: 1 }, missing('signAlgo')],
    ['a list for signAlgo', { signAlgo: ['1.2.840.113549.1.1.11'] }, missing('signAlgo')],
    ['an unknown signAlgo', { signAlgo: '1.2.3.4' }, invalid('signAlgo')],
    ['a signAlgo that is no OID', { signAlgo: 'RS256' }, invalid('signAlgo')],
    ['a signAlgo with SHA-1', { signAlgo: '1.2.840.113549.1.1.5' }, invalid('signAlgo')],
    [
      'RSASSA-PSS without parameters',
      { signAlgo: RSA_PSS, signAlgoParams: undefined },
      missing('signAlgoParams'),
      { wanted: RSA },
    ],
    [
      'RSASSA-PSS with a number for parameters',
      { signAlgo: RSA_PSS, signAlgoParams: 1 },
      missing('signAlgoParams'),
      { wanted: RSA },
    ],
    [
      'the RSA key OID without hashAlgorithmOID',
      { signAlgo: RSA_KEY, hashAlgorithmOID: undefined },
      missing('hashAlgorithmOID'),
      { wanted: RSA },
    ],
    [
      'the RSA key OID with a number for hashAlgorithmOID',
      { signAlgo: RSA_KEY, hashAlgorithmOID: 1 },
      missing('hashAlgorithmOID'),
      { wanted: RSA },
    ],
    [
      'the RSA key OID with an unknown hashAlgorithmOID',
      { signAlgo: RSA_KEY, hashAlgorithmOID: '1.2.3' },
      invalid('hashAlgorithmOID'),
      { wanted: RSA },
    ],
    [
      'the RSA key OID with SHA-1',
      { signAlgo: RSA_KEY, hashAlgorithmOID: '1.3.14.3.2.26' },
      invalid('hashAlgorithmOID'),
      { wanted: RSA },
    ],
    [
      'the RSA key OID with MD5',
      { signAlgo: RSA_KEY, hashAlgorithmOID: '1.2.840.113549.2.5' },
      invalid('hashAlgorithmOID'),
      { wanted: RSA },
    ],
    ['an unknown operationMode', { operationMode: 'X' }, invalid('operationMode')],
    ['a number for operationMode', { operationMode: 1 }, invalid('operationMode')],
    ['a small letter for operationMode', { operationMode: 's' }, invalid('operationMode')],
    [
      'a text for validity_period',
      { operationMode: 'A', validity_period: 'long' },
      invalid('validity_period'),
      { needs: 'A' },
    ],
    [
      'a fraction for validity_period',
      { operationMode: 'A', validity_period: 1.5 },
      invalid('validity_period'),
      { needs: 'A', level: 'SHOULD' },
    ],
    [
      'a validity_period beyond all bounds',
      { operationMode: 'A', validity_period: 9e15 },
      'Out of bounds parameter validity_period',
      { needs: 'A' },
    ],
    [
      'a number for response_uri',
      { operationMode: 'A', response_uri: 1 },
      invalid('response_uri'),
      { needs: 'A' },
    ],
    [
      'a response_uri that is no address',
      { operationMode: 'A', response_uri: 'nowhere' },
      invalid('response_uri'),
      { needs: 'A' },
    ],
    [
      'a response_uri that is a script',
      { operationMode: 'A', response_uri: 'javascript:1' },
      invalid('response_uri'),
      { needs: 'A' },
    ],
    ['a number for clientData', { clientData: 17 }, invalid('clientData')],
    ['an object for clientData', { clientData: { order: 17 } }, invalid('clientData')],
  ]

const NAMES: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'ECDSA with SHA-256',
  '1.2.840.10045.4.3.3': 'ECDSA with SHA-384',
  '1.2.840.10045.4.3.4': 'ECDSA with SHA-512',
  '0.4.0.127.0.7.1.1.4.1.3': 'plain ECDSA with SHA-256',
  '1.2.840.113549.1.1.11': 'RSA PKCS#1 v1.5 with SHA-256',
  '1.2.840.113549.1.1.12': 'RSA PKCS#1 v1.5 with SHA-384',
  '1.2.840.113549.1.1.13': 'RSA PKCS#1 v1.5 with SHA-512',
}

export const signHash: Chapter = {
  name: 'signatures/signHash',
  versions: ['v2'],
  method: 'signatures/signHash',
  requirements: [
    ...ROWS.map(([what, changes, words, { level, wanted, needs } = {}]) =>
      requirement(`refuses ${what}`, level ? should : shall, async (t) => {
        if (needs === 'A') asynchronous(t)
        refused(await t.sign(await t.unspent(wanted), changes), { words })
      }),
    ),
    requirement('refuses operationMode A where it is not supported', should, async (t) => {
      if (t.info.get('asynchronousOperationMode') === true) t.notApplicable('it is supported')
      refused(await t.sign(await t.unspent(), { operationMode: 'A' }), {
        words: invalid('operationMode'),
      })
    }),
    requirement('refuses an algorithm that is not one of the key', shall, async (t) => {
      const authorised = await t.unspent()
      const signAlgo =
        authorised.credential.kind === 'ec' ? '1.2.840.113549.1.1.11' : '1.2.840.10045.4.3.2'
      refused(await t.sign(authorised, { signAlgo }), { words: invalid('signAlgo') })
    }),
    ...(
      [
        ['31 bytes', 31],
        ['33 bytes', 33],
        ['20 bytes, as of SHA-1', 20],
        ['0 bytes', 0],
      ] as const
    ).map(([what, length]) =>
      requirement(`refuses a digest of ${what}`, shall, async (t) => {
        const hashes = [Buffer.alloc(length, 7).toString('base64')]
        refused(await t.sign(await t.unspent(), { hashes }), {
          words: length === 0 ? [NOT_BASE64, LENGTH] : LENGTH,
        })
      }),
    ),
    requirement('refuses a service token without SAD', shall, async (t) => {
      const authorised = { ...(await t.unspent()), SAD: null }
      refused(await t.sign(authorised, {}, await t.serviceToken()), { words: missing('SAD') })
    }),
    requirement('refuses a number for SAD', shall, async (t) => {
      refused(await t.sign(await t.unspent(), { SAD: 1 }, await t.serviceToken()), {
        words: missing('SAD'),
      })
    }),
    requirement('refuses an unknown SAD', shall, async (t) => {
      const answer = await t.sign(
        await t.unspent(),
        { SAD: 'nobody-has-this' },
        await t.serviceToken(),
      )
      refused(answer, { words: invalid('SAD') })
    }),
    requirement('refuses a service token in place of a SAD', shall, async (t) => {
      const token = await t.serviceToken()
      refused(await t.sign(await t.unspent(), { SAD: token }, token), { words: invalid('SAD') })
    }),
    requirement('refuses a credential of another person like an unknown one', shall, async (t) => {
      const { id } = await t.credential({ signer: t.otherSigner() })
      refused(await t.sign(await t.unspent(), { credentialID: id }), {
        words: invalid('credentialID'),
      })
    }),
    requirement('refuses a credential the authorisation is not for', shall, async (t) => {
      const authorised = await t.unspent()
      const { credential } = authorised
      const other = (await t.credentials()).find(
        ({ id, algos }) => id !== credential.id && sameKind(algos, credential),
      )
      if (!other) return t.skip('the signer has one credential of its kind only')
      const answer = await t.sign(authorised, { credentialID: other.id })
      refused(answer, { words: [invalid('credentialID'), invalid('SAD'), FOREIGN] })
    }),
    requirement('refuses a hash that was not authorised', SCAL, async (t) => {
      const authorised = await t.unspent({ SCAL: '2' })
      refused(await t.sign(authorised, { hashes: [another(authorised).base64] }), {
        words: FOREIGN,
      })
    }),
    requirement('refuses all when one hash was not authorised', SCAL, async (t) => {
      const authorised = await t.unspent({ SCAL: '2', multisign: 2 })
      const [first] = authorised.documents
      const hashes = [first?.base64, another(authorised).base64]
      refused(await t.sign(authorised, { hashes }), { words: FOREIGN })
    }),
    requirement(
      'refuses a hash that differs in one bit from an authorised one',
      SCAL,
      async (t) => {
        const authorised = await t.unspent({ SCAL: '2' })
        const digest = Buffer.from(authorised.documents[0]?.digest ?? [])
        digest[31] = (digest[31] ?? 0) ^ 1
        refused(await t.sign(authorised, { hashes: [digest.toString('base64')] }), {
          words: FOREIGN,
        })
      },
    ),
    requirement('refuses an authorised hash asked for more often than agreed', ONCE, async (t) => {
      const authorised = await t.unspent()
      const hashes = Array.from({ length: 4 }, () => authorised.documents[0]?.base64)
      refused(await t.sign(authorised, { hashes }), { words: [TOO_MANY, FOREIGN] })
    }),
    requirement('signs after refusals: they used nothing up', should, async (t) => {
      if (t.target.refusalsSpend) t.notApplicable('the configuration says they do')
      const authorised = await newlyAuthorised(t)
      refusedSomehow(await t.sign(authorised, { signAlgo: '1.2.3.4' }))
      refusedSomehow(await t.sign(authorised, { hashes: [another(authorised).base64] }))
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
    ...algorithms(),
    requirement('signs with every credential by the key of its certificate', shall, async (t) => {
      for (const credential of (await t.credentials()).filter((each) => t.canSignWith(each))) {
        if (t.hasVerified(credential)) continue
        const authorised = await t.authorise(credential, t.documentsFor(credential))
        t.verifySignatures(await t.sign(authorised), authorised)
      }
    }),
    requirement('answers one signature for each hash, in their order', shall, async (t) => {
      const authorised = await newlyAuthorised(t, 3)
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
    requirement('signs in the order of the request, not of the authorisation', shall, async (t) => {
      const authorised = await newlyAuthorised(t, 3)
      const documents = authorised.documents.toReversed()
      const answer = await t.sign(authorised, { hashes: documents.map(({ base64 }) => base64) })
      t.verifySignatures(answer, authorised, documents)
    }),
    requirement('answers nothing but signatures', should, async (t) => {
      const answer = succeeded(await signedOnce(t))
      same(Object.keys(answer.json ?? {}), ['signatures'], 'members')
    }),
    requirement(
      'gives signatures that are not stored by caches',
      { clause: 'RFC 9111 §5.2.2.5', level: 'SHOULD' },
      async (t) => {
        demandNotStored(await signedOnce(t))
      },
    ),
    requirement('gives signatures in plain Base64, in one line', ENCODING, async (t) => {
      const [signature = ''] = succeeded(await signedOnce(t)).strings('signatures')
      same(Buffer.from(signature, 'base64').toString('base64'), signature, 'encoded again')
    }),
    requirement(
      'gives ECDSA signatures as DER',
      { ...should, clause: 'RFC 3279 §2.2.3' },
      async (t) => {
        const authorised = await newlyAuthorised(t, 1, { kind: 'ec' })
        const [signature = ''] = succeeded(await t.sign(authorised)).strings('signatures')
        same(Buffer.from(signature, 'base64')[0], 0x30, 'first byte')
      },
    ),
    requirement('does not sign the same again', ONCE, async (t) => {
      const authorised = await newlyAuthorised(t)
      succeeded(await t.sign(authorised))
      refusedSomehow(await t.sign(authorised))
    }),
    requirement('does not sign another hash once all is signed', ONCE, async (t) => {
      const authorised = await newlyAuthorised(t)
      succeeded(await t.sign(authorised))
      refusedSomehow(await t.sign(authorised, { hashes: [another(authorised).base64] }))
    }),
    requirement('does not sign one hash twice in two calls', ONCE, async (t) => {
      const authorised = await newlyAuthorised(t, 2)
      const [first] = authorised.documents
      succeeded(await t.sign(authorised, { hashes: [first?.base64] }))
      refusedSomehow(await t.sign(authorised, { hashes: [first?.base64] }))
    }),
    requirement('signs no more in parallel than was agreed', ONCE, async (t) => {
      const authorised = await newlyAuthorised(t)
      const answers = await Promise.all(Array.from({ length: 12 }, () => t.sign(authorised)))
      const signed = answers.filter(({ status }) => status === 200).length
      demand(signed <= 1, `${signed} calls were answered with a signature`)
      demand(
        answers.every(({ status }) => status < 500),
        'a call ended in an error of the server',
      )
    }),
    requirement('takes a credential token as SAD beside a service token', shall, async (t) => {
      const authorised = await newlyAuthorised(t, 1, { mode: 'oauth2code' })
      const asSad = { ...authorised, SAD: authorised.bearer, bearer: await t.serviceToken() }
      t.verifySignatures(await t.sign(asSad), authorised)
    }),
    requirement('counts a token once, as bearer and as SAD', ONCE, async (t) => {
      const authorised = await newlyAuthorised(t, 1, { mode: 'oauth2code' })
      succeeded(await t.sign(authorised))
      const asSad = { ...authorised, SAD: authorised.bearer, bearer: await t.serviceToken() }
      refusedSomehow(await t.sign(asSad))
    }),
    requirement(
      'refuses the credential token of another application as SAD',
      { clause: 'CSC v2.0.0.2 §8.4' },
      async (t) => {
        const authorised = await newlyAuthorised(t, 1, { mode: 'oauth2code' })
        const bearer = await t.serviceToken(0, t.otherClient())
        refused(await t.sign({ ...authorised, SAD: authorised.bearer, bearer }), {
          words: invalid('SAD'),
        })
      },
    ),
    requirement(
      'refuses the credential token of another person as SAD',
      { clause: 'CSC v2.0.0.2 §8.4' },
      async (t) => {
        const authorised = await newlyAuthorised(t, 1, { mode: 'oauth2code' })
        const bearer = await t.serviceToken(t.otherSigner())
        refusedSomehow(await t.sign({ ...authorised, SAD: authorised.bearer, bearer }))
      },
    ),
    requirement(
      'refuses a SAD of another authorisation beside a credential token',
      should,
      async (t) => {
        const [one, other] = [
          await newlyAuthorised(t, 1, { mode: 'oauth2code' }),
          await t.unspent({ mode: 'oauth2code' }),
        ]
        refusedSomehow(await t.sign(one, { SAD: other.bearer }))
      },
    ),
    requirement(
      'refuses an expired credential token',
      { clause: 'CSC v2.0.0.2 §10.1' },
      async (t) => {
        const credential = await t.credential({ mode: 'oauth2code' })
        const documents = t.documentsFor(credential)
        const { token, answer } = await t.approve(credential, documents)
        await t.clock.pass(Number(answer.get('expires_in') ?? 3600) + 5)
        const [first] = documents
        if (!first) return
        const algorithm = t.algorithmFor(credential, first)
        const authorised = { credential, documents, bearer: token, SAD: null, algorithm }
        refused(await t.sign(authorised), {
          status: 401,
          error: ['expired_token', 'invalid_token'],
          words: null,
        })
        const asSad = await t.sign({ ...authorised, SAD: token }, {}, await t.serviceToken())
        refused(asSad, { words: ['SAD expired', invalid('SAD')] })
      },
    ),
    requirement('lets SCAL 1 sign any hash, as many as were agreed', SCAL, async (t) => {
      const credential = await t.credential({ mode: 'oauth2code', SCAL: '1' })
      const documents = t.documentsFor(credential)
      const authorised = await t.authorise(credential, documents, { withoutHashes: true })
      t.verifySignatures(await t.sign(authorised), authorised)
      refusedSomehow(await t.sign(authorised))
    }),
    requirement('binds SCAL 1 to hashes, too, when they were given', SCAL, async (t) => {
      const credential = await t.credential({ SCAL: '1' })
      const authorised = await t.authorise(credential, t.documentsFor(credential))
      refused(await t.sign(authorised, { hashes: [another(authorised).base64] }), {
        words: FOREIGN,
      })
    }),
    requirement(
      'takes validity_period and response_uri without notice in mode S',
      shall,
      async (t) => {
        const ignored = {
          operationMode: 'S',
          validity_period: 1,
          response_uri: 'https://example.org/',
        }
        const authorised = await newlyAuthorised(t)
        t.verifySignatures(await t.sign(authorised, ignored), authorised)
      },
    ),
    requirement('takes no notice of a hashAlgorithmOID that signAlgo implies', shall, async (t) => {
      const authorised = await newlyAuthorised(t)
      const hashAlgorithmOID = authorised.documents[0]?.hash.oid
      t.verifySignatures(await t.sign(authorised, { hashAlgorithmOID }), authorised)
    }),
    requirement('takes clientData', shall, async (t) => {
      const authorised = await newlyAuthorised(t)
      t.verifySignatures(await t.sign(authorised, { clientData: 'order 17' }), authorised)
    }),
    requirement('takes null for absent members', should, async (t) => {
      const nulls = {
        signAlgoParams: null,
        hashAlgorithmOID: null,
        clientData: null,
        response_uri: null,
      }
      const authorised = await newlyAuthorised(t)
      t.verifySignatures(await t.sign(authorised, nulls), authorised)
    }),
    ...(
      [
        ['base64url', ({ base64url }) => base64url],
        ['Base64 without padding', ({ base64 }) => base64.replace(/=+$/, '')],
      ] as [string, (document: Document) => string][]
    ).map(([what, encode]) =>
      requirement(
        `takes a hash in ${what} for what it is`,
        { ...ENCODING, level: 'SHOULD' },
        async (t) => {
          const authorised = await newlyAuthorised(t)
          const answer = await t.sign(authorised, { hashes: authorised.documents.map(encode) })
          t.verifySignatures(answer, authorised)
        },
      ),
    ),
    requirement('takes a signAlgo with spaces for no algorithm', should, async (t) => {
      const authorised = await t.unspent()
      const answer = await t.sign(authorised, { signAlgo: ` ${authorised.algorithm.signAlgo}` })
      refused(answer, { words: invalid('signAlgo') })
    }),
    requirement('keeps a token usable that only read credentials/info', should, async (t) => {
      const authorised = await newlyAuthorised(t, 1, { mode: 'oauth2code' })
      const body = { credentialID: authorised.credential.id, certificates: 'chain' }
      succeeded(await t.call('credentials/info', body, authorised.bearer))
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
  ],
}

/** Each algorithm that any credential claims makes signatures that verify. */
function algorithms(): Requirement[] {
  return [
    ...Object.entries(NAMES).map(([oid, name]) =>
      requirement(`signs with ${name}`, shall, (t) =>
        signsWith(t, ({ algorithm }) => algorithm.signAlgo === oid),
      ),
    ),
    ...HASHES.flatMap((hash) => [
      requirement(`signs with the RSA key OID and ${hash.name}`, shall, (t) =>
        signsWith(t, (each) => each.algorithm.signAlgo === RSA_KEY && each.hash === hash),
      ),
      requirement(`signs with RSASSA-PSS and ${hash.name}`, shall, (t) =>
        signsWith(t, (each) => each.algorithm.signAlgo === RSA_PSS && each.hash === hash),
      ),
    ]),
    requirement('refuses RSASSA-PSS with the defaults, which are SHA-1', should, async (t) => {
      const authorised = await t.unspent(RSA)
      if (!authorised.credential.algos.includes(RSA_PSS)) t.notApplicable('no RSASSA-PSS')
      refusedSomehow(await t.sign(authorised, { signAlgo: RSA_PSS, signAlgoParams: 'MAA=' }))
    }),
    requirement('refuses RSASSA-PSS parameters that are no DER', should, async (t) => {
      const authorised = await t.unspent(RSA)
      refusedSomehow(await t.sign(authorised, { signAlgo: RSA_PSS, signAlgoParams: 'AAAA' }))
    }),
    requirement('refuses a hash whose algorithm is not the authorised one', should, async (t) => {
      const authorised = await t.unspent(RSA)
      const answer = await t.sign(authorised, {
        signAlgo: RSA_PSS,
        signAlgoParams: PSS_PARAMETERS.sha512,
        hashAlgorithmOID: undefined,
      })
      refusedSomehow(answer)
    }),
  ]
}

async function signsWith(t: Subject, fits: (choice: Choice) => boolean): Promise<void> {
  const credentials = t.cheapestFirst(await t.credentials()).filter(({ enabled }) => enabled)
  const able = credentials.find((each) => choicesOf(each).some(fits))
  const choice = able && choicesOf(able).find(fits)
  if (!able || !choice) return t.notApplicable('no credential claims it')
  const { algorithm, hash } = choice
  const authorised = await t.authorise(able, [newDocument(hash)], { algorithm })
  t.verifySignatures(await t.sign(authorised), authorised)
}

/** An authorisation of its own, to sign with. */
async function newlyAuthorised(t: Subject, count = 1, wanted: Wanted = {}): Promise<Authorised> {
  const credential = await t.preferred({ ...wanted, multisign: count })
  return t.authorise(credential, t.documentsFor(credential, count))
}

/** The answer to a signing that several cases look at. */
function signedOnce(t: Subject): Promise<Answer> {
  return t.kept('signed', Infinity, async () => t.sign(await newlyAuthorised(t)))
}

function another({ documents }: Authorised): Document {
  return newDocument(documents[0]?.hash ?? SHA256)
}

function sameKind(algos: readonly string[], { algos: others }: KnownCredential): boolean {
  return algos.some((algo) => others.includes(algo))
}

function asynchronous(t: Subject): void {
  if (t.info.get('asynchronousOperationMode') !== true) t.notApplicable('no asynchronous mode')
}
