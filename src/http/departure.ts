/** That this process is about to end: first it asks to be left alone, then nobody may wait any longer. */
export class Departure {
  #announced = false
  readonly #release = new AbortController()

  /** Whether load balancers are to send nothing more. */
  get announced(): boolean {
    return this.#announced
  }

  /** Aborts when calls that only wait have to be answered at once. */
  get released(): AbortSignal {
    return this.#release.signal
  }

  announce(): void {
    this.#announced = true
  }

  release(): void {
    this.#release.abort()
  }
}
