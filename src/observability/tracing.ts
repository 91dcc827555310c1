import type { IncomingHttpHeaders } from 'node:http'
import type { Metrics, Step } from './metrics.js'

/** Facts of a span: numbers and words of our own. Digests, tokens, names and identifiers never. */
export type SpanFacts = Readonly<Record<string, string | number | boolean>>

/** Follows a request through the parts of the service. */
export interface Tracing {
  /** Runs a request, as part of the trace its `traceparent` names (W3C Trace Context). */
  request<T>(
    headers: IncomingHttpHeaders,
    facts: () => SpanFacts,
    work: () => Promise<T>,
  ): Promise<T>
  span<T>(name: string, work: () => Promise<T>): Promise<T>
  /** Puts something on record that ended, wherever it ran. @param ago seconds since; 0 for just now */
  ended(name: string, seconds: number, ago?: number): void
  /** Headers that make what a request of ours causes elsewhere part of this trace. */
  outgoing(): Record<string, string>
  /** What connects a log line with its trace. */
  logFields(): Readonly<Record<string, string>>
  /** Sends what was not sent yet. */
  close(): Promise<void>
}

/** Costs nothing, and loads nothing. */
export const NO_TRACING: Tracing = {
  request: (_headers, _facts, work) => work(),
  span: (_name, work) => work(),
  ended: () => undefined,
  outgoing: () => ({}),
  logFields: () => ({}),
  close: () => Promise.resolve(),
}

/** Takes the time of the steps of a signature. */
export interface Steps {
  measure<T>(step: Step, work: () => Promise<T>): Promise<T>
}

/** For those who do not want to know. */
export const UNMEASURED: Steps = { measure: (_step, work) => work() }

export class MeasuredSteps implements Steps {
  readonly #metrics: Metrics
  readonly #tracing: Tracing

  constructor(parts: { metrics: Metrics; tracing: Tracing }) {
    this.#metrics = parts.metrics
    this.#tracing = parts.tracing
  }

  async measure<T>(step: Step, work: () => Promise<T>): Promise<T> {
    const begun = performance.now()
    try {
      return await this.#tracing.span(step, work)
    } finally {
      this.#metrics.step(step, (performance.now() - begun) / 1000)
    }
  }
}
