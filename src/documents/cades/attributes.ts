import * as asn1js from 'asn1js'
import { algorithmIdentifier } from '../../certificates/algorithm-identifier.js'
import { childrenOf } from '../../certificates/distinguished-name.js'
import {
  HASH_ALGORITHMS,
  type HashAlgorithm,
  type SignatureAlgorithm,
} from '../../keys/algorithms.js'
import { digestOf } from '../../keys/digest.js'
import {
  contextTag,
  encoded,
  joined,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
} from './der-encoding.js'
import { digestAlgorithmIdentifier } from './digest-algorithm.js'

/** An attribute of a SignerInfo, signed or not. */
export interface Attribute {
  /** OID. */
  readonly type: string
  /** Each DER. */
  readonly values: readonly Buffer[]
}

export const ATTRIBUTE_OIDS = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
  algorithmProtection: '1.2.840.113549.1.9.52',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
  signatureTimestamp: '1.2.840.113549.1.9.16.2.14',
  archiveTimestampV3: '0.4.0.1733.2.4',
  atsHashIndexV3: '0.4.0.19122.1.5',
  // of TS 101 733: over all certificates and CRLs as they stand, so that none may be added
  archiveTimestamp: '1.2.840.113549.1.9.16.2.27',
  archiveTimestampV2: '1.2.840.113549.1.9.16.2.48',
  longTermValidation: '0.4.0.1733.2.2',
} as const

/** Attribute, DER. */
export function encodeAttribute({ type, values }: Attribute): Buffer {
  return joined(sequence(objectIdentifier(type), setOf(values)))
}

/** OID of the type of an Attribute, DER. */
export function attributeType(attribute: Buffer): string {
  const { result } = asn1js.fromBER(attribute, { parseEmbedded: false })
  const [type] = childrenOf(result)
  if (!(type instanceof asn1js.ObjectIdentifier)) throw new Error('An attribute has no type')
  return type.valueBlock.toString()
}

export function contentType(oid: string): Attribute {
  return { type: ATTRIBUTE_OIDS.contentType, values: [joined(objectIdentifier(oid))] }
}

export function messageDigest(digest: Buffer): Attribute {
  return { type: ATTRIBUTE_OIDS.messageDigest, values: [joined(octetString(digest))] }
}

/** UTCTime until 2049, GeneralizedTime from then on, whole seconds. @see RFC 5652, 11.3 */
export function signingTime(time: Date): Attribute {
  const valueDate = new Date(Math.floor(time.getTime() / 1000) * 1000)
  const isEarly = valueDate.getUTCFullYear() < 2050
  const value = isEarly
    ? new asn1js.UTCTime({ valueDate })
    : new asn1js.GeneralizedTime({ valueDate })
  return { type: ATTRIBUTE_OIDS.signingTime, values: [encoded(value)] }
}

/** Keeps the algorithms from being exchanged. @see RFC 6211 */
export function algorithmProtection(algorithm: SignatureAlgorithm): Attribute {
  const { result } = asn1js.fromBER(algorithmIdentifier(algorithm))
  const [oid, ...parameters] = childrenOf(result).map(asItStands)
  const signature = contextTag(
    1,
    [oid, ...parameters].filter((part) => part !== undefined),
  )
  const digest = [digestAlgorithmIdentifier(algorithm.hash)]
  return {
    type: ATTRIBUTE_OIDS.algorithmProtection,
    values: [joined(sequence(digest, signature))],
  }
}

/** Names the certificate of the signer alone, by digest and by issuer and number. @see RFC 5035, 3 */
export function signingCertificateV2(certificate: Buffer, hash: HashAlgorithm): Attribute {
  const { issuer, serialNumber } = issuanceOf(certificate)
  const isDefault = hash === HASH_ALGORITHMS.sha256
  const digest = digestOf(hash, certificate)
  const generalNames = sequence(contextTag(DIRECTORY_NAME, [issuer]))
  const id = sequence(
    isDefault ? [] : [digestAlgorithmIdentifier(hash)],
    octetString(digest),
    sequence(generalNames, [serialNumber]),
  )
  return { type: ATTRIBUTE_OIDS.signingCertificateV2, values: [joined(sequence(sequence(id)))] }
}

const DIRECTORY_NAME = 4

/** IssuerAndSerialNumber, both parts as the certificate has them. @see RFC 5652, 10.2.4 */
export function issuerAndSerialNumber(certificate: Buffer): Buffer {
  const { issuer, serialNumber } = issuanceOf(certificate)
  return joined(sequence([issuer], [serialNumber]))
}

/** Name and INTEGER, DER; all of a certificate would take ten times as long to read. */
function issuanceOf(certificate: Buffer): { issuer: Buffer; serialNumber: Buffer } {
  const [tbs] = childrenOf(asn1js.fromBER(certificate, { parseEmbedded: false }).result)
  const fields = childrenOf(tbs)
  const at = fields.findIndex((field) => field instanceof asn1js.Integer)
  const [serialNumber, , issuer] = fields.slice(at)
  if (at < 0 || !serialNumber || !issuer) throw new Error('Not an X.509 certificate')
  return { issuer: asItStands(issuer), serialNumber: asItStands(serialNumber) }
}

function asItStands(block: asn1js.AsnType): Buffer {
  return Buffer.from(block.valueBeforeDecodeView)
}
