import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../../../src/errors.js'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../../src/keys/algorithms.js'
import { ResidentKeyCustody } from '../../../src/keys/hsm-resident.js'
import { TokenError } from '../../../src/keys/pkcs11/ckr.js'
import { SessionPool, type SessionPoolOptions } from '../../../src/keys/pkcs11/session-pool.js'
import type {
  KeyHandle,
  KeyPairTemplate,
  Mechanism,
  OpenSession,
  PrivateKeyAttributes,
  Token,
} from '../../../src/keys/pkcs11/session.js'

type SessionCall = Exclude<keyof OpenSession, 'close'>

/** A token whose every call can be made to fail or to hang. Signatures name the key that made them. */
class FakeToken implements Token {
  readonly signsTogether = 1
  openFault: TokenError | null = null
  faults: Partial<Record<SessionCall, TokenError>> = {}
  /** How often the faults above strike. */
  strikes = Infinity
  hang: Promise<unknown> | null = null
  opened: FakeSession[] = []
  attempts = 0
  reinitialised = 0
  released = 0
  attributes: Partial<PrivateKeyAttributes> = {}
  /** Handles of the current life of the token; another life gives the number to another key. */
  handleOf = new Map<string, number>()

  describe(): never {
    throw new Error('has nothing to say')
  }

  async openSession(): Promise<OpenSession> {
    this.attempts += 1
    if (this.openFault !== null) throw this.openFault
    const session = new FakeSession(this)
    this.opened.push(session)
    return session
  }

  async reinitialise(): Promise<void> {
    this.reinitialised += 1
  }

  async release(): Promise<void> {
    assert.deepEqual(
      this.opened.filter((session) => !session.closed),
      [],
      'sessions are open when the library is finalised',
    )
    this.released += 1
  }

  async enter(call: SessionCall): Promise<void> {
    const fault = this.faults[call]
    if (fault !== undefined && this.strikes > 0) {
      this.strikes -= 1
      throw fault
    }
    if (this.hang !== null && call === 'sign') await this.hang
  }
}

class FakeSession implements OpenSession {
  closed = false
  #busy = false
  readonly #token: FakeToken

  constructor(token: FakeToken) {
    this.#token = token
  }

  async #run<T>(call: SessionCall, result: () => T): Promise<T> {
    assert.ok(!this.closed, 'a closed session is used')
    assert.ok(!this.#busy, 'a session is used twice at once')
    this.#busy = true
    try {
      await this.#token.enter(call)
      await sleep(Math.random() * 2)
      return result()
    } finally {
      this.#busy = false
    }
  }

  findPrivateKeys(id: Buffer) {
    return this.#run('findPrivateKeys', () => {
      const number = this.#token.handleOf.get(id.toString('hex'))
      return number === undefined ? [] : [{ handle: Buffer.of(number) }]
    })
  }
  findPublicKeys(id: Buffer) {
    return this.findPrivateKeys(id)
  }
  sign(key: KeyHandle, _mechanism: Mechanism, data: readonly Buffer[]) {
    return this.#run('sign', () => data.map(() => Buffer.from([key.handle[0]!, 1])))
  }
  generateKeyPair({ id }: KeyPairTemplate) {
    return this.#run('generateKeyPair', () => {
      this.#token.handleOf.set(id.toString('hex'), 9)
      return { privateKey: { handle: Buffer.of(9) }, publicKey: { handle: Buffer.of(9) } }
    })
  }
  privateKeyAttributes() {
    return this.#run('privateKeyAttributes', () => ({ ...GOOD, ...this.#token.attributes }))
  }
  publicKeyValue() {
    return this.#run('publicKeyValue', () => ({
      type: 'rsa' as const,
      modulus: Buffer.alloc(256, 0xff),
      exponent: Buffer.of(1, 0, 1),
    }))
  }
  destroy(key: KeyHandle) {
    return this.#run('destroy', () => {
      for (const [id, number] of this.#token.handleOf) {
        if (number === key.handle[0]) this.#token.handleOf.delete(id)
      }
    })
  }
  probe() {
    return this.#run('probe', () => 'maker serial')
  }
  readonly findSecretKeys = () => none()
  readonly generateSecretKey = () => none()
  readonly secretKeyAttributes = () => none()
  readonly wrap = () => none()
  readonly unwrap = () => none()
  readonly mac = () => none()
  readonly listPrivateKeyIds = () => none()
  async close(): Promise<void> {
    assert.ok(!this.#busy, 'a session is closed under a call')
    assert.ok(!this.closed, 'a session is closed twice')
    this.closed = true
  }
}

const none = () => Promise.reject(new Error('wraps no keys'))

const GOOD: PrivateKeyAttributes = {
  token: true,
  private: true,
  sensitive: true,
  alwaysSensitive: true,
  extractable: false,
  neverExtractable: true,
  local: true,
  sign: true,
  signRecover: false,
  decrypt: false,
  unwrap: false,
  derive: false,
  allowedMechanisms: ['rsa-pkcs', 'rsa-pkcs-pss'],
}

const fault = (name: string, call = 'C_Sign') => new TokenError(call, new Error(name))
const ALGORITHM: SignatureAlgorithm = { scheme: 'rsa-pkcs1', hash: HASH_ALGORITHMS.sha256 }
const digest = Buffer.alloc(32, 1)
const keyId = 'aa'.repeat(16)
const otherKeyId = 'bb'.repeat(16)

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((settle) => (resolve = settle))
  return { promise, resolve }
}

const unavailable = (message: RegExp) => (error: unknown) =>
  error instanceof HsmUnavailableError && message.test(error.message)

function setUp(options: Partial<SessionPoolOptions> = {}) {
  const token = new FakeToken()
  token.handleOf.set(keyId, 1)
  token.handleOf.set(otherKeyId, 2)
  const alarms: string[] = []
  const pool = new SessionPool({
    token,
    sessions: 3,
    reopenDelayMs: 0,
    alarm: (message) => alarms.push(message),
    ...options,
  })
  const custody = new ResidentKeyCustody(pool)
  return { token, pool, custody, alarms }
}

describe('The session pool', () => {
  it('opens no more sessions than it may, and each serves one caller at a time (S89)', async () => {
    const { token, custody } = setUp()
    await Promise.all(Array.from({ length: 200 }, () => custody.sign(keyId, [digest], ALGORITHM)))
    assert.equal(token.opened.length, 3)
    await custody.close()
  })

  it('turns callers away when too many wait', async () => {
    const { token, custody } = setUp({ sessions: 1, queueLimit: 2 })
    const hanging = deferred()
    token.hang = hanging.promise
    const calls = [1, 2, 3].map(() => custody.sign(keyId, [digest], ALGORITHM))
    await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), unavailable(/Too many callers/))
    hanging.resolve()
    await Promise.all(calls)
    await custody.close()
  })

  it('turns callers away when no session comes free in time', async () => {
    const { token, custody } = setUp({ sessions: 1, queueTimeoutMs: 20 })
    const hanging = deferred()
    token.hang = hanging.promise
    const first = custody.sign(keyId, [digest], ALGORITHM)
    await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), unavailable(/free in time/))
    hanging.resolve()
    await first
    await custody.sign(keyId, [digest], ALGORITHM)
    await custody.close()
  })

  for (const call of ['findPrivateKeys', 'sign', 'probe'] as const) {
    it(`never hands out a session again after ${call} failed on it (S90)`, async () => {
      const { token, pool, custody } = setUp({ sessions: 1 })
      token.faults = { [call]: fault('CKR_FUNCTION_FAILED') }
      token.strikes = 1
      const id = Buffer.from(keyId, 'hex')
      const use = pool.withSession(async (session) => {
        await session.probe()
        const [key] = await session.findPrivateKeys(id)
        return session.sign(key!, { kind: 'rsa-pkcs' }, [digest])
      })
      await assert.rejects(use)
      assert.ok(token.opened[0]!.closed)
      for (let round = 0; round < 100; round += 1) await custody.sign(keyId, [digest], ALGORITHM)
      assert.equal(token.opened.length, 2)
      await custody.close()
    })
  }

  it('never hands out a session again when the caller failed for reasons of its own', async () => {
    const { token, pool } = setUp({ sessions: 1 })
    const failing = pool.withSession(() => Promise.reject(new RangeError('mine')))
    await assert.rejects(failing, RangeError)
    assert.ok(token.opened[0]!.closed)
    await pool.close()
  })

  it('lets nothing through once a loan has ended or a call on it has failed', async () => {
    const { token, pool } = setUp()
    const kept = await pool.withSession((session) => Promise.resolve(session))
    await assert.rejects(kept.probe(), unavailable(/not free/))
    token.faults = { probe: fault('CKR_FUNCTION_FAILED') }
    await assert.rejects(
      pool.withSession(async (session) => {
        await session.probe().catch(() => undefined)
        await session.findPrivateKeys(digest)
      }),
      unavailable(/not free/),
    )
    await pool.close()
  })

  it('tries a wrong PIN once, then stops and raises an alarm (S93)', async () => {
    const { token, custody, alarms } = setUp()
    token.openFault = fault('CKR_PIN_INCORRECT', 'C_Login')
    const calls = Array.from({ length: 20 }, () => custody.sign(keyId, [digest], ALGORITHM))
    for (const result of await Promise.allSettled(calls)) assert.equal(result.status, 'rejected')
    token.openFault = null
    await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), unavailable(/refused the PIN/))
    assert.equal(await custody.ready(), false)
    assert.equal(token.attempts, 1)
    assert.deepEqual(alarms, ['The token refused the PIN'])
    await custody.close()
  })

  it('does not ask a token again at once that could not be reached', async () => {
    const { token, custody } = setUp({ reopenDelayMs: 800 })
    token.openFault = fault('CKR_DEVICE_REMOVED', 'C_OpenSession')
    for (let round = 0; round < 20; round += 1) {
      await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), HsmUnavailableError)
    }
    assert.equal(token.attempts, 1)
    token.openFault = null
    await sleep(850)
    await custody.sign(keyId, [digest], ALGORITHM)
    await custody.close()
  })
})

describe('A signature the token did not make', () => {
  for (const name of [
    'CKR_KEY_FUNCTION_NOT_PERMITTED',
    'CKR_MECHANISM_INVALID',
    'CKR_DATA_LEN_RANGE',
  ]) {
    it(`is reported as such after ${name}`, async () => {
      const { token, custody } = setUp()
      token.faults = { sign: fault(name) }
      await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), HsmUnavailableError)
      await custody.close()
    })
  }

  it('is reported as such when the sign operation could not even begin', async () => {
    const { token, custody } = setUp()
    token.faults = { sign: fault('CKR_FUNCTION_FAILED', 'C_SignInit') }
    await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), HsmUnavailableError)
    await custody.close()
  })

  it('is tried once more, and only once, when sessions or login were lost', async () => {
    const losses = ['CKR_SESSION_HANDLE_INVALID', 'CKR_USER_NOT_LOGGED_IN', 'CKR_DEVICE_REMOVED']
    for (const name of losses) {
      const { token, custody } = setUp()
      await custody.sign(keyId, [digest], ALGORITHM)
      token.faults = { sign: fault(name, 'C_SignInit') }
      token.strikes = 1
      await custody.sign(keyId, [digest], ALGORITHM)
      token.strikes = 2
      await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), HsmUnavailableError)
      assert.equal(token.strikes, 0)
      await custody.sign(keyId, [digest], ALGORITHM)
      await custody.close()
    }
  })
})

describe('A signature of unknown outcome (S6)', () => {
  const unknown = [
    'CKR_DEVICE_ERROR',
    'CKR_FUNCTION_FAILED',
    'CKR_HOST_MEMORY',
    'CKR_GENERAL_ERROR',
  ]
  for (const name of [...unknown, 'CKR_SESSION_CLOSED', 'CKR_VENDOR_DEFINED:2147483650']) {
    it(`is reported as such after ${name}, and never tried again`, async () => {
      const { token, custody } = setUp()
      token.faults = { sign: fault(name) }
      token.strikes = 1
      await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), HsmOutcomeUnknownError)
      assert.equal(token.strikes, 0)
      await custody.sign(keyId, [digest], ALGORITHM)
      await custody.close()
    })
  }

  it('spoils its batch', async () => {
    for (let position = 0; position < 6; position += 1) {
      const { token, custody } = setUp({ sessions: 2 })
      let calls = 0
      const enter = token.enter.bind(token)
      token.enter = (call) => {
        if (call === 'sign' && calls++ === position)
          return Promise.reject(fault('CKR_DEVICE_ERROR'))
        return enter(call)
      }
      const digests = Array.from({ length: 6 }, () => randomBytes(32))
      await assert.rejects(custody.sign(keyId, digests, ALGORITHM), HsmOutcomeUnknownError)
      await custody.close()
    }
  })

  it('is the outcome of a batch of which some was signed before the rest was refused', async () => {
    const { token, custody } = setUp({ sessions: 1 })
    let calls = 0
    token.enter = (call) =>
      call === 'sign' && ++calls === 3
        ? Promise.reject(fault('CKR_FUNCTION_FAILED', 'C_SignInit'))
        : Promise.resolve()
    const digests = Array.from({ length: 5 }, () => randomBytes(32))
    await assert.rejects(custody.sign(keyId, digests, ALGORITHM), HsmOutcomeUnknownError)
    assert.equal(calls, 3, 'it went on after the failure')
    await custody.close()
  })
})

describe('A call that does not return (S94)', () => {
  it('times out for its caller, keeps its session out of use, and does not hold up others', async () => {
    const { token, pool, custody, alarms } = setUp({ sessions: 1, signTimeoutMs: 30 })
    const hanging = deferred()
    token.hang = hanging.promise
    await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), HsmOutcomeUnknownError)
    token.hang = null
    // with the one call hanging that it may have, the pool asks no more
    await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), unavailable(/do not return/))
    assert.equal(pool.state.quarantined, 1)
    assert.equal(token.opened[0]!.closed, false)
    assert.equal(alarms.length, 1)
    hanging.resolve()
    await sleep(20)
    assert.equal(token.opened[0]!.closed, true)
    await custody.sign(keyId, [digest], ALGORITHM)
    assert.equal(token.opened.length, 2)
    await custody.close()
  })

  it('leaves the other sessions at work', async () => {
    const { token, custody } = setUp({ sessions: 2, signTimeoutMs: 30 })
    const hanging = deferred()
    token.hang = hanging.promise
    const stuck = assert.rejects(custody.sign(keyId, [digest], ALGORITHM), HsmOutcomeUnknownError)
    await sleep(10)
    token.hang = null
    await custody.sign(otherKeyId, [digest], ALGORITHM)
    await stuck
    await Promise.all([1, 2, 3].map(() => custody.sign(otherKeyId, [digest], ALGORITHM)))
    hanging.resolve()
    await custody.close()
  })

  it('keeps shutdown waiting for it, but not for ever, and is never finalised under', async () => {
    const { token, custody, alarms } = setUp({ signTimeoutMs: 10, drainTimeoutMs: 50 })
    token.hang = new Promise(() => undefined)
    await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), HsmOutcomeUnknownError)
    await custody.close()
    assert.equal(token.released, 0)
    assert.equal(token.opened[0]!.closed, false)
    assert.equal(alarms.at(-1), 'Calls to the token did not return before shutdown')
  })

  it('is waited for at shutdown when it does return', async () => {
    const { token, custody } = setUp({ signTimeoutMs: 10 })
    const hanging = deferred()
    token.hang = hanging.promise
    await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), HsmOutcomeUnknownError)
    const closed = custody.close()
    await sleep(20)
    assert.equal(token.released, 0)
    hanging.resolve()
    await closed
    assert.equal(token.released, 1)
  })
})

describe('Shutdown (S95)', () => {
  it('answers callers under way, refuses those in the queue and later ones, then finalises', async () => {
    const { token, custody } = setUp({ sessions: 1 })
    const hanging = deferred()
    token.hang = hanging.promise
    const underWay = custody.sign(keyId, [digest], ALGORITHM)
    const queued = assert.rejects(custody.sign(keyId, [digest], ALGORITHM), unavailable(/Shutting/))
    const closed = custody.close()
    await queued
    await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), unavailable(/Shutting/))
    assert.equal(token.released, 0)
    hanging.resolve()
    assert.equal((await underWay).length, 1)
    await closed
    assert.equal(token.released, 1)
  })
})

describe('After the device was lost (S91)', () => {
  it('no key is used by a handle from before, which may now be another key', async () => {
    const { token, custody } = setUp()
    assert.deepEqual((await custody.sign(keyId, [digest], ALGORITHM))[0]![0], 1)
    token.handleOf = new Map([
      [keyId, 2],
      [otherKeyId, 1],
    ])
    token.faults = { probe: fault('CKR_DEVICE_REMOVED', 'C_GetSessionInfo') }
    token.strikes = 1
    assert.equal(await custody.ready(), true)
    const signatures = await Promise.all(
      [keyId, otherKeyId].map((id) => custody.sign(id, [digest], ALGORITHM)),
    )
    assert.deepEqual(
      signatures.map(([signature]) => signature![0]),
      [2, 1],
    )
    await custody.close()
  })

  it('nor by one from before the last session was closed, and the login with it', async () => {
    const { token, custody } = setUp({ sessions: 1 })
    await custody.sign(keyId, [digest], ALGORITHM)
    token.faults = { sign: fault('CKR_FUNCTION_FAILED') }
    token.strikes = 1
    await assert.rejects(custody.sign(keyId, [digest], ALGORITHM), HsmOutcomeUnknownError)
    token.handleOf = new Map([
      [keyId, 2],
      [otherKeyId, 1],
    ])
    assert.deepEqual((await custody.sign(keyId, [digest], ALGORITHM))[0]![0], 2)
    await custody.close()
  })

  it('one loss that several callers meet does not cost the sessions opened since', async () => {
    const { token, pool } = setUp()
    const late = deferred()
    const lost = fault('CKR_SESSION_HANDLE_INVALID', 'C_SignInit')
    const lateCaller = pool.withSession(async () => {
      await late.promise
      throw lost
    })
    await assert.rejects(pool.withSession(() => Promise.reject(lost)))
    await pool.withSession((session) => session.probe())
    const since = token.opened.at(-1)!
    late.resolve()
    await assert.rejects(lateCaller)
    assert.equal(since.closed, false)
    await pool.withSession((session) => session.probe())
    assert.equal(token.opened.at(-1), since)
    await pool.close()
  })

  it('a token that was away for long is looked for by initialising the library as often as before', async () => {
    const { token, custody } = setUp()
    assert.equal(await custody.ready(), true)
    token.faults = { probe: fault('CKR_DEVICE_REMOVED', 'C_GetSessionInfo') }
    token.openFault = fault('CKR_TOKEN_NOT_PRESENT', 'C_GetSlotList')
    const [attempts, since] = [token.attempts, () => token.attempts - attempts]
    while (since() < 100) assert.equal(await custody.ready(), false)
    const before = token.reinitialised
    while (since() < 106) assert.equal(await custody.ready(), false)
    assert.deepEqual([before, token.reinitialised], [17, 18])
    await custody.close()
  })

  it('a library that is no longer initialised is initialised again, with no session out', async () => {
    const { token, custody } = setUp()
    token.faults = { probe: fault('CKR_CRYPTOKI_NOT_INITIALIZED', 'C_GetSessionInfo') }
    token.strikes = 1
    const reinitialise = token.reinitialise.bind(token)
    token.reinitialise = () => {
      assert.ok(token.opened.every((session) => session.closed))
      return reinitialise()
    }
    assert.equal(await custody.ready(), true)
    assert.equal(token.reinitialised, 1)
    await custody.close()
  })
})

describe('A new key (S85)', () => {
  const bad: Partial<PrivateKeyAttributes>[] = [
    { token: false },
    { private: false },
    { sensitive: false },
    { alwaysSensitive: false },
    { extractable: true },
    { neverExtractable: false },
    { local: false },
    { sign: false },
    { signRecover: true },
    { decrypt: true },
    { unwrap: true },
    { derive: true },
    { allowedMechanisms: [] },
    { allowedMechanisms: ['rsa-pkcs', 'rsa-pkcs-pss', 'ecdsa'] },
  ]
  for (const attributes of bad) {
    it(`is destroyed when the token gave it ${JSON.stringify(attributes)}`, async () => {
      const { token, custody } = setUp()
      token.handleOf.clear()
      token.attributes = attributes
      await assert.rejects(
        custody.generate('rsa-2048'),
        unavailable(new RegExp(`other attributes: ${Object.keys(attributes)[0]}$`)),
      )
      assert.equal(token.handleOf.size, 0)
      await custody.close()
    })
  }

  it('is destroyed when its trial signature does not verify under its public half', async () => {
    const { token, custody } = setUp()
    token.handleOf.clear()
    await assert.rejects(custody.generate('rsa-2048'), unavailable(/does not match/))
    assert.equal(token.handleOf.size, 0)
    await custody.close()
  })

  for (const call of ['privateKeyAttributes', 'publicKeyValue', 'sign'] as const) {
    it(`is destroyed when ${call} fails on it`, async () => {
      const { token, custody } = setUp()
      token.handleOf.clear()
      token.faults = { [call]: fault('CKR_FUNCTION_FAILED') }
      await assert.rejects(custody.generate('rsa-2048'), HsmUnavailableError)
      assert.equal(token.handleOf.size, 0)
      await custody.close()
    })
  }

  it('that is ready only after the caller has given up is destroyed', async () => {
    const { token, custody } = setUp({ generateTimeoutMs: 10 })
    token.handleOf.clear()
    const slow = deferred()
    const enter = token.enter.bind(token)
    token.enter = (call) => (call === 'generateKeyPair' ? slow.promise : enter(call))
    await assert.rejects(custody.generate('rsa-2048'), unavailable(/did not return in time/))
    slow.resolve()
    await sleep(40)
    assert.equal(token.handleOf.size, 0)
    await custody.close()
  })

  it('of a token that knows no CKA_COPYABLE is made without it', async () => {
    const { token, custody } = setUp()
    token.faults = { generateKeyPair: fault('CKR_ATTRIBUTE_TYPE_INVALID', 'C_GenerateKeyPair') }
    token.strikes = 1
    await assert.rejects(custody.generate('rsa-2048'), unavailable(/does not match/))
    await custody.close()
  })
})
