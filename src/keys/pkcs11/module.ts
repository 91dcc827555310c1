import { randomBytes } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import pkcs11 from 'pkcs11js'
import type { HashName } from '../algorithms.js'
import { BackgroundCalls } from './background-calls.js'
import { BindingCalls, type SlowCalls } from './binding-calls.js'
import { numberOf } from './function-list.js'
import { join, part } from '../threads/native-jobs.js'
import { nativeThreads } from '../threads/native-threads.js'
import { CountedPinError, LastTryError, NoSuchTokenError, TokenError } from './ckr.js'
import { Pace } from './pace.js'
import type {
  KeyHandle,
  KeyPairHandles,
  KeyPairTemplate,
  Mechanism,
  OpenSession,
  PrivateKeyAttributes,
  PublicKeyValue,
  SecretKeyAttributes,
  SecretKeyTemplate,
  Token,
  TokenFacts,
  UnwrapTemplate,
  WrappedBlob,
  WrapVariant,
} from './session.js'
import {
  keyPairTemplates,
  MECHANISMS,
  secretKeyTemplate,
  ulong,
  unwrapTemplate,
  wrapMechanism,
} from './templates.js'

/** A loaded library. It stays loaded for good: unloading pulls code from under its own threads. */
interface Library {
  readonly api: pkcs11.PKCS11
  readonly background: SlowCalls
  /** Where threads may call it, too: they find the same functions. */
  readonly sharedFile: string | null
  /** How long C_SignInit takes. */
  readonly signInitPace: Pace
  /** How long a signature takes, C_SignInit included. */
  readonly signPace: Pace
  /** Sessions of all tokens in use. */
  openSessions: number
  /** Tokens in use; the library is initialised while there are any. */
  users: number
  /** For all of them. */
  initialised: Promise<void>
}

const libraries = new Map<string, Library>()

/**
 * C_Initialize runs once for all users of a library in this process, and with OS locking: without
 * that flag the locks of SoftHSM are off and parallel calls crash it. A library that somebody else
 * has initialised is refused, because nobody knows how.
 */
async function acquireLibrary(path: string, parameters?: string): Promise<Library> {
  const library = loadLibrary(realpathSync(path))
  library.users += 1
  if (library.users === 1) library.initialised = initialise(library, parameters)
  try {
    await library.initialised
    return library
  } catch (error) {
    library.users -= 1
    throw error
  }
}

function loadLibrary(file: string): Library {
  const known = libraries.get(file)
  if (known) return known
  const api = new pkcs11.PKCS11()
  api.load(file)
  const own = new BackgroundCalls(file)
  const library = {
    ...{ api, background: own.isShared ? own : new BindingCalls(api) },
    sharedFile: own.isShared ? file : null,
    ...{ signInitPace: new Pace(), signPace: new Pace(), openSessions: 0, users: 0 },
    initialised: Promise.resolve(),
  }
  libraries.set(file, library)
  return library
}

function initialise({ background }: Library, parameters?: string): Promise<void> {
  const begin = () => background.initialise(pkcs11.CKF_OS_LOCKING_OK, parameters)
  return inTurn(() => awaited('C_Initialize', begin()))
}

function finalise({ background }: Library): Promise<void> {
  return inTurn(() => awaited('C_Finalize', background.finalise()))
}

let lastTurn: Promise<void> = Promise.resolve()
const LONGEST_TURN_MS = 2_000

/**
 * Libraries begin and end one at a time: they share others, and the environment, which were not made for more.
 * One that waits for a token it cannot reach holds up the next for a moment only.
 */
function inTurn(act: () => Promise<void>): Promise<void> {
  const longest = pause(LONGEST_TURN_MS, undefined, { ref: false })
  const mine = Promise.race([lastTurn, longest]).then(act)
  lastTurn = mine.catch(() => undefined)
  return mine
}

export interface TokenLocation {
  /** Path of the PKCS#11 library. */
  readonly module: string
  readonly tokenLabel: string
  /** User PIN. */
  readonly pin: string
  /** What libraries want to hear at C_Initialize that are derived from NSS. */
  readonly libraryParameters?: string | undefined
}

export async function openToken(location: TokenLocation): Promise<Token> {
  const { module, tokenLabel, pin, libraryParameters } = location
  const library = await acquireLibrary(module, libraryParameters)
  const { background } = library
  const login = new Login(background, pin)
  let released = false
  return {
    get signsTogether() {
      return mayUseThreads(library) ? MOST_TOGETHER : 1
    },
    describe: async () => describe(background, (await find(background, tokenLabel)).slot),
    async openSession() {
      const found = await find(background, tokenLabel)
      const { slot } = found
      const flags = pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION
      const handle = await awaited('C_OpenSession', background.openSession(slot, flags))
      const session = new ModuleSession(library, slot, handle)
      try {
        await login.demand(session, handle, found)
      } catch (error) {
        await session.close()
        throw error
      }
      return session
    },
    async reinitialise() {
      if (library.users === 1 && library.openSessions === 0) {
        await finalise(library).catch(() => undefined) // it may not be initialised
      }
      try {
        await initialise(library, libraryParameters)
      } catch (error) {
        const back =
          error instanceof TokenError && error.ckr.name === 'CKR_CRYPTOKI_ALREADY_INITIALIZED'
        if (!back) throw error
      }
    },
    async release() {
      if (released) return
      released = true
      library.users -= 1
      if (library.users === 0) await finalise(library)
    },
  }
}

async function describe(background: SlowCalls, slot: Buffer): Promise<TokenFacts> {
  const token = await awaited('C_GetTokenInfo', background.token(slot))
  const mechanisms = await awaited('C_GetMechanismList', background.mechanisms(slot))
  const { label, manufacturer, model, serialNumber } = token
  const limits = token.sessionLimits.filter(isLimit)
  const mostSessions = limits.length === 0 ? null : Math.min(...limits)
  return { label, manufacturer, model, serialNumber, mostSessions, mechanisms }
}

/** Zero stands for "any number", and numbers near the largest for that or for "not known". */
function isLimit(count: number): boolean {
  return count > 0 && count < 0x7fffffff
}

interface FoundSlot {
  readonly slot: Buffer
  /** CKF_…, of its token. */
  readonly flags: number
}

/** Slot numbers move when tokens are re-plugged; labels do not. */
async function find(background: SlowCalls, tokenLabel: string): Promise<FoundSlot> {
  const matches: FoundSlot[] = []
  const shown: string[] = []
  for (const slot of await awaited('C_GetSlotList', background.slots())) {
    // a slot that does not answer is not the one we look for
    const { label, flags } = (await background.token(slot).catch(() => null)) ?? NOTHING
    if (label === tokenLabel) matches.push({ slot, flags })
    if (label) shown.push(label)
  }
  const [found, another] = matches
  if (found === undefined || another !== undefined) throw new NoSuchTokenError(tokenLabel, shown)
  return found
}

const NOTHING = { label: null, flags: 0 }

/**
 * Login is per application and token, so one session logs in for all, one at a time. A PIN that was
 * refused is not tried again, not even by those who wait: tokens lock (S93).
 */
class Login {
  readonly #background: SlowCalls
  readonly #pin: string
  #last: Promise<void> = Promise.resolve()
  #refusal: TokenError | null = null

  constructor(background: SlowCalls, pin: string) {
    this.#background = background
    this.#pin = pin
  }

  demand(session: ModuleSession, handle: Buffer, found: FoundSlot): Promise<void> {
    const mine = this.#last.then(async () => {
      if (this.#refusal !== null) throw this.#refusal
      if (await session.isLoggedIn()) return
      // One more wrong PIN, and the token locks.
      const isLastTry = (found.flags & pkcs11.CKF_USER_PIN_FINAL_TRY) !== 0
      if (isLastTry) throw (this.#refusal = new LastTryError())
      await this.#logIn(handle, found)
    })
    this.#last = mine.catch(() => undefined)
    return mine
  }

  async #logIn(handle: Buffer, found: FoundSlot): Promise<void> {
    try {
      await awaited('C_Login', this.#background.login(handle, pkcs11.CKU_USER, this.#pin))
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      if (error.ckr.name === 'CKR_USER_ALREADY_LOGGED_IN') return
      if (error.ckr.pinRefused) this.#refusal = error
      else if (await this.#isCounted(found)) this.#refusal = new CountedPinError(error)
      throw this.#refusal ?? error
    }
  }

  /** Whether the token has counted a wrong PIN since it was found: some say with codes of their own that it was one. */
  async #isCounted({ slot, flags }: FoundSlot): Promise<boolean> {
    const now = await this.#background.token(slot).catch(() => NOTHING)
    return (now.flags & ~flags & WRONG_PINS) !== 0
  }
}

const WRONG_PINS =
  pkcs11.CKF_USER_PIN_COUNT_LOW | pkcs11.CKF_USER_PIN_FINAL_TRY | pkcs11.CKF_USER_PIN_LOCKED

async function awaited<T>(call: string, result: Promise<T>): Promise<T> {
  try {
    return await result
  } catch (error) {
    throw new TokenError(call, error)
  }
}

function attempt<T>(call: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw new TokenError(call, error)
  }
}

/** So many take milliseconds where signatures are quick, and nobody waits long for them. */
const MOST_TOGETHER = 16

/** Waiting for a token in other hardware takes threads that do nothing else; there are few of these. */
function mayUseThreads({ sharedFile, signPace }: Library): boolean {
  return sharedFile !== null && signPace.isQuick && nativeThreads.areReady
}

/** A wrapped RSA-4096 key has about 2,500 bytes. */
const WRAPPED_SPACE = 4096

/** CKS_RW_USER_FUNCTIONS; the binding does not export states. */
const LOGGED_IN = 3
/** Longest signature of any key we make is RSA-4096's 512 bytes. */
const SIGNATURE_SPACE = 1024

const PSS_HASHES: Readonly<Record<HashName, { hashAlg: number; mgf: number }>> = {
  sha256: { hashAlg: pkcs11.CKM_SHA256, mgf: pkcs11.CKG_MGF1_SHA256 },
  sha384: { hashAlg: pkcs11.CKM_SHA384, mgf: pkcs11.CKG_MGF1_SHA384 },
  sha512: { hashAlg: pkcs11.CKM_SHA512, mgf: pkcs11.CKG_MGF1_SHA512 },
}

/** The binding keeps no reference to what native code reads and writes; this does. */
const buffersInUse = new Set<readonly Buffer[]>()

class ModuleSession implements OpenSession {
  readonly #library: Library
  readonly #api: pkcs11.PKCS11
  readonly #background: SlowCalls
  readonly #slot: Buffer
  readonly #handle: Buffer

  constructor(library: Library, slot: Buffer, handle: Buffer) {
    this.#library = library
    this.#api = library.api
    this.#background = library.background
    this.#slot = slot
    this.#handle = handle
    library.openSessions += 1
  }

  async isLoggedIn(): Promise<boolean> {
    const state = await awaited('C_GetSessionInfo', this.#background.sessionState(this.#handle))
    return state === LOGGED_IN
  }

  async probe(): Promise<string> {
    if (!(await this.isLoggedIn())) {
      throw new TokenError('C_GetSessionInfo', new Error('CKR_USER_NOT_LOGGED_IN'))
    }
    const look = () => awaited('C_GetTokenInfo', this.#background.token(this.#slot))
    const token = await look().catch((error: unknown) => {
      if (error instanceof TokenError && error.isInPassing) return look()
      throw error
    })
    return `${token.manufacturer} ${token.serialNumber}`
  }

  findPrivateKeys(id: Buffer): Promise<KeyHandle[]> {
    return this.#find(pkcs11.CKO_PRIVATE_KEY, id)
  }

  findPublicKeys(id: Buffer): Promise<KeyHandle[]> {
    return this.#find(pkcs11.CKO_PUBLIC_KEY, id)
  }

  findSecretKeys(id: Buffer): Promise<KeyHandle[]> {
    return this.#find(pkcs11.CKO_SECRET_KEY, id)
  }

  async listPrivateKeyIds(): Promise<Buffer[]> {
    const ids: Buffer[] = []
    for (const handle of await this.#findAll(pkcs11.CKO_PRIVATE_KEY)) {
      ids.push(await this.#attribute({ handle }, pkcs11.CKA_ID))
    }
    return ids
  }

  #findAll(objectClass: number): Promise<Buffer[]> {
    const template = [
      { type: pkcs11.CKA_CLASS, value: ulong(objectClass, this.#handle.length) },
      { type: pkcs11.CKA_TOKEN, value: Buffer.of(1) },
    ]
    return awaited('C_FindObjects', this.#background.findAllObjects(this.#handle, template))
  }

  async #find(objectClass: number, id: Buffer): Promise<KeyHandle[]> {
    const template = [
      { type: pkcs11.CKA_CLASS, value: ulong(objectClass, this.#handle.length) },
      { type: pkcs11.CKA_ID, value: id },
    ]
    const found = this.#background.findObjects(this.#handle, template, 2)
    return (await awaited('C_FindObjects', found)).map((handle) => ({ handle }))
  }

  async #signOne(key: KeyHandle, mechanism: Mechanism, data: Buffer): Promise<Buffer> {
    await this.#signInit(mechanism, key)
    const buffers = [data, Buffer.alloc(SIGNATURE_SPACE)] as const
    buffersInUse.add(buffers)
    try {
      return Buffer.from(await this.#api.C_SignAsync(this.#handle, ...buffers))
    } catch (error) {
      throw new TokenError('C_Sign', error)
    } finally {
      buffersInUse.delete(buffers)
    }
  }

  async sign(key: KeyHandle, mechanism: Mechanism, data: readonly Buffer[]): Promise<Buffer[]> {
    if (data.length > 1 && mayUseThreads(this.#library))
      return this.#signOnThread(key, mechanism, data)
    const signatures: Buffer[] = []
    for (const each of data) {
      try {
        signatures.push(await this.#signOne(key, mechanism, each))
      } catch (error) {
        if (!(error instanceof TokenError)) throw error
        throw new TokenError(error.call, error.cause, signatures.length)
      }
    }
    return signatures
  }

  async #signOnThread(
    key: KeyHandle,
    mechanism: Mechanism,
    inputs: readonly Buffer[],
  ): Promise<Buffer[]> {
    const { type, parameter } = packedMechanism(mechanism, this.#handle.length)
    const { signatures, failure, took } = await awaited(
      'C_Sign',
      nativeThreads.run({
        ...({
          kind: 'sign',
          module: this.#library.sharedFile ?? '',
          inputs: join(inputs),
        } as const),
        ...{ session: numberOf(this.#handle), key: numberOf(key.handle) },
        ...{ mechanism: type, parameter },
      }),
    )
    this.#library.signPace.took(took / inputs.length)
    if (failure) throw new TokenError(failure.call, failure, signatures.lengths.length)
    return part(signatures)
  }

  /**
   * On the event loop as long as the token is quick about it: the way to a thread and back costs a
   * quarter of the throughput. Tokens that are asked over a network are not quick.
   */
  async #signInit(mechanism: Mechanism, key: KeyHandle): Promise<void> {
    const { signInitPace } = this.#library
    if (!signInitPace.isQuick) {
      const packed = packedMechanism(mechanism, this.#handle.length)
      const begun = this.#background.signInit(this.#handle, packed, key.handle)
      await awaited('C_SignInit', begun)
      return
    }
    const native = nativeMechanism(mechanism)
    const started = performance.now()
    try {
      attempt('C_SignInit', () => this.#api.C_SignInit(this.#handle, native, key.handle))
    } finally {
      signInitPace.took(performance.now() - started)
    }
  }

  async generateKeyPair(template: KeyPairTemplate): Promise<KeyPairHandles> {
    const { mechanism, publicKey, privateKey } = keyPairTemplates(template)
    try {
      const pair = await this.#api.C_GenerateKeyPairAsync(
        this.#handle,
        { mechanism },
        publicKey,
        privateKey,
      )
      return { privateKey: { handle: pair.privateKey }, publicKey: { handle: pair.publicKey } }
    } catch (error) {
      throw new TokenError('C_GenerateKeyPair', error)
    }
  }

  async generateSecretKey(wanted: SecretKeyTemplate): Promise<KeyHandle> {
    const { mechanism, template } = secretKeyTemplate(wanted)
    try {
      const key = this.#api.C_GenerateKeyAsync(this.#handle, { mechanism }, template)
      return { handle: await key }
    } catch (error) {
      throw new TokenError('C_GenerateKey', error)
    }
  }

  async secretKeyAttributes(key: KeyHandle): Promise<SecretKeyAttributes> {
    const flag = (type: number) => this.#flag(key, type)
    return {
      sensitive: await flag(pkcs11.CKA_SENSITIVE),
      extractable: await flag(pkcs11.CKA_EXTRACTABLE),
      neverExtractable: await flag(pkcs11.CKA_NEVER_EXTRACTABLE),
      local: await flag(pkcs11.CKA_LOCAL),
      wrap: await flag(pkcs11.CKA_WRAP),
      unwrap: await flag(pkcs11.CKA_UNWRAP),
      encrypt: await flag(pkcs11.CKA_ENCRYPT),
      decrypt: await flag(pkcs11.CKA_DECRYPT),
      sign: await flag(pkcs11.CKA_SIGN),
      trusted: await flag(pkcs11.CKA_TRUSTED),
    }
  }

  async wrap(wrapping: KeyHandle, variant: WrapVariant, key: KeyHandle): Promise<WrappedBlob> {
    const iv = variant === 'aes-cbc-pad' ? randomBytes(16) : Buffer.alloc(0)
    const space = Buffer.alloc(WRAPPED_SPACE)
    const mechanism = wrapMechanism(variant, iv)
    const { handle } = wrapping
    const buffers = [iv, space]
    buffersInUse.add(buffers)
    try {
      const bytes = this.#api.C_WrapKeyAsync(this.#handle, mechanism, handle, key.handle, space)
      return { variant, iv, bytes: Buffer.from(await bytes) }
    } catch (error) {
      throw new TokenError('C_WrapKey', error)
    } finally {
      buffersInUse.delete(buffers)
    }
  }

  async unwrap(
    wrapping: KeyHandle,
    { variant, iv, bytes }: WrappedBlob,
    template: UnwrapTemplate,
  ): Promise<KeyHandle> {
    const mechanism = wrapMechanism(variant, iv)
    const attributes = unwrapTemplate(template)
    const buffers = [iv, bytes]
    buffersInUse.add(buffers)
    try {
      const { handle } = wrapping
      return {
        handle: await this.#api.C_UnwrapKeyAsync(
          ...([this.#handle, mechanism, handle, bytes, attributes] as const),
        ),
      }
    } catch (error) {
      throw new TokenError('C_UnwrapKey', error)
    } finally {
      buffersInUse.delete(buffers)
    }
  }

  async mac(key: KeyHandle, data: Buffer): Promise<Buffer> {
    const mechanism = { type: pkcs11.CKM_SHA256_HMAC, parameter: null }
    const begun = this.#background.signInit(this.#handle, mechanism, key.handle)
    await awaited('C_SignInit', begun)
    const buffers = [data, Buffer.alloc(SIGNATURE_SPACE)] as const
    buffersInUse.add(buffers)
    try {
      return Buffer.from(await this.#api.C_SignAsync(this.#handle, ...buffers))
    } catch (error) {
      throw new TokenError('C_Sign (MAC)', error)
    } finally {
      buffersInUse.delete(buffers)
    }
  }

  async privateKeyAttributes(key: KeyHandle): Promise<PrivateKeyAttributes> {
    const flag = (type: number) => this.#flag(key, type)
    return {
      token: await flag(pkcs11.CKA_TOKEN),
      private: await flag(pkcs11.CKA_PRIVATE),
      sensitive: await flag(pkcs11.CKA_SENSITIVE),
      alwaysSensitive: await flag(pkcs11.CKA_ALWAYS_SENSITIVE),
      extractable: await flag(pkcs11.CKA_EXTRACTABLE),
      neverExtractable: await flag(pkcs11.CKA_NEVER_EXTRACTABLE),
      local: await flag(pkcs11.CKA_LOCAL),
      sign: await flag(pkcs11.CKA_SIGN),
      signRecover: await flag(pkcs11.CKA_SIGN_RECOVER),
      decrypt: await flag(pkcs11.CKA_DECRYPT),
      unwrap: await flag(pkcs11.CKA_UNWRAP),
      derive: await flag(pkcs11.CKA_DERIVE),
      allowedMechanisms: readMechanisms(
        await this.#statedAttribute(key, pkcs11.CKA_ALLOWED_MECHANISMS),
        key.handle.length,
      ),
    }
  }

  async publicKeyValue(key: KeyHandle): Promise<PublicKeyValue> {
    const keyType = await this.#attribute(key, pkcs11.CKA_KEY_TYPE)
    if (keyType.equals(ulong(pkcs11.CKK_EC, keyType.length))) {
      return {
        type: 'ec',
        parameters: await this.#attribute(key, pkcs11.CKA_EC_PARAMS),
        point: await this.#attribute(key, pkcs11.CKA_EC_POINT),
      }
    }
    return {
      type: 'rsa',
      modulus: await this.#attribute(key, pkcs11.CKA_MODULUS),
      exponent: await this.#attribute(key, pkcs11.CKA_PUBLIC_EXPONENT),
    }
  }

  async #flag(key: KeyHandle, type: number): Promise<boolean> {
    return (await this.#statedAttribute(key, type)).equals(Buffer.of(1))
  }

  /** Empty for an attribute this token has never heard of. */
  async #statedAttribute(key: KeyHandle, type: number): Promise<Buffer> {
    try {
      return await this.#attribute(key, type)
    } catch (error) {
      const unknown = error instanceof TokenError && error.ckr.name === 'CKR_ATTRIBUTE_TYPE_INVALID'
      if (!unknown) throw error
      return Buffer.alloc(0)
    }
  }

  #attribute(key: KeyHandle, type: number): Promise<Buffer> {
    const value = this.#background.attribute(this.#handle, key.handle, type)
    return awaited('C_GetAttributeValue', value)
  }

  async destroy(key: KeyHandle): Promise<void> {
    await awaited('C_DestroyObject', this.#background.destroyObject(this.#handle, key.handle))
  }

  async close(): Promise<void> {
    try {
      await this.#background.closeSession(this.#handle)
    } catch {
      // the token has forgotten the session already; it was to go anyway
    } finally {
      this.#library.openSessions -= 1
    }
  }
}

function nativeMechanism(mechanism: Mechanism): pkcs11.Mechanism {
  const type = MECHANISMS[mechanism.kind]
  if (mechanism.kind !== 'rsa-pkcs-pss') return { mechanism: type }
  const parameter: pkcs11.RsaPSS = {
    type: pkcs11.CK_PARAMS_RSA_PSS,
    ...PSS_HASHES[mechanism.hash],
    saltLen: mechanism.saltLength,
  }
  return { mechanism: type, parameter }
}

function packedMechanism(mechanism: Mechanism, ulongLength: number) {
  const type = MECHANISMS[mechanism.kind]
  if (mechanism.kind !== 'rsa-pkcs-pss') return { type, parameter: null }
  const { hashAlg, mgf } = PSS_HASHES[mechanism.hash]
  const members = [hashAlg, mgf, mechanism.saltLength].map((value) => ulong(value, ulongLength))
  return { type, parameter: Buffer.concat(members) }
}

/** A mechanism we have no name for makes the whole list useless, so it is read as empty. */
function readMechanisms(list: Buffer, ulongLength: number): Mechanism['kind'][] {
  const kinds = Object.keys(MECHANISMS) as Mechanism['kind'][]
  const names: Mechanism['kind'][] = []
  for (let at = 0; at < list.length; at += ulongLength) {
    const value = list.subarray(at, at + ulongLength)
    const name = kinds.find((kind) => ulong(MECHANISMS[kind], ulongLength).equals(value))
    if (name === undefined) return []
    names.push(name)
  }
  return names
}
