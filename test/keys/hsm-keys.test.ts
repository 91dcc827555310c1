import assert from 'node:assert/strict'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { HsmKeys } from '../../src/keys/hsm-keys.js'
import { newKeyId } from '../../src/keys/key-id.js'
import { describeKeyCustody, type CustodySuite } from '../support/key-custody.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import { pkcs11 } from '../support/raw-token.js'
import { newTestToken, newTokenDirectory } from '../support/softhsm.js'
import { WrappedKeyTable } from '../support/wrapped-keys.js'

const ECDSA = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const

function softhsm(custody: CustodySuite['custody']): CustodySuite {
  const table = new WrappedKeyTable()
  let keys: HsmKeys | null = null
  return {
    custody,
    tolerate: [],
    algorithms: ['p-256', 'p-384', 'p-521', 'rsa-2048'],
    async open() {
      const options = { ...newTestToken(), wrappedKeys: table, sessions: 4 }
      keys = await HsmKeys.open(options)
      await keys.makeWrappingKeys()
      return { keys, table, reopen: () => HsmKeys.open(options) }
    },
    close: async () => keys?.close(),
  }
}

describeKeyCustody('Keys in SoftHSM', softhsm('resident'))
describeKeyCustody('Keys wrapped by SoftHSM', softhsm('wrapped'))

describe('A token that can do less (S100)', () => {
  let shim: Pkcs11Shim
  const table = new WrappedKeyTable()

  before(() => {
    shim = new Pkcs11Shim(newTokenDirectory())
  })
  afterEach(() => shim.heal())
  after(() => shim.close())

  it('is asked for no more sessions than it has, those of wrapped keys among them', async () => {
    shim.limitSessions(3)
    const keys = await HsmKeys.open({ ...shim.token, wrappedKeys: table, sessions: 8 })
    assert.equal(keys.found.sessions, 3)
    await keys.makeWrappingKeys()
    const made = await Promise.all(
      Array.from({ length: 6 }, () => keys.generate('p-256', newKeyId('wrapped'))),
    )
    for (const key of made) table.keep(key)
    await Promise.all(
      made.flatMap(({ keyId }) =>
        Array.from({ length: 5 }, () => keys.sign(keyId, [Buffer.alloc(32)], ECDSA)),
      ),
    )
    await keys.close()
  })

  it('is not opened without what is needed, and logs in to nothing before it knows', async () => {
    shim.resetCounts()
    shim.hideMechanisms(pkcs11.CKM_ECDSA)
    const opening = HsmKeys.open({ ...shim.token, sessions: 2, algorithms: ['p-384'] })
    await assert.rejects(opening, /The token lacks p-384 keys \(.*CKM_ECDSA missing\)/)
    assert.equal(shim.calls('C_Login'), 0)
  })

  it('keeps no wrapped keys without a mechanism to wrap them, and resident ones all the same', async () => {
    shim.hideMechanisms(pkcs11.CKM_AES_KEY_WRAP_PAD)
    const options = { ...shim.token, wrappedKeys: table, sessions: 2 }
    await assert.rejects(HsmKeys.open({ ...options, wrapped: true }), /AES key wrap/)
    const keys = await HsmKeys.open(options)
    await assert.rejects(
      keys.generate('p-256', newKeyId('wrapped')),
      /cannot wrap keys as we need it: it has no mechanism for that/,
    )
    const { keyId } = await keys.generate('p-256')
    await keys.destroy(keyId)
    await keys.close()
  })
})

describe('A token that fails in passing, while another process writes to it', () => {
  let shim: Pkcs11Shim

  before(() => {
    shim = new Pkcs11Shim(newTokenDirectory())
  })
  afterEach(() => shim.heal())
  after(() => shim.close())

  for (const call of ['C_GetTokenInfo', 'C_GetSlotList', 'C_OpenSession', 'C_Login'] as const) {
    it(`is opened all the same (${call})`, async () => {
      shim.fault(call, { rv: 'CKR_GENERAL_ERROR', times: 1 })
      const keys = await HsmKeys.open({ ...shim.token, sessions: 2 })
      await keys.close()
    })
  }

  it('is not opened when it goes on', async () => {
    shim.fault('C_OpenSession', { rv: 'CKR_GENERAL_ERROR' })
    await assert.rejects(HsmKeys.open({ ...shim.token, sessions: 2 }), /CKR_GENERAL_ERROR/)
  })

  it('is asked once only with a PIN that it refuses (S93)', async () => {
    shim.fault('C_Login', { rv: 'CKR_PIN_INCORRECT', times: 1 })
    shim.resetCounts()
    await assert.rejects(HsmKeys.open({ ...shim.token, sessions: 2 }), /CKR_PIN_INCORRECT/)
    assert.equal(shim.calls('C_Login'), 1)
  })

  it('stays ready', async () => {
    const keys = await HsmKeys.open({ ...shim.token, sessions: 2 })
    const before = await keys.tokenInPlace()
    assert.ok(before)
    shim.fault('C_GetTokenInfo', { rv: 'CKR_GENERAL_ERROR', times: 1 })
    assert.equal(await keys.tokenInPlace(), before, 'no session was lost by it')
    await keys.close()
  })
})
