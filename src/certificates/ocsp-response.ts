import { createHash } from 'node:crypto'
import {
  bytesOf,
  childrenOf,
  enumeratedOf,
  integerOf,
  isContext,
  isEnumerated,
  octetsOf,
  oidOf,
  readElement,
  readExtensions,
  takeContext,
  timeOf,
  type Block,
  type Extension,
} from './asn1.js'
import { elementsIn } from './der.js'
import {
  EXTENDED_KEY_USAGES,
  isAuthority,
  isIssuedBy,
  isValidAt,
  keyHash,
  readCertificates,
  serialOf,
  serialText,
  unknownCritical,
  type KnownCertificate,
} from './known-certificate.js'
import type { RevocationAnswer, RevocationQuestion, Revoked } from './revocation-answer.js'
import { readSigned, type SignedStructure } from './signed-structure.js'

/** A `BasicOCSPResponse`, not yet believed. @see RFC 6960, 4.2.1 */
export interface OcspResponse {
  readonly kind: 'ocsp'
  readonly der: Buffer
  readonly signed: SignedStructure
  readonly responder: { readonly name: Buffer } | { readonly keyHash: Buffer }
  readonly producedAt: Date
  readonly singles: readonly SingleResponse[]
  /** Content of the nonce, null where there is none. */
  readonly nonce: Buffer | null
  readonly certificates: readonly KnownCertificate[]
}

interface SingleResponse {
  /** Null for one that nobody names certificates with. */
  readonly hash: string | null
  readonly issuerNameHash: Buffer
  readonly issuerKeyHash: Buffer
  readonly serialNumber: string
  readonly status: 'good' | 'unknown' | Revoked
  readonly thisUpdate: Date
  readonly nextUpdate: Date | null
  readonly extensions: readonly Extension[]
}

const OCSP_BASIC = '1.3.6.1.5.5.7.48.1.1'
const NONCE = '1.3.6.1.5.5.7.48.1.2'
const ARCHIVE_CUTOFF = '1.3.6.1.5.5.7.48.1.6'

/** Hashes of a CertID, which only names an issuer. */
const NAMING_HASHES: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

/** An OCSPResponse, or the BasicOCSPResponse inside. @throws {Error} when it is neither, or a refusal */
export function readOcspResponse(der: Buffer): OcspResponse {
  const [first] = elementsIn(der)
  const isWhole = first !== undefined && isEnumerated(readElement(first))
  const signed = readSigned(isWhole ? basicResponseIn(readElement(der)) : der)
  const fields = childrenOf(readElement(signed.tbs))
  takeContext(fields, 0)
  const [responder, producedAt, responses] = fields.splice(0, 3)
  const wrapped = takeContext(fields, 1)
  const extensions = wrapped ? readExtensions(childrenOf(wrapped)[0]) : []
  rejectCritical(extensions)
  const nonce = extensions.find(({ oid }) => oid === NONCE)
  const [certificates] = signed.rest.map((each) => childrenOf(childrenOf(readElement(each))[0]))
  return {
    ...{ kind: 'ocsp', der, signed },
    responder: isContext(responder, 1)
      ? { name: bytesOf(childrenOf(responder)[0]) }
      : { keyHash: octetsOf(childrenOf(responder)[0]) },
    producedAt: timeOf(producedAt),
    singles: childrenOf(responses).map(readSingle),
    nonce: nonce ? octetsOf(readElement(nonce.value)) : null,
    certificates: readCertificates((certificates ?? []).map(bytesOf)),
  }
}

function basicResponseIn(response: Block): Buffer {
  const [status, wrapped] = childrenOf(response)
  const said = enumeratedOf(status)
  if (said !== 0) throw new Error(`the OCSP responder refuses with status ${said}`)
  const [type, octets] = childrenOf(childrenOf(wrapped)[0])
  if (oidOf(type) !== OCSP_BASIC) throw new Error('it is no basic OCSP response')
  return octetsOf(octets)
}

function readSingle(single: Block): SingleResponse {
  const fields = childrenOf(single)
  const [certId, certStatus, thisUpdate] = fields.splice(0, 3)
  const [algorithm, nameHash, issuerKey, serial] = childrenOf(certId)
  const nextUpdate = takeContext(fields, 0)
  const wrapped = takeContext(fields, 1)
  return {
    hash: NAMING_HASHES[oidOf(childrenOf(algorithm)[0])] ?? null,
    issuerNameHash: octetsOf(nameHash),
    issuerKeyHash: octetsOf(issuerKey),
    serialNumber: serialText(integerOf(serial)),
    status: readStatus(certStatus),
    thisUpdate: timeOf(thisUpdate),
    nextUpdate: nextUpdate ? timeOf(childrenOf(nextUpdate)[0]) : null,
    extensions: wrapped ? readExtensions(childrenOf(wrapped)[0]) : [],
  }
}

function readStatus(block: Block | undefined): SingleResponse['status'] {
  if (isContext(block, 0)) return 'good'
  if (!isContext(block, 1)) return 'unknown'
  const [at, wrapped] = childrenOf(block)
  return { at: timeOf(at), reason: wrapped ? enumeratedOf(childrenOf(wrapped)[0]) : null }
}

/**
 * What it says of a certificate. @see RFC 6960, 3.2
 * @throws {Error} saying why it proves nothing
 */
export function answerOfOcsp(
  response: OcspResponse,
  question: RevocationQuestion,
): RevocationAnswer {
  const single = response.singles.find((each) => isAbout(each, question))
  if (!single) throw new Error('the OCSP response is about another certificate')
  rejectCritical(single.extensions)
  const { status, thisUpdate, nextUpdate } = single
  if (status === 'unknown') throw new Error('the OCSP responder does not know the certificate')
  const { issuer, time } = question
  const signer = [issuer, ...response.certificates].find(
    (each) =>
      isNamed(response, each) &&
      (each === issuer || isDelegated(each, issuer, response.producedAt)) &&
      response.signed.isSignedBy(each.key, time),
  )
  if (!signer) throw new Error('the OCSP response is from nobody who may answer')
  const cutoff = single.extensions.find(({ oid }) => oid === ARCHIVE_CUTOFF)
  return {
    ...{ source: 'ocsp', thisUpdate, nextUpdate, producedAt: response.producedAt, signer },
    revoked: status === 'good' ? null : status,
    keepsExpiredSince: cutoff ? timeOf(readElement(cutoff.value)) : null,
  }
}

function isAbout(
  { hash, issuerNameHash, issuerKeyHash, serialNumber }: SingleResponse,
  { certificate, issuer }: RevocationQuestion,
): boolean {
  return (
    hash !== null &&
    serialNumber === serialOf(certificate) &&
    issuerNameHash.equals(createHash(hash).update(issuer.subjectName).digest()) &&
    issuerKeyHash.equals(keyHash(issuer, hash))
  )
}

/** By its name, or by the hash of its key. */
function isNamed({ responder }: OcspResponse, certificate: KnownCertificate): boolean {
  return 'name' in responder
    ? responder.name.equals(certificate.subjectName)
    : responder.keyHash.equals(keyHash(certificate, 'sha1'))
}

/** @see RFC 6960, 4.2.2.2: certified by that very authority, for this */
function isDelegated(
  responder: KnownCertificate,
  issuer: KnownCertificate,
  producedAt: Date,
): boolean {
  return (
    responder.extendedKeyUsage?.includes(EXTENDED_KEY_USAGES.ocspSigning) === true &&
    isValidAt(responder, producedAt) &&
    unknownCritical(responder) === undefined &&
    isAuthority(issuer) &&
    isIssuedBy(responder, issuer)
  )
}

function rejectCritical(extensions: readonly Extension[]): void {
  if (extensions.some(({ critical }) => critical)) {
    throw new Error('a critical extension is unknown')
  }
}
