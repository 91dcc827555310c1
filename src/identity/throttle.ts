export interface Throttle {
  /**
   * Counts one attempt under `key` and tells whether it is within `limit` for the window. The count is
   * one conditional write, so parallel attempts on any number of processes never exceed the limit.
   */
  allow(key: string, limit: number, windowSeconds: number): Promise<boolean>
  /** When the window under `key` ends; null when there is none. */
  windowEnd(key: string): Promise<Date | null>
  /** Forgets the attempts under `key`, after a success. */
  clear(key: string): Promise<void>
}
