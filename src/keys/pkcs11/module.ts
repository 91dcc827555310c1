import { realpathSync } from 'node:fs'
import { endianness } from 'node:os'
import pkcs11 from 'pkcs11js'
import { KEY_ALGORITHMS, type HashName, type KeyAlgorithm } from '../algorithms.js'
import { TokenError } from './ckr.js'
import type {
  KeyHandle,
  KeyPairHandles,
  Mechanism,
  OpenSession,
  PrivateKeyAttributes,
  PublicKeyValue,
  Token,
} from './session.js'

/** A loaded library. It stays loaded for good: unloading pulls code from under its own threads. */
interface Library {
  readonly api: pkcs11.PKCS11
  /** Tokens in use; the library is initialised while there are any. */
  users: number
}

const libraries = new Map<string, Library>()

/**
 * C_Initialize runs once for all users of a library in this process, and with OS locking: without
 * that flag the locks of SoftHSM are off and parallel calls crash it. A library that somebody else
 * has initialised is refused, because nobody knows how.
 */
function acquireLibrary(path: string): Library {
  const file = realpathSync(path)
  let library = libraries.get(file)
  if (library === undefined) {
    const api = new pkcs11.PKCS11()
    api.load(file)
    library = { api, users: 0 }
    libraries.set(file, library)
  }
  if (library.users === 0) initialise(library.api)
  library.users += 1
  return library
}

function initialise(api: pkcs11.PKCS11): void {
  attempt('C_Initialize', () => api.C_Initialize({ flags: pkcs11.CKF_OS_LOCKING_OK }))
}

export interface TokenLocation {
  /** Path of the PKCS#11 library. */
  readonly module: string
  readonly tokenLabel: string
  /** User PIN. */
  readonly pin: string
}

export function openToken({ module, tokenLabel, pin }: TokenLocation): Token {
  const library = acquireLibrary(module)
  const { api } = library
  let released = false
  return {
    openSession() {
      const slot = slotOf(api, tokenLabel)
      const flags = pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION
      const handle = attempt('C_OpenSession', () => api.C_OpenSession(slot, flags))
      const session = new ModuleSession(api, handle)
      try {
        if (!session.isLoggedIn()) login(api, handle, pin)
      } catch (error) {
        session.close()
        throw error
      }
      return session
    },
    reinitialise() {
      try {
        initialise(api)
      } catch (error) {
        const back =
          error instanceof TokenError && error.ckr.name === 'CKR_CRYPTOKI_ALREADY_INITIALIZED'
        if (!back) throw error
      }
    },
    release() {
      if (released) return
      released = true
      library.users -= 1
      if (library.users === 0) attempt('C_Finalize', () => api.C_Finalize())
    },
  }
}

/** Slot numbers move when tokens are re-plugged; labels do not. */
function slotOf(api: pkcs11.PKCS11, tokenLabel: string): Buffer {
  const slots = attempt('C_GetSlotList', () => api.C_GetSlotList(true))
  const matches = slots.filter((slot) => labelOf(api, slot) === tokenLabel)
  const [slot] = matches
  if (slot === undefined || matches.length > 1) {
    throw new TokenError('C_GetSlotList', new Error('CKR_TOKEN_NOT_PRESENT'))
  }
  return slot
}

function labelOf(api: pkcs11.PKCS11, slot: Buffer): string | null {
  try {
    return api.C_GetTokenInfo(slot).label.trimEnd()
  } catch {
    return null // a slot that does not answer is not the one we look for
  }
}

/** Login is per application and token: another session of ours may have been first. */
function login(api: pkcs11.PKCS11, session: Buffer, pin: string): void {
  try {
    attempt('C_Login', () => api.C_Login(session, pkcs11.CKU_USER, pin))
  } catch (error) {
    const done = error instanceof TokenError && error.ckr.name === 'CKR_USER_ALREADY_LOGGED_IN'
    if (!done) throw error
  }
}

function attempt<T>(call: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw new TokenError(call, error)
  }
}

/** CKS_RW_USER_FUNCTIONS; the binding does not export states. */
const LOGGED_IN = 3
/** Longest signature of any key we make is RSA-4096's 512 bytes. */
const SIGNATURE_SPACE = 1024

const MECHANISMS: Readonly<Record<Mechanism['kind'], number>> = {
  'rsa-pkcs': pkcs11.CKM_RSA_PKCS,
  'rsa-pkcs-pss': pkcs11.CKM_RSA_PKCS_PSS,
  ecdsa: pkcs11.CKM_ECDSA,
}

const PSS_HASHES: Readonly<Record<HashName, { hashAlg: number; mgf: number }>> = {
  sha256: { hashAlg: pkcs11.CKM_SHA256, mgf: pkcs11.CKG_MGF1_SHA256 },
  sha384: { hashAlg: pkcs11.CKM_SHA384, mgf: pkcs11.CKG_MGF1_SHA384 },
  sha512: { hashAlg: pkcs11.CKM_SHA512, mgf: pkcs11.CKG_MGF1_SHA512 },
}

/** The binding keeps no reference to what native code reads and writes; this does. */
const buffersInUse = new Set<readonly Buffer[]>()

class ModuleSession implements OpenSession {
  readonly #api: pkcs11.PKCS11
  readonly #handle: Buffer

  constructor(api: pkcs11.PKCS11, handle: Buffer) {
    this.#api = api
    this.#handle = handle
  }

  isLoggedIn(): boolean {
    const info = attempt('C_GetSessionInfo', () => this.#api.C_GetSessionInfo(this.#handle))
    return info.state === LOGGED_IN
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures become rejections
  async probe(): Promise<void> {
    if (!this.isLoggedIn()) {
      throw new TokenError('C_GetSessionInfo', new Error('CKR_USER_NOT_LOGGED_IN'))
    }
  }

  findPrivateKeys(id: Buffer): Promise<KeyHandle[]> {
    return this.#find(pkcs11.CKO_PRIVATE_KEY, id)
  }

  findPublicKeys(id: Buffer): Promise<KeyHandle[]> {
    return this.#find(pkcs11.CKO_PUBLIC_KEY, id)
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures become rejections
  async #find(objectClass: number, id: Buffer): Promise<KeyHandle[]> {
    const template = [
      { type: pkcs11.CKA_CLASS, value: objectClass },
      { type: pkcs11.CKA_ID, value: id },
    ]
    attempt('C_FindObjectsInit', () => this.#api.C_FindObjectsInit(this.#handle, template))
    try {
      const found = attempt('C_FindObjects', () => this.#api.C_FindObjects(this.#handle, 2))
      return found.map((handle) => ({ handle }))
    } finally {
      attempt('C_FindObjectsFinal', () => this.#api.C_FindObjectsFinal(this.#handle))
    }
  }

  async sign(key: KeyHandle, mechanism: Mechanism, data: Buffer): Promise<Buffer> {
    attempt('C_SignInit', () =>
      this.#api.C_SignInit(this.#handle, nativeMechanism(mechanism), key.handle),
    )
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

  async generateKeyPair(
    algorithm: KeyAlgorithm,
    id: Buffer,
    locked: boolean,
  ): Promise<KeyPairHandles> {
    const { mechanism, publicKey, privateKey } = keyPairTemplates(algorithm, id, locked)
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

  // eslint-disable-next-line @typescript-eslint/require-await -- failures become rejections
  async privateKeyAttributes(key: KeyHandle): Promise<PrivateKeyAttributes> {
    const flag = (type: number) => this.#attribute(key, type).equals(Buffer.of(1))
    return {
      token: flag(pkcs11.CKA_TOKEN),
      private: flag(pkcs11.CKA_PRIVATE),
      sensitive: flag(pkcs11.CKA_SENSITIVE),
      alwaysSensitive: flag(pkcs11.CKA_ALWAYS_SENSITIVE),
      extractable: flag(pkcs11.CKA_EXTRACTABLE),
      neverExtractable: flag(pkcs11.CKA_NEVER_EXTRACTABLE),
      local: flag(pkcs11.CKA_LOCAL),
      sign: flag(pkcs11.CKA_SIGN),
      signRecover: flag(pkcs11.CKA_SIGN_RECOVER),
      decrypt: flag(pkcs11.CKA_DECRYPT),
      unwrap: flag(pkcs11.CKA_UNWRAP),
      derive: flag(pkcs11.CKA_DERIVE),
      allowedMechanisms: readMechanisms(
        this.#attribute(key, pkcs11.CKA_ALLOWED_MECHANISMS),
        key.handle.length,
      ),
    }
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures become rejections
  async publicKeyValue(key: KeyHandle): Promise<PublicKeyValue> {
    const keyType = this.#attribute(key, pkcs11.CKA_KEY_TYPE)
    if (keyType.equals(ulong(pkcs11.CKK_EC, keyType.length))) {
      return {
        type: 'ec',
        parameters: this.#attribute(key, pkcs11.CKA_EC_PARAMS),
        point: this.#attribute(key, pkcs11.CKA_EC_POINT),
      }
    }
    return {
      type: 'rsa',
      modulus: this.#attribute(key, pkcs11.CKA_MODULUS),
      exponent: this.#attribute(key, pkcs11.CKA_PUBLIC_EXPONENT),
    }
  }

  #attribute(key: KeyHandle, type: number): Buffer {
    const [attribute] = attempt('C_GetAttributeValue', () =>
      this.#api.C_GetAttributeValue(this.#handle, key.handle, [{ type }]),
    )
    return attribute?.value ?? Buffer.alloc(0)
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures become rejections
  async destroy(key: KeyHandle): Promise<void> {
    attempt('C_DestroyObject', () => this.#api.C_DestroyObject(this.#handle, key.handle))
  }

  close(): void {
    try {
      this.#api.C_CloseSession(this.#handle)
    } catch {
      // the token has forgotten the session already; it was to go anyway
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

/** What keys of a family may be used for; the token itself refuses everything else. */
export function allowedMechanisms(algorithm: KeyAlgorithm): readonly Mechanism['kind'][] {
  return KEY_ALGORITHMS[algorithm].family === 'rsa' ? ['rsa-pkcs', 'rsa-pkcs-pss'] : ['ecdsa']
}

function keyPairTemplates(algorithm: KeyAlgorithm, id: Buffer, locked: boolean) {
  const { family, bits, curveOid } = KEY_ALGORITHMS[algorithm]
  const common = [
    { type: pkcs11.CKA_TOKEN, value: true },
    { type: pkcs11.CKA_KEY_TYPE, value: family === 'rsa' ? pkcs11.CKK_RSA : pkcs11.CKK_EC },
    { type: pkcs11.CKA_ID, value: id },
    { type: pkcs11.CKA_LABEL, value: id.toString('hex') },
    { type: pkcs11.CKA_DERIVE, value: false },
  ]
  if (locked) {
    common.push(
      { type: pkcs11.CKA_MODIFIABLE, value: false },
      { type: pkcs11.CKA_COPYABLE, value: false },
    )
  }
  const kind =
    family === 'rsa'
      ? [
          { type: pkcs11.CKA_MODULUS_BITS, value: bits },
          { type: pkcs11.CKA_PUBLIC_EXPONENT, value: Buffer.of(1, 0, 1) },
        ]
      : [{ type: pkcs11.CKA_EC_PARAMS, value: encodeOid(curveOid ?? '') }]
  return {
    mechanism: family === 'rsa' ? pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN : pkcs11.CKM_EC_KEY_PAIR_GEN,
    publicKey: [
      { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_PUBLIC_KEY },
      ...common,
      ...kind,
      { type: pkcs11.CKA_PRIVATE, value: false },
      { type: pkcs11.CKA_VERIFY, value: true },
      { type: pkcs11.CKA_ENCRYPT, value: false },
      { type: pkcs11.CKA_WRAP, value: false },
    ],
    privateKey: [
      { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_PRIVATE_KEY },
      ...common,
      { type: pkcs11.CKA_PRIVATE, value: true },
      { type: pkcs11.CKA_SENSITIVE, value: true },
      { type: pkcs11.CKA_EXTRACTABLE, value: false },
      { type: pkcs11.CKA_SIGN, value: true },
      { type: pkcs11.CKA_SIGN_RECOVER, value: false },
      { type: pkcs11.CKA_DECRYPT, value: false },
      { type: pkcs11.CKA_UNWRAP, value: false },
      {
        type: pkcs11.CKA_ALLOWED_MECHANISMS,
        value: Buffer.concat(
          allowedMechanisms(algorithm).map((name) => ulong(MECHANISMS[name], ULONG_LENGTH)),
        ),
      },
    ],
  }
}

/** CK_ULONG is `unsigned long`: 8 bytes everywhere but on Windows and 32-bit machines. */
const ULONG_LENGTH = process.platform === 'win32' || ['arm', 'ia32'].includes(process.arch) ? 4 : 8

function ulong(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  if (endianness() === 'LE') bytes.writeUIntLE(value, 0, Math.min(length, 6))
  else bytes.writeUIntBE(value, Math.max(0, length - 6), Math.min(length, 6))
  return bytes
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

/** An OBJECT IDENTIFIER, DER. */
function encodeOid(oid: string): Buffer {
  const [first = 0, second = 0, ...rest] = oid.split('.').map(Number)
  const body = [first * 40 + second, ...rest].flatMap((arc) => {
    const septets = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) septets.unshift((left & 0x7f) | 0x80)
    return septets
  })
  return Buffer.from([0x06, body.length, ...body])
}
