import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { childrenOf, readFile } from '../bench/proc.js'

const CLI = join(import.meta.dirname, '../../dist/cli.js')
const RESTART_MS = 300
const STOP_MS = 180_000

/** A server process that is started again whenever it ends, as a service manager would. */
export class Replica {
  /** Where it answers, past any door. */
  readonly origin: string
  readonly #configFile: string
  readonly #logFile: string
  readonly #environment: Readonly<Record<string, string>>
  #child: ChildProcess | null = null
  #isWanted = false
  /** Key processes that were stopped. */
  readonly #stopped: number[] = []
  #running: Promise<void> = Promise.resolve()

  constructor(parts: {
    readonly origin: string
    readonly configFile: string
    /** Takes what it writes. */
    readonly logFile: string
    readonly environment: Readonly<Record<string, string>>
  }) {
    this.origin = parts.origin
    this.#configFile = parts.configFile
    this.#logFile = parts.logFile
    this.#environment = parts.environment
    process.once('exit', () => this.#killAll())
  }

  start(): void {
    if (this.#isWanted) return
    this.#isWanted = true
    this.#running = this.#keepRunning()
  }

  /** Whether it says that it can serve, before the time is over. */
  async becomesReady(seconds: number): Promise<boolean> {
    const over = performance.now() + seconds * 1000
    while (performance.now() < over) {
      const signal = AbortSignal.timeout(5000)
      const ready = await fetch(`${this.origin}/health/ready`, { signal }).then(
        (response) => response.ok,
        () => false,
      )
      if (ready) return true
      await pause(50)
    }
    return false
  }

  /** SIGTERM, after which it is not started again. @returns its exit code, null when it had to be killed */
  async stop(): Promise<number | null> {
    this.#isWanted = false
    const child = this.#child
    this.signal('SIGTERM')
    const late = setTimeout(() => this.#killAll(), STOP_MS)
    await this.#running
    clearTimeout(late)
    return child?.exitCode ?? null
  }

  /** Sends it to the server alone; its key process notices by itself. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  signalKeyProcess(signal: NodeJS.Signals): void {
    const pids = this.#keyProcesses()
    for (const pid of pids) sendTo(pid, signal)
    if (signal === 'SIGSTOP') this.#stopped.push(...pids)
    // Its server may have ended meanwhile: whoever stands still does not notice.
    if (signal === 'SIGCONT') for (const pid of this.#stopped.splice(0)) sendTo(pid, signal)
  }

  async #keepRunning(): Promise<void> {
    while (this.#isWanted) {
      const log = openSync(this.#logFile, 'a')
      const child = spawn(process.execPath, [CLI, 'serve', '--config', this.#configFile], {
        env: { ...process.env, ...this.#environment },
        stdio: ['ignore', log, log],
      })
      closeSync(log)
      this.#child = child
      await once(child, 'exit')
      if (this.#isWanted) await pause(RESTART_MS)
    }
  }

  #keyProcesses(): number[] {
    const pid = this.#child?.pid ?? 0
    return childrenOf(pid).filter((child) =>
      readFile(`/proc/${child}/cmdline`).includes('key-process'),
    )
  }

  #killAll(): void {
    for (const signal of ['SIGKILL', 'SIGCONT'] as const) {
      this.signalKeyProcess(signal)
      this.signal(signal)
    }
  }
}

function sendTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended meanwhile.
  }
}
