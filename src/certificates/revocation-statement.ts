import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'
import {
  Extensions,
  IssuingDistributionPoint,
  OCSPResponse,
  RelativeDistinguishedNames,
  ResponseData,
  Time,
  type CertID,
  type Extension,
  type SingleResponse,
} from 'pkijs'
import { elementsIn } from './der.js'
import { PathCertificate } from './path.js'
import { publicKeyOf, readSigned } from './signed-structure.js'

/** What an authority says of one certificate, checked: that it is from whom may say it, and fresh. */
export interface RevocationStatement {
  readonly isRevoked: boolean
  readonly thisUpdate: Date
  readonly nextUpdate: Date | null
  /** Who signed it, when that is not the issuer itself. */
  readonly responder: PathCertificate | null
}

/** Whom it has to be about, and when it is read. */
export interface RevocationQuestion {
  readonly certificate: PathCertificate
  readonly issuer: PathCertificate
  readonly now: Date
}

const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'
const BASIC_OCSP = '1.3.6.1.5.5.7.48.1.1'
const NONCE = '1.3.6.1.5.5.7.48.1.2'
const ISSUING_DISTRIBUTION_POINT = '2.5.29.28'
const REMOVE_FROM_CRL = 8
const REASON_CODE = '2.5.29.21'

/** Clocks differ. */
const SKEW_MS = 5 * 60_000
/** What does not say when there will be news counts so long. */
const WITHOUT_NEXT_MS = 24 * 60 * 60_000

/** Hashes of a CertID, which only names an issuer. */
const NAMING_HASHES: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

/**
 * Reads an `OCSPResponse`. @see RFC 6960, 3.2
 * @param nonce that was sent; a response may leave it out, and must not have another. Null for none
 * @throws {Error} saying why it proves nothing
 */
export function readOcsp(
  der: Buffer,
  question: RevocationQuestion,
  nonce: Buffer | null = null,
): RevocationStatement {
  const signed = readSigned(basicResponse(der))
  const tbsResponseData = new ResponseData({ schema: asn1js.fromBER(signed.tbs).result })
  rejectOtherNonce(tbsResponseData, nonce)
  const single = tbsResponseData.responses.find((each) => isAbout(each.certID, question))
  if (!single) throw new Error('the OCSP response is about another certificate')
  rejectCritical(single.singleExtensions ?? [])
  const { issuer, now } = question
  const [wrapped] = signed.rest
  const [list] = wrapped ? elementsIn(wrapped) : []
  const embedded = list ? [...elementsIn(list)].map((each) => new PathCertificate(each)) : []
  const responder = [issuer, ...embedded].find(
    (each) =>
      isNamed(tbsResponseData, each) &&
      (each === issuer || isDelegated(each, issuer, now)) &&
      signed.isSignedBy(publicKeyOf(each.parsed.publicKey)),
  )
  if (!responder) throw new Error('the OCSP response is from nobody who may answer')
  const { thisUpdate, nextUpdate = null } = single
  rejectStale({ thisUpdate, nextUpdate }, now)
  return {
    isRevoked: isRevoked(single),
    ...{ thisUpdate, nextUpdate },
    responder: responder === issuer ? null : responder,
  }
}

function basicResponse(der: Buffer): Buffer {
  const { result, offset } = asn1js.fromBER(der)
  if (offset !== der.length) throw new Error('it is no OCSP response')
  const { responseStatus, responseBytes } = new OCSPResponse({ schema: result })
  const [status = 0xff] = responseStatus.valueBlock.valueHexView
  if (status !== 0) throw new Error(`the OCSP responder refuses with status ${status}`)
  if (responseBytes?.responseType !== BASIC_OCSP) throw new Error('it is no basic OCSP response')
  return Buffer.from(responseBytes.response.getValue())
}

function rejectOtherNonce({ responseExtensions = [] }: ResponseData, nonce: Buffer | null): void {
  const found = responseExtensions.find(({ extnID }) => extnID === NONCE)
  if (!nonce || !found) return
  const answered = asn1js.fromBER(found.extnValue.getValue()).result
  const isSame =
    answered instanceof asn1js.OctetString && nonce.equals(answered.valueBlock.valueHexView)
  if (!isSame) throw new Error('the OCSP response answers somebody else')
}

function isAbout(
  { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber }: CertID,
  { certificate, issuer }: RevocationQuestion,
): boolean {
  const name = NAMING_HASHES[hashAlgorithm.algorithmId]
  if (name === undefined) return false
  const hash = (bytes: Uint8Array) => createHash(name).update(bytes).digest()
  return (
    hash(issuer.parsed.subjectName).equals(issuerNameHash.valueBlock.valueHexView) &&
    hash(issuer.keyBits).equals(issuerKeyHash.valueBlock.valueHexView) &&
    serialText(serialNumber) === certificate.parsed.serialNumber
  )
}

function serialText(serial: asn1js.Integer): string {
  const digits = Buffer.from(serial.valueBlock.valueHexView).toString('hex').toUpperCase()
  return digits.replace(/^(00)+(?=.)/, '')
}

/** By its name, or by the hash of its key. */
function isNamed({ responderID }: ResponseData, { parsed, keyBits }: PathCertificate): boolean {
  const id: unknown = responderID
  if (id instanceof asn1js.OctetString) {
    const hash = createHash('sha1').update(keyBits).digest()
    return hash.equals(id.valueBlock.valueHexView)
  }
  return (
    id instanceof RelativeDistinguishedNames &&
    parsed.subjectName.equals(Buffer.from(id.toSchema().toBER()))
  )
}

/** @see RFC 6960, 4.2.2.2: certified by that very authority, for this */
function isDelegated(responder: PathCertificate, issuer: PathCertificate, now: Date): boolean {
  return (
    responder.extendedKeyUsage?.oids.includes(OCSP_SIGNING) === true &&
    responder.isValidAt(now) &&
    !responder.hasUnknownCriticalExtension &&
    responder.isIssuedBy(issuer)
  )
}

function isRevoked({ certStatus }: SingleResponse): boolean {
  const { tagNumber } = (certStatus as asn1js.AsnType).idBlock
  if (tagNumber === 2) throw new Error('the OCSP responder does not know the certificate')
  return tagNumber === 1
}

/**
 * Reads a `CertificateList` of the issuer itself that is complete. @see RFC 5280, 6.3
 * @throws {Error} saying why it proves nothing
 */
export function readCrl(der: Buffer, question: RevocationQuestion): RevocationStatement {
  const { certificate, issuer, now } = question
  const signed = readSigned(der)
  const list = readList(signed.tbs)
  if (!list.algorithm.equals(signed.algorithm)) throw new Error('the CRL names two algorithms')
  if (!list.issuer.equals(issuer.parsed.subjectName)) {
    throw new Error('the CRL is of another authority')
  }
  const isSigned = issuer.maySignCrls && signed.isSignedBy(publicKeyOf(issuer.parsed.publicKey))
  if (!isSigned) throw new Error('the signature of the CRL does not verify')
  const scope = list.extensions.find(({ extnID }) => extnID === ISSUING_DISTRIBUTION_POINT)
  if (scope) rejectOtherScope(scope, certificate)
  rejectCritical(list.extensions.filter((each) => each !== scope))
  const { thisUpdate, nextUpdate } = list
  rejectStale({ thisUpdate, nextUpdate }, now)
  const isRevoked = list.revoked !== null && isListed(list.revoked, certificate)
  return { isRevoked, ...{ thisUpdate, nextUpdate }, responder: null }
}

interface CertificateList {
  readonly algorithm: Buffer
  readonly issuer: Buffer
  readonly thisUpdate: Date
  readonly nextUpdate: Date | null
  /** A SEQUENCE OF entries, not read. */
  readonly revoked: Buffer | null
  readonly extensions: readonly Extension[]
}

const TAGS = {
  integer: 0x02,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  extensions: 0xa0,
}

/** @see RFC 5280, 5.1 */
function readList(tbs: Buffer): CertificateList {
  const fields = [...elementsIn(tbs)]
  const take = (...tags: readonly number[]) =>
    fields[0]?.[0] !== undefined && tags.includes(fields[0][0]) ? fields.shift() : undefined
  take(TAGS.integer)
  const [algorithm, issuer] = [take(TAGS.sequence), take(TAGS.sequence)]
  const thisUpdate = take(TAGS.utcTime, TAGS.generalizedTime)
  const nextUpdate = take(TAGS.utcTime, TAGS.generalizedTime)
  const revoked = take(TAGS.sequence) ?? null
  const wrapped = take(TAGS.extensions)
  if (!algorithm || !issuer || !thisUpdate || fields.length > 0) throw new Error('it is no CRL')
  const [list] = wrapped ? elementsIn(wrapped) : []
  return {
    ...{ algorithm, issuer, revoked },
    thisUpdate: timeOf(thisUpdate),
    nextUpdate: nextUpdate ? timeOf(nextUpdate) : null,
    extensions: list ? readExtensions(list) : [],
  }
}

function timeOf(der: Buffer): Date {
  return new Time({ schema: asn1js.fromBER(der).result }).value
}

function readExtensions(der: Buffer): Extension[] {
  return new Extensions({ schema: asn1js.fromBER(der).result }).extensions
}

/** Only the entry itself is read; of a long list everything else takes longer than it is worth. */
function isListed(revoked: Buffer, { serialInteger }: PathCertificate): boolean {
  const serial = Buffer.from(serialInteger.toBER())
  if (!revoked.includes(serial)) return false
  for (const entry of elementsIn(revoked)) {
    const [number, , extensions] = elementsIn(entry)
    if (!number?.equals(serial)) continue
    const said = extensions ? readExtensions(extensions) : []
    rejectCritical(said)
    return !said.some(
      ({ extnID, extnValue }) => extnID === REASON_CODE && reasonOf(extnValue) === REMOVE_FROM_CRL,
    )
  }
  return false
}

function reasonOf(value: asn1js.OctetString): number {
  const { result } = asn1js.fromBER(value.getValue())
  return result instanceof asn1js.Enumerated ? (result.valueBlock.valueHexView[0] ?? 0) : 0
}

/** A list may leave out authorities, or others than authorities; not reasons, and not issuers. */
function rejectOtherScope({ extnValue }: Extension, { isAuthority }: PathCertificate): void {
  const { result } = asn1js.fromBER(extnValue.getValue())
  const scope = new IssuingDistributionPoint({ schema: result })
  const isElsewhere = isAuthority ? scope.onlyContainsUserCerts : scope.onlyContainsCACerts
  const isPartial = scope.onlySomeReasons !== undefined && scope.onlySomeReasons !== 0
  if (isElsewhere || isPartial || scope.indirectCRL || scope.onlyContainsAttributeCerts) {
    throw new Error('the CRL does not tell of this certificate')
  }
}

function rejectCritical(extensions: readonly Extension[]): void {
  if (extensions.some(({ critical }) => critical))
    throw new Error('a critical extension is unknown')
}

function rejectStale(
  { thisUpdate, nextUpdate }: { readonly thisUpdate: Date; readonly nextUpdate: Date | null },
  now: Date,
): void {
  const until = nextUpdate?.getTime() ?? thisUpdate.getTime() + WITHOUT_NEXT_MS
  if (thisUpdate.getTime() > now.getTime() + SKEW_MS) throw new Error('it is of the future')
  if (until < now.getTime() - SKEW_MS) throw new Error('it is out of date')
}
