import { fork, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import type { Config } from '../../config/schema.js'
import { createLogger, type Logger } from '../../observability/logger.js'
import { FROM_SOURCE, moduleUrl } from '../../package-files.js'
import { PinRefusedError } from '../pkcs11/ckr.js'
import type { Ended } from '../pkcs11/session-pool.js'
import { sessionsOf } from '../token-settings.js'
import { KeyProcessCustody } from './client.js'
import type { KeyProcessAddress } from './protocol.js'
import { newSocketFolder, socketIn } from './socket-folder.js'

/** A key process that is kept running. */
export interface KeyProcess extends KeyProcessAddress {
  readonly state: KeyProcessState
  /** Lets it close its sessions and end. */
  stop(): Promise<void>
}

/** For metrics. */
export interface KeyProcessState {
  readonly running: boolean
  /** How often it had to be started again. */
  readonly restarts: number
  /** Uses of keys that the ledger did not allow, in all of its runs, up to a moment ago. */
  readonly refusedUses: number
  readonly pid: number | null
  /** Sessions and callers, a moment ago. */
  readonly token: TokenState
}

export interface TokenState {
  readonly idle: number
  readonly busy: number
  readonly waiting: number
  readonly quarantined: number
  /** Each of them, where there are several. */
  readonly tokens?: readonly (Omit<TokenState, 'tokens'> & { readonly name: string })[]
}

const NO_TOKEN: TokenState = { idle: 0, busy: 0, waiting: 0, quarantined: 0 }

/** Everything the key process has to know of the configuration; the PIN it reads itself. */
export type KeyProcessConfig = Pick<
  Config,
  'database' | 'hsm' | 'log' | 'newCredentials' | 'secretsFile'
>

/** What the key process is told as it starts, over a channel nobody else can read. */
export interface KeyProcessOrders extends KeyProcessAddress {
  readonly config: KeyProcessConfig
}

export type ToKeyProcess = { readonly orders: KeyProcessOrders } | 'ping' | 'stop'
export type FromKeyProcess =
  | 'ready'
  /** `stuck`: calls inside the library that do not return have taken every session. */
  | { readonly pong: TokenState & { readonly stuck: boolean }; readonly refusedUses: number }
  /** `forGood`: the PIN was refused, and one more try could lock the token. */
  | { readonly failed: { readonly message: string; readonly forGood: boolean } }

/** A call takes this much longer at most than the token: waiting for a session, and the way there and back. */
const CALL_MARGIN_SECONDS = 10
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 20_000
const HEARTBEAT_MS = 250
const LEAST_SILENCE_MS = 2_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5_000
/** Who ran that long is started again at once. */
const STEADY_MS = 30_000

/**
 * Starts the key process and starts it again whenever it ends or falls silent, until `stop`. It ends with
 * the process that started it, however that ends.
 * @throws {Error} when it cannot open the token at first
 */
export async function startKeyProcess(
  config: KeyProcessConfig,
  { logger }: { readonly logger: Logger },
): Promise<KeyProcess> {
  const supervisor = new Supervisor(config, logger)
  await supervisor.start()
  return supervisor
}

/**
 * Starts it ahead of whoever will want it, and says how that went when they do. Null when this installation
 * has no key process.
 */
export function beginKeyProcess(config: KeyProcessConfig): Promise<KeyProcess> | null {
  if (config.hsm.isolation === 'none') return null
  const begun = startKeyProcess(config, { logger: createLogger(config.log.level) })
  begun.catch(() => undefined)
  return begun
}

/** The keys of a key process that somebody started. */
export function connectKeyProcess(
  address: KeyProcessAddress,
  { hsm }: Pick<Config, 'hsm'>,
  ended?: Ended,
): Promise<KeyProcessCustody> {
  const callTimeoutMs = (hsm.signTimeoutSeconds + CALL_MARGIN_SECONDS) * 1000
  return KeyProcessCustody.connect(address, { callTimeoutMs, ...(ended ? { ended } : {}) })
}

/** How a start ended that did not lead to a key process that answers. */
class StartError extends Error {
  override readonly name = 'StartError'
}

class Supervisor implements KeyProcess {
  readonly socket: string
  readonly token = randomBytes(32).toString('base64url')
  readonly #folder = newSocketFolder()
  readonly #config: KeyProcessConfig
  readonly #logger: Logger
  readonly #mostSilentBeats: number
  #child: ChildProcess | null = null
  #isReady = false
  #token: TokenState = NO_TOKEN
  #restarts = 0
  /** Of earlier runs, and of this one. */
  #refusedUses = { earlier: 0, now: 0 }
  #pauseMs = FIRST_PAUSE_MS
  #restarting: NodeJS.Timeout | null = null
  #heart: NodeJS.Timeout | null = null
  #stopping: Promise<void> | null = null

  constructor(config: KeyProcessConfig, logger: Logger) {
    this.socket = socketIn(this.#folder)
    this.#config = config
    this.#logger = logger
    const mostSilence = Math.max(config.hsm.signTimeoutSeconds * 1000, LEAST_SILENCE_MS)
    this.#mostSilentBeats = Math.ceil(mostSilence / HEARTBEAT_MS)
  }

  get state(): KeyProcessState {
    const running = this.#isReady
    const token = running ? this.#token : NO_TOKEN
    const { earlier, now } = this.#refusedUses
    return {
      ...{ running, token, restarts: this.#restarts, refusedUses: earlier + now },
      pid: this.#child?.pid ?? null,
    }
  }

  async start(): Promise<void> {
    try {
      await this.#launch()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end()
    return this.#stopping
  }

  async #end(): Promise<void> {
    if (this.#restarting) clearTimeout(this.#restarting)
    const child = this.#child
    if (child) {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      tell(child, 'stop')
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
      await ended
      clearTimeout(late)
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Resolves when it answers; from then on its end leads to the next start. */
  async #launch(): Promise<void> {
    const started = performance.now()
    const child = forkKeyProcess(this.#config)
    this.#child = child
    const { socket, token } = this
    tell(child, { orders: { config: pick(this.#config), socket, token } })
    await new Promise<void>((resolve, reject) => {
      let failure: Error = new StartError('The key process ended as it started')
      const late = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS)
      child.on('message', (message: FromKeyProcess) => {
        if (message === 'ready') {
          clearTimeout(late)
          this.#isReady = true
          this.#listenToHeart(child)
          resolve()
        } else if ('failed' in message) {
          const { message: why, forGood } = message.failed
          failure = forGood ? new PinRefusedError(why) : new StartError(why)
        }
      })
      child.on('error', (error) => {
        if (child.pid !== undefined) return // a message that did not arrive: its end follows
        // No memory, no process, no file descriptor was left for it.
        clearTimeout(late)
        this.#child = null
        reject(error)
      })
      child.once('exit', (code, signal) => {
        clearTimeout(late)
        if (this.#heart) clearInterval(this.#heart)
        this.#child = null
        this.#refusedUses = { earlier: this.state.refusedUses, now: 0 }
        const wasReady = this.#isReady
        this.#isReady = false
        if (!wasReady) {
          reject(failure)
        } else if (!this.#stopping) {
          this.#logger.error({ alarm: 'key-process', code, signal }, 'the key process ended')
          if (performance.now() - started > STEADY_MS) this.#pauseMs = FIRST_PAUSE_MS
          this.#relaunch()
        }
      })
    })
  }

  #relaunch(): void {
    this.#restarting = setTimeout(() => {
      this.#restarts += 1
      this.#launch().then(
        () => {
          this.#logger.warn({ restarts: this.#restarts }, 'the key process was started again')
        },
        (error: unknown) => {
          if (this.#stopping) return
          const forGood = error instanceof PinRefusedError
          const what = forGood ? 'is not started again' : 'could not be started'
          this.#logger.error({ alarm: 'key-process', err: error }, `the key process ${what}`)
          if (!forGood) this.#relaunch()
        },
      )
    }, this.#pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
  }

  /**
   * Beats that went unanswered count, not time: when it was us who slept, one beat is missing. A key
   * process whose loop stands still inside the library is of no use and cannot say so.
   */
  #listenToHeart(child: ChildProcess): void {
    let unanswered = 0
    child.on('message', (message: FromKeyProcess) => {
      if (message === 'ready' || !('pong' in message)) return
      unanswered = 0
      const { stuck, ...token } = message.pong
      this.#token = token
      this.#refusedUses.now = message.refusedUses
      if (stuck) this.#replace(child, 'every call to the token hangs')
    })
    this.#heart = setInterval(() => {
      unanswered += 1
      if (unanswered > this.#mostSilentBeats) this.#replace(child, 'it does not answer')
      else tell(child, 'ping')
    }, HEARTBEAT_MS)
  }

  #replace(child: ChildProcess, why: string): void {
    if (this.#stopping) return
    this.#logger.error({ alarm: 'key-process', why }, 'the key process is replaced')
    child.kill('SIGKILL')
  }
}

const ENTRY = moduleUrl(`key-process.${FROM_SOURCE ? 'ts' : 'js'}`)

/** Threads of libuv beside those that calls to the token may occupy. */
const OTHER_THREADS = 4

function forkKeyProcess({ hsm }: KeyProcessConfig): ChildProcess {
  return fork(ENTRY, {
    // A debugger's port can be had once only.
    execArgv: [
      ...process.execArgv.filter((argument) => !argument.startsWith('--inspect')),
      ...(FROM_SOURCE ? [] : ['--enable-source-maps']),
    ],
    env: {
      ...process.env,
      ...hsm.environment,
      UV_THREADPOOL_SIZE: String(sessionsOf(hsm) + OTHER_THREADS),
      // Signing asks for memory all the time, on several threads, which two arenas hold up by a tenth.
      MALLOC_ARENA_MAX: '8',
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
}

/** What it ends before hearing it, it does not need to hear. */
function tell(child: ChildProcess, message: ToKeyProcess): void {
  if (child.connected) child.send(message, () => undefined)
}

function pick(config: KeyProcessConfig): KeyProcessConfig {
  const { database, hsm, log, newCredentials, secretsFile } = config
  return { database, hsm, log, newCredentials, secretsFile }
}
