import type { Worker } from 'node:worker_threads'
import type { AuditHead } from '../../audit/chain.js'
import { startThread } from '../../isolation/start-thread.js'
import { moduleUrl } from '../../package-files.js'
import { HeadWatch, type DatabaseLog } from '../kept-head.js'
import type {
  BatchOutcome,
  FromWriter,
  ToWriter,
  WireResult,
  WireUnit,
  WriterOptions,
} from './writer-protocol.js'

const WRITER = moduleUrl('storage/sqlite/writer-thread.js')

/** A thread that ended before it could answer anything is not started anew sooner than this. */
const REST_MS = 1000

interface UnderWay {
  readonly units: number
  readonly settle: (results: WireResult[]) => void
  /** Known from the moment on from which only the file says whether it was committed. */
  outcome: BatchOutcome | null
  isSought: boolean
}

/** The thread that writes, and another one when it has ended. One batch is under way at a time. */
export class Writer {
  readonly #options: Pick<WriterOptions, 'file' | 'headFile'>
  readonly #log: DatabaseLog | null
  readonly #headWatch: HeadWatch
  #known: AuditHead | null
  #worker: Worker | null = null
  #underWay: UnderWay | null = null
  #hasAnswered = false
  /** Why the newest thread ended at once, and when (monotonic, milliseconds). */
  #fallen: { readonly why: string; readonly at: number } | null = null
  #closed: (() => void) | null = null

  constructor(options: Omit<WriterOptions, 'sought'>, log: DatabaseLog | null) {
    this.#options = { file: options.file, headFile: options.headFile }
    this.#known = options.known
    this.#log = log
    this.#headWatch = new HeadWatch(options.headFile, log)
  }

  /** Never rejects: each unit has its own fate. */
  commit(batch: WireUnit[]): Promise<WireResult[]> {
    const fallen = this.#fallen
    if (fallen && performance.now() - fallen.at < REST_MS) {
      return Promise.resolve(batch.map(() => ({ failure: fallen.why })))
    }
    return new Promise((settle) => {
      this.#underWay = { units: batch.length, settle, outcome: null, isSought: false }
      const worker = (this.#worker ??= this.#start(null))
      worker.postMessage({ batch } satisfies ToWriter)
    })
  }

  /** Once no batch is under way. */
  async close(): Promise<void> {
    const worker = this.#worker
    if (!worker) return
    await new Promise<void>((resolve) => {
      this.#closed = resolve
      worker.postMessage({ close: true } satisfies ToWriter)
    })
    await worker.terminate()
  }

  #start(sought: AuditHead | null): Worker {
    const workerData: WriterOptions = { ...this.#options, known: this.#known, sought }
    const worker = startThread(WRITER, { workerData })
    let why = 'the thread that writes to the database ended'
    this.#hasAnswered = false
    worker.on('message', (message: FromWriter) => {
      this.#hear(message)
    })
    worker.on('error', (error) => {
      why = `${why}: ${error instanceof Error ? error.message : String(error)}`
    })
    worker.on('exit', () => {
      this.#ended(why)
    })
    return worker
  }

  #hear(message: FromWriter): void {
    this.#hasAnswered = true
    this.#fallen = null
    const outcome = this.#underWay?.outcome
    if ('committing' in message) {
      if (this.#underWay) this.#underWay.outcome = message.committing
    } else if ('committed' in message) {
      this.#headWatch.look(message.unkept)
      if (outcome) this.#stands(outcome)
    } else if ('found' in message) {
      if (outcome && message.found) this.#stands(outcome)
      else this.#failed('the thread that writes to the database ended')
    } else if ('failed' in message) {
      this.#failed(message.failed)
    } else {
      this.#closed?.()
    }
  }

  /** A batch of which nobody was told is looked for in the log by the thread that comes next. */
  #ended(why: string): void {
    this.#worker = null
    if (this.#closed) return this.#closed()
    this.#log?.error(why)
    if (!this.#hasAnswered) this.#fallen = { why, at: performance.now() }
    const batch = this.#underWay
    if (!batch?.outcome) {
      this.#failed(why)
    } else if (batch.outcome.isRecorded && !batch.isSought) {
      batch.isSought = true
      this.#worker = this.#start(batch.outcome.head)
    } else {
      this.#failed(`whether it was written is not known: ${why}`)
    }
  }

  #stands({ results, head }: BatchOutcome): void {
    this.#known = head
    this.#settle([...results])
  }

  #failed(failure: string): void {
    this.#settle(Array.from({ length: this.#underWay?.units ?? 0 }, () => ({ failure })))
  }

  #settle(results: WireResult[]): void {
    const batch = this.#underWay
    this.#underWay = null
    batch?.settle(results)
  }
}
