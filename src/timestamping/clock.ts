import { TimestampRefusal } from './refusal.js'

/** A clock that somebody else keeps. */
export interface TimeReference {
  readonly name: string
  /**
   * How far our clock is ahead of it, in milliseconds, and by how much that may be wrong.
   * @throws {Error} when it does not answer, or does not know itself
   */
  compare(): Promise<{ readonly aheadMs: number; readonly uncertaintyMs: number }>
}

export interface ClockOptions {
  readonly now: () => Date
  /** Milliseconds that have passed since any fixed moment, whatever is done to the clock. */
  readonly elapsed: () => number
  /** How far the time that is told may be off. */
  readonly accuracyMilliseconds: number
  readonly references: readonly TimeReference[]
  /** Told when the time is not sure any more, and when it is again. */
  readonly onChange?: (state: ClockState) => void
}

export type ClockState = { readonly sure: true } | { readonly sure: false; readonly why: string }

/** A clock may go wrong by half of what is declared; the rest is for what lies behind it. */
const SHARE_OF_ACCURACY = 0.5
/** So long a comparison counts: three that failed in a row are too many. */
export const COMPARED_EVERY_MS = 60_000
const BELIEVED_MS = 3 * COMPARED_EVERY_MS + 15_000

/**
 * The time for timestamps, or none: a clock that was set, in either direction, tells none until it is where it
 * would be had nobody touched it, or until references say that it is right now. Where there are references, it
 * tells none without them either. @see ETSI EN 319 421, 7.7.2
 */
export class WatchedClock {
  readonly #options: ClockOptions
  readonly #toleranceMs: number
  #anchor: { readonly time: number; readonly elapsed: number }
  /** By `elapsed`; null before the first comparison that went well. */
  #comparedAt: number | null = null
  #state: ClockState

  constructor(options: ClockOptions) {
    this.#options = options
    this.#toleranceMs = options.accuracyMilliseconds * SHARE_OF_ACCURACY
    this.#anchor = this.#here()
    this.#state =
      options.references.length === 0
        ? { sure: true }
        : { sure: false, why: 'the clock was not compared yet' }
  }

  get state(): ClockState {
    return this.#state
  }

  /** @throws {TimestampRefusal} timeNotAvailable */
  read(): Date {
    const here = this.#here()
    this.#become(this.#judge(here))
    if (!this.#state.sure) {
      throw new TimestampRefusal(
        'timeNotAvailable',
        'The time source of the authority is not available',
      )
    }
    return new Date(here.time)
  }

  /** Compares the clock with its references: more than half of them have to find it right. */
  async compare(): Promise<ClockState> {
    const { references } = this.#options
    if (references.length > 0) {
      const found = await Promise.allSettled(references.map((each) => each.compare()))
      const agree = found.filter(
        (each) =>
          each.status === 'fulfilled' &&
          Math.abs(each.value.aheadMs) + each.value.uncertaintyMs <= this.#toleranceMs,
      )
      if (agree.length * 2 > references.length) {
        this.#anchor = this.#here()
        this.#comparedAt = this.#anchor.elapsed
      } else if (found.some((each) => each.status === 'fulfilled')) this.#comparedAt = null
    }
    this.#become(this.#judge(this.#here()))
    return this.#state
  }

  #here() {
    return { time: this.#options.now().getTime(), elapsed: this.#options.elapsed() }
  }

  #judge(here: { readonly time: number; readonly elapsed: number }): ClockState {
    const passed = here.elapsed - this.#anchor.elapsed
    const jumped = here.time - this.#anchor.time - passed
    if (Math.abs(jumped) > this.#toleranceMs) {
      return { sure: false, why: `the clock was set by ${(jumped / 1000).toFixed(1)} seconds` }
    }
    if (this.#options.references.length === 0) return { sure: true }
    if (this.#comparedAt === null) {
      return { sure: false, why: 'its references do not find the clock right' }
    }
    const isOld = here.elapsed - this.#comparedAt > BELIEVED_MS
    return isOld ? { sure: false, why: 'its references have not answered' } : { sure: true }
  }

  #become(state: ClockState): void {
    const before = this.#state
    this.#state = state
    if (before.sure !== state.sure) this.#options.onChange?.(state)
  }
}
