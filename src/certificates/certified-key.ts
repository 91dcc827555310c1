import * as asn1js from 'asn1js'
import { readDer } from './read-der.js'

/** Where the key stands in a TBSCertificate of version 3. @see RFC 5280, 4.1 */
const SUBJECT_PUBLIC_KEY_INFO = 6
const VERSION_TAG = 0

/** SubjectPublicKeyInfo, DER, of a TBSCertificate; null when that is not one of version 3 in DER. */
export function certifiedKey(tbs: Buffer): Buffer | null {
  const result = readDer(tbs)
  if (!(result instanceof asn1js.Sequence)) return null
  const members = result.valueBlock.value
  const { tagClass, tagNumber } = members[0]?.idBlock ?? {}
  const key = members[SUBJECT_PUBLIC_KEY_INFO]
  if (tagClass !== 3 || tagNumber !== VERSION_TAG || !(key instanceof asn1js.Sequence)) return null
  return Buffer.from(key.toBER())
}
