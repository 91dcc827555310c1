import { createHash, verify } from 'node:crypto'
import type {
  AuditEntry,
  History,
  LedgerAuthorisation,
  LedgerRow,
  SigningRequest,
  Story,
} from './history.js'

/** Something that must not be, and what it contradicts. */
export interface Mismatch {
  readonly invariant: Invariant
  readonly what: string
}

export type Invariant = keyof typeof INVARIANTS

/** Compares signatures, approvals, ledger, audit log and counters (S6, S70–S77, S102–S109). */
export function findMismatches(history: History): Mismatch[] {
  const facts = new Facts(history)
  return Object.entries(INVARIANTS).flatMap(([invariant, look]) =>
    [...look(facts)].map((what) => ({ invariant: invariant as Invariant, what })),
  )
}

/** A signature in the hands of an application. */
interface Held {
  readonly story: Story
  readonly request: SigningRequest
  readonly digest: string
  readonly signature: string
}

/** One signing, by what the audit log says of it. */
interface Operation {
  readonly id: string
  readonly requested: AuditEntry[]
  readonly ended: AuditEntry[]
}

const ENDS = new Set(['signature.created', 'signature.failed', 'signature.indeterminate'])

class Facts {
  readonly history: History
  readonly held: readonly Held[]
  readonly consumed: readonly LedgerRow[]
  readonly operations: ReadonlyMap<string, Operation>
  readonly #stories: ReadonlyMap<string, string>
  readonly #rows: ReadonlyMap<string, readonly LedgerRow[]>
  readonly #authorisations: ReadonlyMap<string, LedgerAuthorisation>

  constructor(history: History) {
    const { stories, ledger, audit } = history
    this.history = history
    this.held = stories.flatMap((story) =>
      story.requests.flatMap((request) =>
        request.signatures.map((signature, index): Held => {
          return { story, request, digest: request.digests[index] ?? '', signature }
        }),
      ),
    )
    this.#stories = new Map(
      stories.flatMap(({ name, agreed }) => [...agreed].map((digest) => [digest, name])),
    )
    this.consumed = ledger.rows.filter(({ state }) => state === 'consumed')
    this.operations = operationsOf(audit)
    this.#rows = grouped(ledger.rows, ({ digest }) => digest ?? '')
    this.#authorisations = new Map(ledger.authorisations.map((each) => [each.id, each]))
  }

  /** The story that a digest, row or signing is part of. */
  whose(of: string | LedgerRow | Operation): string {
    if (typeof of === 'string') return this.#stories.get(of) ?? 'nobody'
    if ('digest' in of) return this.whose(of.digest ?? '')
    return this.whose(of.requested.flatMap(digestsOf)[0] ?? '')
  }

  rowsOf(digest: string): readonly LedgerRow[] {
    return this.#rows.get(digest) ?? []
  }

  operationOf({ operationId }: LedgerRow): Operation | null {
    return this.operations.get(operationId ?? '') ?? null
  }

  authorisationOf({ authorisationId }: LedgerRow): LedgerAuthorisation | null {
    return this.#authorisations.get(authorisationId) ?? null
  }

  verifies(credentialId: string, digest: string, signature: string): boolean {
    const key = this.history.keys.get(credentialId)
    const document = this.history.documents.get(digest)
    if (key === undefined || document === undefined) return false
    return verify('sha256', Buffer.from(document), key, Buffer.from(signature, 'base64'))
  }
}

function operationsOf(audit: readonly AuditEntry[]): Map<string, Operation> {
  const operations = new Map<string, Operation>()
  for (const entry of audit) {
    const isRequest = entry.event === 'signature.requested'
    if (!isRequest && !ENDS.has(entry.event)) continue
    const id = textOf(entry, 'operationId')
    const operation = operations.get(id) ?? { id, requested: [], ended: [] }
    operation[isRequest ? 'requested' : 'ended'].push(entry)
    operations.set(id, operation)
  }
  return operations
}

/** Each looks for contradictions to the sentence it is named by. */
const INVARIANTS = {
  *'every signature an application holds verifies'(facts) {
    for (const { story, request, digest, signature } of facts.held) {
      if (facts.verifies(request.credentialId, digest, signature)) continue
      yield `${story.name}: what came for ${digest} does not verify`
    }
  },

  *'every signature an application holds is over a digest agreed to'(facts) {
    for (const { story, request, digest } of facts.held) {
      if (!story.agreed.has(digest)) yield `${story.name}: ${digest} was never agreed to`
      if (request.credentialId !== story.credentialId) {
        yield `${story.name}: ${digest} was signed with a credential of another story`
      }
    }
  },

  *'every signature an application holds is that of one consumed row'(facts) {
    for (const { story, digest, signature } of facts.held) {
      const rows = facts.rowsOf(digest).filter(({ state }) => state === 'consumed')
      const [row] = rows
      if (rows.length !== 1) yield `${story.name}: ${rows.length} rows were consumed for ${digest}`
      else if (row?.signature !== signature) yield `${story.name}: the row of ${digest} has another`
    }
  },

  *'no digest has two signatures'(facts) {
    for (const [digest, held] of grouped(facts.held, (each) => each.digest)) {
      const signatures = new Set(held.map(({ signature }) => signature))
      if (signatures.size > 1) yield `${facts.whose(digest)}: ${digest} has ${signatures.size}`
    }
    const created = [...facts.operations.values()].filter(({ ended }) =>
      ended.some(({ event }) => event === 'signature.created'),
    )
    const signed = created.flatMap(({ requested }) => requested.flatMap(digestsOf))
    for (const digest of repeated(signed))
      yield `${facts.whose(digest)}: ${digest} was signed by two operations`
  },

  *'a row was spent on what it was agreed for'(facts) {
    const { audit } = facts.history
    const agreed = new Map<string, Set<string>>()
    for (const entry of audit) {
      const id = textOf(entry, 'authorisationId')
      if (/^authorisation\.(granted|extended)$/.test(entry.event)) {
        const digests = agreed.get(id) ?? new Set()
        for (const digest of digestsOf(entry)) digests.add(digest)
        agreed.set(id, digests)
      } else if (entry.event === 'signature.requested') {
        const foreign = digestsOf(entry).filter((digest) => !agreed.get(id)?.has(digest))
        for (const digest of foreign) yield `${digest} was given to the token, agreed to by nobody`
      }
    }
    for (const row of facts.history.ledger.rows) {
      if (row.state === 'authorised' || row.state === 'released') continue
      const [requested] = facts.operationOf(row)?.requested ?? []
      const authorisation = facts.authorisationOf(row)
      const isSame = (['userId', 'credentialId'] as const).every(
        (name) => requested && authorisation?.[name] === textOf(requested, name),
      )
      if (!isSame)
        yield `${facts.whose(row)}: row ${row.id}: its signing was another person's or credential's`
    }
  },

  *'every consumed row is on record once, as requested and as created'(facts) {
    for (const row of facts.consumed) {
      const operation = facts.operationOf(row)
      const requested = operation?.requested.filter((entry) =>
        digestsOf(entry).includes(row.digest ?? ''),
      )
      const hash = sha256(row.signature ?? '')
      const created = operation?.ended.filter((entry) => signaturesOf(entry).includes(hash))
      if (requested?.length !== 1)
        yield `${facts.whose(row)}: row ${row.id}: requested ${requested?.length ?? 0} times`
      if (created?.length !== 1)
        yield `${facts.whose(row)}: row ${row.id}: created ${created?.length ?? 0} times`
    }
  },

  *'every signature on record is that of a consumed row'(facts) {
    const consumed = facts.consumed.map(({ signature }) => sha256(signature ?? ''))
    const created = facts.history.audit.flatMap(signaturesOf)
    for (const hash of repeated(created)) yield `${hash} is on record twice`
    for (const hash of repeated(consumed)) yield `${hash} is in two rows`
    const known = new Set(consumed)
    for (const hash of created) if (!known.has(hash)) yield `${hash} is in no row`
  },

  *'every consumed row has a signature that verifies'(facts) {
    for (const row of facts.consumed) {
      const credentialId = facts.authorisationOf(row)?.credentialId ?? ''
      if (row.signature && facts.verifies(credentialId, row.digest ?? '', row.signature)) continue
      yield `${facts.whose(row)}: row ${row.id}: its signature of ${row.digest} does not verify`
    }
  },

  *'every signing came to one end'(facts) {
    for (const operation of facts.operations.values()) {
      const { id, requested, ended } = operation
      const whose = facts.whose(operation)
      if (requested.length !== 1) yield `${whose}: ${id} was requested ${requested.length} times`
      if (ended.length !== 1) yield `${whose}: ${id} came to ${ended.length} ends`
    }
  },

  *'what is of unknown outcome says why'(facts) {
    for (const row of facts.history.ledger.rows) {
      if (row.state !== 'indeterminate') continue
      const ended = facts.operationOf(row)?.ended ?? []
      const says = ended.some((entry) => {
        return entry.event === 'signature.indeterminate' && textOf(entry, 'why') !== ''
      })
      if (!says) yield `${facts.whose(row)}: row ${row.id}: the log does not say why`
    }
  },

  *'no row stays reserved'(facts) {
    for (const row of facts.history.ledger.rows) {
      if (row.state === 'reserved') yield `${facts.whose(row)}: row ${row.id}`
    }
  },

  *'there are never more signatures than numSignatures'(facts) {
    const { stories, ledger } = facts.history
    const rows = grouped(ledger.rows, ({ authorisationId }) => authorisationId)
    for (const { id, numSignatures } of ledger.authorisations) {
      const count = rows.get(id)?.length ?? 0
      if (count !== numSignatures) yield `${id} is for ${numSignatures}, and has ${count} rows`
    }
    for (const { name, requests, numSignatures } of stories) {
      const held = new Set(requests.flatMap(({ signatures }) => signatures)).size
      if (held > numSignatures) yield `${name} is for ${numSignatures}, and got ${held}`
    }
  },

  *'the same Idempotency-Key gives the same signatures'(facts) {
    for (const { name, requests } of facts.history.stories) {
      const successes = requests.filter(({ key, status }) => key !== null && status === 200)
      for (const [key, same] of grouped(successes, (request) => request.key)) {
        const answers = new Set(same.map(({ signatures }) => signatures.join()))
        if (answers.size > 1) yield `${name}: ${answers.size} answers under ${key}`
      }
    }
  },

  /** Where a request may have been worked on and not answered, nothing is known of the others. */
  *'a refusal used nothing up'(facts) {
    for (const { name, requests } of facts.history.stories) {
      const asked = requests.flatMap((request) =>
        request.digests.map((digest) => ({ digest, refused: isRefusal(request) })),
      )
      for (const [digest, answers] of grouped(asked, (each) => each.digest)) {
        if (!answers.every(({ refused }) => refused)) continue
        const used = facts
          .rowsOf(digest)
          .find(({ state }) => !/^(authorised|released)$/.test(state))
        if (used) yield `${name}: ${digest} was always refused, and is ${used.state}`
      }
    }
  },

  *'a SAD signs once, and not after its end'(facts) {
    const { stories, ledger } = facts.history
    const operations = ledger.sads.flatMap(({ operationId }) => operationId ?? [])
    for (const id of repeated(operations)) yield `two SADs were used for ${id}`
    for (const { name, requests, endings } of stories) {
      const signed = requests.filter(({ sad, status }) => sad !== null && status === 200)
      for (const [, same] of grouped(signed, ({ sad }) => sad)) {
        const uses = new Set(same.map(({ digests }) => digests.join()))
        if (uses.size > 1) yield `${name}: one SAD signed ${uses.size} times`
      }
      for (const { sad, how, confirmed } of endings) {
        // A repeated request is answered as it was the first time.
        const late = signed.filter(
          (request) => request.sad === sad && request.sent > confirmed && request.key === null,
        )
        if (late.length > 0) yield `${name}: a SAD signed after it was ${how}`
      }
    }
  },

  *'nothing is signed after a revocation'(facts) {
    const { audit, stories } = facts.history
    const revoked = new Set<string>()
    for (const entry of audit) {
      const id = textOf(entry, 'authorisationId')
      if (entry.event === 'authorisation.revoked') revoked.add(id)
      if (entry.event === 'signature.requested' && revoked.has(id)) {
        yield `${id}: record ${entry.seq} asks for a signature`
      }
      if (entry.event !== 'signature.created') continue
      const [requested] = facts.operations.get(textOf(entry, 'operationId'))?.requested ?? []
      const authorisationId = requested ? textOf(requested, 'authorisationId') : ''
      if (revoked.has(authorisationId))
        yield `${authorisationId}: record ${entry.seq} is a signature`
    }
    for (const { name, agreed, endings } of stories) {
      if (!endings.some(({ how }) => how === 'revoked')) continue
      const ids = [...agreed].flatMap((digest) =>
        facts.rowsOf(digest).map(({ authorisationId }) => authorisationId),
      )
      if (!ids.some((id) => revoked.has(id))) yield `${name}: its revocation is not on record`
    }
  },

  *'the audit log is whole'(facts) {
    yield* facts.history.chainProblems
  },

  *'the counts agree'(facts) {
    const { tokenSignatures } = facts.history
    const consumed = facts.consumed.length
    const held = new Set(facts.held.map(({ signature }) => signature)).size
    if (tokenSignatures < consumed) {
      yield `the token signed ${tokenSignatures} times, and ${consumed} rows are consumed`
    }
    if (held > consumed) yield `${held} signatures were delivered, and ${consumed} rows consumed`
  },

  *'the service comes back by itself'(facts) {
    yield* facts.history.notRecovered
  },
} satisfies Record<string, (facts: Facts) => Iterable<string>>

export const INVARIANT_NAMES = Object.keys(INVARIANTS) as Invariant[]

/** A clear no, after which nobody can hold a signature. */
function isRefusal({ status }: SigningRequest): boolean {
  return status >= 400 && status < 500
}

function textOf({ detail }: AuditEntry, name: string): string {
  const value = detail[name]
  return typeof value === 'string' ? value : ''
}

function listOf({ detail }: AuditEntry, name: string): string[] {
  const value = detail[name]
  return Array.isArray(value) ? value.map(String) : []
}

function digestsOf(entry: AuditEntry): string[] {
  return listOf(entry, 'digests')
}

function signaturesOf(entry: AuditEntry): string[] {
  return entry.event === 'signature.created' ? listOf(entry, 'signatures') : []
}

function grouped<K, V>(values: readonly V[], keyOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>()
  for (const value of values) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group) group.push(value)
    else groups.set(key, [value])
  }
  return groups
}

function repeated(values: readonly string[]): Set<string> {
  const seen = new Set<string>()
  return new Set(values.filter((value) => seen.size === seen.add(value).size))
}

function sha256(base64: string): string {
  return createHash('sha256').update(Buffer.from(base64, 'base64')).digest('hex')
}
