import type { Worker } from 'node:cluster'
import { FIGURES_TYPE, textOf, type FiguresData, type Metrics } from './metrics.js'
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

/** In the primary: the figures of all workers, and its own, as one. */
export class WorkerFigures implements Figures {
  readonly contentType = FIGURES_TYPE
  readonly #workers: () => readonly Worker[]
  readonly #own: Metrics
  #asked = 0

  constructor(parts: { workers: () => readonly Worker[]; own: Metrics }) {
    this.#workers = parts.workers
    this.#own = parts.own
  }

  async text(): Promise<string> {
    const figures = ++this.#asked
    const asked = this.#workers().filter((worker) => worker.isConnected())
    const answers = await Promise.all(asked.map((worker) => ask(worker, { figures })))
    return textOf([await this.#own.data(), ...answers.filter((answer) => answer !== null)])
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
