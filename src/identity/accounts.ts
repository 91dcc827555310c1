import { networkOf } from '../admission/network.js'
import { auditEvent } from '../audit/events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { UNKNOWN_USER_HASH, verifyPassword } from './password.js'
import type { AttemptLimit, Throttle } from './throttle.js'
import { totpStep } from './totp.js'
import type { User, UserStore } from './user.js'

export type PasswordOutcome =
  | { readonly outcome: 'accepted'; readonly user: User }
  | { readonly outcome: 'wrong-credentials' | 'too-many-attempts' }

export type CodeOutcome = 'accepted' | 'wrong-code' | 'used-code' | 'too-many-attempts'

/** Of longer names, attempts at all that begin alike are counted together. */
const LONGEST_COUNTED_NAME = 100

/** Under which guesses at the second step of signing in are counted, whatever is entered there. */
export function signInCodeKey(userId: string): string {
  return `code ${userId}`
}

/** People share addresses. */
function perAddress(address: string, signInFailures: number): AttemptLimit {
  return { key: `address ${networkOf(address)}`, limit: signInFailures * 20 }
}

/** Signing in: who sits there? Answers are the same, and as slow, for known and unknown names. */
export class Accounts {
  readonly #users: UserStore
  readonly #throttle: Throttle
  readonly #audit: AuditLog
  readonly #now: () => Date
  readonly #limits: { signInFailures: number; signInWindowSeconds: number }

  constructor(parts: {
    users: UserStore
    throttle: Throttle
    audit: AuditLog
    now: () => Date
    limits: { signInFailures: number; signInWindowSeconds: number }
  }) {
    this.#users = parts.users
    this.#throttle = parts.throttle
    this.#audit = parts.audit
    this.#now = parts.now
    this.#limits = parts.limits
  }

  /** The account, unless it is disabled. */
  async find(userId: string): Promise<User | null> {
    const user = await this.#users.find(userId)
    return user?.disabledAt === null ? user : null
  }

  /** Counts an attempt to sign in, in whatever way, from an address. */
  allowAttempt(address: string): Promise<boolean> {
    const { signInFailures, signInWindowSeconds } = this.#limits
    const { key, limit } = perAddress(address, signInFailures)
    return this.#throttle.allow(key, limit, signInWindowSeconds)
  }

  /** Whether what an address was refused goes on record: whoever goes on trying fills no log. */
  recordsRefusal(address: string): Promise<boolean> {
    const { signInFailures, signInWindowSeconds } = this.#limits
    const { key, limit } = perAddress(address, signInFailures)
    return this.#throttle.allow(`refused ${key}`, limit, signInWindowSeconds)
  }

  /**
   * Checks a password. Attempts are counted per account and address, so that a stranger elsewhere
   * cannot lock the account's owner out.
   */
  async checkPassword(attempt: {
    username: string
    password: string
    address: string
    clientId: string
  }): Promise<PasswordOutcome> {
    const { signInWindowSeconds } = this.#limits
    const username = attempt.username.slice(0, LONGEST_COUNTED_NAME).toLowerCase()
    const key = `password ${username} ${networkOf(attempt.address)}`
    const blocked = await this.#blocked(attempt.address, key)
    if (blocked !== null) {
      // Once for each window: whoever goes on trying fills no log.
      if (await this.#throttle.allow(`recorded ${blocked}`, 1, signInWindowSeconds)) {
        await this.#fail(attempt, 'too many attempts')
      }
      return { outcome: 'too-many-attempts' }
    }
    const user = await this.#users.findByUsername(attempt.username)
    const secrets = user ? await this.#users.secrets(user.id) : null
    const fits = await verifyPassword(
      attempt.password,
      secrets?.passwordHash ?? UNKNOWN_USER_HASH,
      `address ${networkOf(attempt.address)}`,
    )
    if (!user || !fits || user.disabledAt) {
      await this.#fail(attempt, user?.disabledAt ? 'disabled' : 'wrong credentials')
      return { outcome: 'wrong-credentials' }
    }
    const { key: shared } = perAddress(attempt.address, this.#limits.signInFailures)
    await this.#throttle.clear(key, shared)
    return { outcome: 'accepted', user }
  }

  /** What there were too many attempts of. An address over its limit leaves nothing behind for the names it tries. */
  #blocked(address: string, nameAndAddress: string): Promise<string | null> {
    const { signInFailures, signInWindowSeconds } = this.#limits
    return this.#throttle.firstExhausted(
      [perAddress(address, signInFailures), { key: nameAndAddress, limit: signInFailures }],
      signInWindowSeconds,
    )
  }

  /** Checks the one-time code of the second factor at sign-in. */
  async checkSignInCode(userId: string, code: string): Promise<CodeOutcome> {
    const { signInFailures, signInWindowSeconds } = this.#limits
    const key = signInCodeKey(userId)
    if (!(await this.#throttle.allow(key, signInFailures, signInWindowSeconds))) {
      return 'too-many-attempts'
    }
    const step = await this.codeStep(userId, code)
    if (step === null) return 'wrong-code'
    if (!(await this.acceptStep(userId, step))) return 'used-code'
    await this.#throttle.clear(key)
    return 'accepted'
  }

  /** Whether the person has an authenticator to read codes from. */
  async hasAuthenticator(userId: string): Promise<boolean> {
    return Boolean((await this.#users.secrets(userId))?.totpSecret)
  }

  /** The time step of a right one-time code, else null. It is not used up; whoever calls limits the guesses. */
  async codeStep(userId: string, code: string): Promise<number | null> {
    const secrets = await this.#users.secrets(userId)
    return secrets?.totpSecret ? totpStep(secrets.totpSecret, code, this.#now()) : null
  }

  /** Uses up a step; false when it, or a later one, was used before. */
  acceptStep(userId: string, step: number): Promise<boolean> {
    return this.#users.acceptTotpStep(userId, step)
  }

  async #fail(attempt: { username: string; address: string; clientId: string }, why: string) {
    const { username, address, clientId } = attempt
    await this.#audit.append(
      auditEvent('sign-in.failed', { username: username.slice(0, 100), address, clientId, why }),
    )
  }
}
