/** How many attempts under a key there may be in a window. */
export interface AttemptLimit {
  readonly key: string
  readonly limit: number
}

export interface Throttle {
  /**
   * Counts one attempt under `key` and tells whether it is within `limit` for the window. The count is
   * one conditional write, so parallel attempts on any number of processes never exceed the limit.
   */
  allow(key: string, limit: number, windowSeconds: number): Promise<boolean>
  /**
   * Counts an attempt under each key, in order, up to the first that is over its limit.
   * @returns that key; null when the attempt is within all limits
   */
  firstExhausted(limits: readonly AttemptLimit[], windowSeconds: number): Promise<string | null>
  /** When the window under `key` ends; null when there is none. */
  windowEnd(key: string): Promise<Date | null>
  /** Forgets the attempts under `key`, after a success; under `shared`, that one alone is forgotten. */
  clear(key: string, shared?: string): Promise<void>
}
