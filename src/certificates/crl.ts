import { IssuingDistributionPoint } from 'pkijs'
import {
  childrenOf,
  enumeratedOf,
  integerOf,
  readElement,
  readExtensions,
  timeOf,
  type Extension,
} from './asn1.js'
import { namedUrls, pointersOf } from './certificate-pointers.js'
import { elementsIn } from './der.js'
import { isAuthority, serialOf, serialText, type KnownCertificate } from './known-certificate.js'
import type { RevocationAnswer, RevocationQuestion, Revoked } from './revocation-answer.js'
import { readSigned, type SignedStructure } from './signed-structure.js'

/** A `CertificateList`, not yet believed. @see RFC 5280, 5.1 */
export interface Crl {
  readonly kind: 'crl'
  readonly der: Buffer
  readonly signed: SignedStructure
  readonly issuerName: Buffer
  readonly thisUpdate: Date
  readonly nextUpdate: Date | null
  /** A SEQUENCE OF entries, not read: of a long list that takes longer than it is worth. */
  readonly entries: Buffer | null
  readonly extensions: readonly Extension[]
}

const EXTENSIONS = {
  crlNumber: '2.5.29.20',
  reason: '2.5.29.21',
  invalidityDate: '2.5.29.24',
  issuingDistributionPoint: '2.5.29.28',
  authorityKeyIdentifier: '2.5.29.35',
  expiredCertsOnCrl: '2.5.29.60',
} as const
const TAGS = {
  integer: 0x02,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  extensions: 0xa0,
}
const REMOVE_FROM_CRL = 8
const TRUE = Buffer.of(0x01, 0x01, 0xff)

/** @throws {Error} when it is none */
export function readCrl(der: Buffer): Crl {
  const signed = readSigned(der)
  const fields = [...elementsIn(signed.tbs)]
  const take = (...tags: readonly number[]) =>
    fields[0]?.[0] !== undefined && tags.includes(fields[0][0]) ? fields.shift() : undefined
  take(TAGS.integer)
  const [algorithm, issuerName] = [take(TAGS.sequence), take(TAGS.sequence)]
  const thisUpdate = take(TAGS.utcTime, TAGS.generalizedTime)
  const nextUpdate = take(TAGS.utcTime, TAGS.generalizedTime)
  const entries = take(TAGS.sequence) ?? null
  const wrapped = take(TAGS.extensions)
  const isWhole = fields.length === 0 && signed.rest.length === 0
  if (!algorithm || !issuerName || !thisUpdate || !isWhole) throw new Error('it is no CRL')
  if (!algorithm.equals(signed.algorithm)) throw new Error('the CRL names two algorithms')
  return {
    ...{ kind: 'crl', der, signed, issuerName, entries },
    thisUpdate: timeOf(readElement(thisUpdate)),
    nextUpdate: nextUpdate ? timeOf(readElement(nextUpdate)) : null,
    extensions: wrapped ? readExtensions(childrenOf(readElement(wrapped))[0]) : [],
  }
}

/**
 * What it says of a certificate of the issuer whose list it is. @see RFC 5280, 6.3.3
 * @throws {Error} saying why it proves nothing: also deltas and indirect lists
 */
export function answerOfCrl(crl: Crl, question: RevocationQuestion): RevocationAnswer {
  const { certificate, issuer, time } = question
  const { issuerName, entries, extensions, thisUpdate, nextUpdate } = crl
  if (!issuerName.equals(issuer.subjectName)) throw new Error('the CRL is of another authority')
  const maySign = issuer.keyUsage === null || issuer.keyUsage.has('cRLSign')
  if (!maySign || !crl.signed.isSignedBy(issuer.key, time)) {
    throw new Error('the signature of the CRL does not verify')
  }
  const scope = extensions.find(({ oid }) => oid === EXTENSIONS.issuingDistributionPoint)
  if (scope) rejectOtherScope(scope, certificate)
  rejectUnknown(extensions)
  if (entries?.includes(TRUE)) rejectUnknownEntries(entries)
  const keeps = extensions.find(({ oid }) => oid === EXTENSIONS.expiredCertsOnCrl)
  return {
    ...{ source: 'crl', thisUpdate, nextUpdate, producedAt: thisUpdate, signer: issuer },
    revoked: entries && revocationIn(entries, certificate),
    keepsExpiredSince: keeps ? timeOf(readElement(keeps.value)) : null,
  }
}

/** A list may leave out authorities, or others than authorities; not reasons, and not issuers. */
function rejectOtherScope({ value }: Extension, certificate: KnownCertificate): void {
  const scope = new IssuingDistributionPoint({ schema: readElement(value) })
  const isElsewhere = isAuthority(certificate)
    ? scope.onlyContainsUserCerts
    : scope.onlyContainsCACerts
  const isPartial = scope.onlySomeReasons !== undefined && scope.onlySomeReasons !== 0
  const isAbout =
    scope.distributionPoint === undefined || isPointOf(scope.distributionPoint, certificate)
  const isOther = scope.indirectCRL || scope.onlyContainsAttributeCerts
  if (isElsewhere || isPartial || isOther || !isAbout) {
    throw new Error('the CRL does not tell of this certificate')
  }
}

/** Of several lists of one issuer, it has to be the one to which the certificate points. */
function isPointOf(
  point: NonNullable<IssuingDistributionPoint['distributionPoint']>,
  certificate: KnownCertificate,
): boolean {
  if (!Array.isArray(point)) return false
  const own = pointersOf(certificate).crls.map(({ href }) => href)
  return namedUrls(point).some(({ href }) => own.includes(href))
}

/** @see RFC 5280, 5.3: a list with an entry that is not understood says nothing of anybody */
function rejectUnknownEntries(entries: Buffer): void {
  for (const entry of elementsIn(entries)) {
    if (entry.includes(TRUE)) rejectUnknown(entryExtensions(entry))
  }
}

function entryExtensions(entry: Buffer): Extension[] {
  const [, , extensions] = elementsIn(entry)
  return extensions ? readExtensions(readElement(extensions)) : []
}

const KNOWN: readonly string[] = Object.values(EXTENSIONS)

function rejectUnknown(extensions: readonly Extension[]): void {
  if (extensions.some(({ oid, critical }) => critical && !KNOWN.includes(oid))) {
    throw new Error('a critical extension is unknown')
  }
}

/** Null when it is not in the list. */
function revocationIn(entries: Buffer, certificate: KnownCertificate): Revoked | null {
  const serial = serialOf(certificate)
  if (!entries.includes(Buffer.from(serial, 'hex'))) return null
  for (const entry of elementsIn(entries)) {
    const [number, at] = elementsIn(entry)
    if (!number || serialText(integerOf(readElement(number))) !== serial) continue
    const extensions = entryExtensions(entry)
    rejectUnknown(extensions)
    const said = extensions.find(({ oid }) => oid === EXTENSIONS.reason)
    const reason = said ? enumeratedOf(readElement(said.value)) : null
    return reason === REMOVE_FROM_CRL ? null : { at: timeOf(readElement(at ?? entry)), reason }
  }
  return null
}
