import * as asn1js from 'asn1js'
import {
  HASH_ALGORITHMS,
  KEY_ALGORITHMS,
  type HashName,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from '../keys/algorithms.js'

const OIDS: Readonly<Record<'rsa-pkcs1' | 'ecdsa', Readonly<Record<HashName, string>>>> = {
  'rsa-pkcs1': {
    sha256: '1.2.840.113549.1.1.11',
    sha384: '1.2.840.113549.1.1.12',
    sha512: '1.2.840.113549.1.1.13',
  },
  ecdsa: {
    sha256: '1.2.840.10045.4.3.2',
    sha384: '1.2.840.10045.4.3.3',
    sha512: '1.2.840.10045.4.3.4',
  },
}

/** What a key signs for itself with: the algorithm that fits its strength, and that everybody reads. */
export function ownAlgorithm(key: KeyAlgorithm): SignatureAlgorithm {
  const isElliptic = KEY_ALGORITHMS[key].family === 'ec'
  const hash = key === 'p-384' ? 'sha384' : key === 'p-521' ? 'sha512' : 'sha256'
  return { scheme: isElliptic ? 'ecdsa' : 'rsa-pkcs1', hash: HASH_ALGORITHMS[hash] }
}

/** AlgorithmIdentifier, DER, of a signature by `ownAlgorithm`. @see RFC 4055, 5 and RFC 5758, 3.2 */
export function algorithmIdentifier({ scheme, hash }: SignatureAlgorithm): Buffer {
  if (scheme === 'rsa-pss') throw new Error('Nothing of ours is signed with RSASSA-PSS')
  const oid = new asn1js.ObjectIdentifier({ value: OIDS[scheme][hash.name] })
  const parameters = scheme === 'rsa-pkcs1' ? [new asn1js.Null()] : []
  return Buffer.from(new asn1js.Sequence({ value: [oid, ...parameters] }).toBER())
}
