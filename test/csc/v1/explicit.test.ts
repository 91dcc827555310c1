import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../../src/credentials/auth-object.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { signingCertificate } from '../../../src/credentials/credentials.js'
import { totpCode } from '../../../src/identity/totp.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { EarlierApplication } from '../../support/earlier-version.js'
import { opensslVerifies } from '../../support/openssl.js'
import { codeIn, messagesTo } from '../../support/outbox.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  RSA_SHA256,
  SHA256,
  SHA384,
  startRssp,
  type Answer,
  type Rssp,
  type TestUser,
} from '../../support/rssp.js'

const { PIN, OTP, EMAIL } = AUTH_OBJECTS
const MALFORMED =
  'The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed.'
const SECP = '1.2.840.113549.1.1.1'

type Members = Record<string, unknown>

describe('CSC API v1, explicit credentials', () => {
  let rssp: Rssp
  let user: TestUser
  let app: EarlierApplication
  let token: string
  let credential: Credential
  let rsa: Credential
  /** Authorised by OTP alone. */
  let byCode: Credential
  const digest = digestOf('document')
  const other = digestOf('other')

  before(async () => {
    rssp = await startRssp({ outbox: true })
    user = await rssp.addUser()
    app = new EarlierApplication(rssp, '/csc/v1', await rssp.addClient())
    const explicit = { objects: [PIN, OTP], expression: 'PIN AND OTP' }
    credential = await rssp.addCredential(user, { explicit, withPin: true })
    rsa = await rssp.addCredential(user, {
      ...{ explicit: { objects: [PIN], expression: null }, withPin: true },
      ...{ SCAL: '1', algorithm: 'rsa-2048' },
    })
    byCode = await rssp.addCredential(user, { explicit: { objects: [OTP], expression: null } })
    token = await rssp.serviceToken(user, app.client)
  })
  after(() => rssp.close())
  beforeEach(() => {
    // A one-time code works once; time moves on between tests.
    rssp.clock.advance(30)
  })

  const text = (digests: readonly Buffer[]) => digests.map((each) => each.toString('base64'))
  const authorize = (more: Members = {}, bearer = token): Promise<Answer> =>
    app.call(
      'credentials/authorize',
      {
        ...{ credentialID: credential.id, numSignatures: 1, hash: text([digest]) },
        ...{ PIN: user.pin, OTP: totpCode(user.totpSecret, rssp.clock.now()) },
        ...more,
      },
      bearer,
    )
  const sad = async (more: Members = {}): Promise<string> => {
    const { status, body } = await authorize(more)
    assert.equal(status, 200, JSON.stringify(body))
    return body.SAD
  }
  const sign = (more: Members = {}, bearer = token): Promise<Answer> =>
    app.call(
      'signatures/signHash',
      { credentialID: credential.id, hash: text([digest]), signAlgo: ECDSA_SHA256, ...more },
      bearer,
    )
  const extend = (more: Members): Promise<Answer> =>
    app.call(
      'credentials/extendTransaction',
      { credentialID: credential.id, hash: text([other]), ...more },
      token,
    )
  const publicKey = (of: Credential) => signingCertificate(of).publicKey

  it('sign what PIN and OTP authorised, in a way openssl verifies', async () => {
    const granted = await authorize()
    assert.deepEqual(Object.keys(granted.body).sort(), ['SAD', 'expiresIn'])
    const { status, body } = await sign({ SAD: granted.body.SAD })
    assert.equal(status, 200, JSON.stringify(body))
    assert.deepEqual(Object.keys(body), ['signatures'])
    const [signature = ''] = body.signatures as string[]
    const algorithm = { scheme: 'ecdsa' as const, hash: HASH_ALGORITHMS.sha256 }
    const bytes = Buffer.from(signature, 'base64')
    assert.ok(opensslVerifies(publicKey(credential), digest, bytes, algorithm))
  })

  it('sign with a key OID and hashAlgo', async () => {
    const long = digestOf('long', 'sha384')
    const SAD = await sad({ credentialID: rsa.id, hash: text([long]), OTP: undefined })
    const { body } = await sign({
      ...{ SAD, credentialID: rsa.id, hash: text([long]), signAlgo: SECP, hashAlgo: SHA384 },
    })
    const algorithm = { scheme: 'rsa-pkcs1' as const, hash: HASH_ALGORITHMS.sha384 }
    const bytes = Buffer.from(body.signatures[0], 'base64')
    assert.ok(opensslVerifies(publicKey(rsa), long, bytes, algorithm))
  })

  it('bind what is authorised to its digests: another one is refused and signs nothing', async () => {
    const SAD = await sad()
    const words = 'Hash is not authorized by the SAD.'
    assertRefusal(await sign({ SAD, hash: text([other]) }), 400, 'invalid_request', words)
    assert.equal((await sign({ SAD })).status, 200)
    assertRefusal(await sign({ SAD }), 400, 'invalid_request', 'Invalid parameter SAD')
  })

  it('go on with extendTransaction, one hash after the other', async () => {
    const first = await sad({ numSignatures: 2 })
    assert.equal((await sign({ SAD: first })).status, 200)
    const { status, body } = await extend({ SAD: first })
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal((await sign({ SAD: body.SAD, hash: text([other]) })).status, 200)
  })

  it('take null and empty text for absent, and ignore what they do not know', async () => {
    const more = { credentialID: rsa.id, OTP: '', description: null, authData: 'x', hashes: 5 }
    assert.equal((await authorize(more)).status, 200)
  })

  describe('refuse, in the words of v1,', () => {
    const HASH_TYPE = 'Missing (or invalid type) array parameter hash'
    const CREDENTIAL_TYPE = 'Missing (or invalid type) string parameter credentialID'
    const NUMBER_TYPE = 'Missing (or invalid type) integer parameter numSignatures'

    const authorizing: [string, Members, string, string?][] = [
      ['authorize without credentialID', { credentialID: undefined }, CREDENTIAL_TYPE],
      ['authorize with a number for credentialID', { credentialID: 1 }, CREDENTIAL_TYPE],
      ['an unknown credential', { credentialID: 'x' }, 'Invalid parameter credentialID'],
      ['no numSignatures', { numSignatures: undefined }, NUMBER_TYPE],
      ['numSignatures as text', { numSignatures: '1' }, NUMBER_TYPE],
      ['numSignatures 0', { numSignatures: 0 }, 'Invalid value for parameter numSignatures'],
      ['numSignatures above multisign', { numSignatures: 11 }, 'Numbers of signatures is too high'],
      ['no hash at SCAL 2', { hash: undefined }, HASH_TYPE],
      ['a hash that is no array', { hash: text([digest])[0] }, HASH_TYPE],
      ['a hash that is no Base64', { hash: ['?'] }, 'Invalid Base64 hash string parameter'],
      ['a hash of no known length', { hash: ['AAAA'] }, 'Invalid digest value length'],
      [
        'hashes of two algorithms',
        { hash: text([digest, digestOf('x', 'sha512')]), numSignatures: 2 },
        'Invalid digest value length',
      ],
      ['the names of v2', { hash: undefined, hashes: text([digest]) }, HASH_TYPE],
      ['a wrong PIN', { PIN: '000000' }, 'The PIN is invalid', 'invalid_pin'],
      ['no PIN', { PIN: undefined }, 'The PIN is invalid', 'invalid_pin'],
      ['letters for a PIN', { PIN: 'secret' }, 'The PIN is invalid', 'invalid_pin'],
      ['a wrong OTP', { OTP: '000000' }, 'The OTP is invalid', 'invalid_otp'],
      ['no OTP', { OTP: undefined }, 'The OTP is invalid', 'invalid_otp'],
      ['neither', { PIN: '', OTP: '' }, 'The OTP is invalid', 'invalid_otp'],
      ['both wrong', { PIN: '000000', OTP: '000000' }, 'The OTP is invalid', 'invalid_otp'],
      ['a PIN that is no text', { PIN: 482913 }, 'Missing (or invalid type) string parameter PIN'],
      ['clientData that is no text', { clientData: {} }, 'Invalid parameter clientData'],
    ]
    for (const [title, members, words, code = 'invalid_request'] of authorizing) {
      it(title, async () => {
        assertRefusal(await authorize(members), 400, code, words)
        // Right factors forgive wrong ones, which lock the credential in the end.
        if (code !== 'invalid_request') assert.equal((await authorize()).status, 200)
      })
    }

    it('an OTP the credential has no use for', async () => {
      const more = { credentialID: rsa.id, OTP: '123456' }
      assertRefusal(await authorize(more), 400, 'invalid_otp', 'The OTP is invalid')
    })

    it('a code that was used before', async () => {
      const OTP = totpCode(user.totpSecret, rssp.clock.now())
      assert.equal((await authorize({ OTP })).status, 200)
      assertRefusal(await authorize({ OTP }), 400, 'invalid_otp', 'The OTP is invalid')
    })

    it('a credential of someone else', async () => {
      const stranger = await rssp.serviceToken(await rssp.addUser(), app.client)
      const words = 'Invalid parameter credentialID'
      assertRefusal(await authorize({}, stranger), 400, 'invalid_request', words)
    })

    it('a credential that is not explicit', async () => {
      const redirected = await rssp.addCredential(user)
      const { status, body } = await authorize({ credentialID: redirected.id, PIN: '', OTP: '' })
      assert.deepEqual([status, body.error], [400, 'unauthorized_client'])
    })

    it('a credential that is not explicit, whatever factors come for it', async () => {
      const redirected = await rssp.addCredential(user)
      for (const factors of [{ OTP: '' }, { PIN: '', OTP: '123456' }, {}]) {
        const { status, body } = await authorize({ credentialID: redirected.id, ...factors })
        assert.deepEqual([status, body.error], [400, 'unauthorized_client'])
      }
    })

    it('a locked PIN, and a disabled credential', async () => {
      const person = await rssp.addUser()
      const bearer = await rssp.serviceToken(person, app.client)
      const explicit = { objects: [PIN], expression: null }
      const { id } = await rssp.addCredential(person, { explicit, withPin: true })
      const guess = (pin: string) => authorize({ credentialID: id, PIN: pin, OTP: '' }, bearer)
      for (let n = 0; n < 5; n += 1) await guess('000000')
      assertRefusal(await guess(person.pin), 400, 'invalid_request', 'PIN locked')
      await rssp.services.credentials.revoke(id, 'test')
      const words = 'The credential identified by credentialID is disabled'
      assertRefusal(await guess(person.pin), 400, 'invalid_request', words)
    })

    const signing: [string, Members, string][] = [
      [
        'signHash without SAD',
        { SAD: undefined },
        'Missing (or invalid type) string parameter SAD',
      ],
      ['a SAD that is no text', { SAD: 5 }, 'Missing (or invalid type) string parameter SAD'],
      [
        'signHash with nothing at all, by what the table of errors names first',
        { SAD: undefined, credentialID: undefined, hash: undefined, signAlgo: undefined },
        'Missing (or invalid type) string parameter SAD',
      ],
      ['an unknown SAD', { SAD: 'x' }, 'Invalid parameter SAD'],
      ['signHash without credentialID', { credentialID: undefined }, CREDENTIAL_TYPE],
      ['signHash with an unknown one', { credentialID: 'x' }, 'Invalid parameter credentialID'],
      ['signHash without hash', { hash: undefined }, HASH_TYPE],
      ['signHash with hashes', { hash: undefined, hashes: text([digest]) }, HASH_TYPE],
      ['an empty hash', { hash: [] }, 'Empty hash array'],
      ['no Base64', { hash: ['?'] }, 'Invalid Base64 hash string parameter'],
      [
        'no signAlgo',
        { signAlgo: undefined },
        'Missing (or invalid type) string parameter signAlgo',
      ],
      ['a bad signAlgo', { signAlgo: '1.2.3' }, 'Invalid parameter signAlgo'],
      ['another key’s signAlgo', { signAlgo: RSA_SHA256 }, 'Invalid parameter signAlgo'],
      ['a bad hashAlgo', { hashAlgo: '1.2.3' }, 'Invalid parameter hashAlgo'],
      [
        'a key OID without hashAlgo',
        { signAlgo: '1.2.840.10045.2.1' },
        'Missing (or invalid type) string parameter hashAlgo',
      ],
      [
        'PSS without parameters',
        { signAlgo: '1.2.840.113549.1.1.10' },
        'Missing (or invalid type) string parameter signAlgoParams',
      ],
      ['a digest of another length', { hash: ['AAAA'] }, 'Invalid digest value length'],
      ['clientData of another type', { clientData: 1 }, 'Invalid parameter clientData'],
    ]
    for (const [title, members, words] of signing) {
      it(title, async () => {
        const { id: credentialID } = byCode
        const SAD = await sad({ credentialID, PIN: undefined })
        const refused = await sign({ credentialID, SAD, ...members })
        assertRefusal(refused, 400, 'invalid_request', words)
        const { status } = await sign({ credentialID, SAD })
        assert.equal(status, 200, 'the refusal cost something')
      })
    }

    it('an expired SAD', async () => {
      const SAD = await sad({ numSignatures: 2 })
      rssp.clock.advance(301)
      assertRefusal(await sign({ SAD }), 400, 'invalid_request', 'SAD expired')
      assertRefusal(await extend({ SAD }), 400, 'invalid_request', 'SAD expired')
    })

    it('an extension by hashes of another algorithm, and without any', async () => {
      const SAD = await sad({ numSignatures: 2 })
      const long = text([digestOf('x', 'sha384')])
      const words = 'Invalid digest value length'
      assertRefusal(await extend({ SAD, hash: long }), 400, 'invalid_request', words)
      assertRefusal(await extend({ SAD, hash: undefined }), 400, 'invalid_request', HASH_TYPE)
      assertRefusal(await extend({ SAD: 'x' }), 400, 'invalid_request', 'Invalid parameter SAD')
    })

    const headers: [string, string][] = [
      ...[
        'credentials/list',
        'credentials/info',
        'credentials/authorize',
        'signatures/signHash',
      ].map((method): [string, string] => [method, MALFORMED]),
      ['auth/revoke', MALFORMED.replace('required', 'REQUIRED')],
      ['credentials/extendTransaction', MALFORMED.replace('required', 'REQUIRED')],
      ['credentials/sendOTP', 'Malformed authroization header.'],
    ]
    for (const [method, words] of headers) {
      it(`${method} without a bearer token`, async () => {
        assertRefusal(await app.call(method, {}), 400, 'invalid_request', words)
        const basic = await app.call(method, {}, undefined, { Authorization: 'Basic eDp5' })
        assertRefusal(basic, 400, 'invalid_request', words)
        const { status, body } = await app.call(method, {}, 'unknown')
        assert.deepEqual([status, body.error], [401, 'invalid_token'])
      })
    }

    it('tokens to be revoked', async () => {
      const revoke = (body: unknown) => app.call('auth/revoke', body, token)
      const type = 'Missing (or invalid type) string parameter token'
      assertRefusal(await revoke({}), 400, 'invalid_request', type)
      assertRefusal(
        await revoke({ token: 'x', token_type_hint: 'SAD' }),
        ...([400, 'invalid_request', 'Invalid string parameter token_type_hint'] as const),
      )
      const words = 'Invalid string parameter token'
      assertRefusal(await revoke({ token: 'x' }), 400, 'invalid_request', words)
    })
  })

  describe('credentials/sendOTP', () => {
    let mailed: Credential
    before(async () => {
      const explicit = { objects: [PIN, EMAIL], expression: 'PIN AND EMAIL' }
      mailed = await rssp.addCredential(user, { explicit, withPin: true })
    })
    const sendOTP = (body: Members) => app.call('credentials/sendOTP', body, token)
    const newestCode = () => {
      const codes = messagesTo(rssp, `${user.username}@example.org`).filter(({ text }) =>
        text.includes('code is'),
      )
      return codeIn(codes.at(-1)?.text ?? '')
    }

    it('brings the code that authorize then takes, once', async () => {
      const { status, body } = await sendOTP({ credentialID: mailed.id })
      assert.deepEqual([status, body], [204, ''])
      const OTP = newestCode()
      assert.equal((await authorize({ credentialID: mailed.id, OTP })).status, 200)
      const again = await authorize({ credentialID: mailed.id, OTP })
      assertRefusal(again, 400, 'invalid_otp', 'The OTP is invalid')
    })

    it('refuses what it cannot send a code for', async () => {
      const words = 'Invalid parameter credentialID'
      assertRefusal(
        await sendOTP({}),
        ...([
          400,
          'invalid_request',
          'Missing (or invalid type) string parameter credentialID',
        ] as const),
      )
      assertRefusal(await sendOTP({ credentialID: 'x' }), 400, 'invalid_request', words)
      assertRefusal(await sendOTP({ credentialID: credential.id }), 400, 'invalid_request', words)
    })

    it('says when codes are locked', async () => {
      const wrong = { credentialID: mailed.id, OTP: '00000000' }
      for (let n = 0; n < 5; n += 1) await authorize(wrong)
      const answer = await sendOTP({ credentialID: mailed.id })
      assertRefusal(answer, 400, 'invalid_request', 'OTP locked')
      rssp.clock.advance(901)
      assert.equal((await sendOTP({ credentialID: mailed.id })).status, 204)
    })
  })

  it('say 501 for methods of other versions', async () => {
    for (const method of [
      ...['credentials/getChallenge', 'credentials/authorizeCheck', 'signatures/signDoc'],
      ...['signatures/signPolling', 'oauth2/pushed_authorize'],
    ]) {
      const { status, body } = await app.call(method, {}, token)
      assert.deepEqual([status, body.error], [501, 'not_implemented'], method)
    }
  })

  it('are one with v2: a SAD of one version signs in the other', async () => {
    const SAD = await sad()
    const { status } = await rssp.call(
      'signatures/signHash',
      { credentialID: credential.id, SAD, hashes: text([digest]), signAlgo: ECDSA_SHA256 },
      token,
    )
    assert.equal(status, 200)
    const newer = await rssp.call(
      'credentials/authorize',
      {
        ...{ credentialID: rsa.id, numSignatures: 1 },
        ...{ hashes: text([digest]), hashAlgorithmOID: SHA256 },
        authData: [{ id: 'PIN', value: user.pin }],
      },
      token,
    )
    const signed = await sign({
      ...{ SAD: newer.body.SAD, credentialID: rsa.id, signAlgo: RSA_SHA256 },
    })
    assert.equal(signed.status, 200)
  })
})
