import type { AuditEvent } from '../audit/events.js'
import type { HashAlgorithm } from '../keys/algorithms.js'

/**
 * What a digest is taken over (CSC data model): the very bytes the key signs (`dtbsr`), a document as it is
 * prepared for signing (`sdr`), a document as its signer knows it (`sodr`).
 */
export type HashType = 'dtbsr' | 'sdr' | 'sodr'

/** One thing to sign: its digest, and what the application calls it. */
export interface TransactionItem {
  readonly digest: Buffer
  readonly label: string | null
  /** Absent when the application did not say: then the digest is good for either use, once. */
  readonly hashType?: HashType
  /** What shall be signed with the document, where the application said so: then that, and nothing else. */
  readonly signedProperties?: readonly AgreedProperty[]
}

/** A signed attribute, by name or OID (CSC data model, documentInfo). */
export interface AgreedProperty {
  readonly name: string
  /** As the application sent it; null where the service knows it. */
  readonly value: string | null
}

/** One signing story from request to agreement: exactly what the signer is shown and then agrees to. */
export interface Transaction {
  readonly id: string
  readonly clientId: string
  readonly userId: string
  readonly credentialId: string
  /** Null when no digests were given (SCAL 1). */
  readonly hashAlgorithm: HashAlgorithm | null
  readonly numSignatures: number
  readonly description: string | null
  readonly clientData: string | null
  readonly items: readonly TransactionItem[]
  /** The consent under which a token of the person was given out to ask with; ends with it. */
  readonly grantId?: string | null
  readonly state: 'pending' | 'approved' | 'rejected'
  readonly createdAt: Date
  /** Until when it can be approved. */
  readonly expiresAt: Date
}

export interface TransactionStore {
  /** False when there is one of that id. */
  add(transaction: Transaction, audit: readonly AuditEvent[]): Promise<boolean>
  find(id: string): Promise<Transaction | null>
  /** False when it was decided before. */
  reject(id: string, audit: readonly AuditEvent[]): Promise<boolean>
}
