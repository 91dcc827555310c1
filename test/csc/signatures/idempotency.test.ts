import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../../src/credentials/auth-object.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../../../src/errors.js'
import type { KeyCustody } from '../../../src/keys/key-custody.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

describe('Idempotency-Key on signHash (S69)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let fail: Error | null = null
  const digest = digestOf('document')
  const other = digestOf('other')

  before(async () => {
    rssp = await startRssp({ custody: failing })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())
  afterEach(() => {
    fail = null
  })

  /** Signs, then fails as told, as when the answer of the token is lost. */
  function failing(real: KeyCustody): KeyCustody {
    return new Proxy(real, {
      get(target, name: keyof KeyCustody) {
        if (name !== 'sign') return target[name]?.bind(target)
        return (...call: Parameters<KeyCustody['sign']>) =>
          fail ? Promise.reject(fail) : target.sign(...call)
      },
    })
  }

  const approve = (digests: Buffer[]) => rssp.credentialToken({ user, client, credential, digests })
  const sign = (token: string, key: string, digests = [digest], more = {}): Promise<Answer> =>
    rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: digests.map((each) => each.toString('base64')),
        signAlgo: ECDSA_SHA256,
        ...more,
      },
      token,
      { 'Idempotency-Key': key },
    )
  const created = async () =>
    (await rssp.auditEvents()).filter(({ event }) => event === 'signature.created').length

  it('returns the same signatures to the same request, signing once', async () => {
    const token = await approve([digest, other])
    const before = await created()
    const first = await sign(token, 'a', [other, digest])
    const again = await sign(token, 'a', [other, digest])
    assert.deepEqual([first.status, again.status], [200, 200])
    assert.deepEqual(first.body, again.body)
    assert.equal(await created(), before + 1)
  })

  it('returns them to every one of 30 parallel requests that gets an answer, and signs once', async () => {
    const token = await approve([digest])
    const answers = await Promise.all(Array.from({ length: 30 }, () => sign(token, 'b')))
    const good = answers.filter(({ status }) => status === 200)
    assert.ok(good.length >= 1)
    assert.equal(new Set(good.map(({ body }) => body.signatures[0])).size, 1)
    assert.ok(answers.every(({ status }) => status === 200 || status === 503 || status === 400))
    assert.equal((await sign(token, 'b')).body.signatures[0], good[0]?.body.signatures[0])
  })

  it('refuses the key for another request, which then costs nothing', async () => {
    const token = await approve([digest, other])
    assert.equal((await sign(token, 'c', [digest])).status, 200)
    const words = 'Idempotency-Key was used for another request'
    assertRefusal(await sign(token, 'c', [other]), 400, 'invalid_request', words)
    assert.equal((await sign(token, 'd', [other])).status, 200)
  })

  it('belongs to application and person: others may use the same key', async () => {
    const token = await approve([digest])
    assert.equal((await sign(token, 'shared')).status, 200)
    const stranger = await rssp.addUser()
    const theirs = await rssp.addCredential(stranger)
    const foreign = await rssp.credentialToken({
      ...{ user: stranger, client, credential: theirs, digests: [digest] },
    })
    const answer = await sign(foreign, 'shared', [digest], { credentialID: theirs.id })
    assert.equal(answer.status, 200)
  })

  it('does not outlive the token: an expired one gets nothing', async () => {
    const token = await approve([digest])
    assert.equal((await sign(token, 'e')).status, 200)
    rssp.clock.advance(301)
    assert.equal((await sign(token, 'e')).status, 401)
  })

  it('is free again when nothing was signed', async () => {
    const token = await approve([digest])
    fail = new HsmUnavailableError('no session')
    assert.equal((await sign(token, 'f')).status, 503)
    fail = null
    assert.equal((await sign(token, 'f')).status, 200)
  })

  it('keeps an unknown outcome unknown', async () => {
    const token = await approve([digest])
    fail = new HsmOutcomeUnknownError('timeout')
    assert.equal((await sign(token, 'g')).status, 500)
    fail = null
    assert.equal((await sign(token, 'g')).status, 500)
    assertRefusal(await sign(token, 'h'), 400, 'invalid_request', 'Invalid parameter SAD')
  })

  it('works for a SAD of credentials/authorize, which is used up all the same', async () => {
    const explicit = await rssp.addCredential(user, {
      explicit: { objects: [AUTH_OBJECTS.PIN], expression: null },
      withPin: true,
    })
    const service = await rssp.serviceToken(user, client)
    const { body } = await rssp.call(
      'credentials/authorize',
      {
        credentialID: explicit.id,
        numSignatures: 1,
        hashes: [digest.toString('base64')],
        hashAlgorithmOID: SHA256,
        authData: [{ id: 'PIN', value: user.pin }],
      },
      service,
    )
    const more = { SAD: body.SAD, credentialID: explicit.id }
    const [first, again] = [
      await sign(service, 'i', [digest], more),
      await sign(service, 'i', [digest], more),
    ]
    assert.equal(first.status, 200)
    assert.deepEqual(first.body, again.body)
    assert.equal((await sign(service, 'j', [digest], more)).status, 400)
  })

  it('refuses keys that are too long or not plain text', async () => {
    const token = await approve([digest])
    for (const key of ['x'.repeat(256), 'with space']) {
      assertRefusal(await sign(token, key), 400, 'invalid_request', 'Invalid Idempotency-Key')
    }
    assert.equal((await sign(token, 'ok')).status, 200)
  })
})
