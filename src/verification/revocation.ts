import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'
import {
  bitsOf,
  bytesOf,
  childrenOf,
  integerOf,
  isContext,
  octetsOf,
  oidOf,
  readElement,
  takeContext,
  timeOf,
  type Block,
} from './asn1.js'
import { weakness } from './algorithm-policy.js'
import {
  EXTENDED_KEY_USAGES,
  EXTENSIONS,
  hasExtension,
  isIssuedBy,
  readCertificate,
  type KnownCertificate,
} from './known-certificate.js'
import {
  HASH_NAMES,
  readSignatureMethod,
  verifies,
  type SignatureMethod,
} from '../certificates/signature-method.js'

/** What a CRL or an OCSP response says, not yet believed. */
interface Statement {
  readonly kind: 'crl' | 'ocsp'
  readonly producedAt: Date
  readonly method: SignatureMethod
  readonly tbs: Buffer
  readonly signature: Buffer
}

interface Crl extends Statement {
  readonly kind: 'crl'
  readonly issuerName: Buffer
  readonly nextUpdate: Date | null
  /** By serial number, hexadecimal. */
  readonly revoked: ReadonlyMap<string, Revoked>
  /** Keeps entries of certificates that have expired since then. */
  readonly keepsExpiredSince: Date | null
}

interface OcspResponse extends Statement {
  readonly kind: 'ocsp'
  readonly responder: { readonly name: Buffer } | { readonly keyHash: Buffer }
  readonly answers: readonly OcspAnswer[]
  readonly certificates: readonly KnownCertificate[]
}

interface OcspAnswer {
  readonly hash: string
  readonly issuerNameHash: Buffer
  readonly issuerKeyHash: Buffer
  readonly serialNumber: string
  readonly status: 'good' | 'unknown' | Revoked
  readonly thisUpdate: Date
  readonly nextUpdate: Date | null
  readonly archiveCutoff: Date | null
}

interface Revoked {
  readonly at: Date
  /** CRLReason. */
  readonly reason: number | null
}

export type RevocationStatement = Crl | OcspResponse

/** What is known of a certificate at a time. */
export type RevocationStatus =
  | { readonly status: 'not-needed'; readonly why: 'anchor' | 'no-rev-avail' | 'ocsp-no-check' }
  | {
      readonly status: 'good'
      readonly source: 'crl' | 'ocsp'
      readonly thisUpdate: Date
      readonly producedAt: Date
    }
  | {
      readonly status: 'revoked'
      readonly source: 'crl' | 'ocsp'
      readonly at: Date
      readonly reason: number | null
      readonly producedAt: Date
    }
  | { readonly status: 'unknown' }

const OCSP_BASIC = '1.3.6.1.5.5.7.48.1.1'
const ARCHIVE_CUTOFF = '1.3.6.1.5.5.7.48.1.6'
const CRL_EXTENSIONS = {
  reason: '2.5.29.21',
  invalidityDate: '2.5.29.24',
  crlNumber: '2.5.29.20',
  authorityKeyIdentifier: '2.5.29.35',
  expiredCertsOnCrl: '2.5.29.60',
} as const
const REMOVE_FROM_CRL = 8

/** Null when it cannot be read, or is of a kind that proves nothing: a delta or indirect CRL. */
export function readCrl(der: Buffer): RevocationStatement | null {
  try {
    const [tbs, algorithm, signature] = childrenOf(readElement(der))
    const fields = childrenOf(tbs)
    if (fields[0] instanceof asn1js.Integer) fields.shift()
    const [inner, issuer, thisUpdate] = fields.splice(0, 3)
    if (!bytesOf(inner).equals(bytesOf(algorithm))) return null
    const nextUpdate = fields[0] instanceof asn1js.UTCTime ? timeOf(fields.shift()) : null
    const revoked = fields[0] instanceof asn1js.Sequence ? childrenOf(fields.shift()) : []
    const wrapped = takeContext(fields, 0)
    const extensions = wrapped ? readExtensions(childrenOf(wrapped)[0]) : []
    const known: readonly string[] = Object.values(CRL_EXTENSIONS)
    // An issuing distribution point narrows what a CRL is about; so does a delta indicator.
    if (extensions.some(({ oid, critical }) => critical && !known.includes(oid))) return null
    const keeps = extensions.find(({ oid }) => oid === CRL_EXTENSIONS.expiredCertsOnCrl)
    const entries = revoked.map(readCrlEntry)
    if (entries.includes(null)) return null
    return {
      kind: 'crl',
      producedAt: timeOf(thisUpdate),
      method: readSignatureMethod(algorithm),
      tbs: bytesOf(tbs),
      signature: bitsOf(signature),
      issuerName: bytesOf(issuer),
      nextUpdate,
      revoked: new Map(entries.filter((entry) => entry !== null)),
      keepsExpiredSince: keeps ? timeOf(readElement(keeps.value)) : null,
    }
  } catch {
    return null
  }
}

/** Null for an entry that is about certificates of another issuer, or says what we do not understand. */
function readCrlEntry(entry: Block): [string, Revoked] | null {
  const [serial, at, wrapped] = childrenOf(entry)
  const extensions = wrapped ? readExtensions(wrapped) : []
  const known: readonly string[] = Object.values(CRL_EXTENSIONS)
  if (extensions.some(({ oid, critical }) => critical && !known.includes(oid))) return null
  const reason = extensions.find(({ oid }) => oid === CRL_EXTENSIONS.reason)
  return [
    serialText(serial),
    { at: timeOf(at), reason: reason ? enumerated(readElement(reason.value)) : null },
  ]
}

function readExtensions(list: Block | undefined) {
  return childrenOf(list).map((extension) => {
    const [oid, ...others] = childrenOf(extension)
    const critical = others.some((block) => block instanceof asn1js.Boolean && block.getValue())
    return { oid: oidOf(oid), critical, value: octetsOf(others.at(-1)) }
  })
}

function serialText(serial: Block | undefined): string {
  return integerOf(serial)
    .toString('hex')
    .replace(/^(00)+(?=.)/, '')
}

function enumerated(block: Block | undefined): number {
  return block instanceof asn1js.Enumerated ? (block.valueBlock.valueHexView[0] ?? 0) : 0
}

/** An OCSPResponse, or the BasicOCSPResponse inside. Null when it cannot be read, or says nothing. */
export function readOcspResponse(der: Buffer): RevocationStatement | null {
  try {
    const outer = readElement(der)
    const isWhole = childrenOf(outer)[0] instanceof asn1js.Enumerated
    return readBasicResponse(isWhole ? basicResponseIn(outer) : outer)
  } catch {
    return null
  }
}

function basicResponseIn(response: Block): Block {
  const [status, wrapped] = childrenOf(response)
  if (enumerated(status) !== 0) throw new Error('An OCSP response without success')
  const [type, octets] = childrenOf(childrenOf(wrapped)[0])
  if (oidOf(type) !== OCSP_BASIC) throw new Error('Another OCSP response')
  return readElement(octetsOf(octets))
}

function readBasicResponse(basic: Block): RevocationStatement {
  const [tbs, algorithm, signature, wrapped] = childrenOf(basic)
  const fields = childrenOf(tbs)
  takeContext(fields, 0)
  const [responder, producedAt, responses] = fields
  const certificates = wrapped ? childrenOf(childrenOf(wrapped)[0]) : []
  return {
    kind: 'ocsp',
    producedAt: timeOf(producedAt),
    method: readSignatureMethod(algorithm),
    tbs: bytesOf(tbs),
    signature: bitsOf(signature),
    responder: isContext(responder, 1)
      ? { name: bytesOf(childrenOf(responder)[0]) }
      : { keyHash: octetsOf(childrenOf(responder)[0]) },
    answers: childrenOf(responses).map(readAnswer),
    certificates: certificates
      .map((each) => readCertificate(bytesOf(each)))
      .filter((each) => each !== null),
  }
}

function readAnswer(single: Block): OcspAnswer {
  const fields = childrenOf(single)
  const [certId, certStatus, thisUpdate] = fields.splice(0, 3)
  const [algorithm, nameHash, keyHash, serial] = childrenOf(certId)
  const nextUpdate = takeContext(fields, 0)
  const wrapped = takeContext(fields, 1)
  const extensions = wrapped ? readExtensions(childrenOf(wrapped)[0]) : []
  const cutoff = extensions.find(({ oid }) => oid === ARCHIVE_CUTOFF)
  if (extensions.some(({ critical }) => critical)) throw new Error('A critical extension')
  return {
    hash: HASH_NAMES[oidOf(childrenOf(algorithm)[0])] ?? '',
    issuerNameHash: octetsOf(nameHash),
    issuerKeyHash: octetsOf(keyHash),
    serialNumber: serialText(serial),
    status: readStatus(certStatus),
    thisUpdate: timeOf(thisUpdate),
    nextUpdate: nextUpdate ? timeOf(childrenOf(nextUpdate)[0]) : null,
    archiveCutoff: cutoff ? timeOf(readElement(cutoff.value)) : null,
  }
}

function readStatus(block: Block | undefined): OcspAnswer['status'] {
  if (isContext(block, 0)) return 'good'
  if (!isContext(block, 1)) return 'unknown'
  const [at, wrapped] = childrenOf(block)
  return { at: timeOf(at), reason: wrapped ? enumerated(childrenOf(wrapped)[0]) : null }
}

/** The statements there are, and how far they can be believed. */
export class RevocationRecords {
  readonly #crls: readonly Crl[]
  readonly #responses: readonly OcspResponse[]

  constructor(statements: readonly RevocationStatement[]) {
    this.#crls = statements.filter((each) => each.kind === 'crl')
    this.#responses = statements.filter((each) => each.kind === 'ocsp')
  }

  /** Certificates of responders, which help to build paths. */
  get certificates(): readonly KnownCertificate[] {
    return this.#responses.flatMap((each) => each.certificates)
  }

  /**
   * What is known of `certificate` for `time`. Of several statements, one that says revoked counts; after
   * it the newest. A statement from before `time` counts while it was valid at `time`.
   * @param control no statement is believed that is newer: now, or when its proof was made
   */
  status(
    certificate: KnownCertificate,
    issuer: KnownCertificate | null,
    { time, now }: { readonly time: Date; readonly now: Date },
    depth = 0,
  ): RevocationStatus {
    if (issuer === null) return { status: 'not-needed', why: 'anchor' }
    if (isShortLived(certificate)) return { status: 'not-needed', why: 'no-rev-avail' }
    const found = [
      ...this.#byOcsp(certificate, issuer, { time, now }, depth),
      ...this.#byCrl(certificate, issuer, { time, now }),
    ]
    const revoked = found.filter((each) => each.status === 'revoked')
    const [earliest] = revoked.sort((one, other) => Number(one.at) - Number(other.at))
    const newest = found.sort((one, other) => Number(other.producedAt) - Number(one.producedAt))[0]
    return earliest ?? newest ?? { status: 'unknown' }
  }

  #byOcsp(
    certificate: KnownCertificate,
    issuer: KnownCertificate,
    { time, now }: { readonly time: Date; readonly now: Date },
    depth: number,
  ): Known[] {
    return this.#responses.flatMap((response): Known[] => {
      const answer = response.answers.find((each) => isAbout(each, certificate, issuer))
      if (!answer || answer.status === 'unknown' || answer.thisUpdate > now) return []
      const { thisUpdate, nextUpdate, archiveCutoff } = answer
      const keepsSince = archiveCutoff
      if (!covers({ thisUpdate, nextUpdate, keepsSince }, certificate, time)) return []
      if (!this.#isFromResponder(response, issuer, { time, now }, depth)) return []
      const { producedAt } = response
      if (answer.status === 'good') {
        return [{ status: 'good', source: 'ocsp', thisUpdate, producedAt }]
      }
      return [{ status: 'revoked', source: 'ocsp', ...answer.status, producedAt }]
    })
  }

  #byCrl(
    certificate: KnownCertificate,
    issuer: KnownCertificate,
    { time, now }: { readonly time: Date; readonly now: Date },
  ): Known[] {
    return this.#crls.flatMap((crl): Known[] => {
      const { producedAt: thisUpdate, nextUpdate, keepsExpiredSince: keepsSince } = crl
      if (thisUpdate > now || !crl.issuerName.equals(issuer.subjectName)) return []
      if (!covers({ thisUpdate, nextUpdate, keepsSince }, certificate, time)) return []
      if (issuer.keyUsage !== null && !issuer.keyUsage.has('cRLSign')) return []
      if (!isSignedBy(crl, issuer, time)) return []
      const entry = crl.revoked.get(serialKey(certificate))
      if (entry === undefined || entry.reason === REMOVE_FROM_CRL) {
        return [{ status: 'good', source: 'crl', thisUpdate, producedAt: thisUpdate }]
      }
      return [{ status: 'revoked', source: 'crl', ...entry, producedAt: thisUpdate }]
    })
  }

  /** @see RFC 6960, 4.2.2.2: the issuer itself, or whom it certified for this. */
  #isFromResponder(
    response: OcspResponse,
    issuer: KnownCertificate,
    { time, now }: { readonly time: Date; readonly now: Date },
    depth: number,
  ): boolean {
    const isResponder = (each: KnownCertificate) =>
      'name' in response.responder
        ? response.responder.name.equals(each.subjectName)
        : response.responder.keyHash.equals(keyHash(each, 'sha1'))
    if (isResponder(issuer) && isSignedBy(response, issuer, time)) return true
    return response.certificates.some(
      (each) =>
        isResponder(each) &&
        each.extendedKeyUsage?.includes(EXTENDED_KEY_USAGES.ocspSigning) === true &&
        response.producedAt >= each.notBefore &&
        response.producedAt <= each.notAfter &&
        isIssuedBy(each, issuer) &&
        isSignedBy(response, each, time) &&
        this.#isGoodResponder(each, issuer, { time: response.producedAt, now }, depth),
    )
  }

  #isGoodResponder(
    responder: KnownCertificate,
    issuer: KnownCertificate,
    times: { readonly time: Date; readonly now: Date },
    depth: number,
  ): boolean {
    if (hasExtension(responder, EXTENSIONS.ocspNoCheck)) return true
    const canBeAsked = [EXTENSIONS.crlDistributionPoints, EXTENSIONS.authorityInfoAccess]
    // Of one that nobody can ask about, its issuer says that nobody need ask (RFC 6960, 4.2.2.2.1).
    if (!canBeAsked.some((oid) => hasExtension(responder, oid))) return true
    if (depth > 0) return false
    const { status } = this.status(responder, issuer, times, depth + 1)
    return status === 'good' || status === 'not-needed'
  }
}

type Known = Extract<RevocationStatus, { status: 'good' | 'revoked' }>

/**
 * Whether a statement tells about `time`: it is from later, or was still the newest then. What is from after
 * the end of the certificate may have forgotten it.
 */
function covers(
  statement: {
    readonly thisUpdate: Date
    readonly nextUpdate: Date | null
    readonly keepsSince: Date | null
  },
  certificate: KnownCertificate,
  time: Date,
): boolean {
  const { thisUpdate, nextUpdate, keepsSince } = statement
  const remembers =
    thisUpdate <= certificate.notAfter ||
    (keepsSince !== null && keepsSince <= certificate.notAfter)
  const isFresh = thisUpdate >= time || (nextUpdate !== null && time <= nextUpdate)
  return remembers && isFresh
}

/** By extension of RFC 9608, or of EN 319 412-1 for short-term certificates. */
function isShortLived(certificate: KnownCertificate): boolean {
  return (
    hasExtension(certificate, EXTENSIONS.noRevAvail) ||
    hasExtension(certificate, EXTENSIONS.shortTerm)
  )
}

function isSignedBy(statement: Statement, signer: KnownCertificate, time: Date): boolean {
  const { method, tbs, signature } = statement
  return weakness(method, signer.key, time) === null && verifies(method, signer.key, tbs, signature)
}

function isAbout(
  answer: OcspAnswer,
  certificate: KnownCertificate,
  issuer: KnownCertificate,
): boolean {
  if (answer.hash === '' || answer.serialNumber !== serialKey(certificate)) return false
  const nameHash = createHash(answer.hash).update(issuer.subjectName).digest()
  return (
    answer.issuerNameHash.equals(nameHash) &&
    answer.issuerKeyHash.equals(keyHash(issuer, answer.hash))
  )
}

/** Of the BIT STRING's content, without the byte that counts unused bits. */
function keyHash({ publicKey }: KnownCertificate, hash: string): Buffer {
  const [, bits] = childrenOf(readElement(publicKey))
  return createHash(hash).update(bitsOf(bits)).digest()
}

function serialKey({ serialNumber }: KnownCertificate): string {
  return serialNumber.toLowerCase().replace(/^(00)+(?=.)/, '')
}
