import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../../src/errors.js'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../src/keys/algorithms.js'
import { verifyDigest } from '../../src/keys/digest-verifier.js'
import { HsmKeys, type HsmKeysOptions } from '../../src/keys/hsm-keys.js'
import type { WrappedKeyRecord } from '../../src/keys/hsm-wrapped.js'
import { newKeyId, type KeyOwner } from '../../src/keys/key-id.js'
import { openToken } from '../../src/keys/pkcs11/module.js'
import { TamperedKeyError } from '../../src/keys/pkcs11/unwrapped-keys.js'
import { formatWrapped, parseWrapped, type SealedKey } from '../../src/keys/wrapped-key.js'
import { wrappingKeyId } from '../../src/keys/wrapping-keys.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import { pkcs11, RawToken } from '../support/raw-token.js'
import { newTestToken, newTokenDirectory, type TestToken } from '../support/softhsm.js'
import { soonestOf } from '../support/soonest.js'
import { WrappedKeyTable } from '../support/wrapped-keys.js'

const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 }
const AES_WRAP_PAD = { mechanism: 0x210a }
const ANNA: KeyOwner = { credentialId: 'credential of Anna', userId: 'Anna' }
const BEN: KeyOwner = { credentialId: 'credential of Ben', userId: 'Ben' }
/** More of them: OPENRSSP_TEST_SIGNATURES=10000 ./scripts/test test/keys/hsm-wrapped.test.ts */
const SIGNATURES = Number(process.env['OPENRSSP_TEST_SIGNATURES'] ?? 300)

type Key = Required<Awaited<ReturnType<HsmKeys['generate']>>>

describe('Wrapped keys', () => {
  const table = new WrappedKeyTable()
  let token: TestToken
  let keys: HsmKeys
  let raw: RawToken

  before(async () => {
    token = newTestToken()
    keys = await open({ mostUnwrapped: 3 })
    await keys.makeWrappingKeys()
    raw = new RawToken(token)
  })
  after(async () => {
    raw.close()
    await keys.close()
  })

  function open(options: Partial<HsmKeysOptions> = {}): Promise<HsmKeys> {
    return HsmKeys.open({ ...token, wrappedKeys: table, sessions: 4, ...options })
  }

  async function newKey(owner: KeyOwner | null = null): Promise<Key> {
    const key = (await keys.generate('p-256', newKeyId('wrapped'))) as Key
    const wrapped = owner === null ? key.wrapped : await keys.bind(key, owner)
    table.keep({ ...key, wrapped }, owner)
    return { ...key, wrapped }
  }

  async function assertSigns({ keyId, publicKey }: Key, by = keys): Promise<void> {
    const digest = randomBytes(32)
    const [signature] = await by.sign(keyId, [digest], ECDSA)
    assert.ok(signature && (await verifyDigest(publicKey, digest, signature, ECDSA)))
  }

  const recordOf = ({ keyId }: Key): WrappedKeyRecord => table.rows.get(keyId)!
  const sealedOf = (key: Key): SealedKey => parseWrapped(recordOf(key).wrapped)!
  const privateKeys = () =>
    raw.find([{ type: pkcs11.CKA_CLASS, value: pkcs11.CKO_PRIVATE_KEY }]).length
  const wrappingKey = () =>
    raw.find([{ type: pkcs11.CKA_ID, value: wrappingKeyId('wrapping', '1') }])[0]!

  describe('outside the token', () => {
    it('are refused when anything of them was changed, moved or swapped, before they are unwrapped (S86)', async () => {
      const [anna, ben] = [await newKey(ANNA), await newKey(BEN)]
      const [hers, his] = [recordOf(anna), recordOf(ben)]
      const sealed = sealedOf(anna)
      const flipped = (bytes: Buffer) =>
        Buffer.from(bytes.map((byte, at) => (at === 3 ? byte ^ 1 : byte)))
      const forms: Record<string, WrappedKeyRecord> = {
        'the key of another': { ...hers, wrapped: his.wrapped },
        'the row of another': his,
        'another public key': { ...hers, publicKey: his.publicKey },
        'another person': { ...hers, owner: { ...ANNA, userId: 'Ben' } },
        'another credential': { ...hers, owner: { ...ANNA, credentialId: BEN.credentialId } },
        'nobody’s': { ...hers, owner: null },
        'a bit of the blob': {
          ...hers,
          wrapped: formatWrapped({
            ...sealed,
            blob: { ...sealed.blob, bytes: flipped(sealed.blob.bytes) },
          }),
        },
        'a bit of the MAC': {
          ...hers,
          wrapped: formatWrapped({ ...sealed, mac: flipped(sealed.mac) }),
        },
        'a shorter MAC': {
          ...hers,
          wrapped: formatWrapped({ ...sealed, mac: sealed.mac.subarray(0, 4) }),
        },
        'another initialisation vector': {
          ...hers,
          wrapped: formatWrapped({ ...sealed, blob: { ...sealed.blob, iv: randomBytes(16) } }),
        },
        'another mechanism': {
          ...hers,
          wrapped: formatWrapped({ ...sealed, blob: { ...sealed.blob, variant: 'aes-kwp' } }),
        },
        'no text of ours': { ...hers, wrapped: `${hers.wrapped}.` },
        nothing: { ...hers, wrapped: '' },
      }
      const before = privateKeys()
      for (const [what, record] of Object.entries(forms)) {
        table.rows.set(anna.keyId, record)
        const signing = keys.sign(anna.keyId, [Buffer.alloc(32)], ECDSA)
        await assert.rejects(signing, TamperedKeyError, what)
        await assert.rejects(keys.publicKey(anna.keyId), TamperedKeyError, what)
      }
      assert.equal(privateKeys(), before)
      table.rows.set(anna.keyId, hers)
      await assertSigns(anna)
    })

    it('are refused when they name wrapping keys that are not there', async () => {
      const key = await newKey()
      table.rows.set(key.keyId, {
        ...recordOf(key),
        wrapped: formatWrapped({ ...sealedOf(key), name: '2' }),
      })
      await assert.rejects(keys.sign(key.keyId, [Buffer.alloc(32)], ECDSA), HsmUnavailableError)
      await assertSigns(await newKey())
    })

    it('become somebody’s once (S17)', async () => {
      const key = await newKey()
      const wrapped = await keys.bind(key, ANNA)
      assert.notEqual(wrapped, key.wrapped)
      await assert.rejects(keys.bind({ ...key, wrapped }, BEN), TamperedKeyError)
      await assert.rejects(keys.bind({ ...key, keyId: newKeyId('wrapped') }, BEN), TamperedKeyError)
      await assert.rejects(keys.bind({ ...key, wrapped: 'x' }, BEN), TamperedKeyError)
    })

    it('cost nothing before they are used', async () => {
      const looks = table.looks
      const other = await open()
      assert.equal(table.looks, looks)
      assert.equal(await other.unwrappedState(), null)
      await other.close()
    })
  })

  describe('in the token', () => {
    it('only sign, and never leave again (S86)', async () => {
      const key = await newKey()
      await assertSigns(key)
      const object = raw.privateKey(key.keyId.slice(1))
      const stated = { TOKEN: 0, PRIVATE: 1, SENSITIVE: 1, EXTRACTABLE: 0, SIGN: 1, DECRYPT: 0 }
      const more = { UNWRAP: 0, DERIVE: 0, SIGN_RECOVER: 0, MODIFIABLE: 0, COPYABLE: 0 }
      for (const [name, value] of Object.entries({ ...stated, ...more })) {
        const type = pkcs11[`CKA_${name}` as 'CKA_TOKEN']
        assert.deepEqual(raw.attribute(object, type), Buffer.of(value), name)
      }
      assert.throws(() => raw.attribute(object, pkcs11.CKA_VALUE), /CKR_ATTRIBUTE_SENSITIVE/)
      const known = raw.api.C_CreateObject(raw.session, [
        { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_SECRET_KEY },
        { type: pkcs11.CKA_KEY_TYPE, value: pkcs11.CKK_AES },
        { type: pkcs11.CKA_VALUE, value: Buffer.alloc(32, 1) },
        { type: pkcs11.CKA_WRAP, value: true },
      ])
      const wrap = (by: Buffer) =>
        raw.api.C_WrapKey(raw.session, AES_WRAP_PAD, by, object, Buffer.alloc(4096))
      assert.throws(() => wrap(known), /CKR_KEY_UNEXTRACTABLE/)
      assert.throws(() => wrap(wrappingKey()), /CKR_KEY_UNEXTRACTABLE/)
    })

    it('are all that comes of a blob, whoever has the PIN: the wrapping key sees to that (S86)', async () => {
      const { blob } = sealedOf(await newKey())
      const unwrap = (sensitive: boolean, extractable: boolean, lasting: boolean) =>
        raw.api.C_UnwrapKey(raw.session, AES_WRAP_PAD, wrappingKey(), blob.bytes, [
          { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_PRIVATE_KEY },
          { type: pkcs11.CKA_KEY_TYPE, value: pkcs11.CKK_EC },
          { type: pkcs11.CKA_TOKEN, value: lasting },
          { type: pkcs11.CKA_PRIVATE, value: true },
          { type: pkcs11.CKA_SENSITIVE, value: sensitive },
          { type: pkcs11.CKA_EXTRACTABLE, value: extractable },
          { type: pkcs11.CKA_DECRYPT, value: false },
          { type: pkcs11.CKA_UNWRAP, value: false },
          { type: pkcs11.CKA_DERIVE, value: false },
          { type: pkcs11.CKA_SIGN, value: true },
        ])
      assert.throws(() => unwrap(false, false, false), /CKR_TEMPLATE_INCONSISTENT/)
      assert.throws(() => unwrap(true, true, false), /CKR_TEMPLATE_INCONSISTENT/)
      assert.throws(() => unwrap(true, false, true), /CKR_TEMPLATE_INCONSISTENT/)
      raw.api.C_DestroyObject(raw.session, unwrap(true, false, false))
      const decrypt = () => raw.api.C_DecryptInit(raw.session, AES_WRAP_PAD, wrappingKey())
      assert.throws(decrypt, /CKR_MECHANISM_INVALID|CKR_KEY_FUNCTION_NOT_PERMITTED/)
      assert.throws(() => raw.attribute(wrappingKey(), pkcs11.CKA_VALUE), /CKR_ATTRIBUTE_SENSITIVE/)
    })

    it('are no more than configured, and the one longest unused goes first', async () => {
      const four = [await newKey(), await newKey(), await newKey(), await newKey()]
      const [oldest] = four as [Key, ...Key[]]
      for (const key of four.slice(0, 3)) await assertSigns(key)
      await assertSigns(oldest)
      const before = (await keys.unwrappedState())!
      await assertSigns(four[3]!)
      await assertSigns(oldest)
      const after = (await keys.unwrappedState())!
      assert.deepEqual([after.kept, after.unwrapped - before.unwrapped], [3, 1])
      assert.equal(privateKeys(), 3)
      assert.throws(() => raw.privateKey(four[1]!.keyId.slice(1)))
    })

    it('are unwrapped once for callers who come together', async () => {
      const key = await newKey()
      const before = (await keys.unwrappedState())!.unwrapped
      await Promise.all(Array.from({ length: 20 }, () => assertSigns(key)))
      assert.equal((await keys.unwrappedState())!.unwrapped, before + 1)
    })

    it('stay while they are used, however many are wanted (S87)', async () => {
      const tight = await open({ mostUnwrapped: 1 })
      const many = await Promise.all(Array.from({ length: 6 }, () => newKey()))
      await Promise.all(
        many.flatMap((key) => Array.from({ length: 5 }, () => assertSigns(key, tight))),
      )
      assert.equal((await tight.unwrappedState())!.kept, 1)
      await tight.close()
    })

    it('go with the credential, when nobody uses them for a while, and at the end (S87)', async () => {
      const other = await open({ idleMs: 20 })
      const key = await newKey()
      const base = privateKeys()
      await assertSigns(key, other)
      while ((await other.unwrappedState())!.kept > 0) await new Promise(setImmediate)
      await assertSigns(key, other)
      await other.destroy(key.keyId)
      assert.equal((await other.unwrappedState())!.kept, 0)
      await assertSigns(key, other)
      await other.close()
      assert.equal(privateKeys(), base)
    })

    it('are unwrapped anew when a signature of theirs did not verify, and nothing is destroyed by their handle (S91)', async () => {
      const shim = new Pkcs11Shim(newTokenDirectory())
      const other = await open({ ...shim.token, sessions: 2 })
      await other.makeWrappingKeys()
      const key = (await other.generate('p-256', newKeyId('wrapped'))) as Key
      table.keep(key)
      await assertSigns(key, other)
      shim.resetCounts()
      other.doubt(key.keyId)
      await assertSigns(key, other)
      assert.equal(shim.calls('C_UnwrapKey'), 1)
      assert.equal(shim.calls('C_DestroyObject'), 0)
      await other.close()
      shim.close()
    })

    it('come back after the sessions were lost', async () => {
      const key = await newKey()
      await assertSigns(key)
      raw.api.C_CloseAllSessions(raw.slot)
      await Promise.all(Array.from({ length: 8 }, () => assertSigns(key)))
      raw.close = () => undefined
      raw = new RawToken(token)
      assert.equal(privateKeys(), 1)
    })
  })

  it('leave nothing behind when a tenth of the calls fails, nor do keys for one signature (S87)', async function () {
    this.timeout(300_000 + 20 * SIGNATURES)
    const shim = new Pkcs11Shim(newTokenDirectory())
    const rows = new WrappedKeyTable()
    const faulty = await HsmKeys.open({
      ...shim.token,
      ...{ wrappedKeys: rows, sessions: 4, mostUnwrapped: 2, reopenDelayMs: 0 },
    })
    await faulty.makeWrappingKeys()
    const some = await Promise.all(
      Array.from({ length: 4 }, () => faulty.generate('p-256', newKeyId('wrapped'))),
    )
    for (const key of some) rows.keep(key)
    const look = new RawToken(shim.token)
    const sessions = shim.openSessions
    const calls = ['C_Sign', 'C_UnwrapKey', 'C_DestroyObject', 'C_SignInit'] as const
    let failed = 0
    const sign = async ({ keyId, publicKey }: Pick<Key, 'keyId' | 'publicKey'>) => {
      const digest = randomBytes(32)
      const signed = await faulty.sign(keyId, [digest], ECDSA).catch(() => null)
      if (signed === null) failed += 1
      else assert.ok(await verifyDigest(publicKey, digest, signed[0]!, ECDSA))
    }
    const signOnce = async () => {
      const keyId = newKeyId('resident')
      const key = await faulty.generate('p-256', keyId).catch(() => null)
      if (key === null) failed += 1
      else await sign(key)
      const destroy = () =>
        faulty.destroy(keyId).then(
          () => true,
          () => false,
        )
      while (!(await destroy()));
    }
    for (let round = 0; round < SIGNATURES; round += 1) {
      if (round % 10 === 0)
        shim.fault(calls[(round / 10) % 4]!, { rv: 'CKR_FUNCTION_FAILED', times: 1 })
      // The fault is met sooner or later: by one, or by the other.
      if (round % 20 === 0) await signOnce()
      else await sign(some[round % 4]!)
    }
    shim.heal()
    assert.ok(failed > 0 && failed <= SIGNATURES / 10, `${failed} failed`)
    const found = look.find([{ type: pkcs11.CKA_CLASS, value: pkcs11.CKO_PRIVATE_KEY }])
    assert.ok(found.length <= 2, `${found.length} private keys are left`)
    assert.ok(shim.openSessions <= sessions, `${shim.openSessions} sessions, after ${sessions}`)
    await faulty.close()
    shim.close()
  })

  it('make room when the token has none left (S100)', async () => {
    const shim = new Pkcs11Shim(newTokenDirectory())
    const small = await HsmKeys.open({ ...shim.token, wrappedKeys: table, sessions: 2 })
    await small.makeWrappingKeys()
    const [first, second] = [newKeyId('wrapped'), newKeyId('wrapped')]
    for (const keyId of [first, second]) table.keep(await small.generate('p-256', keyId))
    await small.sign(first, [Buffer.alloc(32)], ECDSA)
    shim.resetCounts()
    shim.fault('C_UnwrapKey', { rv: 'CKR_DEVICE_MEMORY', times: 1 })
    await small.sign(second, [Buffer.alloc(32)], ECDSA)
    assert.deepEqual([shim.calls('C_UnwrapKey'), shim.calls('C_Sign')], [2, 3])
    assert.equal((await small.unwrappedState())?.kept, 1)
    await small.sign(first, [Buffer.alloc(32)], ECDSA)
    shim.fault('C_UnwrapKey', { rv: 'CKR_DEVICE_MEMORY' })
    await small.destroy(second)
    await assert.rejects(small.sign(second, [Buffer.alloc(32)], ECDSA), HsmUnavailableError)
    assert.ok(shim.struck('C_UnwrapKey') <= 4, 'it is asked without end')
    await small.close()
    shim.close()
  })

  it('are told to be out of reach when every session that does not own some hangs (S94)', async () => {
    const shim = new Pkcs11Shim(newTokenDirectory())
    const hanging = await HsmKeys.open({
      ...{ ...shim.token, wrappedKeys: table, sessions: 2, signTimeoutMs: 1500 },
      ...{ reopenDelayMs: 0, drainTimeoutMs: 200 },
    })
    await hanging.makeWrappingKeys()
    const key = await hanging.generate('p-256', newKeyId('wrapped'))
    table.keep(key)
    await assertSigns(key as Key, hanging)
    assert.equal(hanging.state.stuck, false)
    shim.fault('C_Sign', { hang: true, times: 1 })
    await assert.rejects(hanging.sign(key.keyId, [Buffer.alloc(32)], ECDSA), HsmOutcomeUnknownError)
    assert.equal(hanging.state.stuck, true)
    const took = await soonestOf(5, 1_000, () =>
      assert.rejects(hanging.sign(key.keyId, [Buffer.alloc(32)], ECDSA), HsmUnavailableError),
    )
    assert.ok(took < 1_000, 'callers wait for nothing')
    shim.heal()
    while (hanging.state.stuck) await new Promise(setImmediate)
    await assertSigns(key as Key, hanging)
    await hanging.close()
    shim.close()
  })

  describe('need', () => {
    it('the wrapping keys for as long as they are used, which readiness tells', async () => {
      const other = newTokenDirectory()
      const shim = new Pkcs11Shim(other)
      const options = { ...shim.token, wrappedKeys: table, sessions: 2, reopenDelayMs: 0 }
      const preparing = await HsmKeys.open(options)
      await preparing.makeWrappingKeys()
      await preparing.close()
      const opened = await HsmKeys.open({ ...options, wrapped: true })
      assert.equal(await opened.ready(), true)
      // Somebody makes the token anew, under the same label and PIN.
      const look = new RawToken(shim.token)
      look.api.C_DestroyObject(
        look.session,
        look.find([{ type: pkcs11.CKA_ID, value: wrappingKeyId('wrapping', '1') }])[0]!,
      )
      shim.loseSessions()
      assert.equal(await opened.ready(), false)
      await opened.makeWrappingKeys()
      assert.equal(await opened.ready(), true)
      await opened.close()
      shim.close()
    })

    it('wrapping keys that an operator has made', async () => {
      const other = newTestToken()
      const opening = HsmKeys.open({ ...other, wrappedKeys: table, sessions: 2, wrapped: true })
      await assert.rejects(opening, /has no key "openrssp wrapping 1": .* run "openrssp hsm init"/)
      const late = await HsmKeys.open({ ...other, wrappedKeys: table, sessions: 2 })
      await assert.rejects(late.generate('p-256', newKeyId('wrapped')), HsmUnavailableError)
      assert.equal(await late.makeWrappingKeys(), true)
      assert.equal(await late.makeWrappingKeys(), false)
      assert.deepEqual(await late.describeWrapping(), { variant: 'aes-wrap-pad', guarded: true })
      await late.generate('p-256', newKeyId('wrapped'))
      await late.close()
    })

    it('a trusted wrapping key for new keys, once the security officer has made one (S86)', async () => {
      const other = newTestToken()
      makeTrustedKey(other, wrappingKeyId('wrapping', 'trusted'))
      const options = { ...other, wrappedKeys: table, sessions: 2 }
      const trusting = await HsmKeys.open({ ...options, wrappingKey: 'trusted' })
      await trusting.makeWrappingKeys()
      const key = await trusting.generate('p-256', newKeyId('wrapped'))
      table.keep(key)
      await assertSigns(key as Key, trusting)
      const untrusted = await HsmKeys.open(options)
      await untrusted.makeWrappingKeys()

      const opened = await openToken(other)
      const session = await opened.openSession()
      const [bySo] = await session.findSecretKeys(wrappingKeyId('wrapping', 'trusted'))
      const [byUser] = await session.findSecretKeys(wrappingKeyId('wrapping', '1'))
      const { privateKey } = await session.generateKeyPair({
        ...{ algorithm: 'p-256', id: randomBytes(16), kind: 'to-be-wrapped' },
        ...{ without: new Set(), wrapWithTrusted: true },
      })
      await assert.rejects(session.wrap(byUser!, 'aes-wrap-pad', privateKey), /KEY_NOT_WRAPPABLE/)
      assert.ok((await session.wrap(bySo!, 'aes-wrap-pad', privateKey)).bytes.length > 0)
      await session.close()
      await opened.release()
      await untrusted.close()
      await trusting.close()
    })

    it('wrapping keys that do nothing else', async () => {
      const other = await open({ wrappingKey: 'weak' })
      for (const [purpose, weakness] of [
        ['wrapping', pkcs11.CKA_EXTRACTABLE],
        ['binding', pkcs11.CKA_WRAP],
      ] as const) {
        raw.api.C_GenerateKey(raw.session, { mechanism: pkcs11.CKM_AES_KEY_GEN }, [
          { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_SECRET_KEY },
          { type: pkcs11.CKA_VALUE_LEN, value: 32 },
          { type: pkcs11.CKA_TOKEN, value: true },
          { type: pkcs11.CKA_SENSITIVE, value: true },
          { type: pkcs11.CKA_EXTRACTABLE, value: false },
          { type: pkcs11.CKA_ID, value: wrappingKeyId(purpose, 'weak') },
          { type: pkcs11.CKA_SIGN, value: true },
          { type: pkcs11.CKA_WRAP, value: purpose === 'wrapping' },
          { type: pkcs11.CKA_UNWRAP, value: purpose === 'wrapping' },
          { type: pkcs11.CKA_ENCRYPT, value: false },
          { type: pkcs11.CKA_DECRYPT, value: weakness === pkcs11.CKA_EXTRACTABLE },
        ])
      }
      await assert.rejects(
        other.generate('p-256', newKeyId('wrapped')),
        /The key "openrssp wrapping weak" has other attributes: decrypt/,
      )
      await other.close()
    })
  })
})

/** As the security officer, in a process of its own: nobody else may be logged in meanwhile. */
function makeTrustedKey({ module, tokenLabel, pin, conf }: TestToken, id: Buffer): void {
  const script = `
    const p = require('pkcs11js')
    const [module, label, pin, id] = process.argv.slice(1)
    const api = new p.PKCS11()
    api.load(module)
    api.C_Initialize({ flags: p.CKF_OS_LOCKING_OK })
    const slot = api.C_GetSlotList(true).find((s) => api.C_GetTokenInfo(s).label.trim() === label)
    const session = api.C_OpenSession(slot, p.CKF_SERIAL_SESSION | p.CKF_RW_SESSION)
    api.C_Login(session, p.CKU_SO, pin)
    api.C_GenerateKey(session, { mechanism: p.CKM_AES_KEY_GEN }, [
      { type: p.CKA_CLASS, value: p.CKO_SECRET_KEY }, { type: p.CKA_VALUE_LEN, value: 32 },
      { type: p.CKA_TOKEN, value: true }, { type: p.CKA_PRIVATE, value: false },
      { type: p.CKA_SENSITIVE, value: true }, { type: p.CKA_EXTRACTABLE, value: false },
      { type: p.CKA_WRAP, value: true }, { type: p.CKA_UNWRAP, value: true },
      { type: p.CKA_ENCRYPT, value: false }, { type: p.CKA_DECRYPT, value: false },
      { type: p.CKA_TRUSTED, value: true }, { type: p.CKA_ID, value: Buffer.from(id, 'hex') },
    ])
    api.C_Finalize()`
  execFileSync(process.execPath, ['-e', script, module, tokenLabel, pin, id.toString('hex')], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...process.env, SOFTHSM2_CONF: conf },
  })
}
