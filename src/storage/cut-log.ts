import type { AuditHead } from '../audit/chain.js'
import { StorageUnavailableError } from '../errors.js'

/**
 * A log that is shorter or other than it was is left as it is, for someone to look at.
 * @param hash of the record in the database that has the number of the known head
 */
export function rejectCutLog(headFile: string, known: AuditHead, hash: string | undefined): void {
  if (known.seq === 0 || hash === known.hash) return
  throw new StorageUnavailableError(
    `the audit log does not hold record ${known.seq} as ${headFile} remembers it; ` +
      'run "openrssp audit verify", and when the database was restored on purpose "openrssp database restored"',
  )
}
