import { createHash, randomUUID } from 'node:crypto'
import { auditEvent, type AuditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import type { Credential } from '../credentials/credential.js'
import {
  HashNotAuthorizedError,
  HsmOutcomeUnknownError,
  HsmUnavailableError,
  RefusedRequestError,
  SadExpiredError,
  SignatureWithheldError,
  StorageUnavailableError,
  TooManySignaturesError,
  UnusableSadError,
} from '../errors.js'
import { describeAlgorithm, type SignatureAlgorithm } from '../keys/algorithms.js'
import { approvedFacts } from '../keys/approved-digest.js'
import type { LedgerState } from '../observability/metrics.js'
import { UNMEASURED, type Steps } from '../observability/tracing.js'
import type { PreparedDocument } from '../documents/prepared-document.js'
import type { HashType, Transaction } from '../transactions/transaction.js'
import type {
  ActivationStore,
  Authorisation,
  AuthorisedDigest,
  DerivedDigest,
  EarlierSigning,
  Repeatable,
  Reservation,
  SigningJob,
  SigningJobState,
  StoredSad,
} from './authorisation.js'
import { hashBearerValue, newSad, type IssuedSad } from './sad.js'

/** Who calls: the application, and the person it calls for. */
export interface Caller {
  readonly clientId: string
  readonly userId: string
}

/**
 * In whose name a credential signs: a person's in their own, a seal in the name it was issued to, also
 * when its application asks for itself.
 */
export function signerOf(credential: Pick<Credential, 'userId'>, { clientId }: Caller): Caller {
  return { clientId, userId: credential.userId }
}

export const KEY_WAS_USED = 'Idempotency-Key was used for another request'

class RedeemedActivation {
  protected readonly redeemed = true // a non-public member: no look-alike object passes for one
  readonly operationId: string
  readonly authorisationId: string
  readonly caller: Caller
  readonly credential: Credential
  readonly rows: readonly Reservation[]
  /** Which of them the key signs how; each is in one of these. */
  readonly uses: readonly KeyUse[]
  /** The bytes behind each digest, for documents; null for hashes, whose bytes nobody here knows. */
  readonly toBeSigned: readonly Buffer[] | null

  constructor(parts: {
    operationId: string
    authorisationId: string
    caller: Caller
    credential: Credential
    rows: readonly Reservation[]
    uses: readonly KeyUse[]
    toBeSigned: readonly Buffer[] | null
  }) {
    this.operationId = parts.operationId
    this.authorisationId = parts.authorisationId
    this.caller = parts.caller
    this.credential = parts.credential
    this.rows = parts.rows
    this.uses = parts.uses
    this.toBeSigned = parts.toBeSigned
  }

  /** What the key signs. */
  get digests(): Buffer[] {
    return this.rows.map(({ digest, derived }) => derived?.toBeSigned ?? digest)
  }
}

/** Digests taken out of the ledger for one signing, each row reserved durably. Only `redeem` makes one. */
export type Activation = RedeemedActivation

/** Rows that the key signs with one algorithm, by their positions. */
export interface KeyUse {
  readonly algorithm: SignatureAlgorithm
  readonly positions: readonly number[]
}

function usesOf(algorithms: readonly SignatureAlgorithm[]): KeyUse[] {
  const uses = new Map<string, { algorithm: SignatureAlgorithm; positions: number[] }>()
  for (const [position, algorithm] of algorithms.entries()) {
    const name = describeAlgorithm(algorithm)
    const use = uses.get(name) ?? { algorithm, positions: [] }
    use.positions.push(position)
    uses.set(name, use)
  }
  return [...uses.values()]
}

/** Counts digests by the state they came into. */
type LedgerCount = (state: LedgerState, digests: number) => void

/** By what it is agreed. */
interface Agreement {
  readonly authorisation: Authorisation
  readonly caller: Caller
  readonly credential: Credential
  /** The SAD it came by, unless it was a credential token. */
  readonly sad: StoredSad | null
  readonly repeatable: Repeatable | null
  /** When the result is fetched later. */
  readonly job?: SigningJob | null
}

/** A digest that has to be among those agreed to. */
export interface WantedDigest {
  readonly digest: Buffer
  /** As what it may have been agreed to. */
  readonly as: readonly HashType[]
  /** What is signed in its place. */
  readonly derived?: DerivedDigest
}

/** Digests that are signed as they are. */
export function asHashes(digests: readonly Buffer[]): WantedDigest[] {
  return digests.map((digest) => ({ digest, as: ['dtbsr'] }))
}

/** Digests of documents, for which others are signed. */
export function asDocuments(documents: readonly PreparedDocument[]): WantedDigest[] {
  return documents.map(({ documentDigest: digest, hashTypes, derived }) => {
    return { digest, as: hashTypes, derived }
  })
}

/** Makes and checks MACs over facts that belong together. */
export type Binder = Pick<Secrets, 'bind' | 'isBound'>

/** The authorisation ledger's rules: what was agreed to is spent once, by those it was agreed for. */
export class Activations {
  readonly #store: ActivationStore
  readonly #binder: Binder
  readonly #unboundUntil: Date
  readonly #now: () => Date
  readonly #lifetimeSeconds: number
  readonly #reservationSeconds: number
  readonly #sadSeconds: number
  readonly #nameOperation: () => string
  readonly #steps: Steps
  readonly #count: LedgerCount

  /**
   * @param parts.unboundUntil until when what a release before put on record without a MAC is good
   * @param parts.lifetimeSeconds from approval on our pages until the authorisation expires
   * @param parts.sadSeconds lifetime of a SAD given out by `credentials/authorize`
   * @param parts.reservationSeconds after which a reservation counts as abandoned; longer than any HSM call
   * @param parts.nameOperation names a signing; whoever signs may want to choose the name
   */
  constructor(parts: {
    store: ActivationStore
    binder: Binder
    unboundUntil: Date
    now: () => Date
    lifetimeSeconds: number
    reservationSeconds: number
    sadSeconds: number
    nameOperation?: () => string
    steps?: Steps
    /** Told of every digest that comes into a state. */
    count?: LedgerCount
  }) {
    this.#store = parts.store
    this.#binder = parts.binder
    this.#unboundUntil = parts.unboundUntil
    this.#now = parts.now
    this.#lifetimeSeconds = parts.lifetimeSeconds
    this.#reservationSeconds = parts.reservationSeconds
    this.#sadSeconds = parts.sadSeconds
    this.#nameOperation = parts.nameOperation ?? randomUUID
    this.#steps = parts.steps ?? UNMEASURED
    this.#count = parts.count ?? (() => undefined)
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
    const authorisation = this.#authorise(id, transaction, now, this.#lifetimeSeconds)
    const event = grantedEvent(id, transaction, factors)
    if (!(await this.#store.grant(authorisation, now, [event]))) return null
    this.#count('authorised', authorisation.numSignatures)
    return authorisation
  }

  /**
   * Records that the signer agreed by factors the application brought, and gives out a SAD for it.
   * @returns the SAD, known to nobody else, and its lifetime
   */
  async grantExplicitly(transaction: Transaction, factors: readonly string[]): Promise<IssuedSad> {
    const now = this.#now()
    const id = randomUUID()
    const authorisation = this.#authorise(id, transaction, now, this.#sadSeconds)
    const { sad, value } = newSad(id, now, this.#sadSeconds)
    const event = grantedEvent(id, transaction, factors)
    await this.#store.grantExplicitly(transaction, authorisation, sad, [event])
    this.#count('authorised', authorisation.numSignatures)
    return { SAD: value, expiresIn: this.#sadSeconds }
  }

  /**
   * The SAD behind a value an application presents.
   * @returns null when no such SAD was ever given out
   */
  findSad(value: string): Promise<StoredSad | null> {
    return this.#store.findSad(hashBearerValue(value))
  }

  /**
   * Ends a SAD that has not expired and gives out the next, for what is left of its signatures; the
   * digests given take the place of unspent ones (CSC API v2, 11.9). A SAD that signed once can still
   * be extended, one that was extended cannot. Without a SAD, it is the token of the approval that
   * from now on signs nothing by itself.
   * @throws {UnusableSadError} @throws {SadExpiredError} @throws {TooManySignaturesError}
   * @throws {HashNotAuthorizedError}
   */
  async extend(request: {
    readonly authorisationId: string
    readonly sad: StoredSad | null
    readonly caller: Caller
    readonly digests: readonly Buffer[]
    /** Where no digest may come but those agreed to: what they were made with, and for which credential. */
    readonly agreed?: {
      readonly credential: Pick<Credential, 'SCAL'>
      readonly hashAlgorithm: string
    } | null
  }): Promise<IssuedSad> {
    const { sad, caller, digests, agreed = null } = request
    const now = this.#now()
    if (sad?.endedAt) throw new UnusableSadError('spent')
    const authorisation = await this.find(request.authorisationId, caller)
    if (sad ? sad.expiresAt <= now : authorisation.expiresAt <= now) {
      throw new SadExpiredError('SAD expired')
    }
    if (!sad && authorisation.extendedAt) throw new UnusableSadError('spent')
    const taken = agreed
      ? matchRows(authorisation, agreed.credential, asAny(digests), [agreed.hashAlgorithm])
      : rowsForExtension(authorisation, digests)
    const rows = this.#bound(authorisation, taken)
    const { sad: next, value } = newSad(authorisation.id, now, this.#sadSeconds)
    const extended = await this.#store.extend({
      ...{ authorisationId: authorisation.id, sad, next, rows, now },
      authorisationExpiresAt: next.expiresAt,
      audit: [
        auditEvent('authorisation.extended', {
          authorisationId: authorisation.id,
          digests: digests.map((digest) => digest.toString('base64')),
        }),
      ],
    })
    if (!extended) throw new UnusableSadError('spent')
    return { SAD: value, expiresIn: this.#sadSeconds }
  }

  /**
   * The authorisation behind a SAD, whatever its expiry.
   * @throws {UnusableSadError} when it is not this caller's, is spent or was revoked
   */
  async find(id: string | null, caller: Caller): Promise<Authorisation> {
    const authorisation = id === null ? null : await this.#store.find(id)
    rejectUnusable(authorisation, caller)
    return authorisation
  }

  /** The credential an authorisation is for, whatever became of it; null for an unknown one. */
  async credentialOf(id: string): Promise<string | null> {
    return (await this.#store.find(id))?.credentialId ?? null
  }

  /** Whether anything can still be signed with it: unspent, unexpired, and nothing behind it ended. */
  async isOpen(id: string): Promise<boolean> {
    const authorisation = await this.#store.find(id)
    if (!authorisation?.digests.some(isUnspent)) return false
    return this.#store.stands(id, this.#now())
  }

  /** @throws {SadExpiredError} */
  rejectExpired(authorisation: Authorisation): void {
    if (authorisation.expiresAt <= this.#now()) throw new SadExpiredError('SAD expired')
  }

  /**
   * What an earlier request of the same name and content signed; null when there was none.
   * @throws {RefusedRequestError} when the name was used for another request
   * @throws {HsmUnavailableError} while the earlier one is under way
   * @throws {HsmOutcomeUnknownError} when nobody knows whether it signed
   */
  async findEarlier({ keyHash, requestHash }: Repeatable): Promise<EarlierSigning | null> {
    const earlier = await this.#store.findEarlier(keyHash)
    if (!earlier) return null
    if (earlier.requestHash !== requestHash) {
      throw new RefusedRequestError(KEY_WAS_USED)
    }
    if (earlier.state === 'under way') throw new HsmUnavailableError('under way')
    if (earlier.state === 'indeterminate') throw new HsmOutcomeUnknownError('indeterminate')
    return earlier
  }

  /**
   * Whether the same request was made before.
   * @throws {RefusedRequestError} when the name was used for another request
   */
  async isRepeated({ keyHash, requestHash }: Repeatable): Promise<boolean> {
    const earlier = await this.#store.findEarlier(keyHash)
    if (earlier && earlier.requestHash !== requestHash) throw new RefusedRequestError(KEY_WAS_USED)
    return earlier !== null
  }

  /** A signing whose result is fetched later; null when it is unknown or its time is over. */
  async findJob(idHash: string): Promise<SigningJobState | null> {
    const job = await this.#store.findJob(idHash)
    return job && job.expiresAt > this.#now() ? job : null
  }

  /**
   * Reserves one unspent row for each digest, durably and with the intent on record, before any key is
   * used. All or none. The authorisation is taken as the caller has read it; should it have changed
   * since, the conditional write fails and it is read again.
   * @throws what `find`, `rejectExpired` and `matchRows` throw
   */
  redeem(
    request: Agreement & {
      readonly digests: readonly Buffer[]
      readonly algorithm: SignatureAlgorithm
    },
  ): Promise<Activation> {
    const { digests, algorithm } = request
    const uses = [{ algorithm, positions: [...digests.keys()] }]
    const wanted = asHashes(digests)
    return this.#steps.measure('ledger.redeem', () => this.#redeem(request, wanted, uses, null))
  }

  /** The same for documents: their digests were agreed to, and what was made from them is signed. */
  redeemDocuments(
    request: Agreement & { readonly documents: readonly PreparedDocument[] },
  ): Promise<Activation> {
    const wanted = asDocuments(request.documents)
    const uses = usesOf(request.documents.map(({ algorithm }) => algorithm))
    const bytes = request.documents.map(({ signature }) => signature.toBeSigned)
    return this.#steps.measure('ledger.redeem', () => this.#redeem(request, wanted, uses, bytes))
  }

  async #redeem(
    request: Agreement,
    wanted: readonly WantedDigest[],
    uses: readonly KeyUse[],
    toBeSigned: readonly Buffer[] | null,
  ): Promise<Activation> {
    const { caller, credential, sad, repeatable, job = null } = request
    const authorisationId = request.authorisation.id
    const operationId = this.#nameOperation()
    let { authorisation } = request
    for (;;) {
      rejectUnusable(authorisation, caller)
      if (authorisation.credentialId !== credential.id)
        throw new UnusableSadError('other credential')
      if (!sad && authorisation.extendedAt) throw new UnusableSadError('spent')
      this.rejectExpired(authorisation)
      const hashAlgorithms = uses.map(({ algorithm }) => algorithm.hash.oid)
      const matched = matchRows(authorisation, credential, wanted, hashAlgorithms)
      const rows = this.#bound(authorisation, matched)
      const now = this.#now()
      const reserved = await this.#store.reserve({
        authorisationId,
        operationId,
        sadHash: sad?.idHash ?? null,
        repeatable,
        job,
        rows,
        uses: uses.map(({ algorithm, positions }) => ({
          signAlgorithm: describeAlgorithm(algorithm),
          rows: positions.flatMap((position) => rows[position] ?? []),
        })),
        reservedUntil: new Date(now.getTime() + this.#reservationSeconds * 1000),
        now,
        audit: [
          auditEvent('signature.requested', {
            operationId,
            authorisationId,
            clientId: caller.clientId,
            userId: caller.userId,
            credentialId: credential.id,
            algorithm: uses.map(({ algorithm }) => describeAlgorithm(algorithm)).join(', '),
            digests: wanted.map(({ digest }) => digest.toString('base64')),
            ...derivedDigests(wanted),
          }),
        ],
      })
      if (reserved) {
        this.#count('reserved', rows.length)
        return new RedeemedActivation({
          ...{ operationId, authorisationId, caller, credential, rows, uses, toBeSigned },
        })
      }
      // Someone else was first, or it was ended: read again. Each turn finds fewer rows or throws.
      if (repeatable) await this.#rejectTakenKey(repeatable)
      if (sad) await this.#rejectUsedSad(sad)
      await this.#rejectEnded(authorisationId)
      authorisation = await this.find(authorisationId, caller)
    }
  }

  /**
   * Puts the signatures on record; only then may they leave.
   * @throws {SignatureWithheldError} when the authorisation, credential, person or application ended
   *   while the token was signing, and when they cannot be recorded: what was signed counts as used
   */
  consume(activation: Activation, signatures: readonly Buffer[]): Promise<void> {
    return this.#steps.measure('ledger.consume', () => this.#consume(activation, signatures))
  }

  async #consume(activation: Activation, signatures: readonly Buffer[]): Promise<void> {
    const { operationId, authorisationId, caller, credential, rows } = activation
    const recording = this.#store.consume({
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
          clientId: caller.clientId,
          userId: caller.userId,
          credentialId: credential.id,
          signatures: signatures.map((signature) =>
            createHash('sha256').update(signature).digest('hex'),
          ),
        }),
      ],
    })
    const consumed = await recording.catch((error: unknown) => {
      if (!(error instanceof StorageUnavailableError)) throw error
      throw new SignatureWithheldError('it cannot be recorded', { cause: error })
    })
    if (consumed) {
      this.#count('consumed', rows.length)
      return
    }
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
      const settled = await this.#store.settle({
        operationId,
        rows,
        state: 'indeterminate',
        now: this.#now(),
        audit: [
          auditEvent('signature.indeterminate', { operationId, credentialId, why: 'abandoned' }),
        ],
      })
      if (settled) this.#count('indeterminate', rows.length)
    }
    return abandoned.length
  }

  async #settle(activation: Activation, state: 'released' | 'indeterminate', why: string) {
    const { operationId, credential, rows } = activation
    const event = state === 'released' ? 'signature.failed' : 'signature.indeterminate'
    const settled = await this.#store.settle({
      operationId,
      rows,
      state,
      now: this.#now(),
      audit: [auditEvent(event, { operationId, credentialId: credential.id, why })],
    })
    if (settled) this.#count(state, rows.length)
  }

  #authorise(
    id: string,
    transaction: Transaction,
    now: Date,
    lifetimeSeconds: number,
  ): Authorisation {
    const { clientId, userId, credentialId, numSignatures, items } = transaction
    const owner = { id, clientId, userId, credentialId }
    const hashAlgorithm = transaction.hashAlgorithm?.oid ?? null
    return {
      ...{ ...owner, transactionId: transaction.id, hashAlgorithm, numSignatures },
      createdAt: now,
      expiresAt: new Date(now.getTime() + lifetimeSeconds * 1000),
      revokedAt: null,
      extendedAt: null,
      digests: Array.from({ length: numSignatures }, (_, position): AuthorisedDigest => {
        const { digest = null, hashType = null } = items[position] ?? {}
        const row = { id: randomUUID(), digest, hashType }
        const facts = factsOf({ ...owner, hashAlgorithm }, row)
        return { ...row, state: 'authorised', binding: this.#binder.bind(...facts) }
      }),
    }
  }

  /**
   * The rows, with a new MAC where the one on record is not over the digest they are taken for.
   * @throws {UnusableSadError} when a row is not as it was approved
   */
  #bound(authorisation: Authorisation, taken: readonly Reservation[]): Reservation[] {
    const known = new Map(authorisation.digests.map((row) => [row.id, row]))
    return taken.map((reservation) => {
      const row = known.get(reservation.rowId)
      if (!row || !this.#isIntact(authorisation, row)) throw new UnusableSadError('tampered with')
      const { digest } = reservation
      if (row.binding !== null && row.digest?.equals(digest)) return reservation
      const binding = this.#binder.bind(...factsOf(authorisation, { ...row, digest }))
      return { ...reservation, binding }
    })
  }

  #isIntact(authorisation: Authorisation, row: AuthorisedDigest): boolean {
    const { binding } = row
    if (binding === null) return this.#now() < this.#unboundUntil
    return this.#binder.isBound(binding, ...factsOf(authorisation, row))
  }

  async #rejectTakenKey({ keyHash }: Repeatable): Promise<void> {
    if (await this.#store.findEarlier(keyHash)) throw new HsmUnavailableError('under way')
  }

  async #rejectUsedSad({ idHash }: StoredSad): Promise<void> {
    const current = await this.#store.findSad(idHash)
    rejectUsedSad(current)
    if (current.expiresAt <= this.#now()) throw new SadExpiredError('SAD expired')
  }

  async #rejectEnded(authorisationId: string): Promise<void> {
    const now = this.#now()
    const ended = !(await this.#store.stands(authorisationId, now))
    if (ended) throw new UnusableSadError('revoked')
  }
}

/** @throws {UnusableSadError} when it is unknown, not this caller's, revoked or spent */
function rejectUnusable(
  authorisation: Authorisation | null,
  caller: Caller,
): asserts authorisation is Authorisation {
  if (!authorisation) throw new UnusableSadError('unknown')
  if (authorisation.clientId !== caller.clientId || authorisation.userId !== caller.userId) {
    throw new UnusableSadError('other client or user')
  }
  if (authorisation.revokedAt) throw new UnusableSadError('revoked')
  if (!authorisation.digests.some(isUnspent)) throw new UnusableSadError('spent')
}

/** @throws {UnusableSadError} when it signed, was extended or never was */
export function rejectUsedSad(sad: StoredSad | null): asserts sad is StoredSad {
  if (!sad) throw new UnusableSadError('unknown')
  if (sad.operationId !== null || sad.endedAt !== null) throw new UnusableSadError('spent')
}

/** Digests of an extension go to rows without one first, then take the place of unspent ones. */
function rowsForExtension(authorisation: Authorisation, digests: readonly Buffer[]): Reservation[] {
  const unspent = authorisation.digests.filter(isUnspent)
  if (digests.length > unspent.length) throw new TooManySignaturesError('more than are left')
  const open = unspent.filter(({ digest }) => digest === null)
  const known = unspent.filter(({ digest }) => digest !== null)
  return [...open, ...known].slice(0, digests.length).flatMap(({ id }, index) => {
    const digest = digests[index]
    return digest ? [{ rowId: id, digest }] : []
  })
}

/** What the MAC of a row is over. */
function factsOf(
  {
    id,
    clientId,
    userId,
    credentialId,
    hashAlgorithm,
  }: Pick<Authorisation, 'id' | 'clientId' | 'userId' | 'credentialId' | 'hashAlgorithm'>,
  { id: rowId, digest, hashType }: Pick<AuthorisedDigest, 'id' | 'digest' | 'hashType'>,
): string[] {
  return approvedFacts({
    ...{ authorisationId: id, clientId, userId, credentialId, hashAlgorithm, rowId, hashType },
    digest: digest?.toString('base64') ?? null,
  })
}

function grantedEvent(
  id: string,
  transaction: Transaction,
  factors: readonly string[],
): AuditEvent {
  const { clientId, userId, credentialId, items, numSignatures } = transaction
  return auditEvent('authorisation.granted', {
    ...{ authorisationId: id, transactionId: transaction.id, clientId, userId, credentialId },
    factors: [...factors],
    digests: items.map(({ digest }) => digest.toString('base64')),
    numSignatures,
  })
}

/** For the audit log: what is signed in the place of each digest. */
function derivedDigests(wanted: readonly WantedDigest[]) {
  const derived = wanted.flatMap((each) => each.derived ?? [])
  if (derived.length === 0) return {}
  return { toBeSigned: derived.map(({ toBeSigned }) => toBeSigned.toString('base64')) }
}

/** Names a request of a caller by the key it chose. @param facts all that is asked for */
export function repeatable(caller: Caller, key: string, facts: readonly string[]): Repeatable {
  const hash = (...parts: readonly string[]) =>
    createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
  return { keyHash: hash(caller.clientId, caller.userId, key), requestHash: hash(...facts) }
}

/**
 * Picks an unspent row for every digest; a digest agreed to twice may be signed twice.
 * @throws {HashNotAuthorizedError} @throws {TooManySignaturesError}
 */
export function matchRows(
  authorisation: Authorisation,
  credential: Pick<Credential, 'SCAL'>,
  wanted: readonly WantedDigest[],
  hashAlgorithms: readonly string[],
): Reservation[] {
  const { hashAlgorithm } = authorisation
  if (hashAlgorithm !== null && hashAlgorithms.some((each) => each !== hashAlgorithm)) {
    throw new HashNotAuthorizedError('other hash algorithm')
  }
  rejectForeignHashes(authorisation, credential, wanted)
  const unspent = authorisation.digests.filter(isUnspent)
  if (wanted.length > unspent.length) throw new TooManySignaturesError('more than agreed to')
  return wanted.map((each) => {
    const { digest, derived } = each
    const index = rowFor(unspent, each)
    const taken = index >= 0 ? index : openRow(unspent, credential)
    const [row] = taken >= 0 ? unspent.splice(taken, 1) : []
    if (!row) throw new HashNotAuthorizedError('spent')
    return { rowId: row.id, digest, ...(derived ? { derived } : {}) }
  })
}

/** One that was agreed to as just this before one that was agreed to as anything. */
function rowFor(rows: readonly AuthorisedDigest[], { digest, as }: WantedDigest): number {
  const find = (fits: (hashType: HashType | null) => boolean) =>
    rows.findIndex((row) => fits(row.hashType) && row.digest?.equals(digest))
  const exact = find((hashType) => hashType !== null && as.includes(hashType))
  return exact >= 0 ? exact : find((hashType) => hashType === null)
}

/** Whatever they were agreed to as. */
function asAny(digests: readonly Buffer[]): WantedDigest[] {
  return digests.map((digest) => ({ digest, as: ['dtbsr', 'sdr', 'sodr'] }))
}

/** @throws {HashNotAuthorizedError} when a digest was never agreed to, however often it may be signed */
export function rejectForeignHashes(
  authorisation: Authorisation,
  credential: Pick<Credential, 'SCAL'>,
  wanted: readonly WantedDigest[],
): void {
  if (openRow(authorisation.digests, credential) >= 0) return
  const agreed = new Set(
    authorisation.digests.map(({ digest, hashType }) => nameOf(digest, hashType)),
  )
  for (const { digest, as } of wanted) {
    const isAgreed = [null, ...as].some((hashType) => agreed.has(nameOf(digest, hashType)))
    if (!isAgreed) throw new HashNotAuthorizedError('foreign')
  }
}

function nameOf(digest: Buffer | null, hashType: HashType | null): string {
  return `${hashType ?? ''} ${digest?.toString('base64') ?? ''}`
}

/** A row any digest may take: only SCAL 1 knows such. */
function openRow(rows: readonly AuthorisedDigest[], credential: Pick<Credential, 'SCAL'>): number {
  return credential.SCAL === '1' ? rows.findIndex((row) => row.digest === null) : -1
}

function isUnspent(row: AuthorisedDigest): boolean {
  return row.state === 'authorised' || row.state === 'released'
}
