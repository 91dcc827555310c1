import { timingSafeEqual } from 'node:crypto'
import * as asn1js from 'asn1js'
import {
  bytesOf,
  childrenOf,
  integerOf,
  isContext,
  octetsOf,
  oidOf,
  readElement,
  readExtensions,
  smallIntegerOf,
  timeOf,
  type Block,
} from '../certificates/asn1.js'
import {
  ATTRIBUTES,
  checkSigner,
  CONTENT_TYPES,
  digestOfBytes,
  onlyValue,
  readSignedData,
  type DigestOf,
  type SignedData,
  type SignerInfo,
} from '../certificates/cms.js'
import { flaw, type Flaw } from '../certificates/flaws.js'
import type { KnownCertificate } from '../certificates/known-certificate.js'
import type { Material } from '../certificates/material.js'
import { hashText, readHash, type SignatureMethod } from '../certificates/signature-method.js'

/** Certificates of an authority come along; nothing honest is larger. */
export const MOST_TOKEN_BYTES = 256 * 1024

/** A `TimeStampToken` (RFC 3161, 2.4.2), its own signature checked. */
export interface TimestampToken {
  readonly der: Buffer
  readonly time: Date
  /** Zero where it says nothing. */
  readonly accuracyMilliseconds: number
  readonly policy: string
  /** Upper-case hexadecimal. */
  readonly serialNumber: string
  /** Content octets of the INTEGER. */
  readonly nonce: Buffer | null
  /** What the authority calls itself: a GeneralName, DER. */
  readonly authorityName: Buffer | null
  /** Of the imprint, by its name in OpenSSL. */
  readonly hash: string
  readonly imprint: Buffer
  /** Who signed it; null when the certificate is neither inside nor among those given. */
  readonly authority: KnownCertificate | null
  readonly method: SignatureMethod | null
  /** What does not hold of its signature; it is worth nothing where there is one. */
  readonly flaws: readonly Flaw[]
  readonly material: Material
  /** ATSHashIndex of any version, where it is an archive timestamp of CAdES that has one. */
  readonly hashIndex: { readonly der: Buffer; readonly isV3: boolean } | null
  readonly signerInfo: SignerInfo
  readonly data: SignedData
}

const GRANTED = [0, 1]
const NAME_TAG = 0
const EXTENSIONS_TAG = 1

/** @param extra certificates that did not come inside @throws {Error} when it is no token */
export function readTimestampToken(
  der: Uint8Array,
  extra: readonly KnownCertificate[] = [],
  padded = false,
): TimestampToken {
  const data = readSignedData(der, padded)
  const [signerInfo, another] = data.signers
  const { content } = data
  if (data.contentType !== CONTENT_TYPES.timestampInfo || content === null) {
    throw new Error('It is over no TSTInfo')
  }
  if (signerInfo === undefined || another !== undefined) {
    throw new Error('It has not exactly one signature')
  }
  const [version, policy, imprint, serial, time, ...optional] = childrenOf(readElement(content))
  if (smallIntegerOf(version) !== 1) throw new Error('Another version of TSTInfo')
  const [algorithm, digest] = childrenOf(imprint)
  const nonce = optional.find((each) => each instanceof asn1js.Integer)
  const name = optional.find((each) => isContext(each, NAME_TAG))
  const extensions = optional.find((each) => isContext(each, EXTENSIONS_TAG))
  if (extensions) rejectCritical(extensions)
  const certificates = [...data.material.certificates, ...extra]
  const over = { digestOf: digestOfBytes(content), content }
  const checked = checkSigner(signerInfo, data, certificates, over)
  return {
    der: Buffer.from(der),
    time: timeOf(time),
    accuracyMilliseconds: accuracyOf(optional.find((each) => each instanceof asn1js.Sequence)),
    policy: oidOf(policy),
    serialNumber: integerOf(serial).toString('hex').toUpperCase(),
    nonce: nonce ? integerOf(nonce) : null,
    authorityName: name ? bytesOf(childrenOf(name)[0]) : null,
    hash: readHash(algorithm),
    imprint: octetsOf(digest),
    authority: checked.signer,
    method: signerInfo.method,
    flaws: [...checked.flaws, ...signerFlaws(signerInfo, checked)],
    material: data.material,
    hashIndex: hashIndexOf(signerInfo),
    signerInfo,
    data,
  }
}

/** We know none, so what a critical one would change of the token is not known either. */
function rejectCritical(extensions: Block): void {
  const [unknown] = readExtensions(extensions).filter(({ critical }) => critical)
  if (unknown) throw new Error(`A critical extension is unknown: ${unknown.oid}`)
}

function hashIndexOf({ unsigned }: SignerInfo): TimestampToken['hashIndex'] {
  const v3 = onlyValue(unsigned, ATTRIBUTES.atsHashIndexV3)
  const older = [ATTRIBUTES.atsHashIndexV2, ATTRIBUTES.atsHashIndex]
  const found = v3 ?? older.flatMap((type) => onlyValue(unsigned, type) ?? [])[0]
  return found ? { der: bytesOf(found), isV3: found === v3 } : null
}

/** @see RFC 3161, 2.4.2, and RFC 5816: the token has to name the certificate of the authority. */
function signerFlaws(
  { signedAttributes }: SignerInfo,
  { namesSigner, signer, flaws }: ReturnType<typeof checkSigner>,
): Flaw[] {
  if (signedAttributes === null && flaws.length === 0) return [flaw('attributes-missing')]
  return signer === null || namesSigner ? [] : [flaw('certificate-not-named', signer.subject)]
}

/** Seconds, then milliseconds and microseconds behind their tags. */
function accuracyOf(accuracy: Block | undefined): number {
  if (accuracy === undefined) return 0
  const fields = childrenOf(accuracy)
  const part = (tag: number) => {
    const found = fields.find((each) => isContext(each, tag))
    const octets = found ? octetsOf(found) : Buffer.of(0)
    return octets.readUIntBE(0, octets.length)
  }
  const [first] = fields
  const seconds = first instanceof asn1js.Integer ? smallIntegerOf(first) : 0
  return seconds * 1000 + part(0) + part(1) / 1000
}

/** The token inside a TimeStampResp, or a token by itself. @throws {Error} when it is neither */
export function tokenOf(bytes: Buffer): Buffer {
  const [first, token] = childrenOf(readElement(bytes))
  if (first instanceof asn1js.ObjectIdentifier) return bytes
  const [status] = childrenOf(first)
  const granted = integerOf(status)
  if (granted.length !== 1 || !GRANTED.includes(granted[0] ?? -1) || token === undefined) {
    throw new Error('The authority gave no timestamp')
  }
  return bytesOf(token)
}

/** Whether it is over that. */
export function imprintFlaws({ hash, imprint }: TimestampToken, digestOf: DigestOf): Flaw[] {
  const digest = digestOf(hash)
  if (digest === null) return [flaw('content-missing', hashText(hash))]
  const fits = digest.length === imprint.length && timingSafeEqual(digest, imprint)
  return fits ? [] : [flaw('timestamp-other-content')]
}
