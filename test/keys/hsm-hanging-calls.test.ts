import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../../src/errors.js'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../src/keys/algorithms.js'
import type { ResidentKeyCustody } from '../../src/keys/hsm-resident.js'
import type { GeneratedKey } from '../../src/keys/key-custody.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import { newTokenDirectory, openCustody } from '../support/softhsm.js'

const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 }
/** Long enough for calls that do not hang, on a busy machine too. */
const TIMEOUT_MS = 1_000
/** So often a busy machine may be at fault; what hangs inside a call hangs every time. */
const ATTEMPTS = 12

describe('A call to the token that hangs (S94)', () => {
  let shim: Pkcs11Shim
  let custody: ResidentKeyCustody
  let key: GeneratedKey
  const digest = randomBytes(32)
  const sign = () => custody.sign(key.keyId, [digest], ECDSA)

  before(() => {
    shim = new Pkcs11Shim(newTokenDirectory())
  })
  beforeEach(async () => {
    custody = await openCustody(shim.token, {
      ...{ sessions: 2, signTimeoutMs: TIMEOUT_MS, generateTimeoutMs: TIMEOUT_MS },
      ...{ reopenDelayMs: 1, drainTimeoutMs: 100 },
    })
    key ??= await custody.generate('p-256')
  })
  afterEach(async () => {
    shim.heal()
    await custody.close()
  })
  after(() => shim.close())

  /** Runs `work` and demands of the event loop that its 99th percentile stays under 50 ms. */
  async function assertFlowing(work: () => Promise<unknown>): Promise<void> {
    let p99 = Infinity
    for (let attempt = 0; attempt < ATTEMPTS && p99 >= 50; attempt += 1) {
      const delay = monitorEventLoopDelay({ resolution: 5 })
      delay.enable()
      await work()
      delay.disable()
      p99 = delay.percentile(99) / 1e6
    }
    assert.ok(p99 < 50, `event loop delayed by ${p99} ms`)
  }

  async function recover(): Promise<void> {
    shim.heal()
    while (custody.state.quarantined > 0) await new Promise(setImmediate)
    await sign()
  }

  const calls: [string, () => Promise<unknown>, new () => Error][] = [
    ['C_Sign', sign, HsmOutcomeUnknownError],
    ['C_FindObjectsInit', () => custody.publicKey(key.keyId), HsmUnavailableError],
    ['C_FindObjects', () => custody.publicKey(key.keyId), HsmUnavailableError],
    ['C_FindObjectsFinal', () => custody.publicKey(key.keyId), HsmUnavailableError],
    ['C_GetAttributeValue', () => custody.publicKey(key.keyId), HsmUnavailableError],
    ['C_GenerateKeyPair', () => custody.generate('p-256'), HsmUnavailableError],
    ['C_DestroyObject', () => custody.destroy(key.keyId), HsmUnavailableError],
    ['C_GetSessionInfo', () => custody.ready(), HsmUnavailableError],
  ]
  for (const [call, act, Failure] of calls) {
    it(`is given up in time when it is ${call}, while the event loop and another session go on`, async () => {
      await assertFlowing(async () => {
        shim.fault(call, { hang: true, times: 1, rv: 'CKR_FUNCTION_FAILED' })
        const given = act().then(
          (ready) => assert.equal(ready, false),
          (error: unknown) => error,
        )
        await shim.untilHanging(call)
        await sign()
        const error = await given
        if (error !== undefined) assert.ok(error instanceof Failure)
        assert.deepEqual([custody.state.quarantined, await custody.ready()], [1, true])
        await recover()
      })
    })
  }

  for (const call of ['C_GetSlotList', 'C_GetTokenInfo', 'C_OpenSession', 'C_Login']) {
    it(`is given up in time when it is ${call}, and makes the token unready for as long`, async () => {
      await assertFlowing(async () => {
        await sign()
        shim.loseSessions()
        shim.fault(call, { hang: true })
        await assert.rejects(sign(), HsmUnavailableError)
        assert.equal(await custody.ready(), false)
        await recover()
        assert.equal(await custody.ready(), true)
      })
    })
  }

  for (const call of ['C_Finalize', 'C_Initialize']) {
    it(`is given up in time when it is ${call}, which nobody can do without`, async () => {
      await assertFlowing(async () => {
        shim.finalise()
        // What has lost its library finds that out in a session, and cannot get another one.
        shim.fault(call, { hang: true })
        while (!custody.state.stuck) await assert.rejects(sign(), HsmUnavailableError)
        assert.equal(await custody.ready(), false)
        await recover()
        assert.equal(await custody.ready(), true)
      })
    })
  }

  it('is told to be in the way of initialising the library, whatever it is', async () => {
    shim.fault('C_Sign', { hang: true, times: 1 })
    const given = sign()
    await shim.untilHanging('C_Sign')
    shim.fault('C_FindObjectsInit', { rv: 'CKR_CRYPTOKI_NOT_INITIALIZED', times: 1 })
    await assert.rejects(custody.publicKey(key.keyId), HsmUnavailableError)
    await assert.rejects(given, HsmOutcomeUnknownError)
    assert.equal(custody.state.stuck, true)
    await recover()
  })

  it('is told when it is C_CloseSession of every session', async () => {
    while (custody.state.idle < 2) await Promise.all(Array.from({ length: 20 }, sign))
    shim.fault('C_CloseSession', { hang: true })
    shim.loseSessions()
    while (!custody.state.stuck) await assert.rejects(sign(), HsmUnavailableError)
    assert.equal(await custody.ready(), false)
    await recover()
  })

  it('takes no more threads than there are sessions', async () => {
    shim.fault('C_Sign', { hang: true })
    const results = await Promise.allSettled(Array.from({ length: 12 }, sign))
    assert.equal(shim.hanging('C_Sign'), 2)
    assert.deepEqual([custody.state.stuck, custody.state.quarantined], [true, 2])
    assert.equal(await custody.ready(), false)
    const unknown = results.filter(
      (result) => result.status === 'rejected' && result.reason instanceof HsmOutcomeUnknownError,
    )
    assert.equal(unknown.length, 2, 'of the others nothing was asked for')
    await recover()
  })

  it('keeps shutdown waiting for a bounded time only (S95)', async () => {
    shim.fault('C_Sign', { hang: true })
    await assert.rejects(sign(), HsmOutcomeUnknownError)
    const started = performance.now()
    await custody.close()
    assert.ok(performance.now() - started < 20_000)
  })

  it('does not keep a process alive that wants to end (S95)', () => {
    const { module, tokenLabel, pin } = shim.token
    const custodyModule = new URL('../../src/keys/hsm-resident.ts', import.meta.url).href
    const script = `
      const { ResidentKeyCustody } = await import(${JSON.stringify(custodyModule)})
      const options = ${JSON.stringify({ module, tokenLabel, pin, signTimeoutMs: 2_000 })}
      const custody = await ResidentKeyCustody.open({ ...options, drainTimeoutMs: 50 })
      await custody.publicKey('${key.keyId}').catch(() => undefined)
      await custody.close()
      process.exit(3)`
    shim.fault('C_FindObjects', { hang: true })
    const args = ['--import', 'tsx', '--input-type=module', '-e', script]
    const { status, signal } = spawnSync(process.execPath, args, { timeout: 120_000 })
    assert.deepEqual({ status, signal }, { status: 3, signal: null })
  })

  it('does not hold up the event loop for long when it is C_SignInit that is slow', async () => {
    shim.fault('C_SignInit', { delayMs: 150 })
    await sign()
    await assertFlowing(async () => {
      for (let round = 0; round < 4; round += 1) await sign()
    })
  })
})
