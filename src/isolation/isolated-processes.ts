import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OverloadedError, UnfitDocumentError } from '../errors.js'
import { moduleUrl, PACKAGE } from '../package-files.js'
import { IsolationError, type IsolatedTask } from './isolated-task.js'
import { loadable } from './loadable.js'
import type { FromIsolated, ToIsolated } from './protocol.js'

export interface IsolationLimits {
  /** Processes at a time; they are started when they are needed. */
  readonly processes: number
  /** Tasks that wait for one of them; more are refused. */
  readonly waiting: number
  /** How long a task may compute; on a busy machine, which has less time for it, that takes longer. */
  readonly seconds: number
  /** Of JavaScript objects. */
  readonly heapMegabytes: number
  /** Of everything: the operating system gives no more (on Linux). */
  readonly memoryMegabytes: number
  /**
   * Whether native addons may be loaded. They are not held by the permission model, so only what has to
   * draw gets them.
   */
  readonly addons: boolean
}

export const ISOLATION_LIMITS: IsolationLimits = {
  ...{ processes: 2, waiting: 32, seconds: 10, heapMegabytes: 512, memoryMegabytes: 2048 },
  addons: false,
}

/** Address space for machine code, which V8 sets aside at once; from Node.js 24 on it counts as memory. */
const CODE_MEGABYTES = Number.parseInt(process.versions.node) >= 24 ? 512 : 0
/** A busy machine gives its time to others first. */
const START_TIMEOUT_SECONDS = 60
/** So many times as long as it may compute, a task waits for the machine. */
const PATIENCE = 3
/** Processor time is told in hundredths of a second, whatever the kernel counts in (proc(5)). */
const TICKS_PER_SECOND = 100
const LOOK_AGAIN_SECONDS = 0.1
/** A process that served that many tasks makes place for a fresh one. */
const TASKS_EACH = 200
/** So long an idle process waits for the next task. */
const IDLE_MS = 60_000
/** Below everything that signs. */
const NICENESS = 10
const RETRY_SECONDS = 2

/**
 * Runs tasks that read other people's bytes in processes that can do nothing else: they have no
 * environment, no network, no files but our own code, bounded memory and bounded time. Whatever happens
 * in one ends there; after any mishap the process is killed and the next task gets a fresh one.
 */
export class IsolatedProcesses {
  readonly #limits: IsolationLimits
  readonly #idle: IsolatedProcess[] = []
  readonly #all = new Set<IsolatedProcess>()
  readonly #queue: (() => void)[] = []
  #running = 0
  #closed = false

  constructor(limits: Partial<IsolationLimits> = {}) {
    this.#limits = { ...ISOLATION_LIMITS, ...limits }
  }

  get load() {
    return { gate: 'isolation', running: this.#running, waiting: this.#queue.length }
  }

  /**
   * @throws {OverloadedError} when too many wait already, no process can be started now, or the machine
   * has no time for it
   * @throws {UnfitDocumentError} when the task does
   * @throws {IsolationError} when it gives no result for any other reason
   */
  async run<Input, Output>(task: IsolatedTask<Input, Output>, input: Input): Promise<Output> {
    await this.#turn()
    try {
      const module = await loadable(task.module)
      return (await this.#runInProcess({ module, name: task.name, input })) as Output
    } finally {
      this.#running -= 1
      this.#queue.shift()?.()
    }
  }

  /** Ends all processes. Tasks under way fail. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#all].map((each) => each.kill()))
  }

  async #turn(): Promise<void> {
    const { processes, waiting } = this.#limits
    if (this.#running >= processes) {
      if (this.#queue.length >= waiting) {
        throw new OverloadedError('Too many documents wait to be read', RETRY_SECONDS)
      }
      await new Promise<void>((resolve) => this.#queue.push(resolve))
    }
    this.#running += 1
  }

  async #runInProcess(order: ToIsolated): Promise<unknown> {
    if (this.#closed) throw new IsolationError('end', 'No more tasks are run')
    const isolated = this.#idle.pop() ?? (await this.#start())
    try {
      const result = await isolated.run(order, this.#limits.seconds)
      if (isolated.tasks < TASKS_EACH && !this.#closed) this.#rest(isolated)
      else await isolated.kill()
      return result
    } catch (error) {
      await isolated.kill()
      throw error
    }
  }

  #rest(isolated: IsolatedProcess): void {
    this.#idle.push(isolated)
    isolated.rest(IDLE_MS, () => {
      const at = this.#idle.indexOf(isolated)
      if (at >= 0) this.#idle.splice(at, 1)
    })
  }

  async #start(): Promise<IsolatedProcess> {
    const isolated = new IsolatedProcess(await startProcess(this.#limits), () =>
      this.#all.delete(isolated),
    )
    this.#all.add(isolated)
    try {
      await isolated.ready()
    } catch {
      await isolated.kill()
      throw noneStarted()
    }
    return isolated
  }
}

/** One process and what it is doing. */
class IsolatedProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #answer: ((message: FromIsolated | null) => void) | null = null
  #idle: NodeJS.Timeout | null = null
  #isGone = false
  tasks = 0

  constructor(child: ChildProcess, onEnd: () => void) {
    this.#child = child
    this.#ended = new Promise((resolve) => {
      const end = () => {
        this.#isGone = true
        if (this.#idle) clearTimeout(this.#idle)
        onEnd()
        this.#answer?.(null)
        resolve()
      }
      child.once('exit', end)
      child.once('error', end)
    })
    child.on('message', (message: FromIsolated) => this.#answer?.(message))
  }

  async ready(): Promise<void> {
    await this.#next(START_TIMEOUT_SECONDS)
  }

  async run(order: ToIsolated, seconds: number): Promise<unknown> {
    this.tasks += 1
    this.#wake()
    // What it can no longer be told, its end tells us.
    const answer = this.#next(seconds, seconds * PATIENCE)
    this.#child.send(order, () => undefined)
    const message = await answer
    if (message === 'ready') throw new IsolationError('failure', 'It answered out of turn')
    if ('result' in message) return message.result
    const { failure } = message
    if (failure.kind === 'unfit-document') throw new UnfitDocumentError(failure.message)
    throw new IsolationError('failure', failure.message)
  }

  /** Keeps nobody from ending meanwhile, and ends by itself after a while. */
  rest(milliseconds: number, onEnd: () => void): void {
    this.#child.unref()
    this.#child.channel?.unref()
    this.#idle = setTimeout(() => {
      onEnd()
      void this.kill()
    }, milliseconds).unref()
    this.#answer = (message) => {
      if (message === null) onEnd()
    }
  }

  #wake(): void {
    if (this.#idle) clearTimeout(this.#idle)
    this.#child.ref()
    this.#child.channel?.ref()
  }

  async kill(): Promise<void> {
    // Whoever waits for its end must not end before.
    this.#child.ref()
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /**
   * Its next message.
   * @param seconds that it may compute
   * @param patience seconds until then, however much time the machine had for it
   * @throws {IsolationError}
   * @throws {OverloadedError}
   */
  #next(seconds: number, patience = seconds): Promise<FromIsolated> {
    if (this.#isGone) return Promise.reject(new IsolationError('end', 'The process is gone'))
    const [begun, computed] = [performance.now(), this.#secondsComputed()]
    return new Promise((resolve, reject) => {
      let late: NodeJS.Timeout
      const look = () => {
        const left = seconds - (this.#secondsComputed() - computed)
        const waited = (performance.now() - begun) / 1000
        if (left > 0 && waited < patience) {
          const until = Math.min(left, patience - waited)
          late = setTimeout(look, Math.max(until, LOOK_AGAIN_SECONDS) * 1000)
          return
        }
        this.#answer = null
        reject(left > 0 ? noTime() : tooLong(seconds))
      }
      late = setTimeout(look, seconds * 1000)
      this.#answer = (message) => {
        this.#answer = null
        clearTimeout(late)
        if (message !== null) resolve(message)
        else reject(new IsolationError('end', 'The process ended before the task did'))
      }
    })
  }

  /** Of its one thread that runs tasks; where nobody tells, all of the time there is. */
  #secondsComputed(): number {
    const { pid } = this.#child
    try {
      const [, facts = ''] = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8').split(') ')
      const [user, system] = facts.split(' ').slice(11, 13)
      return (Number(user) + Number(system)) / TICKS_PER_SECOND
    } catch {
      return performance.now() / 1000
    }
  }
}

function tooLong(seconds: number): IsolationError {
  return new IsolationError('time', `No result within ${seconds} seconds`)
}

/** All that the process may read: our code, and that of our dependencies. */
const READABLE = [
  ...[join(PACKAGE, 'node_modules/'), join(PACKAGE, 'dist/')],
  join(PACKAGE, 'package.json'),
]

/**
 * Limits of the shell hold for what it becomes: no core dump, no file written, so much processor time in
 * all, so much memory. Where setpriv(1) of util-linux is there, the kernel kills it with its server, also
 * in the middle of an endless loop; elsewhere such a one ends by its limits.
 */
const LIMITED = `
  unset PWD; ulimit -c 0; ulimit -f 0; ulimit -t "$1"; ulimit -d "$2"; shift 2
  if setpriv --pdeathsig KILL true; then exec setpriv --pdeathsig KILL "$@"; fi
  exec "$@"`

async function startProcess(limits: IsolationLimits): Promise<ChildProcess> {
  const cpuSeconds = limits.seconds * TASKS_EACH
  const kilobytes = (limits.memoryMegabytes + CODE_MEGABYTES) * 1024
  const entry = fileURLToPath(await loadable(moduleUrl('isolation/process.js').href))
  const node = [
    process.execPath,
    permissionFlag(),
    ...(limits.addons ? ['--allow-addons'] : []),
    ...READABLE.map((path) => `--allow-fs-read=${path}`),
    `--max-old-space-size=${limits.heapMegabytes}`,
    ...['--disallow-code-generation-from-strings', '--disable-proto=delete', '--no-warnings'],
    entry,
  ]
  const child = begin(['-c', LIMITED, 'sh', `${cpuSeconds}`, `${kilobytes}`, ...node])
  yieldToOthers(child)
  return child
}

function begin(args: readonly string[]): ChildProcess {
  try {
    return spawn('/bin/sh', args, {
      env: {},
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    })
  } catch {
    throw noneStarted()
  }
}

/**
 * No memory, no process, no file descriptor was left for it. That says nothing of what it was to read
 * (S103).
 */
function noneStarted(): OverloadedError {
  return new OverloadedError('No process can be started', RETRY_SECONDS)
}

/** The machine is busy with other things, which says nothing of the task either. */
function noTime(): OverloadedError {
  return new OverloadedError('The machine has no time to read documents', RETRY_SECONDS)
}

/** The name it had until Node.js 23.5. */
function permissionFlag(): string {
  return process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission'
}

function yieldToOthers({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    setPriority(pid, NICENESS)
  } catch {
    // It ended already; that shows elsewhere.
  }
}
