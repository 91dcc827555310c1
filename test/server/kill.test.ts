import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ChainVerifier } from '../../src/audit/chain.js'
import { loadConfig } from '../../src/config/load.js'
import { Secrets } from '../../src/config/secrets.js'
import { totpCode } from '../../src/identity/totp.js'
import { openRecords } from '../../src/records.js'
import { Activations } from '../../src/activation/activations.js'
import { DatabaseActivationStore } from '../../src/storage/activation-store.js'
import {
  pkce,
  postForm,
  digestOf,
  ECDSA_SHA256,
  freePort,
  SHA256,
  testSettings,
} from '../support/rssp.js'
import { databaseSettings } from '../support/postgresql.js'
import { PROGRAM } from '../support/program.js'
import { ServerProcess } from '../support/server-process.js'
import { SignerBrowser } from '../support/signer-browser.js'
import { LASTING } from '../support/signing-load.js'
import { newTokenDirectory } from '../support/softhsm.js'

const KILLS = 5
const DIGESTS = 240
const CLIENTS = 6
const REDIRECT_URI = 'https://app.example/callback'

/** The test's own view: what a client was given, by digest. */
type Held = Map<string, string>

describe('A server killed with SIGKILL in the middle of signing (S6, S70, S71, S102)', function () {
  this.timeout(900_000)
  let folder: string
  let configFile: string
  let baseUrl: string
  let environment: NodeJS.ProcessEnv

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-kill-'))
    const token = newTokenDirectory()
    environment = { SOFTHSM2_CONF: token.conf }
    const port = await freePort()
    baseUrl = `http://127.0.0.1:${port}`
    Secrets.create(join(folder, 'secrets.key'))
    configFile = join(folder, 'config.json')
    const { module, tokenLabel, pinFile } = token
    const hsm = { module, tokenLabel, pinFile, signTimeoutSeconds: 3, environment }
    const settings = testSettings(baseUrl, port, {
      ...{ hsm, log: { level: 'error' }, lifetimes: LASTING },
      ...(await databaseSettings()),
    })
    writeFileSync(configFile, JSON.stringify(settings))
  })
  after(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it('loses nothing, signs nothing twice, and knows of every signature a client holds', async () => {
    const held: Held = new Map()
    const digests = Array.from({ length: DIGESTS }, (_, index) => digestOf(`document ${index}`))
    const { user, credentialId } = await populate()

    let server = await ServerProcess.start({ configFile, baseUrl, environment })
    const token = await approve(user, credentialId, digests)
    let next = 0
    for (let kills = 0; kills <= KILLS; kills += 1) {
      const until = kills === KILLS ? DIGESTS : next + Math.floor(DIGESTS / (KILLS + 1))
      const killed = kills === KILLS ? null : afterAnswers(held, until - 10, () => server.kill())
      const slice = digests.slice(next, until)
      next = until
      await signAll(slice, token, credentialId, held)
      await killed?.()
      if (kills < KILLS) server = await ServerProcess.start({ configFile, baseUrl, environment })
    }
    // Whatever went unanswered is asked for once more: it is refused, or signed for the first time.
    await signAll(digests, token, credentialId, new Map())
    assert.equal(await server.stop(), 0)

    await assertLedgerAndLogAgree(held)
  })

  /** As an operator would, from the command line. */
  async function populate() {
    const { password, totpSecret } = await openrssp(
      ...['user', 'add', 'kill', '--given-name', 'Kill', '--surname', 'Test'],
    )
    const app = ['kill-app', 'Kill App', '--public', '--redirect-uri', REDIRECT_URI]
    await openrssp('client', 'add', ...app)
    const { credentialID } = await openrssp('credential', 'create', 'kill', '--multisign', '1000')
    assert.ok(password && totpSecret && credentialID)
    return { user: { username: 'kill', password, totpSecret }, credentialId: credentialID }
  }

  async function openrssp(...command: string[]): Promise<Record<string, string>> {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...PROGRAM, ...command, '--config', configFile, '--json'],
      { env: { ...process.env, ...environment } },
    )
    return JSON.parse(stdout) as Record<string, string>
  }

  async function approve(
    user: { username: string; password: string; totpSecret: string },
    credentialID: string,
    digests: readonly Buffer[],
  ): Promise<string> {
    const { code_verifier, code_challenge } = pkce()
    const pushed = await postForm(`${baseUrl}/oauth2/pushed_authorize`, {
      client_id: 'kill-app',
      response_type: 'code',
      redirect_uri: REDIRECT_URI,
      scope: 'credential',
      credentialID,
      numSignatures: String(digests.length),
      hashes: digests.map((digest) => digest.toString('base64url')).join(','),
      hashAlgorithmOID: SHA256,
      code_challenge,
      code_challenge_method: 'S256',
    })
    assert.equal(pushed.status, 201, JSON.stringify(pushed.body))
    const answer = await new SignerBrowser(baseUrl).authorize(
      { client_id: 'kill-app', request_uri: pushed.body.request_uri },
      { ...user, otp: () => totpCode(user.totpSecret, new Date()) },
    )
    const { body } = await postForm(`${baseUrl}/oauth2/token`, {
      grant_type: 'authorization_code',
      client_id: 'kill-app',
      redirect_uri: REDIRECT_URI,
      code: answer.get('code') ?? '',
      code_verifier,
    })
    return body.access_token
  }

  async function signAll(
    digests: readonly Buffer[],
    token: string,
    credentialID: string,
    held: Held,
  ): Promise<void> {
    const queue = [...digests]
    const worker = async (): Promise<void> => {
      for (let digest = queue.shift(); digest; digest = queue.shift()) {
        const hash = digest.toString('base64')
        const signature = await signOne(hash, token, credentialID)
        if (signature !== null) held.set(hash, signature)
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, worker))
  }

  async function signOne(
    hash: string,
    token: string,
    credentialID: string,
  ): Promise<string | null> {
    try {
      const response = await fetch(`${baseUrl}/csc/v2/signatures/signHash`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
        body: JSON.stringify({ credentialID, hashes: [hash], signAlgo: ECDSA_SHA256 }),
      })
      const body = (await response.json()) as { signatures?: string[] }
      return response.ok ? (body.signatures?.[0] ?? null) : null
    } catch {
      return null // the connection broke: the client holds nothing
    }
  }

  async function assertLedgerAndLogAgree(held: Held): Promise<void> {
    const later = () => new Date(Date.now() + 60_000)
    const services = await openRecords(loadConfig(configFile, {}), { now: later })
    const store = new DatabaseActivationStore(services.database)
    const activations = new Activations({
      ...{ store, now: later },
      ...{ binder: services.secrets, unboundUntil: services.unboundUntil },
      lifetimeSeconds: 1,
      sadSeconds: 1,
      reservationSeconds: 1,
    })
    try {
      await activations.settleAbandoned()
      const rows = await services.database.read.authorisedDigest.findMany()
      const records = []
      const verifier = new ChainVerifier([])
      for await (const record of services.audit.read(1)) {
        verifier.add(record)
        records.push({ event: record.event, detail: JSON.parse(record.detail) as Detail })
      }
      verifier.finish()
      assert.deepEqual(verifier.problems, [])
      assert.ok(held.size > DIGESTS / 3, `only ${held.size} signatures were made`)

      const created = records.filter(({ event }) => event === 'signature.created')
      const logged = new Set(created.flatMap(({ detail }) => detail.signatures ?? []))
      for (const signature of held.values()) {
        const hash = createHash('sha256').update(Buffer.from(signature, 'base64')).digest('hex')
        assert.ok(logged.has(hash), 'a client holds a signature that is not in the log')
      }

      const requested = records.filter(({ event }) => event === 'signature.requested')
      const given = records.filter(({ event }) => event === 'signature.failed')
      const back = new Set(given.map(({ detail }) => detail.operationId))
      const asked = requested
        .filter(({ detail }) => !back.has(detail.operationId))
        .flatMap(({ detail }) => detail.digests ?? [])
      assert.equal(new Set(asked).size, asked.length, 'a digest was given to the token twice')
      const ended = new Set(
        records
          .filter(({ event }) => /^signature\.(created|failed|indeterminate)$/.test(event))
          .map(({ detail }) => detail.operationId),
      )
      const open = requested.filter(({ detail }) => !ended.has(detail.operationId))
      assert.deepEqual(open, [], 'an intent was left open')

      assert.equal(rows.filter(({ state }) => state === 'reserved').length, 0)
      assert.equal(rows.filter(({ state }) => state === 'consumed').length, created.length)
    } finally {
      await services.close()
    }
  }
})

interface Detail {
  readonly operationId?: string
  readonly signatures?: string[]
  readonly digests?: string[]
}

/** Runs `act` as soon as the client holds that many signatures; the result waits for it. */
function afterAnswers(held: Held, count: number, act: () => Promise<void>): () => Promise<void> {
  let acted: Promise<void> | null = null
  const set = held.set.bind(held)
  held.set = (key, value) => {
    if (held.size + 1 >= count) acted ??= act()
    return set(key, value)
  }
  return () => (acted ??= act())
}
