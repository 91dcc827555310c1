import { auditEvent } from '../audit/events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { InvalidParameterError, TooManyRequestsError } from '../errors.js'
import type { Throttle } from '../identity/throttle.js'
import { createdEvent } from '../transactions/transactions.js'
import type { Transaction } from '../transactions/transaction.js'
import type { ApprovalNotices } from './approval-notices.js'
import type { ApprovalRequest, ApprovalRequestStore } from './approval-request.js'
import { hashBearerValue, newBearerValue, newSad, type IssuedSad } from './sad.js'

const HOUR_SECONDS = 3600
/** After this, one of the requests that wait will have been decided or have run out. */
const TRY_AGAIN_SECONDS = 60

export type ApprovalOutcome =
  | { readonly outcome: 'waiting' | 'rejected'; readonly transaction: Transaction }
  | { readonly outcome: 'approved'; readonly issued: IssuedSad }

/** What is decided on another device (CSC API v2, 8.3 and 11.7): asking, waiting, collecting the SAD once. */
export class ApprovalRequests {
  readonly #store: ApprovalRequestStore
  readonly #throttle: Throttle
  readonly #notices: ApprovalNotices
  readonly #audit: AuditLog
  readonly #now: () => Date
  readonly #sadSeconds: number
  readonly #approvalSeconds: number
  readonly #limits: { pendingApprovals: number; approvalRequestsPerHour: number }

  /**
   * @param parts.approvalSeconds how long an agreement waits to be collected
   * @param parts.sadSeconds lifetime of the SAD that is collected
   */
  constructor(parts: {
    store: ApprovalRequestStore
    throttle: Throttle
    notices: ApprovalNotices
    audit: AuditLog
    now: () => Date
    sadSeconds: number
    approvalSeconds: number
    limits: { pendingApprovals: number; approvalRequestsPerHour: number }
  }) {
    this.#store = parts.store
    this.#throttle = parts.throttle
    this.#notices = parts.notices
    this.#audit = parts.audit
    this.#now = parts.now
    this.#sadSeconds = parts.sadSeconds
    this.#approvalSeconds = parts.approvalSeconds
    this.#limits = parts.limits
  }

  /**
   * Puts the request on record and tells the owner of the credential.
   * @param factors what the application brought, checked
   * @returns the handle, known to nobody else
   * @throws {TooManyRequestsError} when too many wait, or came within the hour
   */
  async ask(transaction: Transaction, factors: readonly string[]): Promise<string> {
    const { credentialId } = transaction
    const { pendingApprovals, approvalRequestsPerHour } = this.#limits
    const key = `approval requests ${credentialId}`
    if (!(await this.#throttle.allow(key, approvalRequestsPerHour, HOUR_SECONDS))) {
      throw await this.#refusal(transaction, 'too many within the hour')
    }
    const handle = newBearerValue()
    const kept = this.#approvalSeconds * 1000
    const added = await this.#store.add({
      approval: { transaction, handleHash: hashBearerValue(handle), factors, collectedAt: null },
      limit: pendingApprovals,
      forgetAfter: new Date(transaction.expiresAt.getTime() + kept),
      now: this.#now(),
      audit: [createdEvent(transaction)],
    })
    if (!added) throw await this.#refusal(transaction, 'too many wait')
    await this.#notices.send(transaction)
    return handle
  }

  /**
   * What became of a request, for whoever asked. An approved one yields its SAD once.
   * @throws {InvalidParameterError} when the handle is unknown, another's, collected or ran out
   */
  async check(
    handle: string,
    isTheirs: (transaction: Transaction) => Promise<boolean>,
  ): Promise<ApprovalOutcome> {
    const handleHash = hashBearerValue(handle)
    const request = await this.#store.findByHandle(handleHash)
    if (!request || request.collectedAt || !(await isTheirs(request.transaction))) {
      throw new InvalidParameterError('handle')
    }
    const { transaction } = request
    if (transaction.state === 'approved') return this.#collect(request)
    if (transaction.expiresAt <= this.#now()) throw new InvalidParameterError('handle')
    const outcome = transaction.state === 'rejected' ? 'rejected' : 'waiting'
    return { outcome, transaction }
  }

  /** Those that wait for a person's decision, oldest first. */
  listWaiting(userId: string): Promise<ApprovalRequest[]> {
    return this.#store.listWaiting(userId, this.#now())
  }

  /** A request of that person's while it waits for a decision, else null. */
  async findWaiting(transactionId: string, userId: string): Promise<ApprovalRequest | null> {
    const request = await this.#store.find(transactionId)
    const { transaction } = request ?? {}
    if (transaction?.userId !== userId || transaction.state !== 'pending') return null
    return transaction.expiresAt > this.#now() ? request : null
  }

  /** Whether its owner was asked on our own pages, and shown all that is to be signed. */
  async wasAsked(transactionId: string): Promise<boolean> {
    return (await this.#store.find(transactionId)) !== null
  }

  async #collect({ transaction, handleHash }: ApprovalRequest): Promise<ApprovalOutcome> {
    const now = this.#now()
    const authorisation = await this.#store.authorisationOf(transaction.id)
    if (!authorisation || authorisation.expiresAt <= now) throw new InvalidParameterError('handle')
    const { sad, value } = newSad(authorisation.id, now, this.#sadSeconds)
    const collected = await this.#store.collect({
      ...{ handleHash, sad, now },
      audit: [
        auditEvent('authorisation.collected', {
          ...{ authorisationId: authorisation.id, transactionId: transaction.id },
        }),
      ],
    })
    if (!collected) throw new InvalidParameterError('handle')
    return { outcome: 'approved', issued: { SAD: value, expiresIn: this.#sadSeconds } }
  }

  async #refusal(transaction: Transaction, why: string): Promise<TooManyRequestsError> {
    const { clientId, userId, credentialId } = transaction
    await this.#audit.append(
      auditEvent('approval-request.refused', { clientId, userId, credentialId, why }),
    )
    return new TooManyRequestsError(TRY_AGAIN_SECONDS)
  }
}

/**
 * Four digits by which a person can tell that the request on one device is that of the other. Who holds
 * the handle can work them out too: the first 32 bits of its SHA-256, big-endian, modulo 10,000.
 */
export function confirmationNumber(handleHash: string): string {
  const number = Buffer.from(handleHash, 'base64url').readUInt32BE(0) % 10_000
  return String(number).padStart(4, '0')
}
