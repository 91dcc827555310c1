import { NotMet } from '../outcome.js'
import type { Step, TypedIn } from '../target.js'
import type { Decision } from './signer.js'
import { isOneTime } from './one-time-codes.js'

/** A page was filled in and came again: doing the same once more would lead nowhere. */
export class CameAgain extends NotMet {}

/** What a signer sees of a page. */
export interface SeenPage {
  readonly title: string
  /** Names of what can be filled in. */
  readonly fields: readonly string[]
  /** What the page objects to, as far as it says so. */
  readonly objection: string
}

/** The pages of one authorization. */
export class PageHistory {
  readonly #seen = new Map<string, number>()

  /**
   * Notes that a page is about to be filled in. Where a one-time code is typed, a second time is
   * allowed: the code may have been used by somebody else, or come too late.
   * @throws {CameAgain}
   */
  enter({ title, fields, objection }: SeenPage, step: Step): void {
    const key = JSON.stringify([title, fields.toSorted(), step])
    const visits = (this.#seen.get(key) ?? 0) + 1
    this.#seen.set(key, visits)
    const typesCode = fields.some((name) => isOneTime(step.fill?.[name]))
    if (visits > (typesCode ? 2 : 1)) {
      throw new CameAgain(
        `the page "${title}" came again after it was filled in: ${objection || 'it does not say why'}`,
      )
    }
  }
}

/** What goes into the fields of a page: who says no types no code. */
export function fillings({ fill = {} }: Step, decision: Decision): [string, TypedIn][] {
  return Object.entries(fill).filter(([, typed]) => decision === 'approve' || !isOneTime(typed))
}
