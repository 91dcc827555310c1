import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Running } from '../commands/openrssp.js'
import { freePort, startRssp, testSettings, type Rssp } from '../support/rssp.js'
import { LASTING, SigningLoad } from '../support/signing-load.js'
import { newTestToken, openCustody } from '../support/softhsm.js'

const WORKERS = 2

describe('openrssp serve --workers', function () {
  this.timeout(900_000)
  /** Fills the database and looks into it; the requests go to the workers. */
  let rssp: Rssp
  let baseUrl: string
  let configFile: string
  let server: Running

  before(async () => {
    const token = newTestToken()
    const custody = await openCustody(token)
    const port = await freePort()
    baseUrl = `http://127.0.0.1:${port}`
    rssp = await startRssp({ settings: { baseUrl }, custody: () => custody })
    const { module, tokenLabel, pinFile, conf } = token
    const hsm = { module, tokenLabel, pinFile, environment: { SOFTHSM2_CONF: conf } }
    configFile = join(rssp.folder, 'workers.json')
    writeFileSync(
      configFile,
      JSON.stringify(
        testSettings(baseUrl, port, {
          ...{ hsm, database: rssp.services.config.database, lifetimes: LASTING },
          listen: { host: '127.0.0.1', port, keepAliveSeconds: 1, silentSeconds: 8 },
        }),
      ),
    )
    server = serve()
    await server.saying('"msg":"all workers serve"')
  })
  after(async () => {
    server?.child.kill('SIGKILL')
    await server?.ended
    await rssp?.close()
  })

  const serve = () => new Running(['serve', '--config', configFile, '--workers', String(WORKERS)])

  /** Process numbers of what serves now. */
  function workers(): number[] {
    const { pid } = server.child
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/)
    return children.map(Number).filter((child) => commandOf(child).includes('--workers'))
  }

  /** Empty when it has just ended. */
  function commandOf(pid: number): string {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    } catch {
      return ''
    }
  }

  /** Resolves when one more process than until now has begun to serve. */
  function servingOnceMore(): Promise<void> {
    const count = () => server.stdout.split('"msg":"serving"').length
    const before = count()
    return new Promise((resolve) => {
      server.child.stdout?.on('data', () => {
        if (count() > before) resolve()
      })
    })
  }

  const stoppedBy = async (reason: string): Promise<unknown[]> => {
    const events = await rssp.auditEvents()
    return events
      .filter(({ event, detail }) => event === 'service.stopped' && detail['reason'] === reason)
      .map(({ detail }) => detail['pid'])
  }

  it('runs so many processes, each of which answers on the one port', async () => {
    assert.equal(workers().length, WORKERS)
    const events = await rssp.auditEvents()
    const started = events.filter(({ event }) => event === 'service.started')
    const pids = started.map(({ detail }) => detail['pid'])
    for (const pid of workers()) assert.ok(pids.includes(pid))
  })

  it('replaces all of them on SIGHUP under load, and no request notices (S95, S108)', async () => {
    const load = await SigningLoad.start(rssp, baseUrl)
    await load.signing(50)
    const before = workers()
    server.child.kill('SIGHUP')
    await server.saying('"msg":"all workers were replaced"')
    await load.signing(50)
    await load.stop()
    const now = workers()
    assert.equal(now.length, WORKERS)
    assert.deepEqual(
      now.filter((pid) => before.includes(pid)),
      [],
    )
    assert.deepEqual(new Set(await stoppedBy('SIGHUP')), new Set(before))
    await load.assertNothingLostOrDoubled()
  })

  it('puts another one in the place of one that dies, and the port stays open (S109)', async () => {
    const [victim = 0, other = 0] = workers()
    process.kill(victim, 'SIGSEGV')
    let isRefilled = false
    const refilled = servingOnceMore().then(() => (isRefilled = true))
    const failed: unknown[] = []
    while (!isRefilled) {
      const answer = await fetch(`${baseUrl}/health/live`).catch((error: Error) => error.cause)
      if (answer instanceof Response) assert.equal(answer.status, 200)
      else failed.push((answer as NodeJS.ErrnoException).code)
    }
    // Only who was connected to the one that died, or was being handed over, hears of it, and at once.
    assert.ok(failed.length <= 2 && failed.every((code) => code !== 'ECONNREFUSED'), String(failed))
    await refilled
    assert.equal(workers().length, WORKERS)
    assert.ok(workers().includes(other) && !workers().includes(victim))
  })

  it('puts another one in the place of one that hangs, and not of one that is merely busy', async () => {
    const [hanging = 0, busy = 0] = workers()
    const refilled = servingOnceMore()
    for (const pid of [hanging, busy]) process.kill(pid, 'SIGSTOP')
    const options = { signal: AbortSignal.timeout(2_000) }
    await assert.rejects(fetch(`${baseUrl}/health/live`, options), { name: 'TimeoutError' })
    process.kill(busy, 'SIGCONT')
    await refilled
    const replaced = [...server.stdout.matchAll(/^.*a worker does not react and is replaced.*$/gm)]
    const pids = replaced.map(([line]) => (JSON.parse(line) as { pid: number }).pid)
    assert.deepEqual(pids, [hanging])
    assert.equal(workers().length, WORKERS)
    assert.ok(workers().includes(busy) && !workers().includes(hanging))
    assert.equal((await fetch(`${baseUrl}/health/ready`)).status, 200)
  })

  it('keeps the old ones when new ones cannot start', async () => {
    const settings = readFileSync(configFile, 'utf8')
    const before = workers()
    writeFileSync(configFile, '{}')
    server.child.kill('SIGHUP')
    await server.saying('"msg":"a new worker does not start: the others go on as they are"')
    writeFileSync(configFile, settings)
    assert.deepEqual(workers(), before)
    assert.equal((await fetch(`${baseUrl}/health/ready`)).status, 200)
  })

  it('ends on SIGTERM under load when all that was asked is answered (S95)', async () => {
    const load = await SigningLoad.start(rssp, baseUrl)
    await load.signing(50)
    const before = workers()
    const stopping = server.stop()
    const { code, stderr } = await stopping
    await load.stop()
    assert.deepEqual([code, stderr.replaceAll(/openrssp: The configuration[^]*/g, '')], [0, ''])
    assert.deepEqual(new Set(await stoppedBy('SIGTERM')), new Set(before))
    // What came too late found nobody, and was not begun: the ledger knows nothing of it.
    for (const failure of load.failures) assert.match(failure, /ECONNREFUSED|ECONNRESET|hang up/)
    load.failures.length = 0
    await load.assertNothingLostOrDoubled()
  })
})
