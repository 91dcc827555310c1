/** Longer than this, and others notice that the event loop was held up; a busy machine does not explain it. */
const SLOW_MS = 100
/** What a single call counts at most, so that one during which others had the processor does not. */
const COUNTED_MS = 10
/** On average: the way to a thread and back costs less. */
const SLOW_ON_AVERAGE_MS = 1
/** How long calls are made on threads before the event loop is tried again. */
const AVOIDED_MS = 60_000
const WEIGHT = 1 / 32

/** Whether calls of one kind are short enough to be made on the event loop. */
export class Pace {
  #averageMs = 0
  #avoidedUntil = 0

  get isQuick(): boolean {
    return performance.now() >= this.#avoidedUntil
  }

  /** How long a call took on the event loop. */
  took(ms: number): void {
    this.#averageMs += (Math.min(ms, COUNTED_MS) - this.#averageMs) * WEIGHT
    if (ms < SLOW_MS && this.#averageMs < SLOW_ON_AVERAGE_MS) return
    this.#averageMs = 0
    this.#avoidedUntil = performance.now() + AVOIDED_MS
  }
}
