import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { totpCode } from '../../src/identity/totp.js'
import type { SandboxFile } from '../../src/sandbox/sandbox-file.js'
import { openrssp, Running } from '../commands/openrssp.js'
import { builtProgram } from '../support/program.js'
import { digestOf, freePort, pkce, postForm, SHA512 } from '../support/rssp.js'
import { SignerBrowser } from '../support/signer-browser.js'

const ECDSA_SHA512 = '1.2.840.10045.4.3.4'
const READY = 'Ctrl-C stops.'
/** How quick it is, `npm run bench` measures; here nothing may be made that takes long, on a busy machine either. */
const SECOND_START_MS = 60_000

describe('openrssp sandbox start', function () {
  this.timeout(900_000)
  let program: readonly string[]
  let folder: string
  let dataDir: string
  let port: number
  let baseUrl: string
  let first: Running
  let panel: string
  let sandbox: SandboxFile

  const at = (name: string): string => join(dataDir, name)
  const readSandbox = () => JSON.parse(readFileSync(at('sandbox.json'), 'utf8')) as SandboxFile
  const start = (environment: Record<string, string> = {}, ...more: string[]): Running =>
    new Running(['sandbox', 'start', '--data-dir', dataDir, '--port', String(port), ...more], {
      program,
      environment,
    })

  before(async () => {
    program = builtProgram()
    folder = mkdtempSync(join(tmpdir(), 'openrssp-sandbox-'))
    dataDir = join(folder, 'data')
    port = await freePort()
    baseUrl = `http://127.0.0.1:${port}`
    first = start()
    await sandboxIsThereWhenItAnswers(first)
    await first.saying(READY)
    panel = first.stdout
    sandbox = readSandbox()
  })
  after(async () => {
    await first.stop()
    rmSync(folder, { recursive: true })
  })

  /** Asks all the time until an answer comes; at that moment sandbox.json must be there, whole. */
  async function sandboxIsThereWhenItAnswers({ child }: Running): Promise<void> {
    while (child.exitCode === null) {
      const answered = await fetch(`${baseUrl}/health/live`).then(
        () => true,
        () => false,
      )
      if (answered) return void assert.equal(readSandbox().baseUrl, baseUrl)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    throw new Error(`ended: ${first.stdout}${first.stderr}`)
  }

  it('shows that it is busy while it makes keys', () => {
    assert.match(panel, /^Making the token …$/m)
    assert.match(panel, /^Making key {2}1 of \d+ {2}alice: Signing key \(ECDSA P-256\) …$/m)
    assert.match(panel, /^Making key (\d+) of \1 {2}acme: Seal/m)
  })

  it('prints what a person needs to go on', () => {
    const [alice] = sandbox.users
    assert.ok(alice)
    assert.ok(panel.includes(`Base URL    ${baseUrl}   (CSC API: ${baseUrl}/csc/v2)\n`))
    assert.ok(panel.includes(`Demo        ${baseUrl}/demo/\n`))
    for (const path of ['/account', '/reference']) {
      assert.match(panel, new RegExp(`${baseUrl}${path} `))
    }
    assert.ok(panel.includes(`Messages    ${dataDir}/outbox `))
    assert.ok(panel.includes(`openrssp-conformance --config ${dataDir}/conformance.json\n`))
    assert.ok(panel.includes(`Sign in as  alice   password ${alice.password}\n`))
    assert.match(panel, /Code {8}\d{6} for the next \d+ s; then: npx openrssp sandbox code alice/)
    assert.ok(panel.includes(`./scripts/sign README.md --data-dir ${dataDir}\n`))
  })

  it('writes sandbox.json for scripts of any language, for its owner alone', () => {
    assert.equal(statSync(at('sandbox.json')).mode & 0o777, 0o600)
    assert.equal(sandbox.baseUrl, baseUrl)
    assert.equal(sandbox.csc, `${baseUrl}/csc/v2`)
    assert.equal(sandbox.issuer, baseUrl)
    assert.equal(sandbox.outbox, at('outbox'))
    assert.ok(sandbox.clients.length >= 2)
    for (const client of sandbox.clients) {
      assert.deepEqual(Object.keys(client), ['client_id', 'client_secret', 'redirect_uris'])
      assert.ok(client.client_secret.length >= 32)
      assert.equal(client.redirect_uris[0], 'http://127.0.0.1:8799/callback')
    }
    assert.ok(sandbox.users.length >= 2)
    for (const user of sandbox.users) {
      for (const name of ['username', 'password', 'pin', 'totpSecret', 'email'] as const) {
        assert.equal(typeof user[name], 'string', name)
      }
      assert.match(user.pin, /^\d{6}$/)
      assert.match(user.totpSecret, /^[A-Z2-7]+$/)
      assert.deepEqual(
        user.credentialIDs,
        user.credentials.map(({ credentialID }) => credentialID),
      )
      for (const algorithm of ['p-256', 'rsa-2048', 'p-384']) {
        const found = user.credentials.find((each) => each.algorithm === algorithm)
        assert.equal(found?.SCAL, '2', `${user.username} ${algorithm}`)
      }
    }
  })

  it('makes secrets of its own: no two of them are alike', () => {
    const secrets = [
      ...sandbox.clients.map(({ client_secret }) => client_secret),
      ...sandbox.users.flatMap(({ password, totpSecret }) => [password, totpSecret]),
      readFileSync(at('hsm.pin'), 'utf8'),
      readFileSync(at('secrets.key'), 'utf8'),
    ]
    assert.equal(new Set(secrets).size, secrets.length)
  })

  it('keeps everything for its owner alone, the PIN of the token in a file', () => {
    assert.match(readFileSync(at('hsm.pin'), 'utf8'), /^[0-9a-f]{32}\n$/)
    assert.equal(statSync(dataDir).mode & 0o777, 0o700)
    for (const name of readdirSync(dataDir)) {
      assert.equal(statSync(at(name)).mode & 0o077, 0, name)
    }
  })

  it('takes the client secret as client_secret_basic and as client_secret_post', async () => {
    const [client] = sandbox.clients
    assert.ok(client)
    const { client_id, client_secret } = client
    const request = { grant_type: 'authorization_code', code: 'unknown', redirect_uri: 'x' }
    const basic = `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`
    const answers = [
      await postForm(`${baseUrl}/oauth2/token`, request, { authorization: basic }),
      await postForm(`${baseUrl}/oauth2/token`, { ...request, client_id, client_secret }),
    ]
    for (const { body } of answers) {
      assert.deepEqual(body, {
        error: 'invalid_grant',
        error_description: 'Invalid parameter code',
      })
    }
  })

  it('signs as docs/sandbox.md says with curl: v2, v1 and a seal', () => {
    const text = readFileSync(join(import.meta.dirname, '../../docs/sandbox.md'), 'utf8')
    const walk = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block).join('\n')
    // Somebody whose one-time code no other test uses.
    const script = walk
      .replaceAll('data/sandbox.json', at('sandbox.json'))
      .replaceAll('alice', 'bob')
      .replaceAll('users[0]', 'users[1]')
      .replace('npx openrssp sandbox code bob', `openrssp sandbox code bob --data-dir ${dataDir}`)
    const cli = `openrssp() { '${process.execPath}' ${program.join(' ')} "$@"; }`
    const root = join(import.meta.dirname, '../..')
    const run = ['-euc', `${cli}\n${script}`]
    const env = { ...process.env, TMPDIR: folder }
    const answers = execFileSync('bash', run, { cwd: root, env, encoding: 'utf8' })
    assert.match(answers, /^(\{"signatures":\["[^"]+"\]\}){3}$/)
  })

  it('serves the demo application', async () => {
    for (const path of ['/demo/', '/demo/demo.js', '/demo/demo.css']) {
      assert.equal((await fetch(`${baseUrl}${path}`)).status, 200, path)
    }
  })

  it('tells the current code of a person', async () => {
    const [, bob] = sandbox.users
    const args = ['sandbox', 'code', 'bob', '--data-dir', dataDir, '--json']
    const before = totpCode(bob?.totpSecret ?? '', new Date())
    const { code, stdout } = await openrssp(args, { program })
    const after = totpCode(bob?.totpSecret ?? '', new Date())
    assert.equal(code, 0)
    assert.ok([before, after].includes(JSON.parse(stdout).code))
    const nobody = await openrssp(['sandbox', 'code', 'nobody', '--data-dir', dataDir], { program })
    assert.equal(nobody.code, 1)
    assert.equal(nobody.stderr, `openrssp: There is no "nobody" in a sandbox at ${dataDir}.\n`)
  })

  it('says so when the port is taken, and leaves the running sandbox alone', async () => {
    const args = ['sandbox', 'start', '--data-dir', dataDir, '--port', String(port)]
    const { code, stderr } = await openrssp(args, { program })
    assert.equal(code, 1)
    assert.equal(
      stderr,
      `openrssp: Cannot listen: port ${port} of 127.0.0.1 is taken. Change --host or --port.\n`,
    )
    assert.deepEqual(readSandbox(), sandbox)
    assert.equal((await fetch(`${baseUrl}/health/ready`)).status, 200)
  })

  it('refuses NODE_ENV=production before it makes anything (S52)', async () => {
    const fresh = join(folder, 'production')
    const { code, stderr } = await openrssp(['sandbox', 'start', '--data-dir', fresh], {
      program,
      environment: { NODE_ENV: 'production' },
    })
    assert.equal(code, 1)
    assert.equal(
      stderr,
      'openrssp: The sandbox does not start with NODE_ENV=production; use "openrssp serve".\n',
    )
    assert.ok(!existsSync(fresh))
  })

  it('ends where no folder can be made', async () => {
    const nowhere = '/proc/openrssp-sandbox'
    const { code, stderr } = await openrssp(['sandbox', 'start', '--data-dir', nowhere], {
      program,
    })
    const words = `openrssp: ENOENT: no such file or directory, mkdir '${nowhere}'\n`
    assert.deepEqual([code, stderr], [1, words])
  })

  it('refuses a database it cannot use', async () => {
    const fresh = join(folder, 'postgres')
    const { code, stderr } = await openrssp(['sandbox', 'start', '--data-dir', fresh], {
      program,
      environment: { OPENRSSP_DATABASE_URL: 'mysql://localhost/rssp' },
    })
    assert.equal(code, 1)
    assert.match(stderr, /^openrssp: The configuration has problems:\n {2}database: must match/)
  })

  it('lets nothing secret into its output or, in plain, into its database (S81)', async () => {
    const [client] = sandbox.clients
    const alice = sandbox.users[0]
    const credential = alice?.credentials.find(({ algorithm }) => algorithm === 'p-521')
    assert.ok(client && alice && credential?.pinRequired)
    /** What must not be found, and what it is. */
    const canaries = new Map<string, string>()
    const codes = new Set<string>()
    const answers = {
      ...alice,
      otp: () => {
        const code = totpCode(alice.totpSecret, new Date())
        codes.add(code)
        return code
      },
    }

    const authorize = async (parameters: Record<string, string>): Promise<string> => {
      const { code_verifier, code_challenge } = pkce()
      const browser = new SignerBrowser(baseUrl)
      const [redirect_uri = ''] = client.redirect_uris
      const answer = await browser.authorize(
        {
          ...{ response_type: 'code', client_id: client.client_id, redirect_uri },
          ...{ code_challenge, code_challenge_method: 'S256', ...parameters },
        },
        answers,
      )
      const code = answer.get('code')
      assert.ok(code, answer.toString())
      const { client_id, client_secret } = client
      const grant = { grant_type: 'authorization_code', code, code_verifier, redirect_uri }
      const { body } = await postForm(`${baseUrl}/oauth2/token`, {
        ...grant,
        ...{ client_id, client_secret },
      })
      assert.ok(body.access_token, JSON.stringify(body))
      canaries.set(code, 'authorization code').set(code_verifier, 'code_verifier')
      canaries.set(body.access_token, 'access token')
      if (body.refresh_token) canaries.set(body.refresh_token, 'refresh token')
      for (const [name, value] of browser.cookies) {
        // This one names the transaction; without its signature it opens nothing.
        if (name !== '_interaction') canaries.set(value, `cookie ${name}`)
      }
      return body.access_token
    }

    // Wrong passwords and unknown tokens take other ways through the code.
    await fetch(`${baseUrl}/csc/v2/credentials/list`, {
      method: 'POST',
      headers: { authorization: `Bearer ${alice.password}`, 'content-type': 'application/json' },
      body: `{"clientData":"${alice.totpSecret}`,
    })
    const document = `private contract ${randomBytes(12).toString('hex')}`
    canaries.set(document, 'document')
    await authorize({ scope: 'service' })
    const digest = digestOf(document, 'sha512')
    const token = await authorize({
      ...{ scope: 'credential', credentialID: credential.credentialID, numSignatures: '1' },
      ...{ hashes: digest.toString('base64url'), hashAlgorithmOID: SHA512 },
    })
    const response = await fetch(`${baseUrl}/csc/v2/signatures/signHash`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        credentialID: credential.credentialID,
        hashes: [digest.toString('base64')],
        signAlgo: ECDSA_SHA512,
      }),
    })
    assert.equal(response.status, 200, await response.text())

    for (const { password, totpSecret } of sandbox.users) {
      canaries.set(password, 'password').set(totpSecret, 'TOTP secret')
    }
    for (const { client_secret } of sandbox.clients) canaries.set(client_secret, 'client secret')
    for (const name of ['hsm.pin', 'secrets.key']) {
      canaries.set(readFileSync(at(name), 'utf8').trim(), name)
    }

    const files = readdirSync(dataDir).filter((name) => name.startsWith('openrssp.db'))
    assert.ok(files.includes('openrssp.db-wal'))
    const places = new Map(files.map((name) => [name, readFileSync(at(name)).toString('latin1')]))
    // The panel shows one password, to the person who started it.
    const { stdout, stderr } = first
    places.set('output', `${stdout}${stderr}`.replace(`password ${alice.password}\n`, ''))
    places.set('config.json', readFileSync(at('config.json'), 'utf8'))
    places.set('process list', execFileSync('ps', ['axww', '-o', 'args'], { encoding: 'utf8' }))
    for (const [place, text] of places) {
      for (const [canary, name] of canaries) {
        assert.ok(!text.includes(canary), `${name} is in ${place}`)
      }
    }
    // Six digits are found by chance inside longer numbers; these stand alone.
    const inOutput = places.get('output')?.replace(/Code {8}\d{6} /, '') ?? ''
    const database = files.map((name) => places.get(name)).join()
    for (const digits of [...codes, ...sandbox.users.map(({ pin }) => pin)]) {
      const alone = new RegExp(`(?<![\\w.+/-])${digits}(?![\\w.+/-])`)
      assert.doesNotMatch(inOutput, alone)
      assert.doesNotMatch(database, alone)
    }
  })

  describe('a second time', () => {
    let second: Running

    before(async () => {
      assert.equal((await first.stop()).code, 0)
    })
    afterEach(async () => {
      await second.stop()
    })

    it('is ready soon and makes nothing again', async () => {
      const names = ['secrets.key', 'hsm.pin', 'sandbox.json', 'conformance.json']
      const kept = names.map((name) => readFileSync(at(name)))
      const began = performance.now()
      second = start()
      await second.saying(READY)
      const took = performance.now() - began
      assert.doesNotMatch(second.stdout, /Making/)
      const after = names.map((name) => readFileSync(at(name)))
      assert.deepEqual(after, kept)
      assert.equal((await fetch(`${baseUrl}/health/ready`)).status, 200)
      assert.ok(took < SECOND_START_MS, `took ${Math.round(took)} ms`)
    })

    it('moves to another port, with the demo and what is in sandbox.json', async () => {
      const moved = await freePort()
      const environment = {
        OPENRSSP_PORT: String(moved),
        OPENRSSP_HOST: '127.0.0.1',
        OPENRSSP_DATA_DIR: dataDir,
      }
      second = new Running(['sandbox', 'start'], { program, environment })
      await second.saying(READY)
      const there = `http://127.0.0.1:${moved}`
      const addresses = { baseUrl: there, csc: `${there}/csc/v2`, issuer: there }
      assert.deepEqual(readSandbox(), { ...sandbox, ...addresses })
      const demo = new URLSearchParams({
        ...{ response_type: 'code', client_id: 'openrssp-demo', scope: 'service' },
        ...{ redirect_uri: `${there}/demo/`, code_challenge_method: 'S256' },
        code_challenge: pkce().code_challenge,
      })
      const asked = await fetch(`${there}/oauth2/authorize?${demo.toString()}`, {
        redirect: 'manual',
      })
      assert.equal(asked.status, 303)
      assert.match(asked.headers.get('location') ?? '', /\/oauth2\/interaction\//)
    })
  })
})
