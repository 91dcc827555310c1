import { OverloadedError, TooManyRequestsError } from '../errors.js'

export interface GateLimits {
  /** Units of work that run at a time; most requests are one. */
  readonly atOnce: number
  /** Of these, how much may be of one party; all when absent. */
  readonly atOnceEach?: number
  /** Requests that may wait for their turn. */
  readonly waiting: number
  /** Of these, how many may be of one party. */
  readonly waitingEach: number
  readonly patienceSeconds: number
  /** Requests that may rest, and how many of one party. */
  readonly resting: number
  readonly restingEach: number
}

/**
 * Makes room for others while a request only waits for a person, say; it goes on without waiting for its
 * turn again.
 * @throws {TooManyRequestsError} @throws {OverloadedError} when too many rest already
 */
export type Rest = <T>(pause: () => Promise<T>) => Promise<T>

/** Keeps the room of a request taken until that is done, too, which it leaves behind when it is answered. */
export type Stay = (work: Promise<unknown>) => void

/** Told about those that had to wait, and those that were turned away. */
export interface GateObserver {
  turnedAway(gate: string, reason: 'party has too many' | 'too many' | 'waited too long'): void
  waitedAt(gate: string, seconds: number): void
}

/** Who wants to pass, and with how much. */
export interface Entrant {
  /** Those of one party wait for each other before anybody else has to. */
  readonly party: string
  /** Units of work; 1 unless something else is said. */
  readonly cost?: number
  /** Whether nobody waits for the result any more. */
  isGone?(): boolean
}

interface Waiter {
  readonly entrant: Entrant
  readonly cost: number
  readonly since: number
  readonly timer: NodeJS.Timeout
  readonly begin: () => void
  readonly refuse: (error: Error) => void
}

/** After so long those who are turned away may try again. */
const RETRY_SECONDS = 1

/**
 * Lets only so much work run at a time, and has only so many wait for it. Parties take turns: whoever comes
 * with a thousand requests waits behind a newcomer with one. What is turned away was not begun; what was
 * begun is never broken off.
 */
export class Gate {
  readonly #name: string
  readonly #limits: GateLimits
  readonly #observer: GateObserver | null
  /** In the order in which parties have their turn; no party without waiters. */
  readonly #queues = new Map<string, Waiter[]>()
  readonly #runningEach = new Map<string, number>()
  readonly #resting = new Map<string, number>()
  #running = 0
  #waiting = 0
  #restingInAll = 0

  constructor(name: string, limits: GateLimits, observer: GateObserver | null = null) {
    this.#name = name
    this.#limits = limits
    this.#observer = observer
  }

  get load() {
    return { gate: this.#name, running: this.#running, waiting: this.#waiting }
  }

  /**
   * Runs the work when its turn comes.
   * @throws {TooManyRequestsError} when the party has too many waiting already
   * @throws {OverloadedError} when too many wait, or the turn does not come in time
   */
  async pass<T>(entrant: Entrant, work: (rest: Rest, stay: Stay) => Promise<T>): Promise<T> {
    // What is larger than the gate passes alone.
    const { party } = entrant
    const cost = Math.min(entrant.cost ?? 1, this.#limits.atOnce)
    if (this.#waiting === 0 && this.#hasRoom(cost) && !this.#hasItsShare(party)) {
      this.#enter(party, cost)
    } else await this.#turn(entrant, cost)
    const behind: Promise<unknown>[] = []
    const leave = () => this.#leave(party, cost)
    try {
      return await work(
        (pause) => this.#rest(party, cost, pause),
        (left) => behind.push(left),
      )
    } finally {
      if (behind.length === 0) leave()
      else void Promise.allSettled(behind).then(leave)
    }
  }

  async #rest<T>(party: string, cost: number, pause: () => Promise<T>): Promise<T> {
    const { resting, restingEach } = this.#limits
    const mine = this.#resting.get(party) ?? 0
    if (mine >= restingEach) {
      this.#observer?.turnedAway(this.#name, 'party has too many')
      throw new TooManyRequestsError(RETRY_SECONDS)
    }
    if (this.#restingInAll >= resting) {
      this.#observer?.turnedAway(this.#name, 'too many')
      throw new OverloadedError(`Too many rest at ${this.#name}`, RETRY_SECONDS)
    }
    add(this.#resting, party, 1)
    this.#restingInAll += 1
    this.#leave(party, cost)
    try {
      return await pause()
    } finally {
      this.#enter(party, cost)
      this.#restingInAll -= 1
      add(this.#resting, party, -1)
    }
  }

  #enter(party: string, cost: number): void {
    this.#running += cost
    if (this.#limits.atOnceEach !== undefined) add(this.#runningEach, party, cost)
  }

  #leave(party: string, cost: number): void {
    this.#running -= cost
    if (this.#limits.atOnceEach !== undefined) add(this.#runningEach, party, -cost)
    if (this.#waiting > 0) this.#serve()
  }

  #hasItsShare(party: string): boolean {
    const { atOnceEach = Infinity } = this.#limits
    return (this.#runningEach.get(party) ?? 0) >= atOnceEach
  }

  #hasRoom(cost: number): boolean {
    return this.#running + cost <= this.#limits.atOnce
  }

  #turn(entrant: Entrant, cost: number): Promise<void> {
    const { party } = entrant
    const queue = this.#queues.get(party) ?? []
    const { waiting, waitingEach, patienceSeconds } = this.#limits
    if (queue.length >= waitingEach) {
      this.#observer?.turnedAway(this.#name, 'party has too many')
      return Promise.reject(new TooManyRequestsError(RETRY_SECONDS))
    }
    if (this.#waiting >= waiting) {
      this.#observer?.turnedAway(this.#name, 'too many')
      return Promise.reject(new OverloadedError(`Too many wait at ${this.#name}`, RETRY_SECONDS))
    }
    return new Promise((begin, refuse) => {
      const timer = setTimeout(() => this.#giveUp(waiter), patienceSeconds * 1000)
      const waiter = { entrant, cost, since: performance.now(), timer, begin, refuse }
      queue.push(waiter)
      this.#queues.set(party, queue)
      this.#waiting += 1
      this.#serve()
    })
  }

  #giveUp(waiter: Waiter): void {
    const { party } = waiter.entrant
    const queue = this.#queues.get(party) ?? []
    queue.splice(queue.indexOf(waiter), 1)
    if (queue.length === 0) this.#queues.delete(party)
    this.#waiting -= 1
    this.#observer?.turnedAway(this.#name, 'waited too long')
    waiter.refuse(new OverloadedError(`Waited too long at ${this.#name}`, RETRY_SECONDS))
    // It may have been the one too large for the room there is.
    this.#serve()
  }

  #serve(): void {
    for (let next = this.#next(); next !== null; next = this.#next()) {
      const { entrant, cost, since, timer, begin, refuse } = this.#take(next)
      clearTimeout(timer)
      if (entrant.isGone?.()) {
        refuse(new OverloadedError('Nobody waits for it any more', RETRY_SECONDS))
        continue
      }
      this.#enter(next, cost)
      this.#observer?.waitedAt(this.#name, (performance.now() - since) / 1000)
      begin()
    }
  }

  /** The party whose turn it is, when there is room for what it brings; nobody overtakes it otherwise. */
  #next(): string | null {
    for (const [party, [first]] of this.#queues) {
      if (!first) continue
      if (first.entrant.isGone?.()) return party
      if (this.#hasItsShare(party)) continue
      return this.#hasRoom(first.cost) ? party : null
    }
    return null
  }

  /** Takes the party's first waiter; the party goes to the end of the line. */
  #take(party: string): Waiter {
    const queue = this.#queues.get(party)
    const first = queue?.shift()
    if (!queue || !first) throw new Error('Nobody of that party waits')
    this.#waiting -= 1
    this.#queues.delete(party)
    if (queue.length > 0) this.#queues.set(party, queue)
    return first
  }
}

function add(counts: Map<string, number>, party: string, more: number): void {
  const count = (counts.get(party) ?? 0) + more
  if (count > 0) counts.set(party, count)
  else counts.delete(party)
}
