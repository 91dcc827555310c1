import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Credential } from '../../src/credentials/credential.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import {
  assertRefusal,
  ECDSA_SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { newTokenDirectory, openCustody } from '../support/softhsm.js'

describe('Signing while the HSM fails (S6, S71, S91)', () => {
  let shim: Pkcs11Shim
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential

  before(async () => {
    shim = new Pkcs11Shim(newTokenDirectory())
    const options = { sessions: 2, reopenDelayMs: 0, signTimeoutMs: 1500 }
    const custody = await openCustody(shim.token, options)
    rssp = await startRssp({ custody: () => custody })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user, { multisign: 3 })
  })
  afterEach(() => shim.heal())
  after(async () => {
    await rssp.close()
    shim.close()
  })

  const approve = (...digests: Buffer[]) =>
    rssp.credentialToken({ user, client, credential, digests })
  const sign = (token: string, ...digests: Buffer[]) => {
    const hashes = digests.map((digest) => digest.toString('base64'))
    const body = { credentialID: credential.id, hashes, signAlgo: ECDSA_SHA256 }
    return rssp.call('signatures/signHash', body, token)
  }
  const lastEvents = async () =>
    (await rssp.auditEvents())
      .map(({ event }) => event)
      .filter((event) => event.startsWith('signature.'))
      .slice(-2)

  const certainlyNotSigned = [
    ['C_Sign', 'CKR_KEY_FUNCTION_NOT_PERMITTED'],
    ['C_Sign', 'CKR_DATA_LEN_RANGE'],
    ['C_SignInit', 'CKR_FUNCTION_FAILED'],
    ['C_SignInit', 'CKR_OPERATION_ACTIVE'],
    ['C_SignInit', 'CKR_DEVICE_MEMORY'],
  ] as const
  for (const [call, rv] of certainlyNotSigned) {
    it(`gives the digest back when ${call} returns ${rv}: the same approval signs later`, async () => {
      const digest = randomBytes(32)
      const token = await approve(digest)
      shim.fault(call, { rv })
      const { status, body } = await sign(token, digest)
      assert.deepEqual([status, body.error], [503, 'temporarily_unavailable'])
      assert.deepEqual(await lastEvents(), ['signature.requested', 'signature.failed'])
      shim.heal()
      assert.equal((await sign(token, digest)).status, 200)
      assert.deepEqual(await lastEvents(), ['signature.requested', 'signature.created'])
    })
  }

  const unknown = [
    { rv: 'CKR_DEVICE_ERROR' },
    { rv: 'CKR_FUNCTION_FAILED', after: true },
    { rv: 'CKR_DEVICE_REMOVED', after: true },
    { rv: 'CKR_SESSION_CLOSED' },
    { rv: 0x80000001 },
    { hang: true, after: true },
    { garble: true },
  ]
  for (const fault of unknown) {
    it(`counts the digest as used, and asks no second time, after ${JSON.stringify(fault)}`, async () => {
      const digest = randomBytes(32)
      const token = await approve(digest)
      shim.resetCounts()
      shim.fault('C_Sign', fault)
      const { status, body } = await sign(token, digest)
      assert.deepEqual([status, body.error], [500, 'server_error'])
      assert.equal(shim.calls('C_Sign'), 1)
      assert.deepEqual(await lastEvents(), ['signature.requested', 'signature.indeterminate'])
      shim.heal()
      assertRefusal(await sign(token, digest), 400, 'invalid_request', 'Invalid parameter SAD')
      assert.equal(shim.calls('C_Sign'), 1)
    })
  }

  it('counts a whole call as used when its second digest failed', async () => {
    const digests = [randomBytes(32), randomBytes(32), randomBytes(32)]
    const token = await approve(...digests)
    shim.fault('C_Sign', { rv: 'CKR_FUNCTION_FAILED', skip: 1, times: 1 })
    assert.equal((await sign(token, ...digests)).status, 500)
    shim.heal()
    for (const digest of digests) assert.equal((await sign(token, digest)).status, 400)
  })

  for (const loss of ['loseSessions', 'logOut', 'finalise'] as const) {
    it(`is not noticed by anybody when all that happened was ${loss}`, async () => {
      const digest = randomBytes(32)
      const token = await approve(digest)
      shim[loss]()
      assert.equal((await sign(token, digest)).status, 200)
    })
  }

  it('is told by readiness while the token is out, and goes on when it is back', async () => {
    const digest = randomBytes(32)
    const token = await approve(digest)
    const ready = async () => (await fetch(`${rssp.baseUrl}/health/ready`)).status
    assert.equal(await ready(), 200)
    shim.removeToken()
    assert.equal((await sign(token, digest)).status, 503)
    assert.equal(await ready(), 503)
    shim.insertToken()
    assert.equal(await ready(), 200)
    assert.equal((await sign(token, digest)).status, 200)
  })
})
