/** All that is known after a run: what applications remember, and what the service has on record. */
export interface History {
  /** Public keys by credential, PEM. */
  readonly keys: ReadonlyMap<string, string>
  /** Documents by the Base64 of their SHA-256. Every document is one story's. */
  readonly documents: ReadonlyMap<string, string>
  readonly stories: readonly Story[]
  readonly ledger: Ledger
  readonly audit: readonly AuditEntry[]
  /** What is wrong with the chain of the audit log. */
  readonly chainProblems: readonly string[]
  /** Calls of C_Sign since the run began, in all processes together. */
  readonly tokenSignatures: number
  /** What did not come back once everything was well again. */
  readonly notRecovered: readonly string[]
}

/** One approval, and all that its application did with it, in its own memory. */
export interface Story {
  readonly name: string
  readonly userId: string
  readonly credentialId: string
  /** Null when the application does not know it: it was given a SAD. */
  readonly authorisationId: string | null
  readonly numSignatures: number
  /** Base64, all that the signer ever agreed to or was asked to. */
  readonly agreed: ReadonlySet<string>
  readonly requests: readonly SigningRequest[]
  readonly endings: readonly Ending[]
}

/** A call of `signatures/signHash`, with the result that was fetched later where there was one. */
export interface SigningRequest {
  /** Number in the order of all that happened. */
  readonly sent: number
  readonly answered: number
  /** The SAD it was sent with; null for the token of an approval. */
  readonly sad: string | null
  readonly credentialId: string
  /** Base64. */
  readonly digests: readonly string[]
  /** The `Idempotency-Key`. */
  readonly key: string | null
  /** 0 when there was no answer, or nobody fetched the result. */
  readonly status: number
  readonly words: string
  /** Base64; empty unless it succeeded. */
  readonly signatures: readonly string[]
}

/** A SAD that was revoked or extended, as the service has confirmed. */
export interface Ending {
  readonly sad: string
  readonly how: 'revoked' | 'extended'
  readonly confirmed: number
}

export interface Ledger {
  readonly authorisations: readonly LedgerAuthorisation[]
  readonly rows: readonly LedgerRow[]
  readonly sads: readonly {
    readonly authorisationId: string
    readonly operationId: string | null
  }[]
}

export interface LedgerAuthorisation {
  readonly id: string
  readonly userId: string
  readonly credentialId: string
  readonly numSignatures: number
}

export interface LedgerRow {
  readonly id: string
  readonly authorisationId: string
  readonly digest: string | null
  readonly state: string
  readonly operationId: string | null
  readonly signature: string | null
}

export interface AuditEntry {
  readonly seq: number
  readonly event: string
  readonly detail: Readonly<Record<string, unknown>>
}
