import { setTimeout as sleep } from 'node:timers/promises'
import { Skipped } from './outcome.js'

/** Lets time pass on the server, and returns when it has. */
export type Advance = (seconds: number) => void | Promise<void>

/** What time it is on the server, and how to let some pass; null where it has to be waited for. */
export interface Time {
  readonly now: () => Date
  readonly advance: Advance | null
}

/** The server's time as far as we know it. */
export class Clock {
  readonly #now: () => Date
  readonly #advance: Advance | null
  readonly #patienceSeconds: number

  /** @param patienceSeconds the longest real wait; irrelevant where time can be moved */
  constructor({ now, advance }: Time, patienceSeconds: number) {
    this.#now = now
    this.#advance = advance
    this.#patienceSeconds = patienceSeconds
  }

  /** Whether passing time costs none. */
  get moves(): boolean {
    return this.#advance !== null
  }

  now(): Date {
    return this.#now()
  }

  /** @throws {Skipped} when it would have to be waited for, longer than is allowed */
  async pass(seconds: number): Promise<void> {
    if (this.#advance) {
      await this.#advance(seconds)
      return
    }
    if (seconds > this.#patienceSeconds) {
      throw new Skipped(`would have to wait ${seconds} seconds; see "consume.waitSeconds"`)
    }
    await sleep(seconds * 1000)
  }
}
