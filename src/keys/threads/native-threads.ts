import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { startThread } from '../../isolation/start-thread.js'
import { moduleUrl } from '../../package-files.js'
import type { NativeJob, Outcome } from './native-jobs.js'

/** More than these add little: what they do is arithmetic. */
const MOST_THREADS = 4
/** A thread that has been at a job for so long is not waited for by others. */
const LOST_AFTER_MS = 1_000

interface Asked {
  readonly job: NativeJob
  readonly resolve: (outcome: never) => void
  readonly reject: (error: Error) => void
  /** When a thread began, by `performance.now()`. */
  begunAt: number
}

/** The thread ended under its job: whatever the job was, it may have been done. */
export class ThreadEndedError extends Error {
  override readonly name = 'ThreadEndedError'
}

/**
 * Threads that make native calls for others, a batch for each way there and back: signing and verifying
 * ten digests on the event loop would keep it busy for milliseconds, and on threads of libuv it would take
 * the way twice for each. They start when they are first wanted, and do not keep the process from ending.
 */
export class NativeThreads {
  readonly #most: number
  readonly #idle: Worker[] = []
  readonly #busy = new Map<Worker, Asked>()
  /** Threads that are inside a call which does not return. */
  readonly #lost = new Set<Worker>()
  readonly #waiting: Asked[] = []
  readonly #starting = new Set<Worker>()
  #isLooking = false

  constructor(most = Math.min(MOST_THREADS, availableParallelism())) {
    this.#most = most
  }

  /** How many of them work at a time. */
  get size(): number {
    return this.#most
  }

  /** Whether a thread runs. Asking starts one: until then, other ways are quicker. */
  get areReady(): boolean {
    if (this.#idle.length + this.#busy.size > 0) return true
    if (this.#starting.size === 0) this.#start()
    return false
  }

  /** @throws {ThreadEndedError} */
  run<J extends NativeJob>(job: J): Promise<Outcome<J>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject, begunAt: 0 })
      this.#giveOut()
    })
  }

  #giveOut(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#idle.pop()
      if (!thread) {
        this.#wantMore()
        return
      }
      const asked = this.#waiting.shift()
      if (!asked) return
      asked.begunAt = performance.now()
      this.#busy.set(thread, asked)
      thread.postMessage(asked.job)
    }
  }

  #wantMore(): void {
    if (this.#busy.size - this.#lost.size + this.#starting.size < this.#most) this.#start()
    if (this.#isLooking) return
    this.#isLooking = true
    setTimeout(() => this.#lookForLost(), LOST_AFTER_MS).unref()
  }

  #lookForLost(): void {
    this.#isLooking = false
    const before = performance.now() - LOST_AFTER_MS
    for (const [thread, { begunAt }] of this.#busy) if (begunAt <= before) this.#lost.add(thread)
    this.#giveOut()
  }

  #start(): void {
    const thread = startThread(moduleUrl('keys/threads/native-thread.js'), {})
    this.#starting.add(thread)
    // Its first word says that it has loaded everything.
    thread.once('message', () => {
      thread.on('message', (outcome) => this.#finish(thread, outcome))
      // A process that ends while native code is being loaded crashes: until now it had to wait.
      thread.unref()
      this.#starting.delete(thread)
      this.#idle.push(thread)
      this.#giveOut()
    })
    thread.on('error', (error) => this.#bury(thread, error))
    thread.on('exit', () => this.#bury(thread, null))
  }

  #finish(thread: Worker, outcome: unknown): void {
    const asked = this.#busy.get(thread)
    this.#busy.delete(thread)
    this.#lost.delete(thread)
    this.#idle.push(thread)
    asked?.resolve(outcome as never)
    this.#giveOut()
  }

  #bury(thread: Worker, cause: unknown): void {
    const asked = this.#busy.get(thread)
    this.#starting.delete(thread)
    this.#busy.delete(thread)
    this.#lost.delete(thread)
    const place = this.#idle.indexOf(thread)
    if (place >= 0) this.#idle.splice(place, 1)
    asked?.reject(new ThreadEndedError('A thread for native calls ended', { cause }))
  }
}

/** Those of this process. */
export const nativeThreads = new NativeThreads()
