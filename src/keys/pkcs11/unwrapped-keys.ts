import { HsmUnavailableError } from '../../errors.js'
import { TokenTimeoutError } from './ckr.js'
import type { PooledSession, SessionPool } from './session-pool.js'
import type { KeyHandle } from './session.js'

export interface UnwrappedKeysOptions {
  readonly pool: SessionPool
  /** Keys in the token at once. */
  readonly most: number
  /** Sessions that own them: so many keys are unwrapped at the same time. */
  readonly homes: number
  /** A key that nobody has used for so long is destroyed. */
  readonly idleMs: number
}

/** An unwrapped key, and how many callers use it now. */
interface Entry {
  readonly home: Home
  readonly key: Promise<KeyHandle>
  users: number
  /** By `performance.now()`. */
  lastUsed: number
  /** Nobody new gets it; the last user destroys it. */
  isGone: boolean
}

const LOOKS_PER_IDLE_TIME = 4

/**
 * The private keys that are unwrapped in the token at the moment: session objects, which every session of
 * this process can use and which end with the session that made them. So they are made by a few sessions
 * kept for that, and not by those that sign, which are closed at their first failure. The least recently
 * used one goes when there are too many; none goes while it is used.
 */
export class UnwrappedKeys {
  readonly #options: UnwrappedKeysOptions
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry>()
  readonly #homes: (Promise<Home> | null)[]
  readonly #ending = new Set<Promise<void>>()
  readonly #waiting: (() => void)[] = []
  readonly #looking: NodeJS.Timeout
  readonly #counts = { unwrapped: 0, found: 0, destroyed: 0 }
  #nextHome = 0
  #isClosed = false

  constructor(options: UnwrappedKeysOptions) {
    this.#options = options
    this.#homes = Array.from({ length: options.homes }, () => null)
    const every = Math.max(1, options.idleMs / LOOKS_PER_IDLE_TIME)
    this.#looking = setInterval(() => this.#destroyIdle(), every).unref()
  }

  /** For metrics. */
  get state() {
    return { kept: this.#entries.size, ...this.#counts }
  }

  has(name: string): boolean {
    return this.#current(name) !== null
  }

  /**
   * Runs `use` with the key, which `unwrap` brings into the token when it is not there. Of callers at the
   * same time, one unwraps it. `epoch` is that of the handle: in no other it is good for anything.
   */
  async withKey<T>(
    name: string,
    unwrap: (session: PooledSession) => Promise<KeyHandle>,
    use: (key: KeyHandle, epoch: number) => Promise<T>,
  ): Promise<T> {
    const entry = this.#take(name) ?? (await this.#bring(name, unwrap))
    let returned: Promise<void> | null = null
    try {
      return await use(await entry.key, entry.home.epoch)
    } catch (error) {
      // The token may still be at it: a key must not go from under a call that did not return.
      const cause = error instanceof Error ? error.cause : undefined
      if (cause instanceof TokenTimeoutError) ({ returned } = cause)
      throw error
    } finally {
      if (returned) void returned.then(() => this.#letGo(name, entry))
      else this.#letGo(name, entry)
    }
  }

  /** Takes it out of the token; while it is used, the last user does. */
  async destroy(name: string): Promise<void> {
    const entry = this.#entries.get(name)
    if (entry) await this.#remove(name, entry)
  }

  /**
   * Its handle may mean another key now, so nothing is destroyed by it: it goes with its session, and all that
   * this session owns.
   */
  doubt(name: string): void {
    this.#retire(this.#entries.get(name)?.home)
  }

  /** Destroys all of them, once their users are done. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#looking)
    for (const wake of this.#waiting.splice(0)) wake()
    for (const home of this.#homes.splice(0)) this.#retire(await home?.catch(() => null))
    await Promise.all(this.#ending)
  }

  #current(name: string): Entry | null {
    const entry = this.#entries.get(name)
    if (!entry) return null
    if (entry.home.epoch === this.#options.pool.epoch && !entry.home.isOver) {
      return entry
    }
    this.#retire(entry.home)
    return null
  }

  /** Nothing is awaited between finding a key and having it in use: else it could go meanwhile. */
  #take(name: string): Entry | null {
    const entry = this.#current(name)
    if (!entry) return null
    this.#counts.found += 1
    return this.#use(name, entry)
  }

  #use(name: string, entry: Entry): Entry {
    entry.users += 1
    entry.home.users += 1
    this.#entries.delete(name)
    this.#entries.set(name, entry)
    return entry
  }

  async #bring(
    name: string,
    unwrap: (session: PooledSession) => Promise<KeyHandle>,
  ): Promise<Entry> {
    const home = await this.#home()
    while (!this.#isClosed && !this.#makeRoom()) {
      await new Promise<void>((wake) => this.#waiting.push(wake))
    }
    const broughtByOthers = this.#take(name)
    if (broughtByOthers) return broughtByOthers
    const key = home.run(unwrap)
    const entry: Entry = { home, key, users: 0, lastUsed: 0, isGone: false }
    this.#counts.unwrapped += 1
    key.catch(() => {
      entry.isGone = true
      if (this.#entries.get(name) === entry) this.#entries.delete(name)
      if (home.isBroken) this.#retire(home)
    })
    return this.#use(name, entry)
  }

  /** False while every key is in use. */
  #makeRoom(): boolean {
    if (this.#entries.size < this.#options.most) return true
    for (const [name, entry] of this.#entries) {
      if (entry.users > 0) continue
      void this.#remove(name, entry)
      return true
    }
    return false
  }

  #letGo(name: string, entry: Entry): void {
    entry.users -= 1
    entry.home.users -= 1
    entry.lastUsed = performance.now()
    if (entry.isGone && entry.users === 0) void this.#remove(name, entry)
    if (entry.home.isOver) this.#retire(entry.home)
    this.#waiting.shift()?.()
  }

  async #remove(name: string, entry: Entry): Promise<void> {
    entry.isGone = true
    if (this.#entries.get(name) === entry) this.#entries.delete(name)
    if (entry.users > 0 || entry.home.isOver) return
    this.#counts.destroyed += 1
    const key = await entry.key.catch(() => null)
    if (key === null) return
    try {
      await entry.home.run((session) => session.destroy(key))
    } catch {
      this.#retire(entry.home) // with the session, the object goes all the same
    }
  }

  #destroyIdle(): void {
    const before = performance.now() - this.#options.idleMs
    for (const [name, entry] of this.#entries) {
      if (entry.users === 0 && entry.lastUsed < before) void this.#remove(name, entry)
    }
  }

  /** They take turns, each renewed by one caller at a time. */
  #home(): Promise<Home> {
    if (this.#isClosed) return Promise.reject(new HsmUnavailableError('Shutting down'))
    const index = this.#nextHome++ % this.#options.homes
    const home = this.#renewed(this.#homes[index] ?? null)
    this.#homes[index] = home
    return home
  }

  async #renewed(before: Promise<Home> | null): Promise<Home> {
    const home = await before?.catch(() => null)
    if (home && !home.isOver && home.epoch === this.#options.pool.epoch) return home
    this.#retire(home)
    return Home.open(this.#options.pool)
  }

  /** Closes the session once its keys are not used any more; until then nobody new gets one of them. */
  #retire(home: Home | null | undefined): void {
    if (!home) return
    home.isOver = true
    for (const [name, entry] of this.#entries) {
      if (entry.home !== home) continue
      entry.isGone = true
      this.#entries.delete(name)
    }
    if (home.users > 0) return
    const ended = home.end().then(() => void this.#ending.delete(ended))
    this.#ending.add(ended)
  }
}

/** A session of the pool that is kept on loan, because objects end with the session that made them. */
class Home {
  readonly epoch: number
  users = 0
  isOver = false
  isBroken = false
  readonly #pool: SessionPool
  readonly #session: PooledSession
  readonly #giveBack: () => void
  readonly #ended: Promise<void>
  #last: Promise<unknown> = Promise.resolve()

  private constructor(
    pool: SessionPool,
    session: PooledSession,
    giveBack: () => void,
    ended: Promise<void>,
  ) {
    this.#pool = pool
    this.#session = session
    this.epoch = session.epoch
    this.#giveBack = giveBack
    this.#ended = ended
  }

  static open(pool: SessionPool): Promise<Home> {
    return new Promise((resolve, reject) => {
      const ended: Promise<void> = pool
        .withKeptSession(
          (session) =>
            new Promise<never>((_, fail) => {
              // A session whose use has failed is closed, and its objects with it.
              const giveBack = () => fail(new Error('The keys of this session are not needed'))
              queueMicrotask(() => resolve(new Home(pool, session, giveBack, ended)))
            }),
        )
        .catch((error: unknown) => reject(error as Error))
    })
  }

  /**
   * One after the other: a session does one thing at a time.
   * @throws what the pool would throw
   */
  run<T>(work: (session: PooledSession) => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      try {
        return await work(this.#session)
      } catch (error) {
        this.isBroken ||= !(error instanceof TamperedKeyError)
        throw this.#pool.report(error, this.epoch)
      }
    })
    this.#last = result.catch(() => undefined)
    return result
  }

  async end(): Promise<void> {
    await this.#last
    this.#giveBack()
    await this.#ended
  }
}

/** A wrapped key is not what we put down for this credential; the token was not asked to unwrap it. */
export class TamperedKeyError extends HsmUnavailableError {}
