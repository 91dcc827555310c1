import { HsmOutcomeUnknownError, HsmUnavailableError, ServiceError } from '../../errors.js'
import { TokenError, TokenTimeoutError } from './ckr.js'
import type { KeyHandle, Mechanism, OpenSession, Session, Token } from './session.js'

export interface SessionPoolOptions {
  readonly token: Token
  /** Sessions in use or idle at once; those quarantined are on top. */
  readonly sessions?: number
  /** How long one call to the token may take, key generation excepted. */
  readonly signTimeoutMs?: number
  readonly generateTimeoutMs?: number
  /** Callers that may wait for a session. */
  readonly queueLimit?: number
  readonly queueTimeoutMs?: number
  /** After a session could not be opened, how long callers are told so without asking the token. */
  readonly reopenDelayMs?: number
  /** How long shutdown waits for calls under way. */
  readonly drainTimeoutMs?: number
  /** Told about what an operator has to look at. */
  readonly alarm?: (message: string, cause: unknown) => void
}

/** A session on loan, with the number of the login period its handles belong to. */
export interface PooledSession extends Session {
  /** Handles found in one epoch may name other keys in the next. */
  readonly epoch: number
}

interface Waiter {
  readonly resolve: (loan: Loan) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/**
 * Logged-in sessions of one token. A session serves one caller at a time; after any failure it is
 * closed and another one opened, because its state inside the token is unknown then.
 *
 * Native calls run on the threads of libuv (four, unless UV_THREADPOOL_SIZE says otherwise), and a
 * call that hangs keeps its thread. So the pool stops asking the token once as many calls hang as
 * it has sessions.
 */
export class SessionPool {
  readonly #options: Required<SessionPoolOptions>
  readonly #idle: { session: OpenSession; epoch: number }[] = []
  readonly #waiting: Waiter[] = []
  readonly #onLoan = new Set<Loan>()
  readonly #quarantined = new Set<Promise<void>>()
  #epoch = 0
  #noReopenBefore = 0
  #mustReinitialise = false
  #stopped: string | null = null
  #closing: Promise<void> | null = null

  constructor(options: SessionPoolOptions) {
    this.#options = {
      sessions: 8,
      signTimeoutMs: 10_000,
      generateTimeoutMs: 120_000,
      queueLimit: 1_000,
      queueTimeoutMs: 5_000,
      reopenDelayMs: 1_000,
      drainTimeoutMs: 15_000,
      alarm: () => undefined,
      ...definedOf(options),
    }
  }

  get size(): number {
    return this.#options.sessions
  }

  /** For health and metrics. */
  get state() {
    return {
      idle: this.#idle.length,
      busy: this.#onLoan.size,
      waiting: this.#waiting.length,
      quarantined: this.#quarantined.size,
      stopped: this.#stopped,
    }
  }

  /**
   * Runs `use` with a logged-in session that no other call holds until it settles. When `use`
   * fails, in whatever way, the session is closed and not handed out again.
   * @throws {HsmUnavailableError} when no session comes free in time, or the token made no signature
   * @throws {HsmOutcomeUnknownError} when the token may have made a signature that nobody got
   */
  async withSession<T>(use: (session: PooledSession) => Promise<T>): Promise<T> {
    const loan = await this.#borrow()
    try {
      return await use(loan)
    } catch (error) {
      loan.spoil()
      this.#learnFrom(error, loan.epoch)
      throw inOurWords(error)
    } finally {
      this.#takeBack(loan)
    }
  }

  /** Callers under way get their answers; new ones and those in the queue are turned away. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  #borrow(): Promise<Loan> {
    const refusal = this.#refusal()
    if (refusal !== null) return Promise.reject(refusal)
    if (this.#waiting.length === 0 && this.#hasRoom()) {
      try {
        return Promise.resolve(this.#lend())
      } catch (error) {
        return Promise.reject(inOurWords(error))
      }
    }
    if (this.#waiting.length >= this.#options.queueLimit) {
      return Promise.reject(new HsmUnavailableError('Too many callers wait for the token'))
    }
    return this.#enqueue()
  }

  #refusal(): HsmUnavailableError | null {
    if (this.#closing !== null) return new HsmUnavailableError('Shutting down')
    if (this.#stopped !== null) return new HsmUnavailableError(this.#stopped)
    if (this.#quarantined.size >= this.#options.sessions) {
      return new HsmUnavailableError('Too many calls to the token do not return')
    }
    return null
  }

  #enqueue(): Promise<Loan> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(new HsmUnavailableError('No session came free in time'))
      }, this.#options.queueTimeoutMs)
      const waiter = { resolve, reject, timer }
      this.#waiting.push(waiter)
    })
  }

  #hasRoom(): boolean {
    return this.#onLoan.size < this.#options.sessions
  }

  #lend(): Loan {
    const { session, epoch } = this.#idle.pop() ?? this.#open()
    const loan = new Loan(session, epoch, this.#options)
    this.#onLoan.add(loan)
    return loan
  }

  #open(): { session: OpenSession; epoch: number } {
    if (performance.now() < this.#noReopenBefore) {
      throw new HsmUnavailableError('The token could not be reached a moment ago')
    }
    try {
      this.#reinitialise()
      return { session: this.#options.token.openSession(), epoch: this.#epoch }
    } catch (error) {
      this.#noReopenBefore = performance.now() + this.#options.reopenDelayMs
      this.#learnFrom(error, this.#epoch)
      throw inOurWords(error)
    }
  }

  #takeBack(loan: Loan): void {
    this.#onLoan.delete(loan)
    const { session, epoch } = loan
    const returned = loan.end()
    if (returned !== null) this.#quarantine(session, returned)
    else if (loan.spoilt || epoch !== this.#epoch || this.#closing !== null) session.close()
    else this.#idle.push({ session, epoch })
    this.#serveNext()
  }

  /** Its call is still inside the library, where closing the session would crash the process. */
  #quarantine(session: OpenSession, returned: Promise<void>): void {
    const gone = returned.then(() => {
      session.close()
      this.#quarantined.delete(gone)
      this.#serveNext()
    })
    this.#quarantined.add(gone)
    this.#options.alarm('A call to the token did not return in time', null)
  }

  #serveNext(): void {
    while (this.#waiting.length > 0 && this.#hasRoom()) {
      const waiter = this.#waiting.shift()
      if (waiter === undefined) return
      clearTimeout(waiter.timer)
      try {
        const refusal = this.#refusal()
        if (refusal !== null) throw refusal
        waiter.resolve(this.#lend())
      } catch (error) {
        waiter.reject(inOurWords(error))
      }
    }
  }

  #learnFrom(error: unknown, epoch: number): void {
    if (!(error instanceof TokenError)) return
    const { ckr } = error
    if (ckr.pinRefused && this.#stopped === null) {
      // trying the PIN again would lock the token
      this.#stopped = 'The token refused the PIN'
      this.#options.alarm(this.#stopped, error)
    }
    if (ckr.name === 'CKR_CRYPTOKI_NOT_INITIALIZED') this.#mustReinitialise = true
    // callers that fail together report one loss, not one each
    if (ckr.deviceLost && epoch === this.#epoch) this.#startAfresh()
  }

  /** Idle sessions go now, those on loan when they come back; new ones log in again. */
  #startAfresh(): void {
    this.#epoch += 1
    for (const { session } of this.#idle.splice(0)) session.close()
  }

  /** Numbers of old sessions come back after this, so nobody may hold one any more. */
  #reinitialise(): void {
    if (!this.#mustReinitialise) return
    if (this.#onLoan.size > 0 || this.#quarantined.size > 0) {
      throw new HsmUnavailableError('The library has to be initialised again')
    }
    this.#options.token.reinitialise()
    this.#mustReinitialise = false
  }

  async #shutDown(): Promise<void> {
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer)
      reject(new HsmUnavailableError('Shutting down'))
    }
    const drained = await within(this.#options.drainTimeoutMs, this.#drain())
    for (const { session } of this.#idle.splice(0)) session.close()
    // finalising under a call that is still inside the library would crash the process
    if (drained) this.#options.token.release()
    else this.#options.alarm('Calls to the token did not return before shutdown', null)
  }

  async #drain(): Promise<void> {
    while (this.#onLoan.size > 0 || this.#quarantined.size > 0) {
      await Promise.all([...this.#onLoan].map((loan) => loan.ended))
      await Promise.all(this.#quarantined)
    }
  }
}

/** One caller's use of one session. Calls are timed; nothing goes through once it has ended. */
class Loan implements PooledSession {
  readonly session: OpenSession
  readonly epoch: number
  readonly ended: Promise<void>
  readonly #options: Required<SessionPoolOptions>
  #announceEnd: () => void = () => undefined
  #callUnderWay: Promise<void> | null = null
  #spoilt = false
  #over = false

  constructor(session: OpenSession, epoch: number, options: Required<SessionPoolOptions>) {
    this.session = session
    this.epoch = epoch
    this.#options = options
    this.ended = new Promise((resolve) => (this.#announceEnd = resolve))
  }

  get spoilt(): boolean {
    return this.#spoilt
  }

  spoil(): void {
    this.#spoilt = true
  }

  /** The call the caller left behind inside the library, if any. */
  end(): Promise<void> | null {
    this.#over = true
    this.#announceEnd()
    return this.#callUnderWay
  }

  findPrivateKeys(id: Buffer) {
    return this.#call('C_FindObjects', () => this.session.findPrivateKeys(id))
  }

  findPublicKeys(id: Buffer) {
    return this.#call('C_FindObjects', () => this.session.findPublicKeys(id))
  }

  sign(key: KeyHandle, mechanism: Mechanism, data: Buffer) {
    return this.#call('C_Sign', () => this.session.sign(key, mechanism, data))
  }

  generateKeyPair(...args: Parameters<Session['generateKeyPair']>) {
    return this.#call('C_GenerateKeyPair', () => this.session.generateKeyPair(...args))
  }

  privateKeyAttributes(key: KeyHandle) {
    return this.#call('C_GetAttributeValue', () => this.session.privateKeyAttributes(key))
  }

  publicKeyValue(key: KeyHandle) {
    return this.#call('C_GetAttributeValue', () => this.session.publicKeyValue(key))
  }

  destroy(key: KeyHandle) {
    return this.#call('C_DestroyObject', () => this.session.destroy(key))
  }

  probe() {
    return this.#call('C_GetSessionInfo', () => this.session.probe())
  }

  async #call<T>(name: string, start: () => Promise<T>): Promise<T> {
    if (this.#over || this.#spoilt || this.#callUnderWay !== null) {
      throw new HsmUnavailableError('The session is not free for another call')
    }
    const result = start()
    const returned = result.then(
      () => this.#returned(),
      () => this.#returned(),
    )
    this.#callUnderWay = returned
    let timer
    try {
      const timeout = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new TokenTimeoutError(name, name === 'C_Sign', returned)),
          name === 'C_GenerateKeyPair'
            ? this.#options.generateTimeoutMs
            : this.#options.signTimeoutMs,
        )
      })
      return await Promise.race([result, timeout])
    } catch (error) {
      this.#spoilt = true
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  #returned(): void {
    this.#callUnderWay = null
  }
}

function inOurWords(error: unknown): Error {
  if (error instanceof ServiceError) return error
  if (error instanceof TokenError || error instanceof TokenTimeoutError) {
    return error.mayHaveSigned
      ? new HsmOutcomeUnknownError(error.message, { cause: error })
      : new HsmUnavailableError(error.message, { cause: error })
  }
  return error instanceof Error ? error : new Error(String(error))
}

async function within(milliseconds: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds)
  })
  const done = await Promise.race([work.then(() => true), late])
  clearTimeout(timer)
  return done
}

/** Options that are given as undefined count as not given. */
function definedOf(options: SessionPoolOptions): SessionPoolOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as unknown as SessionPoolOptions
}
