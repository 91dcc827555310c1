import { X509Certificate } from 'node:crypto'
import * as asn1js from 'asn1js'
import { keyAlgorithmOf, type KeyAlgorithm } from '../keys/algorithms.js'
import { childrenOf, nameText, plainNameText, shortSubjectText } from './distinguished-name.js'

export interface CertificateExtension {
  readonly oid: string
  readonly critical: boolean
  /** What the OCTET STRING holds, DER. */
  readonly value: Buffer
}

/** A certificate, read. */
export interface ParsedCertificate {
  readonly der: Buffer
  /** The signed part, DER. */
  readonly tbs: Buffer
  readonly version: number
  /** As the CSC API writes it: upper-case hex without separators. */
  readonly serialNumber: string
  readonly signatureAlgorithmOid: string
  /** The algorithm outside the signed part, which has to be the same. */
  readonly outerSignatureAlgorithmOid: string
  readonly signature: Buffer
  /** RFC 4514 texts. */
  readonly subject: string
  readonly issuer: string
  /** Names, DER. */
  readonly subjectName: Buffer
  readonly issuerName: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  /** GeneralizedTime texts, `YYYYMMDDHHMMSSZ`. */
  readonly validFrom: string
  readonly validTo: string
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer
  /** Null for keys we do not work with. */
  readonly keyAlgorithm: KeyAlgorithm | null
  readonly extensions: readonly CertificateExtension[]
}

/** @throws {Error} when it is not exactly one certificate */
export function parseCertificate(der: Buffer): ParsedCertificate {
  try {
    return readCertificate(der)
  } catch (cause) {
    throw new Error('Not an X.509 certificate', { cause })
  }
}

/** What of a certificate every signature needs, and every page that names it. */
export interface KeyAndValidity {
  /** As `ParsedCertificate` has it; null where that takes reading all of it. */
  readonly subject: string | null
  /** Likewise. */
  readonly serialNumber: string
  readonly notBefore: Date
  readonly notAfter: Date
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer
}

/** Much quicker than reading all of it. @throws {Error} when it is no certificate */
export function keyAndValidity(der: Buffer): KeyAndValidity {
  const certificate = new X509Certificate(der)
  return {
    subject: plainNameText(certificate.subject),
    serialNumber: certificate.serialNumber,
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
    publicKey: certificate.publicKey.export({ type: 'spki', format: 'der' }),
  }
}

/** OIDs of the certificate policies (RFC 5280, 4.2.1.4), or of the statements of a qualified certificate. */
export function listedOids(
  { extensions }: ParsedCertificate,
  extension: 'certificatePolicies' | 'qcStatements',
): string[] {
  const value = extensions.find(({ oid }) => oid === LISTS[extension])?.value
  if (!value) return []
  return childrenOf(asn1js.fromBER(value).result).map(algorithmOid)
}

/** Extensions that are lists of entries which begin with an OID; the second is of RFC 3739, 3.2.6. */
const LISTS = { certificatePolicies: '2.5.29.32', qcStatements: '1.3.6.1.5.5.7.1.3' } as const

function readCertificate(der: Buffer): ParsedCertificate {
  const { result, offset } = asn1js.fromBER(der)
  if (offset !== der.length) throw new Error('Bytes before or behind the certificate')
  const [tbs, outerAlgorithm, signature] = childrenOf(result)
  if (tbs === undefined || !(signature instanceof asn1js.BitString)) throw new Error('Incomplete')
  const fields = childrenOf(tbs)
  const version = isContextTag(fields[0], 0) ? 1 + integer(childrenOf(fields.shift())[0]) : 1
  const [serial, algorithm, issuer, validity, subject, publicKey, ...rest] = fields
  if (!(serial instanceof asn1js.Integer)) throw new Error('No serial number')
  const [notBefore, notAfter] = childrenOf(validity).map(dateOf)
  if (notBefore === undefined || notAfter === undefined) throw new Error('No validity')
  const [issuerName, subjectName, spki] = [issuer, subject, publicKey].map(bytesOf)
  if (!issuerName || !subjectName || !spki) throw new Error('Incomplete')
  const extensions = rest.find((field) => isContextTag(field, 3))
  return {
    der: Buffer.from(der),
    tbs: bytesOf(tbs),
    version,
    serialNumber: serialText(Buffer.from(serial.valueBlock.valueHexView)),
    signatureAlgorithmOid: algorithmOid(algorithm),
    outerSignatureAlgorithmOid: algorithmOid(outerAlgorithm),
    signature: Buffer.from(signature.valueBlock.valueHexView),
    subject: nameText(subjectName),
    issuer: nameText(issuerName),
    subjectName,
    issuerName,
    notBefore,
    notAfter,
    validFrom: generalizedTime(notBefore),
    validTo: generalizedTime(notAfter),
    publicKey: spki,
    keyAlgorithm: keyAlgorithmOf(spki),
    extensions: extensions === undefined ? [] : readExtensions(extensions),
  }
}

/** A leading zero is only there to keep the number positive. */
function serialText(bytes: Buffer): string {
  const number = bytes.length > 1 && bytes[0] === 0 ? bytes.subarray(1) : bytes
  return number.toString('hex').toUpperCase()
}

function isContextTag(block: asn1js.AsnType | undefined, number: number): boolean {
  return block?.idBlock.tagClass === 3 && block.idBlock.tagNumber === number
}

function integer(block: asn1js.AsnType | undefined): number {
  if (!(block instanceof asn1js.Integer)) throw new Error('A number was expected')
  return block.valueBlock.valueDec
}

function bytesOf(block: asn1js.AsnType | undefined): Buffer {
  if (block === undefined) throw new Error('Incomplete')
  return Buffer.from(block.valueBeforeDecodeView)
}

function algorithmOid(block: asn1js.AsnType | undefined): string {
  const [oid] = childrenOf(block)
  if (!(oid instanceof asn1js.ObjectIdentifier)) throw new Error('No algorithm')
  return oid.valueBlock.toString()
}

function dateOf(block: asn1js.AsnType): Date {
  // GeneralizedTime is a subclass of UTCTime there
  if (!(block instanceof asn1js.UTCTime)) throw new Error('No time')
  return block.toDate()
}

function readExtensions(wrapper: asn1js.AsnType): CertificateExtension[] {
  return childrenOf(childrenOf(wrapper)[0]).map((extension) => {
    const [oid, ...others] = childrenOf(extension)
    const critical = others.some((block) => block instanceof asn1js.Boolean && block.getValue())
    const value = others.at(-1)
    if (!(oid instanceof asn1js.ObjectIdentifier) || !(value instanceof asn1js.OctetString)) {
      throw new Error('An extension is incomplete')
    }
    const bytes = Buffer.from(value.valueBlock.valueHexView)
    return { oid: oid.valueBlock.toString(), critical, value: bytes }
  })
}

/** `YYYYMMDDHHMMSSZ`, the form of the CSC API. */
export function generalizedTime(date: Date): string {
  return `${date
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replace(/[-:T]/g, '')}Z`
}

/** `O=[organization],CN=[common_name]`, for CSC's error about expired signing certificates. */
export function expiredSubject(certificate: ParsedCertificate): string {
  return shortSubjectText(certificate.subjectName)
}
