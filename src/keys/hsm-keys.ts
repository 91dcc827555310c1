import { setTimeout as pause } from 'node:timers/promises'
import { HsmUnavailableError } from '../errors.js'
import type { KeyAlgorithm, SignatureAlgorithm } from './algorithms.js'
import { ResidentKeyCustody } from './hsm-resident.js'
import { WrappedKeyCustody, type WrappedKeyStore } from './hsm-wrapped.js'
import type { GeneratedKey, KeyCustody } from './key-custody.js'
import { custodyOf, type Custody, type KeyOwner } from './key-id.js'
import { openToken } from './pkcs11/module.js'
import {
  lackOf,
  probeToken,
  trialAlgorithm,
  wrapVariants,
  type Capability,
} from './pkcs11/probe.js'
import { isDeviceLoss } from './pkcs11/retry.js'
import { SessionPool, type SessionPoolOptions } from './pkcs11/session-pool.js'
import {
  OPTIONAL_ATTRIBUTES,
  type OptionalAttribute,
  type Token,
  type TokenFacts,
  type WrapVariant,
} from './pkcs11/session.js'
import { makeWrappingKeys, NotPreparedError } from './wrapping-keys.js'

const MOST_TRIES = 3
const BETWEEN_TRIES_MS = 100

export interface HsmKeysOptions extends Omit<SessionPoolOptions, 'token'> {
  /** Path of the PKCS#11 library. */
  readonly module: string
  readonly libraryParameters?: string
  readonly tokenLabel: string
  /** User PIN. */
  readonly pin: string
  readonly tolerate?: readonly OptionalAttribute[]
  /** Kinds of keys this installation makes; none are demanded when absent. */
  readonly algorithms?: readonly KeyAlgorithm[]
  /** Where wrapped keys are looked up; without it there are none. */
  readonly wrappedKeys?: WrappedKeyStore
  /** Whether new keys are wrapped: then everything for that has to be there from the start. */
  readonly wrapped?: boolean
  readonly wrappingKey?: string
  readonly mostUnwrapped?: number
  readonly idleMs?: number
}

/** A token as it was found at the start; for the log. */
export interface FoundToken {
  readonly label: string
  readonly model: string
  readonly serialNumber: string
  readonly sessions: number
  /** Of what we can make use of. */
  readonly cannot: readonly string[]
}

/** The keys of one token in both custodies; the name of a key tells in which it is. */
export class HsmKeys implements KeyCustody {
  /** What the token can do, as it said at the start. */
  readonly capabilities: readonly Capability[]
  readonly facts: TokenFacts
  readonly #options: HsmKeysOptions
  readonly #pool: SessionPool
  readonly #resident: ResidentKeyCustody
  #wrapped: Promise<WrappedKeyCustody> | null = null

  private constructor(
    options: HsmKeysOptions,
    found: { facts: TokenFacts; capabilities: readonly Capability[]; pool: SessionPool },
  ) {
    this.#options = options
    this.facts = found.facts
    this.capabilities = found.capabilities
    this.#pool = found.pool
    this.#resident = new ResidentKeyCustody(found.pool, options.tolerate)
  }

  /**
   * Loads the library, finds the token by its label, asks what it can do and logs in. Again when that fails
   * in passing, as with SoftHSM while another process logs in.
   * @throws {HsmUnavailableError} when it is not there, refuses the PIN, or lacks something needed
   */
  static async open(options: HsmKeysOptions): Promise<HsmKeys> {
    for (let tries = 1; tries < MOST_TRIES; tries += 1) {
      try {
        return await HsmKeys.#openOnce(options)
      } catch (error) {
        // Never for a refused PIN: a token counts them.
        if (!isDeviceLoss(error)) throw error
      }
      await pause(BETWEEN_TRIES_MS)
    }
    return HsmKeys.#openOnce(options)
  }

  static async #openOnce(options: HsmKeysOptions): Promise<HsmKeys> {
    const { wrapped = false, algorithms = [], ...poolOptions } = options
    const token = await openToken(options)
    const asked = options.sessions ?? 8
    let pool: SessionPool | null = null
    try {
      const facts = await describe(token)
      const capabilities = probeToken(facts, { algorithms, wrapped, sessions: asked })
      const lack = lackOf(capabilities)
      if (lack !== null) throw new HsmUnavailableError(`The token lacks ${lack}`)
      const sessions = Math.min(asked, facts.mostSessions ?? asked)
      pool = new SessionPool({ ...poolOptions, sessions, token })
      const keys = new HsmKeys(options, { facts, capabilities, pool })
      await pool.withSession((session) => session.probe())
      if (wrapped) await keys.#openWrapped()
      return keys
    } catch (error) {
      if (pool) await pool.close()
      else await token.release()
      throw error
    }
  }

  get found(): FoundToken {
    const { label, model, serialNumber } = this.facts
    const cannot = this.capabilities.filter(({ found }) => !found)
    return {
      ...{ label, model, serialNumber, sessions: this.#pool.size },
      cannot: cannot.map(({ capability }) => capability),
    }
  }

  /** For health and metrics. */
  get state() {
    return this.#pool.state
  }

  /** For metrics: unwrapped keys in the token; null while no wrapped key was used. */
  async unwrappedState() {
    return this.#wrapped ? (await this.#wrapped).state : null
  }

  generate(algorithm: KeyAlgorithm, keyId?: string): Promise<GeneratedKey> {
    return keyId === undefined
      ? this.#resident.generate(algorithm)
      : this.#inCustody(keyId, (custody) => custody.generate(algorithm, keyId))
  }

  async bind(key: Required<GeneratedKey>, owner: KeyOwner): Promise<string> {
    return (await this.#openWrapped()).bind(key, owner)
  }

  sign(
    keyId: string,
    digests: readonly Buffer[],
    algorithm: SignatureAlgorithm,
  ): Promise<Buffer[]> {
    return this.#inCustody(keyId, (custody) => custody.sign(keyId, digests, algorithm))
  }

  doubt(keyId: string): void {
    if (custodyOf(keyId) === 'resident') this.#resident.doubt(keyId)
    else void this.#wrapped?.then((wrapped) => wrapped.doubt(keyId)).catch(() => undefined)
  }

  publicKey(keyId: string): Promise<Buffer | null> {
    return this.#inCustody(keyId, (custody) => custody.publicKey(keyId))
  }

  async destroy(keyId: string): Promise<void> {
    // What nobody has unwrapped in this process is not in the token.
    if (custodyOf(keyId) === 'wrapped' && !this.#wrapped) return
    await this.#inCustody(keyId, (custody) => custody.destroy(keyId))
  }

  listKeyIds(): Promise<string[]> {
    return this.#resident.listKeyIds()
  }

  /**
   * Makes and destroys keys until one is as demanded.
   * @returns the fewest attributes that have to be tolerated for that (`hsm.tolerate`)
   * @throws the last failure when no key of this token will do
   */
  async findTolerations(custody: Custody): Promise<readonly OptionalAttribute[]> {
    const trial = trialAlgorithm(this.facts)
    if (!trial) throw new HsmUnavailableError('The token can make none of our keys')
    let failure: unknown
    for (const tolerate of subsets(OPTIONAL_ATTRIBUTES)) {
      try {
        await this.#tryOut(custody, trial, tolerate)
        return tolerate
      } catch (error) {
        failure = error
        if (error instanceof NotPreparedError) break
      }
    }
    throw failure
  }

  async #tryOut(
    custody: Custody,
    trial: KeyAlgorithm,
    tolerate: readonly OptionalAttribute[],
  ): Promise<void> {
    if (custody === 'wrapped') {
      await (await this.#makeWrapped(tolerate)).close()
    } else {
      const resident = new ResidentKeyCustody(this.#pool, tolerate)
      await resident.destroy((await resident.generate(trial)).keyId)
    }
  }

  /** @throws {HsmUnavailableError} when it cannot wrap keys, or was not prepared for that */
  async describeWrapping(): Promise<{ readonly variant: WrapVariant; readonly guarded: boolean }> {
    const wrapped = await this.#openWrapped()
    return { variant: wrapped.variant, guarded: await wrapped.isGuarded() }
  }

  /** Makes the keys under which others are wrapped; null when they were there before. */
  makeWrappingKeys(): ReturnType<typeof makeWrappingKeys> {
    const use: Parameters<typeof makeWrappingKeys>[0] = (work) => this.#pool.withSession(work)
    return makeWrappingKeys(use, this.#options.wrappingKey ?? '1')
  }

  async ready(): Promise<boolean> {
    return (await this.tokenInPlace()) !== null
  }

  /** Where keys are wrapped, what unwraps them has to be there, too: it is gone from a token made anew. */
  async tokenInPlace(): Promise<string | null> {
    const token = await this.#resident.tokenInPlace()
    if (this.#options.wrapped !== true && this.#wrapped === null) return token
    const unwraps =
      token !== null &&
      (await this.#openWrapped().then(
        (wrapped) => wrapped.ready(),
        () => false,
      ))
    return unwraps ? token : null
  }

  async close(): Promise<void> {
    const wrapped = await this.#wrapped?.catch(() => null)
    await wrapped?.close()
    await this.#pool.close()
  }

  async #inCustody<T>(keyId: string, use: (custody: KeyCustody) => Promise<T>): Promise<T> {
    return use(custodyOf(keyId) === 'wrapped' ? await this.#openWrapped() : this.#resident)
  }

  /** When the first wrapped key is needed; a failure is tried again with the next. */
  #openWrapped(): Promise<WrappedKeyCustody> {
    this.#wrapped ??= this.#makeWrapped().catch((error: unknown) => {
      this.#wrapped = null
      throw error
    })
    return this.#wrapped
  }

  async #makeWrapped(tolerate = this.#options.tolerate): Promise<WrappedKeyCustody> {
    const { wrappedKeys: store, wrappingKey, mostUnwrapped, idleMs } = this.#options
    const trial = trialAlgorithm(this.facts)
    if (!store || !trial) throw new HsmUnavailableError('There are no wrapped keys here')
    // One owns the keys that are unwrapped, another signs with them.
    if (this.#pool.size < 2) throw new HsmUnavailableError('Wrapped keys need two sessions')
    return WrappedKeyCustody.open({
      ...{ pool: this.#pool, store, trial, variants: wrapVariants(this.facts) },
      ...(wrappingKey === undefined ? {} : { wrappingKey }),
      ...(tolerate === undefined ? {} : { tolerate }),
      ...(mostUnwrapped === undefined ? {} : { mostUnwrapped }),
      ...(idleMs === undefined ? {} : { idleMs }),
    })
  }
}

/** The smallest first. */
function subsets<T>(all: readonly T[]): T[][] {
  const found = Array.from({ length: 2 ** all.length }, (_, bits) =>
    all.filter((_each, index) => (bits >> index) & 1),
  )
  return found.sort((one, other) => one.length - other.length)
}

async function describe(token: Token): Promise<TokenFacts> {
  try {
    return await token.describe()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new HsmUnavailableError(why, { cause: error })
  }
}
