import type { AuditRecord, ChainProblem } from './chain.js'
import type { AuditEventDetails } from './events.js'

/** What of an approval is left, as the log has it. */
interface Approval {
  readonly clientId: string
  readonly userId: string
  readonly credentialId: string
  readonly digests: Set<string>
  /** Signatures that may still be made. */
  left: number
  /** How many of them may be over any digest: of SCAL 1, until digests are named. */
  open: number
}

/** A signing that was asked for, until it ends. */
interface UnderWay {
  readonly approval: Approval
  readonly foreign: number
}

const NEVER = 'asks for a signature that nobody on record approved'
const OTHERS = 'asks for a signature that somebody else approved, or for another application'
const FOREIGN = 'asks for a signature over a digest that was not approved'
const TOO_MANY = 'asks for more signatures than were approved'
const UNREADABLE = 'does not say what such a record says'

/**
 * Walks records in order of `seq` and holds what was to be signed against what was approved before. Whoever
 * changes an approval in the database is found out by this: what the person agreed to is in the log.
 */
export class ApprovalVerifier {
  readonly problems: ChainProblem[] = []
  readonly #isWhole: boolean
  readonly #approvals = new Map<string, Approval>()
  readonly #underWay = new Map<string, UnderWay>()

  /** @param isWhole whether it is the whole log: in a part of it approvals from before are not known */
  constructor(isWhole: boolean) {
    this.#isWhole = isWhole
  }

  add({ seq, event, detail }: AuditRecord): void {
    if (!isHeard(event)) return
    try {
      const problem = this.#hear(event, detail)
      if (problem !== null) this.problems.push({ seq, problem })
    } catch {
      this.problems.push({ seq, problem: UNREADABLE })
    }
  }

  #hear(event: Heard, detail: string): string | null {
    switch (event) {
      case 'authorisation.granted':
        this.#grant(read(event, detail))
        return null
      case 'authorisation.extended':
        this.#extend(read(event, detail))
        return null
      case 'authorisation.revoked':
        this.#approvals.delete(read(event, detail).authorisationId)
        return null
      case 'signature.requested':
        return this.#request(read(event, detail))
      case 'signature.created':
        this.#create(read(event, detail))
        return null
      case 'signature.failed':
      case 'signature.indeterminate':
        this.#underWay.delete(read(event, detail).operationId)
        return null
    }
  }

  #grant(granted: AuditEventDetails['authorisation.granted']): void {
    const { authorisationId, clientId, userId, credentialId, digests } = granted
    // Releases before did not say how many; then that is not looked at.
    const { numSignatures = Infinity } = granted
    this.#approvals.set(authorisationId, {
      ...{ clientId, userId, credentialId, digests: new Set(digests) },
      left: numSignatures,
      open: numSignatures - digests.length,
    })
  }

  #extend({ authorisationId, digests }: AuditEventDetails['authorisation.extended']): void {
    const approval = this.#approvals.get(authorisationId)
    if (!approval) return
    const named = digests.filter((digest) => !approval.digests.has(digest))
    for (const digest of named) approval.digests.add(digest)
    approval.open = Math.max(0, approval.open - named.length)
  }

  #request(requested: AuditEventDetails['signature.requested']): string | null {
    const { operationId, authorisationId, clientId, userId, credentialId, digests } = requested
    const approval = this.#approvals.get(authorisationId)
    if (!approval) return this.#isWhole ? NEVER : null
    const foreign = digests.filter((digest) => !approval.digests.has(digest)).length
    this.#underWay.set(operationId, { approval, foreign })
    const isSame =
      approval.clientId === clientId &&
      approval.userId === userId &&
      approval.credentialId === credentialId
    if (!isSame) return OTHERS
    if (foreign > approval.open) return FOREIGN
    return digests.length > approval.left ? TOO_MANY : null
  }

  #create({ operationId, signatures }: AuditEventDetails['signature.created']): void {
    const found = this.#underWay.get(operationId)
    this.#underWay.delete(operationId)
    if (!found) return
    found.approval.left -= signatures.length
    found.approval.open -= found.foreign
  }
}

const HEARD = [
  ...(['authorisation.granted', 'authorisation.extended', 'authorisation.revoked'] as const),
  ...(['signature.requested', 'signature.created'] as const),
  ...(['signature.failed', 'signature.indeterminate'] as const),
]
type Heard = (typeof HEARD)[number]

function isHeard(event: string): event is Heard {
  return (HEARD as readonly string[]).includes(event)
}

function read<Event extends Heard>(_event: Event, detail: string): AuditEventDetails[Event] {
  return JSON.parse(detail) as AuditEventDetails[Event]
}
