import type { AuditLog } from '../audit/audit-log.js'
import { auditEvent } from '../audit/events.js'
import type { Accounts } from './accounts.js'
import { verifyPassword } from './password.js'

/** What a credential demands of its owner before anything is signed, and how guessing is held back. */
export interface GuardedCredential {
  readonly id: string
  readonly userId: string
  readonly pinHash: string | null
  readonly lockedUntil: Date | null
}

/** The atomic counter of guesses, kept with the credential. */
export interface GuessCounter {
  takeGuess(id: string, limit: number, now: Date): Promise<boolean>
  clearGuesses(id: string): Promise<void>
  giveBackGuess(id: string): Promise<void>
  lockIfExhausted(id: string, limit: number, until: Date): Promise<Date | null>
}

export type FactorOutcome =
  | { readonly outcome: 'accepted'; readonly factors: string[] }
  | { readonly outcome: 'wrong-code' | 'used-code' | 'wrong-pin' }
  | { readonly outcome: 'locked'; readonly until: Date | null }

/** The one-time code, and the PIN where the credential has one, given when approving. */
export class SigningFactors {
  readonly #accounts: Accounts
  readonly #guesses: GuessCounter
  readonly #audit: AuditLog
  readonly #now: () => Date
  readonly #limits: { factorFailures: number; lockSeconds: number }

  constructor(parts: {
    accounts: Accounts
    guesses: GuessCounter
    audit: AuditLog
    now: () => Date
    limits: { factorFailures: number; lockSeconds: number }
  }) {
    this.#accounts = parts.accounts
    this.#guesses = parts.guesses
    this.#audit = parts.audit
    this.#now = parts.now
    this.#limits = parts.limits
  }

  async check(
    credential: GuardedCredential,
    given: { otp: string; pin: string },
  ): Promise<FactorOutcome> {
    const { factorFailures } = this.#limits
    if (!(await this.#guesses.takeGuess(credential.id, factorFailures, this.#now()))) {
      return { outcome: 'locked', until: credential.lockedUntil }
    }
    if (credential.pinHash !== null && !(await verifyPassword(given.pin, credential.pinHash))) {
      return this.#wrong(credential, 'pin', { outcome: 'wrong-pin' })
    }
    const code = await this.#accounts.checkCode(credential.userId, given.otp)
    if (code === 'used-code') {
      await this.#guesses.giveBackGuess(credential.id)
      return { outcome: code }
    }
    if (code === 'wrong-code') return this.#wrong(credential, 'otp', { outcome: code })
    await this.#guesses.clearGuesses(credential.id)
    return { outcome: 'accepted', factors: credential.pinHash === null ? ['otp'] : ['pin', 'otp'] }
  }

  async #wrong(
    credential: GuardedCredential,
    factor: string,
    outcome: FactorOutcome,
  ): Promise<FactorOutcome> {
    const { factorFailures, lockSeconds } = this.#limits
    const until = new Date(this.#now().getTime() + lockSeconds * 1000)
    const locked = await this.#guesses.lockIfExhausted(credential.id, factorFailures, until)
    const { id: credentialId, userId } = credential
    await this.#audit.append(
      auditEvent('factor.failed', { userId, credentialId, factor }),
      ...(locked
        ? [auditEvent('credential.locked', { credentialId, until: locked.toISOString() })]
        : []),
    )
    return locked ? { outcome: 'locked', until: locked } : outcome
  }
}
