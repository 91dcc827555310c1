import { auditEvent, type AuditEvent } from '../audit/events.js'
import type { Credential } from '../credentials/credential.js'
import { InvalidParameterError, MissingParameterError, TooManySignaturesError } from '../errors.js'
import { rejectWrongDigestLength, type HashAlgorithm } from '../keys/algorithms.js'
import type { Transaction, TransactionItem, TransactionStore } from './transaction.js'

export interface TransactionRequest {
  readonly clientId: string
  readonly credential: Credential
  readonly hashAlgorithm: HashAlgorithm | null
  readonly numSignatures: number
  readonly items: readonly TransactionItem[]
  readonly description: string | null
  readonly clientData: string | null
  /** Of the token it was asked with; absent where its owner is asked on our own pages. */
  readonly grantId?: string | null
}

export class Transactions {
  readonly #store: TransactionStore
  readonly #now: () => Date
  readonly #decideWithinSeconds: number

  constructor(parts: { store: TransactionStore; now: () => Date; decideWithinSeconds: number }) {
    this.#store = parts.store
    this.#now = parts.now
    this.#decideWithinSeconds = parts.decideWithinSeconds
  }

  /**
   * The transaction of that id, put on record as it will be shown when it is not there yet; it cannot
   * change after. Null when it was decided or ran out.
   */
  async open(id: string, request: TransactionRequest): Promise<Transaction | null> {
    const known = await this.#store.find(id)
    if (known) return this.#whilePending(known)
    const transaction = this.prepare(id, request)
    if (await this.#store.add(transaction, [createdEvent(transaction)])) return transaction
    // When another request of the same browser was first, its record is the same and stands.
    return this.findPending(id)
  }

  /**
   * A transaction that is not on record yet, for an agreement that comes with the request.
   * @throws what `rejectUnfitRequest` throws
   */
  prepare(id: string, request: TransactionRequest): Transaction {
    rejectUnfitRequest(request)
    const { credential, items, ...rest } = request
    const now = this.#now()
    return {
      ...rest,
      id,
      userId: credential.userId,
      credentialId: credential.id,
      items,
      state: 'pending',
      createdAt: now,
      expiresAt: new Date(now.getTime() + this.#decideWithinSeconds * 1000),
    }
  }

  /** The transaction while it waits for a decision, else null. */
  async findPending(id: string): Promise<Transaction | null> {
    return this.#whilePending(await this.#store.find(id))
  }

  /** Whatever became of it. */
  find(id: string): Promise<Transaction | null> {
    return this.#store.find(id)
  }

  #whilePending(transaction: Transaction | null): Transaction | null {
    if (transaction?.state !== 'pending') return null
    return transaction.expiresAt > this.#now() ? transaction : null
  }

  async reject(transaction: Transaction): Promise<boolean> {
    const { id, userId } = transaction
    return this.#store.reject(id, [
      auditEvent('transaction.rejected', { transactionId: id, userId }),
    ])
  }
}

export function createdEvent(transaction: Transaction): AuditEvent {
  const { clientId, userId, credentialId, numSignatures, items } = transaction
  return auditEvent('transaction.created', {
    ...{ transactionId: transaction.id, clientId, userId, credentialId, numSignatures },
    hashAlgorithm: transaction.hashAlgorithm?.name ?? null,
    digests: items.map(({ digest }) => digest.toString('base64')),
  })
}

/** What the specification demands of every request for signatures, whichever way it comes. */
function rejectUnfitRequest(request: Omit<TransactionRequest, 'clientId'>): void {
  const { credential, items, hashAlgorithm, numSignatures } = request
  if (numSignatures < 1) throw new InvalidParameterError('numSignatures')
  if (numSignatures > credential.multisign) throw new TooManySignaturesError('multisign')
  if (credential.SCAL === '2' && items.length === 0) {
    throw new MissingParameterError('hashes', 'array')
  }
  if (items.length > numSignatures) throw new InvalidParameterError('numSignatures')
  if (items.length > 0 && !hashAlgorithm) {
    throw new MissingParameterError('hashAlgorithmOID', 'string')
  }
  for (const { digest } of items) if (hashAlgorithm) rejectWrongDigestLength(digest, hashAlgorithm)
}
