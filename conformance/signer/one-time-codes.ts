import { generateSync } from 'otplib'
import type { Clock } from '../clock.js'
import { reveal, type TypedIn } from '../target.js'

const PERIOD_SECONDS = 30

/** What signers type. A one-time code works once, so a second one within its period is waited for. */
export class OneTimeCodes {
  readonly #clock: Clock
  readonly #lastStep = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async valueOf(typed: TypedIn): Promise<string> {
    return typeof typed === 'object' && 'totp' in typed ? this.#next(typed.totp) : reveal(typed)
  }

  async #next(secret: string): Promise<string> {
    const last = this.#lastStep.get(secret) ?? -1
    if (this.#step() <= last)
      await this.#clock.pass((last + 1) * PERIOD_SECONDS - this.#seconds() + 1)
    this.#lastStep.set(secret, this.#step())
    return generateSync({ secret, epoch: this.#seconds() })
  }

  #seconds(): number {
    return Math.floor(this.#clock.now().getTime() / 1000)
  }

  #step(): number {
    return Math.floor(this.#seconds() / PERIOD_SECONDS)
  }
}
