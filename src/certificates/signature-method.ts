import { constants, verify, type KeyObject } from 'node:crypto'
import * as asn1js from 'asn1js'
import { RSASSAPSSParams } from 'pkijs'
import { childrenOf } from './distinguished-name.js'

type Block = asn1js.AsnType

/** How a signature was made, weak ways included: whether it was a good one is for the policy to say. */
export interface SignatureMethod {
  readonly scheme: 'rsa-pkcs1' | 'rsa-pss' | 'ecdsa' | 'eddsa'
  /** Name in OpenSSL; null where the scheme has its own. */
  readonly hash: string | null
  /** Octets, of RSASSA-PSS. */
  readonly saltLength?: number
}

export const HASH_NAMES: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.5': 'md5',
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.4': 'sha224',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
  '2.16.840.1.101.3.4.2.6': 'sha512-256',
  '2.16.840.1.101.3.4.2.8': 'sha3-256',
  '2.16.840.1.101.3.4.2.9': 'sha3-384',
  '2.16.840.1.101.3.4.2.10': 'sha3-512',
}

type Row = readonly [scheme: SignatureMethod['scheme'], hash: string | null]

/** Signature algorithms that say all; null stands for a hash that is named elsewhere. */
const METHODS: Readonly<Record<string, Row>> = {
  '1.2.840.113549.1.1.1': ['rsa-pkcs1', null],
  '1.2.840.113549.1.1.4': ['rsa-pkcs1', 'md5'],
  '1.2.840.113549.1.1.5': ['rsa-pkcs1', 'sha1'],
  '1.2.840.113549.1.1.14': ['rsa-pkcs1', 'sha224'],
  '1.2.840.113549.1.1.11': ['rsa-pkcs1', 'sha256'],
  '1.2.840.113549.1.1.12': ['rsa-pkcs1', 'sha384'],
  '1.2.840.113549.1.1.13': ['rsa-pkcs1', 'sha512'],
  '2.16.840.1.101.3.4.3.14': ['rsa-pkcs1', 'sha3-256'],
  '2.16.840.1.101.3.4.3.15': ['rsa-pkcs1', 'sha3-384'],
  '2.16.840.1.101.3.4.3.16': ['rsa-pkcs1', 'sha3-512'],
  '1.2.840.10045.2.1': ['ecdsa', null],
  '1.2.840.10045.4.1': ['ecdsa', 'sha1'],
  '1.2.840.10045.4.3.1': ['ecdsa', 'sha224'],
  '1.2.840.10045.4.3.2': ['ecdsa', 'sha256'],
  '1.2.840.10045.4.3.3': ['ecdsa', 'sha384'],
  '1.2.840.10045.4.3.4': ['ecdsa', 'sha512'],
  '2.16.840.1.101.3.4.3.10': ['ecdsa', 'sha3-256'],
  '2.16.840.1.101.3.4.3.11': ['ecdsa', 'sha3-384'],
  '2.16.840.1.101.3.4.3.12': ['ecdsa', 'sha3-512'],
}
const RSA_PSS = '1.2.840.113549.1.1.10'
const MGF1 = '1.2.840.113549.1.1.8'
const EDWARDS: ReadonlySet<string> = new Set(['1.3.101.112', '1.3.101.113'])

/** Hash of a DigestAlgorithmIdentifier. @throws {Error} for one that nobody knows */
export function readHash(algorithm: Block | undefined): string {
  const [oid] = childrenOf(algorithm)
  const name = HASH_NAMES[oidOf(oid)]
  if (name === undefined) throw new Error('An unknown hash algorithm')
  return name
}

/**
 * Reads a SignatureAlgorithmIdentifier.
 * @param digestHash the hash that stands beside it, for algorithms that name none
 * @throws {Error} when it is unknown, or disagrees with that hash
 */
export function readSignatureMethod(
  algorithm: Block | undefined,
  digestHash: string | null = null,
): SignatureMethod {
  const [oid, parameters] = childrenOf(algorithm)
  const name = oidOf(oid)
  if (EDWARDS.has(name)) return { scheme: 'eddsa', hash: null }
  if (name === RSA_PSS) return agreeing(readPss(parameters), digestHash)
  const row = METHODS[name]
  if (row === undefined) throw new Error('An unknown signature algorithm')
  const hash = row[1] ?? digestHash
  if (hash === null) throw new Error('A signature algorithm without a hash')
  return agreeing({ scheme: row[0], hash }, digestHash)
}

function agreeing(method: SignatureMethod, digestHash: string | null): SignatureMethod {
  if (digestHash !== null && method.hash !== digestHash) throw new Error('Two hash algorithms')
  return method
}

/** @see RFC 4055, 3.1: one hash for all, as Node.js verifies nothing else. */
function readPss(parameters: Block | undefined): SignatureMethod {
  const params = new RSASSAPSSParams({ schema: parameters })
  const hash = HASH_NAMES[params.hashAlgorithm.algorithmId]
  const { maskGenAlgorithm: mgf, saltLength, trailerField } = params
  if (mgf.algorithmId !== MGF1 || trailerField !== 1) throw new Error('Unknown PSS parameters')
  const mgfHash = mgf.algorithmParams ? readHash(mgf.algorithmParams as Block) : 'sha1'
  if (hash === undefined || mgfHash !== hash) throw new Error('PSS with two hash algorithms')
  if (saltLength < 0 || saltLength > 128) throw new Error('PSS with a salt of no use')
  return { scheme: 'rsa-pss', hash, saltLength }
}

/** Whether `signature` over `data` was made with the private half of `key`. Malformed is `false`. */
export function verifies(
  method: SignatureMethod,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const type = key.asymmetricKeyType ?? ''
  try {
    switch (method.scheme) {
      case 'rsa-pkcs1':
        return (
          type === 'rsa' &&
          hasModulusLength(key, signature) &&
          verify(method.hash, data, { key, padding: constants.RSA_PKCS1_PADDING }, signature)
        )
      case 'rsa-pss':
        return (
          type.startsWith('rsa') &&
          hasModulusLength(key, signature) &&
          verify(
            method.hash,
            data,
            {
              key,
              padding: constants.RSA_PKCS1_PSS_PADDING,
              saltLength: method.saltLength ?? constants.RSA_PSS_SALTLEN_DIGEST,
            },
            signature,
          )
        )
      case 'ecdsa':
        return type === 'ec' && verify(method.hash, data, { key, dsaEncoding: 'der' }, signature)
      case 'eddsa':
        return type.startsWith('ed') && verify(null, data, key, signature)
    }
  } catch {
    return false
  }
}

/** OpenSSL takes a PSS signature without its leading zeros; it has to have them. */
function hasModulusLength(key: KeyObject, signature: Uint8Array): boolean {
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  return signature.length === Math.ceil(modulusLength / 8)
}

export function methodText({ scheme, hash }: SignatureMethod): string {
  const names = {
    ...{ 'rsa-pkcs1': 'RSA', 'rsa-pss': 'RSASSA-PSS', ecdsa: 'ECDSA', eddsa: 'EdDSA' },
  }
  return hash === null ? names[scheme] : `${names[scheme]} ${hashText(hash)}`
}

export function hashText(hash: string): string {
  return hash
    .toUpperCase()
    .replace(/^SHA(\d{3})/, 'SHA-$1')
    .replace('SHA1', 'SHA-1')
}

/** Names that JSON and XML formats use, and what people write. */
export function hashByText(text: string): string | null {
  const name = text
    .toLowerCase()
    .replace(/^sha-?(?=\d)/, 'sha')
    .replace('sha3_', 'sha3-')
  const plain = name.replace(/^sha(3-?)(256|384|512)$/, 'sha3-$2')
  return Object.values(HASH_NAMES).find((each) => each === plain) ?? HASH_NAMES[text] ?? null
}

function oidOf(block: Block | undefined): string {
  if (!(block instanceof asn1js.ObjectIdentifier)) throw new Error('An OID was expected')
  return block.valueBlock.toString()
}
