import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { PROGRAM } from './program.js'

const LOOK_EVERY_MS = 20

/** A server in a process of its own, which can be killed. */
export class ServerProcess {
  readonly #child: ChildProcess
  readonly output: string[] = []

  private constructor(child: ChildProcess) {
    this.#child = child
    child.stdout?.on('data', (chunk: Buffer) => this.output.push(chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => this.output.push(chunk.toString()))
  }

  /** Resolves when it answers requests. */
  static async start(options: {
    configFile: string
    baseUrl: string
    environment?: NodeJS.ProcessEnv
    /** Where its log goes instead of `output`. */
    logFile?: string
    /** Where it must not be from source: that loads files as it goes. */
    program?: readonly string[]
  }): Promise<ServerProcess> {
    const { program = PROGRAM } = options
    const log = options.logFile === undefined ? 'pipe' : openSync(options.logFile, 'a')
    const child = spawn(process.execPath, [...program, 'serve', '--config', options.configFile], {
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', log, 'pipe'],
    })
    if (log !== 'pipe') closeSync(log)
    const server = new ServerProcess(child)
    await server.#ready(options.baseUrl)
    return server
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** SIGKILL: no chance to say goodbye. */
  async kill(): Promise<void> {
    const exited = this.#exited()
    this.#child.kill('SIGKILL')
    await exited
  }

  /** SIGTERM; resolves to the exit code. */
  async stop(): Promise<number | null> {
    const exited = this.#exited()
    this.#child.kill('SIGTERM')
    await exited
    return this.#child.exitCode
  }

  #exited(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return Promise.resolve()
    return new Promise((resolve) => this.#child.once('exit', () => resolve()))
  }

  /** Asks again on every connection refused; ends with the process or with an answer. */
  async #ready(baseUrl: string): Promise<void> {
    while (this.#child.exitCode === null) {
      const answered = await fetch(`${baseUrl}/health/live`).then(
        (response) => response.ok,
        () => false,
      )
      if (answered) return
      await pause(LOOK_EVERY_MS)
    }
    throw new Error(`The server ended: ${this.output.join('')}`)
  }
}
