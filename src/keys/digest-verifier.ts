import { createPublicKey, type KeyObject } from 'node:crypto'
import type { HashName, SignatureAlgorithm, SignatureScheme } from './algorithms.js'
import { koffi } from './foreign-functions.js'

/*
 * node:crypto verifies messages, and we have digests only. The OpenSSL inside Node can do it, so we
 * call it there. See docs/decisions/verify-digests-with-openssl-through-koffi.md.
 */

/** An address in native memory. */
type Pointer = bigint

const openssl = koffi.load(null)

/** One function of OpenSSL, given the type its C declaration stands for. */
function bind<F>(declaration: string): F {
  return openssl.func(declaration) as unknown as F
}

const d2iPubkey = bind<(out: null, der: [Buffer], length: number) => Pointer | null>(
  'void *d2i_PUBKEY(void *a, const uint8_t **pp, long length)',
)
const freeKey = bind<(key: Pointer) => void>('void EVP_PKEY_free(void *key)')
const newContext = bind<(key: Pointer, engine: null) => Pointer | null>(
  'void *EVP_PKEY_CTX_new(void *key, void *engine)',
)
const freeContext = bind<(context: Pointer) => void>('void EVP_PKEY_CTX_free(void *context)')
const initVerify = bind<(context: Pointer) => number>('int EVP_PKEY_verify_init(void *context)')
const digestByName = bind<(name: string) => Pointer | null>(
  'const void *EVP_get_digestbyname(const char *name)',
)
const setDigest = bind<(context: Pointer, digest: Pointer) => number>(
  'int EVP_PKEY_CTX_set_signature_md(void *context, const void *md)',
)
const setPadding = bind<(context: Pointer, padding: number) => number>(
  'int EVP_PKEY_CTX_set_rsa_padding(void *context, int padding)',
)
const setMgf1Digest = bind<(context: Pointer, digest: Pointer) => number>(
  'int EVP_PKEY_CTX_set_rsa_mgf1_md(void *context, const void *md)',
)
const setSaltLength = bind<(context: Pointer, length: number) => number>(
  'int EVP_PKEY_CTX_set_rsa_pss_saltlen(void *context, int length)',
)
const clearErrors = bind<() => void>('void ERR_clear_error()')

type VerifyArguments = [Pointer, Buffer, number, Buffer, number]
interface Verify {
  (...args: VerifyArguments): number
  async(...args: [...VerifyArguments, (error: unknown, result: number) => void]): void
}
const verify = bind<Verify>(
  'int EVP_PKEY_verify(void *context, const uint8_t *signature, size_t signatureLength, ' +
    'const uint8_t *digest, size_t digestLength)',
)

const PADDING: Readonly<Record<Exclude<SignatureScheme, 'ecdsa'>, number>> = {
  'rsa-pkcs1': 1,
  'rsa-pss': 6,
}

/** Curves whose verification takes long enough (0.5 to 2 ms) to be kept off the event loop. */
const SLOW_CURVES = ['secp384r1', 'secp521r1']

interface NativeKey {
  readonly address: Pointer
  readonly type: 'rsa' | 'ec'
  readonly slow: boolean
  /** Octets of an RSA signature, never fewer: OpenSSL takes a PSS signature without its leading zeros. */
  readonly signatureLength: number | null
}

const KEYS_KEPT = 1_000
const nativeKeys = new Map<string, NativeKey>()

/**
 * Whether `signature` over `digest` was made with the private half of `publicKeySpki`. Anything
 * malformed is `false`: signatures of a wrong length, keys that are none, digests that do not fit.
 * The buffers may be reused as soon as the call has returned its promise.
 */
export async function verifyDigest(
  publicKeySpki: Buffer,
  digest: Buffer,
  signature: Buffer,
  algorithm: SignatureAlgorithm,
): Promise<boolean> {
  const prepared = prepare(publicKeySpki, digest, signature, algorithm)
  if (prepared === null) return false
  if (!prepared.key.slow) return verifyNow(prepared.context, digest, signature)
  return verifyInBackground(prepared.context, Buffer.from(digest), Buffer.from(signature))
}

/** As `verifyDigest`, and holds up whoever calls: for threads that have nothing else to do. */
export function verifyDigestNow(
  publicKeySpki: Buffer,
  digest: Buffer,
  signature: Buffer,
  algorithm: SignatureAlgorithm,
): boolean {
  const prepared = prepare(publicKeySpki, digest, signature, algorithm)
  return prepared !== null && verifyNow(prepared.context, digest, signature)
}

function prepare(
  publicKeySpki: Buffer,
  digest: Buffer,
  signature: Buffer,
  algorithm: SignatureAlgorithm,
): { readonly key: NativeKey; readonly context: Pointer } | null {
  if (digest.length !== algorithm.hash.bytes || signature.length === 0) return null
  const key = nativeKey(publicKeySpki)
  if (key === null || (key.type === 'ec') !== (algorithm.scheme === 'ecdsa')) return null
  if (signature.length !== (key.signatureLength ?? signature.length)) return null
  const context = prepareContext(key, algorithm)
  return context === null ? null : { key, context }
}

function verifyNow(context: Pointer, digest: Buffer, signature: Buffer): boolean {
  try {
    return verify(context, signature, signature.length, digest, digest.length) === 1
  } finally {
    freeContext(context)
    clearErrors() // left in the queue, they would surface in unrelated TLS calls
  }
}

function prepareContext(key: NativeKey, algorithm: SignatureAlgorithm): Pointer | null {
  const context = newContext(key.address, null)
  if (context === null) return null
  if (initVerify(context) === 1 && configure(context, algorithm)) return context
  freeContext(context)
  clearErrors()
  return null
}

function configure(context: Pointer, { scheme, hash, saltLength }: SignatureAlgorithm): boolean {
  const md = nativeDigest(hash.name)
  if (scheme === 'ecdsa') return setDigest(context, md) === 1
  if (setPadding(context, PADDING[scheme]) !== 1 || setDigest(context, md) !== 1) return false
  if (scheme === 'rsa-pkcs1') return true
  return setMgf1Digest(context, md) === 1 && setSaltLength(context, saltLength ?? hash.bytes) === 1
}

const nativeDigests = new Map<HashName, Pointer>()

function nativeDigest(name: HashName): Pointer {
  const known = nativeDigests.get(name)
  if (known !== undefined) return known
  const found = digestByName(name)
  if (found === null) throw new Error(`OpenSSL does not know ${name}`)
  nativeDigests.set(name, found)
  return found
}

/** Native code reads these while JavaScript no longer refers to them. */
const inUse = new Set<{ digest: Buffer; signature: Buffer }>()
const AT_ONCE = 4
const waiting: (() => void)[] = []

async function verifyInBackground(context: Pointer, digest: Buffer, signature: Buffer) {
  while (inUse.size >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
  const buffers = { digest, signature }
  inUse.add(buffers)
  try {
    const result = await new Promise<number>((resolve, reject) => {
      verify.async(context, signature, signature.length, digest, digest.length, (error, value) => {
        if (error === null || error === undefined) resolve(value)
        else reject(error instanceof Error ? error : new Error('OpenSSL could not be called'))
      })
    })
    return result === 1
  } finally {
    inUse.delete(buffers)
    freeContext(context)
    waiting.shift()?.()
  }
}

/** Parsing a key costs as much as using it, and credentials sign more than once. */
function nativeKey(spki: Buffer): NativeKey | null {
  const name = spki.toString('latin1')
  const known = nativeKeys.get(name)
  if (known !== undefined) {
    nativeKeys.delete(name)
    nativeKeys.set(name, known)
    return known
  }
  const key = parseKey(spki)
  if (key === null) return null
  nativeKeys.set(name, key)
  if (nativeKeys.size > KEYS_KEPT) forgetOldestKey()
  return key
}

/** A verification under way holds a reference of its own in its context. */
function forgetOldestKey(): void {
  for (const [name, { address }] of nativeKeys) {
    nativeKeys.delete(name)
    freeKey(address)
    return
  }
}

function parseKey(spki: Buffer): NativeKey | null {
  const parsed = strictlyParsed(spki)
  const type = parsed?.asymmetricKeyType
  if (type !== 'rsa' && type !== 'ec') return null
  const address = d2iPubkey(null, [spki], spki.length)
  if (address === null) {
    clearErrors()
    return null
  }
  const { namedCurve = '', modulusLength = 0 } = parsed?.asymmetricKeyDetails ?? {}
  const signatureLength = type === 'rsa' ? Math.ceil(modulusLength / 8) : null
  return { address, type, slow: SLOW_CURVES.includes(namedCurve), signatureLength }
}

/** Only what encodes to the same bytes again: no trailing data, no BER, no second reading. */
function strictlyParsed(spki: Buffer): KeyObject | null {
  try {
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    return key.export({ format: 'der', type: 'spki' }).equals(spki) ? key : null
  } catch {
    return null
  }
}
