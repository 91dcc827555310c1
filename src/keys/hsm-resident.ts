import { createHash, randomBytes } from 'node:crypto'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../errors.js'
import {
  allowsKeyAlgorithm,
  HASH_ALGORITHMS,
  KEY_ALGORITHMS,
  rejectWrongDigestLength,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from './algorithms.js'
import { verifyDigest } from './digest-verifier.js'
import { ecdsaSignatureFromRaw } from './ecdsa-signature.js'
import type { GeneratedKey, KeyCustody } from './key-custody.js'
import { TokenError, TokenTimeoutError } from './pkcs11/ckr.js'
import { allowedMechanisms, openToken } from './pkcs11/module.js'
import { SessionPool, type PooledSession, type SessionPoolOptions } from './pkcs11/session-pool.js'
import type { KeyHandle, Mechanism, PrivateKeyAttributes } from './pkcs11/session.js'
import { subjectPublicKeyInfo } from './subject-public-key-info.js'

export interface ResidentKeyCustodyOptions extends Omit<SessionPoolOptions, 'token'> {
  /** Path of the PKCS#11 library. */
  readonly module: string
  readonly tokenLabel: string
  /** User PIN. */
  readonly pin: string
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
  /** Whether the token knows CKA_MODIFIABLE and CKA_COPYABLE; until it refuses, we think so. */
  #locksAttributes = true

  /** For tests that inject faults; everybody else opens a token. */
  constructor(pool: SessionPool) {
    this.#pool = pool
  }

  /**
   * Loads the library, finds the token by its label and logs in.
   * @throws {HsmUnavailableError} when the token is not there or refuses the PIN
   */
  static async open(options: ResidentKeyCustodyOptions): Promise<ResidentKeyCustody> {
    const { module, tokenLabel, pin, ...poolOptions } = options
    const token = openToken({ module, tokenLabel, pin })
    const pool = new SessionPool({ ...poolOptions, token })
    try {
      await pool.withSession((session) => session.probe())
    } catch (error) {
      await pool.close()
      throw error
    }
    return new ResidentKeyCustody(pool)
  }

  get state() {
    return this.#pool.state
  }

  async generate(algorithm: KeyAlgorithm): Promise<GeneratedKey> {
    if (!allowsKeyAlgorithm(algorithm)) throw new Error(`Policy does not allow ${algorithm} keys`)
    const id = randomBytes(16)
    const keyId = id.toString('hex')
    try {
      await this.#generatePair(algorithm, id)
      await this.#rejectWrongAttributes(keyId, algorithm)
      const publicKey = await this.publicKey(keyId)
      if (publicKey === null) throw new HsmUnavailableError('A new public key cannot be found')
      await this.#rejectUnusableKey(keyId, publicKey, algorithm)
      return { keyId, publicKey }
    } catch (error) {
      await this.#destroyRemains(keyId, error)
      if (error instanceof HsmOutcomeUnknownError) {
        throw new HsmUnavailableError('A new key could not be tried', { cause: error })
      }
      throw error
    }
  }

  async sign(
    keyId: string,
    digests: readonly Buffer[],
    algorithm: SignatureAlgorithm,
  ): Promise<Buffer[]> {
    const inputs = digests.map((digest) => toBeSigned(digest, algorithm))
    const signatures = new Array<Buffer>(inputs.length)
    const failures: unknown[] = []
    let next = 0
    let signed = 0
    const work = async () => {
      while (failures.length === 0) {
        const index = next++
        const input = inputs[index]
        if (input === undefined) return
        try {
          signatures[index] = await this.#signOne(keyId, input, algorithm)
          signed += 1
        } catch (error) {
          failures.push(error)
        }
      }
    }
    const workers = Math.min(this.#pool.size, inputs.length)
    await Promise.all(Array.from({ length: workers }, work))
    if (failures.length > 0) throw batchFailure(failures, signed)
    return signatures
  }

  publicKey(keyId: string): Promise<Buffer | null> {
    return this.#withSession(async (session) => {
      const id = idOf(keyId)
      const [key, another] = id === null ? [] : await session.findPublicKeys(id)
      if (another !== undefined) throw new HsmUnavailableError(`Two public keys are named ${keyId}`)
      if (key === undefined) return null
      return subjectPublicKeyInfo(await session.publicKeyValue(key))
    })
  }

  async destroy(keyId: string): Promise<void> {
    const id = idOf(keyId)
    if (id === null) return
    this.#handles.delete(keyId)
    await this.#withSession(async (session) => {
      await destroyAll(session, () => session.findPrivateKeys(id))
      await destroyAll(session, () => session.findPublicKeys(id))
    })
    this.#handles.delete(keyId)
  }

  async ready(): Promise<boolean> {
    try {
      await this.#withSession((session) => session.probe())
      return true
    } catch {
      return false
    }
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  async #generatePair(algorithm: KeyAlgorithm, id: Buffer): Promise<void> {
    const generate = (locked: boolean) =>
      this.#pool.withSession((session) => session.generateKeyPair(algorithm, id, locked))
    if (this.#locksAttributes) {
      try {
        await generate(true)
        return
      } catch (error) {
        if (!isTemplateRefusal(error)) throw error
        this.#locksAttributes = false
      }
    }
    await generate(false)
  }

  async #rejectWrongAttributes(keyId: string, algorithm: KeyAlgorithm): Promise<void> {
    const attributes = await this.#withKey(keyId, (session, key) =>
      session.privateKeyAttributes(key),
    )
    const wrong = wrongAttributes(attributes, algorithm)
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

  /** Also when generation came back late: by then the key is there. */
  async #destroyRemains(keyId: string, error: unknown): Promise<void> {
    const cause = error instanceof Error ? error.cause : undefined
    const destroy = () => this.destroy(keyId).catch(() => undefined) // found again at start-up
    if (cause instanceof TokenTimeoutError) void cause.returned.then(destroy)
    else await destroy()
  }

  async #signOne(keyId: string, input: Buffer, algorithm: SignatureAlgorithm): Promise<Buffer> {
    const raw = await this.#withKey(keyId, (session, key) =>
      session.sign(key, mechanismOf(algorithm), input),
    )
    if (algorithm.scheme !== 'ecdsa') return raw
    try {
      return ecdsaSignatureFromRaw(raw, raw.length / 2)
    } catch (cause) {
      throw new HsmOutcomeUnknownError('The token returned no ECDSA signature', { cause })
    }
  }

  #withKey<T>(
    keyId: string,
    use: (session: PooledSession, key: KeyHandle) => Promise<T>,
  ): Promise<T> {
    return this.#withSession(async (session) => use(session, await this.#findKey(session, keyId)))
  }

  /**
   * When the token was certainly not asked to sign, because sessions, login or handles were lost,
   * `use` runs once more, on a new session and with handles found again.
   */
  async #withSession<T>(use: (session: PooledSession) => Promise<T>): Promise<T> {
    try {
      return await this.#pool.withSession(use)
    } catch (error) {
      if (!(error instanceof HsmUnavailableError) || !isDeviceLoss(error.cause)) throw error
      return this.#pool.withSession(use)
    }
  }

  async #findKey(session: PooledSession, keyId: string): Promise<KeyHandle> {
    const cached = this.#handles.get(keyId)
    if (cached?.epoch === session.epoch) return cached.key
    const id = idOf(keyId)
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

/** Each look finds two at most, and a key must not survive because it has doubles. */
async function destroyAll(session: PooledSession, find: () => Promise<KeyHandle[]>) {
  for (let looks = 0; looks < 100; looks += 1) {
    const keys = await find()
    if (keys.length === 0) return
    for (const key of keys) await session.destroy(key)
  }
  throw new HsmUnavailableError('The token keeps keys it was told to destroy')
}

function idOf(keyId: string): Buffer | null {
  return /^[0-9a-f]{32}$/.test(keyId) ? Buffer.from(keyId, 'hex') : null
}

/** A buffer of our own: the token reads it while the caller may already reuse the digest's. */
function toBeSigned(digest: Buffer, { scheme, hash }: SignatureAlgorithm): Buffer {
  rejectWrongDigestLength(digest, hash)
  return scheme === 'rsa-pkcs1'
    ? Buffer.concat([hash.digestInfoPrefix, digest])
    : Buffer.concat([digest])
}

function mechanismOf({ scheme, hash, saltLength }: SignatureAlgorithm): Mechanism {
  switch (scheme) {
    case 'rsa-pkcs1':
      return { kind: 'rsa-pkcs' }
    case 'rsa-pss':
      return { kind: 'rsa-pkcs-pss', hash: hash.name, saltLength: saltLength ?? hash.bytes }
    case 'ecdsa':
      return { kind: 'ecdsa' }
  }
}

/** Signatures that were made count even though nobody gets them. */
function batchFailure(failures: readonly unknown[], signed: number): unknown {
  const unknown = failures.find((failure) => failure instanceof HsmOutcomeUnknownError)
  if (unknown !== undefined || signed === 0) return unknown ?? failures[0]
  return new HsmOutcomeUnknownError('A batch failed after some of it was signed', {
    cause: failures[0],
  })
}

const DEMANDED: Omit<PrivateKeyAttributes, 'allowedMechanisms'> = {
  token: true,
  private: true,
  sensitive: true,
  alwaysSensitive: true,
  extractable: false,
  neverExtractable: true,
  local: true,
  sign: true,
  signRecover: false,
  decrypt: false,
  unwrap: false,
  derive: false,
}

function wrongAttributes(attributes: PrivateKeyAttributes, algorithm: KeyAlgorithm): string[] {
  const names = Object.keys(DEMANDED) as (keyof typeof DEMANDED)[]
  const wrong: string[] = names.filter((name) => attributes[name] !== DEMANDED[name])
  const mechanisms = allowedMechanisms(algorithm).toSorted().join()
  if (attributes.allowedMechanisms.toSorted().join() !== mechanisms) wrong.push('allowedMechanisms')
  return wrong
}

function isDeviceLoss(cause: unknown): boolean {
  return cause instanceof TokenError && cause.ckr.deviceLost
}

const TEMPLATE_REFUSALS = [
  'CKR_ATTRIBUTE_READ_ONLY',
  'CKR_ATTRIBUTE_TYPE_INVALID',
  'CKR_ATTRIBUTE_VALUE_INVALID',
  'CKR_TEMPLATE_INCONSISTENT',
]

function isTemplateRefusal(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof TokenError && TEMPLATE_REFUSALS.includes(cause.ckr.name)
}
