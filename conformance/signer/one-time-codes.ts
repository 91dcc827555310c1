import { generateSync } from 'otplib'
import type { Clock } from '../clock.js'
import { reveal, type TypedIn } from '../target.js'

const PERIOD_SECONDS = 30
/** A code that is about to end may be too late when it arrives. */
const MARGIN_SECONDS = 5

type OneTime = Extract<TypedIn, { totp: string }>

/** Whether it is a code that works once, and not a secret that stays. */
export function isOneTime(typed: TypedIn | undefined): typed is OneTime {
  return typeof typed === 'object' && 'totp' in typed
}

/** What signers type. A one-time code works once, so that for a further one the next period is waited for. */
export class OneTimeCodes {
  readonly #clock: Clock
  readonly #lastStep = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async valueOf(typed: TypedIn): Promise<string> {
    return isOneTime(typed) ? this.#next(typed.totp, typed.drift ?? 0) : reveal(typed)
  }

  async #next(secret: string, drift: number): Promise<string> {
    const last = this.#lastStep.get(secret) ?? -1
    const step = Math.max(last + 1, this.#earliest(drift))
    const missing = (step - drift) * PERIOD_SECONDS - this.#seconds()
    if (missing > 0) await this.#clock.pass(missing + 1)
    this.#lastStep.set(secret, step)
    return generateSync({ secret, epoch: step * PERIOD_SECONDS })
  }

  /** The oldest step whose code is still taken. */
  #earliest(drift: number): number {
    const left = PERIOD_SECONDS - (this.#seconds() % PERIOD_SECONDS)
    const late = drift > 0 && left < MARGIN_SECONDS ? drift - 1 : drift
    return Math.floor(this.#seconds() / PERIOD_SECONDS) - late
  }

  #seconds(): number {
    return Math.floor(this.#clock.now().getTime() / 1000)
  }
}
