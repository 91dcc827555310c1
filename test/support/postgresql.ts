import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  accessSync,
  chownSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { migrationFiles } from '../../src/storage/migration-files.js'
import { openClient } from '../../src/storage/postgresql/connection.js'
import { applyMigrations } from '../../src/storage/postgresql/migrations.js'
import { freePort } from './free-port.js'

const HOST = '127.0.0.1'
const USER = 'openrssp'
/** Also after a crash, on a slow machine. */
const START_SECONDS = 120

/** A server of its own, for who starts, stops, kills or pauses one. Its data is gone with the process. */
export class PrivatePostgres {
  readonly #folder: string
  readonly #port: number
  readonly #password: string
  readonly #settings: readonly string[]
  #supervisor: ChildProcess | null = null

  private constructor(folder: string, port: number, password: string, settings: readonly string[]) {
    this.#folder = folder
    this.#port = port
    this.#password = password
    this.#settings = settings
    process.prependOnceListener('exit', () => {
      this.#supervisor?.kill('SIGKILL')
      this.#signal('SIGQUIT')
      this.#remove()
    })
  }

  /**
   * @param settings of postgresql.conf, such as `max_connections=20`
   * @param where folder in which it gets one of its own
   */
  static async start(
    settings: readonly string[] = [],
    where = memoryFolder(),
  ): Promise<PrivatePostgres> {
    const folder = mkdtempSync(join(where, 'openrssp-postgresql-'))
    const password = randomBytes(12).toString('hex')
    const passwordFile = join(folder, 'password')
    writeFileSync(passwordFile, password)
    const owner = unprivileged()
    if (owner) for (const path of [folder, passwordFile]) chownSync(path, owner.uid, owner.gid)
    execFileSync(
      program('initdb'),
      [
        ...['--pgdata', join(folder, 'data'), '--username', USER, '--pwfile', passwordFile],
        ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--no-locale', '--no-sync'],
      ],
      { ...owner, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const server = new PrivatePostgres(folder, await freePort(), password, settings)
    await server.restart()
    return server
  }

  /** Of a database that is there from the start and stays empty. */
  get url(): string {
    return `postgresql://${USER}:${this.#password}@${HOST}:${this.#port}/postgres`
  }

  /** Whether its first process is there. */
  get isRunning(): boolean {
    return this.#supervisor?.exitCode === null && this.#supervisor.signalCode === null
  }

  /** Starts it again after `stop(false)` or `crash`, or when it has ended by itself. */
  async restart(): Promise<void> {
    this.#launch()
    await this.#ready()
  }

  #launch(): void {
    const settings = [
      ...[`port=${this.#port}`, `listen_addresses=${HOST}`, 'unix_socket_directories='],
      ...['max_connections=200', 'shared_buffers=64MB', 'logging_collector=off'],
      ...['max_wal_size=256MB', 'min_wal_size=80MB', 'autovacuum_naptime=10s'],
      ...this.#settings,
    ].flatMap((setting) => ['-c', setting])
    // Whatever becomes of this process, its end of the pipe closes, and the server ends.
    this.#supervisor = spawn(
      'bash',
      [
        ...['-c', SUPERVISOR, 'postgresql', this.#folder],
        ...[program('postgres'), '-D', join(this.#folder, 'data'), ...settings],
      ],
      { ...unprivileged(), cwd: '/', stdio: ['pipe', 'ignore', 'ignore'] },
    )
    this.#supervisor.stdin?.on('error', () => undefined)
    this.#supervisor.unref()
    ;(this.#supervisor.stdin as unknown as { unref(): void }).unref()
  }

  /** @param forGood whether its data goes, too */
  async stop(forGood = true): Promise<void> {
    await this.#end('SIGINT')
    if (forGood) this.#remove()
  }

  /** Ends it as a power cut would: what was not on its disk is lost. */
  crash(): Promise<void> {
    return this.#end('SIGQUIT')
  }

  /** Every process of it stands still, connections stay open. */
  pause(): void {
    for (const pid of this.#processes()) kill(pid, 'SIGSTOP')
  }

  resume(): void {
    for (const pid of this.#processes()) kill(pid, 'SIGCONT')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const supervisor = this.#supervisor
    if (!supervisor) return
    this.#supervisor = null
    this.resume()
    const ended = new Promise((resolve) => supervisor.once('exit', resolve))
    this.#signal(signal)
    if (supervisor.exitCode === null && supervisor.signalCode === null) {
      supervisor.ref()
      await ended
    }
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#postmaster()
    if (pid !== null) kill(pid, signal)
  }

  #postmaster(): number | null {
    try {
      const pid = readFileSync(join(this.#folder, 'data', 'postmaster.pid'), 'utf8')
      return Number.parseInt(pid, 10) || null
    } catch {
      return null
    }
  }

  /** The first one first: it would start others. */
  #processes(): number[] {
    const first = this.#postmaster()
    if (first === null) return []
    const children = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => parentOf(pid) === first)
    return [first, ...children]
  }

  #remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #ready(): Promise<void> {
    const end = Date.now() + START_SECONDS * 1000
    for (;;) {
      const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: 5000 })
      client.on('error', () => undefined)
      try {
        await client.connect()
        await client.end()
        return
      } catch (error) {
        if (Date.now() > end || this.#supervisor === null) throw error
        await new Promise((resolve) => setTimeout(resolve, 25))
        // What is left of the one before was still in its way.
        if (this.#supervisor !== null && !this.isRunning) this.#launch()
      }
    }
  }
}

/** Arguments: its folder, then the command. Ends when the server does, or ends it when its input does. */
const SUPERVISOR = `
folder=$1; shift
"$@" </dev/null & server=$!
{ read -r _; kill -QUIT $server 2>/dev/null && rm -rf "$folder"; } <&0 & reader=$!
wait $server
kill $reader 2>/dev/null
exit 0`

/** Where a flush costs nothing, as tests need their disk for other things. */
function memoryFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return '/dev/shm'
  } catch {
    return tmpdir()
  }
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { uid: number; gid: number } | null {
  if (userInfo().uid !== 0) return null
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string) => Number(execFileSync('id', [flag, name], { stdio: 'pipe' }))
      return { uid: id('-u'), gid: id('-g') }
    } catch {
      continue
    }
  }
  throw new Error('PostgreSQL needs a user to run as: postgres or nobody')
}

function program(name: string): string {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : []
  const newest = versions.sort((a, b) => Number(b) - Number(a))
  const path = (process.env['PATH'] ?? '').split(':')
  const folders = [...newest.map((version) => `/usr/lib/postgresql/${version}/bin`), ...path]
  const found = folders.map((folder) => join(folder, name)).find((file) => existsSync(file))
  if (found === undefined) throw new Error(`${name} is not installed: apt-get install postgresql`)
  return found
}

function parentOf(pid: number): number | null {
  try {
    const [, , parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return Number(parent)
  } catch {
    return null
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended meanwhile.
  }
}

/** Set by scripts/test: a server on which every test may make databases. */
const SERVER = process.env['OPENRSSP_TEST_POSTGRESQL']

/** Whether all tests run on PostgreSQL that are not about another database. */
export const onPostgresql = process.env['OPENRSSP_TEST_DATABASE'] === 'postgresql'

export interface TestDatabase {
  readonly url: string
  drop(): Promise<void>
}

let server: Promise<string> | null = null
let template: Promise<string> | null = null
let count = 0

/** One that nobody else uses, with all migrations applied. */
export async function newPostgresDatabase(): Promise<TestDatabase> {
  return newDatabase(await (template ??= makeTemplate()))
}

/** One without tables. */
export function newEmptyDatabase(): Promise<TestDatabase> {
  return newDatabase('template0')
}

async function newDatabase(source: string): Promise<TestDatabase> {
  const name = `openrssp_test_${process.pid}_${(count += 1)}_${randomBytes(3).toString('hex')}`
  await administrate(`CREATE DATABASE "${name}" TEMPLATE "${source}"`)
  return {
    url: await urlOf(name),
    drop: () => administrate(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`),
  }
}

/** The server of this run, or one of this process. */
function serverUrl(): Promise<string> {
  server ??= SERVER ? Promise.resolve(SERVER) : PrivatePostgres.start().then(({ url }) => url)
  return server
}

async function urlOf(database: string): Promise<string> {
  const url = new URL(await serverUrl())
  url.pathname = `/${database}`
  return url.href
}

async function administrate(...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: await serverUrl() })
  client.on('error', () => undefined)
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/** Once for a server and a set of migrations, whichever process comes first. */
async function makeTemplate(): Promise<string> {
  const checksums = migrationFiles('postgresql').map(({ checksum }) => checksum)
  const hash = createHash('sha256').update(checksums.join()).digest('hex').slice(0, 16)
  const name = `openrssp_template_${hash}`
  const client = new pg.Client({ connectionString: await serverUrl() })
  await client.connect()
  try {
    await client.query('SELECT pg_advisory_lock(20261122)')
    const { rows } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])
    if (rows.length > 0) return name
    const unfinished = `${name}_${process.pid}`
    await client.query(`CREATE DATABASE "${unfinished}" TEMPLATE template0 ENCODING 'UTF8'`)
    const migrating = await openClient(await urlOf(unfinished), 'test')
    await applyMigrations(migrating)
    await migrating.end()
    await client.query(`ALTER DATABASE "${unfinished}" RENAME TO "${name}"`)
    return name
  } finally {
    await client.end()
  }
}

/** What a configuration says in the place of a SQLite file, where all tests run on PostgreSQL. */
export async function databaseSettings(): Promise<{ database?: string }> {
  return onPostgresql ? { database: (await newPostgresDatabase()).url } : {}
}

/** What tests have left behind on a server that stays. */
export async function dropTestDatabases(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ name: string }>(
    String.raw`SELECT datname AS name FROM pg_database WHERE datname ~ '^openrssp_(test|template)_'`,
  )
  for (const { name } of rows) await client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)
  await client.end()
}
