import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ResidentKeyCustody, type ResidentKeyCustodyOptions } from '../../src/keys/hsm-resident.js'

/** All that a server needs to know to use a token. */
export interface TestToken {
  readonly module: string
  readonly tokenLabel: string
  readonly pin: string
  readonly pinFile: string
  /** Value of SOFTHSM2_CONF for whoever uses the token. */
  readonly conf: string
}

const MODULES = [
  process.env['SOFTHSM2_MODULE'],
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
]
const PIN = '648219'
/** SoftHSM sees the tokens that exist when it is initialised, so they are made beforehand. */
const TOKENS_MADE_AHEAD = 24

const directories: string[] = []
const openCustodies = new Set<ResidentKeyCustody>()
let unusedTokens: TestToken[] | null = null
let sharedCustody: Promise<ResidentKeyCustody> | null = null

/** A token nobody else in this process uses, in the directory that all of them share. */
export function newTestToken(): TestToken {
  unusedTokens ??= makeSharedTokens()
  const token = unusedTokens.shift()
  if (token === undefined) throw new Error('Make more tokens ahead')
  return token
}

/** A token in a directory of its own, for another process: pass `conf` on as SOFTHSM2_CONF. */
export function newTokenDirectory(tokenLabel = 'openrssp-test'): TestToken {
  return makeToken(makeDirectory(), tokenLabel)
}

/** Closed at the end of the run, unless the test has closed it before. */
export async function openCustody(
  token: TestToken,
  options: Partial<ResidentKeyCustodyOptions> = {},
): Promise<ResidentKeyCustody> {
  const { module, tokenLabel, pin } = token
  const custody = await ResidentKeyCustody.open({ module, tokenLabel, pin, ...options })
  openCustodies.add(custody)
  return custody
}

/** One custody for all tests that do not break it. */
export function openTestCustody(): Promise<ResidentKeyCustody> {
  sharedCustody ??= openCustody(newTestToken())
  return sharedCustody
}

function makeSharedTokens(): TestToken[] {
  const directory = makeDirectory()
  const labels = Array.from({ length: TOKENS_MADE_AHEAD }, (_, index) => `test-${index + 1}`)
  const tokens = labels.map((label) => makeToken(directory, label))
  process.env['SOFTHSM2_CONF'] = join(directory, 'softhsm2.conf')
  return tokens
}

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'openrssp-softhsm-'))
  directories.push(directory)
  mkdirSync(join(directory, 'tokens'))
  const settings = {
    'directories.tokendir': join(directory, 'tokens'),
    'objectstore.backend': 'file',
    'log.level': 'ERROR',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
  writeFileSync(join(directory, 'softhsm2.conf'), lines.join(''))
  writeFileSync(join(directory, 'pin'), PIN, { mode: 0o600 })
  return directory
}

function makeToken(directory: string, tokenLabel: string): TestToken {
  const conf = join(directory, 'softhsm2.conf')
  const names = ['--init-token', '--free', '--label', tokenLabel, '--pin', PIN, '--so-pin', PIN]
  execFileSync('softhsm2-util', names, { env: { ...process.env, SOFTHSM2_CONF: conf } })
  return { module: findModule(), tokenLabel, pin: PIN, pinFile: join(directory, 'pin'), conf }
}

function findModule(): string {
  const found = MODULES.find((path) => path !== undefined && existsSync(path))
  if (found === undefined) throw new Error('SoftHSM is not installed; set SOFTHSM2_MODULE')
  return found
}

/** Finalises the library: for the end of the run. */
export async function closeTestCustodies(): Promise<void> {
  await Promise.all([...openCustodies].map((custody) => custody.close()))
  openCustodies.clear()
}

// A worker of mocha's runs one file after the other and is ended from outside: there is no last hook.
const isWorker = process.env['MOCHA_WORKER_ID'] !== undefined
if (typeof after === 'function' && !isWorker) after(closeTestCustodies)

// It is given a second to end, then told by this signal: that must not keep it from clearing up.
if (isWorker) process.on('SIGTERM', () => process.exit())

// Before whatever ends a process in which native calls hang.
process.prependListener('exit', () => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})
