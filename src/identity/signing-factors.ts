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
  /** Of a sent code: hash over the transaction it has to have been sent for; none in `credentials/authorize`. */
  readonly binding?: string
}

/** The answer of a passkey, found right for this very approval; it was no guess, and counts for none. */
export interface ProvenFactor {
  readonly factor: 'passkey'
  readonly spend: Spend
}

export type SigningFactor = Factor | ProvenFactor['factor']

export type FactorOutcome =
  | { readonly outcome: 'accepted'; readonly factors: readonly SigningFactor[] }
  | { readonly outcome: 'wrong'; readonly wrong: readonly SigningFactor[] }
  /** Right, but used before, replaced by a newer one, or too late: not a guess. */
  | { readonly outcome: 'used-code' | 'expired-code' }
  | { readonly outcome: 'locked'; readonly until: Date | null }

/** What each right factor leaves to be used up once all of them were found right. */
type Spend = () => Promise<boolean>
/** A code that was right once. */
type Stale = 'used-code' | 'expired-code'

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
   * @param moreToCome whether further factors follow elsewhere: earlier wrong guesses still count then
   */
  async check(
    credential: GuardedCredential,
    clientId: string,
    given: readonly (GivenFactor | ProvenFactor)[],
    suffices: (right: ReadonlySet<SigningFactor>) => boolean,
    { moreToCome = false } = {},
  ): Promise<FactorOutcome> {
    const { factorFailures } = this.#limits
    if (!(await this.#guesses.takeGuess(credential.id, factorFailures, this.#now()))) {
      return { outcome: 'locked', until: credential.lockedUntil }
    }
    const checked = await Promise.all(
      given.map(async (each) => {
        return { factor: each.factor, spend: await this.#checkOne(credential, clientId, each) }
      }),
    )
    const right = checked.filter(({ spend }) => spend !== null).map(({ factor }) => factor)
    const wrong = checked.filter(({ spend }) => spend === null).map(({ factor }) => factor)
    if (wrong.length > 0 || !suffices(new Set(right))) return this.#wrong(credential, wrong)
    const stale = checked.flatMap(({ spend }) => (typeof spend === 'string' ? spend : []))
    for (const { spend } of stale.length > 0 ? [] : checked) {
      if (typeof spend === 'function' && !(await spend())) stale.push('used-code')
    }
    const [outcome] = stale
    if (outcome) {
      await this.#guesses.giveBackGuess(credential.id)
      return { outcome }
    }
    if (moreToCome) await this.#guesses.giveBackGuess(credential.id)
    else await this.#guesses.clearGuesses(credential.id)
    return { outcome: 'accepted', factors: right }
  }

  /** Null when wrong; else how to use it up. */
  async #checkOne(
    credential: GuardedCredential,
    clientId: string,
    given: GivenFactor | ProvenFactor,
  ): Promise<Spend | Stale | null> {
    if (given.factor === 'passkey') return given.spend
    const { factor, value, binding = '' } = given
    switch (factor) {
      case 'pin': {
        const { pinHash, userId } = credential
        const right = pinHash !== null && (await verifyPassword(value, pinHash, `person ${userId}`))
        return right ? () => Promise.resolve(true) : null
      }
      case 'totp': {
        const step = await this.#accounts.codeStep(credential.userId, value)
        return step === null ? null : () => this.#accounts.acceptStep(credential.userId, step)
      }
      case 'email-otp':
      case 'sms-otp': {
        const purpose = { credentialId: credential.id, clientId, factor, binding }
        const match = await this.#sentCodes.match(purpose, value)
        if (match.outcome === 'wrong') return null
        if (match.outcome !== 'right') return `${match.outcome}-code`
        return () => this.#sentCodes.spend(match.id)
      }
    }
  }

  async #wrong(
    credential: GuardedCredential,
    wrong: readonly SigningFactor[],
  ): Promise<FactorOutcome> {
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
