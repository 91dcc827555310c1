import { createPublicKey, type KeyObject } from 'node:crypto'
import * as asn1js from 'asn1js'
import { elementsIn } from './der.js'
import { readSignatureMethod, verifies } from './signature-method.js'

/** Hashes that nobody can find a second preimage or a collision for. */
const STRONG: ReadonlySet<string> = new Set([
  ...['sha256', 'sha384', 'sha512', 'sha512-256', 'sha3-256', 'sha3-384', 'sha3-512'],
])

/** Certificates, CRLs and OCSP responses have it in common: what is signed, the algorithm, the signature. */
export interface SignedStructure {
  /** DER. */
  readonly tbs: Buffer
  /** AlgorithmIdentifier, DER. */
  readonly algorithm: Buffer
  /** What stands behind the three, of OCSP responses. */
  readonly rest: readonly Buffer[]
  /** Whether this key made the signature, with an algorithm that is not too weak. */
  isSignedBy(publicKey: KeyObject): boolean
}

/** @throws {Error} when it is nothing of that form, or signed by an algorithm nobody knows */
export function readSigned(der: Buffer): SignedStructure {
  const [tbs, algorithm, bits, ...rest] = elementsIn(der)
  if (!tbs || !algorithm || !bits) throw new Error('Nothing is signed')
  const signature = asn1js.fromBER(bits).result
  if (!(signature instanceof asn1js.BitString)) throw new Error('Nothing is signed')
  const method = readSignatureMethod(asn1js.fromBER(algorithm).result)
  const isStrong = method.hash === null || STRONG.has(method.hash)
  const octets = Buffer.from(signature.valueBlock.valueHexView)
  return {
    ...{ tbs, algorithm, rest },
    isSignedBy: (publicKey) => isStrong && verifies(method, publicKey, tbs, octets),
  }
}

/** @param spki SubjectPublicKeyInfo, DER. @throws {Error} when it is none */
export function publicKeyOf(spki: Buffer): KeyObject {
  return createPublicKey({ key: spki, format: 'der', type: 'spki' })
}
