import { TimestampUnavailableError } from '../errors.js'
import { rejectWrongDigestLength, type HashAlgorithm } from '../keys/algorithms.js'
import type { Logger } from '../observability/logger.js'
import type { TimestampObserver } from './authority.js'
import { askAuthority, type ClientOptions, type ExternalAuthority } from './client.js'
import type { TimestampSource } from './timestamp-source.js'

/** Failures in a row after which an authority is left alone for a while. */
const MOST_FAILURES = 3
const PAUSE_MS = 30_000

interface Standing {
  readonly authority: ExternalAuthority
  failures: number
  /** By `elapsed`; until then it is asked only when nobody else is left. */
  restsUntil: number
}

/**
 * Authorities of others, the first choice first. Whoever fails is followed by the next; whoever fails again
 * and again is passed over, so that nobody waits for it each time.
 */
export class ExternalAuthorities implements TimestampSource {
  readonly #options: ClientOptions
  readonly #logger: Logger
  readonly #standings: readonly Standing[]
  readonly #elapsed: () => number
  readonly #observer: TimestampObserver | null

  constructor(
    authorities: readonly ExternalAuthority[],
    options: ClientOptions & {
      readonly logger: Logger
      readonly elapsed: () => number
      readonly observer?: TimestampObserver
    },
  ) {
    this.#options = options
    this.#logger = options.logger
    this.#elapsed = options.elapsed
    this.#observer = options.observer ?? null
    this.#standings = authorities.map((authority) => ({ authority, failures: 0, restsUntil: 0 }))
  }

  async timestamp(digest: Buffer, hash: HashAlgorithm, nonce?: Buffer): Promise<Buffer> {
    rejectWrongDigestLength(digest, hash)
    const question = { digest, hash, ...(nonce ? { nonce } : {}) }
    let failure: unknown = null
    for (const standing of this.#inTurn()) {
      const begun = performance.now()
      const end = (outcome: 'granted' | 'failed') =>
        this.#observer?.timestamped('external', outcome, (performance.now() - begun) / 1000)
      try {
        const token = await askAuthority(standing.authority, question, this.#options)
        standing.failures = 0
        end('granted')
        return token
      } catch (error) {
        failure = error
        end('failed')
        this.#noteFailure(standing, error)
      }
    }
    const message = 'No timestamping authority gives a token that holds'
    throw new TimestampUnavailableError(message, { cause: failure })
  }

  #inTurn(): Standing[] {
    const now = this.#elapsed()
    const rests = (standing: Standing) => standing.restsUntil > now
    const awake = this.#standings.filter((each) => !rests(each))
    const asleep = this.#standings.filter(rests)
    return awake.length > 0 ? awake : asleep.toSorted((a, b) => a.restsUntil - b.restsUntil)
  }

  #noteFailure(standing: Standing, error: unknown): void {
    standing.failures += 1
    const { host } = standing.authority.url
    if (standing.failures >= MOST_FAILURES) standing.restsUntil = this.#elapsed() + PAUSE_MS
    this.#logger.warn({ err: error, authority: host }, 'a timestamping authority fails')
  }
}
