import { UnfitCertificateError } from '../errors.js'
import type { IssuedCertificate, SubjectName } from './certificate-authority.js'
import { listedOids } from './certificate.js'
import { nameAttributes } from './distinguished-name.js'
import { soundPath, TrustAnchors, useFlaws } from './certificate-path.js'
import { knownCertificate, type KnownCertificate } from './known-certificate.js'
import type { CertificateProfile } from './profiles.js'
import { qualifyingOids } from './qc-statements.js'

/** What a certificate has to be for, that somebody else issued. */
export interface Certified {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer
  readonly subject: SubjectName
  /** DER: whose certificates are believed. */
  readonly anchors: readonly Buffer[]
  readonly now: Date
  /** What the certificate has to be for, where something was asked for; any use for signatures otherwise. */
  readonly profile?: Pick<
    CertificateProfile,
    'keyUsage' | 'policyOid' | 'extendedKeyUsage' | 'qcStatements'
  >
}

const MOST_CERTIFICATES = 10

/**
 * The certificate among those that somebody else gave that is for our key and our signer, with its chain up
 * to an anchor.
 * @throws {UnfitCertificateError} when there is none, or it is not what was asked for (S16, S104)
 */
export function demandCertified(
  given: readonly Buffer[],
  { publicKey, subject, anchors, now, profile }: Certified,
): IssuedCertificate {
  if (given.length > MOST_CERTIFICATES) throw new UnfitCertificateError('there are too many')
  const certificates = given.map(readGiven)
  const [end, another] = certificates.filter((each) => each.publicKey.equals(publicKey))
  if (!end) throw new UnfitCertificateError('it is for another key')
  if (another) throw new UnfitCertificateError('there are two for the key')
  if (now > end.notAfter) throw new UnfitCertificateError('it is expired')
  if (now < end.notBefore) throw new UnfitCertificateError('it is not valid yet')
  if (end.basicConstraints?.ca === true) {
    throw new UnfitCertificateError('it is that of an authority')
  }
  if (useFlaws(end, 'signature').length > 0) {
    throw new UnfitCertificateError('its key is not for signatures')
  }
  if (profile) rejectOtherProfile(end, profile)
  rejectOtherSubject(end, subject)
  const trusted = new TrustAnchors(anchors.map(readGiven))
  const path = soundPath(end, certificates, trusted, { time: now, use: 'signature' })
  if (!path || path.length < 2) {
    throw new UnfitCertificateError('there is no chain from it to a trusted root')
  }
  const [certificate, ...chain] = path.map(({ der }) => der)
  if (!certificate) throw new UnfitCertificateError('there is none')
  return { certificate, chain }
}

function readGiven(der: Buffer): KnownCertificate {
  try {
    return knownCertificate(der)
  } catch (cause) {
    throw new UnfitCertificateError('it cannot be read', { cause })
  }
}

function rejectOtherProfile(
  end: KnownCertificate,
  { keyUsage, policyOid, extendedKeyUsage, qcStatements }: NonNullable<Certified['profile']>,
): void {
  const isUsable =
    keyUsage.every((name) => end.keyUsage?.has(name) === true) &&
    extendedKeyUsage.every((oid) => end.extendedKeyUsage?.includes(oid) === true)
  if (!isUsable) throw new UnfitCertificateError('it is for another use')
  const policies = listedOids(end, 'certificatePolicies')
  if (policyOid !== undefined && !policies.includes(policyOid)) {
    throw new UnfitCertificateError('it is under another policy')
  }
  const statements = listedOids(end, 'qcStatements')
  const isQualified =
    !qcStatements || qualifyingOids(qcStatements).every((oid) => statements.includes(oid))
  if (!isQualified) throw new UnfitCertificateError('it is not qualified as it has to be')
}

/** Members that say who somebody is. What a CA numbers them by is its own affair. */
const IDENTITY = ['givenName', 'surname', 'organization', 'country'] as const

/**
 * The signer as they are on record, and nobody else: what the certificate says of them agrees, and it names
 * them by name.
 */
function rejectOtherSubject({ subjectName }: KnownCertificate, subject: SubjectName): void {
  const attributes = nameAttributes(subjectName)
  const differs = IDENTITY.some((name) => {
    const [known, said] = [subject[name], attributes[name]]
    return known !== undefined && said !== undefined && !isSameText(known, said)
  })
  if (differs) throw new UnfitCertificateError('it is for somebody else')
  const { commonName, givenName, surname } = subject
  const isNamed = isSameText(attributes.commonName ?? '', commonName)
  const isPerson =
    givenName !== undefined && attributes.givenName !== undefined && surname !== undefined
  const isNamedInParts = isPerson && attributes.surname !== undefined
  if (!isNamed && !isNamedInParts) throw new UnfitCertificateError('it is for somebody else')
}

function isSameText(one: string, other: string): boolean {
  const plain = (text: string) => text.normalize('NFC').trim().replace(/\s+/g, ' ').toLowerCase()
  return plain(one) === plain(other)
}
