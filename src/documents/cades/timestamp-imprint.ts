import * as asn1js from 'asn1js'
import { TSTInfo } from 'pkijs'
import type { HashAlgorithm } from '../../keys/algorithms.js'
import { readSignedData } from './read-signed-data.js'

const TST_INFO = '1.2.840.113549.1.9.16.1.4'

/** Whether a TimeStampToken that somebody sent is over that digest. Whose it is, verifiers look. */
export function timestampsDigest(token: Buffer, digest: Buffer, hash: HashAlgorithm): boolean {
  try {
    const { frame, content } = readSignedData(token)
    if (frame.contentType !== TST_INFO || content === null) return false
    const { messageImprint } = new TSTInfo({ schema: asn1js.fromBER(content).result })
    const { hashAlgorithm, hashedMessage } = messageImprint
    const imprint = hashedMessage.valueBlock.valueHexView
    return hashAlgorithm.algorithmId === hash.oid && digest.equals(imprint)
  } catch {
    return false // the parsers throw on whatever they cannot read
  }
}
