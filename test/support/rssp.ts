import '../../src/oauth/unsupported-runtime.js'
import assert from 'node:assert/strict'
import { createHash, randomBytes, randomUUID, scryptSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConfig } from '../../src/config/load.js'
import { Secrets } from '../../src/config/secrets.js'
import { boundFacts } from '../../src/credentials/binding.js'
import type { ApprovalFactor, Credential } from '../../src/credentials/credential.js'
import type { NewClient } from '../../src/oauth/client.js'
import type { NewCredential } from '../../src/credentials/credentials.js'
import { generateTotpSecret, totpCode } from '../../src/identity/totp.js'
import type { KeyAlgorithm } from '../../src/keys/algorithms.js'
import type { KeyCustody } from '../../src/keys/key-custody.js'
import { createLogger } from '../../src/observability/logger.js'
import type { PublicPost } from '../../src/signing/public-post.js'
import { startServer, type RunningServer } from '../../src/server.js'
import { openServices, type Overrides, type Services } from '../../src/services.js'
import { change, sql } from '../../src/storage/database.js'
import { Lease } from '../../src/storage/lease.js'
import { assertDescribed } from './described.js'
import { freePort } from './free-port.js'
import { newPostgresDatabase, onPostgresql, type TestDatabase } from './postgresql.js'
import { SignerBrowser } from './signer-browser.js'
import { openTestCustody, type TestToken } from './softhsm.js'

export { freePort }

export const REDIRECT_URI = 'https://app.example/callback'
export const SHA256 = '2.16.840.1.101.3.4.2.1'
export const SHA384 = '2.16.840.1.101.3.4.2.2'
export const SHA512 = '2.16.840.1.101.3.4.2.3'
export const ECDSA_SHA256 = '1.2.840.10045.4.3.2'
export const RSA_SHA256 = '1.2.840.113549.1.1.11'

/** The real server on a free port, with a temporary database, a real token and a clock that can be moved. */
export interface Rssp {
  readonly baseUrl: string
  readonly services: Services
  readonly clock: TestClock
  readonly folder: string
  addUser(settings?: UserSettings): Promise<TestUser>
  addClient(settings?: ClientSettings): Promise<TestClient>
  addCredential(user: TestUser, settings?: CredentialSettings): Promise<Credential>
  /** Posts JSON (or text as it is) to a method of the CSC API. */
  call(
    method: string,
    body: unknown,
    token?: string,
    headers?: Record<string, string>,
  ): Promise<Answer>
  /** Both halves of the code flow for scope `service`. */
  serviceToken(user: TestUser, client: TestClient): Promise<string>
  /** Lets the signer approve and fetches the credential-scope token. */
  credentialToken(approval: Approval): Promise<string>
  /** Events of the audit log, oldest first. */
  auditEvents(): Promise<{ event: string; detail: Record<string, unknown> }[]>
  close(): Promise<void>
}

export interface UserSettings {
  readonly username?: string
  readonly otpAtSignIn?: boolean
  /** Its secret is then nobody's. */
  readonly withoutAuthenticator?: boolean
}

export interface TestUser {
  readonly id: string
  readonly username: string
  readonly password: string
  readonly pin: string
  readonly totpSecret: string
}

export interface TestClient {
  readonly client_id: string
  readonly client_secret: string | null
  readonly redirect_uris: readonly string[]
  readonly name: string
}

export interface ClientSettings extends Partial<TestClient> {
  /** What is out of the ordinary about its registration. */
  readonly registration?: Partial<NewClient>
}

export interface CredentialSettings {
  readonly algorithm?: KeyAlgorithm
  readonly SCAL?: '1' | '2'
  readonly multisign?: number
  readonly withPin?: boolean
  readonly signatureQualifier?: string
  readonly ownerClientId?: string
  readonly explicit?: NonNullable<NewCredential['explicit']>
  readonly approvalFactor?: ApprovalFactor
}

export interface Approval {
  readonly user: TestUser
  readonly client: TestClient
  readonly credential: Credential
  readonly digests: readonly Buffer[]
  readonly hashAlgorithmOID?: string
  readonly numSignatures?: number
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into whatever came
  readonly body: any
}

/** On a busy machine a request may wait for its turn for long, and a document is looked at slowly. */
export const PATIENT = { waitSeconds: 60 }
const PATIENT_WITH_DOCUMENTS = { seconds: 60 }

export class TestClock {
  #offset = 0
  readonly now = (): Date => new Date(Date.now() + this.#offset)
  advance(seconds: number): void {
    this.#offset += seconds * 1000
  }
}

export async function startRssp(
  overrides: {
    custody?: (real: KeyCustody) => KeyCustody
    settings?: Record<string, unknown>
    /** Stands in for requests to addresses that applications named. */
    post?: PublicPost
    /** Stands in for fetching documents from addresses that applications named. */
    documentHttp?: NonNullable<Overrides['documentHttp']>
    /** Formats of signDoc, and where timestamps and validation data come from. */
    documents?: NonNullable<Overrides['documents']>
    logLines?: string[]
    /** Whether mail and text messages are written to the folder `outbox`. */
    outbox?: boolean
    /** Under which name of this machine; passkeys need one that is no address. */
    host?: string
    /** Whether the server does its chores when their time has come; else a test says when. */
    chores?: boolean
    /** Another instance of this service, over the same database. */
    replicaOf?: Rssp
    /** The token, used from a key process of its own as in production, and not from this one. */
    token?: TestToken
  } = {},
): Promise<Rssp> {
  const { replicaOf } = overrides
  const folder = replicaOf?.folder ?? newFolder()
  const port = await freePort()
  const baseUrl = `http://${overrides.host ?? '127.0.0.1'}:${port}`
  const transport = { transport: 'outbox', folder: join(folder, 'outbox') }
  const mail = overrides.outbox ? { mail: transport, sms: transport } : {}
  const { token } = overrides
  const hsm = token ? { hsm: hsmSettings(token) } : {}
  const owned = replicaOf || !onPostgresql ? null : await newPostgresDatabase()
  const { database = owned?.url } = replicaOf?.services.config ?? {}
  const settings = {
    ...{ overload: PATIENT, verification: PATIENT_WITH_DOCUMENTS, ...mail, ...hsm },
    ...(database ? { database } : {}),
    ...overrides.settings,
  }
  const config = checkConfig(
    testSettings(replicaOf?.services.config.baseUrl ?? baseUrl, port, settings),
    folder,
    {},
  )
  const clock = replicaOf?.clock ?? new TestClock()
  const real = token ? null : await openTestCustody()
  const { logLines } = overrides
  const services = await openServices(config, {
    now: clock.now,
    drawing: PATIENT_WITH_DOCUMENTS,
    ...(real ? { custody: unclosed(overrides.custody?.(real) ?? real) } : {}),
    ...(overrides.post ? { post: overrides.post } : {}),
    ...(overrides.documentHttp ? { documentHttp: overrides.documentHttp } : {}),
    ...(overrides.documents ? { documents: overrides.documents } : {}),
    logger: logLines
      ? createLogger('debug', undefined, { write: (line) => void logLines.push(line) })
      : createLogger('silent'),
  })
  const choresLease = overrides.chores ? services.choresLease : new NobodysLease(services)
  const server = await startServer({ ...services, choresLease }, 'test')
  const keepFolder = replicaOf !== undefined
  return new RunningRssp({ baseUrl, services, clock, folder, server, keepFolder, owned })
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'openrssp-test-'))
  Secrets.create(join(folder, 'secrets.key'))
  writeFileSync(join(folder, 'pin'), 'unused', { mode: 0o600 })
  return folder
}

export function testSettings(baseUrl: string, port: number, more: Record<string, unknown> = {}) {
  return {
    baseUrl,
    // Clients then give up idle connections by themselves, and nothing waits for them at the end.
    listen: { host: '127.0.0.1', port, keepAliveSeconds: 1 },
    database: 'file:rssp.db',
    secretsFile: 'secrets.key',
    hsm: { module: 'pin', tokenLabel: 'test', pinFile: 'pin' },
    service: { name: 'Test RSSP', region: 'LT' },
    certificateAuthority: { organization: 'Test', country: 'LT' },
    ...more,
  }
}

/** @param more such as timeouts */
export function hsmSettings(token: TestToken, more: Record<string, unknown> = {}) {
  const { module, tokenLabel, pinFile, conf } = token
  return { module, tokenLabel, pinFile, environment: { SOFTHSM2_CONF: conf }, ...more }
}

export function digestOf(text: string | Buffer, algorithm = 'sha256'): Buffer {
  return createHash(algorithm).update(text).digest()
}

export function pkce(): { code_verifier: string; code_challenge: string } {
  const code_verifier = randomBytes(32).toString('base64url')
  const code_challenge = createHash('sha256').update(code_verifier).digest('base64url')
  return { code_verifier, code_challenge }
}

/** A stored password as `hashPassword` makes it, at a cost that suits thousands of test users. */
export function quickHash(password: string): string {
  const [N, r, p] = [1024, 8, 1]
  const salt = randomBytes(16)
  const hash = scryptSync(password, salt, 32, { N, r, p })
  return ['scrypt', N, r, p, salt.toString('base64'), hash.toString('base64')].join('$')
}

/** Whoever holds this does nothing. */
class NobodysLease extends Lease {
  constructor({ database, now }: Services) {
    super({ database, now, elapsed: () => 0, name: 'nobody', seconds: 1 })
  }

  override run(): Promise<boolean> {
    return Promise.resolve(false)
  }
}

/** The shared token outlives one server. */
function unclosed(custody: KeyCustody): KeyCustody {
  return {
    generate: (...call) => custody.generate(...call),
    sign: (...call) => custody.sign(...call),
    publicKey: (keyId) => custody.publicKey(keyId),
    destroy: (keyId) => custody.destroy(keyId),
    ready: () => custody.ready(),
    ...(custody.tokenInPlace ? { tokenInPlace: () => custody.tokenInPlace!() } : {}),
    close: () => Promise.resolve(),
  }
}

class RunningRssp implements Rssp {
  readonly baseUrl: string
  readonly services: Services
  readonly clock: TestClock
  readonly folder: string
  readonly #server: RunningServer
  readonly #keepFolder: boolean
  readonly #owned: TestDatabase | null

  constructor(parts: {
    baseUrl: string
    services: Services
    clock: TestClock
    folder: string
    server: RunningServer
    keepFolder: boolean
    owned: TestDatabase | null
  }) {
    this.baseUrl = parts.baseUrl
    this.services = parts.services
    this.clock = parts.clock
    this.folder = parts.folder
    this.#server = parts.server
    this.#keepFolder = parts.keepFolder
    this.#owned = parts.owned
  }

  async addUser(settings: UserSettings = {}): Promise<TestUser> {
    const username = settings.username ?? `user-${randomBytes(4).toString('hex')}`
    const user = {
      id: randomUUID(),
      username,
      password: randomBytes(9).toString('base64url'),
      pin: '482913',
      totpSecret: generateTotpSecret(),
    }
    await this.services.users.add({
      id: user.id,
      username,
      displayName: `Test ${username}`,
      givenName: 'Test',
      surname: username,
      email: `${username}@example.org`,
      phone: '+37060012345',
      country: 'LT',
      otpAtSignIn: settings.otpAtSignIn ?? false,
      lang: null,
      passwordHash: quickHash(user.password),
      totpSecret: settings.withoutAuthenticator ? null : user.totpSecret,
    })
    return user
  }

  async addClient({ registration, ...settings }: ClientSettings = {}): Promise<TestClient> {
    const client = {
      client_id: `client-${randomBytes(4).toString('hex')}`,
      client_secret: randomBytes(24).toString('base64url'),
      redirect_uris: [REDIRECT_URI],
      name: 'Test App',
      ...settings,
    }
    const added = await this.services.clients.add({
      id: client.client_id,
      name: client.name,
      secret: client.client_secret,
      redirectUris: client.redirect_uris,
      grantTypes: ['authorization_code', 'refresh_token'],
      authMethod: client.client_secret === null ? 'none' : 'client_secret',
      disabledAt: null,
      ...registration,
    })
    assert.ok(added)
    return client
  }

  async addCredential(user: TestUser, settings: CredentialSettings = {}): Promise<Credential> {
    const account = await this.services.users.find(user.id)
    assert.ok(account)
    const created = await this.services.credentials.create({
      user: account,
      algorithm: settings.algorithm ?? 'p-256',
      description: 'Test key',
      SCAL: settings.SCAL ?? '2',
      multisign: settings.multisign ?? 10,
      pin: null,
      ...(settings.signatureQualifier ? { signatureQualifier: settings.signatureQualifier } : {}),
      ...(settings.ownerClientId ? { ownerClientId: settings.ownerClientId } : {}),
      ...(settings.explicit ? { explicit: settings.explicit } : {}),
      ...(settings.approvalFactor ? { approvalFactor: settings.approvalFactor } : {}),
    })
    return settings.withPin ? this.#givePin(created, user.pin) : created
  }

  /** A PIN that is quickly checked, as the passwords of the test's people are. */
  async #givePin(created: Credential, pin: string): Promise<Credential> {
    const { config, database } = this.services
    const credential = { ...created, pinHash: quickHash(pin) }
    const binding = Secrets.read(config.secretsFile).bind(...boundFacts(credential))
    const { id, pinHash } = credential
    await database.commit({
      changes: [
        change(
          sql`UPDATE "Credential" SET "pinHash" = ${pinHash}, "binding" = ${binding} WHERE "id" = ${id}`,
          1,
        ),
      ],
    })
    return { ...credential, binding }
  }

  async call(
    method: string,
    body: unknown,
    token?: string,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.baseUrl}/csc/v2/${method}`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return readAnswer(response)
  }

  async serviceToken(user: TestUser, client: TestClient): Promise<string> {
    const { code, code_verifier } = await this.#authorize(user, client, { scope: 'service' })
    return this.#redeem(client, code, code_verifier)
  }

  async credentialToken(approval: Approval): Promise<string> {
    const { user, client, credential, digests } = approval
    const { code, code_verifier } = await this.#authorize(user, client, {
      scope: 'credential',
      credentialID: credential.id,
      numSignatures: String(approval.numSignatures ?? digests.length),
      ...(digests.length === 0
        ? {}
        : {
            hashes: digests.map((digest) => digest.toString('base64url')).join(','),
            hashAlgorithmOID: approval.hashAlgorithmOID ?? SHA256,
          }),
    })
    return this.#redeem(client, code, code_verifier)
  }

  async auditEvents(): Promise<{ event: string; detail: Record<string, unknown> }[]> {
    const events = []
    for await (const { event, detail } of this.services.audit.read(1)) {
      events.push({ event, detail: JSON.parse(detail) as Record<string, unknown> })
    }
    return events
  }

  async close(): Promise<void> {
    await this.#server.stop('end of test')
    if (!this.#keepFolder) rmSync(this.folder, { recursive: true, force: true })
    await this.#owned?.drop()
  }

  async #authorize(user: TestUser, client: TestClient, parameters: Record<string, string>) {
    const { code_verifier, code_challenge } = pkce()
    // A one-time code works once; time moves on between approvals.
    this.clock.advance(30)
    const browser = new SignerBrowser(this.baseUrl)
    const answer = await browser.authorize(
      {
        response_type: 'code',
        client_id: client.client_id,
        redirect_uri: client.redirect_uris[0] ?? '',
        code_challenge,
        code_challenge_method: 'S256',
        ...parameters,
      },
      { ...user, otp: () => totpCode(user.totpSecret, this.clock.now()) },
    )
    const code = answer.get('code')
    assert.ok(code, `no code but ${answer.toString()}`)
    return { code, code_verifier }
  }

  async #redeem(client: TestClient, code: string, code_verifier: string): Promise<string> {
    const { status, body } = await postForm(`${this.baseUrl}/oauth2/token`, {
      grant_type: 'authorization_code',
      code,
      code_verifier,
      redirect_uri: client.redirect_uris[0] ?? '',
      client_id: client.client_id,
      ...(client.client_secret === null ? {} : { client_secret: client.client_secret }),
    })
    assert.equal(status, 200, JSON.stringify(body))
    return body.access_token
  }
}

export async function postForm(
  url: string,
  fields: Record<string, string> | string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = typeof fields === 'string' ? fields : new URLSearchParams(fields).toString()
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
    body,
    redirect: 'manual',
  })
  return readAnswer(response)
}

/** Reads an answer, and demands that it is one that openapi/ describes. */
export async function readAnswer(response: Response, method = 'POST'): Promise<Answer> {
  const text = await response.text()
  const isJson = (response.headers.get('content-type') ?? '').includes('json')
  const answer = {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text,
  }
  assertDescribed(method, new URL(response.url).pathname, answer)
  return answer
}

/** Demands a refusal in exactly these words. */
export function assertRefusal(
  answer: Answer,
  status: number,
  error: string,
  error_description: string,
): void {
  assert.deepEqual(
    { status: answer.status, body: answer.body },
    { status, body: { error, error_description } },
  )
}
