import * as asn1js from 'asn1js'
import type { SignatureAlgorithm } from '../keys/algorithms.js'
import { algorithmIdentifier } from './algorithm-identifier.js'
import { isDer, sequenceOf } from './der.js'
import { publicKeyOf, readSigned } from './signed-structure.js'

/** A request for a certificate, PKCS#10, whose sender has the key it names. */
export interface CertificationRequest {
  /** Name, DER. */
  readonly subject: Buffer
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer
}

const ATTRIBUTES_TAG = 0
const MOST_BYTES = 64 * 1024
const SEQUENCE = 0x30

/** CertificationRequestInfo, DER. @see RFC 2986, 4.1 */
export function encodeRequestInfo({ subject, publicKey }: CertificationRequest): Buffer {
  const attributes = new asn1js.Constructed({
    idBlock: { tagClass: 3, tagNumber: ATTRIBUTES_TAG },
    value: [],
  })
  const version = new asn1js.Integer({ value: 0 })
  return sequenceOf(
    Buffer.from(version.toBER()),
    subject,
    publicKey,
    Buffer.from(attributes.toBER()),
  )
}

/** CertificationRequest, DER, from a signature over its info by the key that it names. */
export function assembleRequest(
  requestInfo: Buffer,
  signature: Buffer,
  algorithm: SignatureAlgorithm,
): Buffer {
  const bits = new asn1js.BitString({ valueHex: signature })
  return sequenceOf(requestInfo, algorithmIdentifier(algorithm), Buffer.from(bits.toBER()))
}

/**
 * Reads a PKCS#10 request.
 * @throws {Error} when it is none, or its signature does not prove that its sender has the key
 */
export function readCertificationRequest(der: Buffer): CertificationRequest {
  const isSequence = der[0] === SEQUENCE && der.length <= MOST_BYTES && isDer(der)
  if (!isSequence) throw new Error('Not a certification request')
  const signed = readSigned(der)
  if (signed.rest.length > 0) throw new Error('Not a certification request')
  const request = readRequestInfo(asn1js.fromBER(signed.tbs).result)
  if (request === null) throw new Error('Not a certification request')
  if (signed.isSignedBy(publicKeyOf(request.publicKey))) return request
  throw new Error('The sender of the certification request has not proved possession of the key')
}

/** Null for what is no CertificationRequestInfo. */
export function readRequestInfo(block: asn1js.AsnType): CertificationRequest | null {
  const [version, subject, publicKey, attributes, ...more] =
    block instanceof asn1js.Sequence ? block.valueBlock.value : []
  const { tagClass, tagNumber } = attributes?.idBlock ?? {}
  const isRequest =
    version instanceof asn1js.Integer &&
    version.valueBlock.valueDec === 0 &&
    subject instanceof asn1js.Sequence &&
    publicKey instanceof asn1js.Sequence &&
    tagClass === 3 &&
    tagNumber === ATTRIBUTES_TAG &&
    more.length === 0
  if (!isRequest) return null
  const [name, key] = [subject, publicKey].map((each) => Buffer.from(each.valueBeforeDecodeView))
  return name && key ? { subject: name, publicKey: key } : null
}
