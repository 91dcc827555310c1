import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../../../src/errors.js'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../../src/keys/algorithms.js'
import type { ResidentKeyCustody } from '../../../src/keys/hsm-resident.js'
import { verifyDigest } from '../../../src/keys/digest-verifier.js'
import type { GeneratedKey } from '../../../src/keys/key-custody.js'
import { Pkcs11Shim } from '../../support/pkcs11-shim.js'
import { newTokenDirectory, openCustody } from '../../support/softhsm.js'

const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 }

describe('The faulty PKCS#11 library of the tests', () => {
  let shim: Pkcs11Shim
  let custody: ResidentKeyCustody
  let key: GeneratedKey
  const digest = randomBytes(32)
  const sign = async () => (await custody.sign(key.keyId, [digest], ECDSA))[0]!

  before(async () => {
    shim = new Pkcs11Shim(newTokenDirectory())
    custody = await openCustody(shim.token, { sessions: 2, reopenDelayMs: 0, signTimeoutMs: 1500 })
    key = await custody.generate('p-256')
  })
  afterEach(() => shim.heal())
  after(async () => {
    await custody.close()
    shim.close()
  })

  it('does nothing of its own, and counts', async () => {
    shim.resetCounts()
    assert.ok(await verifyDigest(key.publicKey, digest, await sign(), ECDSA))
    assert.deepEqual([shim.calls('C_Sign'), shim.struck('C_Sign')], [1, 0])
  })

  it('strikes the calls it was told to, before or after they were made', async () => {
    shim.resetCounts()
    shim.fault('C_Sign', { rv: 'CKR_DEVICE_ERROR', skip: 1, times: 1 })
    await sign()
    await assert.rejects(sign(), HsmOutcomeUnknownError)
    await sign()
    assert.equal(shim.struck('C_Sign'), 1)
  })

  it('holds calls until they are released', async () => {
    shim.fault('C_Sign', { hang: true, times: 1 })
    const late = assert.rejects(sign(), HsmOutcomeUnknownError)
    await shim.untilHanging('C_Sign')
    await late
    assert.equal(shim.hanging('C_Sign'), 1)
    shim.release('C_Sign')
    await sign()
  })

  it('returns signatures that are none', async () => {
    shim.fault('C_Sign', { garble: true, times: 1 })
    assert.ok(!(await verifyDigest(key.publicKey, digest, await sign(), ECDSA)))
  })

  it('crashes processes, and counts on for them', () => {
    for (const [crash, signal] of [
      ['abort', 'SIGABRT'],
      ['segfault', 'SIGSEGV'],
    ] as const) {
      shim.resetCounts()
      shim.fault('C_GetTokenInfo', { crash, times: 1 })
      const load = `
        const { PKCS11 } = require('pkcs11js')
        const library = new PKCS11()
        library.load(${JSON.stringify(shim.token.module)})
        library.C_Initialize()
        library.C_GetSlotList(true).map((slot) => library.C_GetTokenInfo(slot))`
      assert.equal(spawnSync(process.execPath, ['-e', load]).signal, signal)
      assert.equal(shim.struck('C_GetTokenInfo'), 1)
    }
  })

  it('takes the token away and puts it back', async () => {
    shim.removeToken()
    await assert.rejects(sign(), HsmUnavailableError)
    shim.insertToken()
    await sign()
  })

  for (const loss of ['loseSessions', 'logOut', 'finalise'] as const) {
    it(`makes the token forget: ${loss}`, async () => {
      shim.resetCounts()
      shim[loss]()
      await sign()
      assert.equal(shim.calls('C_Login'), 1)
    })
  }

  it('locks the token after wrong PINs', async () => {
    const locking = new Pkcs11Shim(newTokenDirectory())
    locking.limitPinTries(2)
    const wrong = { ...locking.token, pin: '000000' }
    await assert.rejects(openCustody(wrong), /CKR_PIN_INCORRECT/)
    await assert.rejects(openCustody(locking.token), /one more wrong PIN would lock/)
    locking.limitPinTries(0)
    await assert.rejects(openCustody(locking.token), /CKR_PIN_LOCKED/)
    locking.close()
  })
})
