import type { KeyAlgorithm } from '../keys/algorithms.js'
import type { AuditEvent } from '../audit/events.js'
import type { FinalReason } from '../certificates/revocation.js'
import type { AuthObject } from './auth-object.js'

/**
 * How the owner agrees on our own pages: a code from the authenticator, a code we send by e-mail or
 * text message, a passkey, or authenticating anew at an identity provider.
 */
export const APPROVAL_FACTORS = ['otp', 'email', 'sms', 'passkey', 'id-bb'] as const
export type ApprovalFactor = (typeof APPROVAL_FACTORS)[number]

/** Who may take a suspension back: what the operator suspended, the signer does not resume. */
export type Suspender = 'signer' | 'operator'

/** Of what was deleted only the record is left, for the history of what it signed. */
export type CredentialStatus = 'enabled' | 'disabled' | 'suspended' | 'revoked' | 'deleted'

/** A key, its certificate and the person who may use it. */
export interface Credential {
  readonly id: string
  readonly userId: string
  readonly description: string
  /** While it is to come, the name of no key, which only tells where its key will be kept. */
  readonly keyId: string
  readonly keyAlgorithm: KeyAlgorithm
  /** DER, leaf first, root last; none while it is to come. */
  readonly certificates: readonly Buffer[]
  readonly SCAL: '1' | '2'
  /** Most signatures one authorisation may cover. */
  readonly multisign: number
  readonly authMode: 'oauth2code' | 'explicit'
  /** What an application asks the signer for; empty unless `authMode` is `explicit`. */
  readonly authObjects: readonly AuthObject[]
  /** How they combine; null for all of them. */
  readonly authExpression: string | null
  /** Kind of signature it is for (CSC API v2, 11.4), such as `eu_eidas_aes`. */
  readonly signatureQualifier: string | null
  /** The application that may use it with a token of its own, as for seals. */
  readonly ownerClientId: string | null
  /** scrypt; null when approving needs no PIN. */
  readonly pinHash: string | null
  /** A one-time code when absent. */
  readonly approvalFactor?: ApprovalFactor
  readonly binding: string
  readonly status: CredentialStatus
  readonly suspendedBy?: Suspender | null
  readonly lockedUntil: Date | null
  /** For one signing session alone: when it goes at the latest, with its key. Null for all others. */
  readonly endsAt?: Date | null
  /** Of such a one: the transaction it was approved in, and is for from then on. */
  readonly session?: string | null
}

/** For one signing session that has not begun: key and certificate come when its owner has agreed. */
export function isToCome({ certificates }: Pick<Credential, 'certificates'>): boolean {
  return certificates.length === 0
}

/** Such a one that was made for a request under way, because a kind of signature was asked for. */
export function isOnTheFly(credential: Pick<Credential, 'certificates' | 'signatureQualifier'>) {
  return isToCome(credential) && credential.signatureQualifier !== null
}

/** Whether its owner agrees by a code, which can be typed on any page and any device. */
export function isApprovedByCode({ approvalFactor }: Credential): boolean {
  return approvalFactor !== 'passkey' && approvalFactor !== 'id-bb'
}

/** Whether its owner can agree on whichever device they are: there, or where the application is. */
export function isApprovedAnywhere({ approvalFactor }: Credential): boolean {
  return approvalFactor !== 'id-bb'
}

export interface CredentialStore {
  find(id: string): Promise<Credential | null>
  list(userId: string): Promise<Credential[]>
  listAll(): Promise<Credential[]>
  /**
   * The new key is the credential's from then on. False when its owner has `most` that stand already;
   * null for no limit.
   * @param wrapped the private half, bound to credential and owner, when it is kept outside the token
   */
  add(
    credential: Credential,
    most: number | null,
    createdAt: Date,
    audit: readonly AuditEvent[],
    wrapped: string | null,
  ): Promise<boolean>
  /** One without a key, for a session to come. False when its owner has `most` that stand already. */
  addToCome(
    credential: Credential,
    most: number | null,
    createdAt: Date,
    audit: readonly AuditEvent[],
  ): Promise<boolean>
  /**
   * The session of one that was to come begins: it has key and certificate from then on. Of concurrent
   * calls, on whatever machine, exactly one gets true.
   */
  beginSession(
    credential: Credential,
    now: Date,
    audit: readonly AuditEvent[],
    wrapped: string | null,
  ): Promise<boolean>
  /** Ends outstanding authorisations too. Returns false when it was not enabled. */
  suspend(id: string, by: Suspender, at: Date, audit: readonly AuditEvent[]): Promise<boolean>
  /** Returns false when it was not suspended, or `by` may not take it back. */
  resume(id: string, by: Suspender, at: Date, audit: readonly AuditEvent[]): Promise<boolean>
  /** Ends outstanding authorisations too, and the key. Returns false when it was revoked before or does not exist. */
  revoke(id: string, at: Date, reason: FinalReason, audit: readonly AuditEvent[]): Promise<boolean>
  /**
   * Ends outstanding authorisations too, and the key. Of concurrent calls, exactly one gets true.
   * @param reason why its certificate is revoked; null when it is not
   */
  delete(
    id: string,
    at: Date,
    reason: FinalReason | null,
    audit: readonly AuditEvent[],
  ): Promise<boolean>
  /** For those that have their key from the beginning. Exactly one call ever gets true. */
  claimSession(id: string, session: string): Promise<boolean>
  /** Names of those whose time is over and that are not deleted yet. */
  listEnded(now: Date, most: number): Promise<string[]>
  /**
   * Takes one of the guesses left before a factor of this credential is looked at. False when none is
   * left or the credential is locked. Parallel calls never get more than `limit` between successes.
   */
  takeGuess(id: string, limit: number, now: Date): Promise<boolean>
  /** After a correct factor: guesses start anew. */
  clearGuesses(id: string): Promise<void>
  /** After a code that was right but used before: it was no guess. */
  giveBackGuess(id: string): Promise<void>
  /** After a wrong one: locks when no guess is left. Returns the lock's end when it did. */
  lockIfExhausted(id: string, limit: number, until: Date): Promise<Date | null>
}
