import type { AuditLog } from '../audit/audit-log.js'
import { auditEvent } from '../audit/events.js'
import type { Factor } from '../credentials/auth-object.js'
import type { Accounts } from './accounts.js'
import { verifyPassword } from './password.js'
import type { SentCodes } from './sent-codes.js'

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

/** A factor as the signer gave it, through whichever application. */
export interface GivenFactor {
  readonly factor: Factor
  readonly value: string
}

export type FactorOutcome =
  | { readonly outcome: 'accepted'; readonly factors: readonly Factor[] }
  | { readonly outcome: 'wrong'; readonly wrong: readonly Factor[] }
  /** Right, but used before: not a guess. */
  | { readonly outcome: 'used-code' }
  | { readonly outcome: 'locked'; readonly until: Date | null }

/** What each right factor leaves to be used up once all of them were found right. */
type Spend = () => Promise<boolean>

/** The factors a signer gives when agreeing to signatures; one counter of guesses for all of them. */
export class SigningFactors {
  readonly #accounts: Accounts
  readonly #sentCodes: SentCodes
  readonly #guesses: GuessCounter
  readonly #audit: AuditLog
  readonly #now: () => Date
  readonly #limits: { factorFailures: number; lockSeconds: number }

  constructor(parts: {
    accounts: Accounts
    sentCodes: SentCodes
    guesses: GuessCounter
    audit: AuditLog
    now: () => Date
    limits: { factorFailures: number; lockSeconds: number }
  }) {
    this.#accounts = parts.accounts
    this.#sentCodes = parts.sentCodes
    this.#guesses = parts.guesses
    this.#audit = parts.audit
    this.#now = parts.now
    this.#limits = parts.limits
  }

  /**
   * Checks every factor given, whichever is wrong, then whether the right ones suffice. A guess is
   * taken from the counter before anything is looked at; codes are used up only when all is well.
   * @param suffices whether these factors, all of them right, are enough
   */
  async check(
    credential: GuardedCredential,
    clientId: string,
    given: readonly GivenFactor[],
    suffices: (right: ReadonlySet<Factor>) => boolean,
  ): Promise<FactorOutcome> {
    const { factorFailures } = this.#limits
    if (!(await this.#guesses.takeGuess(credential.id, factorFailures, this.#now()))) {
      return { outcome: 'locked', until: credential.lockedUntil }
    }
    const checked = await Promise.all(
      given.map(async ({ factor, value }) => {
        return { factor, spend: await this.#checkOne(credential, clientId, factor, value) }
      }),
    )
    const right = checked.filter(({ spend }) => spend !== null).map(({ factor }) => factor)
    const wrong = checked.filter(({ spend }) => spend === null).map(({ factor }) => factor)
    if (wrong.length > 0 || !suffices(new Set(right))) return this.#wrong(credential, wrong)
    for (const { spend } of checked) {
      if (spend && !(await spend())) {
        await this.#guesses.giveBackGuess(credential.id)
        return { outcome: 'used-code' }
      }
    }
    await this.#guesses.clearGuesses(credential.id)
    return { outcome: 'accepted', factors: right }
  }

  /** Null when wrong; else how to use it up. */
  async #checkOne(
    credential: GuardedCredential,
    clientId: string,
    factor: Factor,
    value: string,
  ): Promise<Spend | null> {
    switch (factor) {
      case 'pin': {
        const { pinHash } = credential
        const right = pinHash !== null && (await verifyPassword(value, pinHash))
        return right ? () => Promise.resolve(true) : null
      }
      case 'totp': {
        const step = await this.#accounts.codeStep(credential.userId, value)
        return step === null ? null : () => this.#accounts.acceptStep(credential.userId, step)
      }
      case 'email-otp': {
        const id = await this.#sentCodes.match(
          { credentialId: credential.id, clientId, factor },
          value,
        )
        return id === null ? null : () => this.#sentCodes.spend(id)
      }
    }
  }

  async #wrong(credential: GuardedCredential, wrong: readonly Factor[]): Promise<FactorOutcome> {
    const { factorFailures, lockSeconds } = this.#limits
    const until = new Date(this.#now().getTime() + lockSeconds * 1000)
    const locked = await this.#guesses.lockIfExhausted(credential.id, factorFailures, until)
    const { id: credentialId, userId } = credential
    await this.#audit.append(
      auditEvent('factor.failed', { userId, credentialId, factor: wrong.join(' ') }),
      ...(locked
        ? [auditEvent('credential.locked', { credentialId, until: locked.toISOString() })]
        : []),
    )
    return locked ? { outcome: 'locked', until: locked } : { outcome: 'wrong', wrong }
  }
}
