const LOOK_EVERY_MS = 5_000
/** Beyond the end of a reservation, for clocks that are set back a little. */
const MARGIN_MS = 15_000

/** Names that were used once, for as long as somebody could try them again. Time is monotonic here. */
export class UsedNames {
  readonly #until = new Map<string, number>()
  #lookAt = performance.now() + LOOK_EVERY_MS

  /**
   * @param forMs how long it would be good
   * @returns false when it was used before
   */
  add(name: string, forMs: number): boolean {
    const now = performance.now()
    if (now >= this.#lookAt) this.#forget(now)
    if (this.#until.has(name)) return false
    this.#until.set(name, now + forMs + MARGIN_MS)
    return true
  }

  /** The oldest come first, and they end about in turn. */
  #forget(now: number): void {
    this.#lookAt = now + LOOK_EVERY_MS
    for (const [name, until] of this.#until) {
      if (until > now) return
      this.#until.delete(name)
    }
  }
}
