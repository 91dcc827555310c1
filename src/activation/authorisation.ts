import type { AuditEvent } from '../audit/events.js'
import type { HashType, Transaction } from '../transactions/transaction.js'

/** One signature the signer agreed to, and what became of it. */
export interface AuthorisedDigest {
  readonly id: string
  /** Null while a SCAL 1 signature is not tied to a digest. */
  readonly digest: Buffer | null
  /** Null when the application did not say: then it is good for a hash or a document, once. */
  readonly hashType: HashType | null
  readonly state: 'authorised' | 'reserved' | 'consumed' | 'released' | 'indeterminate'
  /** MAC over the row as it was agreed to (`approvedFacts`); null when a release before made it. */
  readonly binding: string | null
}

/** What the signer agreed to. A SAD, of whatever form, is a reference to one of these. */
export interface Authorisation {
  readonly id: string
  readonly transactionId: string
  readonly clientId: string
  readonly userId: string
  readonly credentialId: string
  /** Hash algorithm OID of the digests; null when none were named. */
  readonly hashAlgorithm: string | null
  readonly numSignatures: number
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly revokedAt: Date | null
  /** Since when it is used by SADs alone, because its token was traded for one; null while it was not. */
  readonly extendedAt: Date | null
  readonly digests: readonly AuthorisedDigest[]
}

/** A row to reserve, with the digest it will be spent on. */
export interface Reservation {
  readonly rowId: string
  /** The authorised one. */
  readonly digest: Buffer
  /** What the key signs in its place; absent when it is that digest itself. */
  readonly derived?: DerivedDigest
  /** MAC over the row with this digest; absent where the one on record is already that. */
  readonly binding?: string
}

/** The digest of bytes to be signed that were made from a document. */
export interface DerivedDigest {
  readonly toBeSigned: Buffer
  /** `named`: the bytes name the authorised digest; `prepared`: they were made from the document it is of. */
  readonly derivation: 'named' | 'prepared'
}

/** Names a request, so that asking again is not asking twice. */
export interface Repeatable {
  readonly keyHash: string
  readonly requestHash: string
  /** What documents are prepared with; absent for hashes. */
  readonly signingTime?: Date
}

/** What became of a repeatable signing. */
export interface EarlierSigning {
  readonly requestHash: string
  readonly state: 'under way' | 'indeterminate' | 'signed'
  /** In the order of the request; empty unless signed. */
  readonly signatures: readonly Buffer[]
  /** For documents, what they were prepared with; null for hashes. */
  readonly signingTime: Date | null
  /** In the same order, the digests the key signed; null where it was the authorised one. */
  readonly toBeSigned: readonly (Buffer | null)[]
}

/** Names a signing whose result is fetched later, by those it was made for. */
export interface SigningJob {
  /** SHA-256 of the `responseID`, Base64url. */
  readonly idHash: string
  readonly clientId: string
  readonly userId: string
  /** Until when the result can be fetched. */
  readonly expiresAt: Date
  /** Sealed: where to say that it can be; null for nowhere. */
  readonly announcement: string | null
  /** Sealed: the documents and how to sign them; absent for hashes. */
  readonly documents?: Uint8Array
}

/** What became of it. */
export interface SigningJobState extends SigningJob {
  /** `released`: nothing was signed, nothing was used up. */
  readonly state: 'under way' | 'signed' | 'released' | 'indeterminate'
  /** In the order of the request; empty unless signed. */
  readonly signatures: readonly Buffer[]
  /** In the same order, the digests the key signed; null where it was the authorised one. */
  readonly toBeSigned: readonly (Buffer | null)[]
}

/** A value from `credentials/authorize`: one call to sign, or one extension. */
export interface StoredSad {
  /** SHA-256 of the value, Base64url. */
  readonly idHash: string
  readonly authorisationId: string
  readonly expiresAt: Date
  readonly operationId: string | null
  readonly endedAt: Date | null
}

/**
 * The ledger. Every method is one atomic write whose row counts are checked, with its audit records in
 * the same commit; `false` means that another writer was first or that the authorisation, its
 * credential, person or application ended meanwhile, and that nothing changed.
 */
export interface ActivationStore {
  find(id: string): Promise<Authorisation | null>
  /** Whether it is unrevoked and unexpired, and its credential, person, application and their consent are in force. */
  stands(id: string, now: Date): Promise<boolean>
  /** Turns the pending transaction into an authorisation. Of concurrent calls, exactly one gets true. */
  grant(authorisation: Authorisation, now: Date, audit: readonly AuditEvent[]): Promise<boolean>
  /** `grant` for an application that brought the factors itself: the transaction is recorded with it. */
  grantExplicitly(
    transaction: Transaction,
    authorisation: Authorisation,
    sad: StoredSad,
    audit: readonly AuditEvent[],
  ): Promise<boolean>
  findSad(idHash: string): Promise<StoredSad | null>
  /** Ends one SAD, binds new digests to unspent rows and issues the next. Of concurrent calls, one gets true. */
  extend(request: {
    authorisationId: string
    /** Null for the token by which it was approved. */
    sad: StoredSad | null
    next: StoredSad
    rows: readonly Reservation[]
    authorisationExpiresAt: Date
    now: Date
    audit: readonly AuditEvent[]
  }): Promise<boolean>
  reserve(request: {
    authorisationId: string
    operationId: string
    /** The SAD that is used up with it, if it came by one. */
    sadHash: string | null
    repeatable: Repeatable | null
    /** Recorded with it when the result is fetched later. */
    job: SigningJob | null
    /** In the order of the request. */
    rows: readonly Reservation[]
    /** The same, by how they are signed. */
    uses: readonly { readonly signAlgorithm: string; readonly rows: readonly Reservation[] }[]
    reservedUntil: Date
    now: Date
    audit: readonly AuditEvent[]
  }): Promise<boolean>
  consume(request: {
    authorisationId: string
    operationId: string
    signatures: readonly { rowId: string; signature: Buffer }[]
    now: Date
    audit: readonly AuditEvent[]
  }): Promise<boolean>
  findEarlier(keyHash: string): Promise<EarlierSigning | null>
  findJob(idHash: string): Promise<SigningJobState | null>
  /** Ends a reservation without a released signature. */
  settle(request: {
    operationId: string
    rows: readonly Reservation[]
    state: 'released' | 'indeterminate'
    now: Date
    audit: readonly AuditEvent[]
  }): Promise<boolean>
  revoke(id: string, now: Date, audit: readonly AuditEvent[]): Promise<boolean>
  /** Reservations whose holder stopped answering. */
  abandoned(
    now: Date,
  ): Promise<{ operationId: string; credentialId: string; rows: Reservation[] }[]>
}
