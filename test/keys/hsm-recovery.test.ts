import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { HsmUnavailableError } from '../../src/errors.js'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../src/keys/algorithms.js'
import { verifyDigest } from '../../src/keys/digest-verifier.js'
import type { ResidentKeyCustody } from '../../src/keys/hsm-resident.js'
import type { GeneratedKey } from '../../src/keys/key-custody.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import { isPinRefused } from '../../src/keys/pkcs11/ckr.js'
import { HsmKeys } from '../../src/keys/hsm-keys.js'
import { newTokenDirectory, openCustody, type TestToken } from '../support/softhsm.js'

const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 }

describe('A token that went away', () => {
  let shim: Pkcs11Shim
  let custody: ResidentKeyCustody
  let key: GeneratedKey
  const alarms: string[] = []
  const digest = randomBytes(32)

  before(async () => {
    shim = new Pkcs11Shim(newTokenDirectory())
    custody = await open()
    key = await custody.generate('p-256')
  })
  afterEach(() => {
    shim.heal()
    alarms.length = 0
  })
  after(async () => {
    await custody.close()
    shim.close()
  })

  const open = (reopenDelayMs = 0) =>
    openCustody(shim.token, {
      ...{ sessions: 8, reopenDelayMs },
      alarm: (message) => alarms.push(message),
    })
  const openKeys = ({ module, tokenLabel, pin }: TestToken) =>
    HsmKeys.open({ module, tokenLabel, pin })
  const signMany = async (count: number) => {
    const calls = Array.from({ length: count }, () => custody.sign(key.keyId, [digest], ECDSA))
    const results = await Promise.allSettled(calls)
    return results.filter(({ status }) => status === 'fulfilled').length
  }

  it('is used again as soon as it is back (S91)', async () => {
    shim.removeToken()
    assert.equal(await signMany(20), 0)
    assert.equal(await custody.ready(), false)
    shim.insertToken()
    assert.equal(await signMany(20), 20)
    assert.equal(await custody.ready(), true)
  })

  it('is found again by initialising the library, where nothing else helps (S91)', async () => {
    shim.removeToken()
    assert.equal(await signMany(1), 0)
    shim.insertToken({ seen: 'after C_Initialize' })
    shim.resetCounts()
    let rounds = 0
    while ((await signMany(1)) === 0) assert.ok((rounds += 1) < 10, 'it is never found')
    assert.deepEqual([shim.calls('C_Finalize'), shim.calls('C_Initialize')], [1, 1])
  })

  it('costs one login, however many sessions and callers there are (S93)', async () => {
    for (const lose of [() => shim.loseSessions(), () => shim.logOut(), () => shim.finalise()]) {
      assert.equal(await signMany(20), 20)
      shim.resetCounts()
      lose()
      assert.equal(await signMany(40), 40)
      assert.equal(shim.calls('C_Login'), 1)
    }
  })

  it('takes a PIN that was changed meanwhile once, and never again (S93)', async () => {
    shim.limitPinTries(2)
    shim.loseSessions()
    shim.fault('C_Login', { rv: 'CKR_PIN_INCORRECT' })
    shim.resetCounts()
    assert.equal(await signMany(40), 0)
    for (let round = 0; round < 10; round += 1) assert.equal(await signMany(4), 0)
    assert.equal(await custody.ready(), false)
    assert.equal(shim.calls('C_Login'), 1)
    assert.deepEqual(alarms, ['The token refused the PIN'])
    shim.heal()
    assert.equal(await signMany(1), 0, 'an operator has to look at it first')
    await custody.close()
    custody = await open()
    assert.equal(await signMany(1), 1)
  })

  it('takes one for wrong, too, that it refuses in words of its own but counts (S93)', async () => {
    await custody.close()
    const wrong = { ...shim.token, pin: '999999' }
    for (const rv of [0x80000123, 'CKR_FUNCTION_FAILED', 'CKR_GENERAL_ERROR']) {
      // The right one, so that the token counts from the start.
      await (await open()).close()
      shim.fault('C_Login', { rv, after: true })
      shim.resetCounts()
      await assert.rejects(openKeys(wrong), (error) => isPinRefused(error))
      assert.equal(shim.calls('C_Login'), 1)
      shim.heal()
    }
    custody = await open()
    assert.equal(await signMany(1), 1)
  })

  it('does not take a PIN for wrong because it could not be tried (S93)', async () => {
    shim.loseSessions()
    shim.fault('C_Login', { rv: 0x80000123, times: 1 })
    assert.equal(await signMany(1), 0)
    assert.equal(await signMany(1), 1)
    assert.deepEqual(alarms, [])
  })

  it('is not asked at all when one more wrong PIN would lock it (S93)', async () => {
    shim.limitPinTries(1)
    shim.loseSessions()
    shim.resetCounts()
    assert.equal(await signMany(20), 0)
    assert.equal(await custody.ready(), false)
    assert.deepEqual([shim.calls('C_Login'), alarms], [0, ['The token would lock']])
    await custody.close()
    await assert.rejects(open(), /one more wrong PIN would lock the token, so ours is not tried/)
    assert.equal(shim.calls('C_Login'), 0)
    shim.heal()
    custody = await open()
    assert.equal(await signMany(1), 1)
  })

  it('may have room for fewer sessions than configured: callers then wait (S100)', async () => {
    await custody.close()
    shim.limitSessions(3)
    custody = await open(1_000)
    assert.equal(await signMany(60), 60)
    assert.equal(shim.openSessions, 3)
    await custody.close()
    assert.equal(shim.openSessions, 0)
    custody = await open()
  })

  it('is never asked for the same signature twice while it comes and goes (S6, S91)', async () => {
    const digests = Array.from({ length: 200 }, () => randomBytes(32))
    const losses = [
      () => shim.loseSessions(),
      () => shim.logOut(),
      () => shim.finalise(),
      () => shim.removeToken(),
      () => shim.insertToken(),
      () => shim.fault('C_SignInit', { rv: 'CKR_KEY_HANDLE_INVALID', times: 2 }),
      () => shim.fault('C_FindObjects', { rv: 'CKR_DEVICE_ERROR', times: 1 }),
      () => shim.fault('C_GetSlotList', { rv: 'CKR_GENERAL_ERROR', times: 1 }),
    ]
    shim.resetCounts()
    let made = 0
    let notAsked = 0
    for (const [index, each] of digests.entries()) {
      if (index % 5 === 0) losses[(index / 5) % losses.length]!()
      try {
        const [signature] = await custody.sign(key.keyId, [each], ECDSA)
        assert.ok(await verifyDigest(key.publicKey, each, signature!, ECDSA))
        made += 1
      } catch (error) {
        assert.ok(error instanceof HsmUnavailableError, String(error))
        notAsked += 1
      }
    }
    assert.ok(made > 50 && notAsked > 0, `${made} made, ${notAsked} not`)
    assert.equal(shim.calls('C_Sign'), made)
  })
})
