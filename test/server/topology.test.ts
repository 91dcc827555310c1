import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { raw } from 'sql-template-tag'
import { sql, sweep } from '../../src/storage/database.js'
import { Running } from '../commands/openrssp.js'
import { freePort, startRssp, testSettings, type Rssp } from '../support/rssp.js'
import { hiddenFields, SignerBrowser } from '../support/signer-browser.js'
import { CLIENTS, LASTING, SigningLoad } from '../support/signing-load.js'
import { newTestToken, openCustody } from '../support/softhsm.js'

const SHIPPED = join(import.meta.dirname, '../../docs/deployment/nginx.conf')
/** Debian keeps it where only root looks. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin`
const REPLICAS = 3

describe('Three replicas behind nginx, with the configuration we ship', function () {
  this.timeout(900_000)
  /** Fills the database and looks into it; the requests go through nginx. */
  let rssp: Rssp
  let nginx: ChildProcess
  let tlsPort: number
  let baseUrl: string
  let ports: number[]
  let replicas: Running[]
  let errors = ''

  before(async () => {
    const token = newTestToken()
    const custody = await openCustody(token)
    const port = await freePort()
    tlsPort = await freePort()
    ports = await Promise.all(Array.from({ length: REPLICAS }, () => freePort()))
    baseUrl = `http://127.0.0.1:${port}`
    rssp = await startRssp({ settings: { baseUrl }, custody: () => custody })
    const { module, tokenLabel, pinFile, conf } = token
    const hsm = { module, tokenLabel, pinFile, environment: { SOFTHSM2_CONF: conf } }
    for (const each of ports) {
      const settings = testSettings(baseUrl, each, {
        listen: { host: '127.0.0.1', port: each, keepAliveSeconds: 2 },
        database: rssp.services.config.database,
        lifetimes: LASTING,
        proxy: { trusted: true, addresses: ['127.0.0.1'] },
        hsm: { ...hsm, isolation: 'none' },
      })
      writeFileSync(configFile(each), JSON.stringify(settings))
    }
    startNginx(port)
    replicas = await Promise.all(ports.map(startReplica))
  })
  after(async () => {
    nginx?.kill('SIGTERM')
    for (const replica of replicas ?? []) replica.child.kill('SIGKILL')
    await Promise.all((replicas ?? []).map(({ ended }) => ended))
    await rssp?.close()
  })

  const configFile = (port: number) => join(rssp.folder, `replica-${port}.json`)

  async function startReplica(port: number): Promise<Running> {
    const replica = new Running(['serve', '--config', configFile(port)])
    await replica.saying('"msg":"serving"')
    return replica
  }

  /** The shipped file, with what is different on this machine put in its place. */
  function startNginx(port: number): void {
    const folder = join(rssp.folder, 'nginx')
    mkdirSync(folder)
    const certificate = ['-out', join(folder, 'tls.crt'), '-keyout', join(folder, 'tls.key')]
    const subject = [
      '-subj',
      '/CN=sign.example.com',
      '-addext',
      'subjectAltName=DNS:sign.example.com',
    ]
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'].concat(
        certificate,
        subject,
      ),
      { stdio: 'ignore' },
    )
    const replaced: [string, string][] = [
      ['listen 443 ssl;', `listen 127.0.0.1:${tlsPort} ssl; listen 127.0.0.1:${port};`],
      ['/etc/nginx/tls/tls.crt', join(folder, 'tls.crt')],
      ['/etc/nginx/tls/tls.key', join(folder, 'tls.key')],
      ['access_log /dev/stdout', `access_log ${join(folder, 'access.log')}`],
      ['keepalive_timeout 3s;', 'keepalive_timeout 1s;'],
      ...ports.map((each, index): [string, string] => [
        `openrssp-${index + 1}:8700`,
        `127.0.0.1:${each}`,
      ]),
    ]
    let text = readFileSync(SHIPPED, 'utf8')
    for (const [shipped, ours] of replaced) {
      assert.ok(text.includes(shipped), `nginx.conf does not have ${shipped}`)
      text = text.replace(shipped, ours)
    }
    const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const temporary = kinds.map((kind) => `${kind}_temp_path ${join(folder, kind)};`).join(' ')
    writeFileSync(join(folder, 'nginx.conf'), text.replace('http {', `http { ${temporary}`))
    const user = process.getuid?.() === 0 ? 'user root;' : ''
    const options = ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr', '-g', `daemon off; ${user}`]
    const environment = { env: { ...process.env, PATH } }
    execFileSync('nginx', ['-t', ...options], { ...environment, stdio: 'pipe' })
    nginx = spawn('nginx', options, { ...environment, stdio: ['ignore', 'ignore', 'pipe'] })
    nginx.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  }

  /** The replicas that answered, in the order of the requests. */
  const answeredBy = (): string[] => {
    const lines = readFileSync(join(rssp.folder, 'nginx', 'access.log'), 'utf8')
      .trim()
      .split('\n')
    return lines.map((line) => line.split(' ').at(-1) ?? '')
  }

  it('sign together: each step of a story may be another one’s', async () => {
    const user = await rssp.addUser()
    await rssp.addCredential(user)
    const before = answeredBy().length
    const load = await SigningLoad.start(rssp, baseUrl)
    await load.signing(20)
    await load.stop()
    await load.assertNothingLostOrDoubled()
    const all = ports.map((port) => `127.0.0.1:${port}`)
    assert.deepEqual(new Set(answeredBy().slice(before)), new Set(all))
  })

  it('know who calls from nginx alone, whatever a client says of itself (S51)', async () => {
    const user = await rssp.addUser()
    const client = await rssp.addClient()
    const headers = { 'X-Forwarded-For': '203.0.113.7', Forwarded: 'for=203.0.113.7' }
    const browser = new SignerBrowser(baseUrl)
    const page = await browser.open(
      `/oauth2/authorize?${new URLSearchParams({
        ...{ response_type: 'code', client_id: client.client_id, scope: 'service' },
        ...{ redirect_uri: client.redirect_uris[0] ?? '', code_challenge_method: 'S256' },
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      }).toString()}`,
    )
    assert.ok('html' in page)
    const answers = { username: user.username, password: 'wrong', action: 'continue' }
    await browser.post(page.url, { ...answers, ...hiddenFields(page.html) }, headers)
    const events = await rssp.auditEvents()
    const failed = events.findLast(({ event }) => event === 'sign-in.failed')
    assert.equal(failed?.detail['address'], '127.0.0.1')
  })

  it('speak TLS 1.2 and later, with HSTS, and show nobody their health and figures (S112)', async () => {
    const ca = readFileSync(join(rssp.folder, 'nginx', 'tls.crt'))
    const servername = 'sign.example.com'
    const options = { host: '127.0.0.1', port: tlsPort, ca, servername }
    const get = (path: string) =>
      new Promise<{ status: number; hsts: string }>((resolve, reject) => {
        const sent = request({ ...options, path, agent: false }, (response) => {
          response.resume()
          const hsts = String(response.headers['strict-transport-security'])
          resolve({ status: response.statusCode ?? 0, hsts })
        })
        sent.on('error', reject)
        sent.end()
      })
    assert.deepEqual(await get('/csc/v2/info'), { status: 200, hsts: 'max-age=31536000' })
    for (const path of ['/health/ready', '/health/live', '/metrics']) {
      assert.equal((await get(path)).status, 404)
    }
    await assert.rejects(
      new Promise((resolve, reject) => {
        const old = {
          minVersion: 'TLSv1',
          maxVersion: 'TLSv1.1',
          ciphers: 'DEFAULT@SECLEVEL=0',
        } as const
        const socket = connect({ ...options, ...old }, () => resolve(socket.end()))
        socket.on('error', reject)
      }),
    )
  })

  it('are replaced one by one under load, and no request notices (S95, S108)', async () => {
    const load = await SigningLoad.start(rssp, baseUrl)
    await load.signing(20)
    for (const [index, port] of ports.entries()) {
      const { code, stderr } = (await replicas[index]?.stop()) ?? {}
      assert.deepEqual([code, stderr], [0, ''])
      replicas[index] = await startReplica(port)
      await load.signing(20)
    }
    await load.stop()
    assert.deepEqual(load.failures, [], errors)
    await load.assertNothingLostOrDoubled()
  })

  it('go on while a newer release adds to the database what they do not know (S108)', async () => {
    const load = await SigningLoad.start(rssp, baseUrl)
    await load.signing(20)
    const tables = ['AuthorisedDigest', 'Authorisation', 'Credential', 'OAuthRecord', 'User', 'Sad']
    for (const table of tables) {
      const name = raw(`"${table}"`)
      await rssp.services.database.commit({
        changes: [sweep(sql`ALTER TABLE ${name} ADD COLUMN "ofLater" TEXT`)],
      })
      await load.signing(10)
    }
    await load.stop()
    await load.assertNothingLostOrDoubled()
    // The first replica to start now is of a release that knows the columns, or of this one: both can.
    const [port = 0] = ports
    await replicas[0]?.stop()
    replicas[0] = await startReplica(port)
  })

  it('lose no signature when one of them is killed, and make none twice (S71, S109)', async () => {
    const load = await SigningLoad.start(rssp, baseUrl, { repeats: true })
    await load.signing(20)
    const [victim] = replicas
    victim?.child.kill('SIGKILL')
    await victim?.ended
    await load.signing(50)
    replicas[0] = await startReplica(ports[0] ?? 0)
    await load.signing(20)
    await load.stop()
    assert.ok(load.unknown.size <= CLIENTS, `${load.unknown.size} are unknown`)
    // What the dead replica had begun ends as of unknown outcome once its time is over.
    rssp.clock.advance(60)
    await rssp.services.activations.settleAbandoned()
    await load.assertNothingLostOrDoubled()
  })

  it('gave nginx nothing to complain about but the one that was killed', () => {
    const complaints = errors
      .split('\n')
      .filter((line) => /\[(error|crit|alert|emerg)\]/.test(line))
    const others = complaints.filter(
      (line) => !/Connection refused|prematurely closed|reset by peer/.test(line),
    )
    assert.deepEqual(others, [])
  })
})
