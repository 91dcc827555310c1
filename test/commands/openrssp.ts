import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secrets } from '../../src/config/secrets.js'
import { PROGRAM, ROOT } from '../support/program.js'
import { freePort, testSettings } from '../support/rssp.js'
import { newTokenDirectory, type TestToken } from '../support/softhsm.js'
import { openrsspHere } from './in-process.js'

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly program?: readonly string[]
}

/** The tool in a process of its own. */
export class Running {
  readonly child: ChildProcess
  readonly ended: Promise<Outcome>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], options: RunOptions = {}) {
    const { environment = {}, cwd = ROOT, program = PROGRAM } = options
    const child = spawn(process.execPath, [...program, ...args], {
      cwd,
      env: { ...cleanEnvironment(), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child = child
    child.stdout.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
    this.ended = new Promise((resolve) => {
      child.once('close', (code) => {
        resolve({ code, stdout: this.stdout, stderr: this.stderr })
      })
    })
  }

  /** Resolves when standard output holds the text; fails when the process ends before. */
  saying(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.stdout.includes(text)) resolve()
      }
      this.child.stdout?.on('data', look)
      look()
      void this.ended.then(({ code, stdout, stderr }) => {
        reject(new Error(`ended with ${code} before saying "${text}":\n${stdout}\n${stderr}`))
      })
    })
  }

  stop(): Promise<Outcome> {
    this.child.kill('SIGTERM')
    return this.ended
  }
}

export function openrssp(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Running(args, options).ended
}

/** What a developer's shell says must not reach the tests. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours = Object.entries(process.env).filter(([name]) => {
    return !name.startsWith('OPENRSSP_') && name !== 'NODE_ENV' && name !== 'SOFTHSM2_CONF'
  })
  return Object.fromEntries(ours)
}

/** A configuration with a token of its own, and no sandbox in it; its database is a file to look into. */
export class Installation {
  readonly folder: string
  readonly token: TestToken
  readonly port: number
  readonly baseUrl: string
  readonly configFile: string
  readonly databaseFile: string
  readonly headFile: string

  private constructor(parts: { folder: string; token: TestToken; port: number }) {
    this.folder = parts.folder
    this.token = parts.token
    this.port = parts.port
    this.baseUrl = `http://127.0.0.1:${this.port}`
    this.configFile = join(this.folder, 'openrssp.json')
    this.databaseFile = join(this.folder, 'rssp.db')
    this.headFile = `${this.databaseFile}.audit-head`
  }

  static async make(settings: Record<string, unknown> = {}): Promise<Installation> {
    const folder = mkdtempSync(join(tmpdir(), 'openrssp-commands-'))
    const token = newTokenDirectory()
    Secrets.create(join(folder, 'secrets.key'))
    const installation = new Installation({ folder, token, port: await freePort() })
    installation.configure(settings)
    return installation
  }

  get settings(): ReturnType<typeof testSettings> {
    const { module, tokenLabel, pinFile, conf } = this.token
    return testSettings(this.baseUrl, this.port, {
      hsm: { module, tokenLabel, pinFile, environment: { SOFTHSM2_CONF: conf } },
    })
  }

  /** Writes the configuration anew, with these settings in the place of the usual ones. */
  configure(settings: Record<string, unknown>): void {
    writeFileSync(this.configFile, JSON.stringify({ ...this.settings, ...settings }, null, 2))
  }

  run(...args: string[]): Promise<Outcome> {
    return openrssp([...args, '--config', this.configFile])
  }

  /** In this process: no command that opens the token. */
  runHere(...args: string[]): Promise<Outcome> {
    return openrsspHere([...args, '--config', this.configFile])
  }

  /** Runs with `--json` and demands success. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the tests assert what it is
  async json(...args: string[]): Promise<any> {
    const { code, stdout, stderr } = await this.run(...args, '--json')
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`)
    return JSON.parse(stdout)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
