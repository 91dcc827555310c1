import cluster, { type Worker } from 'node:cluster'
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from '../observability/logger.js'
import type { FromWorker, ToWorker, WorkerOrders } from './messages.js'

/** A worker that lived so long did not end because of how it was started. */
const SETTLED_SECONDS = 60
const FIRST_WAIT_SECONDS = 1
const LONGEST_WAIT_SECONDS = 30
/** Opening a token and a database takes seconds; after this it hangs. */
const START_SECONDS = 120
const PING_SECONDS = 1

export interface SupervisorOptions {
  readonly workers: number
  readonly orders: WorkerOrders
  /** Seconds a worker may take to end; then it is killed. */
  readonly stopSeconds: number
  /** Seconds a worker that serves may be silent; then it is killed, and another one takes its place. */
  readonly silentSeconds: number
  /** Arguments of the program, when workers are not started like this process was. */
  readonly args?: readonly string[]
  readonly logger: Logger
}

interface Member {
  readonly worker: Worker
  readonly startedAt: number
  /** Whether it came to listen. */
  readonly isServing: Promise<boolean>
  readonly ended: Promise<void>
  state: 'starting' | 'serving' | 'leaving'
}

/**
 * Runs a number of processes that serve one port. Connections are handed to them in turn; any of them can
 * answer any request. The port is open as long as one of them is.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #logger: Logger
  readonly #members = new Set<Member>()
  /** One change of the crew at a time. */
  #changes: Promise<void> = Promise.resolve()
  #failures = 0
  #isStopping = false

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#logger = options.logger
    const { args } = options
    cluster.setupPrimary(args ? { args: [...args] } : {})
  }

  /**
   * Resolves when all serve. The first one is alone at first: what only one can do, such as bringing the
   * database up to date, it does for all.
   * @returns false when it could not, and has said why on standard error
   */
  async start(): Promise<boolean> {
    if (!(await this.#fork().isServing)) return false
    const others = Array.from({ length: this.#options.workers - 1 }, () => this.#fork())
    const came = await Promise.all(others.map((each) => each.isServing))
    for (const isServing of came) if (!isServing) void this.#refill()
    return true
  }

  /** Starts each worker anew, one after the other; the old one ends when the new one serves. */
  reload(reason: string): Promise<void> {
    return this.#inTurn(async () => {
      for (const member of this.#serving()) {
        if (member.state !== 'serving' || (await this.#replace(member, reason))) continue
        this.#logger.error('a new worker does not start: the others go on as they are')
        return
      }
      this.#logger.info({ workers: this.#options.workers }, 'all workers were replaced')
    })
  }

  /** Lets all of them finish what they are doing. */
  async stop(reason: string): Promise<void> {
    this.#isStopping = true
    await Promise.all(
      [...this.#members].map((member) => this.#dismiss(member, { reason, isReplaced: false })),
    )
  }

  /** At once, whatever they are doing. */
  kill(): void {
    this.#isStopping = true
    for (const { worker } of this.#members) worker.process.kill('SIGKILL')
  }

  /** Those that answer requests, for whoever asks them something. */
  get workers(): readonly Worker[] {
    return [...this.#members]
      .filter(({ state }) => state !== 'starting')
      .map(({ worker }) => worker)
  }

  #serving(): Member[] {
    return [...this.#members].filter(({ state }) => state === 'serving')
  }

  #fork(): Member {
    const worker = cluster.fork()
    endConnectionsWith(worker)
    const tell = (message: ToWorker) => worker.send(message)
    const hangs = setTimeout(() => worker.process.kill('SIGKILL'), START_SECONDS * 1000)
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    const isServing = new Promise<boolean>((resolve) => {
      worker.once('listening', () => resolve(true))
      void ended.then(() => resolve(false))
    })
    const member: Member = { worker, startedAt: Date.now(), isServing, ended, state: 'starting' }
    void isServing.then((serves) => {
      clearTimeout(hangs)
      if (!serves || member.state !== 'starting') return
      member.state = 'serving'
      this.#listenFor(member)
    })
    this.#members.add(member)
    worker.once('exit', (code, signal) => this.#ended(member, { code, signal }))
    worker.on('message', (message: FromWorker) => {
      if (message === 'at your orders') tell({ orders: this.#options.orders })
      if (message === 'leave') void this.#inTurn(() => this.#replaceUnasked(member))
    })
    // A message to a worker that has just died fails; that it died is all there is to know.
    worker.on('error', (error) => this.#logger.debug({ err: error }, 'worker cannot be told'))
    return member
  }

  #ended(member: Member, how: { code: number | null; signal: string | null }): void {
    this.#members.delete(member)
    const { pid } = member.worker.process
    if (member.state === 'leaving') return
    this.#logger.error({ pid, ...how }, 'a worker ended')
    const isSettled = Date.now() - member.startedAt > SETTLED_SECONDS * 1000
    this.#failures = isSettled ? 1 : this.#failures + 1
    if (member.state === 'serving') void this.#refill()
  }

  /**
   * Pings that went unanswered count, not time: when it was us who slept, or the whole machine, one is
   * missing. One whose event loop stands still keeps its connections, and nobody gets an answer.
   */
  #listenFor(member: Member): void {
    const { worker } = member
    let unanswered = 0
    worker.on('message', (message: FromWorker) => {
      if (message === 'pong') unanswered = 0
    })
    const heart = setInterval(() => {
      if (member.state !== 'serving') return
      if (unanswered >= this.#options.silentSeconds / PING_SECONDS) {
        clearInterval(heart)
        const { pid } = worker.process
        this.#logger.error({ pid, seconds: unanswered }, 'a worker does not react and is replaced')
        worker.process.kill('SIGKILL')
      } else {
        unanswered += 1
        worker.send({ ping: true } satisfies ToWorker)
      }
    }, PING_SECONDS * 1000)
    void member.ended.then(() => clearInterval(heart))
  }

  /** At once after the first failure, then waiting longer and longer. */
  async #refill(): Promise<void> {
    while (!this.#isStopping) {
      const wait = FIRST_WAIT_SECONDS * 2 ** (this.#failures - 2)
      if (this.#failures > 1) await pause(Math.min(wait, LONGEST_WAIT_SECONDS) * 1000)
      if (this.#isStopping || (await this.#fork().isServing)) return
    }
  }

  async #replaceUnasked(member: Member): Promise<void> {
    if (member.state === 'serving' && !this.#isStopping) await this.#replace(member, 'asked to end')
  }

  async #replace(member: Member, reason: string): Promise<boolean> {
    if (this.#isStopping || !(await this.#fork().isServing)) return false
    await this.#dismiss(member, { reason, isReplaced: true })
    return true
  }

  async #dismiss(
    member: Member,
    stop: { readonly reason: string; readonly isReplaced: boolean },
  ): Promise<void> {
    const { worker, ended, state } = member
    member.state = 'leaving'
    worker.send({ stop } satisfies ToWorker)
    // One that does not listen yet may not hear it, either: it has nothing to finish.
    if (state === 'starting') worker.process.kill('SIGTERM')
    const late = setTimeout(() => {
      this.#logger.error({ pid: worker.process.pid }, 'a worker does not end and is killed')
      worker.process.kill('SIGKILL')
    }, this.#options.stopSeconds * 1000)
    await ended
    clearTimeout(late)
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    this.#changes = this.#changes.then(change)
    return this.#changes
  }
}

/**
 * A connection on its way to a worker that dies is forgotten by Node.js, which never closes it: whoever
 * called would wait for good.
 */
function endConnectionsWith(worker: Worker): void {
  const { process: child } = worker
  const send = child.send.bind(child) as (...args: unknown[]) => boolean
  // There is one at a time; closing those that arrived again does nothing.
  let newest: { close?: () => void } | undefined
  child.send = (...args: unknown[]) => {
    const [, connection] = args
    if (connection) newest = connection
    return send(...args)
  }
  worker.once('exit', () => newest?.close?.())
}
