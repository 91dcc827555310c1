import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { Secrets } from '../../src/config/secrets.js'
import type { Credential } from '../../src/credentials/credential.js'
import { HsmUnavailableError } from '../../src/errors.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import type { KeyProcess } from '../../src/keys/process/supervisor.js'
import {
  digestOf,
  ECDSA_SHA256,
  freePort,
  hsmSettings,
  startRssp,
  testSettings,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { sql, sweep } from '../../src/storage/database.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import { ServerProcess } from '../support/server-process.js'
import { isAlive, pidOf, until } from '../support/processes.js'
import { newTokenDirectory } from '../support/softhsm.js'

describe('A server whose key process dies or hangs (S94, S109)', () => {
  let shim: Pkcs11Shim
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let keyProcess: KeyProcess
  let count = 0

  before(async () => {
    shim = new Pkcs11Shim(newTokenDirectory())
    const { token } = shim
    const hsm = hsmSettings(token, { signTimeoutSeconds: 2, sessions: 2 })
    rssp = await startRssp({ token, settings: { hsm, log: { level: 'silent' } } })
    assert.ok(rssp.services.keys.process)
    keyProcess = rssp.services.keys.process
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())
  beforeEach(() => until(async () => (await ready()) === 200))

  const newDigests = (howMany: number) =>
    Array.from({ length: howMany }, () => digestOf(`document ${(count += 1)}`))

  const approve = (digests: readonly Buffer[]) =>
    rssp.credentialToken({ user, client, credential, digests })

  const sign = (token: string, digest: Buffer): Promise<Answer> =>
    rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: [digest.toString('base64')],
        signAlgo: ECDSA_SHA256,
      },
      token,
    )

  const ready = async () => (await fetch(`${rssp.baseUrl}/health/ready`)).status

  /** States of the ledger's rows, by digest. */
  async function statesOf(digests: readonly Buffer[]): Promise<string[]> {
    const texts = digests.map((digest) => digest.toString('base64'))
    const rows = await rssp.services.database.read.authorisedDigest.findMany({
      where: { digest: { in: texts } },
    })
    return texts.map((text) => rows.find(({ digest }) => digest === text)?.state ?? 'none')
  }

  const handedOver = (calls: number) =>
    until(() => (rssp.services.keys.client?.state.handedOver ?? 0) >= calls)

  it('counts what was under way as used, gives back the rest, and goes on without a restart', async () => {
    const underWay = newDigests(4)
    const later = newDigests(1)
    const token = await approve([...underWay, ...later])
    const pid = pidOf(keyProcess)
    process.kill(pid, 'SIGSTOP')
    const answers = Promise.all(underWay.map((digest) => sign(token, digest)))
    await handedOver(underWay.length)
    process.kill(pid, 'SIGKILL')
    for (const { status } of await answers) assert.equal(status, 500)
    assert.deepEqual(new Set(await statesOf(underWay)), new Set(['indeterminate']))

    const refused = await sign(token, later[0] ?? underWay[0] ?? randomBytes(32))
    if (refused.status !== 200) {
      assert.equal(refused.status, 503)
      assert.deepEqual(await statesOf(later), ['released'])
    }
    await until(async () => (await ready()) === 200)
    const again = await sign(token, later[0] ?? randomBytes(32))
    if (refused.status !== 200) assert.equal(again.status, 200)
    assert.deepEqual(await statesOf(later), ['consumed'])
    for (const digest of underWay) assert.equal((await sign(token, digest)).status, 400)
  })

  it('shows how long the token took, and who asked for what was not authorised', async () => {
    const [digest = randomBytes(32)] = newDigests(1)
    assert.equal((await sign(await approve([digest]), digest)).status, 200)
    const { custody, metrics } = rssp.services
    const before = keyProcess.state.refusedUses
    const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
    await assert.rejects(custody.sign(credential.keyId, [digest], algorithm), HsmUnavailableError)
    await until(() => keyProcess.state.refusedUses > before)
    const text = await metrics.text()
    assert.match(text, /^openrssp_step_duration_seconds_count\{step="C_Sign"\} [1-9]/m)
    assert.match(text, /^openrssp_key_process_refused_uses [1-9]/m)
  })

  it('says that it is not ready, and is again', async () => {
    const pid = pidOf(keyProcess)
    process.kill(pid, 'SIGKILL')
    await until(() => !keyProcess.state.running)
    assert.equal(await ready(), 503)
    await until(async () => (await ready()) === 200)
  })

  it('survives a library that crashes as it signs', async () => {
    const digests = newDigests(2)
    const [lost = randomBytes(32), next = randomBytes(32)] = digests
    const token = await approve(digests)
    const pid = pidOf(keyProcess)
    shim.fault('C_Sign', { crash: 'segfault', after: true, times: 1 })
    assert.equal((await sign(token, lost)).status, 500)
    await until(() => !isAlive(pid))
    assert.deepEqual(await statesOf(digests), ['indeterminate', 'authorised'])
    await until(async () => (await ready()) === 200)
    assert.equal((await sign(token, next)).status, 200)
  })

  it('has the key process replaced when calls that hang have taken every session', async () => {
    const digests = newDigests(2)
    const token = await approve(digests)
    const pid = pidOf(keyProcess)
    shim.fault('C_Sign', { hang: true })
    const answers = await Promise.all(digests.map((digest) => sign(token, digest)))
    for (const { status } of answers) assert.equal(status, 500)
    assert.deepEqual(await statesOf(digests), ['indeterminate', 'indeterminate'])
    await until(() => !isAlive(pid))
    shim.heal()
    await until(async () => (await ready()) === 200)
  })

  it('withholds what does not verify, which the key process does not let out', async () => {
    const digests = newDigests(1)
    const token = await approve(digests)
    const pid = pidOf(keyProcess)
    shim.fault('C_Sign', { garble: true, times: 1 })
    assert.equal((await sign(token, digests[0] ?? randomBytes(32))).status, 500)
    assert.deepEqual(await statesOf(digests), ['indeterminate'])
    assert.ok(isAlive(pid))
  })

  it('looks up again a key whose handle means another one now, after one signature that it withholds', async () => {
    const digests = newDigests(3)
    const token = await approve(digests)
    const [first = randomBytes(32), second = randomBytes(32), third = randomBytes(32)] = digests
    assert.equal((await sign(token, first)).status, 200)
    const other = await rssp.services.custody.generate('p-256')
    shim.fault('C_SignInit', { otherKey: true })
    assert.equal((await sign(token, second)).status, 500)
    assert.equal((await sign(token, third)).status, 200)
    assert.deepEqual(await statesOf(digests), ['consumed', 'indeterminate', 'consumed'])
    shim.heal()
    await rssp.services.custody.destroy(other.keyId)
  })

  it('answers others promptly while the key process hangs, and has it replaced', async () => {
    const digests = newDigests(1)
    const token = await approve(digests)
    const pid = pidOf(keyProcess)
    const delay = monitorEventLoopDelay({ resolution: 5 })
    let answered = 0
    process.kill(pid, 'SIGSTOP')
    const answer = sign(token, digests[0] ?? randomBytes(32))
    delay.enable()
    for (; isAlive(pid); answered += 1) {
      assert.equal((await fetch(`${rssp.baseUrl}/health/live`)).status, 200)
      await pause(5)
    }
    delay.disable()
    assert.ok(answered > 10)
    // The call hangs for two seconds and more; a busy machine delays everything by far less.
    assert.ok(delay.max / 1e6 < 1000, `${delay.max / 1e6} ms`)
    assert.equal((await answer).status, 500)
    assert.deepEqual(await statesOf(digests), ['indeterminate'])
    await until(async () => (await ready()) === 200)
  })

  it('signs no reservation that was made for a key process before', async () => {
    const digests = newDigests(1)
    const token = await approve(digests)
    const { custody, activations } = rssp.services
    const pid = pidOf(keyProcess)
    process.kill(pid, 'SIGSTOP')
    const answer = sign(token, digests[0] ?? randomBytes(32))
    await handedOver(1)
    const row = await rssp.services.database.read.authorisedDigest.findFirstOrThrow({
      where: { digest: digests[0]?.toString('base64') ?? '' },
    })
    process.kill(pid, 'SIGKILL')
    await answer
    await until(() => custody.ready())
    // As if the rows had stayed reserved.
    await rssp.services.database.commit({
      changes: [
        sweep(sql`UPDATE "AuthorisedDigest" SET "state" = 'reserved' WHERE "id" = ${row.id}`),
      ],
    })
    const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
    const operation = { id: row.operationId ?? '', rows: [row.id] }
    await assert.rejects(custody.sign(credential.keyId, digests, algorithm, operation), {
      name: 'HsmUnavailableError',
      message: /started again meanwhile/,
    })
    await activations.settleAbandoned()
  })
})

describe('A server and its key process, as processes (S81)', () => {
  let folder: string
  let baseUrl: string
  let configFile: string
  let environment: NodeJS.ProcessEnv
  /** Long enough not to be anywhere by chance. */
  const pin = randomBytes(12).toString('hex')
  let server: ServerProcess
  let serverPid: number
  let keyPid: number

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-two-processes-'))
    const token = newTokenDirectory('canary')
    environment = { SOFTHSM2_CONF: token.conf }
    const names = ['--token', 'canary', '--label', 'canary', '--so-pin', token.pin, '--pin', pin]
    execFileSync('softhsm2-util', ['--init-token', ...names], {
      env: { ...process.env, ...environment },
    })
    const pinFile = join(folder, 'pin')
    writeFileSync(pinFile, pin, { mode: 0o600 })
    Secrets.create(join(folder, 'secrets.key'))
    const port = await freePort()
    baseUrl = `http://127.0.0.1:${port}`
    configFile = join(folder, 'config.json')
    const settings = testSettings(baseUrl, port, {
      hsm: { ...hsmSettings(token), pinFile },
      log: { level: 'error' },
    })
    writeFileSync(configFile, JSON.stringify(settings))
    server = await ServerProcess.start({ configFile, baseUrl, environment })
    serverPid = server.pid
    keyPid = childrenOf(serverPid).find((pid) => commandOf(pid).includes('key-process')) ?? 0
  })
  after(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  it('are two, and only the key process has loaded the library', () => {
    assert.ok(isAlive(keyPid))
    const maps = (pid: number) => readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')
    assert.ok(maps(keyPid).some((line) => line.includes('softhsm')))
    assert.deepEqual(
      maps(serverPid).filter((line) => /softhsm|pkcs11/.test(line)),
      [],
    )
  })

  it('have the PIN in no argument or environment, and the server not even in its memory', () => {
    for (const pid of [serverPid, keyPid]) {
      assert.ok(!readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(pin))
      assert.ok(!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(pin))
    }
    assert.ok(memoryHolds(keyPid, pin), 'the search finds what is there')
    assert.ok(!memoryHolds(serverPid, pin), 'the server knows the PIN')
  })

  it('leave no core dump to a disk or a program, which would have the master secret in it', function () {
    if (process.platform !== 'linux') this.skip()
    for (const pid of [serverPid, keyPid]) {
      const limits = readFileSync(`/proc/${pid}/limits`, 'latin1')
      const [, soft, hard] = /^Max core file size +(\S+) +(\S+)/m.exec(limits) ?? []
      // With 1 there is none at all; with a hard limit of 0 from outside nothing can be set.
      assert.ok(['0', '1'].includes(soft ?? '') && hard === soft, `${soft} ${hard}`)
    }
  })

  it('end together when the server is killed', async () => {
    const socketFolders = () =>
      readFileSync('/proc/net/unix', 'latin1')
        .split('\n')
        .filter((line) => line.includes('openrssp-keys-'))
        .map((line) => line.trim().split(/\s+/).at(-1) ?? '')
    const before = socketFolders()
    await server.kill()
    await until(() => !isAlive(keyPid))
    const gone = before.filter((path) => !socketFolders().includes(path))
    assert.ok(gone.length > 0)
    for (const path of gone) assert.ok(!existsSync(path), path)
  })
})

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').map(Number),
  )
}

function commandOf(pid: number): string {
  return pid === 0 ? '' : readFileSync(`/proc/${pid}/cmdline`, 'latin1')
}

/** Looks through all that a process could write to. */
function memoryHolds(pid: number, text: string): boolean {
  const regions = readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
      return from === '' ? [] : [{ from: parseInt(from, 16), to: parseInt(to, 16) }]
    })
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  try {
    return regions.some(({ from, to }) => regionHolds(memory, from, to, Buffer.from(text)))
  } finally {
    closeSync(memory)
  }
}

const CHUNK = 1 << 20

function regionHolds(memory: number, from: number, to: number, text: Buffer): boolean {
  const chunk = Buffer.alloc(CHUNK + text.length)
  for (let at = from; at < to; at += CHUNK) {
    try {
      const length = readSync(memory, chunk, 0, Math.min(chunk.length, to - at), at)
      if (chunk.subarray(0, length).includes(text)) return true
    } catch {
      return false // reserved, and not there
    }
  }
  return false
}
