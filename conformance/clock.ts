import { setTimeout as sleep } from 'node:timers/promises'
import { Skipped } from './outcome.js'

/** Lets time pass on the server, and returns when it has. */
export type Advance = (seconds: number) => void | Promise<void>

/** What time it is on the server, and how to let some pass; null where it has to be waited for. */
export interface Time {
  readonly now: () => Date
  readonly advance: Advance | null
}

/** How long may really be waited, in seconds; irrelevant where time can be moved. */
export interface Patience {
  readonly each: number
  readonly inAll: number
}

/** The server's time as far as we know it. */
export class Clock {
  readonly #now: () => Date
  readonly #advance: Advance | null
  readonly #patience: Patience
  #waited = 0

  constructor({ now, advance }: Time, patience: Patience) {
    this.#now = now
    this.#advance = advance
    this.#patience = patience
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
    if (seconds > this.#patience.each) {
      throw new Skipped('would have to wait longer than "consume.waitSeconds"')
    }
    if (this.#waited + seconds > this.#patience.inAll) {
      throw new Skipped('would have to wait once more; "consume.waitSecondsInAll" are over')
    }
    this.#waited += seconds
    await sleep(seconds * 1000)
  }
}
