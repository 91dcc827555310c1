import type { KeyAlgorithm } from './algorithms.js'
import type { GeneratedKey } from './key-custody.js'
import type { Custody } from './key-id.js'
import type { KeyRegister } from './key-register.js'

/** Keys of one kind that are made ahead. */
export interface PooledKind {
  readonly algorithm: KeyAlgorithm
  readonly custody: Custody
  /** Up to so many. */
  readonly wanted: number
}

/** For metrics. */
export interface PoolLevel extends PooledKind {
  readonly ready: number
}

/** Whether whoever wanted a key got one that was there, or has to wait for one to be made. */
export type TakeOutcome = 'ready' | 'empty'

/**
 * Keys made ahead for credentials that somebody waits for: tokens take seconds for an RSA key, and make one
 * at a time. They stand in the database, so that all replicas share them and none hands one out twice.
 */
export class KeyPool {
  readonly #register: KeyRegister
  readonly #kinds: readonly PooledKind[]
  readonly #taken: (outcome: TakeOutcome, kind: PooledKind) => void
  readonly #levels: Map<PooledKind, number>
  #filling: Promise<void> | null = null

  constructor(parts: {
    readonly register: KeyRegister
    readonly kinds: readonly PooledKind[]
    /** Told of every key that was wanted; for metrics. */
    readonly taken?: (outcome: TakeOutcome, kind: PooledKind) => void
  }) {
    this.#register = parts.register
    this.#kinds = parts.kinds.filter(({ wanted }) => wanted > 0)
    this.#taken = parts.taken ?? (() => undefined)
    this.#levels = new Map(this.#kinds.map((kind) => [kind, 0]))
  }

  /** As last seen by this process. */
  get levels(): readonly PoolLevel[] {
    return [...this.#levels].map(([kind, ready]) => ({ ...kind, ready }))
  }

  /** Null when there is none: then the caller makes one. */
  async take(algorithm: KeyAlgorithm, custody: Custody): Promise<GeneratedKey | null> {
    const kind = this.#kinds.find(
      (each) => each.algorithm === algorithm && each.custody === custody,
    )
    if (!kind) return null
    const key = await this.#register.takeSpare(algorithm, custody)
    this.#taken(key ? 'ready' : 'empty', kind)
    this.#levels.set(kind, key ? Math.max(0, (this.#levels.get(kind) ?? 0) - 1) : 0)
    return key
  }

  /**
   * Makes what is missing, one after the other so that signatures do not wait for it. Replicas that fill
   * at the same time may make a few more than wanted, once. Whoever calls while it fills waits with it.
   */
  fill(stopping?: AbortSignal): Promise<void> {
    this.#filling ??= this.#fill(stopping).finally(() => (this.#filling = null))
    return this.#filling
  }

  async #fill(stopping?: AbortSignal): Promise<void> {
    for (const kind of this.#kinds) {
      const { algorithm, custody, wanted } = kind
      const ready = await this.#register.countSpare(algorithm, custody)
      this.#levels.set(kind, ready)
      for (let left = wanted - ready; left > 0 && !stopping?.aborted; left -= 1) {
        await this.#register.generateSpare(algorithm, custody)
        this.#levels.set(kind, (this.#levels.get(kind) ?? 0) + 1)
      }
    }
  }
}
