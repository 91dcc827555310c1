import * as asn1js from 'asn1js'
import { digestOf } from '../keys/digest.js'
import type { ServiceStatement, StatementKind } from '../keys/key-custody.js'
import { readRequestInfo } from './certification-request.js'
import { elementsIn, isDer } from './der.js'
import { readDer } from './read-der.js'

const ID_CT_TST_INFO = '1.2.840.113549.1.9.16.1.4'
const CONTENT_TYPE = '1.2.840.113549.1.9.3'
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4'
/** id-aa-signingCertificate and id-aa-signingCertificateV2. @see RFC 5816 */
const SIGNING_CERTIFICATE = ['1.2.840.113549.1.9.16.2.12', '1.2.840.113549.1.9.16.2.47']

/**
 * Whether what is to be signed is of its kind and can be taken for nothing else: no octets are a CRL, the
 * data of an OCSP response, the attributes of a timestamp or a certificate at the same time.
 */
export function isStatement(statement: ServiceStatement): boolean {
  const { kind, toBeSigned, tstInfo, algorithm } = statement
  if (kind === 'timestamp' && tstInfo !== null) {
    return GOOD_ATTRIBUTES.isGood(toBeSigned, digestOf(algorithm.hash, tstInfo), () => {
      const attributes = readDer(toBeSigned)
      return attributes !== null && isAboutTimestamp(attributes, statement)
    })
  }
  const block = readDer(toBeSigned)
  if (block === null || (statement.tstInfo !== null) !== (kind === 'timestamp')) return false
  return FORMS[kind](block, statement)
}

const FORMS: Readonly<
  Record<StatementKind, (block: asn1js.AsnType, statement: ServiceStatement) => boolean>
> = {
  crl: isCertificateList,
  'ocsp-response': isResponseData,
  timestamp: isAboutTimestamp,
  'certificate-request': (block) => readRequestInfo(block) !== null,
}

/** TBSCertList of version 2. @see RFC 5280, 5.1 */
function isCertificateList(block: asn1js.AsnType): boolean {
  const [version, signature, issuer, thisUpdate] = members(block, asn1js.Sequence)
  return (
    version instanceof asn1js.Integer &&
    version.valueBlock.valueDec === 1 &&
    signature instanceof asn1js.Sequence &&
    issuer instanceof asn1js.Sequence &&
    thisUpdate instanceof asn1js.UTCTime
  )
}

/** @see RFC 6960, 4.2.1 */
function isResponseData(block: asn1js.AsnType): boolean {
  const [responder, producedAt, responses] = members(block, asn1js.Sequence)
  const { tagClass, tagNumber = 0 } = responder?.idBlock ?? {}
  return (
    tagClass === 3 &&
    [1, 2].includes(tagNumber) &&
    producedAt instanceof asn1js.GeneralizedTime &&
    responses instanceof asn1js.Sequence
  )
}

/** Attributes that are about a TSTInfo: this one. @see RFC 3161, 2.4.2 and RFC 5652, 5.3 */
function isAboutTimestamp(
  block: asn1js.AsnType,
  { tstInfo, algorithm }: ServiceStatement,
): boolean {
  const attributes = new Map<string, asn1js.AsnType>()
  for (const attribute of members(block, asn1js.Set)) {
    const [type, values] = members(attribute, asn1js.Sequence)
    const [value, ...more] = values ? members(values, asn1js.Set) : []
    if (!(type instanceof asn1js.ObjectIdentifier) || !value || more.length > 0) return false
    const oid = type.valueBlock.toString()
    if (attributes.has(oid)) return false
    attributes.set(oid, value)
  }
  const [type, digest] = [attributes.get(CONTENT_TYPE), attributes.get(MESSAGE_DIGEST)]
  const isOfType =
    type instanceof asn1js.ObjectIdentifier && type.valueBlock.toString() === ID_CT_TST_INFO
  if (!isOfType || !(digest instanceof asn1js.OctetString) || tstInfo === null) return false
  const own = digestOf(algorithm.hash, tstInfo)
  const namesCertificate = SIGNING_CERTIFICATE.some((oid) => attributes.has(oid))
  return namesCertificate && own.equals(digest.valueBlock.valueHexView)
}

/** The key that a CertificationRequestInfo names: SubjectPublicKeyInfo, DER; null when it is none. */
export function requestedKey(requestInfo: Buffer): Buffer | null {
  const block = readDer(requestInfo)
  return block && (readRequestInfo(block)?.publicKey ?? null)
}

/**
 * Attributes that were found to be those of a timestamp, but for the digest in them: all of one authority
 * are the same otherwise, and to read them takes longer than to sign them.
 */
class KnownAttributes {
  readonly #known = new Set<string>()

  isGood(attributes: Buffer, digest: Buffer, look: () => boolean): boolean {
    const at = attributes.indexOf(digest)
    // Twice in there, it could be another one that counts.
    if (at < 0 || attributes.indexOf(digest, at + 1) >= 0) return look()
    const rest = Buffer.from(attributes)
      .fill(0, at, at + digest.length)
      .toString('latin1')
    const name = `${at} ${digest.length} ${rest}`
    if (this.#known.has(name)) return true
    const good = look()
    if (good && this.#known.size < MOST_KNOWN) this.#known.add(name)
    return good
  }
}

/** One for each certificate of an authority, and there is one at a time. */
const MOST_KNOWN = 100
const GOOD_ATTRIBUTES = new KnownAttributes()

/** `genTime` of a TSTInfo, DER; null when it is none. @see RFC 3161, 2.4.2 */
export function timestampTime(tstInfo: Buffer): Date | null {
  if (!isDer(tstInfo) || tstInfo[0] !== TAGS.sequence) return null
  const fields = [...elementsIn(tstInfo)]
  const isTstInfo = TST_INFO.every((tag, index) => fields[index]?.[0] === tag)
  const time = isTstInfo && fields[TST_INFO.length - 1]
  return time ? readTime(time) : null
}

/** Many timestamps are of the same millisecond. */
let lastTime: { readonly der: Buffer; readonly time: Date | null } | null = null

function readTime(der: Buffer): Date | null {
  if (lastTime?.der.equals(der)) return lastTime.time
  const read = readDer(der)
  const time = read instanceof asn1js.GeneralizedTime ? read.toDate() : null
  lastTime = { der: Buffer.from(der), time }
  return time
}

const TAGS = { integer: 0x02, oid: 0x06, generalizedTime: 0x18, sequence: 0x30 }
/** Version, policy, imprint, serial number, time. */
const TST_INFO = [TAGS.integer, TAGS.oid, TAGS.sequence, TAGS.integer, TAGS.generalizedTime]

/** The elements of a structure of that kind; none for what is another. */
function members(
  block: asn1js.AsnType,
  kind: typeof asn1js.Sequence | typeof asn1js.Set,
): asn1js.AsnType[] {
  return block instanceof kind ? block.valueBlock.value : []
}
