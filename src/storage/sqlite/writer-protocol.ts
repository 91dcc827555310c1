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
}

export type ToWriter = { batch: WireUnit[] } | { close: true }
export type FromWriter = { results: WireResult[] } | { closed: true }
