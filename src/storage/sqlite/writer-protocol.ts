import type { AuditHead } from '../../audit/chain.js'

/** What passes between the server and the thread that writes. */
export type SqliteValue = string | number | Uint8Array | null

export interface WireUnit {
  readonly changes: readonly { sql: string; values: SqliteValue[]; rows: number | null }[]
  readonly audit: readonly { at: string; event: string; detail: string }[]
}

export type WireResult = 'ok' | { conflict: number } | { failure: string }

export interface WriterOptions {
  readonly file: string
  /** Where the newest audit head is kept beside the database; null to keep none. */
  readonly headFile: string | null
  /** A record that the log was seen to hold, and must hold; null when none was seen. */
  readonly known: AuditHead | null
  /** Whether the log holds it says whether a batch was committed; null when there is none in doubt. */
  readonly sought: AuditHead | null
}

/** What a batch leaves behind once it is committed. */
export interface BatchOutcome {
  readonly results: readonly WireResult[]
  readonly head: AuditHead
  /** Whether the head is a record of its own, by which it can be found. */
  readonly isRecorded: boolean
}

export type ToWriter = { batch: WireUnit[] } | { close: true }
export type FromWriter =
  | { found: boolean }
  /** From here on only the file knows, until the next message. */
  | { committing: BatchOutcome }
  /** With the reason why the head could not be kept, if it could not. */
  | { committed: true; unkept: string | null }
  | { failed: string }
  | { closed: true }
