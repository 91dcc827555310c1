import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'
import type { ServiceStatement, StatementKind } from '../keys/key-custody.js'
import { isDer } from './der.js'

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
  const { kind, toBeSigned } = statement
  if (!isDer(toBeSigned) || (statement.tstInfo !== null) !== (kind === 'timestamp')) return false
  const { result } = asn1js.fromBER(toBeSigned)
  return FORMS[kind](result, statement)
}

const FORMS: Readonly<
  Record<StatementKind, (block: asn1js.AsnType, statement: ServiceStatement) => boolean>
> = {
  crl: isCertificateList,
  'ocsp-response': isResponseData,
  timestamp: isAboutTimestamp,
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
  const own = createHash(algorithm.hash.name).update(tstInfo).digest()
  const namesCertificate = SIGNING_CERTIFICATE.some((oid) => attributes.has(oid))
  return namesCertificate && own.equals(digest.valueBlock.valueHexView)
}

/** `genTime` of a TSTInfo, DER; null when it is none. @see RFC 3161, 2.4.2 */
export function timestampTime(tstInfo: Buffer): Date | null {
  if (!isDer(tstInfo)) return null
  const [version, policy, imprint, serialNumber, time] = members(
    asn1js.fromBER(tstInfo).result,
    asn1js.Sequence,
  )
  const isTstInfo =
    version instanceof asn1js.Integer &&
    policy instanceof asn1js.ObjectIdentifier &&
    imprint instanceof asn1js.Sequence &&
    serialNumber instanceof asn1js.Integer
  return isTstInfo && time instanceof asn1js.GeneralizedTime ? time.toDate() : null
}

/** The elements of a structure of that kind; none for what is another. */
function members(
  block: asn1js.AsnType,
  kind: typeof asn1js.Sequence | typeof asn1js.Set,
): asn1js.AsnType[] {
  return block instanceof kind ? block.valueBlock.value : []
}
