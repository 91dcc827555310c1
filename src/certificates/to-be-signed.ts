import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'
import {
  AccessDescription,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  CertificatePolicies,
  CRLDistributionPoints,
  DistributionPoint,
  Extension,
  ExtKeyUsage,
  GeneralName,
  GeneralNames,
  PolicyInformation,
  PublicKeyInfo,
  RelativeDistinguishedNames,
  Time,
} from 'pkijs'
import type { CertificateExtension } from './certificate.js'
import { readAlgorithmIdentifier } from './algorithm-identifier.js'
import type { CertificatePlan } from './certificate-plan.js'
import { KEY_USAGE_BITS, type KeyUsage } from './profiles.js'
import { encodeQcStatements } from './qc-statements.js'

export const EXTENSION_OIDS = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  certificatePolicies: '2.5.29.32',
  authorityKeyIdentifier: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  crlDistributionPoints: '2.5.29.31',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
  ocspNoCheck: '1.3.6.1.5.5.7.48.1.5',
  noRevocationAvailable: '2.5.29.56',
  /** Of ETSI: valid for so short that nobody needs to ask. @see EN 319 412-1, 5.2 */
  shortTerm: '0.4.0.194121.2.1',
  qcStatements: '1.3.6.1.5.5.7.1.3',
} as const

/** TBSCertificate, DER. Nothing signs it before it is linted. */
export function encodeToBeSigned(plan: CertificatePlan): Buffer {
  const certificate = new Certificate({
    version: 2,
    serialNumber: new asn1js.Integer({ valueHex: plan.serialNumber }),
    signature: readAlgorithmIdentifier(plan.issuerAlgorithm),
    issuer: nameOf(plan.issuer),
    subject: nameOf(plan.subject),
    notBefore: timeOf(plan.notBefore),
    notAfter: timeOf(plan.notAfter),
    subjectPublicKeyInfo: new PublicKeyInfo({ schema: asn1js.fromBER(plan.publicKey).result }),
    extensions: extensionsOf(plan).map(
      ({ oid, critical, value }) =>
        new Extension({ extnID: oid, critical, extnValue: new Uint8Array(value).buffer }),
    ),
  })
  return Buffer.from(certificate.encodeTBS().toBER())
}

function nameOf(der: Buffer): RelativeDistinguishedNames {
  return new RelativeDistinguishedNames({ schema: asn1js.fromBER(der).result })
}

/** UTCTime until 2049, GeneralizedTime from then on. @see RFC 5280, 4.1.2.5 */
function timeOf(value: Date): Time {
  return new Time({ type: value.getUTCFullYear() < 2050 ? 0 : 1, value })
}

/** The extensions a plan asks for, exactly. */
export function extensionsOf(plan: CertificatePlan): CertificateExtension[] {
  const issuerKeyIdentifier = keyIdentifier(plan.issuerPublicKey)
  const optional = [
    ...(plan.policyOids.length > 0
      ? [extension('certificatePolicies', false, policies(plan.policyOids))]
      : []),
    ...(plan.extendedKeyUsage.length > 0
      ? [
          extension(
            'extKeyUsage',
            plan.extendedKeyUsageIsCritical,
            extendedKeyUsage(plan.extendedKeyUsage),
          ),
        ]
      : []),
    ...revocationExtensions(plan),
    ...(plan.qcStatements
      ? [extension('qcStatements', false, encodeQcStatements(plan.qcStatements))]
      : []),
    ...(plan.email !== undefined ? [extension('subjectAltName', false, mailbox(plan.email))] : []),
  ]
  return [
    extension('basicConstraints', true, constraints(plan.authority)),
    extension('keyUsage', true, usageBits(plan.keyUsage)),
    extension(
      'subjectKeyIdentifier',
      false,
      new asn1js.OctetString({ valueHex: keyIdentifier(plan.publicKey) }),
    ),
    extension(
      'authorityKeyIdentifier',
      false,
      new AuthorityKeyIdentifier({
        keyIdentifier: new asn1js.OctetString({ valueHex: issuerKeyIdentifier }),
      }).toSchema(),
    ),
    ...optional,
  ]
}

function revocationExtensions(plan: CertificatePlan): CertificateExtension[] {
  const { crl, ocsp, caIssuers } = plan.urls
  const access = [
    ...(ocsp === null ? [] : [accessDescription(AD_OCSP, ocsp)]),
    ...(caIssuers === null ? [] : [accessDescription(AD_CA_ISSUERS, caIssuers)]),
  ]
  const informationAccess = new asn1js.Sequence({ value: access })
  return [
    ...(access.length > 0 ? [extension('authorityInfoAccess', false, informationAccess)] : []),
    ...(crl === null ? [] : [extension('crlDistributionPoints', false, distributionPoint(crl))]),
    ...(plan.ocspNoCheck ? [extension('ocspNoCheck', false, new asn1js.Null())] : []),
    ...(plan.noRevocationAvailable
      ? [
          extension('noRevocationAvailable', false, new asn1js.Null()),
          extension('shortTerm', false, new asn1js.Null()),
        ]
      : []),
  ]
}

const AD_OCSP = '1.3.6.1.5.5.7.48.1'
const AD_CA_ISSUERS = '1.3.6.1.5.5.7.48.2'
const URI = 6

function accessDescription(accessMethod: string, url: string): asn1js.AsnType {
  const accessLocation = new GeneralName({ type: URI, value: url })
  return new AccessDescription({ accessMethod, accessLocation }).toSchema()
}

function distributionPoint(url: string): asn1js.AsnType {
  const point = new DistributionPoint({
    distributionPoint: [new GeneralName({ type: URI, value: url })],
  })
  return new CRLDistributionPoints({ distributionPoints: [point] }).toSchema()
}

function extension(
  name: keyof typeof EXTENSION_OIDS,
  critical: boolean,
  value: asn1js.AsnType,
): CertificateExtension {
  return { oid: EXTENSION_OIDS[name], critical, value: Buffer.from(value.toBER()) }
}

/** The leftmost 160 bits of SHA-256 over the key: RFC 7093, method 1. SHA-1 is not needed for it. */
export function keyIdentifier(publicKey: Buffer): Buffer {
  const { subjectPublicKey } = new PublicKeyInfo({ schema: asn1js.fromBER(publicKey).result })
  const hash = createHash('sha256').update(subjectPublicKey.valueBlock.valueHexView)
  return hash.digest().subarray(0, 20)
}

function constraints(authority: CertificatePlan['authority']): asn1js.AsnType {
  if (authority === null) return new BasicConstraints({ cA: false }).toSchema()
  const { pathLength } = authority
  return new BasicConstraints({ cA: true, pathLenConstraint: pathLength }).toSchema()
}

function usageBits(usages: readonly KeyUsage[]): asn1js.AsnType {
  const bits = usages.reduce((byte, usage) => byte | (0x80 >> KEY_USAGE_BITS[usage]), 0)
  // a named bit list has no trailing zeros in DER
  const unusedBits = Math.min(...usages.map((usage) => 7 - KEY_USAGE_BITS[usage]))
  return new asn1js.BitString({ valueHex: new Uint8Array([bits]), unusedBits })
}

function policies(oids: readonly string[]): asn1js.AsnType {
  const certificatePolicies = oids.map((oid) => new PolicyInformation({ policyIdentifier: oid }))
  return new CertificatePolicies({ certificatePolicies }).toSchema()
}

function extendedKeyUsage(oids: readonly string[]): asn1js.AsnType {
  return new ExtKeyUsage({ keyPurposes: [...oids] }).toSchema()
}

const RFC822_NAME = 1

function mailbox(email: string): asn1js.AsnType {
  return new GeneralNames({
    names: [new GeneralName({ type: RFC822_NAME, value: email })],
  }).toSchema()
}
