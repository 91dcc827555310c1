import { createHash, X509Certificate, type KeyObject } from 'node:crypto'
import * as asn1js from 'asn1js'
import { bitsOf, childrenOf, integerOf, oidOf, readElement, smallIntegerOf } from './asn1.js'
import { parseCertificate, type ParsedCertificate } from './certificate.js'
import { elementsIn, isDer } from './der.js'
import { readSignatureMethod, verifies, type SignatureMethod } from './signature-method.js'

/** A certificate that both parsers could read: ours for what it says, OpenSSL for who signed it. */
export interface KnownCertificate extends ParsedCertificate {
  readonly x509: X509Certificate
  readonly key: KeyObject
  /** SHA-256 of the DER, hexadecimal: its name in reports and maps. */
  readonly fingerprint: string
  /** Null for one we do not know. */
  readonly method: SignatureMethod | null
  /** Whether it may be a CA at all, and above how many CAs; null for any number. */
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | null } | null
  /** Null when the certificate does not restrict it. */
  readonly keyUsage: ReadonlySet<KeyUsage> | null
  /** OIDs; null when the certificate does not restrict it. */
  readonly extendedKeyUsage: readonly string[] | null
}

const KEY_USAGES = [
  ...(['digitalSignature', 'contentCommitment', 'keyEncipherment', 'dataEncipherment'] as const),
  ...(['keyAgreement', 'keyCertSign', 'cRLSign', 'encipherOnly', 'decipherOnly'] as const),
]
export type KeyUsage = (typeof KEY_USAGES)[number]

export const EXTENSIONS = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  issuerAltName: '2.5.29.18',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
  noRevAvail: '2.5.29.56',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
  qcStatements: '1.3.6.1.5.5.7.1.3',
  ocspNoCheck: '1.3.6.1.5.5.7.48.1.5',
  shortTerm: '0.4.0.194121.2.1',
} as const

export const EXTENDED_KEY_USAGES = {
  any: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  ocspSigning: '1.3.6.1.5.5.7.3.9',
} as const

/** @throws {Error} for what is no certificate, or none in DER */
export function knownCertificate(der: Buffer): KnownCertificate {
  if (!isDer(der)) throw new Error('Not a certificate in DER')
  const parsed = parseCertificate(der)
  const x509 = new X509Certificate(der)
  return {
    ...parsed,
    x509,
    key: x509.publicKey,
    fingerprint: createHash('sha256').update(der).digest('hex'),
    method: methodOf(der),
    basicConstraints: readBasicConstraints(extensionValue(parsed, EXTENSIONS.basicConstraints)),
    keyUsage: readKeyUsage(extensionValue(parsed, EXTENSIONS.keyUsage)),
    extendedKeyUsage: readExtendedKeyUsage(extensionValue(parsed, EXTENSIONS.extendedKeyUsage)),
  }
}

/** Null for what is none: whatever is wrong with it, it proves nothing. */
export function readCertificate(der: Buffer): KnownCertificate | null {
  try {
    return knownCertificate(der)
  } catch {
    return null
  }
}

export function readCertificates(ders: readonly Buffer[]): KnownCertificate[] {
  return ders.map(readCertificate).filter((each) => each !== null)
}

export function extensionValue({ extensions }: ParsedCertificate, oid: string): Buffer | undefined {
  return extensions.find((each) => each.oid === oid)?.value
}

export function hasExtension({ extensions }: ParsedCertificate, oid: string): boolean {
  return extensions.some((each) => each.oid === oid)
}

/** Extensions that are heeded, or that are about what nobody here relies on. */
const UNDERSTOOD: ReadonlySet<string> = new Set(Object.values(EXTENSIONS))

/** The OID of a critical extension that nobody here understands. */
export function unknownCritical({ extensions }: ParsedCertificate): string | undefined {
  return extensions.find(({ oid, critical }) => critical && !UNDERSTOOD.has(oid))?.oid
}

export function isSelfIssued({ subjectName, issuerName }: ParsedCertificate): boolean {
  return subjectName.equals(issuerName)
}

export function isValidAt({ notBefore, notAfter }: ParsedCertificate, time: Date): boolean {
  return time >= notBefore && time <= notAfter
}

/** Whether it is a CA; a certificate that says nothing of the use of its key leaves it open. */
export function isAuthority({ basicConstraints, keyUsage }: KnownCertificate): boolean {
  return basicConstraints?.ca === true && (keyUsage === null || keyUsage.has('keyCertSign'))
}

/** Whether `issuer` made it, by name, key identifier and signature, and may make any. */
export function isIssuedBy(certificate: KnownCertificate, issuer: KnownCertificate): boolean {
  const { x509, method, tbs, signature, issuerName } = certificate
  return (
    method !== null &&
    issuerName.equals(issuer.subjectName) &&
    x509.checkIssued(issuer.x509) &&
    verifies(method, issuer.key, tbs, signature)
  )
}

/** Whether nobody is meant to ask about its revocation. @see RFC 9608, EN 319 412-1, RFC 6960 */
export function isUnchecked(certificate: KnownCertificate): boolean {
  const isResponder =
    certificate.extendedKeyUsage?.includes(EXTENDED_KEY_USAGES.ocspSigning) === true
  return (
    hasExtension(certificate, EXTENSIONS.noRevAvail) ||
    hasExtension(certificate, EXTENSIONS.shortTerm) ||
    (isResponder && hasExtension(certificate, EXTENSIONS.ocspNoCheck))
  )
}

/** What identifiers of a key are hashes of: the BIT STRING without its count of unused bits. */
export function keyHash({ publicKey }: ParsedCertificate, hash: string): Buffer {
  const [, bits] = childrenOf(readElement(publicKey))
  return createHash(hash).update(bitsOf(bits)).digest()
}

/** Content octets of the INTEGER, as it came. */
export function serialContent({ tbs }: ParsedCertificate): Buffer {
  const [first, second] = elementsIn(tbs)
  return integerOf(readElement((first?.[0] === INTEGER ? first : second) ?? Buffer.alloc(0)))
}

/** Hexadecimal, without zeros in front. */
export function serialText(content: Buffer): string {
  return content.toString('hex').replace(/^(00)+(?=.)/, '')
}

export function serialOf({ serialNumber }: ParsedCertificate): string {
  return serialText(Buffer.from(serialNumber, 'hex'))
}

/** Null also where the certificate names two algorithms. */
function methodOf(der: Buffer): SignatureMethod | null {
  const [tbs, outer] = elementsIn(der)
  if (!tbs || !outer) return null
  const inner = [...elementsIn(tbs)].find(([tag]) => tag === SEQUENCE)
  try {
    return inner?.equals(outer) === true ? readSignatureMethod(readElement(outer)) : null
  } catch {
    return null
  }
}

const INTEGER = 0x02
const SEQUENCE = 0x30

function readBasicConstraints(value: Buffer | undefined): KnownCertificate['basicConstraints'] {
  if (value === undefined) return null
  const fields = childrenOf(readElement(value))
  const ca = fields[0] instanceof asn1js.Boolean ? fields[0].getValue() : false
  const length = fields.find((field) => field instanceof asn1js.Integer)
  return { ca, pathLength: length ? smallIntegerOf(length) : null }
}

function readKeyUsage(value: Buffer | undefined): ReadonlySet<KeyUsage> | null {
  if (value === undefined) return null
  const bytes = bitsOf(readElement(value))
  const isSet = (index: number) => ((bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
  return new Set(KEY_USAGES.filter((_, index) => isSet(index)))
}

function readExtendedKeyUsage(value: Buffer | undefined): readonly string[] | null {
  return value === undefined ? null : childrenOf(readElement(value)).map(oidOf)
}
