import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { randomBytes } from 'node:crypto'
import { checkConfig } from '../config/load.js'
import { Secrets } from '../config/secrets.js'
import type { Config } from '../config/schema.js'
import { ON_THE_FLY } from './people.js'

const TOKEN_LABEL = 'openrssp'

/** Demo people have many from the start, and still can be given more. */
const MOST_CREDENTIALS = 100
/** Certificates of people name one (EN 319 412-2). This arc is there for documentation and promises nothing. */
const POLICY = { policyOid: '1.3.6.1.4.1.32473.1.2' }
const ONE_TIME = { policyOid: '1.3.6.1.4.1.32473.1.3' }

const SOFTHSM_MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
]

/** Stands in the folder while the sandbox is being made. */
const UNFINISHED = 'unfinished'

export interface SandboxOptions {
  readonly dataDir: string
  readonly host: string
  readonly port: number
  /** `file:` URL; a file in the data folder when absent. */
  readonly databaseUrl?: string
  readonly environment: NodeJS.ProcessEnv
}

export interface DataFolder {
  readonly config: Config
  /** Whether there is a token in it yet. */
  readonly hasToken: boolean
  readonly sandboxFile: string
  /** Where messages to people go. */
  readonly outbox: string
  /** Configurations of the conformance runner, by version of the API. */
  readonly conformanceFiles: { readonly v1: string; readonly v2: string }
}

/** Makes the data folder with its secrets where they are missing, and the configuration for it. */
export function openDataFolder(options: SandboxOptions): DataFolder {
  const folder = resolve(options.dataDir)
  const at = (name: string) => join(folder, name)
  makeFolder(folder)
  if (existsSync(at(UNFINISHED))) removeUnfinished(at)
  if (!existsSync(at('sandbox.json'))) writeFileSync(at(UNFINISHED), '')
  mkdirSync(at('tokens'), { recursive: true, mode: 0o700 })
  if (!existsSync(at('secrets.key'))) Secrets.create(at('secrets.key'))
  if (!existsSync(at('hsm.pin'))) {
    writeFileSync(at('hsm.pin'), `${randomBytes(16).toString('hex')}\n`, { mode: 0o600 })
  }
  writeFileSync(
    at('softhsm2.conf'),
    `directories.tokendir = ${at('tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  )
  const settings = sandboxSettings(options, at)
  writeFileSync(at('config.json'), `${JSON.stringify(settings, null, 2)}\n`)
  return {
    config: checkConfig(settings, folder, options.environment),
    hasToken: !existsSync(at(UNFINISHED)),
    sandboxFile: at('sandbox.json'),
    outbox: at('outbox'),
    conformanceFiles: { v1: at('conformance-v1.json'), v2: at('conformance.json') },
  }
}

/** One by one: where none may be made, as below /proc, Node goes on for ever to make them all at once. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder, { mode: 0o700 })
}

/** From now on what is missing in the folder is an error, not an invitation to make it. */
export function markFinished(options: SandboxOptions): void {
  rmSync(join(resolve(options.dataDir), UNFINISHED), { force: true })
}

/** A sandbox whose making was interrupted was never used by anybody: it is made anew. */
function removeUnfinished(at: (name: string) => string): void {
  const made = ['tokens', 'outbox', 'openrssp.db', 'openrssp.db-wal', 'openrssp.db-shm']
  const written = ['sandbox.json', 'conformance.json', 'conformance-v1.json']
  for (const name of [...made, 'openrssp.db.audit-head', ...written]) {
    rmSync(at(name), { recursive: true, force: true })
  }
}

function sandboxSettings(options: SandboxOptions, at: (name: string) => string) {
  const { host, port, databaseUrl, environment } = options
  return {
    baseUrl: environment['OPENRSSP_BASE_URL'] ?? `http://${hostInUrl(host)}:${port}`,
    listen: { host, port },
    database: databaseUrl ?? `file:${at('openrssp.db')}`,
    secretsFile: at('secrets.key'),
    hsm: {
      module: environment['OPENRSSP_PKCS11_MODULE'] ?? softHsmModule(),
      tokenLabel: TOKEN_LABEL,
      pinFile: at('hsm.pin'),
      environment: { SOFTHSM2_CONF: at('softhsm2.conf') },
    },
    service: {
      name: 'OpenRSSP Sandbox',
      description: 'Remote signing for trying out: demo people, demo keys',
      region: 'LT',
    },
    mail: { transport: 'outbox', folder: at('outbox') },
    sms: { transport: 'outbox', folder: at('outbox') },
    certificateAuthority: {
      ...{ organization: 'OpenRSSP Sandbox', country: 'LT' },
      profiles: { signer: POLICY, seal: POLICY, oneTime: ONE_TIME },
    },
    newCredentials: {
      ...{ perPerson: MOST_CREDENTIALS, perPersonPerHour: MOST_CREDENTIALS },
      onTheFly: [ON_THE_FLY],
    },
    log: { level: environment['OPENRSSP_LOG_LEVEL'] ?? 'warn' },
    sandbox: true,
  }
}

/** How the address is reached from this machine, as it stands in a URL. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return isIPv6(host) ? `[${host}]` : host
}

function softHsmModule(): string {
  const found = SOFTHSM_MODULES.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new Error(
    'SoftHSM is not installed. Install the package softhsm2, or name another PKCS#11 library in OPENRSSP_PKCS11_MODULE.',
  )
}
