import * as asn1js from 'asn1js'
import { isDer } from '../der.js'

/** Which certificate somebody asks about. @see RFC 6960, 4.1.1 */
export interface CertificateId {
  /** CertID, DER, as it came: the answer repeats it. */
  readonly der: Buffer
  /** OID of the hash under which the issuer is named. */
  readonly hashOid: string
  readonly issuerNameHash: Buffer
  readonly issuerKeyHash: Buffer
  /** Upper-case hexadecimal. */
  readonly serialNumber: string
}

export interface OcspRequest {
  readonly certificates: readonly CertificateId[]
  /** What the nonce extension holds, DER; null when there is none. */
  readonly nonce: Buffer | null
}

/** It cannot be answered but by `malformedRequest`. */
export class MalformedOcspRequestError extends Error {
  override readonly name = 'MalformedOcspRequestError'
}

/** Far more than anybody asks for. */
export const MOST_REQUEST_BYTES = 8 * 1024
const MOST_CERTIFICATES = 32
const LONGEST_SERIAL_BYTES = 32
/** @see RFC 9654, 2.1 */
const LONGEST_NONCE = 128

export const NONCE = '1.3.6.1.5.5.7.48.1.2'

const VERSION_TAG = 0
const REQUESTOR_TAG = 1
const EXTENSIONS_TAG = 2
const SINGLE_EXTENSIONS_TAG = 0
const SIGNATURE_TAG = 0

/** Reads an OCSPRequest, DER. Signatures of those who ask are not looked at: everybody may. */
export function readOcspRequest(bytes: Buffer): OcspRequest {
  try {
    return readRequest(bytes)
  } catch (cause) {
    if (cause instanceof MalformedOcspRequestError) throw cause
    throw new MalformedOcspRequestError('It is no OCSP request', { cause })
  }
}

function readRequest(bytes: Buffer): OcspRequest {
  demand(bytes.length <= MOST_REQUEST_BYTES && isDer(bytes), 'it is not DER')
  const [tbs, signature, ...others] = members(asn1js.fromBER(bytes).result)
  const isSigned = signature === undefined || isTagged(signature, SIGNATURE_TAG)
  demand(isSigned && others.length === 0, 'it has more than a signature')
  const fields = members(tbs)
  if (isTagged(fields[0], VERSION_TAG)) demand(isFirstVersion(fields.shift()), 'another version')
  if (isTagged(fields[0], REQUESTOR_TAG)) fields.shift()
  const [list, extensions, ...more] = fields
  const areExtensions = extensions === undefined || isTagged(extensions, EXTENSIONS_TAG)
  demand(areExtensions && more.length === 0, 'it has other members')
  const requests = members(list)
  const isAsked = requests.length >= 1 && requests.length <= MOST_CERTIFICATES
  demand(isAsked, 'it asks about none or too many')
  return {
    certificates: requests.map(readSingle),
    nonce: extensions ? readNonce(extensions) : null,
  }
}

function isFirstVersion(version: asn1js.AsnType | undefined): boolean {
  const [number] = version instanceof asn1js.Constructed ? version.valueBlock.value : []
  return number instanceof asn1js.Integer && number.valueBlock.valueDec === 0
}

function readSingle(block: asn1js.AsnType): CertificateId {
  const [id, extensions, ...others] = members(block)
  const areExtensions = extensions === undefined || isTagged(extensions, SINGLE_EXTENSIONS_TAG)
  demand(areExtensions && others.length === 0, 'a question has other members')
  const isAnyCritical = extensions && extensionsIn(extensions).some(({ critical }) => critical)
  demand(!isAnyCritical, 'a critical extension is unknown')
  return readCertificateId(id)
}

function readCertificateId(block: asn1js.AsnType | undefined): CertificateId {
  const [algorithm, nameHash, keyHash, serial, ...more] = members(block)
  const [oid, parameters, ...others] = members(algorithm)
  const arePlain = parameters === undefined || parameters instanceof asn1js.Null
  demand(arePlain && others.length === 0, 'a hash with parameters')
  const isComplete =
    oid instanceof asn1js.ObjectIdentifier &&
    nameHash instanceof asn1js.OctetString &&
    keyHash instanceof asn1js.OctetString &&
    serial instanceof asn1js.Integer &&
    more.length === 0
  if (!block || !isComplete) throw new MalformedOcspRequestError('a certificate is not named')
  const number = Buffer.from(serial.valueBlock.valueHexView)
  demand(number.length <= LONGEST_SERIAL_BYTES, 'a serial number is too long')
  return {
    der: Buffer.from(block.valueBeforeDecodeView),
    hashOid: oid.valueBlock.toString(),
    issuerNameHash: Buffer.from(nameHash.valueBlock.valueHexView),
    issuerKeyHash: Buffer.from(keyHash.valueBlock.valueHexView),
    serialNumber: serialText(number),
  }
}

/** As certificates are on record: a leading zero is only there to keep the number positive. */
function serialText(number: Buffer): string {
  const bytes = number.length > 1 && number[0] === 0 ? number.subarray(1) : number
  return bytes.toString('hex').toUpperCase()
}

function readNonce(wrapper: asn1js.AsnType): Buffer | null {
  let nonce: Buffer | null = null
  for (const { oid, critical, content } of extensionsIn(wrapper)) {
    demand(oid === NONCE || !critical, 'a critical extension is unknown')
    if (oid !== NONCE) continue
    demand(nonce === null && isNonceValue(content), 'the nonce is none')
    nonce = content
  }
  return nonce
}

function extensionsIn(wrapper: asn1js.AsnType) {
  const [list] = wrapper instanceof asn1js.Constructed ? wrapper.valueBlock.value : []
  return members(list).map((each) => {
    const [oid, ...others] = members(each)
    const value = others.at(-1)
    if (!(oid instanceof asn1js.ObjectIdentifier) || !(value instanceof asn1js.OctetString)) {
      throw new MalformedOcspRequestError('an extension is incomplete')
    }
    return {
      oid: oid.valueBlock.toString(),
      critical: others.some((one) => one instanceof asn1js.Boolean && one.getValue()),
      content: Buffer.from(value.valueBlock.valueHexView),
    }
  })
}

/** An OCTET STRING of 1 to 128 octets. */
function isNonceValue(content: Buffer): boolean {
  if (!isDer(content)) return false
  const { result } = asn1js.fromBER(content)
  if (!(result instanceof asn1js.OctetString)) return false
  const { length } = result.valueBlock.valueHexView
  return length >= 1 && length <= LONGEST_NONCE
}

function isTagged(block: asn1js.AsnType | undefined, tag: number): boolean {
  return block?.idBlock.tagClass === 3 && block.idBlock.tagNumber === tag
}

function members(block: asn1js.AsnType | undefined): asn1js.AsnType[] {
  if (!(block instanceof asn1js.Sequence)) throw new MalformedOcspRequestError('no structure')
  return [...block.valueBlock.value]
}

function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new MalformedOcspRequestError(otherwise)
}
