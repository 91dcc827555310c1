import type { HashAlgorithm } from '../../keys/algorithms.js'
import { digestOf } from '../../keys/digest.js'
import type { ConformanceLevel, ProofSources, Signatory, ValidationData } from '../ades.js'
import { certificatesToValidate, distinct } from '../signatory.js'
import { archiveTimestampImprint, atsHashIndex } from './archive-timestamp.js'
import { ATTRIBUTE_OIDS } from './attributes.js'
import { contextTag, joined, objectIdentifier, type Parts } from './der-encoding.js'
import { readSignedData } from './read-signed-data.js'
import { encodeSignedData, withUnsignedAttribute, type SignedData } from './signed-data.js'

/** What levels are made from. */
export interface LevelRequest {
  readonly level: ConformanceLevel
  readonly signatory: Signatory
  /** Of the signature algorithm; timestamps are under the same one. */
  readonly hash: HashAlgorithm
  /** Of the content, under that hash. */
  readonly contentDigest: Buffer
  readonly sources: ProofSources
}

/** A B-B signature raised to the level asked for. @see EN 319 122-1, 6 */
export async function raised(data: SignedData, request: LevelRequest): Promise<SignedData> {
  const { level, signatory, hash, sources } = request
  if (level === 'B-B') return data
  const token = await signatureTimestamp(data, hash, sources)
  const timestamped = withUnsignedAttribute(data, {
    type: ATTRIBUTE_OIDS.signatureTimestamp,
    values: [token],
  })
  if (level === 'B-T') return timestamped
  const certificates = certificatesToValidate(signatory, certificatesOfToken(token))
  const lasting = withValidationData(timestamped, await sources.validationData(certificates))
  return level === 'B-LT' ? lasting : withArchiveTimestamp(lasting, request)
}

/** TimeStampToken over the signature value, DER. @see EN 319 122-1, 5.3 */
export function signatureTimestamp(
  { signer }: SignedData,
  hash: HashAlgorithm,
  sources: ProofSources,
): Promise<Buffer> {
  return sources.timestamp(digestOf(hash, signer.value), hash)
}

/** Of a TimeStampToken, as far as it carries them. */
export function certificatesOfToken(token: Buffer): readonly Buffer[] {
  return readSignedData(token).frame.certificates
}

/** @see EN 319 122-1, 5.4.1: certificates and revocation data stand in the SignedData itself */
function withValidationData(
  data: SignedData,
  { certificates, crls, ocspResponses }: ValidationData,
): SignedData {
  const other = ocspResponses.map((response) => joined(otherRevocationInfo(response)))
  return {
    ...data,
    certificates: distinct([...data.certificates, ...certificates]),
    crls: distinct([...data.crls, ...crls, ...other]),
  }
}

const OCSP_RESPONSE = '1.3.6.1.5.5.7.16.2'

/** `other [1] IMPLICIT OtherRevocationInfoFormat`. @see RFC 5940, 2.1 */
function otherRevocationInfo(ocspResponse: Buffer): Parts {
  return contextTag(1, [...objectIdentifier(OCSP_RESPONSE), ocspResponse])
}

/** @see EN 319 122-1, 5.5.3 */
async function withArchiveTimestamp(
  data: SignedData,
  { hash, contentDigest, sources }: LevelRequest,
): Promise<SignedData> {
  const hashIndex = atsHashIndex(data, hash)
  const imprint = archiveTimestampImprint(data, contentDigest, hashIndex, hash)
  const token = await sources.timestamp(imprint, hash)
  return withUnsignedAttribute(data, {
    type: ATTRIBUTE_OIDS.archiveTimestampV3,
    values: [withHashIndex(token, hashIndex)],
  })
}

/** The index says what the imprint covers, and travels in the token without being signed by it. */
function withHashIndex(token: Buffer, hashIndex: Buffer): Buffer {
  const { frame, signers } = readSignedData(token)
  const [signer, ...others] = signers
  if (signer === undefined || others.length > 0) throw new Error('A timestamp has one signer')
  const attribute = { type: ATTRIBUTE_OIDS.atsHashIndexV3, values: [hashIndex] }
  return encodeSignedData(withUnsignedAttribute({ ...frame, signer }, attribute))
}
