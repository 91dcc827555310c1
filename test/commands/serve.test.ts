import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { until } from '../support/processes.js'
import { Installation, openrssp, Running } from './openrssp.js'

describe('openrssp serve', () => {
  let installation: Installation
  before(async () => {
    installation = await Installation.make()
  })
  beforeEach(() => {
    installation.configure({})
  })
  after(() => {
    installation.remove()
  })

  const events = (): { event: string; detail: Record<string, unknown> }[] => {
    const database = new Sqlite(installation.databaseFile)
    const rows = database.prepare('SELECT event, detail FROM AuditRecord ORDER BY seq').all()
    database.close()
    return (rows as { event: string; detail: string }[]).map(({ event, detail }) => {
      return { event, detail: JSON.parse(detail) as Record<string, unknown> }
    })
  }

  const serve = (): Running => new Running(['serve', '--config', installation.configFile])

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`answers, warns by name of what is insecure, and ends cleanly on ${signal}`, async () => {
      const server = serve()
      await server.saying('"msg":"serving"')
      const response = await fetch(`${installation.baseUrl}/csc/v2/info`)
      const info = (await response.json()) as { name: string; specs: string }
      assert.equal(response.status, 200)
      assert.deepEqual([info.name, info.specs], ['Test RSSP', '2.2.0.0'])

      server.child.kill(signal)
      const { code, stdout, stderr } = await server.ended
      assert.deepEqual([code, stderr], [0, ''])
      assert.match(stdout, /"msg":"baseUrl: plain http"/)
      assert.match(stdout, /"msg":"hsm\.module: SoftHSM keeps keys in files of this machine"/)
      const log = events()
      const { pid } = server.child
      assert.deepEqual(log.at(-1), { event: 'service.stopped', detail: { pid, reason: signal } })
      const started = log.findLast(({ event }) => event === 'service.started')
      assert.equal(started?.detail['pid'], pid)
      const loaded = log.findLast(({ event }) => event === 'configuration.loaded')
      assert.match(String(loaded?.detail['sha256']), /^[0-9a-f]{64}$/)
    })
  }

  it('ends as cleanly when it is told to in the moment it says that it serves (S95)', async () => {
    const server = serve()
    await server.saying('"msg":"serving"')
    const { code, stderr } = await server.stop()
    assert.deepEqual([code, stderr], [0, ''])
  })

  it('says that it leaves while it still answers, tells systemd, and ends at once on a second signal (S95)', async () => {
    const { host, port } = installation.settings.listen
    installation.configure({ listen: { host, port, leaveSeconds: 60 } })
    const told = join(installation.folder, 'told')
    const notify = join(installation.folder, 'systemd-notify')
    writeFileSync(notify, `#!/bin/sh\necho "$@" >> ${told}\n`, { mode: 0o700 })
    const environment = {
      NOTIFY_SOCKET: '/run/systemd/notify',
      PATH: `${installation.folder}:${process.env['PATH']}`,
    }
    const server = new Running(['serve', '--config', installation.configFile], { environment })
    await server.saying('"msg":"serving"')
    const ready = () => fetch(`${installation.baseUrl}/health/ready`)
    assert.equal((await ready()).status, 200)

    server.child.kill('SIGTERM')
    let answer = await ready()
    while (answer.status === 200) answer = await ready()
    const { status, leaving } = (await answer.json()) as { status: string; leaving: boolean }
    assert.deepEqual([answer.status, status, leaving], [503, 'not ready', true])
    assert.equal((await fetch(`${installation.baseUrl}/csc/v2/info`)).status, 200)

    server.child.kill('SIGTERM')
    assert.equal((await server.ended).code, 1)
    const { pid } = server.child
    // Who tells systemd is a process of its own, which may take a moment longer.
    const lines = () => readFileSync(told, 'utf8').trim().split('\n')
    await until(() => lines().length > 1)
    assert.deepEqual(lines(), [`--ready --pid=${pid}`, `--stopping --pid=${pid}`])
  })

  it('serves no demo application without the sandbox', async () => {
    const server = serve()
    await server.saying('"msg":"serving"')
    const response = await fetch(`${installation.baseUrl}/demo/`)
    assert.equal(response.status, 404)
    assert.equal((await server.stop()).code, 0)
  })

  it('lists every problem of a bad configuration, opens nothing and ends with 1', async () => {
    const bad = await Installation.make({
      baseUrl: 'sign.example',
      service: { name: 'X' },
      colour: 'blue',
    })
    try {
      chmodSync(join(bad.folder, 'secrets.key'), 0o644)
      const { code, stdout, stderr } = await bad.run('serve')
      assert.deepEqual([code, stdout], [1, ''])
      assert.deepEqual(stderr.trimEnd().split('\n').sort(), [
        '  baseUrl: must match ^https?://[^/?#@]+$. Public base URL, scheme and host without a path; also the OAuth issuer. Never taken from a request.',
        '  colour: is not a setting',
        `  secretsFile: ${join(bad.folder, 'secrets.key')} can be read by others; run chmod 600 on it`,
        '  service.region: is missing',
        'openrssp: The configuration has problems:',
      ])
      assert.throws(() => new Sqlite(bad.databaseFile, { fileMustExist: true }))
    } finally {
      bad.remove()
    }
  })

  it('says which port is taken and which setting to change', async () => {
    const other = createServer().listen(installation.port, '127.0.0.1')
    try {
      const { code, stderr } = await installation.run('serve')
      assert.equal(code, 1)
      assert.equal(
        stderr,
        `openrssp: Cannot listen: port ${installation.port} of 127.0.0.1 is taken. Change listen.host and listen.port.\n`,
      )
    } finally {
      other.close()
    }
  })

  it('ends with a clear message when the PIN is wrong', async () => {
    const pinFile = join(installation.folder, 'wrong.pin')
    writeFileSync(pinFile, '000000', { mode: 0o600 })
    installation.configure({ hsm: { ...installation.settings.hsm, pinFile } })
    const { code, stderr } = await installation.run('serve')
    // Started again, it would lock the token: the systemd unit leaves it so.
    assert.equal(code, 78)
    assert.match(stderr, /^openrssp: .*PIN/)
    assert.ok(!stderr.includes('000000'))
  })

  describe('with NODE_ENV=production (S52)', () => {
    const environment = { NODE_ENV: 'production' }

    it('refuses the sandbox and plain http, naming both settings', async () => {
      installation.configure({ sandbox: true })
      const { code, stderr } = await openrssp(['serve', '--config', installation.configFile], {
        environment,
      })
      assert.equal(code, 1)
      assert.equal(
        stderr,
        'openrssp: The configuration has problems:\n' +
          '  sandbox: must be false with NODE_ENV=production\n' +
          '  baseUrl: must be https with NODE_ENV=production\n',
      )
    })

    it('refuses a database that was a sandbox once, whatever the configuration says', async () => {
      const was = await Installation.make()
      try {
        assert.equal((await was.run('user', 'list')).code, 0)
        const database = new Sqlite(was.databaseFile)
        database.exec(`INSERT INTO Installation VALUES ('sandbox', '2026-01-01')`)
        database.close()
        was.configure({ baseUrl: 'https://sign.example' })
        const { code, stderr } = await openrssp(['serve', '--config', was.configFile], {
          environment,
        })
        assert.equal(code, 1)
        assert.equal(
          stderr,
          'openrssp: database: holds sandbox data, with demo people and demo keys; it is not served with NODE_ENV=production.\n',
        )
      } finally {
        was.remove()
      }
    })
  })
})

describe('openrssp token init', () => {
  let installation: Installation
  beforeEach(async () => {
    installation = await Installation.make()
    const tokens = join(installation.folder, 'tokens')
    mkdirSync(tokens)
    const conf = join(installation.folder, 'softhsm2.conf')
    writeFileSync(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\n`)
    const { hsm } = installation.settings
    const environment = { SOFTHSM2_CONF: conf }
    installation.configure({ hsm: { ...hsm, tokenLabel: 'fresh token', environment } })
  })
  afterEach(() => {
    installation.remove()
  })

  it('makes a token that opens with the configured PIN', async () => {
    assert.deepEqual(await installation.json('token', 'init'), {
      tokenLabel: 'fresh token',
      initialised: true,
    })
    const conf = join(installation.folder, 'softhsm2.conf')
    const slots = execFileSync('softhsm2-util', ['--show-slots'], {
      encoding: 'utf8',
      env: { ...process.env, SOFTHSM2_CONF: conf },
    })
    assert.match(slots, /Label: +fresh token/)
    const person = ['alice', '--given-name', 'A', '--surname', 'B']
    await installation.json('user', 'add', ...person)
    assert.equal((await installation.json('credential', 'create', 'alice')).username, 'alice')
  })

  it('never touches a token that is there', async () => {
    await installation.json('token', 'init')
    const { code, stderr } = await installation.run('token', 'init')
    assert.equal(code, 1)
    assert.equal(stderr, 'openrssp: There is a token "fresh token" already\n')
  })

  it('says when the library is no PKCS#11 library', async () => {
    const module = join(installation.folder, 'library.so')
    writeFileSync(module, 'not a library')
    installation.configure({ hsm: { ...installation.settings.hsm, module } })
    const { code, stderr } = await installation.run('token', 'init')
    assert.equal(code, 1)
    assert.match(stderr, /^openrssp: .*library\.so/)
    rmSync(module)
  })
})
