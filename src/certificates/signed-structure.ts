import { createPublicKey, type KeyObject } from 'node:crypto'
import * as asn1js from 'asn1js'
import { childrenOf } from './distinguished-name.js'
import { readSignatureMethod, verifies } from './signature-method.js'

/** Hashes that nobody can find a second preimage or a collision for. */
const STRONG: ReadonlySet<string> = new Set([
  ...['sha256', 'sha384', 'sha512', 'sha512-256', 'sha3-256', 'sha3-384', 'sha3-512'],
])

/** Certificates, CRLs and OCSP responses have it in common: what is signed, the algorithm, the signature. */
export interface SignedStructure {
  readonly tbs: asn1js.AsnType
  /** What stands behind the three, of OCSP responses. */
  readonly rest: readonly asn1js.AsnType[]
  /** Whether this key made the signature, with an algorithm that is not too weak. */
  isSignedBy(publicKey: KeyObject): boolean
}

/** @throws {Error} when it is nothing of that form, or signed by an algorithm nobody knows */
export function readSigned(der: Buffer): SignedStructure {
  const { result, offset } = asn1js.fromBER(der)
  if (offset !== der.length) throw new Error('Not one ASN.1 element')
  const [tbs, algorithm, signature, ...rest] = childrenOf(result)
  if (!tbs || !(signature instanceof asn1js.BitString)) throw new Error('Nothing is signed')
  const method = readSignatureMethod(algorithm)
  const isStrong = method.hash === null || STRONG.has(method.hash)
  const octets = Buffer.from(signature.valueBlock.valueHexView)
  return {
    ...{ tbs, rest },
    isSignedBy: (publicKey) =>
      isStrong && verifies(method, publicKey, tbs.valueBeforeDecodeView, octets),
  }
}

/** @param spki SubjectPublicKeyInfo, DER. @throws {Error} when it is none */
export function publicKeyOf(spki: Buffer): KeyObject {
  return createPublicKey({ key: spki, format: 'der', type: 'spki' })
}
