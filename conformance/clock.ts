import { setTimeout as sleep } from 'node:timers/promises'
import { Skipped } from './outcome.js'

/** Lets time pass on the server, and returns when it has. */
export type Advance = (seconds: number) => void | Promise<void>

/** The server's time as far as we know: ours, and what was asked to pass on top. */
export class Clock {
  #offsetSeconds = 0
  readonly #advance: Advance | null
  readonly #patienceSeconds: number

  /** @param patienceSeconds the longest real wait; irrelevant where time can be moved */
  constructor(advance: Advance | null, patienceSeconds: number) {
    this.#advance = advance
    this.#patienceSeconds = patienceSeconds
  }

  /** Whether passing time costs none. */
  get moves(): boolean {
    return this.#advance !== null
  }

  now(): Date {
    return new Date(Date.now() + this.#offsetSeconds * 1000)
  }

  /** @throws {Skipped} when it would have to be waited for, longer than is allowed */
  async pass(seconds: number): Promise<void> {
    if (this.#advance) {
      await this.#advance(seconds)
      this.#offsetSeconds += seconds
      return
    }
    if (seconds > this.#patienceSeconds) {
      throw new Skipped(`would have to wait ${seconds} seconds; see "consume.waitSeconds"`)
    }
    await sleep(seconds * 1000)
  }
}
