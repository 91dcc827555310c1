import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { HsmUnavailableError } from '../../src/errors.js'
import { HsmKeys } from '../../src/keys/hsm-keys.js'
import type { GeneratedKey, KeyCustody } from '../../src/keys/key-custody.js'
import { newKeyId } from '../../src/keys/key-id.js'
import { KeyRegister } from '../../src/keys/key-register.js'
import { SeveralTokens } from '../../src/keys/several-tokens.js'
import { DatabaseKeyStore, ownKey } from '../../src/storage/key-store.js'
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.js'
import { startRssp } from '../support/rssp.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import { newTokenDirectory, type TestToken } from '../support/softhsm.js'
import { WrappedKeyTable } from '../support/wrapped-keys.js'

/** After so many looks at the latest, the library has seen which token is there now. */
const MOST_LOOKS = 20

describe('When another token with the same label and PIN is in the place of the one', () => {
  let folder: string
  let database: SqliteDatabase
  let store: DatabaseKeyStore
  let alarms: string[]

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-keys-'))
    const file = join(folder, 'test.db')
    database = await SqliteDatabase.open({ file, headFile: null, now: () => new Date() })
    store = new DatabaseKeyStore(database)
    alarms = []
  })
  afterEach(async () => {
    await database.close()
    rmSync(folder, { recursive: true })
  })

  const registerOf = (custody: KeyCustody) =>
    new KeyRegister({
      ...{ custody, store, now: () => new Date() },
      alarm: (message) => alarms.push(message),
    })
  const own = ({ keyId, wrapped = null }: { keyId: string; wrapped?: string | null }) =>
    database.commit({ changes: [ownKey(keyId, wrapped)] })
  const ALARM = 'The token in place has none of the keys on record'

  describe('readiness, with real tokens,', () => {
    let shims: Pkcs11Shim[]
    let open: KeyCustody[]
    beforeEach(() => {
      shims = []
      open = []
    })
    afterEach(async () => {
      for (const custody of open) await custody.close()
      for (const shim of shims) shim.close()
    })

    const newShim = (label: string) => {
      const shim = new Pkcs11Shim(newTokenDirectory(label))
      shims.push(shim)
      return shim
    }
    const openKeys = async (
      token: TestToken,
      more: Partial<Parameters<typeof HsmKeys.open>[0]>,
    ) => {
      const keys = await HsmKeys.open({ ...token, sessions: 4, reopenDelayMs: 0, ...more })
      open.push(keys)
      return keys
    }
    /** Looks until readiness says so: the library notices by and by. */
    const becomes = async (ready: boolean, register: KeyRegister) => {
      for (let looks = 0; (await register.ready()) !== ready; looks += 1) {
        assert.ok(looks < MOST_LOOKS, `it never becomes ${ready ? '' : 'not '}ready`)
      }
    }
    /** Stays so, however often one looks: what has to be initialised again comes by in between. */
    const stays = async (ready: boolean, register: KeyRegister) => {
      for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
        assert.equal(await register.ready(), ready)
      }
    }

    it('says no until the right one is back, and then yes without a restart', async () => {
      const [shim, another] = [newShim('same'), newTokenDirectory('same')]
      const keys = await openKeys(shim.token, {})
      const register = registerOf(keys)
      const key = await register.generate('p-256')
      await own(key)
      await stays(true, register)
      swap(shim.token, another)
      await becomes(false, register)
      await stays(false, register)
      // It is another one, and not that none is there.
      assert.notEqual(await keys.tokenInPlace(), null)
      assert.deepEqual(alarms, [ALARM])
      swap(shim.token, another)
      await becomes(true, register)
      await stays(true, register)
      assert.ok(await register.publicKey(key.keyId))
    })

    it('says no of a service that finds the other one as it starts', async () => {
      const [shim, another] = [newShim('same'), newTokenDirectory('same')]
      const made = await openKeys(shim.token, {})
      await own(await registerOf(made).generate('p-256'))
      await made.close()
      swap(shim.token, another)
      assert.equal(await registerOf(await openKeys(shim.token, {})).ready(), false)
    })

    it('goes by what unwraps the keys, where they are wrapped', async () => {
      const [shim, another] = [newShim('same'), newShim('same')]
      const wrappedKeys = new WrappedKeyTable()
      for (const { token } of [shim, another]) {
        const prepared = await openKeys(token, { wrappedKeys })
        assert.equal(await prepared.makeWrappingKeys(), true)
        await prepared.close()
      }
      const keys = await openKeys(shim.token, { wrappedKeys, wrapped: true })
      const register = registerOf(keys)
      const key = await register.generate('p-256', newKeyId('wrapped'))
      const owner = { credentialId: 'one', userId: 'two' }
      const wrapped = await register.bind(key as Required<GeneratedKey>, owner)
      wrappedKeys.keep({ ...key, wrapped }, owner)
      await own({ keyId: key.keyId, wrapped })
      await stays(true, register)
      // It has wrapping keys of the same names, which are others.
      swap(shim.token, another.token)
      await becomes(false, register)
      await stays(false, register)
      swap(shim.token, another.token)
      await becomes(true, register)
      await stays(true, register)
    })

    it('says yes while one of several tokens is the right one', async () => {
      const [first, second, another] = [newShim('a'), newShim('b'), newTokenDirectory('a')]
      const members = [first, second].map(({ token }) => ({
        name: token.tokenLabel,
        open: () => HsmKeys.open({ ...token, sessions: 2, reopenDelayMs: 0 }),
      }))
      const keys = await SeveralTokens.open(members, { lookAfterMs: 5 })
      open.push(keys)
      const register = registerOf(keys)
      const [one, two] = members.map(() => newKeyId('resident'))
      assert.ok(one && two)
      for (const [index, keyId] of [one, two].entries()) {
        const direct = await members[index]!.open()
        await registerOf(direct).generate('p-256', keyId)
        await direct.close()
        await own({ keyId })
      }
      await stays(true, register)
      const before = await keys.tokenInPlace()
      swap(first.token, another)
      const usable = () => keys.state.tokens.map((token) => token.usable)
      for (let looks = 0; (await keys.tokenInPlace()) === before; looks += 1) {
        assert.ok(looks < MOST_LOOKS, `the other token is never seen ${String(usable())}`)
        assert.equal(await register.ready(), true)
      }
      await stays(true, register)
      assert.deepEqual(alarms, [])
    })
  })

  it('the service is not ready, until the one is back', async () => {
    let isAnother = false
    const rssp = await startRssp({
      custody: (real) => ({
        generate: (...request) => real.generate(...request),
        sign: (...request) => real.sign(...request),
        destroy: (keyId) => real.destroy(keyId),
        publicKey: async (keyId) => (isAnother ? null : real.publicKey(keyId)),
        listKeyIds: () => Promise.resolve([]),
        tokenInPlace: () => Promise.resolve(isAnother ? 'maker 2' : 'maker 1'),
        ready: () => Promise.resolve(true),
        close: () => Promise.resolve(),
      }),
    })
    try {
      for (const [is, status] of [
        [false, 200],
        [true, 503],
        [false, 200],
      ] as const) {
        isAnother = is
        const answer = await fetch(`${rssp.baseUrl}/health/ready`)
        const { hsm } = (await answer.json()) as { hsm: boolean }
        assert.deepEqual([answer.status, hsm], [status, !is])
      }
    } finally {
      await rssp.close()
    }
  })

  describe('the register of keys', () => {
    /** Keys in a list; which token has them is what the test says. */
    class ListedKeys implements KeyCustody {
      there = new Set<string>()
      token: string | null = 'maker 1, login 0'
      isAway = false
      asked = 0

      generate = (_: unknown, keyId = newKeyId('resident')) => {
        this.there.add(keyId)
        return Promise.resolve({ keyId, publicKey: Buffer.from('public') })
      }
      publicKey = (keyId: string) => {
        this.asked += 1
        if (this.isAway) return Promise.reject(new HsmUnavailableError('a token is away'))
        return Promise.resolve(this.there.has(keyId) ? Buffer.from('public') : null)
      }
      listKeyIds = () => {
        this.asked += 1
        if (this.isAway) return Promise.reject(new HsmUnavailableError('a token is away'))
        return Promise.resolve([...this.there])
      }
      destroy = (keyId: string) => Promise.resolve(void this.there.delete(keyId))
      sign = () => Promise.resolve([])
      tokenInPlace = () => Promise.resolve(this.token)
      ready = () => Promise.resolve(this.token !== null)
      close = () => Promise.resolve()
    }

    let custody: ListedKeys
    let register: KeyRegister
    beforeEach(() => {
      custody = new ListedKeys()
      register = registerOf(custody)
    })

    const ownedKeys = async (count: number) => {
      const ids: string[] = []
      for (let made = 0; made < count; made += 1) {
        const key = await register.generate('p-256')
        await own(key)
        ids.push(key.keyId)
      }
      return ids.sort()
    }

    it('takes a token for ours while nobody owns a key', async () => {
      assert.equal(await register.ready(), true)
    })

    it('does not look at all where no token answers', async () => {
      await ownedKeys(1)
      custody.token = null
      assert.equal(await register.ready(), false)
      assert.deepEqual([custody.asked, alarms], [0, []])
    })

    it('looks once for each token and login, however often it is asked', async () => {
      await ownedKeys(3)
      for (let asked = 0; asked < 5; asked += 1) assert.equal(await register.ready(), true)
      assert.equal(custody.asked, 1)
      custody.token = 'maker 1, login 1'
      assert.equal(await register.ready(), true)
      assert.equal(custody.asked, 2)
    })

    it('takes another member of a cluster, which has the keys, for ours', async () => {
      await ownedKeys(3)
      for (const serial of [1, 2, 1, 3]) {
        custody.token = `maker ${serial}, login 0`
        assert.equal(await register.ready(), true)
      }
      assert.deepEqual(alarms, [])
    })

    it('finds the one key left among many that are gone', async () => {
      const ids = await ownedKeys(40)
      custody.there = new Set(ids.slice(-1))
      assert.equal(await register.ready(), true)
      custody.there.clear()
      custody.token = 'maker 1, login 1'
      assert.equal(await register.ready(), false)
    })

    it('does not mind that a one-time key was destroyed by somebody else meanwhile', async () => {
      const [first, second] = await ownedKeys(2)
      assert.ok(first && second)
      custody.there.delete(first)
      assert.equal(await register.ready(), true)
    })

    it('holds nothing against tokens of which one is away', async () => {
      await ownedKeys(1)
      custody.isAway = true
      assert.equal(await register.ready(), true)
      // And that is not what it remembers.
      custody.isAway = false
      custody.there.clear()
      assert.equal(await register.ready(), false)
    })

    it('tells of a token without our keys once, and asks it again when they may be back', async () => {
      const ids = await ownedKeys(1)
      custody.there.clear()
      for (let asked = 0; asked < 3; asked += 1) assert.equal(await register.ready(), false)
      assert.deepEqual([custody.asked, alarms], [2, [ALARM]])
      custody.there = new Set(ids)
      const now = performance.now.bind(performance)
      performance.now = () => now() + 6_000
      try {
        assert.equal(await register.ready(), true)
      } finally {
        performance.now = now
      }
    })
  })
})

/** What lies in the folder of each comes into that of the other. */
function swap(one: TestToken, other: TestToken): void {
  const [here, there] = [one, other].map(({ conf }) => join(dirname(conf), 'tokens'))
  assert.ok(here && there)
  renameSync(here, `${here}-aside`)
  renameSync(there, here)
  renameSync(`${here}-aside`, there)
}
