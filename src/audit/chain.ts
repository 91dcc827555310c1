import { createHash } from 'node:crypto'

/** A record as stored: `detail` is JSON text, hashed as it stands. */
export interface AuditRecord {
  readonly seq: number
  /** ISO 8601, UTC. */
  readonly at: string
  readonly event: string
  readonly detail: string
  readonly prevHash: string
  readonly hash: string
}

/** The newest record the log is known to have reached. */
export interface AuditHead {
  readonly seq: number
  readonly hash: string
}

export const EMPTY_LOG: AuditHead = { seq: 0, hash: '0'.repeat(64) }

/** Chains a record to the head: its hash covers every field and the hash before it. */
export function chainRecord(
  head: AuditHead,
  record: Pick<AuditRecord, 'at' | 'event' | 'detail'>,
): AuditRecord {
  // Field by field: the entry may be a whole record, whose own number and hashes count for nothing.
  const { at, event, detail } = record
  const seq = head.seq + 1
  const hash = createHash('sha256')
    .update(JSON.stringify([seq, at, event, detail, head.hash]))
    .digest('hex')
  return { seq, at, event, detail, prevHash: head.hash, hash }
}

export interface ChainProblem {
  readonly seq: number
  readonly problem: string
}

/**
 * Walks records in order of `seq` and names everything that is not as it was written: an edited,
 * missing, inserted or moved record, and a tail that was cut off before one of the known heads.
 */
export class ChainVerifier {
  #head: AuditHead
  readonly #knownHeads: readonly AuditHead[]
  readonly problems: ChainProblem[] = []

  /**
   * @param knownHeads every one is held against the log; they come from places with different keepers
   * @param start what the first record follows; the beginning of the log unless a part is looked at
   */
  constructor(knownHeads: readonly AuditHead[], start: AuditHead = EMPTY_LOG) {
    this.#knownHeads = knownHeads
    this.#head = start
  }

  add(record: AuditRecord): void {
    const expected = chainRecord(this.#head, record)
    if (record.seq !== expected.seq) {
      this.#report(record.seq, `record ${expected.seq} is missing or out of place`)
    } else if (record.prevHash !== this.#head.hash) {
      this.#report(record.seq, 'does not follow the record before it')
    } else if (record.hash !== expected.hash) {
      this.#report(record.seq, 'was changed after it was written')
    }
    const known = this.#knownHeads.filter(({ seq }) => seq === record.seq)
    if (known.some(({ hash }) => hash !== record.hash)) {
      this.#report(record.seq, 'is not the record that was seen here before')
    }
    this.#head = { seq: record.seq, hash: record.hash }
  }

  /** Call after the last record. Returns the head reached. */
  finish(): AuditHead {
    for (const { seq } of this.#knownHeads) {
      if (seq > this.#head.seq) {
        this.#report(this.#head.seq, `the log ends here but had reached record ${seq}`)
      }
    }
    return this.#head
  }

  #report(seq: number, problem: string): void {
    this.problems.push({ seq, problem })
  }
}
