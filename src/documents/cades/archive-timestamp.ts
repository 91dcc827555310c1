import * as asn1js from 'asn1js'
import { childrenOf } from '../../certificates/distinguished-name.js'
import type { HashAlgorithm } from '../../keys/algorithms.js'
import { digestOf } from '../../keys/digest.js'
import { joined, objectIdentifier, octetString, sequence, type Parts } from './der-encoding.js'
import { digestAlgorithmIdentifier } from './digest-algorithm.js'
import type { SignedData } from './signed-data.js'

/**
 * ATSHashIndexV3, DER: a digest of every certificate, every piece of revocation data and every
 * value of an unsigned attribute, as they stand. @see EN 319 122-1, 5.5.2
 */
export function atsHashIndex(data: SignedData, hash: HashAlgorithm): Buffer {
  const index = (elements: readonly Buffer[]) =>
    sequence(...elements.map((element) => octetString(digestOf(hash, element))))
  const values = data.signer.unsignedAttributes.flatMap(typeWithEachValue)
  return joined(
    sequence(
      [digestAlgorithmIdentifier(hash)],
      index(data.certificates),
      index(data.crls),
      index(values),
    ),
  )
}

/**
 * What the archive timestamp is over: content type, digest of the content, the SignerInfo without
 * its unsigned attributes, and the index. @see EN 319 122-1, 5.5.3
 */
export function archiveTimestampImprint(
  { contentType, signer }: SignedData,
  contentDigest: Buffer,
  hashIndex: Buffer,
  hash: HashAlgorithm,
): Buffer {
  const covered: Parts = [
    ...objectIdentifier(contentType),
    contentDigest,
    ...signer.fields,
    hashIndex,
  ]
  return digestOf(hash, joined(covered))
}

/** attrType and one instance of attrValues, one after the other. */
function typeWithEachValue(attribute: Buffer): Buffer[] {
  const [type, values] = childrenOf(asn1js.fromBER(attribute, { parseEmbedded: false }).result)
  if (type === undefined) throw new Error('An attribute has no type')
  return childrenOf(values).map((value) =>
    Buffer.concat([type.valueBeforeDecodeView, value.valueBeforeDecodeView]),
  )
}
