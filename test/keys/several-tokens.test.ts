import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../../src/errors.js'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../src/keys/algorithms.js'
import { verifyDigest } from '../../src/keys/digest-verifier.js'
import { HsmKeys } from '../../src/keys/hsm-keys.js'
import type { WrappedKeyRecord } from '../../src/keys/hsm-wrapped.js'
import type { GeneratedKey } from '../../src/keys/key-custody.js'
import { newKeyId } from '../../src/keys/key-id.js'
import { isPinRefused } from '../../src/keys/pkcs11/ckr.js'
import { SeveralTokens } from '../../src/keys/several-tokens.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import { newTokenDirectory, openCustody, type TestToken } from '../support/softhsm.js'

const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 }

describe('Several tokens', () => {
  let key: GeneratedKey
  let original: Pkcs11Shim
  let replica: Pkcs11Shim
  let other: Pkcs11Shim
  let keys: SeveralTokens
  let openTogetherMs: number
  const alarms: string[] = []
  const digest = randomBytes(32)

  before(async () => {
    const token = newTokenDirectory()
    original = new Pkcs11Shim(token)
    const maker = await openCustody(original.token, { sessions: 1 })
    key = await maker.generate('p-256')
    await maker.close()
    replica = new Pkcs11Shim(copyOf(token))
    other = new Pkcs11Shim(newTokenDirectory('other'))
  })
  beforeEach(async () => {
    alarms.length = 0
    openTogetherMs = 5_000
    keys = await open(original, replica, other)
  })
  afterEach(async () => {
    for (const shim of [original, replica, other]) shim.heal()
    await keys.close()
  })
  after(() => {
    for (const shim of [original, replica, other]) shim.close()
  })

  const open = (...shims: Pkcs11Shim[]) =>
    SeveralTokens.open(
      shims.map((shim) => ({ name: nameOf(shim), open: () => openKeys(shim.token) })),
      { alarm: (message) => alarms.push(message), lookAfterMs: 5, openTogetherMs },
    )
  const nameOf = (shim: Pkcs11Shim) =>
    shim === original ? 'original' : shim === replica ? 'replica' : 'other'
  const sign = async (keyId = key.keyId) => (await keys.sign(keyId, [digest], ECDSA))[0]!
  const signedBy = () => [original, replica, other].map((shim) => shim.calls('C_Sign'))
  const resetCounts = () => {
    for (const shim of [original, replica, other]) shim.resetCounts()
  }
  const isUsable = (name: string) =>
    keys.state.tokens.some((token) => token.name === name && token.usable)

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
  }

  it('that have the same key share the work, and nobody else is asked for it', async () => {
    resetCounts()
    const signatures = await Promise.all(Array.from({ length: 40 }, () => sign()))
    for (const signature of signatures) {
      assert.ok(await verifyDigest(key.publicKey, digest, signature, ECDSA))
    }
    const [first = 0, second = 0, third] = signedBy()
    assert.ok(first >= 10 && second >= 10, `${first} and ${second}`)
    assert.equal(third, 0)
  })

  it('stand in for one another when one cannot be reached', async () => {
    original.removeToken()
    for (let round = 0; round < 10; round += 1) await sign()
    replica.removeToken()
    await assert.rejects(sign(), HsmUnavailableError)
  })

  it('never sign a second time for one another when the outcome is unknown', async () => {
    resetCounts()
    original.fault('C_Sign', { rv: 'CKR_DEVICE_ERROR', after: true, times: 1 })
    replica.fault('C_Sign', { rv: 'CKR_DEVICE_ERROR', after: true, times: 1 })
    await assert.rejects(sign(), HsmOutcomeUnknownError)
    const [first = 0, second = 0] = signedBy()
    assert.equal(first + second, 1)
  })

  it('are out of use after failing in a row, looked after, and used again', async () => {
    original.fault('C_Sign', { rv: 'CKR_FUNCTION_FAILED' })
    let unknown = 0
    for (let round = 0; round < 100 && isUsable('original'); round += 1) {
      await sign().catch(() => (unknown += 1))
    }
    assert.equal(unknown, 3)
    assert.ok(alarms.includes('The token "original" is out of order'))
    resetCounts()
    original.fault('C_GetSessionInfo', { rv: 'CKR_FUNCTION_FAILED' })
    await until(() => original.struck('C_GetSessionInfo') > 0)
    for (let round = 0; round < 10; round += 1) await sign()
    assert.equal(signedBy()[0], 0)
    original.heal()
    await until(() => isUsable('original'))
    for (let round = 0; round < 100 && signedBy()[0] === 0; round += 1) await sign()
    assert.ok((signedBy()[0] ?? 0) > 0)
  })

  it('are on probation after that: the first failure takes them out again', async () => {
    original.fault('C_Sign', { rv: 'CKR_FUNCTION_FAILED' })
    while (isUsable('original')) await sign().catch(() => undefined)
    await until(() => isUsable('original'))
    resetCounts()
    while (isUsable('original')) await sign().catch(() => undefined)
    assert.equal(original.calls('C_Sign'), 1)
  })

  it('get new keys while they work, and only then', async () => {
    original.removeToken()
    replica.removeToken()
    const made = await keys.generate('p-256')
    assert.ok(await verifyDigest(made.publicKey, digest, await sign(made.keyId), ECDSA))
    other.removeToken()
    await assert.rejects(keys.generate('p-256'), HsmUnavailableError)
    for (const shim of [original, replica, other]) shim.insertToken()
    await until(() => keys.state.tokens.every(({ usable }) => usable))
    await keys.destroy(made.keyId)
    assert.equal(await keys.publicKey(made.keyId), null)
  })

  it('do not call a key missing, or destroyed, while one of them cannot be asked', async () => {
    const unknown = '00'.repeat(16)
    assert.equal(await keys.publicKey(unknown), null)
    assert.deepEqual(await keys.listKeyIds(), [key.keyId])
    other.removeToken()
    await assert.rejects(keys.publicKey(unknown), HsmUnavailableError)
    await assert.rejects(keys.listKeyIds(), HsmUnavailableError)
    await assert.rejects(keys.destroy(unknown), HsmUnavailableError)
    assert.deepEqual(await keys.publicKey(key.keyId), key.publicKey)
  })

  it('sign with no key when two of them have different keys of its name (S97)', async () => {
    const keyId = newKeyId('resident')
    for (const shim of [original, other]) {
      const maker = await openKeys(shim.token)
      await maker.generate('p-256', keyId)
      await maker.close()
    }
    await assert.rejects(sign(keyId), /Two keys are named/)
    await keys.destroy(keyId)
    assert.equal(await keys.publicKey(keyId), null)
  })

  it('make no key on another when one failed while it made it', async () => {
    const keyId = newKeyId('resident')
    for (const shim of [original, replica, other]) {
      shim.fault('C_GenerateKeyPair', { rv: 'CKR_FUNCTION_FAILED', after: true, times: 1 })
      shim.fault('C_DestroyObject', { rv: 'CKR_FUNCTION_FAILED' })
    }
    resetCounts()
    await assert.rejects(keys.generate('p-256', keyId), HsmUnavailableError)
    const calls = [original, replica, other].map((shim) => shim.calls('C_GenerateKeyPair'))
    assert.equal(calls.filter((count) => count > 0).length, 1)
    for (const shim of [original, replica, other]) shim.heal()
    await keys.destroy(keyId)
  })

  it('are ready while one of them is', async () => {
    original.removeToken()
    replica.removeToken()
    assert.equal(await keys.ready(), true)
    other.removeToken()
    assert.equal(await keys.ready(), false)
    replica.insertToken()
    assert.equal(await keys.ready(), true)
  })

  it('go on while every session of one of them is inside a call that hangs', async () => {
    await sign()
    original.fault('C_Sign', { hang: true })
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => sign()))
    const unknown = results.filter(({ status }) => status === 'rejected')
    assert.ok(unknown.length > 0 && unknown.length <= 2, `${unknown.length} hung`)
    assert.equal(await keys.ready(), true)
    assert.equal(keys.state.stuck, false)
    await sign()
  })

  it('are opened later when they could not be at first', async () => {
    await keys.close()
    replica.removeToken()
    keys = await open(original, replica)
    assert.ok(alarms.includes('The token "replica" could not be opened'))
    await sign()
    replica.insertToken()
    await until(() => isUsable('replica'))
  })

  for (const call of ['C_Initialize', 'C_GetMechanismList', 'C_GetTokenInfo', 'C_Login']) {
    it(`begin without one that hangs in ${call}, which is used once it does not (S94)`, async () => {
      await keys.close()
      replica.fault(call, { hang: true })
      openTogetherMs = 50
      keys = await open(original, replica)
      assert.deepEqual(alarms, ['The token "replica" takes long to open'])
      assert.ok(isUsable('original') && !isUsable('replica'))
      await sign()
      replica.heal()
      await until(() => isUsable('replica'))
      assert.equal(alarms.at(-1), 'The token "replica" is used again')
    })
  }

  it('cannot be opened when none of them can', async () => {
    original.removeToken()
    other.removeToken()
    await assert.rejects(open(original, other), /could not be|CKR_/)
  })

  it('say that one refused the PIN when none can be opened, so that nobody tries it again (S93)', async () => {
    await keys.close()
    original.removeToken()
    const wrong = { ...other.token, pin: '000000' }
    const opening = SeveralTokens.open([
      { name: 'original', open: () => openKeys(original.token) },
      { name: 'other', open: () => openKeys(wrong) },
    ])
    await assert.rejects(opening, isPinRefused)
    keys = await open(other)
  })

  it('find who can unwrap a key that is kept outside, and stay with that one', async () => {
    const table = new Map<string, WrappedKeyRecord>()
    const wrappedKeys = { find: (keyId: string) => Promise.resolve(table.get(keyId) ?? null) }
    const openWrapping = async ({ module, tokenLabel, pin }: TestToken) => {
      const token = await HsmKeys.open({ module, tokenLabel, pin, wrappedKeys, sessions: 2 })
      await token.makeWrappingKeys()
      return token
    }
    await keys.close()
    keys = await SeveralTokens.open(
      [original, other].map((shim) => ({
        name: nameOf(shim),
        open: () => openWrapping(shim.token),
      })),
    )
    const owner = { credentialId: 'c', userId: 'u' }
    const made = await keys.generate('p-256', newKeyId('wrapped'))
    assert.ok(made.wrapped !== undefined)
    const wrapped = await keys.bind({ ...made, wrapped: made.wrapped }, owner)
    table.set(made.keyId, { owner, wrapped, publicKey: made.publicKey })
    resetCounts()
    for (let round = 0; round < 10; round += 1) {
      assert.ok(await verifyDigest(made.publicKey, digest, await sign(made.keyId), ECDSA))
    }
    assert.ok(original.calls('C_UnwrapKey') + other.calls('C_UnwrapKey') <= 1)
  })

  it('with a wrong PIN are not tried again (S93)', async () => {
    await keys.close()
    other.resetCounts()
    const wrong = { ...other.token, pin: '000000' }
    keys = await SeveralTokens.open(
      [
        { name: 'original', open: () => openKeys(original.token) },
        { name: 'other', open: () => openKeys(wrong) },
      ],
      { lookAfterMs: 1 },
    )
    for (let round = 0; round < 20; round += 1) await sign()
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.equal(other.calls('C_Login'), 1)
  })
})

function openKeys({ module, tokenLabel, pin }: TestToken): Promise<HsmKeys> {
  const options = { sessions: 2, signTimeoutMs: 1500, reopenDelayMs: 0, drainTimeoutMs: 200 }
  return HsmKeys.open({ module, tokenLabel, pin, ...options })
}

/** As an HSM that replicates would have it: the same keys under the same label, in another place. */
function copyOf(token: TestToken): TestToken {
  const directory = mkdtempSync(join(tmpdir(), 'openrssp-softhsm-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  cpSync(join(dirname(token.conf), 'tokens'), join(directory, 'tokens'), { recursive: true })
  const conf = join(directory, 'softhsm2.conf')
  const settings = ['objectstore.backend = file', 'log.level = ERROR']
  writeFileSync(conf, [`directories.tokendir = ${directory}/tokens`, ...settings, ''].join('\n'))
  return { ...token, conf }
}
