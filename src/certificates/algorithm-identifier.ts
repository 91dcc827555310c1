import * as asn1js from 'asn1js'
import {
  HASH_ALGORITHMS,
  KEY_ALGORITHMS,
  pssParams,
  signatureOid,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from '../keys/algorithms.js'
import { sequenceOf } from './der.js'

/** What a key signs for itself with: the algorithm that fits its strength, and that everybody reads. */
export function ownAlgorithm(key: KeyAlgorithm): SignatureAlgorithm {
  const isElliptic = KEY_ALGORITHMS[key].family === 'ec'
  const hash = key === 'p-384' ? 'sha384' : key === 'p-521' ? 'sha512' : 'sha256'
  return { scheme: isElliptic ? 'ecdsa' : 'rsa-pkcs1', hash: HASH_ALGORITHMS[hash] }
}

/**
 * AlgorithmIdentifier of a signature, DER: NULL for PKCS#1, nothing for ECDSA.
 * @see RFC 4055, 3.1 and 5, and RFC 5758, 3.2
 */
export function algorithmIdentifier(algorithm: SignatureAlgorithm): Buffer {
  const oid = new asn1js.ObjectIdentifier({ value: signatureOid(algorithm) })
  return sequenceOf(Buffer.from(oid.toBER()), parametersOf(algorithm))
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
