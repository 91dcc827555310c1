import { timingSafeEqual } from 'node:crypto'
import * as asn1js from 'asn1js'
import { childrenOf, integerOf, octetsOf, oidOf, readElement, timeOf } from './asn1.js'
import {
  ATTRIBUTES,
  checkSigner,
  CONTENT_TYPES,
  digestOfBytes,
  readSignedData,
  type DigestOf,
  type SignedData,
  type SignerInfo,
} from './cms.js'
import { problem, type Finding } from './findings.js'
import type { KnownCertificate } from './known-certificate.js'
import { hashText, readHash, type SignatureMethod } from '../certificates/signature-method.js'
import type { Material } from './evidence.js'

/** A TimeStampToken (RFC 3161, 2.4.2), its own signature checked. */
export interface TimestampToken {
  readonly der: Buffer
  readonly time: Date
  readonly policy: string
  /** Upper-case hexadecimal. */
  readonly serialNumber: string
  readonly hash: string
  readonly imprint: Buffer
  readonly authority: KnownCertificate | null
  readonly method: SignatureMethod | null
  readonly findings: readonly Finding[]
  readonly material: Material
  /** DER of ATSHashIndexV3, where it is an archive timestamp of CAdES. */
  readonly hashIndex: Buffer | null
  readonly signerInfo: SignerInfo
  readonly data: SignedData
}

const GRANTED = [0, 1]

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
    throw new Error('Not a timestamp token')
  }
  if (signerInfo === undefined || another !== undefined) throw new Error('Not one signer')
  const [, policy, imprint, serial, time] = childrenOf(readElement(content))
  const [algorithm, digest] = childrenOf(imprint)
  const certificates = [...data.material.certificates, ...extra]
  const checked = checkSigner(signerInfo, data, certificates, {
    digestOf: digestOfBytes(content),
    content,
  })
  const index = (signerInfo.unsigned.get(ATTRIBUTES.atsHashIndexV3) ?? []).flat()
  return {
    der: Buffer.from(der),
    time: timeOf(time),
    policy: oidOf(policy),
    serialNumber: integerOf(serial).toString('hex').toUpperCase(),
    hash: readHash(algorithm),
    imprint: octetsOf(digest),
    authority: checked.signer,
    method: signerInfo.method,
    findings: [...checked.findings, ...signerProblems(checked)],
    material: data.material,
    hashIndex: index.length === 1 ? Buffer.from(index[0]?.valueBeforeDecodeView ?? []) : null,
    signerInfo,
    data,
  }
}

/** @see RFC 3161, 2.4.2, and RFC 5816: the token has to name the certificate of the authority. */
function signerProblems({ namesSigner, signer }: ReturnType<typeof checkSigner>): Finding[] {
  if (signer === null || namesSigner) return []
  return [problem('SIG_CONSTRAINTS_FAILURE', 'certificate-not-named', signer.subject)]
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
  return Buffer.from(token.valueBeforeDecodeView)
}

/** Whether it is over that. */
export function imprintProblems({ hash, imprint }: TimestampToken, digestOf: DigestOf): Finding[] {
  const digest = digestOf(hash)
  if (digest === null) return [problem('SIGNED_DATA_NOT_FOUND', 'content-missing', hashText(hash))]
  const fits = digest.length === imprint.length && timingSafeEqual(digest, imprint)
  return fits ? [] : [problem('HASH_FAILURE', 'timestamp-other-content')]
}
