import { createHash, createPublicKey, timingSafeEqual } from 'node:crypto'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../errors.js'
import {
  allowsKeyAlgorithm,
  HASH_ALGORITHMS,
  KEY_ALGORITHMS,
  keyAlgorithmOf,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from './algorithms.js'
import { verifyDigest } from './digest-verifier.js'
import { isTemplateRefusal, isWayRefusal, wrongAttributes } from './key-attributes.js'
import type { GeneratedKey, KeyCustody } from './key-custody.js'
import { newKeyId, objectIdOf, type KeyOwner } from './key-id.js'
import { isDeviceLoss, isFull, withSessionAgain } from './pkcs11/retry.js'
import type { PooledSession, SessionPool } from './pkcs11/session-pool.js'
import type { KeyHandle, Mechanism, OptionalAttribute, WrapVariant } from './pkcs11/session.js'
import { TamperedKeyError, UnwrappedKeys } from './pkcs11/unwrapped-keys.js'
import { signEach } from './sign-each.js'
import { subjectPublicKeyInfo } from './subject-public-key-info.js'
import { formatWrapped, macInput, parseWrapped, type SealedKey } from './wrapped-key.js'
import { findWrappingKeys, type WrappingKeys } from './wrapping-keys.js'

const ALONE = { atOnce: 1, together: 1 }

/** A wrapped key as the database has it, with whom the database says it belongs to. */
export interface WrappedKeyRecord {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer
  readonly wrapped: string
  /** The credential that has this key now; null while it is nobody's. */
  readonly owner: KeyOwner | null
}

export interface WrappedKeyStore {
  find(keyId: string): Promise<WrappedKeyRecord | null>
}

export interface WrappedKeyCustodyOptions {
  readonly pool: SessionPool
  readonly store: WrappedKeyStore
  /** Which pair of wrapping keys new keys are kept under. */
  readonly wrappingKey?: string
  /** Ways to wrap that the token has, the best first. */
  readonly variants: readonly WrapVariant[]
  /** A kind of key the token can make. */
  readonly trial?: KeyAlgorithm
  readonly tolerate?: readonly OptionalAttribute[]
  /** Keys unwrapped in the token at once. */
  readonly mostUnwrapped?: number
  /** Sessions, of those of the pool, that own unwrapped keys. */
  readonly homes?: number
  readonly idleMs?: number
}

/** How this token wants things, found out by trying. */
interface Ways {
  readonly variant: WrapVariant
  readonly without: ReadonlySet<OptionalAttribute>
  readonly givesPublicValue: boolean
}

/** So often a use starts over, when the token loses what was unwrapped under it. */
const TRIES = 3
const MOST_UNWRAPPED = 2_000
const IDLE_MS = 600_000

/**
 * Keys made in the token and kept outside, wrapped under a key that never leaves it. To sign, one is
 * unwrapped into a session object that can only sign and never leave again. What binds a wrapped key to its
 * credential and person is a MAC whose key never leaves the token either: it is checked, against what the
 * database says now, before the token is asked to unwrap anything. The pool is closed by its owner, after
 * this.
 */
export class WrappedKeyCustody implements KeyCustody {
  readonly #options: WrappedKeyCustodyOptions
  readonly #unwrapped: UnwrappedKeys
  readonly #tolerated: ReadonlySet<OptionalAttribute>
  readonly #signers: number
  readonly #known = new Map<string, { readonly keys: WrappingKeys; readonly epoch: number }>()
  #ways: Ways | null = null

  private constructor(options: WrappedKeyCustodyOptions) {
    this.#options = options
    this.#tolerated = new Set(options.tolerate)
    const homes = options.homes ?? Math.max(1, Math.min(4, options.pool.size >> 2))
    this.#signers = Math.max(1, options.pool.size - homes)
    this.#unwrapped = new UnwrappedKeys({
      ...{ pool: options.pool, homes },
      most: options.mostUnwrapped ?? MOST_UNWRAPPED,
      idleMs: options.idleMs ?? IDLE_MS,
    })
  }

  /**
   * Finds the wrapping keys and tries the ways to wrap on a key that lives for as long as that takes.
   * @throws {HsmUnavailableError} when there are none, or the token cannot wrap as we need it
   */
  static async open(options: WrappedKeyCustodyOptions): Promise<WrappedKeyCustody> {
    const custody = new WrappedKeyCustody(options)
    try {
      custody.#ways = await custody.#findWays()
      return custody
    } catch (error) {
      await custody.close()
      throw error
    }
  }

  /** For metrics. */
  get state() {
    return this.#unwrapped.state
  }

  get variant(): WrapVariant {
    return this.#waysFound().variant
  }

  /**
   * Whether the token itself keeps what is unwrapped from being readable, whoever asks. Tries it with a
   * key that nobody has.
   */
  async isGuarded(): Promise<boolean> {
    const algorithm = this.#options.trial ?? 'p-256'
    const { keyId, publicKey, wrapped } = await this.generate(algorithm)
    const sealed = parseWrapped(wrapped)
    if (!sealed) throw new Error('A wrapped key of ours cannot be read')
    try {
      await this.#options.pool.withSession(async (session) => {
        const { wrapping } = await this.#wrappingKeys(session, sealed.name)
        const template = this.#template(keyId, algorithm, publicKey)
        await session.destroy(
          await session.unwrap(wrapping, sealed.blob, { ...template, extractable: true }),
        )
      })
      return false
    } catch (error) {
      if (isTemplateRefusal(error)) return true
      throw error
    }
  }

  async generate(
    algorithm: KeyAlgorithm,
    keyId: string = newKeyId('wrapped'),
  ): Promise<Required<GeneratedKey>> {
    if (!allowsKeyAlgorithm(algorithm)) throw new Error(`Policy does not allow ${algorithm} keys`)
    try {
      return await this.#options.pool.withSession((session) =>
        this.#make(session, algorithm, keyId, this.#waysFound()),
      )
    } catch (error) {
      if (error instanceof HsmOutcomeUnknownError) {
        throw new HsmUnavailableError('A new key could not be tried', { cause: error })
      }
      throw error
    }
  }

  async bind(key: Required<GeneratedKey>, owner: KeyOwner): Promise<string> {
    const sealed = parseWrapped(key.wrapped)
    if (!sealed) throw new TamperedKeyError(`The wrapped key ${key.keyId} cannot be read`)
    return withSessionAgain(this.#options.pool, async (session) => {
      const { binding } = await this.#wrappingKeys(session, sealed.name)
      await this.#rejectTampered(session, binding, key, sealed, null)
      const mac = await session.mac(binding, macInput(key, sealed, owner))
      return formatWrapped({ ...sealed, mac })
    })
  }

  sign(
    keyId: string,
    digests: readonly Buffer[],
    algorithm: SignatureAlgorithm,
  ): Promise<Buffer[]> {
    const portions = { atOnce: this.#signers, together: this.#options.pool.signsTogether }
    return signEach(digests, algorithm, portions, (inputs, mechanism) =>
      this.#sign(keyId, inputs, mechanism),
    )
  }

  doubt(keyId: string): void {
    this.#unwrapped.doubt(keyId)
  }

  async publicKey(keyId: string): Promise<Buffer | null> {
    const record = await this.#options.store.find(keyId)
    if (!record) return null
    const sealed = parseWrapped(record.wrapped)
    if (!sealed) throw new TamperedKeyError(`The wrapped key ${keyId} cannot be read`)
    await withSessionAgain(this.#options.pool, async (session) => {
      const { binding } = await this.#wrappingKeys(session, sealed.name)
      await this.#rejectTampered(session, binding, { keyId, ...record }, sealed, record.owner)
    })
    return record.publicKey
  }

  /** What is in the token goes; the wrapped key itself is the database's to forget. */
  destroy(keyId: string): Promise<void> {
    return this.#unwrapped.destroy(keyId)
  }

  async ready(): Promise<boolean> {
    try {
      await withSessionAgain(this.#options.pool, (session) =>
        this.#wrappingKeys(session, this.#name()),
      )
      return true
    } catch {
      return false
    }
  }

  close(): Promise<void> {
    return this.#unwrapped.close()
  }

  /**
   * Between finding a key and signing with it, the token may lose its sessions: then all over again. So when it
   * has no room for a key: those that the failed session owned go with it.
   */
  async #sign(keyId: string, inputs: readonly Buffer[], mechanism: Mechanism): Promise<Buffer[]> {
    for (let left = TRIES; ; left -= 1) {
      try {
        return await this.#signOnce(keyId, inputs, mechanism)
      } catch (error) {
        const isPassing = isDeviceLoss(error) || isFull(error) || error instanceof StaleKeyError
        if (!isPassing || left <= 1) throw error
      }
    }
  }

  async #signOnce(
    keyId: string,
    inputs: readonly Buffer[],
    mechanism: Mechanism,
  ): Promise<Buffer[]> {
    const record = this.#unwrapped.has(keyId) ? null : await this.#demandRecord(keyId)
    return this.#unwrapped.withKey(
      keyId,
      async (session) => this.#unwrap(session, keyId, record ?? (await this.#demandRecord(keyId))),
      (key, epoch) =>
        this.#options.pool.withSession((session) => {
          if (session.epoch !== epoch) throw new StaleKeyError('The token lost its sessions')
          return session.sign(key, mechanism, inputs)
        }),
    )
  }

  async #demandRecord(keyId: string): Promise<WrappedKeyRecord> {
    const record = await this.#options.store.find(keyId)
    if (!record) throw new HsmUnavailableError(`There is no key ${keyId}`)
    return record
  }

  async #unwrap(
    session: PooledSession,
    keyId: string,
    record: WrappedKeyRecord,
  ): Promise<KeyHandle> {
    const sealed = parseWrapped(record.wrapped)
    const algorithm = keyAlgorithmOf(record.publicKey)
    if (!sealed || !algorithm) throw new TamperedKeyError(`The wrapped key ${keyId} cannot be read`)
    const { wrapping, binding } = await this.#wrappingKeys(session, sealed.name)
    await this.#rejectTampered(session, binding, { keyId, ...record }, sealed, record.owner)
    const template = this.#template(keyId, algorithm, record.publicKey)
    return session.unwrap(wrapping, sealed.blob, template)
  }

  /** @throws {TamperedKeyError} when it is not what we put down for this owner (S86) */
  async #rejectTampered(
    session: PooledSession,
    binding: KeyHandle,
    key: Pick<GeneratedKey, 'keyId' | 'publicKey'>,
    sealed: SealedKey,
    owner: KeyOwner | null,
  ): Promise<void> {
    const expected = await session.mac(binding, macInput(key, sealed, owner))
    const { mac } = sealed
    if (expected.length === mac.length && timingSafeEqual(expected, mac)) return
    throw new TamperedKeyError(`The wrapped key ${key.keyId} is not what it was, or not whose`)
  }

  async #wrappingKeys(session: PooledSession, name: string): Promise<WrappingKeys> {
    const known = this.#known.get(name)
    if (known?.epoch === session.epoch) return known.keys
    const keys = await findWrappingKeys(session, name, this.#tolerated)
    this.#known.set(name, { keys, epoch: session.epoch })
    return keys
  }

  /** All in one session: when anything fails it is closed, and nothing is left in the token. */
  async #make(
    session: PooledSession,
    algorithm: KeyAlgorithm,
    keyId: string,
    ways: Ways,
  ): Promise<Required<GeneratedKey>> {
    const name = this.#name()
    const { wrapping, binding, trusted } = await this.#wrappingKeys(session, name)
    const pair = await session.generateKeyPair({
      ...{ algorithm, id: demandObjectId(keyId), kind: 'to-be-wrapped' },
      without: ways.without,
      wrapWithTrusted: trusted,
    })
    const attributes = await session.privateKeyAttributes(pair.privateKey)
    rejectWrong(wrongAttributes(attributes, 'to-be-wrapped', algorithm, this.#tolerated))
    const value = await session.publicKeyValue(pair.publicKey)
    const publicKey = subjectPublicKeyInfo(value)
    const blob = await session.wrap(wrapping, ways.variant, pair.privateKey)
    await session.destroy(pair.privateKey)
    await session.destroy(pair.publicKey)
    const unbound = { name, blob, mac: Buffer.alloc(0) }
    const key = { keyId, publicKey }
    const mac = await session.mac(binding, macInput(key, unbound, null))
    const wrapped = formatWrapped({ ...unbound, mac })
    const template = this.#template(keyId, algorithm, publicKey, ways)
    const unwrapped = await session.unwrap(wrapping, blob, template)
    await this.#tryOut(session, unwrapped, algorithm, key)
    await session.destroy(unwrapped)
    return { ...key, wrapped }
  }

  /** A key counts once it was back in the token as it shall be, and its signature verifies. */
  async #tryOut(
    session: PooledSession,
    unwrapped: KeyHandle,
    algorithm: KeyAlgorithm,
    { keyId, publicKey }: Pick<GeneratedKey, 'keyId' | 'publicKey'>,
  ): Promise<void> {
    const attributes = await session.privateKeyAttributes(unwrapped)
    rejectWrong(wrongAttributes(attributes, 'unwrapped', algorithm, this.#tolerated))
    const isRsa = KEY_ALGORITHMS[algorithm].family === 'rsa'
    const hash = HASH_ALGORITHMS.sha256
    const trial: SignatureAlgorithm = { scheme: isRsa ? 'rsa-pkcs1' : 'ecdsa', hash }
    const digest = createHash('sha256').update(`trial of ${keyId}`).digest()
    const [signature] = await signEach([digest], trial, ALONE, (inputs, mechanism) =>
      session.sign(unwrapped, mechanism, inputs),
    )
    const good =
      signature !== undefined && (await verifyDigest(publicKey, digest, signature, trial))
    if (!good) throw new HsmUnavailableError('A new key does not match its public half')
  }

  #template(keyId: string, algorithm: KeyAlgorithm, publicKey: Buffer, ways = this.#waysFound()) {
    const common = { algorithm, id: demandObjectId(keyId), without: ways.without }
    return ways.givesPublicValue ? { ...common, publicValue: publicValueOf(publicKey) } : common
  }

  #name(): string {
    return this.#options.wrappingKey ?? '1'
  }

  #waysFound(): Ways {
    if (!this.#ways) throw new Error('The ways of the token are not known yet')
    return this.#ways
  }

  /** The first way in which a key comes back as it went; what a token does not like, it says. */
  async #findWays(): Promise<Ways> {
    const failures: unknown[] = []
    for (const ways of this.#candidates()) {
      try {
        await this.#options.pool.withSession((session) =>
          this.#make(session, this.#options.trial ?? 'p-256', newKeyId('wrapped'), ways),
        )
        return ways
      } catch (error) {
        if (!isWayRefusal(error)) throw error
        failures.push(error)
      }
    }
    const why = failures.map((failure) => (failure as Error).message).join('; ')
    throw new HsmUnavailableError(
      `The token cannot wrap keys as we need it: ${why || 'it has no mechanism for that'}`,
    )
  }

  *#candidates(): Generator<Ways> {
    const all = this.#tolerated
    const unlocked = new Set<OptionalAttribute>([...all, 'modifiable', 'copyable'])
    for (const variant of this.#options.variants) {
      for (const without of [all, unlocked]) {
        for (const givesPublicValue of [false, true]) yield { variant, without, givesPublicValue }
      }
    }
  }
}

/** The session is of a later life of the token than the key. */
class StaleKeyError extends HsmUnavailableError {}

function demandObjectId(keyId: string): Buffer {
  const id = objectIdOf(keyId)
  if (id === null) throw new Error(`${keyId} is no name for a key`)
  return id
}

/** Modulus, or uncompressed point. */
function publicValueOf(publicKey: Buffer): Buffer {
  const { n, x, y } = createPublicKey({ key: publicKey, format: 'der', type: 'spki' }).export({
    format: 'jwk',
  })
  if (n !== undefined) return Buffer.from(n, 'base64url')
  const coordinates = [x ?? '', y ?? ''].map((each) => Buffer.from(each, 'base64url'))
  return Buffer.concat([Buffer.of(4), ...coordinates])
}

function rejectWrong(wrong: readonly string[]): void {
  if (wrong.length === 0) return
  throw new HsmUnavailableError(`The token made a key with other attributes: ${wrong.join(', ')}`)
}
