import {
  HsmBusyError,
  HsmOutcomeUnknownError,
  HsmUnavailableError,
  ServiceError,
} from '../../errors.js'
import { endDespite } from '../foreign-functions.js'
import { LastTryError, TokenError, TokenTimeoutError } from './ckr.js'
import type { KeyHandle, Mechanism, OpenSession, Session, Token } from './session.js'

const openPools = new Set<SessionPool>()
endDespite(() => [...openPools].reduce((sum, { callsUnderWay }) => sum + callsUnderWay, 0))

/** Sessions that could not be opened, one after the other. */
const FAILURES_BEFORE_REINITIALISING = 3
/** From one initialisation to the next. */
const MOST_FAILURES_BETWEEN = 6

export interface SessionPoolOptions {
  readonly token: Token
  /** Sessions at once, those included whose call does not return. */
  readonly sessions?: number
  /** How long one call to the token, or opening a session, may take; key generation excepted. */
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
  /**
   * Told how long a caller waited for a session (`hsm.wait`) and was inside the library (`C_Sign`, say),
   * in the asynchronous context of that caller.
   */
  readonly ended?: Ended
}

/** Told what has ended, how long it took, and how many seconds ago it ended: 0 for just now. */
export type Ended = (what: string, seconds: number, ago?: number) => void

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

interface IdleSession {
  readonly session: OpenSession
  readonly epoch: number
}

/**
 * Logged-in sessions of one token. A session serves one caller at a time; after any failure it is
 * closed and another one opened, because its state inside the token is unknown then.
 *
 * Native calls run on the threads of libuv (four, unless UV_THREADPOOL_SIZE says otherwise), and a
 * call that hangs keeps its thread and its session. So there are never more calls under way than
 * sessions, and the pool stops asking the token once all of them hang.
 */
export class SessionPool {
  readonly #options: Required<SessionPoolOptions>
  readonly #idle: IdleSession[] = []
  readonly #waiting: Waiter[] = []
  readonly #onLoan = new Set<Loan>()
  readonly #quarantined = new Set<Promise<void>>()
  readonly #openings = new Set<Promise<void>>()
  readonly #closings = new Set<Promise<void>>()
  /** On loan for as long as nothing fails. */
  #kept = 0
  #epoch = 0
  /** The first session of an epoch is opened alone: it finds out whether the token is there. */
  #reachedInEpoch = -1
  #failuresInARow = 0
  #reinitialiseAfter = FAILURES_BEFORE_REINITIALISING
  #noReopenBefore = 0
  #mustReinitialise = false
  #stopped: string | null = null
  #closing: Promise<void> | null = null

  constructor(options: SessionPoolOptions) {
    this.#options = {
      sessions: 8,
      signTimeoutMs: 10_000,
      generateTimeoutMs: 120_000,
      queueLimit: 10_000,
      queueTimeoutMs: 5_000,
      reopenDelayMs: 1_000,
      drainTimeoutMs: 15_000,
      alarm: () => undefined,
      ended: () => undefined,
      ...definedOf(options),
    }
    openPools.add(this)
  }

  get callsUnderWay(): number {
    return this.#onLoan.size + this.#openings.size + this.#quarantined.size + this.#closings.size
  }

  get size(): number {
    return this.#options.sessions
  }

  /** How many digests are best signed by one call now. */
  get signsTogether(): number {
    return this.#options.token.signsTogether
  }

  /** Changes when sessions or login are lost, and with them all handles. */
  get epoch(): number {
    return this.#epoch
  }

  /** For health and metrics. */
  get state() {
    return {
      idle: this.#idle.length,
      busy: this.#onLoan.size,
      waiting: this.#waiting.length,
      quarantined: this.#quarantined.size,
      stopped: this.#stopped,
      /** Calls that do not return keep everybody from being served. */
      stuck: this.#isStuck,
    }
  }

  get #isStuck(): boolean {
    const hanging = this.#quarantined.size
    if (hanging === 0) return false
    // under a call that is inside it, the library cannot be initialised again
    return this.#mustReinitialise || hanging + this.#kept >= this.#options.sessions
  }

  /**
   * Runs `use` with a logged-in session that no other call holds until it settles. When `use`
   * fails, in whatever way, the session is closed and not handed out again.
   * @throws {HsmUnavailableError} when no session comes free in time, or the token made no signature
   * @throws {HsmOutcomeUnknownError} when the token may have made a signature that nobody got
   */
  async withSession<T>(use: (session: PooledSession) => Promise<T>): Promise<T> {
    const askedAt = performance.now()
    const loan = await this.#borrow()
    this.#options.ended('hsm.wait', secondsSince(askedAt))
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

  /** As `withSession`, for those who keep it from serving others. */
  async withKeptSession<T>(use: (session: PooledSession) => Promise<T>): Promise<T> {
    this.#kept += 1
    try {
      return await this.withSession(use)
    } finally {
      this.#kept -= 1
    }
  }

  /** For those who keep a session on loan: what one of their calls met, and what to tell the caller. */
  report(error: unknown, epoch: number): Error {
    this.#learnFrom(error, epoch)
    return inOurWords(error)
  }

  /** Callers under way get their answers; new ones and those in the queue are turned away. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  #borrow(): Promise<Loan> {
    const refusal = this.#refusal()
    if (refusal !== null) return Promise.reject(refusal)
    const idle = this.#waiting.length === 0 ? this.#idle.pop() : undefined
    if (idle !== undefined) return Promise.resolve(this.#lend(idle))
    // for whom a session is being opened does not stand in the queue
    if (this.#waiting.length >= this.#options.queueLimit + this.#openings.size) {
      return Promise.reject(new HsmBusyError('Too many callers wait for the token'))
    }
    return this.#enqueue()
  }

  #refusal(): HsmUnavailableError | null {
    if (this.#closing !== null) return new HsmUnavailableError('Shutting down')
    if (this.#stopped !== null) return new HsmUnavailableError(this.#stopped)
    if (this.#isStuck) {
      return new HsmUnavailableError('Too many calls to the token do not return')
    }
    return null
  }

  #enqueue(): Promise<Loan> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(new HsmBusyError('No session came free in time'))
      }, this.#options.queueTimeoutMs)
      const waiter = { resolve, reject, timer }
      this.#waiting.push(waiter)
      this.#serveWaiting()
    })
  }

  #lend({ session, epoch }: IdleSession): Loan {
    const loan = new Loan(session, epoch, this.#options)
    this.#onLoan.add(loan)
    return loan
  }

  #serveWaiting(): void {
    while (this.#waiting.length > 0) {
      const refusal = this.#refusal()
      if (this.#idle.length > 0) this.#lendToFirst()
      else if (this.#closing !== null && this.#openings.size > 0) return
      else if (refusal !== null) this.#turnAwayFirst(refusal)
      else if (performance.now() < this.#noReopenBefore) {
        // who has a session may give it back
        if (this.#onLoan.size + this.#openings.size > 0) return
        this.#turnAwayFirst(new HsmUnavailableError('The token could not be reached a moment ago'))
      } else if (this.#mayOpen()) this.#open()
      else return
    }
  }

  #lendToFirst(): void {
    const [idle, waiter] = [this.#idle.pop(), this.#waiting.shift()]
    if (idle === undefined || waiter === undefined) return
    clearTimeout(waiter.timer)
    waiter.resolve(this.#lend(idle))
  }

  #turnAwayFirst(error: Error): void {
    const waiter = this.#waiting.shift()
    if (waiter === undefined) return
    clearTimeout(waiter.timer)
    waiter.reject(error)
  }

  #mayOpen(): boolean {
    const most = this.#reachedInEpoch === this.#epoch ? this.#waiting.length : 1
    return this.#openings.size < most && this.callsUnderWay < this.#options.sessions
  }

  #open(): void {
    const opened = this.#openOne().then((error) => {
      this.#openings.delete(opened)
      const mayBeServed = this.#onLoan.size + this.#idle.length + this.#openings.size > 0
      if (error !== null && !mayBeServed) this.#turnAwayFirst(inOurWords(error))
      this.#serveWaiting()
    })
    this.#openings.add(opened)
  }

  async #openOne(): Promise<unknown> {
    try {
      const session = await this.#openInTime()
      this.#failuresInARow = 0
      this.#reinitialiseAfter = FAILURES_BEFORE_REINITIALISING
      this.#reachedInEpoch = this.#epoch
      const isWanted = this.#closing === null || this.#waiting.length > 0
      if (isWanted) this.#idle.push({ session, epoch: this.#epoch })
      else this.#close(session)
      return null
    } catch (error) {
      this.#noReopenBefore = performance.now() + this.#options.reopenDelayMs
      this.#learnFromFailedOpening(error)
      return error
    }
  }

  async #openInTime(): Promise<OpenSession> {
    await this.#reinitialise()
    const { token, signTimeoutMs } = this.#options
    const opened = token.openSession()
    return inTime(signTimeoutMs, opened, () => {
      const closed = opened.then(
        (session) => session.close(),
        () => undefined,
      )
      this.#quarantine(closed)
      return new TokenTimeoutError('C_OpenSession', false, closed)
    })
  }

  #learnFromFailedOpening(error: unknown): void {
    this.#learnFrom(error, this.#epoch)
    if (this.#onLoan.size + this.#idle.length > 0) return
    this.#failuresInARow += 1
    if (this.#failuresInARow < this.#reinitialiseAfter) return
    // some libraries see a token that came back only after C_Finalize and C_Initialize
    this.#mustReinitialise = true
    // a token that was away for an hour must not wait for another one
    this.#reinitialiseAfter += Math.min(this.#failuresInARow, MOST_FAILURES_BETWEEN)
  }

  #takeBack(loan: Loan): void {
    this.#onLoan.delete(loan)
    const { session, epoch } = loan
    const returned = loan.end()
    if (returned !== null) this.#quarantine(returned.then(() => session.close()))
    else if (loan.spoilt || epoch !== this.#epoch || this.#closing !== null) this.#close(session)
    else this.#idle.push({ session, epoch })
    this.#serveWaiting()
  }

  /** Its call is still inside the library, where closing the session would crash the process. */
  #quarantine(closed: Promise<void>): void {
    const gone = closed.then(() => {
      this.#quarantined.delete(gone)
      this.#serveWaiting()
    })
    this.#quarantined.add(gone)
    this.#options.alarm('A call to the token did not return in time', null)
  }

  /** Counts as a session of the token until it is gone. */
  #close(session: OpenSession): void {
    // with the last session goes the login, and with that what handles mean
    if (this.#onLoan.size + this.#idle.length + this.#quarantined.size === 0) this.#epoch += 1
    const closed = session.close()
    const gone = within(this.#options.signTimeoutMs, closed).then((returned) => {
      this.#closings.delete(gone)
      if (!returned) this.#quarantine(closed)
      this.#serveWaiting()
    })
    this.#closings.add(gone)
  }

  #learnFrom(error: unknown, epoch: number): void {
    if (!(error instanceof TokenError)) return
    const { ckr } = error
    if (ckr.pinRefused && error.call === 'C_Login' && this.#stopped === null) {
      // trying the PIN again would lock the token
      const untried = error instanceof LastTryError
      this.#stopped = untried ? 'The token would lock' : 'The token refused the PIN'
      this.#options.alarm(this.#stopped, error)
    }
    if (ckr.name === 'CKR_CRYPTOKI_NOT_INITIALIZED') this.#mustReinitialise = true
    // callers that fail together report one loss, not one each
    if (ckr.deviceLost && epoch === this.#epoch) this.#startAfresh()
  }

  /** Idle sessions go now, those on loan when they come back; new ones log in again. */
  #startAfresh(): void {
    this.#epoch += 1
    for (const { session } of this.#idle.splice(0)) this.#close(session)
  }

  /** Numbers of old sessions come back after this, so nobody may hold one any more. */
  async #reinitialise(): Promise<void> {
    if (!this.#mustReinitialise) return
    await Promise.all(this.#closings)
    if (this.#onLoan.size > 0 || this.#quarantined.size > 0) {
      throw new HsmUnavailableError('The library has to be initialised again')
    }
    const done = this.#options.token.reinitialise()
    await inTime(this.#options.signTimeoutMs, done, () => {
      const returned = done.catch(() => undefined)
      this.#quarantine(returned)
      return new TokenTimeoutError('C_Initialize', false, returned)
    })
    this.#mustReinitialise = false
  }

  async #shutDown(): Promise<void> {
    for (const { reject, timer } of this.#waiting.splice(this.#openings.size)) {
      clearTimeout(timer)
      reject(new HsmUnavailableError('Shutting down'))
    }
    const drained = await within(this.#options.drainTimeoutMs, this.#drain())
    // finalising under a call that is still inside the library would crash the process
    if (!drained) {
      this.#options.alarm('Calls to the token did not return before shutdown', null)
      return
    }
    const released = this.#options.token.release()
    this.#closings.add(released)
    if (await within(this.#options.drainTimeoutMs, released)) openPools.delete(this)
  }

  async #drain(): Promise<void> {
    for (const { session } of this.#idle.splice(0)) this.#close(session)
    for (;;) {
      const loans = [...this.#onLoan].map((loan) => loan.ended)
      const left = [...loans, ...this.#openings, ...this.#quarantined, ...this.#closings]
      if (left.length === 0) return
      await Promise.all(left)
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

  sign(key: KeyHandle, mechanism: Mechanism, data: readonly Buffer[]) {
    return this.#call('C_Sign', () => this.session.sign(key, mechanism, data))
  }

  generateKeyPair(...args: Parameters<Session['generateKeyPair']>) {
    return this.#call('C_GenerateKeyPair', () => this.session.generateKeyPair(...args))
  }

  findSecretKeys(id: Buffer) {
    return this.#call('C_FindObjects', () => this.session.findSecretKeys(id))
  }

  generateSecretKey(...args: Parameters<Session['generateSecretKey']>) {
    return this.#call('C_GenerateKey', () => this.session.generateSecretKey(...args))
  }

  secretKeyAttributes(key: KeyHandle) {
    return this.#call('C_GetAttributeValue', () => this.session.secretKeyAttributes(key))
  }

  wrap(...args: Parameters<Session['wrap']>) {
    return this.#call('C_WrapKey', () => this.session.wrap(...args))
  }

  unwrap(...args: Parameters<Session['unwrap']>) {
    return this.#call('C_UnwrapKey', () => this.session.unwrap(...args))
  }

  /** Not C_Sign: a MAC that nobody got is no signature. */
  mac(key: KeyHandle, data: Buffer) {
    return this.#call('C_Sign (MAC)', () => this.session.mac(key, data))
  }

  listPrivateKeyIds() {
    return this.#call('C_FindObjects', () => this.session.listPrivateKeyIds())
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
    const begunAt = performance.now()
    const result = start()
    const returned = result.then(
      () => this.#returned(),
      () => this.#returned(),
    )
    this.#callUnderWay = returned
    const { generateTimeoutMs, signTimeoutMs, ended } = this.#options
    const ms = name === 'C_GenerateKeyPair' ? generateTimeoutMs : signTimeoutMs
    try {
      const mayHaveSigned = name === 'C_Sign'
      return await inTime(ms, result, () => new TokenTimeoutError(name, mayHaveSigned, returned))
    } catch (error) {
      this.#spoilt = true
      throw error
    } finally {
      ended(name, secondsSince(begunAt))
    }
  }

  #returned(): void {
    this.#callUnderWay = null
  }
}

function secondsSince(moment: number): number {
  return (performance.now() - moment) / 1000
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

async function inTime<T>(ms: number, result: Promise<T>, late: () => Error): Promise<T> {
  let timer
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms)
  })
  try {
    return await Promise.race([result, timeout])
  } finally {
    clearTimeout(timer)
  }
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
