import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { loadConfig } from '../../src/config/load.js'
import { Secrets } from '../../src/config/secrets.js'
import type { Credential } from '../../src/credentials/credential.js'
import { generateTotpSecret } from '../../src/identity/totp.js'
import { HASH_ALGORITHMS, type KeyAlgorithm } from '../../src/keys/algorithms.js'
import { RecordAdapter } from '../../src/oauth/adapter.js'
import { openServices, type Services } from '../../src/services.js'
import { freePort, quickHash, REDIRECT_URI, SHA256, testSettings } from '../../test/support/rssp.js'
import { newTokenDirectory, type TestToken } from '../../test/support/softhsm.js'
import type { PreparedRequest } from './load.js'
import { runBuilt, startBuilt, type Running } from './processes.js'

export const BENCH_CLIENT = { id: 'bench', secret: 'bench-secret-of-no-importance' }
const SIGN_ALGO = { 'p-256': '1.2.840.10045.4.3.2', 'rsa-2048': '1.2.840.113549.1.1.11' } as const
const TOKEN_SECONDS = 3600
/** Units committed at once while data is laid out. */
const AT_ONCE = 256

export interface BenchUser {
  readonly id: string
  readonly username: string
  readonly password: string
  readonly totpSecret: string
}

/** A whole installation in a temporary folder, with people, keys and approvals laid out beforehand. */
export class BenchInstallation {
  readonly folder: string
  readonly token: TestToken
  readonly origin: string
  readonly client = { ...BENCH_CLIENT, redirectUri: REDIRECT_URI }
  readonly #configFile: string

  private constructor(parts: { folder: string; token: TestToken; origin: string }) {
    this.folder = parts.folder
    this.token = parts.token
    this.origin = parts.origin
    this.#configFile = join(parts.folder, 'openrssp.json')
  }

  /**
   * @param settings in the place of the usual ones, such as `database`
   * @param hsm likewise, of the token
   */
  static async make(
    settings: Record<string, unknown> = {},
    hsm: Record<string, unknown> = {},
  ): Promise<BenchInstallation> {
    const folder = mkdtempSync(join(tmpdir(), 'openrssp-bench-'))
    Secrets.create(join(folder, 'secrets.key'))
    const token = newTokenDirectory()
    const port = await freePort()
    const installation = new BenchInstallation({
      ...{ folder, token },
      origin: `http://127.0.0.1:${port}`,
    })
    const { module, tokenLabel, pinFile, conf } = token
    const config = testSettings(installation.origin, port, {
      // As by default. After fewer seconds the load generator would open a connection for each request.
      listen: { host: '127.0.0.1', port, keepAliveSeconds: 5 },
      hsm: { module, tokenLabel, pinFile, environment: { SOFTHSM2_CONF: conf }, ...hsm },
      lifetimes: { credentialTokenSeconds: TOKEN_SECONDS },
      auditHeadFile: 'audit-head',
      log: { level: 'warn' },
      ...settings,
    })
    writeFileSync(installation.#configFile, JSON.stringify(config))
    if (hsm['custody'] === 'wrapped')
      runBuilt(['hsm', 'init', '--config', installation.#configFile])
    await installation.lay(async (services) => {
      await services.clients.add({
        ...{
          id: BENCH_CLIENT.id,
          name: 'Bench',
          secret: BENCH_CLIENT.secret,
          redirectUris: [REDIRECT_URI],
        },
        grantTypes: ['authorization_code', 'refresh_token'],
        ...{ authMethod: 'client_secret', disabledAt: null },
      })
    })
    return installation
  }

  /** Works on the data while no server runs, or beside it. */
  async lay<T>(work: (services: Services) => Promise<T>): Promise<T> {
    const config = loadConfig(this.#configFile, {})
    const services = await openServices(config, { logger: pino({ level: 'silent' }) })
    try {
      return await work(services)
    } finally {
      await services.close()
    }
  }

  serve(...options: string[]): Promise<Running> {
    return startBuilt(['serve', '--config', this.#configFile, ...options], this.origin)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  get pin(): string {
    return readFileSync(this.token.pinFile, 'utf8')
  }
}

export async function addUser(services: Services): Promise<BenchUser> {
  const username = `signer-${randomBytes(6).toString('hex')}`
  const user = {
    ...{ id: randomUUID(), username },
    password: randomBytes(9).toString('base64url'),
    totpSecret: generateTotpSecret(),
  }
  await services.users.add({
    ...{ id: user.id, username, displayName: username, givenName: 'Bench', surname: username },
    ...{ email: null, phone: null, country: 'LT', otpAtSignIn: false, lang: null },
    // Hashing passwords is slow on purpose and measured apart.
    passwordHash: quickHash(user.password),
    totpSecret: user.totpSecret,
  })
  return user
}

export async function addCredential(
  services: Services,
  { id }: BenchUser,
  algorithm: KeyAlgorithm,
): Promise<Credential> {
  const user = await services.users.find(id)
  if (!user) throw new Error(`no user ${id}`)
  return services.credentials.create({
    ...{ user, algorithm, description: 'Bench', SCAL: '2', multisign: 1000, pin: null },
  })
}

/** Approvals of fresh digests, each with its token, as requests to `signatures/signHash` in a file. */
export async function prepareSignHash(
  services: Services,
  request: {
    readonly credentials: readonly Credential[]
    readonly count: number
    readonly digests: number
    readonly file: string
  },
): Promise<void> {
  const { credentials, count, digests, file } = request
  const lines = new Array<string>(count)
  let next = 0
  const work = async () => {
    for (let index = next++; index < count; index = next++) {
      const credential = credentials[index % credentials.length]
      if (!credential) throw new Error('no credential')
      lines[index] = JSON.stringify(await approvedRequest(services, credential, digests))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  writeFileSync(file, `${lines.join('\n')}\n`)
}

async function approvedRequest(
  services: Services,
  credential: Credential,
  count: number,
): Promise<PreparedRequest> {
  const digests = Array.from({ length: count }, () => {
    return createHash('sha256').update(randomBytes(16)).digest()
  })
  return signHashRequest(credential, await approve(services, credential, digests), digests)
}

/** Approvals of one PDF, each for several uses, as requests to `signatures/signDoc` in a file. */
export async function prepareSignDoc(
  services: Services,
  request: {
    readonly credential: Credential
    readonly document: Buffer
    readonly tokens: number
    readonly uses: number
    readonly file: string
  },
): Promise<void> {
  const { credential, document, tokens, uses, file } = request
  const digest = createHash('sha256').update(document).digest()
  const body = JSON.stringify({
    credentialID: credential.id,
    documents: [
      {
        document: document.toString('base64'),
        ...{ signature_format: 'P', signed_envelope_property: 'Revision' },
        signAlgo: SIGN_ALGO['p-256'],
      },
    ],
  })
  const lines: string[] = []
  for (let made = 0; made < tokens; made += 1) {
    const token = await approve(services, credential, Array<Buffer>(uses).fill(digest))
    const line = { path: '/csc/v2/signatures/signDoc', headers: headers(token), body }
    lines.push(`${JSON.stringify(line)}\n`)
  }
  writeFileSync(file, lines.join(''))
}

/** @returns the token of the approval */
async function approve(
  services: Services,
  credential: Credential,
  digests: readonly Buffer[],
): Promise<string> {
  const { transactions, activations, oauthRecords, secrets, now } = services
  const count = digests.length
  const transaction = await transactions.open(randomUUID(), {
    ...{ clientId: BENCH_CLIENT.id, credential, hashAlgorithm: HASH_ALGORITHMS.sha256 },
    ...{ numSignatures: count, items: digests.map((digest) => ({ digest, label: null })) },
    ...{ description: null, clientData: null },
  })
  const id = randomUUID()
  if (!transaction) throw new Error('the transaction ran out')
  await activations.grant(id, transaction, ['otp'])
  const adapter = (model: string) => new RecordAdapter(model, oauthRecords, secrets, now)
  const owner = { accountId: credential.userId, clientId: BENCH_CLIENT.id }
  await adapter('Grant').upsert(id, { ...owner, kind: 'Grant' }, TOKEN_SECONDS)
  const token = randomBytes(32).toString('base64url')
  await adapter('AccessToken').upsert(
    token,
    { ...owner, kind: 'AccessToken', grantId: id, scope: 'credential' },
    TOKEN_SECONDS,
  )
  return token
}

/** Requests of the service scope, a line for each. */
export function writeRequests(
  file: string,
  requests: readonly { path: string; token: string; body: unknown }[],
): void {
  const lines = requests.map(({ path, token, body }): PreparedRequest => {
    return { path, headers: headers(token), body: JSON.stringify(body) }
  })
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
}

function headers(token: string): PreparedRequest['headers'] {
  return { 'content-type': 'application/json', authorization: `Bearer ${token}` }
}

function signHashRequest(
  { id, keyAlgorithm }: Credential,
  token: string,
  digests: readonly Buffer[],
): PreparedRequest {
  const isRsa = keyAlgorithm === 'rsa-2048'
  return {
    path: '/csc/v2/signatures/signHash',
    headers: headers(token),
    body: JSON.stringify({
      credentialID: id,
      hashes: digests.map((digest) => digest.toString('base64')),
      hashAlgorithmOID: SHA256,
      signAlgo: SIGN_ALGO[isRsa ? 'rsa-2048' : 'p-256'],
    }),
  }
}
