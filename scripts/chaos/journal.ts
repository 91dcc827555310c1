/** The step log of a run, and the order of everything in it. */
export class Journal {
  readonly #begun = performance.now()
  readonly #lines: { readonly who: string; readonly line: string }[] = []
  #step = 0

  /** The next number: whoever has a lower one was before. */
  step(): number {
    return (this.#step += 1)
  }

  tell(who: string, what: string): void {
    const seconds = ((performance.now() - this.#begun) / 1000).toFixed(3).padStart(9)
    this.#lines.push({ who, line: `${seconds} s  ${who}: ${what}` })
  }

  /** Everything, or what one of these did. */
  lines(whose?: ReadonlySet<string>): string[] {
    return this.#lines.filter(({ who }) => whose?.has(who) ?? true).map(({ line }) => line)
  }
}
