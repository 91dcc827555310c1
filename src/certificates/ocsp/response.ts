import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'
import { Extension, Extensions, PublicKeyInfo } from 'pkijs'
import type { SignatureAlgorithm } from '../../keys/algorithms.js'
import { algorithmIdentifier } from '../algorithm-identifier.js'
import { sequenceOf } from '../der.js'
import { REVOCATION_REASONS, type Revocation } from '../revocation.js'
import { NONCE, type CertificateId } from './request.js'

/** What is said of one certificate. */
export interface CertificateAnswer {
  readonly id: CertificateId
  /** Null for one we did not issue; `revocation` is null while it is good. */
  readonly status: { readonly revocation: Revocation | null } | null
}

export interface ResponsePlan {
  readonly answers: readonly CertificateAnswer[]
  /** Whole seconds. */
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  /** Since when certificates are known, ended ones as well; null when nothing is said of it. */
  readonly archiveCutoff: Date | null
  /** What the nonce extension held; null for none. */
  readonly nonce: Buffer | null
  /** Of the responder: SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer
}

const BY_KEY_TAG = 2
const EXTENSIONS_TAG = 1
const SINGLE_EXTENSIONS_TAG = 1
const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1'
/** @see RFC 6960, 4.4.4, and EN 319 411-2, CSS-6.3.10 */
const ARCHIVE_CUTOFF = '1.3.6.1.5.5.7.48.1.6'

/** ResponseData, DER. @see RFC 6960, 4.2.1 */
export function encodeResponseData(plan: ResponsePlan): Buffer {
  const { answers, thisUpdate, nonce } = plan
  const extensions =
    nonce === null
      ? []
      : [new Extension({ extnID: NONCE, critical: false, extnValue: new Uint8Array(nonce).buffer })]
  return sequenceOf(
    der(tagged(BY_KEY_TAG, new asn1js.OctetString({ valueHex: keyHash(plan.publicKey) }))),
    der(timeOf(thisUpdate)),
    sequenceOf(...answers.map((answer) => encodeAnswer(answer, plan))),
    ...(extensions.length > 0
      ? [der(tagged(EXTENSIONS_TAG, new Extensions({ extensions }).toSchema()))]
      : []),
  )
}

function encodeAnswer({ id, status }: CertificateAnswer, plan: ResponsePlan): Buffer {
  const { archiveCutoff } = plan
  return sequenceOf(
    id.der,
    der(encodeStatus(status)),
    der(timeOf(plan.thisUpdate)),
    der(tagged(0, timeOf(plan.nextUpdate))),
    ...(archiveCutoff === null || status === null
      ? []
      : [der(tagged(SINGLE_EXTENSIONS_TAG, cutoffExtension(archiveCutoff)))]),
  )
}

function cutoffExtension(archiveCutoff: Date): asn1js.AsnType {
  const extnValue = timeOf(archiveCutoff).toBER()
  const extension = new Extension({ extnID: ARCHIVE_CUTOFF, critical: false, extnValue })
  return new Extensions({ extensions: [extension] }).toSchema()
}

/** CertStatus: good [0], revoked [1], unknown [2]. */
function encodeStatus(status: CertificateAnswer['status']): asn1js.AsnType {
  if (status === null) return new asn1js.Primitive({ idBlock: { tagClass: 3, tagNumber: 2 } })
  const { revocation } = status
  if (!revocation) return new asn1js.Primitive({ idBlock: { tagClass: 3, tagNumber: 0 } })
  const { at, reason } = revocation
  const code = new asn1js.Enumerated({ value: REVOCATION_REASONS[reason] })
  const why = reason === 'unspecified' ? [] : [tagged(0, code)]
  return new asn1js.Constructed({
    idBlock: { tagClass: 3, tagNumber: 1 },
    value: [timeOf(wholeSeconds(at)), ...why],
  })
}

/** OCSPResponse `successful`, DER, from a signature over `responseData`. */
export function assembleOcspResponse(
  responseData: Buffer,
  signature: Buffer,
  { algorithm, certificate }: { algorithm: SignatureAlgorithm; certificate: Buffer },
): Buffer {
  const basic = sequenceOf(
    responseData,
    algorithmIdentifier(algorithm),
    der(new asn1js.BitString({ valueHex: signature })),
    der(tagged(0, asn1js.fromBER(sequenceOf(certificate)).result)),
  )
  const bytes = new asn1js.Sequence({
    value: [
      new asn1js.ObjectIdentifier({ value: BASIC_RESPONSE }),
      new asn1js.OctetString({ valueHex: basic }),
    ],
  })
  return sequenceOf(der(new asn1js.Enumerated({ value: 0 })), der(tagged(0, bytes)))
}

/** Reasons to say nothing of certificates. @see RFC 6960, 2.3 */
const REFUSALS = { malformedRequest: 1, internalError: 2, tryLater: 3 } as const
export type OcspRefusal = keyof typeof REFUSALS

/** An OCSPResponse without content, which nobody signs. */
export function ocspRefusal(why: OcspRefusal): Buffer {
  return sequenceOf(der(new asn1js.Enumerated({ value: REFUSALS[why] })))
}

/** The hash of a key's bits by which CertIDs and responders name it. */
export function keyHash(publicKey: Buffer, hash = 'sha1'): Buffer {
  const { subjectPublicKey } = new PublicKeyInfo({ schema: asn1js.fromBER(publicKey).result })
  return createHash(hash).update(subjectPublicKey.valueBlock.valueHexView).digest()
}

export function wholeSeconds(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000)
}

function timeOf(valueDate: Date): asn1js.AsnType {
  return new asn1js.GeneralizedTime({ valueDate })
}

function tagged(tagNumber: number, content: asn1js.AsnType): asn1js.AsnType {
  return new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [content] })
}

function der(block: asn1js.AsnType): Buffer {
  return Buffer.from(block.toBER())
}
