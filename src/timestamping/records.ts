import { auditEvent, type AuditEvent } from '../audit/events.js'
import type { TimestampFailure } from './refusal.js'

/** Where what an authority did goes on record. */
export interface TimestampRecords {
  /** A token is about to leave: what fails here, is not given. @param tstInfo DER */
  given(tstInfo: Buffer): Promise<void>
  refused(failure: TimestampFailure): void
  /** What was not written yet. */
  flush(): Promise<void>
}

export interface TimestampRecordsParts {
  /** Whether every token is on record before it leaves, or only how many there were. */
  readonly each: boolean
  readonly append: (event: AuditEvent) => Promise<unknown>
  readonly now: () => Date
}

/**
 * Records of a time-stamping authority (ETSI EN 319 421, 7.12). Counts are written together: one durable write
 * for each token costs more than the token.
 */
export class AuditedTimestamps implements TimestampRecords {
  readonly #parts: TimestampRecordsParts
  #since: Date | null = null
  #given = 0
  #refused = new Map<TimestampFailure, number>()

  constructor(parts: TimestampRecordsParts) {
    this.#parts = parts
  }

  async given(tstInfo: Buffer): Promise<void> {
    const { each, append } = this.#parts
    if (each) await append(auditEvent('timestamp.given', { tstInfo: tstInfo.toString('base64') }))
    this.#begin()
    this.#given += 1
  }

  refused(failure: TimestampFailure): void {
    this.#begin()
    this.#refused.set(failure, (this.#refused.get(failure) ?? 0) + 1)
  }

  async flush(): Promise<void> {
    const since = this.#since
    if (since === null) return
    const [given, refused] = [this.#given, this.#refused]
    this.#since = null
    this.#given = 0
    this.#refused = new Map()
    const { append, now } = this.#parts
    const counts = Object.fromEntries(refused)
    const span = { from: since.toISOString(), to: now().toISOString() }
    try {
      await append(auditEvent('timestamps.counted', { ...span, given, refused: counts }))
    } catch (error) {
      this.#restore(since, given, refused)
      throw error
    }
  }

  #begin(): void {
    this.#since ??= this.#parts.now()
  }

  /** They go with the next. */
  #restore(since: Date, given: number, refused: ReadonlyMap<TimestampFailure, number>): void {
    this.#since = since
    this.#given += given
    for (const [failure, count] of refused) {
      this.#refused.set(failure, (this.#refused.get(failure) ?? 0) + count)
    }
  }
}
