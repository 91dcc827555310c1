import type { AuditRecord } from '../audit/chain.js'

/** Something about an account that its owner should know: a refusal, or a change of what protects it. */
export interface AccountEvent {
  /** Number of the audit record. */
  readonly seq: number
  readonly userId: string
  readonly at: Date
  /** Name of the audit event. */
  readonly event: string
  readonly detail: EventDetail
}

/** What of an audit record may be shown to the person, and sent. */
export interface EventDetail {
  readonly credentialId?: string
  readonly clientId?: string
  readonly factor?: string
}

/** What a mail tells: one event, or signatures made through one application with one credential. */
export interface NoticeEntry {
  readonly event: string
  /** Of the last one. */
  readonly at: string
  readonly detail: EventDetail
  /** How many signatures, or how often it happened. */
  readonly count: number
}

/** A mail to one person that was not sent yet. */
export interface Notice {
  readonly id: string
  readonly userId: string
  readonly entries: readonly NoticeEntry[]
  readonly createdAt: Date
  readonly nextTryAt: Date
  readonly tries: number
}

export interface NoticeStore {
  /** Number of the last audit record that was looked at; null before the first. */
  cursor(): Promise<number | null>
  /** False when there is a cursor already. */
  begin(seq: number): Promise<boolean>
  /** The newest record there is. */
  head(): Promise<number>
  /** The records behind `seq`, in order. */
  records(seq: number, limit: number): Promise<AuditRecord[]>
  /**
   * Moves the cursor and keeps what was found, in one write. False when another process moved it
   * first: nothing is kept then, since that process keeps it.
   */
  advance(
    from: number,
    to: number,
    found: { events: readonly AccountEvent[]; notices: readonly Notice[] },
  ): Promise<boolean>
  due(now: Date, limit: number): Promise<Notice[]>
  /** Keeps others off it until `until`. Of concurrent calls for one try, exactly one gets true. */
  claim(notice: Notice, until: Date): Promise<boolean>
  /** After the try that was claimed; false when another process has tried since. */
  postpone(notice: Notice, until: Date): Promise<boolean>
  /** After the try that was claimed; false when another process has tried since. */
  remove(notice: Notice): Promise<boolean>
  /** Newest first. */
  newest(userId: string, limit: number): Promise<AccountEvent[]>
  happenedSince(userId: string, event: string, since: Date): Promise<boolean>
  /** Whose approval it was. */
  personOfTransaction(id: string): Promise<string | null>
}
