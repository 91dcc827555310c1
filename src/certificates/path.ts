import { X509Certificate } from 'node:crypto'
import * as asn1js from 'asn1js'
import { Certificate, PublicKeyInfo } from 'pkijs'
import { parseCertificate, type ParsedCertificate } from './certificate.js'
import { childrenOf } from './distinguished-name.js'
import { publicKeyOf, readSigned, type SignedStructure } from './signed-structure.js'

const OIDS = {
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extKeyUsage: '2.5.29.37',
  ocspNoCheck: '1.3.6.1.5.5.7.48.1.5',
  noRevAvail: '2.5.29.56',
  shortTerm: '0.4.0.194121.2.1',
} as const

/** What may be critical in a certificate of a path: what is looked at here, or does not matter here. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  ...[OIDS.basicConstraints, OIDS.keyUsage, OIDS.extKeyUsage, OIDS.ocspNoCheck],
  ...['2.5.29.32', '2.5.29.17', '2.5.29.14', '2.5.29.35', '1.3.6.1.5.5.7.1.3'],
])

/** Certificates between an end entity and its anchor; honest paths have two. */
const MOST_BETWEEN = 8
/** Signatures that are tried: with certificates of strangers there could be very many ways. */
const MOST_TRIES = 100

/** A certificate as paths are built of it. */
export class PathCertificate {
  readonly parsed: ParsedCertificate
  readonly #signed: SignedStructure
  readonly #native: X509Certificate

  /** @throws {Error} when it is no certificate */
  constructor(der: Buffer) {
    this.parsed = parseCertificate(der)
    this.#signed = readSigned(this.der)
    this.#native = new X509Certificate(der)
  }

  get der(): Buffer {
    return this.parsed.der
  }

  get isSelfIssued(): boolean {
    return this.parsed.subjectName.equals(this.parsed.issuerName)
  }

  equals(other: PathCertificate): boolean {
    return this.der.equals(other.der)
  }

  isValidAt(time: Date): boolean {
    return time >= this.parsed.notBefore && time <= this.parsed.notAfter
  }

  /** Whether the name fits, the key made the signature, and the issuer may sign certificates. */
  isIssuedBy(issuer: PathCertificate): boolean {
    return (
      this.parsed.issuerName.equals(issuer.parsed.subjectName) &&
      issuer.isAuthority &&
      this.#native.checkIssued(issuer.#native) &&
      this.#signed.isSignedBy(publicKeyOf(issuer.parsed.publicKey))
    )
  }

  get isAuthority(): boolean {
    return this.#native.ca && this.#mayUseKeyFor(KEY_CERT_SIGN)
  }

  get maySignCrls(): boolean {
    return this.#mayUseKeyFor(CRL_SIGN)
  }

  /** What identifiers of the key are hashes of: the BIT STRING without its count of unused bits. */
  get keyBits(): Buffer {
    const { result } = asn1js.fromBER(this.parsed.publicKey)
    const { subjectPublicKey } = new PublicKeyInfo({ schema: result })
    return Buffer.from(subjectPublicKey.valueBlock.valueHexView)
  }

  get serialInteger(): asn1js.Integer {
    const { result } = asn1js.fromBER(this.der)
    return new Certificate({ schema: result }).serialNumber
  }

  /** How many authorities may stand between it and an end entity. */
  get pathLength(): number {
    const [, length] = childrenOf(this.#extension(OIDS.basicConstraints) ?? new asn1js.Sequence())
    return length instanceof asn1js.Integer ? length.valueBlock.valueDec : Infinity
  }

  /** OIDs; null when it says nothing, and may be used for anything. */
  get extendedKeyUsage(): {
    readonly oids: readonly string[]
    readonly isCritical: boolean
  } | null {
    const block = this.#extension(OIDS.extKeyUsage)
    if (!block) return null
    const isCritical = this.parsed.extensions.some(
      ({ oid, critical }) => oid === OIDS.extKeyUsage && critical,
    )
    return { oids: childrenOf(block).map(oidText), isCritical }
  }

  /** Whether nobody is meant to ask about its revocation. @see RFC 9608, EN 319 412-1, RFC 6960 */
  get isUnchecked(): boolean {
    const isResponder = this.extendedKeyUsage?.oids.includes(OCSP_SIGNING) === true
    const says = (name: string) => this.parsed.extensions.some(({ oid }) => oid === name)
    return says(OIDS.noRevAvail) || says(OIDS.shortTerm) || (isResponder && says(OIDS.ocspNoCheck))
  }

  get hasUnknownCriticalExtension(): boolean {
    return this.parsed.extensions.some(({ oid, critical }) => critical && !UNDERSTOOD.has(oid))
  }

  /** The value of an extension, read; null when it is absent. */
  #extension(oid: string): asn1js.AsnType | null {
    const found = this.parsed.extensions.find((each) => each.oid === oid)
    return found ? asn1js.fromBER(found.value).result : null
  }

  /** A certificate that says nothing of the use of its key leaves it open. */
  #mayUseKeyFor(bit: number): boolean {
    const usage = this.#extension(OIDS.keyUsage)
    if (!usage) return true
    if (!(usage instanceof asn1js.BitString)) return false
    const byte = usage.valueBlock.valueHexView[bit >> 3] ?? 0
    return (byte & (0x80 >> (bit & 7))) !== 0
  }
}

const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'
const KEY_CERT_SIGN = 5
const CRL_SIGN = 6

/**
 * The way from a certificate up to an anchor, both included: each signed by the next, valid at `time`, with
 * nothing critical in it that is not understood. Null when there is none. Revocation is not looked at.
 * @param others certificates that may be on the way
 * @param anchors those that are trusted whatever they say of themselves
 */
export function buildPath(
  end: PathCertificate,
  others: readonly PathCertificate[],
  anchors: readonly PathCertificate[],
  time: Date,
): readonly PathCertificate[] | null {
  const tries = { left: MOST_TRIES }
  const isIssued = (below: PathCertificate, above: PathCertificate) => {
    tries.left -= 1
    return tries.left >= 0 && below.isIssuedBy(above)
  }
  const climb = (path: readonly PathCertificate[]): readonly PathCertificate[] | null => {
    const top = path.at(-1)
    if (!top?.isValidAt(time) || top.hasUnknownCriticalExtension) return null
    // Authorities that are only there to change a key do not count.
    const between = path.slice(1).filter((each) => !each.isSelfIssued).length
    const isTooLong = (above: PathCertificate) => above.pathLength < between
    if (anchors.some((anchor) => anchor.equals(top))) return path
    for (const anchor of anchors) {
      const named = top.parsed.issuerName.equals(anchor.parsed.subjectName)
      if (named && !isTooLong(anchor) && isIssued(top, anchor)) return [...path, anchor]
    }
    if (between >= MOST_BETWEEN) return null
    for (const above of others) {
      const named = top.parsed.issuerName.equals(above.parsed.subjectName)
      if (!named || path.some((each) => each.equals(above)) || isTooLong(above)) continue
      const further = isIssued(top, above) ? climb([...path, above]) : null
      if (further) return further
    }
    return null
  }
  return climb([end])
}

function oidText(block: asn1js.AsnType): string {
  return block instanceof asn1js.ObjectIdentifier ? block.valueBlock.toString() : ''
}
