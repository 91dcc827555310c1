import { setTimeout as pause } from 'node:timers/promises'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../errors.js'
import type { KeyAlgorithm, SignatureAlgorithm } from './algorithms.js'
import type { GeneratedKey, KeyCustody } from './key-custody.js'
import { custodyOf, type KeyOwner } from './key-id.js'
import { isPinRefused, TokenError, TokenTimeoutError } from './pkcs11/ckr.js'
import type { SessionPool } from './pkcs11/session-pool.js'

/** The keys of one token. */
export interface OneToken extends KeyCustody {
  readonly state: SessionPool['state']
  tokenInPlace(): Promise<string | null>
}

export interface TokenOpening {
  /** As operators call it. */
  readonly name: string
  readonly open: () => Promise<OneToken>
}

export interface SeveralTokensOptions {
  /** Told about what an operator has to look at. */
  readonly alarm?: (message: string, cause: unknown) => void
  /** Pause before a token that failed is looked after; doubled each time up to thirty times as much. */
  readonly lookAfterMs?: number
  /** How much longer than the first of them the others may take to open before we begin without them. */
  readonly openTogetherMs?: number
}

/** Failures in a row that put a token out of use. */
const FAILURES_BORNE = 3
const LOOK_AFTER_MS = 1_000
const OPEN_TOGETHER_MS = 5_000
const MOST_PATIENCE = 30
/** Who has waited that long for one token is told so, rather than sent to the next. */
const NO_NEXT_AFTER_MS = 5_000
const PLACES_KEPT = 10_000
/** After this it is asked again who has a key: others may have got a copy. */
const PLACE_GOOD_MS = 600_000

/**
 * Keys spread over several tokens. Where a key is, the tokens know: each is asked once, and a key that
 * several of them have, as in a cluster, is used on whichever is least busy. A call that certainly made
 * no signature is made again on another token that has the key; any other is not.
 */
export class SeveralTokens implements KeyCustody {
  readonly #members: readonly Member[]
  readonly #places = new Map<string, { readonly members: Set<Member>; readonly until: number }>()

  private constructor(members: readonly Member[]) {
    this.#members = members
  }

  /**
   * Tokens that cannot be opened now are tried again in the background, and those that take long are opened
   * there.
   * @throws {Error} when none can be opened: of one that refused the PIN, which must not be tried again with
   * the others, or else of the first
   */
  static async open(
    tokens: readonly TokenOpening[],
    options: SeveralTokensOptions = {},
  ): Promise<SeveralTokens> {
    const members = tokens.map((token) => new Member(token, options))
    const openings = members.map((member) => member.open())
    const isAnyOpen = await Promise.any(openings).then(
      () => true,
      () => false,
    )
    const opened = Promise.allSettled(openings)
    if (!isAnyOpen) {
      await Promise.all(members.map((member) => member.close()))
      const failed = (await opened).filter((each) => each.status === 'rejected')
      const [first] = failed
      const worst = failed.find(({ reason }) => isPinRefused(reason)) ?? first
      throw worst ? worst.reason : new Error('There are no tokens')
    }
    const { openTogetherMs = OPEN_TOGETHER_MS } = options
    await Promise.race([opened, pause(openTogetherMs, undefined, { ref: false })])
    for (const member of members) member.goOnWithout()
    return new SeveralTokens(members)
  }

  /** For health and metrics: sums, and each token by itself. */
  get state() {
    const tokens = this.#members.map((member) => member.state)
    const sum = (count: (token: (typeof tokens)[number]) => number) =>
      tokens.reduce((total, token) => total + count(token), 0)
    return {
      idle: sum(({ idle }) => idle),
      busy: sum(({ busy }) => busy),
      waiting: sum(({ waiting }) => waiting),
      quarantined: sum(({ quarantined }) => quarantined),
      stopped: tokens.every(({ stopped }) => stopped !== null) ? 'No token works' : null,
      stuck: tokens.every(({ stuck }) => stuck),
      tokens,
    }
  }

  /**
   * On a token that works now. When that fails after all, no other is tried: something may be left of the
   * key, and then two tokens had different keys of one name.
   */
  async generate(algorithm: KeyAlgorithm, keyId?: string): Promise<GeneratedKey> {
    for (const member of this.#byLoad(this.#members)) {
      if (!(await member.isReady())) continue
      const key = await member.run((custody) => custody.generate(algorithm, keyId))
      this.#remember(key.keyId, [member])
      return key
    }
    throw noneAtHand()
  }

  bind(key: Required<GeneratedKey>, owner: KeyOwner): Promise<string> {
    return this.#withHolder(key.keyId, (custody) => {
      if (!custody.bind) throw new HsmUnavailableError('There are no wrapped keys here')
      return custody.bind(key, owner)
    })
  }

  sign(
    keyId: string,
    digests: readonly Buffer[],
    algorithm: SignatureAlgorithm,
  ): Promise<Buffer[]> {
    const copies = digests.map((digest) => Buffer.from(digest))
    return this.#withHolder(keyId, (custody) => custody.sign(keyId, copies, algorithm))
  }

  doubt(keyId: string): void {
    this.#places.delete(keyId)
    for (const member of this.#members) member.doubt(keyId)
  }

  /** @throws {HsmUnavailableError} when no token has it that could be asked, and not all could be */
  async publicKey(keyId: string): Promise<Buffer | null> {
    let unasked = this.#members.filter((member) => !member.isUsable).length
    for (const member of this.#byLoad(this.#members)) {
      try {
        const key = await member.run((custody) => custody.publicKey(keyId))
        if (key !== null) return key
      } catch (error) {
        unavailability(error)
        unasked += 1
      }
    }
    if (unasked > 0) throw new HsmUnavailableError('Not every token could be asked for the key')
    return null
  }

  /** Everywhere: a key must not survive on a token that was away. */
  async destroy(keyId: string): Promise<void> {
    this.#places.delete(keyId)
    await this.#onAll((custody) => custody.destroy(keyId))
  }

  /** @throws {HsmUnavailableError} when a token cannot be asked: what it has would seem lost */
  async listKeyIds(): Promise<string[]> {
    const lists = await this.#onAll((custody) => custody.listKeyIds?.() ?? Promise.resolve([]))
    return [...new Set(lists.flat())]
  }

  /** While one token works. Who needs another gets an answer that says so. */
  async ready(): Promise<boolean> {
    const ready = this.#byLoad(this.#members).map(async (member) => {
      if (!(await member.isReady())) throw noneAtHand()
    })
    return Promise.any(ready).then(
      () => true,
      () => false,
    )
  }

  /** Of each its newest answer: nobody waits for one that hangs. */
  async tokenInPlace(): Promise<string | null> {
    if (!(await this.ready())) return null
    return this.#members.map(({ inPlace }) => inPlace ?? 'none').join('; ')
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.close()))
  }

  async #withHolder<T>(keyId: string, use: (custody: OneToken) => Promise<T>): Promise<T> {
    const started = performance.now()
    let failure = noneAtHand()
    for await (const member of this.#holders(keyId)) {
      if (performance.now() - started > NO_NEXT_AFTER_MS) break
      try {
        const result = await member.run(use)
        // unwrapped there, and kept for the next time
        if (custodyOf(keyId) === 'wrapped') this.#remember(keyId, [member])
        return result
      } catch (error) {
        failure = unavailability(error)
      }
    }
    throw failure
  }

  /** Those known to have the key, the least busy first; then those found to have it by asking them. */
  async *#holders(keyId: string): AsyncGenerator<Member> {
    const known = this.#placesOf(keyId)
    yield* this.#byLoad([...known])
    const others = this.#byLoad(this.#members.filter((member) => !known.has(member)))
    if (custodyOf(keyId) === 'wrapped') {
      yield* others // on none; each may have what unwraps it
      return
    }
    const found = await having(others, keyId)
    if (found.length > 0) this.#remember(keyId, [...known, ...found])
    yield* this.#byLoad(found)
  }

  #placesOf(keyId: string): ReadonlySet<Member> {
    const place = this.#places.get(keyId)
    return place !== undefined && performance.now() < place.until ? place.members : new Set()
  }

  #remember(keyId: string, members: readonly Member[]): void {
    this.#places.delete(keyId)
    this.#places.set(keyId, {
      members: new Set(members),
      until: performance.now() + PLACE_GOOD_MS,
    })
    const [oldest] = this.#places.keys()
    if (this.#places.size > PLACES_KEPT && oldest !== undefined) this.#places.delete(oldest)
  }

  /** Usable ones only; among equally busy ones chance decides. */
  #byLoad(members: readonly Member[]): Member[] {
    const usable = members.filter((member) => member.isUsable)
    const first = Math.floor(Math.random() * usable.length)
    const turned = [...usable.slice(first), ...usable.slice(0, first)]
    return turned.sort((a, b) => a.underWay - b.underWay)
  }

  async #onAll<T>(use: (custody: OneToken) => Promise<T>): Promise<T[]> {
    const results = await Promise.allSettled(this.#members.map((member) => member.run(use)))
    return results.map((result) => {
      if (result.status === 'rejected') throw result.reason
      return result.value
    })
  }
}

function noneAtHand(): HsmUnavailableError {
  return new HsmUnavailableError('No token that has the key is at hand')
}

/** Failures of any other kind, such as an unknown outcome, are not for another token to mend. */
function unavailability(error: unknown): HsmUnavailableError {
  if (error instanceof HsmUnavailableError) return error
  throw error
}

/** @throws {HsmUnavailableError} when they have different keys of this name */
async function having(members: readonly Member[], keyId: string): Promise<Member[]> {
  const answers = await Promise.allSettled(
    members.map((member) => member.run((custody) => custody.publicKey(keyId))),
  )
  const keys = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : null))
  const different = new Set(keys.flatMap((key) => (key === null ? [] : [key.toString('hex')])))
  if (different.size > 1) throw new HsmUnavailableError(`Two keys are named ${keyId}`)
  return members.filter((_, index) => keys[index] !== null)
}

const CLOSED_STATE = { idle: 0, busy: 0, waiting: 0, quarantined: 0, stopped: null, stuck: false }

/** One of several tokens, and whether it is of use. */
class Member {
  readonly #token: TokenOpening
  readonly #alarm: (message: string, cause: unknown) => void
  readonly #lookAfterMs: number
  #custody: OneToken | null = null
  #inPlace: string | null = null
  #underWay = 0
  #failuresInARow = 0
  #isOut = false
  #isOpening = false
  /** Others did not wait for it. */
  #isLate = false
  #patience = 1
  #looking: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(token: TokenOpening, options: SeveralTokensOptions) {
    this.#token = token
    this.#alarm = options.alarm ?? (() => undefined)
    this.#lookAfterMs = options.lookAfterMs ?? LOOK_AFTER_MS
  }

  get underWay(): number {
    return this.#underWay
  }

  /** Which token it is, as it said when it was last asked. */
  get inPlace(): string | null {
    return this.#inPlace
  }

  get isUsable(): boolean {
    if (this.#custody === null || this.#isOut) return false
    const { stopped, stuck } = this.#custody.state
    return stopped === null && !stuck
  }

  get state() {
    const state = this.#custody?.state ?? CLOSED_STATE
    return { name: this.#token.name, usable: this.isUsable, ...state }
  }

  async open(): Promise<void> {
    this.#isOpening = true
    try {
      this.#custody = await this.#token.open()
    } catch (error) {
      this.#isOut = true
      this.#isLate = false
      this.#alarm(`The token "${this.#token.name}" could not be opened`, error)
      // one more wrong PIN would lock the token
      if (!isPinRefused(error)) this.#lookLater()
      throw error
    } finally {
      this.#isOpening = false
    }
    if (this.#isClosed) return this.#custody.close() // nobody waits for it any more
    if (this.#isLate) this.#alarm(`The token "${this.#token.name}" is used again`, null)
  }

  /** It may be inside a call that does not return; it is used as soon as it is open. */
  goOnWithout(): void {
    if (!this.#isOpening) return
    this.#isLate = true
    this.#alarm(`The token "${this.#token.name}" takes long to open`, null)
  }

  async run<T>(use: (custody: OneToken) => Promise<T>): Promise<T> {
    const custody = this.#custody
    if (custody === null || !this.isUsable) {
      throw new HsmUnavailableError(`The token "${this.#token.name}" is out of order`)
    }
    this.#underWay += 1
    try {
      const result = await use(custody)
      this.#failuresInARow = 0
      this.#patience = 1
      return result
    } catch (error) {
      this.#learnFrom(error)
      throw error
    } finally {
      this.#underWay -= 1
    }
  }

  doubt(keyId: string): void {
    this.#custody?.doubt?.(keyId)
  }

  async isReady(): Promise<boolean> {
    if (this.#custody === null) return false
    this.#inPlace = await this.#custody.tokenInPlace()
    return this.#inPlace !== null
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#looking) clearTimeout(this.#looking)
    await this.#custody?.close()
  }

  #learnFrom(error: unknown): void {
    if (!isFaultOfToken(error)) return
    this.#failuresInARow += 1
    if (this.#failuresInARow < FAILURES_BORNE || this.#isOut) return
    this.#isOut = true
    this.#alarm(`The token "${this.#token.name}" is out of order`, error)
    this.#lookLater()
  }

  #lookLater(): void {
    if (this.#isClosed) return
    const pause = this.#lookAfterMs * this.#patience
    this.#patience = Math.min(this.#patience * 2, MOST_PATIENCE)
    this.#looking = setTimeout(() => void this.#look(), pause)
    this.#looking.unref()
  }

  async #look(): Promise<void> {
    const works =
      this.#custody === null
        ? await this.open().then(
            () => true,
            () => false,
          )
        : await this.#custody.ready()
    if (this.#isClosed) {
      await this.#custody?.close()
    } else if (works) {
      this.#isOut = false
      // on probation: what answers a question may still not sign
      this.#failuresInARow = FAILURES_BORNE - 1
      this.#alarm(`The token "${this.#token.name}" is used again`, null)
    } else if (this.#custody !== null) {
      this.#lookLater()
    }
  }
}

/** Refusals of one call say nothing of the next, and a key that is not there says nothing at all. */
function isFaultOfToken(error: unknown): boolean {
  if (error instanceof TokenTimeoutError) return true
  if (error instanceof TokenError) return error.ckr.deviceLost || !error.ckr.refusedBeforeSigning
  const isOurs = error instanceof HsmUnavailableError || error instanceof HsmOutcomeUnknownError
  return isOurs && isFaultOfToken(error.cause)
}
