import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto'
import * as asn1js from 'asn1js'
import {
  Certificate,
  ContentInfo,
  IssuerAndSerialNumber,
  SignedData,
  TSTInfo,
  type SignerInfo,
} from 'pkijs'
import { certificatesOf } from '../certificates/certificate-set.js'
import { readHash, readSignatureMethod, verifies } from '../certificates/signature-method.js'
import { ATTRIBUTE_OIDS, ID_CT_TST_INFO, ID_SIGNED_DATA } from './token.js'

/** Certificates of an authority come along; nothing honest is larger. */
export const MOST_TOKEN_BYTES = 256 * 1024

/** Hashes of ESSCertIDs and message digests that are good enough. */
const STRONG: ReadonlySet<string> = new Set([
  'sha256',
  'sha384',
  'sha512',
  'sha3-256',
  'sha3-384',
  'sha3-512',
])

/** A `TimeStampToken`, read; what it says is worth something once `rejectForged` has passed. */
export class TimestampToken {
  /** OID of the imprint's hash. */
  readonly hashOid: string
  readonly digest: Buffer
  readonly policy: string
  readonly time: Date
  /** Zero where it says nothing. */
  readonly accuracyMilliseconds: number
  /** Content octets of the INTEGER. */
  readonly nonce: Buffer | null
  /** Upper-case hexadecimal. */
  readonly serialNumber: string
  /** All that came along, DER. */
  readonly certificates: readonly Buffer[]
  readonly #signerInfo: SignerInfo
  readonly #tstInfo: Buffer

  private constructor(signedData: SignedData, tstInfo: Buffer, certificates: Buffer[]) {
    const [signerInfo, ...more] = signedData.signerInfos
    if (!signerInfo || more.length > 0) throw new Error('It has not exactly one signature')
    const info = TSTInfo.fromBER(new Uint8Array(tstInfo))
    const { messageImprint, accuracy } = info
    this.#signerInfo = signerInfo
    this.#tstInfo = tstInfo
    this.hashOid = messageImprint.hashAlgorithm.algorithmId
    this.digest = Buffer.from(messageImprint.hashedMessage.valueBlock.valueHexView)
    this.policy = info.policy
    this.time = info.genTime
    this.accuracyMilliseconds = accuracy
      ? (accuracy.seconds ?? 0) * 1000 + (accuracy.millis ?? 0) + (accuracy.micros ?? 0) / 1000
      : 0
    this.nonce = info.nonce ? Buffer.from(info.nonce.valueBlock.valueHexView) : null
    this.serialNumber = Buffer.from(info.serialNumber.valueBlock.valueHexView)
      .toString('hex')
      .toUpperCase()
    this.certificates = certificates
  }

  /** @throws {Error} when it is none */
  static parse(der: Buffer): TimestampToken {
    if (der.length > MOST_TOKEN_BYTES) throw new Error('It is too large')
    const { result, offset } = asn1js.fromBER(der)
    if (offset !== der.length) throw new Error('It is not one element')
    const outer = new ContentInfo({ schema: result })
    if (outer.contentType !== ID_SIGNED_DATA) throw new Error('It is no SignedData')
    const content: unknown = outer.content
    const certificates = certificatesOf(content)
    const signedData = new SignedData({ schema: content })
    const { eContentType, eContent } = signedData.encapContentInfo
    if (eContentType !== ID_CT_TST_INFO || !eContent) throw new Error('It is over no TSTInfo')
    return new TimestampToken(signedData, Buffer.from(eContent.getValue()), certificates)
  }

  /** The certificate by whose key it is signed, DER; null when it is neither inside nor among those given. */
  signerCertificate(others: readonly Buffer[] = []): Buffer | null {
    const { sid } = this.#signerInfo as { sid: unknown }
    if (!(sid instanceof IssuerAndSerialNumber)) return null
    const named = [...this.certificates, ...others].find((der) => {
      const { issuer, serialNumber } = new Certificate({ schema: asn1js.fromBER(der).result })
      return issuer.isEqual(sid.issuer) && serialNumber.isEqual(sid.serialNumber)
    })
    return named ?? null
  }

  /**
   * Checks the signature, and that the signed attributes name this content and this certificate.
   * @see RFC 3161, 2.4.2, and RFC 5816
   * @throws {Error} saying what does not hold
   */
  rejectForged(signer: Buffer): void {
    const { signedAttrs, signature, signatureAlgorithm, digestAlgorithm } = this.#signerInfo
    if (!signedAttrs) throw new Error('It has no signed attributes')
    const hash = readHash(digestAlgorithm.toSchema())
    if (!STRONG.has(hash)) throw new Error(`Its hash ${hash} is too weak`)
    const attributes = new Map<string, asn1js.AsnType>()
    for (const { type, values } of signedAttrs.attributes) {
      const [value, ...more] = values as asn1js.AsnType[]
      if (attributes.has(type) || !value || more.length > 0) {
        throw new Error('A signed attribute is there twice, or has not one value')
      }
      attributes.set(type, value)
    }
    rejectOtherContent(attributes, createHash(hash).update(this.#tstInfo).digest())
    rejectOtherCertificate(attributes, signer)
    const method = readSignatureMethod(signatureAlgorithm.toSchema(), hash)
    const { publicKey } = new X509Certificate(signer)
    const signed = new Uint8Array(signedAttrs.encodedValue)
    if (!verifies(method, publicKey, signed, Buffer.from(signature.valueBlock.valueHexView))) {
      throw new Error('Its signature does not verify')
    }
  }
}

function rejectOtherContent(attributes: ReadonlyMap<string, asn1js.AsnType>, digest: Buffer): void {
  const type = attributes.get(ATTRIBUTE_OIDS.contentType)
  const isTstInfo =
    type instanceof asn1js.ObjectIdentifier && type.valueBlock.toString() === ID_CT_TST_INFO
  if (!isTstInfo) throw new Error('Its signed content type is another')
  const signed = attributes.get(ATTRIBUTE_OIDS.messageDigest)
  const isSame =
    signed instanceof asn1js.OctetString && digest.equals(signed.valueBlock.valueHexView)
  if (!isSame) throw new Error('Its signed digest is of something else')
}

/** One of the two attributes has to be there, and the first certificate each names has to be this one. */
function rejectOtherCertificate(
  attributes: ReadonlyMap<string, asn1js.AsnType>,
  signer: Buffer,
): void {
  const [v1, v2] = [
    attributes.get(ATTRIBUTE_OIDS.signingCertificate),
    attributes.get(ATTRIBUTE_OIDS.signingCertificateV2),
  ]
  if (!v1 && !v2) throw new Error('It does not name the certificate of its signer')
  for (const [value, defaultHash] of [
    [v1, 'sha1'],
    [v2, 'sha256'],
  ] as const) {
    if (!value) continue
    const [first] = members(members(value)[0])
    const fields = members(first)
    const hash = fields[0] instanceof asn1js.Sequence ? readHash(fields.shift()) : defaultHash
    const [certHash, issuerSerial] = fields
    const own = createHash(hash).update(signer).digest()
    const isSame =
      certHash instanceof asn1js.OctetString &&
      certHash.valueBlock.valueHexView.length === own.length &&
      timingSafeEqual(own, certHash.valueBlock.valueHexView)
    if (!isSame || (issuerSerial && !isSerialOf(issuerSerial, signer))) {
      throw new Error('It names another certificate than that of its signer')
    }
  }
}

function isSerialOf(issuerSerial: asn1js.AsnType, signer: Buffer): boolean {
  const [, serial] = members(issuerSerial)
  const { serialNumber } = new Certificate({ schema: asn1js.fromBER(signer).result })
  return serial instanceof asn1js.Integer && serial.isEqual(serialNumber)
}

function members(block: asn1js.AsnType | undefined): asn1js.AsnType[] {
  if (!(block instanceof asn1js.Sequence)) throw new Error('An attribute is malformed')
  return [...block.valueBlock.value]
}
