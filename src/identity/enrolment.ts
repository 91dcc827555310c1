import { randomUUID } from 'node:crypto'
import { auditEvent, type AuditEvent } from '../audit/events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { Secrets } from '../config/secrets.js'
import { signInCodeKey, type Accounts } from './accounts.js'
import { newLongCode, readLongCode } from './long-code.js'
import type { Throttle } from './throttle.js'
import { generateTotpSecret, totpStep } from './totp.js'
import type { User } from './user.js'

/** How long a secret that is shown can be confirmed. */
const CONFIRM_WITHIN_SECONDS = 600
const RECOVERY_CODES = 10

/** In amr (RFC 8176 leaves room for names of one's own): what stood in for the authenticator. */
export const RECOVERY_CODE = 'recovery-code'
export const ENROLMENT_CODE = 'enrolment-code'

/** An authenticator that is shown and not confirmed yet. */
export interface PendingAuthenticator {
  readonly userId: string
  readonly id: string
  /** Base32. */
  readonly totpSecret: string
  /** `sign-in` with a second factor, or `enrolment-code`. */
  readonly proof: string
  /** Keyed hash of the enrolment code, which the confirmation uses up. */
  readonly proofHash: string | null
  readonly expiresAt: Date
}

/** Each write is atomic with its audit records; `false` means that nothing changed. */
export interface EnrolmentStore {
  /** Replaces what was shown before. */
  begin(pending: PendingAuthenticator): Promise<void>
  findPending(userId: string): Promise<PendingAuthenticator | null>
  /**
   * Makes the pending authenticator the person's, uses up what allowed it, replaces the recovery codes
   * and ends outstanding authorisations (S29). Of concurrent calls, exactly one gets true.
   */
  confirm(request: {
    pending: PendingAuthenticator
    /** The time step of the code it was confirmed with: used up. */
    step: number
    recoveryHashes: readonly string[]
    at: Date
    audit: readonly AuditEvent[]
  }): Promise<boolean>
  /** Takes the authenticator and the recovery codes away and ends outstanding authorisations. */
  remove(userId: string, at: Date, audit: readonly AuditEvent[]): Promise<boolean>
  /** False when there is no authenticator they could stand in for. */
  replaceRecoveryCodes(
    userId: string,
    hashes: readonly string[],
    at: Date,
    audit: readonly AuditEvent[],
  ): Promise<boolean>
  /** Of concurrent calls with one code, exactly one gets true. */
  useRecoveryCode(
    userId: string,
    hash: string,
    at: Date,
    audit: readonly AuditEvent[],
  ): Promise<boolean>
  recoveryCodes(userId: string): Promise<{ readonly hash: string; readonly usedAt: Date | null }[]>
  /** Replaces the person's last one. */
  issueCode(
    code: { userId: string; codeHash: string; expiresAt: Date },
    audit: readonly AuditEvent[],
  ): Promise<void>
  isCodeGood(userId: string, hash: string, now: Date): Promise<boolean>
}

/** What entitles to a new authenticator: a fresh sign-in with a second factor, or the operator's code. */
export interface Proof {
  /** Of a sign-in that the caller knows to be fresh. */
  readonly amr: readonly string[]
  readonly enrolmentCode?: string
}

export type StandIn =
  | { readonly outcome: 'accepted'; readonly method: typeof RECOVERY_CODE | typeof ENROLMENT_CODE }
  | { readonly outcome: 'wrong-code' | 'used-code' | 'too-many-attempts' }

export type BeginOutcome =
  | { readonly outcome: 'shown'; readonly pending: PendingAuthenticator }
  | { readonly outcome: 'no-proof' | 'wrong-enrolment-code' | 'too-many-attempts' }

export type CodeProof =
  | { readonly outcome: 'proved'; readonly proofHash: string }
  | { readonly outcome: 'wrong-enrolment-code' | 'too-many-attempts' }

export type ConfirmOutcome =
  | { readonly outcome: 'enrolled'; readonly recoveryCodes: readonly string[] }
  | { readonly outcome: 'wrong-code' | 'expired' | 'too-many-attempts' }

/**
 * How an authenticator becomes a person's, and stops being it. A password alone, stolen or not, never
 * enrols one: it takes a second factor that is there already, or a code from the operator.
 */
export class Enrolment {
  readonly #store: EnrolmentStore
  readonly #accounts: Accounts
  readonly #throttle: Throttle
  readonly #secrets: Secrets
  readonly #audit: AuditLog
  readonly #now: () => Date
  readonly #limits: { signInFailures: number; signInWindowSeconds: number }

  constructor(parts: {
    store: EnrolmentStore
    accounts: Accounts
    throttle: Throttle
    secrets: Secrets
    audit: AuditLog
    now: () => Date
    limits: { signInFailures: number; signInWindowSeconds: number }
  }) {
    this.#store = parts.store
    this.#accounts = parts.accounts
    this.#throttle = parts.throttle
    this.#secrets = parts.secrets
    this.#audit = parts.audit
    this.#now = parts.now
    this.#limits = parts.limits
  }

  /** What the person has, with the number of recovery codes left. */
  async stateOf(userId: string): Promise<{ authenticator: boolean; recoveryCodes: number }> {
    const codes = await this.#store.recoveryCodes(userId)
    return {
      authenticator: await this.#accounts.hasAuthenticator(userId),
      recoveryCodes: codes.filter(({ usedAt }) => usedAt === null).length,
    }
  }

  /**
   * At sign-in, in place of a code from the authenticator. A recovery code is used up; an enrolment
   * code only once an authenticator is confirmed with it. Neither ever approves a signature.
   */
  async checkStandIn(userId: string, text: string): Promise<StandIn> {
    const key = signInCodeKey(userId)
    if (!(await this.#mayGuess(key))) return { outcome: 'too-many-attempts' }
    const code = readLongCode(text)
    if (code === null) return { outcome: 'wrong-code' }
    const hash = recoveryHash(this.#secrets, userId, code)
    const codes = await this.#store.recoveryCodes(userId)
    if (codes.some((each) => each.hash === hash)) {
      const left = codes.filter((each) => each.usedAt === null && each.hash !== hash).length
      const used = await this.#store.useRecoveryCode(userId, hash, this.#now(), [
        auditEvent('recovery-code.used', { userId, purpose: 'sign-in', left }),
      ])
      if (!used) return { outcome: 'used-code' }
      await this.#throttle.clear(key)
      return { outcome: 'accepted', method: RECOVERY_CODE }
    }
    if (!(await this.#isEnrolmentCode(userId, code))) return { outcome: 'wrong-code' }
    await this.#throttle.clear(key)
    return { outcome: 'accepted', method: ENROLMENT_CODE }
  }

  /** A new secret to show; the authenticator there is stays until the new one is confirmed. */
  async begin(user: User, proof: Proof): Promise<BeginOutcome> {
    if (proof.enrolmentCode !== undefined) return this.#beginByCode(user, proof.enrolmentCode)
    if (hasSecondFactor(proof.amr))
      return { outcome: 'shown', pending: await this.#show(user, null) }
    return this.#refuse(user, 'no-proof')
  }

  async #beginByCode(user: User, text: string): Promise<BeginOutcome> {
    const proved = await this.proveByCode(user, text)
    if (proved.outcome !== 'proved') return proved
    return { outcome: 'shown', pending: await this.#show(user, proved.proofHash) }
  }

  /** Whether it is the operator's code. Whatever is enrolled with it uses it up, by its hash. */
  async proveByCode(user: User, text: string): Promise<CodeProof> {
    const key = `enrolment code ${user.id}`
    if (!(await this.#mayGuess(key))) return this.#refuse(user, 'too-many-attempts')
    const code = readLongCode(text)
    if (code === null || !(await this.#isEnrolmentCode(user.id, code))) {
      return this.#refuse(user, 'wrong-enrolment-code')
    }
    await this.#throttle.clear(key)
    return { outcome: 'proved', proofHash: enrolmentHash(this.#secrets, user.id, code) }
  }

  async #refuse<Why extends 'no-proof' | 'wrong-enrolment-code' | 'too-many-attempts'>(
    { id: userId }: User,
    why: Why,
  ): Promise<{ outcome: Why }> {
    await this.#audit.append(auditEvent('factor.refused', { userId, why }))
    return { outcome: why }
  }

  async #show({ id: userId }: User, proofHash: string | null): Promise<PendingAuthenticator> {
    const pending = {
      ...{ userId, id: randomUUID(), totpSecret: generateTotpSecret(), proofHash },
      proof: proofHash === null ? 'sign-in' : ENROLMENT_CODE,
      expiresAt: new Date(this.#now().getTime() + CONFIRM_WITHIN_SECONDS * 1000),
    }
    await this.#store.begin(pending)
    return pending
  }

  /** What was shown under this id, while it can be confirmed. */
  async pending(userId: string, id: string): Promise<PendingAuthenticator | null> {
    const pending = await this.#store.findPending(userId)
    return pending?.id === id && pending.expiresAt > this.#now() ? pending : null
  }

  /** The first right code shows that the secret arrived. @returns the recovery codes, this once */
  async confirm(userId: string, id: string, code: string): Promise<ConfirmOutcome> {
    const pending = await this.pending(userId, id)
    if (!pending) return { outcome: 'expired' }
    const key = `enrolment ${userId}`
    if (!(await this.#mayGuess(key))) return { outcome: 'too-many-attempts' }
    const step = totpStep(pending.totpSecret, code, this.#now())
    if (step === null) return { outcome: 'wrong-code' }
    const recoveryCodes = newCodes()
    const enrolled = await this.#store.confirm({
      ...{ pending, step, at: this.#now() },
      recoveryHashes: this.#hashed(userId, recoveryCodes),
      audit: [
        auditEvent('factor.enrolled', { userId, factor: 'totp', proof: pending.proof }),
        auditEvent('recovery-codes.issued', { userId, count: RECOVERY_CODES }),
      ],
    })
    if (!enrolled) return { outcome: 'expired' }
    await this.#throttle.clear(key)
    return { outcome: 'enrolled', recoveryCodes }
  }

  /** @returns false without the second factor it takes, or when signing in needs the authenticator */
  async remove(user: User, proof: Proof): Promise<boolean> {
    if (user.otpAtSignIn || !hasSecondFactor(proof.amr)) return false
    const event = { userId: user.id, factor: 'totp', proof: 'sign-in' }
    return this.#store.remove(user.id, this.#now(), [auditEvent('factor.removed', event)])
  }

  /** Ends the recovery codes there are. @returns the new ones, this once; null without proof */
  async newRecoveryCodes({ id: userId }: User, proof: Proof): Promise<readonly string[] | null> {
    if (!hasSecondFactor(proof.amr)) return null
    const codes = newCodes()
    const hashes = this.#hashed(userId, codes)
    const issued = await this.#store.replaceRecoveryCodes(userId, hashes, this.#now(), [
      auditEvent('recovery-codes.issued', { userId, count: RECOVERY_CODES }),
    ])
    return issued ? codes : null
  }

  #mayGuess(key: string): Promise<boolean> {
    const { signInFailures, signInWindowSeconds } = this.#limits
    return this.#throttle.allow(key, signInFailures, signInWindowSeconds)
  }

  #isEnrolmentCode(userId: string, code: string): Promise<boolean> {
    const hash = enrolmentHash(this.#secrets, userId, code)
    return this.#store.isCodeGood(userId, hash, this.#now())
  }

  #hashed(userId: string, codes: readonly string[]): string[] {
    return codes.map((code) => recoveryHash(this.#secrets, userId, readLongCode(code) ?? ''))
  }
}

/** The operator lets a person enrol; given to them in person, or however they were identified. */
export async function issueEnrolmentCode(
  parts: { store: EnrolmentStore; secrets: Secrets; now: () => Date },
  userId: string,
  hours: number,
): Promise<{ code: string; expiresAt: Date }> {
  const code = newLongCode()
  const expiresAt = new Date(parts.now().getTime() + hours * 3_600_000)
  const codeHash = enrolmentHash(parts.secrets, userId, readLongCode(code) ?? '')
  await parts.store.issueCode({ userId, codeHash, expiresAt }, [
    auditEvent('enrolment-code.issued', { userId, expiresAt: expiresAt.toISOString() }),
  ])
  return { code, expiresAt }
}

/** Something beside the password; an enrolment code signs in, but proves no more than itself. */
export function hasSecondFactor(amr: readonly string[]): boolean {
  return amr.some((method) => method !== 'pwd' && method !== ENROLMENT_CODE)
}

function newCodes(): string[] {
  return Array.from({ length: RECOVERY_CODES }, newLongCode)
}

/** Keyed, and for this person: a row read or moved elsewhere is worth nothing. */
function recoveryHash(secrets: Secrets, userId: string, code: string): string {
  return secrets.bind('recovery code', userId, code)
}

function enrolmentHash(secrets: Secrets, userId: string, code: string): string {
  return secrets.bind('enrolment code', userId, code)
}
