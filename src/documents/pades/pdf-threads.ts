import type { Worker } from 'node:worker_threads'
import { OverloadedError, UnfitDocumentError } from '../../errors.js'
import { startThread } from '../../isolation/start-thread.js'
import { moduleUrl } from '../../package-files.js'
import type { Appended, PdfTask } from './pdf-task.js'
import type { PdfThreadMessage, PdfThreadTask } from './pdf-thread.js'

export interface PdfThreadLimits {
  readonly threads: number
  /** Of the heap of a thread; the files themselves are outside of it. */
  readonly megabytes: number
  /** For a task, besides what its size adds. */
  readonly milliseconds: number
  readonly waiting: number
}

const USUAL_LIMITS: PdfThreadLimits = {
  threads: 2,
  megabytes: 256,
  milliseconds: 5_000,
  waiting: 64,
}
const MILLISECONDS_PER_MEGABYTE = 20
const MEGABYTE = 1024 * 1024
/** Until a thread has loaded what it needs. */
const START_MILLISECONDS = 60_000
const RETRY_SECONDS = 2

/** A file and what was appended to it, in one piece of memory where there was room. */
export interface PdfResult {
  /** The file, at its beginning as it was given. */
  readonly buffer: ArrayBuffer
  readonly appended: Appended
}

interface Job {
  readonly message: PdfThreadTask
  readonly resolve: (result: PdfResult) => void
  readonly reject: (error: Error) => void
}

/**
 * Threads that parse PDFs. A file that takes too long or too much memory ends its thread, and nothing
 * else: the next file gets a new one. Threads with nothing to do keep no process from ending.
 */
export class PdfThreads {
  readonly #limits: PdfThreadLimits
  readonly #threads = new Set<PdfThread>()
  readonly #waiting: Job[] = []

  constructor(limits: Partial<PdfThreadLimits> = {}) {
    this.#limits = { ...USUAL_LIMITS, ...limits }
  }

  /**
   * @param buffer with the file at its beginning; the caller gives it away, and gets it back
   * @throws {UnfitDocumentError} @throws {OverloadedError}
   */
  perform(buffer: ArrayBuffer, length: number, task: PdfTask): Promise<PdfResult> {
    if (this.#waiting.length >= this.#limits.waiting) {
      throw new OverloadedError('Too many PDFs are waiting', RETRY_SECONDS)
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message: { buffer, length, task }, resolve, reject })
      this.#next()
    })
  }

  #next(): void {
    const thread = this.#idleThread()
    const job = thread && this.#waiting.shift()
    if (job) thread.take(job)
  }

  #idleThread(): PdfThread | null {
    for (const thread of this.#threads) if (thread.isIdle) return thread
    if (this.#threads.size >= this.#limits.threads) return null
    const thread: PdfThread = new PdfThread(this.#limits, {
      idle: () => this.#next(),
      ended: () => {
        this.#threads.delete(thread)
        this.#next()
      },
    })
    this.#threads.add(thread)
    return thread
  }
}

interface PdfThreadEvents {
  idle(): void
  ended(): void
}

class PdfThread {
  readonly #limits: PdfThreadLimits
  readonly #events: PdfThreadEvents
  readonly #worker: Worker
  #job: Job | null = null
  #isReady = false
  #timer: NodeJS.Timeout | undefined

  constructor(limits: PdfThreadLimits, events: PdfThreadEvents) {
    this.#limits = limits
    this.#events = events
    this.#worker = startThread(PDF_THREAD, {
      resourceLimits: { maxOldGenerationSizeMb: limits.megabytes },
    })
    this.#worker.unref()
    this.#worker.on('message', (message: PdfThreadMessage) => {
      this.#receive(message)
    })
    this.#worker.on('error', () => {
      this.#fail(this.#collapse())
    })
    this.#worker.on('exit', () => {
      this.#fail(this.#collapse())
      events.ended()
    })
  }

  get isIdle(): boolean {
    return this.#job === null
  }

  take(job: Job): void {
    this.#job = job
    this.#worker.ref()
    if (this.#isReady) this.#begin(job)
    else this.#endAfter(START_MILLISECONDS, this.#collapse())
  }

  /** What the end of the thread means to whoever waits for it. */
  #collapse(): Error {
    return this.#isReady
      ? new UnfitDocumentError('The PDF takes too much memory to read')
      : new OverloadedError('No thread for PDFs comes up', RETRY_SECONDS)
  }

  #begin({ message }: Job): void {
    const bySize = (message.length / MEGABYTE) * MILLISECONDS_PER_MEGABYTE
    this.#endAfter(this.#limits.milliseconds + bySize, new UnfitDocumentError(TOO_SLOW))
    this.#worker.postMessage(message, [message.buffer])
  }

  #endAfter(milliseconds: number, error: Error): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#fail(error)
      void this.#worker.terminate()
    }, milliseconds)
  }

  #receive(message: PdfThreadMessage): void {
    const job = this.#job
    if (message.kind === 'ready') {
      this.#isReady = true
      if (job) this.#begin(job)
      return
    }
    this.#release()
    if (message.kind === 'done') job?.resolve(message)
    else job?.reject(new UnfitDocumentError(message.reason))
    this.#events.idle()
  }

  /** Leaves the thread without a job, and on its way out: nothing new is given to it. */
  #fail(error: Error): void {
    clearTimeout(this.#timer)
    this.#worker.unref()
    this.#job?.reject(error)
  }

  #release(): void {
    clearTimeout(this.#timer)
    this.#job = null
    this.#worker.unref()
  }
}

const PDF_THREAD = moduleUrl('documents/pades/pdf-thread.js')
const TOO_SLOW = 'The PDF takes too long to read'
