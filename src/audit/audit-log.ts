import type { AuditHead, AuditRecord } from './chain.js'
import type { AuditEvent } from './events.js'

export interface AuditLog {
  /** Resolves when the records are on disk. What must stand or fall with a write goes with that write instead. */
  append(...events: readonly AuditEvent[]): Promise<void>
  /** Records in order, from `seq` on, in pages. */
  read(fromSeq: number): AsyncIterable<AuditRecord>
  /** The head kept beside the database, or null when none was kept. */
  knownHead(): AuditHead | null
}
