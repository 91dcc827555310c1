import { auditEvent, type AuditEvent } from '../audit/events.js'
import { HsmUnavailableError } from '../errors.js'
import type { KeyAlgorithm, SignatureAlgorithm } from './algorithms.js'
import { attestWith } from './attest.js'
import { certifyWith } from './certify.js'
import type {
  GeneratedKey,
  KeyCustody,
  ServiceStatement,
  SigningOperation,
  UnsignedCertificate,
} from './key-custody.js'
import { newKeyId, type Custody, type KeyOwner } from './key-id.js'

export type KeyState = 'intended' | 'made' | 'spare' | 'requested' | 'owned' | 'ending'

/** A key that may have to go. */
export interface UnownedKey {
  readonly keyId: string
  readonly state: KeyState
}

/**
 * Every key there is or may be. A key changes hands in one conditional write: who is second finds it gone.
 * Becoming somebody's is written together with whose it becomes, by the stores of credentials and of the
 * authority.
 */
export interface KeyStore {
  /** Before the token is asked for it. */
  intend(key: { keyId: string; algorithm: KeyAlgorithm; abandonedAt: Date }): Promise<void>
  /** False when it is not intended any more. A spare key waits for whoever takes it. */
  made(key: GeneratedKey, state: 'made' | 'spare', abandonedAt: Date): Promise<boolean>
  /** Of concurrent callers, on whatever machine, none gets the same key. Null when there is none. */
  takeSpare(
    algorithm: KeyAlgorithm,
    custody: Custody,
    abandonedAt: Date,
  ): Promise<GeneratedKey | null>
  countSpare(algorithm: KeyAlgorithm, custody: Custody): Promise<number>
  /** Keys to destroy: those abandoned by `now`, and those whose end has begun. */
  findAbandoned(now: Date, most: number): Promise<UnownedKey[]>
  /**
   * The end begins; false when the key is in another state than the one seen, or not abandoned by `now`.
   * Null for whoever gives up their own.
   */
  beginEnd(key: UnownedKey, now: Date | null): Promise<boolean>
  /** Nothing is left of it. */
  forget(keyId: string, audit: readonly AuditEvent[]): Promise<void>
  /** Keys in the token that somebody owns, in the order of their names. */
  listResident(after: string, most: number): Promise<{ keyId: string; isMissing: boolean }[]>
  /** Names of wrapped keys that somebody owns. */
  listWrapped(most: number): Promise<string[]>
  /** Flags a key that the token does not have, or takes the flag away again. */
  flagMissing(keyId: string, since: Date | null, audit: readonly AuditEvent[]): Promise<void>
}

/** Longer than making and certifying a key can take: whoever left one for that long does not come back. */
const ABANDONED_MS = 15 * 60_000
const BATCH = 100
const PAGE = 1_000
/** Keys that a token is asked for before all that it has are listed. */
const RESIDENT_SAMPLE = 16
const WRAPPED_SAMPLE = 4
/** A token that has none of our keys is asked again after this: they may be brought back into it. */
const ASK_AGAIN_MS = 5_000

/** A key custody that puts on record what it makes, before it does: no crash leaves a key nobody knows of. */
export class KeyRegister implements KeyCustody {
  readonly #custody: KeyCustody
  readonly #store: KeyStore
  readonly #now: () => Date
  readonly #alarm: (message: string, cause: unknown) => void
  /** The token in place as it was when it had a key of ours. */
  #ours: string | null = null
  #another: { readonly token: string; readonly until: number } | null = null
  #looking: Promise<boolean> | null = null

  constructor(parts: {
    readonly custody: KeyCustody
    readonly store: KeyStore
    readonly now: () => Date
    readonly alarm: (message: string, cause: unknown) => void
  }) {
    this.#custody = parts.custody
    this.#store = parts.store
    this.#now = parts.now
    this.#alarm = parts.alarm
  }

  generate(algorithm: KeyAlgorithm, keyId = newKeyId('resident')): Promise<GeneratedKey> {
    return this.#generate(algorithm, keyId, 'made')
  }

  /** Makes one for those to come. */
  async generateSpare(algorithm: KeyAlgorithm, custody: Custody): Promise<void> {
    await this.#generate(algorithm, newKeyId(custody), 'spare')
  }

  /** One made ahead, or null. Like a new one it is abandoned unless it becomes somebody's. */
  takeSpare(algorithm: KeyAlgorithm, custody: Custody): Promise<GeneratedKey | null> {
    return this.#store.takeSpare(algorithm, custody, this.#abandonedAt())
  }

  countSpare(algorithm: KeyAlgorithm, custody: Custody): Promise<number> {
    return this.#store.countSpare(algorithm, custody)
  }

  /** For keys in the token nothing has to be bound: their names are in the MAC of the credential. */
  async bind(key: Required<GeneratedKey>, owner: KeyOwner): Promise<string> {
    if (!this.#custody.bind) throw new HsmUnavailableError('There are no wrapped keys here')
    return this.#custody.bind(key, owner)
  }

  sign(
    keyId: string,
    digests: readonly Buffer[],
    algorithm: SignatureAlgorithm,
    operation?: SigningOperation,
  ): Promise<Buffer[]> {
    return this.#custody.sign(keyId, digests, algorithm, operation)
  }

  async certify(certificate: UnsignedCertificate): Promise<Buffer> {
    return certifyWith(this.#custody, certificate)
  }

  attest(statement: ServiceStatement): Promise<Buffer> {
    return attestWith(this.#custody, statement)
  }

  doubt(keyId: string): void {
    this.#custody.doubt?.(keyId)
  }

  publicKey(keyId: string): Promise<Buffer | null> {
    return this.#custody.publicKey(keyId)
  }

  /** For keys that nobody owns (any more). What fails here is done at the next reconciliation. */
  async destroy(keyId: string): Promise<void> {
    await this.#store.beginEnd({ keyId, state: 'made' }, null)
    await this.#custody.destroy(keyId)
    await this.#store.forget(keyId, [])
  }

  listKeyIds(): Promise<string[]> {
    return this.#custody.listKeyIds?.() ?? Promise.resolve([])
  }

  /**
   * Whether the token answers and has keys of ours: another one with the same label and PIN would answer
   * as well. They are looked for once after each login.
   */
  async ready(): Promise<boolean> {
    if (!this.#custody.tokenInPlace) return this.#custody.ready()
    const token = await this.#custody.tokenInPlace()
    if (token === null) return false
    if (token === this.#ours) return true
    if (token === this.#another?.token && performance.now() < this.#another.until) return false
    this.#looking ??= this.#isOurs(token).finally(() => (this.#looking = null))
    return this.#looking
  }

  close(): Promise<void> {
    return this.#custody.close()
  }

  /**
   * Destroys what was abandoned: intentions nobody finished, new keys nobody took, keys whose end was
   * begun. Only what is on record as ours, and only in the state it was seen in (S96).
   * @returns how many
   */
  async destroyAbandoned(stopping?: AbortSignal): Promise<number> {
    let destroyed = 0
    for (;;) {
      const keys = await this.#store.findAbandoned(this.#now(), BATCH)
      let done = 0
      for (const key of keys) {
        if (stopping?.aborted) return destroyed
        if (await this.#destroyAbandoned(key)) done += 1
      }
      destroyed += done
      // Those that failed come again next time, not at once.
      if (done === 0 || keys.length < BATCH) return destroyed
    }
  }

  async #destroyAbandoned(key: UnownedKey): Promise<boolean> {
    const { keyId, state } = key
    try {
      if (state !== 'ending' && !(await this.#store.beginEnd(key, this.#now()))) return false
      await this.#custody.destroy(keyId)
      await this.#store.forget(keyId, [auditEvent('key.abandoned', { keyId, state })])
      return true
    } catch (error) {
      this.#alarm(`The abandoned key ${keyId} could not be destroyed`, error)
      return false
    }
  }

  /**
   * Compares what the token has with what it should have; keys that are missing are flagged and on record.
   * A token that cannot be listed says nothing.
   * @returns names of the missing
   */
  async flagMissing(stopping?: AbortSignal): Promise<string[]> {
    if (!this.#custody.listKeyIds) return []
    const there = new Set(await this.#custody.listKeyIds())
    const missing: string[] = []
    for (let after = ''; !stopping?.aborted;) {
      const page = await this.#store.listResident(after, PAGE)
      for (const { keyId, isMissing } of page) {
        after = keyId
        const isThere = there.has(keyId)
        if (!isThere) missing.push(keyId)
        if (isThere !== isMissing) continue
        // It may have been made after the token was listed, or be gone by now.
        const since = isThere || (await this.#custody.publicKey(keyId)) ? null : this.#now()
        if (since) this.#alarm(`The token does not have the key ${keyId}`, null)
        if (since || isMissing) {
          const audit = since ? [auditEvent('key.missing', { keyId })] : []
          await this.#store.flagMissing(keyId, since, audit)
        }
      }
      if (page.length < PAGE) break
    }
    return missing
  }

  async #isOurs(token: string): Promise<boolean> {
    const isOurs = await this.#hasAny().catch(() => null)
    // What cannot be found out is held against nobody.
    if (isOurs === null) return this.#custody.ready()
    if (isOurs) {
      this.#ours = token
    } else {
      if (token !== this.#another?.token) {
        this.#alarm('The token in place has none of the keys on record', null)
      }
      this.#another = { token, until: performance.now() + ASK_AGAIN_MS }
    }
    return isOurs
  }

  /**
   * Whether any key that somebody owns can be used: of several tokens one may be another, and one-time keys
   * come and go. Also when nobody owns any.
   * @throws when the token cannot be asked
   */
  async #hasAny(): Promise<boolean> {
    const resident = await this.#store.listResident('', RESIDENT_SAMPLE)
    for (const { keyId } of resident) if (await this.#custody.publicKey(keyId)) return true
    const wrapped = await this.#store.listWrapped(WRAPPED_SAMPLE)
    for (const keyId of wrapped) {
      // It was not made under the wrapping keys of another token.
      if (await this.#custody.publicKey(keyId).catch(() => null)) return true
    }
    if (!this.#custody.listKeyIds) return resident.length + wrapped.length === 0
    const there = new Set(await this.#custody.listKeyIds())
    let owned = wrapped.length
    for (let after = ''; ;) {
      const page = await this.#store.listResident(after, PAGE)
      if (page.some(({ keyId }) => there.has(keyId))) return true
      owned += page.length
      after = page.at(-1)?.keyId ?? after
      if (page.length < PAGE) return owned === 0
    }
  }

  async #generate(
    algorithm: KeyAlgorithm,
    keyId: string,
    state: 'made' | 'spare',
  ): Promise<GeneratedKey> {
    await this.#store.intend({ keyId, algorithm, abandonedAt: this.#abandonedAt() })
    const key = await this.#custody.generate(algorithm, keyId)
    if (key.keyId !== keyId) throw new Error('The custody gave a key another name')
    if (await this.#store.made(key, state, this.#abandonedAt())) return key
    await this.#custody.destroy(keyId)
    throw new HsmUnavailableError('A new key was given up while it was made')
  }

  #abandonedAt(): Date {
    return new Date(this.#now().getTime() + ABANDONED_MS)
  }
}
