import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../../src/errors.js'
import type { KeyCustody } from '../../src/keys/key-custody.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'

type Sign = KeyCustody['sign']

/** The real token, whose answers can be spoilt on the way. */
class SpoilableCustody implements KeyCustody {
  readonly #real: KeyCustody
  sign: Sign
  constructor(real: KeyCustody) {
    this.#real = real
    this.sign = this.signTruly
  }
  readonly signTruly: Sign = (...call) => this.#real.sign(...call)
  generate: KeyCustody['generate'] = (...request) => this.#real.generate(...request)
  publicKey: KeyCustody['publicKey'] = (keyId) => this.#real.publicKey(keyId)
  destroy: KeyCustody['destroy'] = (keyId) => this.#real.destroy(keyId)
  ready: KeyCustody['ready'] = () => this.#real.ready()
  close: KeyCustody['close'] = () => Promise.resolve()
}

describe('A token that misbehaves (S3)', () => {
  let rssp: Rssp
  let custody: SpoilableCustody
  let user: TestUser
  let client: TestClient
  let credential: Credential
  const digest = digestOf('document')

  before(async () => {
    rssp = await startRssp({ custody: (real) => (custody = new SpoilableCustody(real)) })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())
  afterEach(() => {
    custody.sign = custody.signTruly
  })

  const approve = () => rssp.credentialToken({ user, client, credential, digests: [digest] })
  const sign = (token: string): Promise<Answer> =>
    rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: [digest.toString('base64')],
        signAlgo: ECDSA_SHA256,
      },
      token,
    )
  const lastEvents = async (count: number) =>
    (await rssp.auditEvents()).slice(-count).map(({ event }) => event)

  async function assertWithheld(token: string): Promise<void> {
    const answer = await sign(token)
    assert.deepEqual([answer.status, answer.body.error], [500, 'server_error'])
    assert.equal(answer.body.signatures, undefined)
    assert.deepEqual(await lastEvents(2), ['signature.requested', 'signature.indeterminate'])
    custody.sign = custody.signTruly
    assertRefusal(await sign(token), 400, 'invalid_request', 'Invalid parameter SAD')
  }

  const spoilt: [string, (signature: Buffer) => Buffer][] = [
    [
      'with one bit flipped',
      (signature) =>
        Buffer.concat([signature.subarray(0, -1), Buffer.from([(signature.at(-1) ?? 0) ^ 1])]),
    ],
    ['that is empty', () => Buffer.alloc(0)],
    ['that is cut short', (signature) => signature.subarray(0, 20)],
    ['that is not DER', () => Buffer.from('nonsense')],
  ]
  for (const [title, spoil] of spoilt) {
    it(`has a signature ${title} withheld, alarmed about and counted as used`, async () => {
      const token = await approve()
      custody.sign = async (...call) => (await custody.signTruly(...call)).map(spoil)
      await assertWithheld(token)
    })
  }

  it('has a signature by another key withheld', async () => {
    const other = await rssp.addCredential(user)
    const token = await approve()
    custody.sign = (_keyId, ...rest) => custody.signTruly(other.keyId, ...rest)
    await assertWithheld(token)
  })

  it('has a signature over other bytes withheld', async () => {
    const token = await approve()
    custody.sign = (keyId, _digests, algorithm) =>
      custody.signTruly(keyId, [digestOf('other')], algorithm)
    await assertWithheld(token)
  })

  it('has a missing signature withheld', async () => {
    const token = await approve()
    custody.sign = () => Promise.resolve([])
    await assertWithheld(token)
  })

  it('that was certainly not asked costs the client nothing', async () => {
    const token = await approve()
    custody.sign = () => Promise.reject(new HsmUnavailableError('no session'))
    const answer = await sign(token)
    assert.deepEqual([answer.status, answer.body.error], [503, 'temporarily_unavailable'])
    assert.equal(answer.headers.get('retry-after'), '1')
    assert.deepEqual(await lastEvents(2), ['signature.requested', 'signature.failed'])
    custody.sign = custody.signTruly
    assert.equal((await sign(token)).status, 200)
  })

  it('whose outcome is unknown counts as having signed (S6)', async () => {
    const token = await approve()
    custody.sign = () => Promise.reject(new HsmOutcomeUnknownError('timeout'))
    await assertWithheld(token)
  })

  it('shows none of its own words to clients (S67)', async () => {
    const token = await approve()
    custody.sign = () => Promise.reject(new Error('CKR_DEVICE_ERROR:48 at /usr/lib/secret.so'))
    const { body } = await sign(token)
    assert.doesNotMatch(JSON.stringify(body), /CKR|usr|48/)
  })

  it('that answers after the token expired has its signature withheld (S7)', async () => {
    const token = await approve()
    custody.sign = async (...call) => {
      const signatures = await custody.signTruly(...call)
      rssp.clock.advance(400)
      return signatures
    }
    const { status } = await sign(token)
    assert.equal(status, 500)
    assert.deepEqual(await lastEvents(2), ['signature.requested', 'signature.indeterminate'])
  })

  const ended: [string, () => Promise<unknown>][] = [
    ['the credential is revoked', () => rssp.services.credentials.revoke(credential.id, 'test')],
    ['the person is disabled', () => rssp.services.users.disable(user.id, rssp.clock.now())],
    [
      'the application is disabled',
      () => rssp.services.clients.disable(client.client_id, rssp.clock.now()),
    ],
  ]
  for (const [title, end] of ended) {
    it(`has its signature withheld when ${title} while it signs`, async () => {
      user = await rssp.addUser()
      client = await rssp.addClient()
      credential = await rssp.addCredential(user)
      const token = await approve()
      custody.sign = async (...call) => {
        const signatures = await custody.signTruly(...call)
        await end()
        return signatures
      }
      const { status, body } = await sign(token)
      assert.deepEqual([status, body.error], [500, 'server_error'])
      user = await rssp.addUser()
      client = await rssp.addClient()
      credential = await rssp.addCredential(user)
    })
  }
})
