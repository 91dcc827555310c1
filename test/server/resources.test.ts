import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { SmallDisk } from '../../scripts/chaos/small-disk.js'
import { ChainVerifier } from '../../src/audit/chain.js'
import type { Credential } from '../../src/credentials/credential.js'
import { isAlive, until } from '../support/processes.js'
import { builtProgram } from '../support/program.js'
import {
  digestOf,
  ECDSA_SHA256,
  freePort,
  hsmSettings,
  startRssp,
  testSettings,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { ServerProcess } from '../support/server-process.js'
import { newTestToken, openCustody } from '../support/softhsm.js'

const DISK_MEGABYTES = 16
/** File descriptors that a process may still open, when they are about to run out. */
const FEW = 6
/** More than it takes. */
const MOST_CONNECTIONS = 64
const MOST_SIGNATURES = 40
const BATCH = 100

const NOT_NOW = {
  error: 'temporarily_unavailable',
  error_description:
    'The authorization server is currently unable to handle the request due to a temporary overloading or maintenance of the server.',
}

interface Answer {
  readonly status: number
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into whatever came
  readonly body: any
}

/** Soft limits are taken away from processes that run, and given back: for that nobody has to be root. */
describe('A server that runs out of resources (S103)', function () {
  this.timeout(180_000)
  let disk: SmallDisk | string
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let server: ServerProcess
  let keyProcess: number
  let port: number
  let database: string
  let logFile: string
  const kept = new Agent({ keepAlive: true, maxSockets: 1 })
  /** What the client was given, by digest. */
  const held = new Map<string, string>()
  let count = 0

  before(async function () {
    if (spawnSync('prlimit', ['--version']).status !== 0) skip(this, 'prlimit is not there')
    disk = SmallDisk.make(DISK_MEGABYTES)
    const token = newTestToken()
    const custody = await openCustody(token)
    const files = (folder: string) => ({
      database: `file:${join(folder, 'rssp.db')}`,
      auditHeadFile: join(folder, 'audit-head'),
    })
    // It has the approvals given, and looks at the log in the end; what it signs is nothing.
    const settings = typeof disk === 'string' ? { database: 'file:rssp.db' } : files(disk.folder)
    rssp = await startRssp({ custody: () => custody, settings })
    const folder = typeof disk === 'string' ? rssp.folder : disk.folder
    database = join(folder, 'rssp.db')
    logFile = join(folder, 'log')
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user, { multisign: 1000 })
    port = await freePort()
    const configFile = join(rssp.folder, 'server.json')
    const hsm = hsmSettings(token, { sessions: 2 })
    const more = { ...files(folder), hsm, log: { level: 'info' } }
    writeFileSync(
      configFile,
      JSON.stringify({
        ...testSettings(rssp.baseUrl, port, more),
        listen: { host: '127.0.0.1', port, keepAliveSeconds: 300 },
      }),
    )
    const program = builtProgram()
    const baseUrl = `http://127.0.0.1:${port}`
    server = await ServerProcess.start({ configFile, baseUrl, logFile, program })
    keyProcess = childOf(server.pid, 'key-process')
    // Nothing has to be loaded for the first time when there is no room for it.
    const digests = newDigests(1)
    assert.equal((await sign(digests, await approve(digests))).status, 200)
  })
  after(async () => {
    kept.destroy()
    await server?.kill()
    await rssp?.close()
    if (typeof disk === 'object') disk.remove()
  })

  const newDigests = (many: number) =>
    Array.from({ length: many }, () => digestOf(`document ${(count += 1)}`))
  const approve = (digests: readonly Buffer[]) =>
    rssp.credentialToken({ user, client, credential, digests })

  async function sign(
    digests: readonly Buffer[],
    token: string,
    by: Agent | null = kept,
  ): Promise<Answer> {
    const hashes = digests.map((digest) => digest.toString('base64'))
    const answer = await ask('/csc/v2/signatures/signHash', {
      ...{ by, token },
      body: { credentialID: credential.id, hashes, signAlgo: ECDSA_SHA256 },
    })
    if (answer.status === 200) {
      const { signatures } = answer.body as { signatures: string[] }
      hashes.forEach((hash, index) => held.set(hash, signatures[index]!))
    }
    return answer
  }

  /** @param by null for a new connection, which ends with the answer */
  function ask(
    path: string,
    { body, token, by = kept }: { body?: unknown; token?: string; by?: Agent | null } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = {
        'Content-Type': 'application/json',
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      }
      const method = body === undefined ? 'GET' : 'POST'
      const to = { host: '127.0.0.1', port, path, method, headers, agent: by ?? false }
      const asked = request(to, (response) => {
        let text = ''
        response.on('data', (piece: Buffer) => (text += piece.toString()))
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown }),
        )
        response.on('error', reject)
      })
      asked.on('error', reject)
      asked.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  const readiness = () => ask('/health/ready')
  const becomesReady = () => until(async () => (await readiness()).status === 200)
  const verify = async (): Promise<Answer> =>
    ask('/verification', { body: { document: Buffer.from('no document').toString('base64') } })

  it('of file descriptors refuses new connections, and takes them again when some are free', async () => {
    const digests = newDigests(3)
    const token = await approve(digests)
    const [first, second, third] = digests.map((digest) => [digest])
    assert.ok(first && second && third)
    const connections: Socket[] = []
    const giveBack = limit(server.pid, 'nofile', limitWithFree(server.pid, FEW))
    try {
      while (await isTaken(port, connections)) {
        assert.ok(connections.length < MOST_CONNECTIONS, 'all connections are taken')
      }
      await assert.rejects(sign(first, token, null))
      // Those that are there are served: they need no more.
      assert.equal((await sign(second, token)).status, 200)
      assert.equal((await readiness()).status, 200)
      // What cannot be read now is not for that reason bad.
      assert.deepEqual(await verify(), { status: 503, body: NOT_NOW })
      for (const connection of connections) connection.destroy()
      await until(() =>
        ask('/health/live', { by: null }).then(
          () => true,
          () => false,
        ),
      )
      assert.equal((await sign(first, token, null)).status, 200)
    } finally {
      for (const connection of connections) connection.destroy()
      giveBack()
    }
    assert.equal((await sign(third, token, null)).status, 200)
    assert.equal((await verify()).body.indication, 'TOTAL-FAILED')
  })

  it('of file descriptors for the token says so, uses nothing up, and signs when there are some', async () => {
    const digests = newDigests(1)
    const token = await approve(digests)
    const giveBack = limit(keyProcess, 'nofile', 3)
    try {
      assert.deepEqual(await sign(digests, token), { status: 503, body: NOT_NOW })
      const { status, body } = await readiness()
      assert.deepEqual([status, body.hsm, body.database], [503, false, true])
    } finally {
      giveBack()
    }
    await becomesReady()
    assert.equal((await sign(digests, token)).status, 200)
  })

  it('of a disk that can be written to says so, uses nothing up, and signs when it can (S80)', async () => {
    const digests = newDigests(1)
    const token = await approve(digests)
    const giveBack = limit(server.pid, 'fsize', 0)
    try {
      assert.deepEqual(await sign(digests, token), { status: 503, body: NOT_NOW })
      const { status, body } = await readiness()
      assert.deepEqual([status, body.hsm, body.database], [503, true, false])
    } finally {
      giveBack()
    }
    await becomesReady()
    assert.equal((await sign(digests, token)).status, 200)
  })

  it('of room on the disk says so, uses nothing up, and signs when there is some (S80)', async function () {
    if (typeof disk === 'string') skip(this, disk)
    const small = disk
    const digests = newDigests(MOST_SIGNATURES)
    const token = await approve(digests)
    shorten(database)
    small.fill()
    let refused: Answer | null = null
    let tried: Buffer[] = []
    try {
      for (let next = 0; refused === null; next += 1) {
        assert.ok(next < MOST_SIGNATURES, 'all is written')
        tried = digests.slice(next, next + 1)
        const answer = await sign(tried, token)
        if (answer.status !== 200) refused = answer
      }
      assert.deepEqual(refused, { status: 503, body: NOT_NOW })
      const { status, body } = await readiness()
      assert.deepEqual([status, body.hsm, body.database], [503, true, false])
    } finally {
      small.free()
    }
    await becomesReady()
    assert.equal((await sign(tried, token)).status, 200)
  })

  it('of memory for the token goes on, whatever becomes of the key process', async () => {
    const digests = newDigests(2 * BATCH)
    const token = await approve(digests)
    const giveBack = limit(keyProcess, 'as', 1)
    try {
      const answers = [
        await sign(digests.slice(0, 1), token),
        await sign(digests.slice(1, BATCH), token),
      ]
      // What it cannot say of a signature that may have been made is an error of ours.
      for (const { status } of answers) assert.ok([200, 500, 503].includes(status), `${status}`)
    } finally {
      if (isAlive(keyProcess)) giveBack()
    }
    await becomesReady()
    assert.equal((await sign(digests.slice(BATCH), token)).status, 200)
  })

  it('has all on record that it signed, and is the same process all the while (S70, S71)', async () => {
    assert.ok(isAlive(server.pid))
    assert.match(readFileSync(logFile, 'utf8'), /"msg":"serving"/)
    await server.kill()
    rssp.clock.advance(3600)
    await rssp.services.activations.settleAbandoned()
    const verifier = new ChainVerifier([])
    const records: { event: string; detail: Detail }[] = []
    for await (const record of rssp.services.audit.read(1)) {
      verifier.add(record)
      records.push({ event: record.event, detail: JSON.parse(record.detail) as Detail })
    }
    verifier.finish()
    assert.deepEqual(verifier.problems, [])
    const created = records.filter(({ event }) => event === 'signature.created')
    const logged = new Set(created.flatMap(({ detail }) => detail.signatures ?? []))
    for (const signature of held.values()) {
      const hash = createHash('sha256').update(Buffer.from(signature, 'base64')).digest('hex')
      assert.ok(logged.has(hash), 'a client holds a signature that is not in the log')
    }
    const ended = new Set(
      records
        .filter(({ event }) => /^signature\.(created|failed|indeterminate)$/.test(event))
        .map(({ detail }) => detail.operationId),
    )
    const requested = records.filter(({ event }) => event === 'signature.requested')
    assert.ok(requested.every(({ detail }) => ended.has(detail.operationId)))
    const rows = await rssp.services.database.read.authorisedDigest.findMany()
    const inState = (wanted: string) => rows.filter(({ state }) => state === wanted).length
    assert.equal(inState('reserved'), 0)
    assert.equal(inState('consumed'), logged.size)
    assert.ok(held.size > BATCH)
  })
})

interface Detail {
  readonly operationId?: string
  readonly signatures?: string[]
}

/** With the reason where it is read: in the name of the test. */
function skip(context: Mocha.Context, why: string): never {
  const { test } = context
  if (test) test.title += ` – not here: ${why}`
  context.skip()
}

/** Sets a soft limit of a process that runs. @returns what gives back what it had */
function limit(pid: number, resource: 'nofile' | 'fsize' | 'as', most: number): () => void {
  const asked = ['--pid', `${pid}`, `--${resource}`, '--output', 'SOFT', '--noheadings', '--raw']
  const had = execFileSync('prlimit', asked, { encoding: 'utf8' }).trim()
  const set = (value: number | string) =>
    void execFileSync('prlimit', ['--pid', `${pid}`, `--${resource}=${value}:`])
  set(most)
  return () => set(had)
}

/** What `nofile` has to be for a process to open so many more; some of those it has may be above that. */
function limitWithFree(pid: number, free: number): number {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
  let most = 0
  for (let left = free; left > 0; most += 1) if (!open.has(most)) left -= 1
  return most
}

/** Whether a request is answered on one connection more, which is then held open. */
function isTaken(port: number, connections: Socket[]): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    connections.push(socket)
    socket.once('data', () => resolve(true))
    socket.once('close', () => resolve(false))
    socket.on('error', () => undefined) // 'close' follows
    socket.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n')
  })
}

function childOf(pid: number, name: string): number {
  const children = readdirSync(`/proc/${pid}/task`).flatMap(
    (thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').match(/\d+/g)?.map(Number) ?? [],
  )
  const child = children.find((each) =>
    readFileSync(`/proc/${each}/cmdline`, 'utf8').includes(name),
  )
  assert.ok(child)
  return child
}

/** What was written lies in the database itself then, and what is written next needs room. */
function shorten(file: string): void {
  const database = new Sqlite(file, { timeout: 30_000 })
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
}
