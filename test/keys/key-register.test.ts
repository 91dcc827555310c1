import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HsmUnavailableError } from '../../src/errors.js'
import { HsmKeys } from '../../src/keys/hsm-keys.js'
import type { GeneratedKey, KeyCustody } from '../../src/keys/key-custody.js'
import { newKeyId, objectIdOf, type Custody } from '../../src/keys/key-id.js'
import { KeyPool, type TakeOutcome } from '../../src/keys/key-pool.js'
import { KeyRegister } from '../../src/keys/key-register.js'
import { sql } from '../../src/storage/database.js'
import { DatabaseKeyStore, ownKey } from '../../src/storage/key-store.js'
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.js'
import { STEPS, type Step } from '../support/key-maker.js'
import { pkcs11, RawToken } from '../support/raw-token.js'
import { newTestToken, type TestToken } from '../support/softhsm.js'

const KEY_MAKER = join(import.meta.dirname, '../support/key-maker.ts')
/** Minutes after which a key that nobody took is abandoned. */
const LONG_ENOUGH = 16

/** Keys that are nowhere but in a list. */
class ListedKeys implements KeyCustody {
  readonly there = new Set<string>()
  failure: Error | null = null

  async generate(_: unknown, keyId = newKeyId('resident')): Promise<GeneratedKey> {
    this.#fail()
    this.there.add(keyId)
    const wrapped = keyId.startsWith('w') ? { wrapped: 'as only the token can read it' } : {}
    return { keyId, publicKey: Buffer.from('public'), ...wrapped }
  }

  async destroy(keyId: string): Promise<void> {
    this.#fail()
    this.there.delete(keyId)
  }

  sign = () => Promise.resolve([])
  publicKey = async (keyId: string) => (this.there.has(keyId) ? Buffer.from('public') : null)
  listKeyIds = async () => [...this.there]
  ready = () => Promise.resolve(true)
  close = () => Promise.resolve()

  #fail(): void {
    if (this.failure) throw this.failure
  }
}

describe('The register of keys', () => {
  let folder: string
  let database: SqliteDatabase
  let store: DatabaseKeyStore
  let custody: ListedKeys
  let register: KeyRegister
  let now: Date
  let alarms: string[]

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-keys-'))
    now = new Date('2026-11-22T12:00:00Z')
    database = await SqliteDatabase.open({
      ...{ file: join(folder, 'test.db'), headFile: null, now: () => now },
    })
    store = new DatabaseKeyStore(database)
    custody = new ListedKeys()
    register = newRegister()
    alarms = []
  })
  afterEach(async () => {
    await database.close()
    rmSync(folder, { recursive: true })
  })

  const newRegister = () =>
    new KeyRegister({ custody, store, now: () => now, alarm: (message) => alarms.push(message) })
  const later = (minutes: number) => (now = new Date(now.getTime() + minutes * 60_000))
  const rows = () => database.read.hsmKey.findMany({ orderBy: { keyId: 'asc' } })
  const states = async () => (await rows()).map(({ state }) => state)
  const own = (keyId: string) => database.commit({ changes: [ownKey(keyId, null)] })
  const events = () =>
    database.read.auditRecord
      .findMany({ orderBy: { seq: 'asc' } })
      .then((records) => records.map(({ event }) => event))

  it('has a key on record before the token is asked for it', async () => {
    custody.generate = async () => {
      assert.deepEqual(await states(), ['intended'])
      throw new HsmUnavailableError('no')
    }
    await assert.rejects(register.generate('p-256'), HsmUnavailableError)
    assert.deepEqual(await states(), ['intended'])
  })

  it('destroys what nobody finished, once it is surely abandoned, and not before (S96)', async () => {
    const { keyId } = await register.generate('p-256')
    await store.intend({ keyId: newKeyId('wrapped'), algorithm: 'p-256', abandonedAt: now })
    later(14)
    assert.equal(await register.destroyAbandoned(), 1)
    assert.deepEqual([...custody.there], [keyId])
    later(2)
    assert.equal(await register.destroyAbandoned(), 1)
    assert.deepEqual([...custody.there], [])
    assert.deepEqual(await rows(), [])
    assert.deepEqual(await events(), ['key.abandoned', 'key.abandoned'])
  })

  it('leaves what somebody owns, what waits to be taken, and what is not ours', async () => {
    const { keyId } = await register.generate('p-256')
    await own(keyId)
    await register.generateSpare('p-256', 'resident')
    custody.there.add('of another application')
    later(60 * 24 * 365)
    assert.equal(await register.destroyAbandoned(), 0)
    assert.equal(custody.there.size, 3)
  })

  it('lets a key become somebody’s or end, never both', async () => {
    const { keyId } = await register.generate('p-256')
    later(LONG_ENOUGH)
    const outcomes = await Promise.allSettled([own(keyId), register.destroyAbandoned()])
    const owned = outcomes[0].status === 'fulfilled'
    assert.equal(custody.there.has(keyId), owned)
    assert.deepEqual(await states(), owned ? ['owned'] : [])
    const late = await register.generate('p-256')
    await register.destroy(late.keyId)
    await assert.rejects(own(late.keyId))
  })

  it('does not give out a key that was abandoned while it was made', async () => {
    const generate = custody.generate.bind(custody)
    custody.generate = async (...request) => {
      later(LONG_ENOUGH)
      await newRegister().destroyAbandoned()
      return generate(...request)
    }
    await assert.rejects(register.generate('p-256'), /given up while it was made/)
    assert.deepEqual([...custody.there], [])
  })

  it('tries again later when the token does not destroy it, and forgets nothing (S18)', async () => {
    await register.generate('p-256')
    later(LONG_ENOUGH)
    custody.failure = new HsmUnavailableError('no')
    assert.equal(await register.destroyAbandoned(), 0)
    assert.deepEqual(await states(), ['ending'])
    assert.equal(alarms.length, 1)
    custody.failure = null
    assert.equal(await register.destroyAbandoned(), 1)
    assert.equal(custody.there.size, 0)
  })

  it('drops the wrapped half in the write that ends a key', async () => {
    const { keyId } = await register.generate('p-256', newKeyId('wrapped'))
    assert.ok((await rows())[0]?.wrapped)
    await store.beginEnd({ keyId, state: 'made' }, null)
    assert.equal((await rows())[0]?.wrapped, null)
  })

  it('flags keys the token does not have, tells of each once, and takes the flag away again', async () => {
    const made = await Promise.all([register.generate('p-256'), register.generate('p-256')])
    for (const { keyId } of made) await own(keyId)
    const [{ keyId }] = made
    custody.there.delete(keyId)
    assert.deepEqual(await register.flagMissing(), [keyId])
    assert.deepEqual(await register.flagMissing(), [keyId])
    assert.deepEqual(await events(), ['key.missing'])
    assert.equal(alarms.length, 1)
    custody.there.add(keyId)
    assert.deepEqual(await register.flagMissing(), [])
    assert.ok((await rows()).every(({ missingSince }) => missingSince === null))
  })

  it('looks for no wrapped key in the token', async () => {
    const { keyId } = await register.generate('p-256', newKeyId('wrapped'))
    await own(keyId)
    custody.there.clear()
    assert.deepEqual(await register.flagMissing(), [])
  })

  it('finds what may have to go without looking at what somebody owns', async () => {
    const [{ detail = '' } = {}] = await database.rows<{ detail: string }>(
      sql`EXPLAIN QUERY PLAN SELECT "keyId" FROM "HsmKey"
           WHERE "state" = 'ending' OR ("state" IN ('intended', 'made') AND "abandonedAt" < ${now})`,
    )
    assert.match(detail, /MULTI-INDEX OR|USING INDEX/)
  })

  describe('with keys made ahead', () => {
    const kind = { algorithm: 'p-256', custody: 'resident', wanted: 5 } as const
    const newPool = (taken: (outcome: TakeOutcome) => void = () => undefined) =>
      new KeyPool({ register: newRegister(), kinds: [kind], taken })

    it('never hands one out twice, to however many on however many machines', async () => {
      await newPool().fill()
      const outcomes: TakeOutcome[] = []
      const pools = Array.from({ length: 3 }, () => newPool((outcome) => outcomes.push(outcome)))
      const taken = await Promise.all(
        Array.from({ length: 12 }, (_, index) => pools[index % 3]!.take('p-256', 'resident')),
      )
      const names = taken.flatMap((key) => (key ? [key.keyId] : []))
      assert.equal(names.length, 5)
      assert.equal(new Set(names).size, 5)
      assert.equal(outcomes.filter((outcome) => outcome === 'empty').length, 7)
    })

    it('is filled up to what is wanted, and no further', async () => {
      const pool = newPool()
      await Promise.all([pool.fill(), pool.fill()])
      await pool.fill()
      assert.equal(custody.there.size, 5)
      await pool.take('p-256', 'resident')
      assert.deepEqual(pool.levels, [{ ...kind, ready: 4 }])
      await pool.fill()
      assert.equal(custody.there.size, 6)
    })

    it('gives no key of another kind or custody, and of an empty pool none', async () => {
      const pool = newPool()
      assert.equal(await pool.take('p-256', 'resident'), null)
      await pool.fill()
      assert.equal(await pool.take('rsa-2048', 'resident'), null)
      assert.equal(await pool.take('p-256', 'wrapped'), null)
    })

    it('gives wrapped keys with their wrapped half', async () => {
      const wrapped = { ...kind, custody: 'wrapped' } as const
      const pool = new KeyPool({ register, kinds: [wrapped] })
      await pool.fill()
      const key = await pool.take('p-256', 'wrapped')
      assert.equal(key?.wrapped, 'as only the token can read it')
      assert.deepEqual(key?.publicKey, Buffer.from('public'))
    })

    it('takes back to the token what was taken and came to nothing', async () => {
      const pool = newPool()
      await pool.fill()
      const key = await pool.take('p-256', 'resident')
      later(LONG_ENOUGH)
      assert.equal(await register.destroyAbandoned(), 1)
      assert.ok(!custody.there.has(key!.keyId))
      assert.equal(custody.there.size, 4)
    })

    it('stops when the token makes none, and when it is told to', async () => {
      const stopping = new AbortController()
      stopping.abort()
      await newPool().fill(stopping.signal)
      assert.equal(custody.there.size, 0)
      custody.failure = new HsmUnavailableError('no')
      await assert.rejects(newPool().fill(), HsmUnavailableError)
      assert.equal((await rows()).length, 1)
    })
  })
})

describe('A process killed while it makes or destroys a key (S96)', function () {
  this.slow(20_000)
  const now = () => new Date(Date.now() + LONG_ENOUGH * 60_000)
  let folder: string
  let token: TestToken
  let keys: HsmKeys
  let raw: RawToken
  let database: SqliteDatabase
  const killed: { step: Step; keyId: string }[] = []

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-kill-'))
    const file = join(folder, 'test.db')
    token = newTestToken()
    database = await SqliteDatabase.open({ file, headFile: null, now })
    keys = await HsmKeys.open({
      ...{ ...token, sessions: 2, wrappedKeys: { find: () => Promise.resolve(null) } },
    })
    await keys.makeWrappingKeys()
    raw = new RawToken(token)
    await Promise.all(
      STEPS.map(async (step) => {
        const custody = step === 'made' ? 'wrapped' : 'resident'
        killed.push({ step, keyId: await makeKey(file, custody, step) })
      }),
    )
  })
  after(async () => {
    raw.close()
    await keys.close()
    await database.close()
    rmSync(folder, { recursive: true })
  })

  function makeKey(file: string, custody: Custody, step: Step): Promise<string> {
    const args = [file, JSON.stringify(token), custody, step]
    const child = spawn(process.execPath, ['--import', 'tsx', KEY_MAKER, ...args], {
      env: { ...process.env, SOFTHSM2_CONF: token.conf },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    return new Promise((resolve, reject) => {
      child.on('close', (_, signal) => {
        if (signal === 'SIGKILL') resolve(output.trim())
        else reject(new Error(`${step}: it was not killed`))
      })
    })
  }

  const objectsOf = (keyId: string) =>
    raw.find([{ type: pkcs11.CKA_ID, value: objectIdOf(keyId) ?? Buffer.alloc(0) }]).length

  it('leaves a record of it at every step, and nothing once the next one has looked', async () => {
    const recorded = new Set((await database.read.hsmKey.findMany()).map(({ keyId }) => keyId))
    for (const { step, keyId } of killed) assert.ok(recorded.has(keyId), step)
    assert.ok(killed.some(({ keyId }) => objectsOf(keyId) === 2))
    const store = new DatabaseKeyStore(database)
    const register = new KeyRegister({
      ...{ custody: keys, store, now, alarm: (message) => assert.fail(message) },
    })
    assert.equal(await register.destroyAbandoned(), killed.length)
    for (const { step, keyId } of killed) assert.equal(objectsOf(keyId), 0, step)
    assert.deepEqual(await keys.listKeyIds(), [])
    assert.deepEqual(await database.read.hsmKey.findMany(), [])
  })
})
