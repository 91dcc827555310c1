import * as asn1js from 'asn1js'
import { AlgorithmIdentifier } from 'pkijs'
import {
  describeAlgorithm,
  HASH_ALGORITHMS,
  KEY_ALGORITHMS,
  pssParams,
  signatureOid,
  type HashName,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from '../keys/algorithms.js'
import { sequenceOf } from './der.js'

/**
 * What a key signs for itself with: the way that everybody reads, PKCS#1 for RSA.
 * @param hash by default the one that fits its strength
 */
export function ownAlgorithm(
  key: KeyAlgorithm,
  hash: HashName = fittingHash(key),
): SignatureAlgorithm {
  const isElliptic = KEY_ALGORITHMS[key].family === 'ec'
  return { scheme: isElliptic ? 'ecdsa' : 'rsa-pkcs1', hash: HASH_ALGORITHMS[hash] }
}

function fittingHash(key: KeyAlgorithm): HashName {
  if (key === 'p-384') return 'sha384'
  return key === 'p-521' ? 'sha512' : 'sha256'
}

/**
 * AlgorithmIdentifier of a signature, DER: NULL for PKCS#1, nothing for ECDSA.
 * @see RFC 4055, 3.1 and 5, and RFC 5758, 3.2
 */
export function algorithmIdentifier(algorithm: SignatureAlgorithm): Buffer {
  const name = describeAlgorithm(algorithm)
  const known = ENCODED.get(name)
  if (known) return known
  const oid = new asn1js.ObjectIdentifier({ value: signatureOid(algorithm) })
  const encoded = sequenceOf(Buffer.from(oid.toBER()), parametersOf(algorithm))
  ENCODED.set(name, encoded)
  return encoded
}

/** There are few. */
const ENCODED = new Map<string, Buffer>()

/** The same for structures that our library writes. */
export function readAlgorithmIdentifier(algorithm: SignatureAlgorithm): AlgorithmIdentifier {
  return new AlgorithmIdentifier({ schema: asn1js.fromBER(algorithmIdentifier(algorithm)).result })
}

function parametersOf({ scheme, hash }: SignatureAlgorithm): Buffer {
  switch (scheme) {
    case 'rsa-pss':
      return pssParams(hash)
    case 'rsa-pkcs1':
      return Buffer.from(new asn1js.Null().toBER())
    case 'ecdsa':
      return Buffer.alloc(0)
  }
}
