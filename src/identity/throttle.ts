export interface Throttle {
  /**
   * Counts one attempt under `key` and tells whether it is within `limit` for the window. The count is
   * one conditional write, so parallel attempts on any number of processes never exceed the limit.
   */
  allow(key: string, limit: number, windowSeconds: number): Promise<boolean>
  /** Forgets the attempts under `key`, after a success. */
  clear(key: string): Promise<void>
}
