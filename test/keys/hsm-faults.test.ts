import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../../src/errors.js'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../src/keys/algorithms.js'
import { verifyDigest } from '../../src/keys/digest-verifier.js'
import type { ResidentKeyCustody } from '../../src/keys/hsm-resident.js'
import type { GeneratedKey } from '../../src/keys/key-custody.js'
import { MEANINGS } from '../../src/keys/pkcs11/ckr.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import { pkcs11, RawToken } from '../support/raw-token.js'
import { newTokenDirectory, openCustody } from '../support/softhsm.js'

const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 }

/** Every return value of PKCS#11, and two of a vendor's own. */
const CODES: readonly (readonly [string, number])[] = [
  ...Object.entries(MEANINGS).map(([name, { code }]) => [name, code] as const),
  ['a code of the vendor', 0x80000001],
  ['another code of the vendor', 0xffffffff],
]

const isLoss = (name: string) => MEANINGS[name]?.deviceLost ?? !(name in MEANINGS)

describe('Every return value of PKCS#11 (S90, S91)', () => {
  let shim: Pkcs11Shim
  let custody: ResidentKeyCustody
  let key: GeneratedKey
  const digest = randomBytes(32)

  before(async () => {
    shim = new Pkcs11Shim(newTokenDirectory())
    custody = await open()
    key = await custody.generate('p-256')
  })
  after(async () => {
    await custody.close()
    shim.close()
  })

  const open = () => openCustody(shim.token, { sessions: 2, reopenDelayMs: 0 })

  async function sign(): Promise<'signed' | 'unavailable' | 'unknown'> {
    const [signature] = await custody.sign(key.keyId, [digest], ECDSA).catch((error: unknown) => {
      if (error instanceof HsmUnavailableError) return ['unavailable'] as const
      if (error instanceof HsmOutcomeUnknownError) return ['unknown'] as const
      throw error
    })
    if (typeof signature === 'string') return signature
    assert.ok(await verifyDigest(key.publicKey, digest, signature, ECDSA))
    return 'signed'
  }

  /** What one call that was struck led to, and that nothing of it stays. */
  async function meet(name: string, fault: () => void, act: () => Promise<unknown>) {
    shim.resetCounts()
    fault()
    const outcome = await act().catch((error: unknown) => error)
    shim.heal()
    assert.equal(await sign(), 'signed', `after ${name} the token is not used again`)
    assert.equal(custody.state.stopped, null)
    return outcome
  }

  for (const after of [false, true]) {
    const when = after ? 'after it signed' : 'before it signed'
    it(`of C_Sign ${when} is refused or unknown, and never leads to a second signature`, async () => {
      for (const [name, rv] of CODES) {
        const refused = MEANINGS[name]?.refusedBeforeSigning ?? false
        // no token takes back a signature by saying that it refused
        if (after && refused) continue
        shim.resetCounts()
        shim.fault('C_Sign', { rv, times: 1, after })
        const outcome = await sign()
        const calls = shim.calls('C_Sign')
        if (!refused) assert.deepEqual([outcome, calls], ['unknown', 1], name)
        else if (isLoss(name)) assert.deepEqual([outcome, calls], ['signed', 2], name)
        else assert.deepEqual([outcome, calls], ['unavailable', 1], name)
        shim.heal()
        assert.equal(await sign(), 'signed', name)
      }
    })
  }

  it('of C_SignInit means that nothing was signed', async () => {
    for (const [name, rv] of CODES) {
      shim.resetCounts()
      shim.fault('C_SignInit', { rv, times: 1 })
      const outcome = await sign()
      assert.deepEqual(
        [outcome, shim.calls('C_Sign')],
        isLoss(name) ? ['signed', 1] : ['unavailable', 0],
        name,
      )
      shim.heal()
      assert.equal(await sign(), 'signed', name)
    }
  })

  it('of C_OpenSession is got over with the next call', async () => {
    for (const [name, rv] of CODES) {
      const strike = () => {
        shim.loseSessions()
        shim.fault('C_OpenSession', { rv, times: 1 })
      }
      assert.equal(await meet(name, strike, sign), 'unavailable', name)
    }
  })

  it('of C_Login stops the pool when it is about the PIN, and is got over otherwise (S93)', async () => {
    for (const [name, rv] of CODES) {
      shim.resetCounts()
      shim.loseSessions()
      shim.fault('C_Login', { rv, times: 1 })
      assert.equal(await sign(), 'unavailable', name)
      if (MEANINGS[name]?.pinRefused) {
        for (let round = 0; round < 5; round += 1) assert.equal(await sign(), 'unavailable')
        assert.equal(await custody.ready(), false)
        assert.equal(shim.calls('C_Login'), 1, `${name}: the PIN was tried again`)
        await custody.close()
        custody = await open()
      }
      shim.heal()
      assert.equal(await sign(), 'signed', name)
    }
  })

  for (const call of ['C_FindObjects', 'C_GetAttributeValue']) {
    it(`of ${call} does not change what is found`, async () => {
      for (const [name, rv] of CODES) {
        const strike = () => shim.fault(call, { rv, times: 1 })
        const outcome = await meet(name, strike, () => custody.publicKey(key.keyId))
        // lost sessions are worth another try, and so is a buffer that was too small
        if (isLoss(name) || (name === 'CKR_BUFFER_TOO_SMALL' && call === 'C_GetAttributeValue')) {
          assert.deepEqual(outcome, key.publicKey, name)
        } else {
          assert.ok(outcome instanceof HsmUnavailableError, name)
        }
      }
    })
  }

  it('of C_GenerateKeyPair leaves no key that nobody knows (S96)', async () => {
    for (const after of [false, true]) {
      // making keys takes its time, so only some were made when the token says that they were not
      for (const [name, rv] of after ? CODES.filter((_, index) => index % 12 === 0) : CODES) {
        const strike = () => shim.fault('C_GenerateKeyPair', { rv, times: 1, after })
        const outcome = await meet(name, strike, () => custody.generate('p-256'))
        if (!(outcome instanceof Error)) await custody.destroy((outcome as GeneratedKey).keyId)
        else assert.ok(outcome instanceof HsmUnavailableError, `${name}: ${outcome.message}`)
      }
    }
    const raw = new RawToken(shim.token)
    const attribute = { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_PRIVATE_KEY }
    assert.equal(raw.find([attribute]).length, 1)
    raw.close()
  })

  it('of C_GenerateKeyPair in passing is answered with another try, and with a refusal when that fails, too', async () => {
    const rv = 'CKR_GENERAL_ERROR'
    const made = async (times: number) => {
      const before = shim.calls('C_GenerateKeyPair')
      shim.fault('C_GenerateKeyPair', { rv, times })
      const outcome = await custody.generate('p-256').catch((error: unknown) => error)
      shim.heal()
      return { outcome, tries: shim.calls('C_GenerateKeyPair') - before }
    }
    const once = await made(1)
    assert.ok(!(once.outcome instanceof Error), String(once.outcome))
    assert.equal(once.tries, 2)
    await custody.destroy((once.outcome as GeneratedKey).keyId)
    const twice = await made(2)
    assert.ok(twice.outcome instanceof HsmUnavailableError, String(twice.outcome))
    assert.equal(twice.tries, 2)
  })

  it('of C_GenerateKeyPair is no reason for a second key while the first may still be there', async () => {
    shim.fault('C_GenerateKeyPair', { rv: 'CKR_GENERAL_ERROR', after: true, times: 1 })
    shim.fault('C_FindObjectsInit', { rv: 'CKR_FUNCTION_FAILED' })
    const before = shim.calls('C_GenerateKeyPair')
    await assert.rejects(custody.generate('p-256'), HsmUnavailableError)
    assert.equal(shim.calls('C_GenerateKeyPair') - before, 1)
    shim.heal()
    const known = new Set([key.keyId])
    for (const id of await custody.listKeyIds()) if (!known.has(id)) await custody.destroy(id)
  })

  it('is borne for as long as it lasts, with one login for each time the login was lost', async () => {
    for (const [name, call] of [
      ['CKR_DEVICE_REMOVED', 'C_SignInit'],
      ['CKR_FUNCTION_FAILED', 'C_Sign'],
      ['CKR_USER_NOT_LOGGED_IN', 'C_SignInit'],
      ['CKR_TOKEN_NOT_PRESENT', 'C_OpenSession'],
    ] as const) {
      shim.fault(call, { rv: name })
      shim.loseSessions()
      for (let round = 0; round < 50; round += 1) assert.notEqual(await sign(), 'signed')
      shim.heal()
      assert.equal(await sign(), 'signed', name)
    }
  })
})
