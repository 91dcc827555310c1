import { createHash, X509Certificate, type KeyObject } from 'node:crypto'
import { isDer } from '../certificates/der.js'
import { parseCertificate, type ParsedCertificate } from '../certificates/certificate.js'
import { childrenOf, oidOf, readElement, smallIntegerOf } from './asn1.js'
import {
  readSignatureMethod,
  verifies,
  type SignatureMethod,
} from '../certificates/signature-method.js'
import * as asn1js from 'asn1js'

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
  ...(['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment'] as const),
  ...(['keyAgreement', 'keyCertSign', 'cRLSign', 'encipherOnly', 'decipherOnly'] as const),
]
export type KeyUsage = (typeof KEY_USAGES)[number]

export const EXTENSIONS = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  issuerAltName: '2.5.29.18',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
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

/** Null for what is no certificate, or none in DER. */
export function readCertificate(der: Buffer): KnownCertificate | null {
  try {
    if (!isDer(der)) return null
    const parsed = parseCertificate(der)
    const x509 = new X509Certificate(der)
    const extension = (oid: string) => parsed.extensions.find((each) => each.oid === oid)?.value
    return {
      ...parsed,
      x509,
      key: x509.publicKey,
      fingerprint: createHash('sha256').update(der).digest('hex'),
      method: methodOf(parsed),
      basicConstraints: readBasicConstraints(extension(EXTENSIONS.basicConstraints)),
      keyUsage: readKeyUsage(extension(EXTENSIONS.keyUsage)),
      extendedKeyUsage: readExtendedKeyUsage(extension(EXTENSIONS.extendedKeyUsage)),
    }
  } catch {
    return null // whatever is wrong with it, it proves nothing
  }
}

export function hasExtension({ extensions }: ParsedCertificate, oid: string): boolean {
  return extensions.some((each) => each.oid === oid)
}

/** Whether `issuer` made it, by name, key identifier and signature. */
export function isIssuedBy(certificate: KnownCertificate, issuer: KnownCertificate): boolean {
  const { x509, method, tbs, signature } = certificate
  return (
    method !== null && x509.checkIssued(issuer.x509) && verifies(method, issuer.key, tbs, signature)
  )
}

/** Null also where the certificate names two algorithms. */
function methodOf(certificate: ParsedCertificate): SignatureMethod | null {
  const [tbs, outer] = childrenOf(readElement(certificate.der))
  const fields = childrenOf(tbs)
  const inner = fields.find((field) => field instanceof asn1js.Sequence)
  if (!inner || !Buffer.from(inner.valueBeforeDecodeView).equals(encodingOf(outer))) return null
  try {
    return readSignatureMethod(outer)
  } catch {
    return null
  }
}

function encodingOf(block: asn1js.AsnType | undefined): Buffer {
  return block === undefined ? Buffer.alloc(0) : Buffer.from(block.valueBeforeDecodeView)
}

function readBasicConstraints(value: Buffer | undefined): KnownCertificate['basicConstraints'] {
  if (value === undefined) return null
  const fields = childrenOf(readElement(value))
  const ca = fields[0] instanceof asn1js.Boolean ? fields[0].getValue() : false
  const length = fields.find((field) => field instanceof asn1js.Integer)
  return { ca, pathLength: length ? smallIntegerOf(length) : null }
}

function readKeyUsage(value: Buffer | undefined): ReadonlySet<KeyUsage> | null {
  if (value === undefined) return null
  const bits = readElement(value)
  if (!(bits instanceof asn1js.BitString)) throw new Error('No key usage')
  const bytes = bits.valueBlock.valueHexView
  const isSet = (index: number) => ((bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
  return new Set(KEY_USAGES.filter((_, index) => isSet(index)))
}

function readExtendedKeyUsage(value: Buffer | undefined): readonly string[] | null {
  return value === undefined ? null : childrenOf(readElement(value)).map(oidOf)
}
