import * as asn1js from 'asn1js'
import { algorithmIdentifier } from '../../certificates/algorithm-identifier.js'
import type { SignatureAlgorithm } from '../../keys/algorithms.js'
import type { Signatory } from '../ades.js'
import { certificatesToEmbed, distinct } from '../signatory.js'
import {
  algorithmProtection,
  contentType,
  encodeAttribute,
  issuerAndSerialNumber,
  messageDigest,
  signingCertificateV2,
  signingTime,
  type Attribute,
} from './attributes.js'
import {
  contextSetOf,
  contextTag,
  encoded,
  joined,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
  type Parts,
} from './der-encoding.js'
import { digestAlgorithmIdentifier } from './digest-algorithm.js'

export const ID_DATA = '1.2.840.113549.1.7.1'
const ID_SIGNED_DATA = '1.2.840.113549.1.7.2'

/** What is signed. */
export interface SignedContent {
  /** OID; id-data where nobody wants another. */
  readonly type: string
  /** Under the hash of the signature algorithm. */
  readonly digest: Buffer
  /** The content itself to go into the signature, or null for a detached one. */
  readonly octets: Buffer | null
}

export interface SignedDataRequest {
  readonly content: SignedContent
  readonly algorithm: SignatureAlgorithm
  /** The certificate and those of its chain that are not self-signed go into the signature. */
  readonly signatory: Signatory
  /** Null leaves the attribute out, as PAdES demands. */
  readonly signingTime: Date | null
  /**
   * Further signed attributes, of other types than content-type, message-digest, signing-time,
   * signing-certificate-v2 and CMS algorithm protection, which are made here.
   */
  readonly attributes: readonly Attribute[]
  /** Existing signatures that get another beside them; `content` is what they are over. */
  readonly existing?: SignatureFrame
}

export interface PreparedSignedData {
  /** The signed attributes, DER, as SET OF: what the key signs. @see RFC 5652, 5.4 */
  readonly toBeSigned: Buffer
  /** @param value PKCS#1 octets, or a DER ECDSA-Sig-Value */
  complete(value: Buffer): SignedData
}

/** A SignedData but for the signer of interest: its parts, each as it stands in the bytes. */
export interface SignatureFrame {
  /** Of `encapContentInfo`: OID. */
  readonly contentType: string
  /** EncapsulatedContentInfo. */
  readonly encapContentInfo: Parts
  /** AlgorithmIdentifiers. */
  readonly digestAlgorithms: readonly Buffer[]
  /** CertificateChoices. */
  readonly certificates: readonly Buffer[]
  /** RevocationInfoChoices. */
  readonly crls: readonly Buffer[]
  /** SignerInfos of others. */
  readonly otherSigners: readonly Buffer[]
  /** The highest version among `otherSigners`; 0 where there are none. */
  readonly otherSignersVersion: number
}

/** A changed one is a copy with other parts; `encodeSignedData` makes the bytes. */
export interface SignedData extends SignatureFrame {
  /** The signer this is about. */
  readonly signer: SignerInfo
}

/** A SignerInfo in its parts. */
export interface SignerInfo {
  /** version, sid, digestAlgorithm, signedAttrs `[0]`, signatureAlgorithm and signature, each encoded. */
  readonly fields: readonly Buffer[]
  /** The octets of the signature itself. */
  readonly value: Buffer
  /** Attributes, DER. */
  readonly unsignedAttributes: readonly Buffer[]
}

/** Everything of a CMS signature but its value. @see RFC 5652, 5 */
export function prepareSignedData(request: SignedDataRequest): PreparedSignedData {
  const attributes = signedAttributes(request).map(encodeAttribute)
  return {
    toBeSigned: joined(setOf(attributes)),
    complete: (value) => ({
      ...frameWith(request.existing ?? newFrame(request.content), request),
      signer: newSigner(request, attributes, value),
    }),
  }
}

/** ContentInfo with the SignedData, DER as far as it is ours. */
export function encodeSignedData(data: SignedData): Buffer {
  const signedData = sequence(
    integer(versionOf(data)),
    setOf(data.digestAlgorithms),
    data.encapContentInfo,
    data.certificates.length === 0 ? [] : contextSetOf(0, data.certificates),
    data.crls.length === 0 ? [] : contextSetOf(1, data.crls),
    setOf([encodeSigner(data.signer), ...data.otherSigners]),
  )
  return joined(sequence(objectIdentifier(ID_SIGNED_DATA), contextTag(0, signedData)))
}

/** The same signature with one more unsigned attribute. */
export function withUnsignedAttribute(data: SignedData, attribute: Attribute): SignedData {
  const unsignedAttributes = [...data.signer.unsignedAttributes, encodeAttribute(attribute)]
  return { ...data, signer: { ...data.signer, unsignedAttributes } }
}

function signedAttributes(request: SignedDataRequest): Attribute[] {
  const { content, algorithm, signatory, attributes } = request
  return [
    contentType(content.type),
    messageDigest(content.digest),
    ...(request.signingTime ? [signingTime(request.signingTime)] : []),
    signingCertificateV2(signatory.certificate, algorithm.hash),
    algorithmProtection(algorithm),
    ...attributes,
  ]
}

function newSigner(
  { algorithm, signatory }: SignedDataRequest,
  attributes: readonly Buffer[],
  value: Buffer,
): SignerInfo {
  const fields = [
    integer(ISSUER_AND_SERIAL_VERSION),
    [issuerAndSerialNumber(signatory.certificate)],
    [digestAlgorithmIdentifier(algorithm.hash)],
    contextSetOf(0, attributes),
    [algorithmIdentifier(algorithm)],
    octetString(value),
  ]
  return { fields: fields.map(joined), value: Buffer.from(value), unsignedAttributes: [] }
}

/** A SignerInfo that names its certificate by issuer and number. @see RFC 5652, 5.3 */
const ISSUER_AND_SERIAL_VERSION = 1

function newFrame({ type, octets }: SignedContent): SignatureFrame {
  const eContent = octets === null ? [] : contextTag(0, octetString(octets))
  return {
    contentType: type,
    encapContentInfo: sequence(objectIdentifier(type), eContent),
    digestAlgorithms: [],
    certificates: [],
    crls: [],
    otherSigners: [],
    otherSignersVersion: 0,
  }
}

function frameWith(
  frame: SignatureFrame,
  { algorithm, signatory }: SignedDataRequest,
): SignatureFrame {
  const digestAlgorithm = digestAlgorithmIdentifier(algorithm.hash)
  return {
    ...frame,
    digestAlgorithms: distinct([...frame.digestAlgorithms, digestAlgorithm]),
    certificates: distinct([...frame.certificates, ...certificatesToEmbed(signatory)]),
  }
}

function encodeSigner({ fields, unsignedAttributes }: SignerInfo): Buffer {
  const unsigned = unsignedAttributes.length === 0 ? [] : contextSetOf(1, unsignedAttributes)
  return joined(sequence(fields, unsigned))
}

const ATTRIBUTE_CERTIFICATE_V1 = 0xa1
const ATTRIBUTE_CERTIFICATE_V2 = 0xa2
const OTHER_CERTIFICATE = 0xa3
const OTHER_REVOCATION_INFO = 0xa1

/** @see RFC 5652, 5.1 */
function versionOf(data: SignatureFrame): number {
  const has = (elements: readonly Buffer[], tag: number) =>
    elements.some(([first]) => first === tag)
  if (has(data.certificates, OTHER_CERTIFICATE) || has(data.crls, OTHER_REVOCATION_INFO)) return 5
  if (has(data.certificates, ATTRIBUTE_CERTIFICATE_V2)) return 4
  const isOld = data.contentType === ID_DATA && data.otherSignersVersion < 3
  return isOld && !has(data.certificates, ATTRIBUTE_CERTIFICATE_V1) ? 1 : 3
}

function integer(value: number): Parts {
  return [encoded(new asn1js.Integer({ value }))]
}
