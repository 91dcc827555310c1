import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pino } from 'pino'
import { checkConfig } from '../../../src/config/load.js'
import { Secrets } from '../../../src/config/secrets.js'
import type { Config } from '../../../src/config/schema.js'
import { HsmUnavailableError } from '../../../src/errors.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import type { KeyCustody } from '../../../src/keys/key-custody.js'
import { encodeFrame, FrameReader } from '../../../src/keys/process/protocol.js'
import {
  connectKeyProcess,
  startKeyProcess,
  type KeyProcess,
} from '../../../src/keys/process/supervisor.js'
import { SqliteDatabase } from '../../../src/storage/sqlite/sqlite-database.js'
import { digestOf, hsmSettings, testSettings } from '../../support/rssp.js'
import { Pkcs11Shim } from '../../support/pkcs11-shim.js'
import { isAlive, pidOf, until } from '../../support/processes.js'
import { newTokenDirectory, type TestToken } from '../../support/softhsm.js'

/** Octets, and what came back until the other end closed. */
async function talk(socketPath: string, octets: readonly Buffer[]): Promise<unknown[]> {
  const socket = createConnection(socketPath)
  const reader = new FrameReader(1_000_000)
  const answers: unknown[] = []
  socket.on('data', (piece) => answers.push(...reader.read(piece)))
  socket.on('error', () => undefined)
  for (const each of octets) socket.write(each)
  await closed(socket)
  return answers
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

describe('The key process', () => {
  let folder: string
  let token: TestToken
  let config: Config
  let keyProcess: KeyProcess
  let custody: KeyCustody

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-key-process-'))
    token = newTokenDirectory()
    config = configWith()
    const file = config.database.slice('file:'.length)
    // Its tables are there before the key process looks.
    const database = await SqliteDatabase.open({ file, headFile: null, now: () => new Date() })
    await database.close()
    keyProcess = await startKeyProcess(config, { logger: pino({ level: 'silent' }) })
    custody = await connectKeyProcess(keyProcess, config)
  })
  after(async () => {
    await custody.close()
    await keyProcess.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  function configWith(hsm: Record<string, unknown> = {}): Config {
    const settings = testSettings('http://127.0.0.1:1', 1, {
      hsm: hsmSettings(token, { signTimeoutSeconds: 2, ...hsm }),
      log: { level: 'silent' },
    })
    const secrets = join(folder, 'secrets.key')
    if (!statSync(secrets, { throwIfNoEntry: false })) Secrets.create(secrets)
    return checkConfig(settings, folder, {})
  }

  const sign = () =>
    custody.sign('0'.repeat(32), [digestOf('x')], { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 })

  beforeEach(() => until(() => custody.ready()))

  it('makes keys, shows their public halves and destroys them', async () => {
    const { keyId, publicKey } = await custody.generate('p-256')
    assert.deepEqual(await custody.publicKey(keyId), publicKey)
    await custody.destroy(keyId)
    assert.equal(await custody.publicKey(keyId), null)
  })

  it('listens where nobody but its owner comes in', () => {
    assert.equal(statSync(dirname(keyProcess.socket)).mode & 0o777, 0o700)
    assert.equal(statSync(keyProcess.socket).mode & 0o777, 0o600)
  })

  describe('closes the connection, without an answer,', () => {
    const hello = () => encodeFrame({ token: keyProcess.token })
    const length = (octets: number) => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32LE(octets)
      return bytes
    }
    const strangers: Record<string, () => Buffer[]> = {
      'of who does not know the token': () => [encodeFrame({ token: randomUUID() })],
      'of who has an empty token': () => [encodeFrame({ token: '' })],
      'of who has no token': () => [encodeFrame({})],
      'of who begins with a request': () => [encodeFrame([[1, 'ready']])],
      'of who begins with a list': () => [encodeFrame([keyProcess.token])],
      'of who begins with a long frame': () => [length(100_000), Buffer.alloc(10)],
      'of who begins with what is not JSON': () => [length(5), Buffer.from('hello')],
    }
    for (const [who, octets] of Object.entries(strangers)) {
      it(who, async () => assert.deepEqual(await talk(keyProcess.socket, octets()), []))
    }

    const wrong: Record<string, Buffer[]> = {
      'for an oversized frame': [length(5_000_000), Buffer.alloc(1_000)],
      'for the longest frame one can announce': [length(0xffff_ffff)],
      'for a frame that is not JSON': [length(4), Buffer.from('[[1,')],
      'for a request it does not know': [encodeFrame([[1, 'unwrap', 'key']])],
      'for one request alone': [encodeFrame([1, 'ready'])],
      'for a good request beside a bad one': [encodeFrame([[1, 'ready'], [2]])],
      'for a second token': [encodeFrame({ token: 'again' })],
    }
    for (const [what, octets] of Object.entries(wrong)) {
      it(what, async () => {
        const answers = await talk(keyProcess.socket, [hello(), ...octets])
        assert.equal(answers.length, 1, 'more than the welcome')
      })
    }
  })

  it('is asked for as many documents as people sign at once, together with others', async () => {
    const [digest, row, bytes] = [digestOf('x'), randomUUID(), Buffer.alloc(60_000)]
    const times = <T>(count: number, each: T) => new Array<T>(count).fill(each)
    const signing = (documents: number) =>
      custody.sign(
        '0'.repeat(32),
        times(documents, digest),
        { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 },
        { id: 'nobody’s', rows: times(documents, row), toBeSigned: times(documents, bytes) },
      )
    const callers = [signing(60), signing(1), ...times(20, 2).map(signing)]
    const answers = await Promise.allSettled([
      ...[signing(60_000), ...callers],
      custody.publicKey('0'.repeat(32)),
    ])
    assert.equal(answers.pop()?.status, 'fulfilled')
    for (const [index, answer] of answers.entries()) {
      // Refused, and not lost on the way.
      assert.ok(answer.status === 'rejected' && answer.reason instanceof HsmUnavailableError)
      const why = index === 0 ? /More than the key process takes/ : /started again meanwhile/
      assert.match(answer.reason.message, why)
    }
  })

  it('waits for the rest of half a frame, and forgets it with the connection', async () => {
    const socket = createConnection(keyProcess.socket)
    socket.write(encodeFrame({ token: keyProcess.token }))
    const frame = encodeFrame([[7, 'ready']])
    socket.write(frame.subarray(0, 6))
    const reader = new FrameReader(1_000)
    const answers: unknown[] = []
    const answered = new Promise<void>((resolve) => {
      socket.on('data', (piece) => {
        answers.push(...reader.read(piece))
        if (answers.length === 1) socket.write(frame.subarray(6))
        if (answers.length === 2) resolve()
      })
    })
    await answered
    assert.deepEqual(answers[1], [[7, null, true]])
    socket.write(frame.subarray(0, 6))
    socket.destroy()
    assert.ok(await custody.ready())
  })

  it('has the PIN neither in its arguments nor in its environment', () => {
    const pid = pidOf(keyProcess)
    for (const name of ['cmdline', 'environ']) {
      const text = readFileSync(`/proc/${pid}/${name}`, 'latin1')
      assert.ok(!text.includes(token.pin) && !text.includes(keyProcess.token), name)
    }
  })

  it('is started again when it is killed, and is found again', async () => {
    const pid = pidOf(keyProcess)
    const { restarts } = keyProcess.state
    process.kill(pid, 'SIGKILL')
    await until(() => !isAlive(pid))
    await until(() => custody.ready())
    assert.notEqual(keyProcess.state.pid, pid)
    assert.equal(keyProcess.state.restarts, restarts + 1)
  })

  it('is started again when the library crashes it', async () => {
    const pid = pidOf(keyProcess)
    process.kill(pid, 'SIGSEGV')
    await until(() => !isAlive(pid))
    await until(() => custody.ready())
  })

  it('is replaced when it hangs, and what it was asked for ends', async () => {
    const pid = pidOf(keyProcess)
    process.kill(pid, 'SIGSTOP')
    const asked = Promise.allSettled([custody.publicKey('0'.repeat(32)), sign()])
    await until(() => !isAlive(pid))
    const [harmless, signing] = await asked
    assert.equal(harmless.status === 'rejected' && harmless.reason.name, 'HsmUnavailableError')
    assert.equal(signing.status === 'rejected' && signing.reason.name, 'HsmOutcomeUnknownError')
    await until(() => custody.ready())
  })

  it('refuses at once while it is away, and is not ready then', async () => {
    const pid = pidOf(keyProcess)
    process.kill(pid, 'SIGKILL')
    await until(() => !keyProcess.state.running)
    await assert.rejects(sign(), HsmUnavailableError)
    assert.equal(await custody.ready(), false)
    await until(() => custody.ready())
  })

  it('does not mind signals a terminal or service manager sends to all of them', async () => {
    const pid = pidOf(keyProcess)
    process.kill(pid, 'SIGINT')
    process.kill(pid, 'SIGTERM')
    assert.ok(await custody.ready())
    assert.equal(keyProcess.state.pid, pid)
  })

  it('does not start with a wrong PIN, and says why', async () => {
    const pinFile = join(folder, 'wrong.pin')
    writeFileSync(pinFile, '999999', { mode: 0o600 })
    await assert.rejects(
      startKeyProcess(configWith({ pinFile }), { logger: pino({ level: 'silent' }) }),
      /^PinRefusedError: The token "openrssp-test" could not be opened: .*CKR_PIN_INCORRECT/,
    )
  })

  it('is not started again when the PIN is refused: one try is all it has (S93)', async () => {
    const shim = new Pkcs11Shim(newTokenDirectory())
    const pinFile = join(folder, 'changed.pin')
    writeFileSync(pinFile, shim.token.pin, { mode: 0o600 })
    let givenUp: (() => void) | null = null
    const hasGivenUp = new Promise<void>((resolve) => (givenUp = resolve))
    const write = (line: string) => {
      if (line.includes('the key process is not started again')) givenUp?.()
    }
    const settings = testSettings('http://127.0.0.1:1', 1, {
      hsm: { ...hsmSettings(shim.token), pinFile },
      log: { level: 'silent' },
    })
    const logger = pino({ level: 'error' }, { write })
    const other = await startKeyProcess(checkConfig(settings, folder, {}), { logger })
    writeFileSync(pinFile, '999999')
    const tries = shim.calls('C_Login')
    process.kill(pidOf(other), 'SIGKILL')
    await hasGivenUp
    assert.equal(shim.calls('C_Login'), tries + 1)
    assert.deepEqual([other.state.running, other.state.pid], [false, null])
    await other.stop()
  })

  it('does not start without its token, and says why', async () => {
    await assert.rejects(
      startKeyProcess(configWith({ tokenLabel: 'none' }), { logger: pino({ level: 'silent' }) }),
      /^StartError: The token "none" could not be opened: .*CKR_TOKEN_NOT_PRESENT/,
    )
  })

  it('lets no caller wait for one that does not answer', async () => {
    const elsewhere = { socket: join(folder, 'nobody'), token: 'x' }
    await assert.rejects(connectKeyProcess(elsewhere, config), HsmUnavailableError)
    const wrong = { socket: keyProcess.socket, token: 'x'.repeat(keyProcess.token.length) }
    await assert.rejects(connectKeyProcess(wrong, config), HsmUnavailableError)
  })

  it('says which token is in place, in each run anew', async () => {
    const first = await custody.tokenInPlace?.()
    assert.match(first ?? '', /SoftHSM/)
    assert.equal(await custody.tokenInPlace?.(), first)
    process.kill(pidOf(keyProcess), 'SIGKILL')
    await until(async () => (await custody.tokenInPlace?.()) !== first)
    await until(() => custody.ready())
    assert.notEqual(await custody.tokenInPlace?.(), first)
  })

  it('is started as soon as that is possible again, when the machine had no room for it (S103)', async () => {
    const other = await startKeyProcess(config, { logger: pino({ level: 'silent' }) })
    const node = process.execPath
    process.execPath = join(folder, 'nothing')
    try {
      process.kill(pidOf(other), 'SIGKILL')
      await until(() => other.state.restarts > 1)
      assert.deepEqual([other.state.running, other.state.pid], [false, null])
    } finally {
      process.execPath = node
    }
    await until(() => other.state.running)
    await other.stop()
  })

  it('ends when it is told to, and leaves nothing behind', async () => {
    const other = await startKeyProcess(config, { logger: pino({ level: 'silent' }) })
    const pid = pidOf(other)
    await other.stop()
    assert.ok(!isAlive(pid))
    assert.equal(statSync(dirname(other.socket), { throwIfNoEntry: false }), undefined)
  })
})
