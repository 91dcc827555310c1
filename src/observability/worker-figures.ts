import type { Worker } from 'node:cluster'
import {
  countsIn,
  FIGURES_TYPE,
  textOf,
  together,
  type FiguresData,
  type Metrics,
} from './metrics.js'
import type { Figures } from './metrics-listener.js'

/** What the primary asks a worker, and what that answers. */
interface Question {
  readonly figures: number
}
interface Answer extends Question {
  readonly data: FiguresData
}

/** A worker that is busy starting or ending is left out rather than waited for. */
const PATIENCE_MS = 1000

/** In a worker: tells the primary its figures when it is asked. */
export function answerPrimary(metrics: Metrics): void {
  process.on('message', (message: object) => {
    if (!('figures' in message)) return
    const { figures } = message as Question
    void metrics.data().then((data) => {
      if (process.connected) process.send?.({ figures, data } satisfies Answer)
    })
  })
}

/**
 * In the primary: the figures of all workers, and its own, as one. Counts never fall: Prometheus would take
 * what is left for new. What a worker told at last goes on counting when it has ended, or does not answer.
 */
export class WorkerFigures implements Figures {
  readonly contentType = FIGURES_TYPE
  readonly #workers: () => readonly Worker[]
  readonly #own: Metrics
  readonly #told = new Map<Worker, FiguresData>()
  /** Counts of all that have ended. */
  #ended: FiguresData = []
  #before: Promise<unknown> = Promise.resolve()
  #asked = 0

  constructor(parts: { workers: () => readonly Worker[]; own: Metrics }) {
    this.#workers = parts.workers
    this.#own = parts.own
  }

  /** One at a time: what has ended is added up once. */
  text(): Promise<string> {
    const text = this.#before.then(() => this.#collect())
    this.#before = text.catch(() => undefined)
    return text
  }

  async #collect(): Promise<string> {
    const workers = this.#workers()
    await this.#addUpEnded(workers)
    const question = { figures: ++this.#asked }
    const told = workers.map(async (worker) => {
      const answer = worker.isConnected() ? await ask(worker, question) : null
      const data = answer ?? countsIn(this.#told.get(worker) ?? [])
      this.#told.set(worker, data)
      return data
    })
    return textOf([await this.#own.data(), this.#ended, ...(await Promise.all(told))])
  }

  async #addUpEnded(workers: readonly Worker[]): Promise<void> {
    for (const [worker, data] of this.#told) {
      if (workers.includes(worker)) continue
      this.#ended = await together([this.#ended, countsIn(data)])
      this.#told.delete(worker)
    }
  }
}

function ask(worker: Worker, question: Question): Promise<FiguresData | null> {
  return new Promise((resolve) => {
    const settle = (data: FiguresData | null) => {
      clearTimeout(timer)
      worker.off('message', hear)
      worker.off('exit', none)
      resolve(data)
    }
    const hear = (message: unknown) => {
      if (isAnswer(message) && message.figures === question.figures) settle(message.data)
    }
    const none = () => settle(null)
    const timer = setTimeout(none, PATIENCE_MS)
    worker.on('message', hear)
    worker.on('exit', none)
    worker.send(question, (error) => {
      if (error) none()
    })
  })
}

function isAnswer(message: unknown): message is Answer {
  return typeof message === 'object' && message !== null && 'figures' in message
}
