import { createHash } from 'node:crypto'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../errors.js'
import {
  allowsKeyAlgorithm,
  HASH_ALGORITHMS,
  KEY_ALGORITHMS,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from './algorithms.js'
import { verifyDigest } from './digest-verifier.js'
import { isTemplateRefusal, wrongAttributes } from './key-attributes.js'
import type { GeneratedKey, KeyCustody } from './key-custody.js'
import { newKeyId, objectIdOf } from './key-id.js'
import { TokenError, TokenTimeoutError } from './pkcs11/ckr.js'
import { openToken } from './pkcs11/module.js'
import { SessionPool, type PooledSession, type SessionPoolOptions } from './pkcs11/session-pool.js'
import { withSessionAgain } from './pkcs11/retry.js'
import type { KeyHandle, OptionalAttribute } from './pkcs11/session.js'
import { signEach } from './sign-each.js'
import { subjectPublicKeyInfo } from './subject-public-key-info.js'

export interface ResidentKeyCustodyOptions extends Omit<SessionPoolOptions, 'token'> {
  /** Path of the PKCS#11 library. */
  readonly module: string
  readonly tokenLabel: string
  /** User PIN. */
  readonly pin: string
  /** Attributes of keys that this token cannot have, and need not (`hsm.tolerate`). */
  readonly tolerate?: readonly OptionalAttribute[]
}

/** A handle is good only in the epoch it was found in. */
interface CachedHandle {
  readonly key: KeyHandle
  readonly epoch: number
}

const HANDLES_KEPT = 10_000

/** Keys that live in the token as objects of their own, named by 16 random bytes. */
export class ResidentKeyCustody implements KeyCustody {
  readonly #pool: SessionPool
  readonly #handles = new Map<string, CachedHandle>()
  readonly #tolerated: ReadonlySet<OptionalAttribute>
  /** Whether the token knows CKA_MODIFIABLE and CKA_COPYABLE; until it refuses, we think so. */
  #locksAttributes = true

  /** For tests that inject faults; everybody else opens a token. */
  constructor(pool: SessionPool, tolerate: readonly OptionalAttribute[] = []) {
    this.#pool = pool
    this.#tolerated = new Set(tolerate)
  }

  /**
   * Loads the library, finds the token by its label and logs in.
   * @throws {HsmUnavailableError} when the token is not there or refuses the PIN
   */
  static async open(options: ResidentKeyCustodyOptions): Promise<ResidentKeyCustody> {
    const { module, tokenLabel, pin, tolerate, ...poolOptions } = options
    const token = await openToken({ module, tokenLabel, pin })
    const pool = new SessionPool({ ...poolOptions, token })
    try {
      await pool.withSession((session) => session.probe())
    } catch (error) {
      await pool.close()
      throw error
    }
    return new ResidentKeyCustody(pool, tolerate)
  }

  get state() {
    return this.#pool.state
  }

  async generate(
    algorithm: KeyAlgorithm,
    keyId: string = newKeyId('resident'),
  ): Promise<GeneratedKey> {
    if (!allowsKeyAlgorithm(algorithm)) throw new Error(`Policy does not allow ${algorithm} keys`)
    const id = objectIdOf(keyId)
    if (id === null) throw new Error(`${keyId} is no name for a key`)
    for (let isLastTry = false; ; isLastTry = true) {
      try {
        return await this.#make(algorithm, keyId, id)
      } catch (error) {
        const nothingIsLeft = await this.#destroyRemains(keyId, error)
        if (nothingIsLeft && isInPassing(error) && !isLastTry) continue
        if (error instanceof HsmOutcomeUnknownError) {
          throw new HsmUnavailableError('A new key could not be tried', { cause: error })
        }
        throw error
      }
    }
  }

  async sign(
    keyId: string,
    digests: readonly Buffer[],
    algorithm: SignatureAlgorithm,
  ): Promise<Buffer[]> {
    const { size: atOnce, signsTogether: together } = this.#pool
    return signEach(digests, algorithm, { atOnce, together }, (inputs, mechanism) =>
      this.#withKey(keyId, (session, key) => session.sign(key, mechanism, inputs)),
    )
  }

  doubt(keyId: string): void {
    this.#handles.delete(keyId)
  }

  publicKey(keyId: string): Promise<Buffer | null> {
    return this.#withSession(async (session) => {
      const id = objectIdOf(keyId)
      const [key, another] = id === null ? [] : await session.findPublicKeys(id)
      if (another !== undefined) throw new HsmUnavailableError(`Two public keys are named ${keyId}`)
      if (key === undefined) return null
      return subjectPublicKeyInfo(await session.publicKeyValue(key))
    })
  }

  async destroy(keyId: string): Promise<void> {
    const id = objectIdOf(keyId)
    if (id === null) return
    this.#handles.delete(keyId)
    await this.#withSession(async (session) => {
      await destroyAll(session, () => session.findPrivateKeys(id))
      await destroyAll(session, () => session.findPublicKeys(id))
    })
    this.#handles.delete(keyId)
  }

  async listKeyIds(): Promise<string[]> {
    const ids = await this.#withSession((session) => session.listPrivateKeyIds())
    return ids.filter(({ length }) => length === 16).map((id) => id.toString('hex'))
  }

  async ready(): Promise<boolean> {
    return (await this.tokenInPlace()) !== null
  }

  async tokenInPlace(): Promise<string | null> {
    try {
      return await this.#withSession(async (session) => {
        return `${await session.probe()}, login ${session.epoch}`
      })
    } catch {
      return null
    }
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  async #make(algorithm: KeyAlgorithm, keyId: string, id: Buffer): Promise<GeneratedKey> {
    await this.#generatePair(algorithm, id)
    await this.#rejectWrongAttributes(keyId, algorithm)
    const publicKey = await this.publicKey(keyId)
    if (publicKey === null) throw new HsmUnavailableError('A new public key cannot be found')
    await this.#rejectUnusableKey(keyId, publicKey, algorithm)
    return { keyId, publicKey }
  }

  async #generatePair(algorithm: KeyAlgorithm, id: Buffer): Promise<void> {
    const generate = (without: ReadonlySet<OptionalAttribute>) =>
      this.#pool.withSession((session) =>
        session.generateKeyPair({ algorithm, id, kind: 'resident', without }),
      )
    if (this.#locksAttributes) {
      try {
        await generate(this.#tolerated)
        return
      } catch (error) {
        if (!isTemplateRefusal(error)) throw error
        this.#locksAttributes = false
      }
    }
    await generate(new Set([...this.#tolerated, 'modifiable', 'copyable']))
  }

  async #rejectWrongAttributes(keyId: string, algorithm: KeyAlgorithm): Promise<void> {
    const attributes = await this.#withKey(keyId, (session, key) =>
      session.privateKeyAttributes(key),
    )
    const wrong = wrongAttributes(attributes, 'resident', algorithm, this.#tolerated)
    if (wrong.length === 0) return
    throw new HsmUnavailableError(`The token made a key with other attributes: ${wrong.join(', ')}`)
  }

  /** Tokens have been seen to answer with half a key pair, or with halves that do not match. */
  async #rejectUnusableKey(keyId: string, publicKey: Buffer, algorithm: KeyAlgorithm) {
    const isRsa = KEY_ALGORITHMS[algorithm].family === 'rsa'
    const hash = HASH_ALGORITHMS.sha256
    const trial: SignatureAlgorithm = { scheme: isRsa ? 'rsa-pkcs1' : 'ecdsa', hash }
    const digest = createHash('sha256').update(`trial of ${keyId}`).digest()
    const [signature] = await this.sign(keyId, [digest], trial)
    const good =
      signature !== undefined && (await verifyDigest(publicKey, digest, signature, trial))
    if (!good) throw new HsmUnavailableError('A new key does not match its public half')
  }

  /**
   * Also when generation came back late: by then the key is there.
   * @returns whether the token has nothing of that name now
   */
  async #destroyRemains(keyId: string, error: unknown): Promise<boolean> {
    const cause = error instanceof Error ? error.cause : undefined
    const destroyed = () =>
      this.destroy(keyId).then(
        () => true,
        () => false, // found again at start-up
      )
    if (!(cause instanceof TokenTimeoutError)) return destroyed()
    void cause.returned.then(destroyed)
    return false
  }

  #withKey<T>(
    keyId: string,
    use: (session: PooledSession, key: KeyHandle) => Promise<T>,
  ): Promise<T> {
    return this.#withSession(async (session) => use(session, await this.#findKey(session, keyId)))
  }

  #withSession<T>(use: (session: PooledSession) => Promise<T>): Promise<T> {
    return withSessionAgain(this.#pool, use)
  }

  async #findKey(session: PooledSession, keyId: string): Promise<KeyHandle> {
    const cached = this.#handles.get(keyId)
    if (cached?.epoch === session.epoch) return cached.key
    const id = objectIdOf(keyId)
    const [key, another] = id === null ? [] : await session.findPrivateKeys(id)
    if (key === undefined) throw new HsmUnavailableError(`There is no key ${keyId}`)
    if (another !== undefined) throw new HsmUnavailableError(`Two keys are named ${keyId}`)
    this.#remember(keyId, { key, epoch: session.epoch })
    return key
  }

  #remember(keyId: string, handle: CachedHandle): void {
    this.#handles.delete(keyId)
    this.#handles.set(keyId, handle)
    const [oldest] = this.#handles.keys()
    if (this.#handles.size > HANDLES_KEPT && oldest !== undefined) this.#handles.delete(oldest)
  }
}

/**
 * Whether a token that answers may well make a key when it is asked once more: also when it has not yet read
 * what another thread has written.
 */
function isInPassing(error: unknown): boolean {
  if (!(error instanceof HsmUnavailableError)) return false
  const { cause } = error
  return cause === undefined || (cause instanceof TokenError && cause.isInPassing)
}

/** Each look finds two at most, and a key must not survive because it has doubles. */
async function destroyAll(session: PooledSession, find: () => Promise<KeyHandle[]>) {
  for (let looks = 0; looks < 100; looks += 1) {
    const keys = await find()
    if (keys.length === 0) return
    for (const key of keys) await session.destroy(key)
  }
  throw new HsmUnavailableError('The token keeps keys it was told to destroy')
}
