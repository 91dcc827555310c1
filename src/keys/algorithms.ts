import { createPublicKey } from 'node:crypto'
import * as asn1js from 'asn1js'
import { AlgorithmIdentifier, PublicKeyInfo, RSASSAPSSParams } from 'pkijs'
import { InvalidParameterError, MissingParameterError, RefusedRequestError } from '../errors.js'

export type HashName = 'sha256' | 'sha384' | 'sha512'

export interface HashAlgorithm {
  readonly oid: string
  readonly name: HashName
  /** Length of a digest. */
  readonly bytes: number
  /** What PKCS#1 v1.5 puts before the digest. @see RFC 8017, 9.2 */
  readonly digestInfoPrefix: Buffer
}

export const HASH_ALGORITHMS: Readonly<Record<HashName, HashAlgorithm>> = {
  sha256: {
    oid: '2.16.840.1.101.3.4.2.1',
    name: 'sha256',
    bytes: 32,
    digestInfoPrefix: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  },
  sha384: {
    oid: '2.16.840.1.101.3.4.2.2',
    name: 'sha384',
    bytes: 48,
    digestInfoPrefix: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
  },
  sha512: {
    oid: '2.16.840.1.101.3.4.2.3',
    name: 'sha512',
    bytes: 64,
    digestInfoPrefix: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
  },
}

export type SignatureScheme = 'rsa-pkcs1' | 'rsa-pss' | 'ecdsa'

export interface SignatureAlgorithm {
  readonly scheme: SignatureScheme
  readonly hash: HashAlgorithm
  /** RSASSA-PSS only; always the digest length. */
  readonly saltLength?: number
}

/** As the ledger and the audit log have it. */
export function describeAlgorithm({ scheme, hash }: SignatureAlgorithm): string {
  return `${scheme} ${hash.name}`
}

export type KeyAlgorithm = 'rsa-2048' | 'rsa-3072' | 'rsa-4096' | 'p-256' | 'p-384' | 'p-521'

/**
 * What this service makes and signs with. Every entry point reads this one list: key creation,
 * the parameters of a request, and the use of a key.
 *
 * Tightening it is a decision with a date. RSA with 2048 bits is here for the verifiers and cards
 * of today; agreed European mechanisms treat less than 3000 bits as legacy.
 */
export const ALGORITHM_POLICY: {
  readonly date: string
  readonly hashes: readonly HashName[]
  /** Which hashes each key may sign, the best match first. A key not named here is not allowed. */
  readonly keys: Readonly<Partial<Record<KeyAlgorithm, readonly HashName[]>>>
} = {
  date: '2026-11-22',
  hashes: ['sha256', 'sha384', 'sha512'],
  keys: {
    'rsa-2048': ['sha256', 'sha384', 'sha512'],
    'rsa-3072': ['sha256', 'sha384', 'sha512'],
    'rsa-4096': ['sha256', 'sha384', 'sha512'],
    'p-256': ['sha256', 'sha384', 'sha512'],
    'p-384': ['sha384', 'sha512', 'sha256'],
    'p-521': ['sha512', 'sha384', 'sha256'],
  },
}

const RSA_KEY_OID = '1.2.840.113549.1.1.1'
const EC_KEY_OID = '1.2.840.10045.2.1'
const RSA_PSS_OID = '1.2.840.113549.1.1.10'
const MGF1_OID = '1.2.840.113549.1.1.8'

/** Signature OIDs that name their hash. */
const CONCRETE_SIGNATURES: readonly {
  readonly oid: string
  readonly scheme: 'rsa-pkcs1' | 'ecdsa'
  readonly hash: HashName
}[] = [
  { oid: '1.2.840.113549.1.1.11', scheme: 'rsa-pkcs1', hash: 'sha256' },
  { oid: '1.2.840.113549.1.1.12', scheme: 'rsa-pkcs1', hash: 'sha384' },
  { oid: '1.2.840.113549.1.1.13', scheme: 'rsa-pkcs1', hash: 'sha512' },
  { oid: '1.2.840.10045.4.3.2', scheme: 'ecdsa', hash: 'sha256' },
  { oid: '1.2.840.10045.4.3.3', scheme: 'ecdsa', hash: 'sha384' },
  { oid: '1.2.840.10045.4.3.4', scheme: 'ecdsa', hash: 'sha512' },
]

/** Key OIDs used as `signAlgo`: the request has to name the hash. */
const BARE_SIGNATURES: Readonly<Record<string, 'rsa-pkcs1' | 'ecdsa'>> = {
  [RSA_KEY_OID]: 'rsa-pkcs1',
  [EC_KEY_OID]: 'ecdsa',
}

export interface KeyAlgorithmFacts {
  readonly family: 'rsa' | 'ec'
  /** OID of the key in a SubjectPublicKeyInfo. */
  readonly keyOid: string
  /** `key.len` of the CSC API. */
  readonly bits: number
  readonly curveOid?: string
  /** OpenSSL's name of the curve. */
  readonly curveName?: string
  /** `key.algo` of the CSC API: concrete OIDs first, because clients look for exactly those. */
  readonly signAlgos: readonly string[]
}

export const KEY_ALGORITHMS: Readonly<Record<KeyAlgorithm, KeyAlgorithmFacts>> = {
  'rsa-2048': rsa('rsa-2048', 2048),
  'rsa-3072': rsa('rsa-3072', 3072),
  'rsa-4096': rsa('rsa-4096', 4096),
  'p-256': ec('p-256', 256, '1.2.840.10045.3.1.7', 'prime256v1'),
  'p-384': ec('p-384', 384, '1.3.132.0.34', 'secp384r1'),
  'p-521': ec('p-521', 521, '1.3.132.0.35', 'secp521r1'),
}

function rsa(name: KeyAlgorithm, bits: number): KeyAlgorithmFacts {
  const concrete = concreteOids('rsa-pkcs1', hashesFor(name))
  return {
    family: 'rsa',
    keyOid: RSA_KEY_OID,
    bits,
    signAlgos: concrete.length === 0 ? [] : [...concrete, RSA_PSS_OID, RSA_KEY_OID],
  }
}

function ec(name: KeyAlgorithm, bits: number, oid: string, curveName: string): KeyAlgorithmFacts {
  const concrete = concreteOids('ecdsa', hashesFor(name))
  return {
    family: 'ec',
    keyOid: EC_KEY_OID,
    bits,
    curveOid: oid,
    curveName,
    signAlgos: concrete.length === 0 ? [] : [...concrete, EC_KEY_OID],
  }
}

function concreteOids(scheme: SignatureScheme, hashes: readonly HashName[]): string[] {
  return hashes.flatMap((hash) =>
    CONCRETE_SIGNATURES.filter((row) => row.scheme === scheme && row.hash === hash).map(
      (row) => row.oid,
    ),
  )
}

function hashesFor(keyAlgorithm: KeyAlgorithm): readonly HashName[] {
  return (ALGORITHM_POLICY.keys[keyAlgorithm] ?? []).filter(isAllowedHash)
}

function isAllowedHash(name: HashName): boolean {
  return ALGORITHM_POLICY.hashes.includes(name)
}

/** Whether policy lets keys of this kind be made and used. */
export function allowsKeyAlgorithm(keyAlgorithm: KeyAlgorithm): boolean {
  return hashesFor(keyAlgorithm).length > 0
}

/** Whether policy lets a key of this kind make such a signature. */
export function allowsSignatureAlgorithm(
  keyAlgorithm: KeyAlgorithm,
  { scheme, hash, saltLength }: SignatureAlgorithm,
): boolean {
  const fits = (KEY_ALGORITHMS[keyAlgorithm].family === 'ec') === (scheme === 'ecdsa')
  const saltFits = scheme !== 'rsa-pss' || saltLength === hash.bytes
  return fits && saltFits && hashesFor(keyAlgorithm).includes(hash.name)
}

/** What kind of key a SubjectPublicKeyInfo holds, or null when it is none we know. */
export function keyAlgorithmOf(publicKey: Buffer): KeyAlgorithm | null {
  let key
  try {
    key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' })
  } catch {
    return null
  }
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {}
  const names = Object.keys(KEY_ALGORITHMS) as KeyAlgorithm[]
  const matches = names.filter((name) => {
    const facts = KEY_ALGORITHMS[name]
    if (key.asymmetricKeyType !== facts.family) return false
    return facts.family === 'ec' ? facts.curveName === namedCurve : facts.bits === modulusLength
  })
  const [match] = matches
  if (match === undefined || !namesItsCurve(publicKey, KEY_ALGORITHMS[match])) return null
  return match
}

/** OpenSSL also recognises curves spelt out as explicit parameters, which RFC 5480 forbids. */
function namesItsCurve(publicKey: Buffer, { curveOid }: KeyAlgorithmFacts): boolean {
  if (curveOid === undefined) return true
  const { algorithm } = new PublicKeyInfo({ schema: asn1js.fromBER(publicKey).result })
  const parameters: unknown = algorithm.algorithmParams
  return (
    parameters instanceof asn1js.ObjectIdentifier && parameters.valueBlock.toString() === curveOid
  )
}

/** @throws {InvalidParameterError} for hashes unknown or not allowed: SHA-1, SHA-224, MD5 … */
export function hashAlgorithmByOid(oid: string): HashAlgorithm {
  const hash = findHash(oid)
  if (hash === undefined) throw new InvalidParameterError('hashAlgorithmOID')
  return hash
}

/** The one allowed hash algorithm whose digests have that many bytes, or null. */
export function hashAlgorithmByLength(bytes: number): HashAlgorithm | null {
  const fitting = Object.values(HASH_ALGORITHMS).filter(
    (hash) => hash.bytes === bytes && isAllowedHash(hash.name),
  )
  const [only, another] = fitting
  return another ? null : (only ?? null)
}

function findHash(oid: string): HashAlgorithm | undefined {
  return Object.values(HASH_ALGORITHMS).find((hash) => hash.oid === oid && isAllowedHash(hash.name))
}

export interface SignatureAlgorithmParameters {
  readonly signAlgo: string
  readonly hashAlgorithmOID?: string | undefined
  /** Base64 of the DER parameters; only RSASSA-PSS has any. */
  readonly signAlgoParams?: string | undefined
}

/**
 * The one signature algorithm that the three parameters of a request name together. Where
 * `signAlgo` implies the hash, `hashAlgorithmOID` decides nothing, yet must not contradict it.
 */
export function signatureAlgorithm(parameters: SignatureAlgorithmParameters): SignatureAlgorithm {
  const { signAlgo, hashAlgorithmOID } = parameters
  if (signAlgo === RSA_PSS_OID) {
    return agreeing(pssAlgorithm(parameters.signAlgoParams), hashAlgorithmOID)
  }
  const concrete = CONCRETE_SIGNATURES.find((row) => row.oid === signAlgo)
  if (concrete !== undefined && isAllowedHash(concrete.hash)) {
    const { scheme, hash } = concrete
    return agreeing({ scheme, hash: HASH_ALGORITHMS[hash] }, hashAlgorithmOID)
  }
  const scheme = Object.hasOwn(BARE_SIGNATURES, signAlgo) ? BARE_SIGNATURES[signAlgo] : undefined
  if (scheme === undefined) throw new InvalidParameterError('signAlgo')
  if (hashAlgorithmOID === undefined) throw new MissingParameterError('hashAlgorithmOID', 'string')
  return { scheme, hash: hashAlgorithmByOid(hashAlgorithmOID) }
}

function agreeing(algorithm: SignatureAlgorithm, hashAlgorithmOID: string | undefined) {
  if (hashAlgorithmOID !== undefined && hashAlgorithmOID !== algorithm.hash.oid) {
    throw new InvalidParameterError('hashAlgorithmOID')
  }
  return algorithm
}

function pssAlgorithm(signAlgoParams: string | undefined): SignatureAlgorithm {
  if (signAlgoParams === undefined) throw new MissingParameterError('signAlgoParams', 'string')
  const algorithm = parsePssParams(signAlgoParams)
  if (algorithm === null) throw new InvalidParameterError('signAlgoParams')
  return algorithm
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** The longest honest encoding has 72 characters. */
const LONGEST_PSS_PARAMS = 256

/** @see RFC 4055, 3.1. Everything absent means SHA-1 there, which is refused like any weak hash. */
function parsePssParams(base64: string): SignatureAlgorithm | null {
  if (base64.length > LONGEST_PSS_PARAMS || !BASE64.test(base64)) return null
  const der = Buffer.from(base64, 'base64')
  try {
    const { offset, result } = asn1js.fromBER(der)
    if (offset !== der.length) return null
    const params = new RSASSAPSSParams({ schema: result })
    const hash = hashOf(params.hashAlgorithm)
    const mgf = params.maskGenAlgorithm
    if (hash === null || mgf.algorithmId !== MGF1_OID) return null
    const mgfHash = hashOf(new AlgorithmIdentifier({ schema: mgf.algorithmParams as unknown }))
    const agree = mgfHash === hash && params.saltLength === hash.bytes && params.trailerField === 1
    return agree ? { scheme: 'rsa-pss', hash, saltLength: hash.bytes } : null
  } catch {
    return null // the parsers throw on whatever they cannot read
  }
}

function hashOf(algorithm: AlgorithmIdentifier): HashAlgorithm | null {
  const parameters: unknown = algorithm.algorithmParams
  if (parameters !== undefined && !(parameters instanceof asn1js.Null)) return null
  return findHash(algorithm.algorithmId) ?? null
}

/** OID of a signature, which names the hash but for RSASSA-PSS: there it stands in the parameters. */
export function signatureOid({ scheme, hash }: SignatureAlgorithm): string {
  if (scheme === 'rsa-pss') return RSA_PSS_OID
  const [oid = ''] = concreteOids(scheme, [hash.name])
  return oid
}

/** Parameters of RSASSA-PSS as we announce them: MGF1 with the same hash, salt as long as it. */
export function pssParams(hash: HashAlgorithm): Buffer {
  const hashAlgorithm = new AlgorithmIdentifier({
    algorithmId: hash.oid,
    algorithmParams: new asn1js.Null(),
  })
  const maskGenAlgorithm = new AlgorithmIdentifier({
    algorithmId: MGF1_OID,
    algorithmParams: hashAlgorithm.toSchema(),
  })
  const params = new RSASSAPSSParams({ hashAlgorithm, maskGenAlgorithm, saltLength: hash.bytes })
  return Buffer.from(params.toSchema().toBER())
}

/**
 * `signAlgorithms` of the CSC `info` method. The specification does not say how the two lists
 * relate; we align them by index, with "" for none.
 */
export function allowedSignAlgos(): { algos: string[]; algoParams: string[] } {
  const concrete = CONCRETE_SIGNATURES.filter((row) => isAllowedHash(row.hash))
  const pss = Object.values(HASH_ALGORITHMS).filter((hash) => isAllowedHash(hash.name))
  const rows = [
    ...concrete.map((row) => ({ algo: row.oid, params: '' })),
    ...pss.map((hash) => ({ algo: RSA_PSS_OID, params: pssParams(hash).toString('base64') })),
    ...Object.keys(BARE_SIGNATURES).map((oid) => ({ algo: oid, params: '' })),
  ]
  return { algos: rows.map((row) => row.algo), algoParams: rows.map((row) => row.params) }
}

/** Tokens sign whatever length they are given, so nothing behind this line checks it again. */
export function rejectWrongDigestLength(digest: Buffer, hash: HashAlgorithm): void {
  if (digest.length !== hash.bytes) throw new RefusedRequestError('Invalid digest value length')
}
