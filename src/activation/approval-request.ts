import type { AuditEvent } from '../audit/events.js'
import type { Transaction } from '../transactions/transaction.js'
import type { StoredSad } from './authorisation.js'

/** A signing story that its owner decides on another device, while the application asks now and then. */
export interface ApprovalRequest {
  readonly transaction: Transaction
  /** SHA-256 of the application's handle, Base64url. */
  readonly handleHash: string
  /** What the application brought with the request, and was right. */
  readonly factors: readonly string[]
  /** When its SAD was given out. */
  readonly collectedAt: Date | null
}

/** Every write is one unit with its audit records; `false` means that nothing changed. */
export interface ApprovalRequestStore {
  /** False when `limit` others wait for the owner of the credential; parallel calls never exceed it. */
  add(request: {
    approval: ApprovalRequest
    limit: number
    forgetAfter: Date
    now: Date
    audit: readonly AuditEvent[]
  }): Promise<boolean>
  find(transactionId: string): Promise<ApprovalRequest | null>
  findByHandle(handleHash: string): Promise<ApprovalRequest | null>
  /** Those a person can still decide, oldest first. */
  listWaiting(userId: string, now: Date): Promise<ApprovalRequest[]>
  /** The authorisation an approved transaction became. */
  authorisationOf(transactionId: string): Promise<{ id: string; expiresAt: Date } | null>
  /** Gives the SAD out. Of concurrent calls exactly one gets true, while the authorisation stands. */
  collect(request: {
    handleHash: string
    sad: StoredSad
    now: Date
    audit: readonly AuditEvent[]
  }): Promise<boolean>
}
