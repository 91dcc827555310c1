import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Pkcs11Shim } from '../../test/support/pkcs11-shim.js'
import { PrivatePostgres } from '../../test/support/postgresql.js'
import { freePort } from '../../test/support/rssp.js'
import { newTokenDirectory } from '../../test/support/softhsm.js'
import { BenchInstallation } from '../bench/installation.js'
import { Clock } from './clock.js'
import { Door } from './door.js'
import { Replica } from './replica.js'
import { SmallDisk } from './small-disk.js'

export const DATABASES = ['sqlite', 'postgresql'] as const
export type DatabaseKind = (typeof DATABASES)[number]

/** The shortest that leaves a slow machine its time: reservations last ten seconds longer. */
export const SIGN_TIMEOUT_SECONDS = 2
/** A slow machine starts all processes anew in it. */
const READY_SECONDS = 240
const LOOK_AFTER_DATABASE_MS = 500

/** A process, the way to it and the clock it sees. */
export interface Place {
  readonly replica: Replica
  readonly door: Door
  /** Null without libfaketime. */
  readonly clock: Clock | null
}

/** Servers on one database, with everything around them that can be harmed. */
export class ChaosInstallation {
  readonly bench: BenchInstallation
  readonly shim: Pkcs11Shim
  /** Null on SQLite. */
  readonly postgres: PrivatePostgres | null
  /** Where the database is, or why it is not on a disk of its own. */
  readonly disk: SmallDisk | string
  readonly places: readonly Place[]
  #restarting: Promise<void> | null = null

  private constructor(parts: {
    bench: BenchInstallation
    shim: Pkcs11Shim
    postgres: PrivatePostgres | null
    disk: SmallDisk | string
    places: readonly Place[]
  }) {
    this.bench = parts.bench
    this.shim = parts.shim
    this.postgres = parts.postgres
    this.disk = parts.disk
    this.places = parts.places
  }

  static async make(options: {
    readonly database: DatabaseKind
    readonly processes: number
    /** Of load; the database grows with them. */
    readonly minutes: number
  }): Promise<ChaosInstallation> {
    const { database, processes, minutes } = options
    const shim = new Pkcs11Shim(newTokenDirectory())
    const usual = database === 'sqlite' ? 96 : 640
    const disk = SmallDisk.make(Math.ceil(usual + 32 * minutes))
    const folder = typeof disk === 'string' ? undefined : disk.folder
    const postgres = database === 'sqlite' ? null : await PrivatePostgres.start([], folder)
    const { module, tokenLabel, pinFile, conf } = shim.token
    const file = folder === undefined ? 'file:rssp.db' : `file:${join(folder, 'rssp.db')}`
    const bench = await BenchInstallation.make(
      { database: postgres?.url ?? file },
      {
        ...{ module, tokenLabel, pinFile, environment: { SOFTHSM2_CONF: conf } },
        signTimeoutSeconds: SIGN_TIMEOUT_SECONDS,
      },
    )
    const places: Place[] = []
    for (let number = 0; number < processes; number += 1) {
      places.push(await makePlace(bench.folder, number))
    }
    return new ChaosInstallation({ bench, shim, postgres, disk, places })
  }

  /** Where applications ask. */
  get doors(): string[] {
    return this.places.map(({ door }) => door.origin)
  }

  /** The heads of the audit log that processes have kept, each in a file of its own. */
  get headFiles(): string[] {
    return this.places.map((_, number) => join(this.bench.folder, headFile(number)))
  }

  start(): void {
    for (const { replica } of this.places) replica.start()
  }

  /** Starts PostgreSQL where it has ended, whoever ended it. */
  bringDatabaseBack(): Promise<void> {
    const { postgres } = this
    if (!postgres || postgres.isRunning) return this.#restarting ?? Promise.resolve()
    this.#restarting ??= postgres.restart().finally(() => {
      this.#restarting = null
    })
    return this.#restarting
  }

  /** Takes back everything that was done to it. */
  async heal(): Promise<void> {
    this.shim.heal()
    this.postgres?.resume()
    if (typeof this.disk !== 'string') this.disk.free()
    await this.bringDatabaseBack()
    for (const { replica, door, clock } of this.places) {
      door.cut = null
      clock?.set(0)
      replica.signalKeyProcess('SIGCONT')
      replica.signal('SIGCONT')
    }
  }

  /** @returns who did not become ready */
  async notReady(): Promise<string[]> {
    // It may end only now, of a disk that was full.
    const lookingAfter = setInterval(() => {
      this.bringDatabaseBack().catch(() => undefined)
    }, LOOK_AFTER_DATABASE_MS)
    const ready = await Promise.all(
      this.places.map(({ replica }) => replica.becomesReady(READY_SECONDS)),
    )
    clearInterval(lookingAfter)
    await this.bringDatabaseBack()
    return ready.flatMap((isReady, number) => {
      return isReady ? [] : [`process ${number} is not ready after ${READY_SECONDS} s`]
    })
  }

  /** @returns who did not end as it was told to */
  async stop(): Promise<string[]> {
    const codes = await Promise.all(this.places.map(({ replica }) => replica.stop()))
    return codes.flatMap((code, number) => {
      return code === 0 ? [] : [`process ${number} ended with ${code ?? 'SIGKILL'}`]
    })
  }

  /** What processes logged as errors, and how often; whatever is no log line, as it is. */
  complaints(): string[] {
    const counts = new Map<string, number>()
    for (const number of this.places.keys()) {
      const file = join(this.bench.folder, logFile(number))
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
      for (const line of lines.filter((each) => each !== '')) {
        const complaint = complaintOf(line)
        if (complaint !== null) counts.set(complaint, (counts.get(complaint) ?? 0) + 1)
      }
    }
    return [...counts].map(([complaint, times]) => `${times} × ${complaint}`)
  }

  async remove(): Promise<void> {
    for (const { door } of this.places) door.close()
    await this.postgres?.stop()
    this.shim.close()
    this.bench.remove()
    if (typeof this.disk !== 'string') this.disk.remove()
  }
}

async function makePlace(folder: string, number: number): Promise<Place> {
  const port = await freePort()
  const settings = JSON.parse(readFileSync(join(folder, 'openrssp.json'), 'utf8')) as Record<
    string,
    object
  >
  const configFile = join(folder, `process-${number}.json`)
  writeFileSync(
    configFile,
    JSON.stringify({
      ...settings,
      listen: { ...settings['listen'], port },
      auditHeadFile: headFile(number),
    }),
  )
  const clock = Clock.make(join(folder, `clock-${number}`))
  const replica = new Replica({
    ...{ origin: `http://127.0.0.1:${port}`, configFile },
    logFile: join(folder, logFile(number)),
    environment: clock?.environment ?? {},
  })
  return { replica, door: await Door.open(port), clock }
}

const ERROR_LEVEL = 50

/** Null when it is none. */
function complaintOf(line: string): string | null {
  try {
    const { level, msg, err } = JSON.parse(line) as {
      level: number
      msg: string
      err?: { type?: string; message?: string }
    }
    if (level < ERROR_LEVEL) return null
    return err ? `${msg} (${err.type ?? 'Error'}: ${err.message ?? ''})` : msg
  } catch {
    return line
  }
}

function logFile(number: number): string {
  return `process-${number}.log`
}

function headFile(number: number): string {
  return `audit-head-${number}`
}
