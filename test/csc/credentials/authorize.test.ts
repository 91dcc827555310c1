import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AUTH_OBJECTS } from '../../../src/credentials/auth-object.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { totpCode } from '../../../src/identity/totp.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  SHA256,
  SHA384,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

const { PIN, OTP, EMAIL } = AUTH_OBJECTS
const PIN_AND_OTP = { objects: [PIN, OTP], expression: 'PIN AND OTP' }

describe('Explicit credentials', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let token: string
  let credential: Credential
  const digest = digestOf('document')
  const other = digestOf('other')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user, { explicit: PIN_AND_OTP, withPin: true })
    token = await rssp.serviceToken(user, client)
  })
  after(() => rssp.close())
  beforeEach(() => {
    // A one-time code works once; time moves on between tests.
    rssp.clock.advance(30)
  })

  const code = () => totpCode(user.totpSecret, rssp.clock.now())
  const authData = () => [
    { id: 'PIN', value: user.pin },
    { id: 'OTP', value: code() },
  ]
  const authorize = (more: Record<string, unknown> = {}, bearer = token): Promise<Answer> =>
    rssp.call(
      'credentials/authorize',
      {
        credentialID: credential.id,
        numSignatures: 1,
        hashes: [digest.toString('base64')],
        hashAlgorithmOID: SHA256,
        authData: authData(),
        ...more,
      },
      bearer,
    )
  const newSad = async (more: Record<string, unknown> = {}): Promise<string> => {
    const { status, body } = await authorize(more)
    assert.equal(status, 200, JSON.stringify(body))
    return body.SAD
  }
  const sign = (SAD: string, digests = [digest], bearer = token): Promise<Answer> =>
    rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        SAD,
        hashes: digests.map((each) => each.toString('base64')),
        signAlgo: ECDSA_SHA256,
      },
      bearer,
    )
  const extend = (SAD: string, digests: Buffer[], more = {}, bearer = token): Promise<Answer> =>
    rssp.call(
      'credentials/extendTransaction',
      {
        credentialID: credential.id,
        SAD,
        hashes: digests.map((each) => each.toString('base64')),
        hashAlgorithmOID: SHA256,
        ...more,
      },
      bearer,
    )

  describe('credentials/authorize', () => {
    it('gives a SAD for the right factors; it signs the hashes it was given for, once', async () => {
      const { status, body } = await authorize()
      assert.equal(status, 200, JSON.stringify(body))
      assert.deepEqual(Object.keys(body).sort(), ['SAD', 'expiresIn'])
      assert.equal(body.expiresIn, 300)
      assert.equal((await sign(body.SAD)).status, 200)
      assertRefusal(await sign(body.SAD), 400, 'invalid_request', 'Invalid parameter SAD')
    })

    it('records who agreed with which factors to which digests (S79)', async () => {
      await newSad()
      const granted = (await rssp.auditEvents()).findLast(
        ({ event }) => event === 'authorisation.granted',
      )
      assert.deepEqual(granted?.detail['factors'], ['pin', 'totp'])
      assert.deepEqual(granted?.detail['digests'], [digest.toString('base64')])
    })

    it('tells in credentials/info which objects to answer, and not how they are checked', async () => {
      const { body } = await rssp.call(
        'credentials/info',
        { credentialID: credential.id, authInfo: true },
        token,
      )
      assert.deepEqual(body.auth, {
        mode: 'explicit',
        expression: 'PIN AND OTP',
        objects: [
          { type: 'Password', id: 'PIN', format: 'N', label: 'Signing PIN' },
          {
            ...{ type: 'Password', id: 'OTP', format: 'N' },
            ...{ label: 'Code from your authenticator', generator: 'totp' },
          },
        ],
      })
    })

    const wrong: [string, () => unknown][] = [
      ['no answers', () => undefined],
      ['no answer at all', () => []],
      ['the PIN alone', () => [{ id: 'PIN', value: user.pin }]],
      ['the code alone', () => [{ id: 'OTP', value: code() }]],
      [
        'a wrong PIN',
        () => [
          { id: 'PIN', value: '000000' },
          { id: 'OTP', value: code() },
        ],
      ],
      [
        'a wrong code',
        () => [
          { id: 'PIN', value: user.pin },
          { id: 'OTP', value: '000000' },
        ],
      ],
      [
        'PIN and code swapped',
        () => [
          { id: 'PIN', value: code() },
          { id: 'OTP', value: user.pin },
        ],
      ],
      ['an unknown object', () => [...authData(), { id: 'FACE', value: '1' }]],
      ['an object twice', () => [...authData(), { id: 'PIN', value: user.pin }]],
      ['an answer without value', () => [{ id: 'PIN' }, { id: 'OTP', value: code() }]],
      [
        'letters where digits belong',
        () => [
          { id: 'PIN', value: 'abcdef' },
          { id: 'OTP', value: code() },
        ],
      ],
      [
        'an empty value',
        () => [
          { id: 'PIN', value: '' },
          { id: 'OTP', value: code() },
        ],
      ],
    ]
    for (const [title, answers] of wrong) {
      it(`refuses ${title}, without saying what was wrong`, async () => {
        assertRefusal(
          await authorize({ authData: answers() }),
          400,
          'invalid_authentication_data',
          'The authentication data is invalid',
        )
        assert.equal((await authorize()).status, 200, 'the right factors no longer work')
      })
    }

    it('takes a one-time code once, also in parallel (S21)', async () => {
      const data = authData()
      const answers = await Promise.all([1, 2, 3, 4].map(() => authorize({ authData: data })))
      assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    })

    it('evaluates at most five wrong guesses in parallel, then says locked until time passes (S20)', async () => {
      const person = await rssp.addUser()
      const locked = await rssp.addCredential(person, {
        explicit: { objects: [PIN], expression: null },
        withPin: true,
      })
      const bearer = await rssp.serviceToken(person, client)
      const guess = (value: string) =>
        authorize({ credentialID: locked.id, authData: [{ id: 'PIN', value }] }, bearer)
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, n) => guess(`${100000 + n}`)),
      )
      const evaluated = answers.filter(({ body }) => body.error === 'invalid_authentication_data')
      assert.ok(evaluated.length <= 5, `${evaluated.length} guesses were evaluated`)
      assertRefusal(await guess(person.pin), 400, 'invalid_request', 'Credential locked')
      rssp.clock.advance(901)
      assert.equal((await guess(person.pin)).status, 200)
    })

    const refusals: [string, Record<string, unknown>, string][] = [
      [
        'no credentialID',
        { credentialID: undefined },
        'Missing (or invalid type) string parameter credentialID',
      ],
      ['an unknown credentialID', { credentialID: 'x' }, 'Invalid parameter credentialID'],
      [
        'no numSignatures',
        { numSignatures: undefined },
        'Missing (or invalid type) integer parameter numSignatures',
      ],
      [
        'numSignatures as text',
        { numSignatures: '1' },
        'Missing (or invalid type) integer parameter numSignatures',
      ],
      [
        'numSignatures 1.5',
        { numSignatures: 1.5 },
        'Missing (or invalid type) integer parameter numSignatures',
      ],
      ['numSignatures 0', { numSignatures: 0 }, 'Invalid value for parameter numSignatures'],
      ['numSignatures -1', { numSignatures: -1 }, 'Invalid value for parameter numSignatures'],
      ['numSignatures above multisign', { numSignatures: 11 }, 'Numbers of signatures is too high'],
      [
        'no hashes at SCAL 2',
        { hashes: undefined },
        'Missing (or invalid type) array parameter hashes',
      ],
      [
        'null hashes at SCAL 2',
        { hashes: null },
        'Missing (or invalid type) array parameter hashes',
      ],
      [
        'empty hashes at SCAL 2',
        { hashes: [] },
        'Missing (or invalid type) array parameter hashes',
      ],
      ['hashes as text', { hashes: 'x' }, 'Missing (or invalid type) array parameter hashes'],
      ['a hash that is not Base64', { hashes: ['!'] }, 'Invalid Base64 hash string parameter'],
      ['a digest of the wrong length', { hashes: ['AAAA'] }, 'Invalid digest value length'],
      [
        'hashes without their algorithm',
        { hashAlgorithmOID: undefined },
        'Missing (or invalid type) string parameter hashAlgorithmOID',
      ],
      [
        'an unknown hash algorithm',
        { hashAlgorithmOID: '1.2.3' },
        'Invalid parameter hashAlgorithmOID',
      ],
      [
        'authData that is no array',
        { authData: { id: 'PIN' } },
        'Missing (or invalid type) array parameter authData',
      ],
      [
        'a description of 501 characters',
        { description: 'x'.repeat(501) },
        'Invalid parameter description',
      ],
      ['clientData that is no string', { clientData: 1 }, 'Invalid parameter clientData'],
    ]
    for (const [title, more, words] of refusals) {
      it(`refuses ${title}, and takes no guess for it`, async () => {
        const error = 'invalid_request'
        assertRefusal(await authorize(more), 400, error, words)
      })
    }

    it('refuses another person’s credential like an unknown one (S66)', async () => {
      const stranger = await rssp.serviceToken(await rssp.addUser(), client)
      assertRefusal(
        await authorize({}, stranger),
        400,
        'invalid_request',
        'Invalid parameter credentialID',
      )
    })

    it('refuses a credential that is approved on our pages', async () => {
      const { id } = await rssp.addCredential(user)
      const { status, body } = await authorize({ credentialID: id })
      assert.deepEqual([status, body.error], [400, 'unauthorized_client'])
    })

    it('refuses a revoked credential', async () => {
      const gone = await rssp.addCredential(user, { explicit: PIN_AND_OTP, withPin: true })
      await rssp.services.credentials.revoke(gone.id, 'test')
      assertRefusal(
        await authorize({ credentialID: gone.id }),
        400,
        'invalid_request',
        'The credential identified by credentialID is disabled',
      )
    })

    it('cannot be reached through the redirect flow: an explicit credential is refused there', async () => {
      const { status, body } = await authorize({}, 'x'.repeat(43))
      assert.deepEqual([status, body.error], [401, 'invalid_token'])
    })
  })

  describe('the SAD', () => {
    it('is bound to application and person (S4)', async () => {
      const SAD = await newSad()
      const strangers = [
        await rssp.serviceToken(user, await rssp.addClient()),
        await rssp.serviceToken(await rssp.addUser(), client),
      ]
      for (const bearer of strangers) {
        const { status, body } = await sign(SAD, [digest], bearer)
        assert.equal(status, 400)
        assert.match(body.error_description, /^Invalid parameter (SAD|credentialID)$/)
      }
      assert.equal((await sign(SAD)).status, 200)
    })

    it('is of no use beside the credential token of another approval (S4)', async () => {
      const SAD = await newSad()
      const redirecting = await rssp.addCredential(user)
      const bearer = await rssp.credentialToken({
        ...{ user, client, credential: redirecting, digests: [digest] },
      })
      const answer = await sign(SAD, [digest], bearer)
      assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter SAD')
      assert.equal((await sign(SAD)).status, 200)
    })

    it('signs no other hash, and is not used up by the attempt (S1)', async () => {
      const SAD = await newSad()
      assertRefusal(
        await sign(SAD, [other]),
        400,
        'invalid_request',
        'Hash is not authorized by the SAD.',
      )
      assert.equal((await sign(SAD)).status, 200)
    })

    it('expires (S7)', async () => {
      const SAD = await newSad()
      rssp.clock.advance(301)
      assertRefusal(await sign(SAD), 400, 'invalid_request', 'SAD expired')
    })

    it('is good for one call even when hashes are left', async () => {
      const hashes = [digest, other].map((each) => each.toString('base64'))
      const SAD = await newSad({ numSignatures: 2, hashes })
      assert.equal((await sign(SAD, [digest])).status, 200)
      assertRefusal(await sign(SAD, [other]), 400, 'invalid_request', 'Invalid parameter SAD')
    })

    it('releases one set of signatures to 50 parallel calls (S6)', async () => {
      const SAD = await newSad()
      const answers = await Promise.all(Array.from({ length: 50 }, () => sign(SAD)))
      assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    })

    it('is stored only as a hash (S11)', async () => {
      const SAD = await newSad()
      const rows = await rssp.services.database.read.sad.findMany()
      assert.ok(rows.length > 0)
      assert.ok(!JSON.stringify(rows).includes(SAD))
    })
  })

  describe('credentials/extendTransaction (S9)', () => {
    const twoSignatures = () => newSad({ numSignatures: 2 })

    it('lets a second hash follow the first signature (several signatures in one PDF)', async () => {
      const first = await twoSignatures()
      assert.equal((await sign(first)).status, 200)
      const { status, body } = await extend(first, [other])
      assert.equal(status, 200, JSON.stringify(body))
      assert.notEqual(body.SAD, first)
      assert.equal((await sign(body.SAD, [other])).status, 200)
      assertRefusal(
        await extend(body.SAD, [digest]),
        400,
        'invalid_request',
        'Invalid parameter SAD',
      )
    })

    it('kills the old SAD', async () => {
      const first = await twoSignatures()
      const { body } = await extend(first, [other])
      assertRefusal(await sign(first), 400, 'invalid_request', 'Invalid parameter SAD')
      assertRefusal(await extend(first, [other]), 400, 'invalid_request', 'Invalid parameter SAD')
      assert.equal((await sign(body.SAD, [other])).status, 200)
    })

    it('keeps the number of signatures: never more than was agreed to', async () => {
      const first = await twoSignatures()
      assertRefusal(
        await extend(first, [digest, other, digestOf('third')]),
        400,
        'invalid_request',
        'Numbers of signatures is too high',
      )
    })

    it('lets one of 20 parallel extensions win, and signs at most twice in all', async () => {
      const first = await twoSignatures()
      const [extensions, signatures] = await Promise.all([
        Promise.all(Array.from({ length: 20 }, () => extend(first, [other]))),
        Promise.all(Array.from({ length: 20 }, () => sign(first))),
      ])
      const extended = extensions.filter(({ status }) => status === 200)
      assert.ok(extended.length <= 1)
      let made = signatures.filter(({ status }) => status === 200).length
      for (const { body } of extended) if ((await sign(body.SAD, [other])).status === 200) made += 1
      assert.ok(made <= 2, `${made} signatures were made`)
    })

    it('refuses an expired SAD', async () => {
      const first = await twoSignatures()
      rssp.clock.advance(301)
      assertRefusal(await extend(first, [other]), 400, 'invalid_request', 'SAD expired')
    })

    it('demands hashes at SCAL 2 (S10)', async () => {
      const first = await twoSignatures()
      assertRefusal(
        await extend(first, []),
        400,
        'invalid_request',
        'Missing (or invalid type) array parameter hashes',
      )
    })

    it('refuses another hash algorithm', async () => {
      const first = await twoSignatures()
      assertRefusal(
        await extend(first, [digestOf('x', 'sha384')], { hashAlgorithmOID: SHA384 }),
        400,
        'invalid_request',
        'Invalid parameter hashAlgorithmOID',
      )
    })

    it('refuses a digest of another length than the hash algorithm has', async () => {
      const answer = await extend(await twoSignatures(), [other.subarray(1)])
      assertRefusal(answer, 400, 'invalid_request', 'Invalid digest value length')
    })

    it('refuses an unknown SAD, a stranger’s, and one of another credential', async () => {
      const first = await twoSignatures()
      const stranger = await rssp.serviceToken(user, await rssp.addClient())
      const another = await rssp.addCredential(user, { explicit: PIN_AND_OTP, withPin: true })
      const words = 'Invalid parameter SAD'
      assertRefusal(await extend('nonsense', [other]), 400, 'invalid_request', words)
      assertRefusal(await extend(first, [other], {}, stranger), 400, 'invalid_request', words)
      assertRefusal(
        await extend(first, [other], { credentialID: another.id }),
        400,
        'invalid_request',
        'Invalid parameter credentialID',
      )
    })

    it('does not extend what was approved on our pages', async () => {
      const redirected = await rssp.addCredential(user, { multisign: 2 })
      const approved = await rssp.credentialToken({
        ...{ user, client, credential: redirected, digests: [digest], numSignatures: 2 },
      })
      assertRefusal(
        await extend(approved, [other], { credentialID: redirected.id }),
        400,
        'invalid_request',
        'Invalid parameter SAD',
      )
    })
  })
})

describe('Codes sent by e-mail', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let token: string
  let credential: Credential
  const digest = digestOf('document')

  before(async () => {
    rssp = await startRssp({ outbox: true })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user, {
      explicit: { objects: [PIN, EMAIL], expression: 'PIN AND EMAIL' },
      withPin: true,
    })
    token = await rssp.serviceToken(user, client)
  })
  after(() => rssp.close())
  beforeEach(() => {
    rssp.clock.advance(31)
  })

  const challenge = (more = {}, bearer = token) =>
    rssp.call(
      'credentials/getChallenge',
      { credentialID: credential.id, authObjectID: 'EMAIL', ...more },
      bearer,
    )
  const authorize = (value: string, bearer = token) =>
    rssp.call(
      'credentials/authorize',
      {
        credentialID: credential.id,
        numSignatures: 1,
        hashes: [digest.toString('base64')],
        hashAlgorithmOID: SHA256,
        authData: [
          { id: 'PIN', value: user.pin },
          { id: 'EMAIL', value },
        ],
      },
      bearer,
    )
  const mails = () => {
    const folder = join(rssp.folder, 'outbox')
    return readdirSync(folder)
      .sort()
      .map(
        (name) =>
          JSON.parse(readFileSync(join(folder, name), 'utf8')) as { to: string; text: string },
      )
  }
  const lastCode = () => /code is (\d{8})/.exec(mails().at(-1)?.text ?? '')?.[1] ?? ''

  it('reach the person with 204, and open the credential once', async () => {
    const { status, body } = await challenge()
    assert.deepEqual([status, body], [204, ''])
    assert.equal(mails().at(-1)?.to, `${user.username}@example.org`)
    const code = lastCode()
    assert.equal((await authorize(code)).status, 200)
    assert.equal((await authorize(code)).body.error, 'invalid_authentication_data')
  })

  it('are refused when wrong, late, superseded or obtained through another application (S22, S23)', async () => {
    await challenge()
    const first = lastCode()
    assert.equal((await authorize('00000000')).status, 400)
    rssp.clock.advance(31)
    await challenge()
    assert.equal((await authorize(first)).status, 400)
    const stranger = await rssp.serviceToken(user, await rssp.addClient())
    assert.equal((await authorize(lastCode(), stranger)).status, 400)
    rssp.clock.advance(301)
    assert.equal((await authorize(lastCode())).status, 400)
  })

  it('are not sent again within half a minute', async () => {
    await challenge()
    const { status, body } = await challenge()
    assert.equal(status, 400)
    assert.match(
      body.error_description,
      /^A code was sent a moment ago; try again in (30|29) seconds$/,
    )
  })

  it('are kept only hashed (S23)', async () => {
    await challenge()
    const rows = await rssp.services.database.read.sentCode.findMany()
    assert.ok(!JSON.stringify(rows).includes(lastCode()))
  })

  const refusals: [string, Record<string, unknown>, string][] = [
    ['no credentialID', { credentialID: undefined }, 'Invalid parameter credentialID'],
    ['an unknown credentialID', { credentialID: 'x' }, 'Invalid parameter credentialID'],
    ['no authObjectID', { authObjectID: undefined }, 'Invalid parameter authObjectID'],
    ['an unknown object', { authObjectID: 'SMS' }, 'Invalid parameter authObjectID'],
    ['an object without a challenge', { authObjectID: 'PIN' }, 'Invalid parameter authObjectID'],
  ]
  for (const [title, more, words] of refusals) {
    it(`are not sent for ${title}`, async () => {
      assertRefusal(await challenge(more), 400, 'invalid_request', words)
    })
  }
})
