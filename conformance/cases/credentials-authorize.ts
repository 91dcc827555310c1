import { HASHES, newDocument, newDocuments, type Hash } from '../algorithms.js'
import type { KnownCredential } from '../credential-view.js'
import type { Answer, Json } from '../exchange.js'
import {
  demand,
  demandLifetime,
  demandNotStored,
  refused,
  refusedSomehow,
  same,
  succeeded,
  type Refusal,
} from '../expectations.js'
import { requirement, type Chapter, type Requirement } from '../requirement.js'
import type { Authorised, Subject } from '../subject.js'

const shall = { clause: 'CSC v2.0.0.2 §11.6' }
const should = { ...shall, level: 'SHOULD' } as const
const SCAL = { clause: 'CSC v2.0.0.2 §8.2' }
const NOT_STORED = { clause: 'RFC 9111 §5.2.2.5', level: 'SHOULD' } as const
const CREDENTIAL = 'Missing (or invalid type) string parameter credentialID'
const NUMBER = 'Missing (or invalid type) integer parameter numSignatures'
const WRONG_FACTORS: Refusal = {
  error: 'invalid_authentication_data',
  words: 'The authentication data is invalid',
}

export const credentialsAuthorize: Chapter = {
  name: 'credentials/authorize',
  versions: ['v2'],
  method: 'credentials/authorize',
  precondition: async (t) => void (await t.credential({ mode: 'explicit' })),
  requirements: [
    ...row('no credentialID', { credentialID: undefined }, CREDENTIAL),
    ...row('a number for credentialID', { credentialID: 1 }, CREDENTIAL),
    ...row('a list for credentialID', { credentialID: ['x'] }, CREDENTIAL),
    ...row('an unknown credentialID', { credentialID: 'x' }, 'Invalid parameter credentialID'),
    ...row('no numSignatures', { numSignatures: undefined }, NUMBER),
    ...row('a text for numSignatures', { numSignatures: 'one' }, NUMBER),
    ...row('a fraction for numSignatures', { numSignatures: 1.5 }, NUMBER),
    ...row('true for numSignatures', { numSignatures: true }, NUMBER),
    ...row('a list for numSignatures', { numSignatures: [1] }, NUMBER),
    ...row('0 signatures', { numSignatures: 0 }, 'Invalid value for parameter numSignatures'),
    ...row('-1 signatures', { numSignatures: -1 }, 'Invalid value for parameter numSignatures'),
    requirement('refuses more signatures than multisign', shall, async (t) => {
      const credential = await explicit(t)
      const answer = await call(t, credential, { numSignatures: credential.multisign + 1 })
      refused(answer, { words: 'Numbers of signatures is too high' })
    }),
    requirement('refuses a credential of another person like an unknown one', shall, async (t) => {
      const { id } = await t.credential({ signer: t.otherSigner() })
      const answer = await call(t, await explicit(t), { credentialID: id })
      refused(answer, { words: 'Invalid parameter credentialID' })
    }),
    requirement('refuses a credential that is authorised by redirect', shall, async (t) => {
      const { id } = await t.credential({ mode: 'oauth2code' })
      refusedSomehow(await call(t, await explicit(t), { credentialID: id }))
    }),
    ...row(
      'hashes that are no Base64',
      { hashes: ['?'] },
      'Invalid Base64 hash string parameter',
      should,
    ),
    ...row(
      'hashes that are no text',
      { hashes: [1] },
      'Invalid Base64 hash string parameter',
      should,
    ),
    ...row('a text for hashes', { hashes: 'AAAA' }, null),
    ...row(
      'an unknown hashAlgorithmOID',
      { hashAlgorithmOID: '1.2.3' },
      'Invalid parameter hashAlgorithmOID',
      should,
    ),
    ...row(
      'SHA-1 for hashAlgorithmOID',
      { hashAlgorithmOID: '1.3.14.3.2.26' },
      'Invalid parameter hashAlgorithmOID',
      should,
    ),
    ...row('a number for hashAlgorithmOID', { hashAlgorithmOID: 256 }, null),
    ...row('a description of 501 characters', { description: 'x'.repeat(501) }, null),
    ...row('a number for description', { description: 1 }, null, should),
    ...row('a number for clientData', { clientData: 17 }, 'Invalid parameter clientData', should),
    requirement('refuses a digest that is not as long as its algorithm says', should, async (t) => {
      const credential = await explicit(t)
      const hashes = [Buffer.alloc(31).toString('base64')]
      refused(await call(t, credential, { hashes }), { words: 'Invalid digest value length' })
    }),
    requirement('refuses SCAL 2 without hashes', SCAL, async (t) => {
      const credential = await explicit(t, '2')
      const answer = await call(t, credential, { hashes: undefined, hashAlgorithmOID: undefined })
      refused(answer, { words: null })
    }),
    requirement('refuses SCAL 2 with an empty list of hashes', SCAL, async (t) => {
      refused(await call(t, await explicit(t, '2'), { hashes: [] }), { words: null })
    }),
    requirement('refuses more hashes than signatures', SCAL, async (t) => {
      const credential = await explicit(t)
      const hashes = newDocuments(2, hashOf(t, credential)).map(({ base64 }) => base64)
      refusedSomehow(await call(t, credential, { hashes, numSignatures: 1 }))
    }),
    requirement('gives a SAD, and its lifetime in seconds if any', shall, async (t) => {
      const credential = await explicit(t)
      const answer = succeeded(await call(t, credential))
      demand(answer.string('SAD') !== '', 'SAD is empty')
      demandLifetime(answer)
    }),
    requirement('gives SADs that are not stored by caches', NOT_STORED, async (t) => {
      demandNotStored(succeeded(await call(t, await explicit(t))))
    }),
    requirement('gives SADs that cannot be guessed', should, async (t) => {
      const credential = await explicit(t)
      const [one, two] = [await newSad(t, credential), await newSad(t, credential)]
      demand(one !== two && one.length >= 20 && two.length >= 20, 'they are short or alike')
    }),
    requirement('gives a SAD that signs what it was given for', shall, async (t) => {
      const credential = await explicit(t)
      const authorised = await t.authorise(credential, t.documentsFor(credential))
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
    requirement('gives a SAD that signs each of several hashes', shall, async (t) => {
      const credential = await t.credential({ mode: 'explicit', multisign: 3 })
      const authorised = await t.authorise(credential, t.documentsFor(credential, 3))
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
    requirement('gives a SAD that does not sign another hash', SCAL, async (t) => {
      const { authorised, credential } = await authorisedExplicit(t, '2')
      const answer = await t.sign(authorised, hashesOf([newDocument(hashOf(t, credential))]))
      refused(answer, { words: 'Hash is not authorized by the SAD.' })
    }),
    requirement('gives a SAD that signs once', { clause: 'CSC v2.0.0.2 §8.3' }, async (t) => {
      const { authorised } = await authorisedExplicit(t)
      t.verifySignatures(await t.sign(authorised), authorised)
      refusedSomehow(await t.sign(authorised))
    }),
    requirement('gives a SAD that does not sign with another credential', shall, async (t) => {
      const { authorised, credential } = await authorisedExplicit(t)
      const other = (await t.credentials()).find(({ id }) => id !== credential.id)
      if (!other) return t.skip('the signer has one credential only')
      refusedSomehow(await t.sign(authorised, { credentialID: other.id }))
    }),
    requirement('gives a SAD that is worth nothing to another application', shall, async (t) => {
      const { authorised } = await authorisedExplicit(t)
      const token = await t.serviceToken(0, t.otherClient())
      refused(await t.sign(authorised, {}, token), { words: 'Invalid parameter SAD' })
    }),
    requirement('gives a SAD that is worth nothing to another person', shall, async (t) => {
      const { authorised } = await authorisedExplicit(t)
      refusedSomehow(await t.sign(authorised, {}, await t.serviceToken(t.otherSigner())))
    }),
    requirement('gives a SAD that is no access token', shall, async (t) => {
      const { authorised } = await authorisedExplicit(t)
      const answer = await t.call('credentials/list', {}, authorised.SAD ?? '')
      refused(answer, { status: 401, error: 'invalid_token', words: null })
    }),
    requirement('gives a SAD that expires', { clause: 'CSC v2.0.0.2 §11.6, §11.10' }, async (t) => {
      const { authorised, expiresIn } = await authorisedExplicit(t)
      await t.clock.pass(expiresIn + 5)
      refused(await t.sign(authorised, {}, await t.serviceToken()), { words: 'SAD expired' })
    }),
    requirement('lets SCAL 1 sign any hash, as many as were agreed', SCAL, async (t) => {
      const credential = await explicit(t, '1')
      const documents = t.documentsFor(credential)
      const authorised = await t.authorise(credential, documents, { withoutHashes: true })
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
    requirement('binds SCAL 1 to hashes, too, when they were given', SCAL, async (t) => {
      const { authorised, credential } = await authorisedExplicit(t, '1')
      const answer = await t.sign(authorised, hashesOf([newDocument(hashOf(t, credential))]))
      refused(answer, { words: 'Hash is not authorized by the SAD.' })
    }),
    requirement('takes description and clientData', shall, async (t) => {
      const description = 'x'.repeat(500)
      succeeded(await call(t, await explicit(t), { description, clientData: 'order 17' }))
    }),
    ...wrongFactors(),
  ],
}

/** In the order in which guesses are least likely to add up: each ends with the right factors. */
function wrongFactors(): Requirement[] {
  const wrong: [string, (right: Answered[]) => unknown][] = [
    ['without authData', () => undefined],
    ['with no answers', () => []],
    ['with a wrong answer', ([first, ...rest]) => [{ ...first, value: '000000' }, ...rest]],
    ['with an answer without value', ([first, ...rest]) => [{ id: first?.id }, ...rest]],
    ['with an empty answer', ([first, ...rest]) => [{ ...first, value: '' }, ...rest]],
    ['with an answer to an unknown object', (right) => [...right, { id: 'NOBODY', value: '1' }]],
    ['with an answer given twice', (right) => [...right, ...right]],
    [
      'with letters where digits belong',
      ([first, ...rest]) => [{ ...first, value: 'abcdef' }, ...rest],
    ],
  ]
  return [
    ...wrong.map(([what, answers]) =>
      requirement(`refuses ${what}, without saying what was wrong`, shall, async (t) => {
        allowWrongFactors(t)
        const credential = await explicit(t)
        const { authData } = await t.factorsOf(credential)
        const given = answers((authData ?? []) as Answered[])
        refused(await call(t, credential, { authData: given }), WRONG_FACTORS)
        succeeded(await call(t, credential))
      }),
    ),
    requirement('refuses one factor where two are demanded', shall, async (t) => {
      allowWrongFactors(t)
      const credential = await withTwoFactors(t)
      const { authData } = await t.factorsOf(credential)
      const [first] = (authData ?? []) as Answered[]
      refused(await call(t, credential, { authData: [first] }), WRONG_FACTORS)
      succeeded(await call(t, credential))
    }),
    requirement('takes a one-time code once', should, async (t) => {
      allowWrongFactors(t)
      const credential = await withTwoFactors(t)
      const { authData } = await t.factorsOf(credential)
      succeeded(await call(t, credential, { authData }))
      refused(await call(t, credential, { authData }), WRONG_FACTORS)
    }),
    requirement('locks the credential after wrong factors, and says so', shall, async (t) => {
      if (!t.target.consume?.lock) t.skip('needs "consume.lock"')
      const credential = await explicit(t)
      const { authData } = await t.factorsOf(credential)
      const [first, ...rest] = (authData ?? []) as Answered[]
      const wrong = { authData: [{ ...first, value: '000000' }, ...rest] }
      let answer = await call(t, credential, wrong)
      for (let guess = 0; guess < 20 && answer.get('error') !== 'invalid_request'; guess += 1) {
        answer = await call(t, credential, wrong)
      }
      refused(answer, { words: 'Credential locked' })
      refused(await call(t, credential), { words: 'Credential locked' })
      await t.clock.pass(3600)
    }),
  ]
}

interface Answered {
  readonly id: string
  readonly value?: string
}

/** A refusal of one wrong parameter, all others being right. */
function row(
  what: string,
  changes: Json,
  words: string | null,
  clause: typeof shall | typeof should = shall,
) {
  return [
    requirement(`refuses ${what}`, clause, async (t) => {
      refused(await call(t, await explicit(t), changes), { words })
    }),
  ]
}

/** The credential whose factors cost least: a PIN rather than one-time codes. */
async function explicit(t: Subject, level?: '1' | '2'): Promise<KnownCredential> {
  const all = (await t.credentials()).filter(
    (each) => each.enabled && each.mode === 'explicit' && (level ?? each.SCAL) === each.SCAL,
  )
  const { authData = {} } = t.signerSettings(0)
  const codes = ({ objects }: KnownCredential) =>
    objects.filter(({ id, type }) => type !== 'Password' || typeof authData[id] === 'object').length
  const [cheapest] = all.sort((one, other) => codes(one) - codes(other))
  return cheapest ?? t.credential({ mode: 'explicit', ...(level ? { SCAL: level } : {}) })
}

async function withTwoFactors(t: Subject): Promise<KnownCredential> {
  const found = (await t.credentials()).find(
    ({ mode, objects, expression }) =>
      mode === 'explicit' && objects.length > 1 && !/OR/.test(expression),
  )
  return found ?? t.notApplicable('no credential demands two factors')
}

function hashOf(t: Subject, credential: KnownCredential): Hash {
  return t.documentsFor(credential)[0]?.hash ?? HASHES[0]
}

function hashesOf(documents: readonly { base64: string }[]): Json {
  return { hashes: documents.map(({ base64 }) => base64) }
}

function call(t: Subject, credential: KnownCredential, changes: Json = {}): Promise<Answer> {
  return t.callAuthorize(credential, t.documentsFor(credential), changes)
}

async function newSad(t: Subject, credential: KnownCredential): Promise<string> {
  return t.sad(credential, t.documentsFor(credential))
}

async function authorisedExplicit(t: Subject, level?: '1' | '2') {
  const credential = await explicit(t, level)
  const documents = t.documentsFor(credential)
  const answer = succeeded(await t.callAuthorize(credential, documents))
  const [document] = documents
  if (!document) throw new Error('no document')
  const authorised = {
    ...{ credential, documents, SAD: answer.string('SAD') },
    bearer: await t.serviceToken(),
    algorithm: t.algorithmFor(credential, document),
  }
  return { authorised, credential, expiresIn: Number(answer.get('expiresIn') ?? 3600) }
}

function allowWrongFactors(t: Subject): void {
  if (!t.target.consume?.wrongFactors) t.skip('needs "consume.wrongFactors"')
}

const check = { clause: 'CSC v2.0.0.2 §11.7' }

export const authorizeCheck: Chapter = {
  name: 'credentials/authorizeCheck',
  versions: ['v2'],
  method: 'credentials/authorizeCheck',
  requirements: [
    ...(
      [
        ['an unknown handle', { handle: 'nobody' }],
        ['no handle', {}],
        ['a number for handle', { handle: 1 }],
        ['an empty handle', { handle: '' }],
      ] as const
    ).map(([what, body]) =>
      requirement(`refuses ${what}`, check, async (t) => {
        const answer = await t.call('credentials/authorizeCheck', body, await t.serviceToken())
        refused(answer, {
          words: [
            'Invalid parameter handle',
            ...(what === 'an unknown handle'
              ? []
              : ['Missing (or invalid type) string parameter handle']),
          ],
        })
      }),
    ),
    requirement('answers 202 with a handle, or 200 with a SAD, to who waits', check, async (t) => {
      const out = (await t.credentials()).find(({ objects }) =>
        objects.some(({ type }) => type.endsWith('OOB')),
      )
      if (!out) return t.notApplicable('no credential is authorised out of band')
      const answer = await t.callAuthorize(out, t.documentsFor(out))
      if (answer.status === 200) return
      succeeded(answer, 202)
      const body = { handle: answer.string('handle') }
      const again = await t.call('credentials/authorizeCheck', body, await t.serviceToken())
      demand(again.status === 202 || again.status === 200, `status ${again.status}`)
      if (t.target.signers.length < 2) return
      const others = await t.call('credentials/authorizeCheck', body, await t.serviceToken(1))
      refused(others, { words: 'Invalid parameter handle' })
    }),
  ],
}

const challenge = { clause: 'CSC v2.0.0.2 §11.8' }

export const getChallenge: Chapter = {
  name: 'credentials/getChallenge',
  versions: ['v2'],
  method: 'credentials/getChallenge',
  requirements: [
    ...challengeRow('no credentialID', { credentialID: undefined }, 'credentialID'),
    ...challengeRow('a number for credentialID', { credentialID: 5 }, 'credentialID'),
    ...challengeRow('an unknown credentialID', { credentialID: 'x' }, 'credentialID'),
    ...challengeRow('no authObjectID', { authObjectID: undefined }, 'authObjectID'),
    ...challengeRow('a number for authObjectID', { authObjectID: 5 }, 'authObjectID'),
    ...challengeRow('an unknown authObjectID', { authObjectID: 'NOBODY' }, 'authObjectID'),
    requirement('refuses a credential of another person', challenge, async (t) => {
      const { id } = await t.credential({ signer: t.otherSigner() })
      const body = { credentialID: id, authObjectID: 'EMAIL' }
      const answer = await t.call('credentials/getChallenge', body, await t.serviceToken())
      refused(answer, { words: 'Invalid parameter credentialID' })
    }),
    requirement('refuses an object that is no challenge', challenge, async (t) => {
      const { id, objects } = await t.credential({ mode: 'explicit' })
      const password = objects.find(({ type }) => type === 'Password')
      if (!password) return t.notApplicable('no credential has a Password')
      const body = { credentialID: id, authObjectID: password.id }
      const answer = await t.call('credentials/getChallenge', body, await t.serviceToken())
      refused(answer, { words: 'Invalid parameter authObjectID' })
    }),
    requirement(
      'answers 200 with a challenge, or 204 when it went out of band',
      challenge,
      async (t) => {
        const found = (await t.credentials()).flatMap(({ id, objects }) =>
          objects
            .filter(({ type }) => type.startsWith('Challenge'))
            .map((object) => ({ id, object })),
        )[0]
        if (!found) return t.notApplicable('no credential has a challenge')
        const body = { credentialID: found.id, authObjectID: found.object.id }
        const answer = await t.call('credentials/getChallenge', body, await t.serviceToken())
        if (answer.status === 204) same(answer.text, '', 'body of 204')
        else succeeded(answer).string('challenge')
      },
    ),
  ],
}

function challengeRow(what: string, changes: Json, name: string): Requirement[] {
  return [
    requirement(`refuses ${what}`, challenge, async (t) => {
      const { id } = await t.credential()
      const body = { credentialID: id, authObjectID: 'EMAIL', ...changes }
      const answer = await t.call('credentials/getChallenge', body, await t.serviceToken())
      refused(answer, { words: `Invalid parameter ${name}` })
    }),
  ]
}

const extend = { clause: 'CSC v2.0.0.2 §11.9' }
const extendShould = { ...extend, level: 'SHOULD' } as const

export const extendTransaction: Chapter = {
  name: 'credentials/extendTransaction',
  versions: ['v2'],
  method: 'credentials/extendTransaction',
  precondition: async (t) => void (await t.credential({ mode: 'explicit' })),
  requirements: [
    requirement('gives another SAD for a SAD', extend, async (t) => {
      const { authorised } = await authorisedExplicit(t)
      const next = succeeded(await extendWith(t, authorised)).string('SAD')
      demand(next !== authorised.SAD, 'it is the same')
    }),
    requirement('gives the lifetime of the SAD in seconds if any', extend, async (t) => {
      const { authorised } = await authorisedExplicit(t)
      demandLifetime(succeeded(await extendWith(t, authorised)))
    }),
    requirement('gives SADs that are not stored by caches', NOT_STORED, async (t) => {
      const { authorised } = await authorisedExplicit(t)
      demandNotStored(succeeded(await extendWith(t, authorised)))
    }),
    requirement('gives a SAD that signs', extend, async (t) => {
      const { authorised } = await authorisedExplicit(t)
      const SAD = succeeded(await extendWith(t, authorised)).string('SAD')
      t.verifySignatures(await t.sign({ ...authorised, SAD }), authorised)
    }),
    requirement('binds the SAD to the new hashes', extend, async (t) => {
      const { authorised, credential } = await authorisedExplicit(t, '2')
      const documents = t.documentsFor(credential)
      const SAD = succeeded(await extendWith(t, authorised, hashesOf(documents))).string('SAD')
      const next = { ...authorised, SAD, documents }
      t.verifySignatures(await t.sign(next), next)
    }),
    requirement('goes on with what is left after some were signed', extend, async (t) => {
      const credential = await explicit(t)
      if (credential.multisign < 2) t.notApplicable('multisign is 1')
      const [one, two] = t.documentsFor(credential, 2)
      if (!one || !two) return
      const SAD = await t.sad(credential, [one], { numSignatures: 2 })
      const algorithm = t.algorithmFor(credential, one)
      const first = { credential, documents: [one], SAD, bearer: await t.serviceToken(), algorithm }
      t.verifySignatures(await t.sign(first), first)
      const next = succeeded(await extendWith(t, first, hashesOf([two]))).string('SAD')
      const second = { ...first, documents: [two], SAD: next }
      t.verifySignatures(await t.sign(second), second)
      refusedSomehow(await extendWith(t, second))
    }),
    requirement('ends the SAD it was given', extendShould, async (t) => {
      const { authorised } = await authorisedExplicit(t)
      succeeded(await extendWith(t, authorised))
      refusedSomehow(await t.sign(authorised))
    }),
    requirement('refuses SCAL 2 without hashes', extend, async (t) => {
      const { authorised } = await authorisedExplicit(t, '2')
      refusedSomehow(await extendWith(t, authorised, { hashes: undefined }))
    }),
    requirement('refuses an expired SAD', { clause: 'CSC v2.0.0.2 §8.3' }, async (t) => {
      const { authorised, expiresIn } = await authorisedExplicit(t)
      await t.clock.pass(expiresIn + 5)
      refusedSomehow(await extendWith(t, authorised))
    }),
    ...(
      [
        ['no SAD', { SAD: undefined }, 'Missing (or invalid type) string parameter SAD'],
        ['a number for SAD', { SAD: 1 }, 'Missing (or invalid type) string parameter SAD'],
        ['an unknown SAD', { SAD: 'nobody' }, 'Invalid parameter SAD'],
        ['no credentialID', { credentialID: undefined }, CREDENTIAL],
        ['an unknown credentialID', { credentialID: 'x' }, 'Invalid parameter credentialID'],
        ['hashes that are no Base64', { hashes: ['?'] }, 'Invalid Base64 hash string parameter'],
        ['a short digest', { hashes: ['AAAA'] }, 'Invalid digest value length'],
      ] as const
    ).map(([what, changes, words]) =>
      requirement(`refuses ${what}`, extendShould, async (t) => {
        const { authorised } = await authorisedExplicit(t)
        refused(await extendWith(t, authorised, changes), { words })
      }),
    ),
    requirement('refuses the SAD of another application', extend, async (t) => {
      const { authorised } = await authorisedExplicit(t)
      const bearer = await t.serviceToken(0, t.otherClient())
      refusedSomehow(await extendWith(t, { ...authorised, bearer }))
    }),
    requirement('refuses the SAD with another credential', extend, async (t) => {
      const { authorised, credential } = await authorisedExplicit(t)
      const other = (await t.credentials()).find(({ id }) => id !== credential.id)
      if (!other) return t.skip('the signer has one credential only')
      refusedSomehow(await extendWith(t, authorised, { credentialID: other.id }))
    }),
  ],
}

async function extendWith(
  t: Subject,
  { credential, documents, SAD, bearer }: Authorised,
  changes: Json = {},
): Promise<Answer> {
  const body = {
    credentialID: credential.id,
    ...hashesOf(documents),
    hashAlgorithmOID: documents[0]?.hash.oid,
    SAD,
    ...changes,
  }
  return t.call('credentials/extendTransaction', body, bearer)
}
