import { createPublicKey, type KeyObject } from 'node:crypto'
import { weakness } from './algorithm-policy.js'
import { bitsOf, readElement } from './asn1.js'
import { elementsIn } from './der.js'
import { readSignatureMethod, verifies } from './signature-method.js'

/** Certificates, CRLs and OCSP responses have it in common: what is signed, the algorithm, the signature. */
export interface SignedStructure {
  /** DER. */
  readonly tbs: Buffer
  /** AlgorithmIdentifier, DER. */
  readonly algorithm: Buffer
  /** What stands behind the three, of OCSP responses. */
  readonly rest: readonly Buffer[]
  /** Whether this key made the signature, with an algorithm that is not too weak, as of `time`. */
  isSignedBy(publicKey: KeyObject, time?: Date): boolean
}

/** @throws {Error} when it is nothing of that form, or signed by an algorithm nobody knows */
export function readSigned(der: Buffer): SignedStructure {
  const [tbs, algorithm, bits, ...rest] = elementsIn(der)
  if (!tbs || !algorithm || !bits) throw new Error('Nothing is signed')
  const signature = bitsOf(readElement(bits))
  const method = readSignatureMethod(readElement(algorithm))
  return {
    ...{ tbs, algorithm, rest },
    isSignedBy: (publicKey, time = new Date()) =>
      weakness(method, publicKey, time) === null && verifies(method, publicKey, tbs, signature),
  }
}

/** @param spki SubjectPublicKeyInfo, DER. @throws {Error} when it is none */
export function publicKeyOf(spki: Buffer): KeyObject {
  return createPublicKey({ key: spki, format: 'der', type: 'spki' })
}
