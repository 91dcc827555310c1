import * as asn1js from 'asn1js'
import { AlgorithmIdentifier } from 'pkijs'
import {
  pssParams,
  type HashAlgorithm,
  type HashName,
  type SignatureAlgorithm,
} from '../../keys/algorithms.js'
import { encoded } from './der-encoding.js'

const RSA_PSS_OID = '1.2.840.113549.1.1.10'

/** OIDs that name their hash; RSASSA-PSS names it in its parameters. */
const CONCRETE_OIDS: Readonly<Record<'rsa-pkcs1' | 'ecdsa', Readonly<Record<HashName, string>>>> = {
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

/** AlgorithmIdentifier, DER, without parameters. @see RFC 5754, 2 */
export function digestAlgorithmIdentifier(hash: HashAlgorithm): Buffer {
  return encoded(new AlgorithmIdentifier({ algorithmId: hash.oid }).toSchema())
}

/** AlgorithmIdentifier, DER: NULL for PKCS#1, nothing for ECDSA. @see RFC 4055, 5 and RFC 5758, 3.2 */
export function signatureAlgorithmIdentifier({ scheme, hash }: SignatureAlgorithm): Buffer {
  return encoded(
    new AlgorithmIdentifier({
      algorithmId: scheme === 'rsa-pss' ? RSA_PSS_OID : CONCRETE_OIDS[scheme][hash.name],
      ...(scheme === 'rsa-pss' && { algorithmParams: asn1js.fromBER(pssParams(hash)).result }),
      ...(scheme === 'rsa-pkcs1' && { algorithmParams: new asn1js.Null() }),
    }).toSchema(),
  )
}
