import { createHash, randomUUID } from 'node:crypto'
import { auditEvent } from '../audit/events.js'
import type { Credential } from '../credentials/credential.js'
import {
  HashNotAuthorizedError,
  SadExpiredError,
  SignatureWithheldError,
  TooManySignaturesError,
  UnusableSadError,
} from '../errors.js'
import type { SignatureAlgorithm } from '../keys/algorithms.js'
import type { Transaction } from '../transactions/transaction.js'
import type {
  ActivationStore,
  Authorisation,
  AuthorisedDigest,
  Reservation,
} from './authorisation.js'

/** Who calls: the application, and the person it calls for. */
export interface Caller {
  readonly clientId: string
  readonly userId: string
}

class RedeemedActivation {
  protected readonly redeemed = true // a non-public member: no look-alike object passes for one
  readonly operationId: string
  readonly authorisationId: string
  readonly credential: Credential
  readonly algorithm: SignatureAlgorithm
  readonly rows: readonly Reservation[]

  constructor(parts: {
    operationId: string
    authorisationId: string
    credential: Credential
    algorithm: SignatureAlgorithm
    rows: readonly Reservation[]
  }) {
    this.operationId = parts.operationId
    this.authorisationId = parts.authorisationId
    this.credential = parts.credential
    this.algorithm = parts.algorithm
    this.rows = parts.rows
  }

  get digests(): Buffer[] {
    return this.rows.map(({ digest }) => digest)
  }
}

/** Digests taken out of the ledger for one signing, each row reserved durably. Only `redeem` makes one. */
export type Activation = RedeemedActivation

/** The authorisation ledger's rules: what was agreed to is spent once, by those it was agreed for. */
export class Activations {
  readonly #store: ActivationStore
  readonly #now: () => Date
  readonly #lifetimeSeconds: number
  readonly #reservationSeconds: number

  /**
   * @param parts.lifetimeSeconds from approval until the authorisation expires
   * @param parts.reservationSeconds after which a reservation counts as abandoned; longer than any HSM call
   */
  constructor(parts: {
    store: ActivationStore
    now: () => Date
    lifetimeSeconds: number
    reservationSeconds: number
  }) {
    this.#store = parts.store
    this.#now = parts.now
    this.#lifetimeSeconds = parts.lifetimeSeconds
    this.#reservationSeconds = parts.reservationSeconds
  }

  /**
   * Records that the signer agreed to the transaction as it stands.
   * @param id identifier for the authorisation, by which tokens refer to it
   * @returns null when the transaction was decided or ran out meanwhile
   */
  async grant(
    id: string,
    transaction: Transaction,
    factors: readonly string[],
  ): Promise<Authorisation | null> {
    const now = this.#now()
    const { clientId, userId, credentialId, numSignatures, items } = transaction
    const digests = Array.from({ length: numSignatures }, (_, position): AuthorisedDigest => {
      return { id: randomUUID(), digest: items[position]?.digest ?? null, state: 'authorised' }
    })
    const authorisation: Authorisation = {
      id,
      transactionId: transaction.id,
      clientId,
      userId,
      credentialId,
      hashAlgorithm: transaction.hashAlgorithm?.oid ?? null,
      numSignatures,
      createdAt: now,
      expiresAt: new Date(now.getTime() + this.#lifetimeSeconds * 1000),
      revokedAt: null,
      digests,
    }
    const granted = await this.#store.grant(authorisation, now, [
      auditEvent('authorisation.granted', {
        authorisationId: id,
        transactionId: transaction.id,
        clientId,
        userId,
        credentialId,
        factors: [...factors],
        digests: items.map(({ digest }) => digest.toString('base64')),
      }),
    ])
    return granted ? authorisation : null
  }

  /**
   * The authorisation behind a SAD, whatever its expiry.
   * @throws {UnusableSadError} when it is not this caller's, is spent or was revoked
   */
  async find(id: string | null, caller: Caller): Promise<Authorisation> {
    const authorisation = id === null ? null : await this.#store.find(id)
    if (!authorisation) throw new UnusableSadError('unknown')
    if (authorisation.clientId !== caller.clientId || authorisation.userId !== caller.userId) {
      throw new UnusableSadError('other client or user')
    }
    if (authorisation.revokedAt) throw new UnusableSadError('revoked')
    if (!authorisation.digests.some(isUnspent)) throw new UnusableSadError('spent')
    return authorisation
  }

  /** The credential an authorisation is for, whatever became of it; null for an unknown one. */
  async credentialOf(id: string): Promise<string | null> {
    return (await this.#store.find(id))?.credentialId ?? null
  }

  /** @throws {SadExpiredError} */
  rejectExpired(authorisation: Authorisation): void {
    if (authorisation.expiresAt <= this.#now()) throw new SadExpiredError('SAD expired')
  }

  /**
   * Reserves one unspent row for each digest, durably and with the intent on record, before any key is
   * used. All or none.
   * @throws what `find`, `rejectExpired` and `matchRows` throw
   */
  async redeem(request: {
    authorisation: Authorisation
    caller: Caller
    credential: Credential
    digests: readonly Buffer[]
    algorithm: SignatureAlgorithm
  }): Promise<Activation> {
    const { caller, credential, digests, algorithm } = request
    const authorisationId = request.authorisation.id
    const operationId = randomUUID()
    for (;;) {
      const authorisation = await this.find(authorisationId, caller)
      if (authorisation.credentialId !== credential.id)
        throw new UnusableSadError('other credential')
      this.rejectExpired(authorisation)
      const rows = matchRows(authorisation, credential, digests, algorithm.hash.oid)
      const now = this.#now()
      const reserved = await this.#store.reserve({
        authorisationId,
        operationId,
        rows,
        signAlgorithm: describeAlgorithm(algorithm),
        reservedUntil: new Date(now.getTime() + this.#reservationSeconds * 1000),
        now,
        audit: [
          auditEvent('signature.requested', {
            operationId,
            authorisationId,
            clientId: caller.clientId,
            userId: caller.userId,
            credentialId: credential.id,
            algorithm: describeAlgorithm(algorithm),
            digests: digests.map((digest) => digest.toString('base64')),
          }),
        ],
      })
      if (reserved) {
        return new RedeemedActivation({ operationId, authorisationId, credential, algorithm, rows })
      }
      // Someone else was first, or it was ended: read again. Each turn finds fewer rows or throws.
      await this.#rejectEnded(authorisationId)
    }
  }

  /**
   * Puts the signatures on record; only then may they leave.
   * @throws {SignatureWithheldError} when the authorisation, credential, person or application ended
   *   while the token was signing
   */
  async consume(activation: Activation, signatures: readonly Buffer[]): Promise<void> {
    const { operationId, authorisationId, credential, rows } = activation
    const consumed = await this.#store.consume({
      authorisationId,
      operationId,
      signatures: rows.map(({ rowId }, index) => {
        const signature = signatures[index]
        if (!signature) throw new SignatureWithheldError('a signature is missing')
        return { rowId, signature }
      }),
      now: this.#now(),
      audit: [
        auditEvent('signature.created', {
          operationId,
          credentialId: credential.id,
          signatures: signatures.map((signature) =>
            createHash('sha256').update(signature).digest('hex'),
          ),
        }),
      ],
    })
    if (consumed) return
    await this.#settle(activation, 'indeterminate', 'ended while signing')
    throw new SignatureWithheldError('the authorisation ended while signing')
  }

  /** Nothing was signed: the rows can be used again. */
  release(activation: Activation, why: string): Promise<void> {
    return this.#settle(activation, 'released', why)
  }

  /** Signatures may exist that no one got: the rows count as used. */
  giveUp(activation: Activation, why: string): Promise<void> {
    return this.#settle(activation, 'indeterminate', why)
  }

  async revoke(id: string, why: string): Promise<boolean> {
    const event = auditEvent('authorisation.revoked', { authorisationId: id, why })
    return this.#store.revoke(id, this.#now(), [event])
  }

  /** Counts reservations as used whose process died or slept past its time. */
  async settleAbandoned(): Promise<number> {
    const abandoned = await this.#store.abandoned(this.#now())
    for (const { operationId, credentialId, rows } of abandoned) {
      await this.#store.settle({
        operationId,
        rows,
        state: 'indeterminate',
        now: this.#now(),
        audit: [
          auditEvent('signature.indeterminate', { operationId, credentialId, why: 'abandoned' }),
        ],
      })
    }
    return abandoned.length
  }

  async #settle(activation: Activation, state: 'released' | 'indeterminate', why: string) {
    const { operationId, credential, rows } = activation
    const event = state === 'released' ? 'signature.failed' : 'signature.indeterminate'
    await this.#store.settle({
      operationId,
      rows,
      state,
      now: this.#now(),
      audit: [auditEvent(event, { operationId, credentialId: credential.id, why })],
    })
  }

  async #rejectEnded(authorisationId: string): Promise<void> {
    const now = this.#now()
    const ended = !(await this.#store.stands(authorisationId, now))
    if (ended) throw new UnusableSadError('revoked')
  }
}

/**
 * Picks an unspent row for every digest; a digest agreed to twice may be signed twice.
 * @throws {HashNotAuthorizedError} @throws {TooManySignaturesError}
 */
export function matchRows(
  authorisation: Authorisation,
  credential: Pick<Credential, 'SCAL'>,
  digests: readonly Buffer[],
  hashAlgorithm: string,
): Reservation[] {
  if (authorisation.hashAlgorithm !== null && authorisation.hashAlgorithm !== hashAlgorithm) {
    throw new HashNotAuthorizedError('other hash algorithm')
  }
  rejectForeignHashes(authorisation, credential, digests)
  const unspent = authorisation.digests.filter(isUnspent)
  if (digests.length > unspent.length) throw new TooManySignaturesError('more than agreed to')
  return digests.map((digest) => {
    const exact = unspent.findIndex((row) => row.digest?.equals(digest))
    const index = exact >= 0 ? exact : openRow(unspent, credential)
    const [row] = index >= 0 ? unspent.splice(index, 1) : []
    if (!row) throw new HashNotAuthorizedError('spent')
    return { rowId: row.id, digest }
  })
}

/** @throws {HashNotAuthorizedError} when a digest was never agreed to, however often it may be signed */
export function rejectForeignHashes(
  authorisation: Authorisation,
  credential: Pick<Credential, 'SCAL'>,
  digests: readonly Buffer[],
): void {
  if (openRow(authorisation.digests, credential) >= 0) return
  for (const digest of digests) {
    if (!authorisation.digests.some((row) => row.digest?.equals(digest))) {
      throw new HashNotAuthorizedError('foreign')
    }
  }
}

/** A row any digest may take: only SCAL 1 knows such. */
function openRow(rows: readonly AuthorisedDigest[], credential: Pick<Credential, 'SCAL'>): number {
  return credential.SCAL === '1' ? rows.findIndex((row) => row.digest === null) : -1
}

function isUnspent(row: AuthorisedDigest): boolean {
  return row.state === 'authorised' || row.state === 'released'
}

function describeAlgorithm({ scheme, hash }: SignatureAlgorithm): string {
  return `${scheme} ${hash.name}`
}
