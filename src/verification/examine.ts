import { createHash } from 'node:crypto'
import type { ValidationData } from '../documents/ades.js'
import { TrustAnchors } from '../certificates/certificate-path.js'
import { Conclusions, indicate, type SignatureConclusion } from './conclusion.js'
import { readMaterial } from '../certificates/material.js'
import type { DetachedContent, SignatureEvidence } from './evidence.js'
import { problem, remark } from './findings.js'
import { readDocument } from './formats/read-document.js'
import { worst, type Indication } from './indications.js'
import { readCertificates } from '../certificates/known-certificate.js'
import type { Report, Unworded } from './report.js'
import type { PolicyRules } from './signature-policy.js'

/** What is to be examined, and against what. */
export interface Examination {
  readonly name: string | null
  readonly document: Buffer
  readonly contents: readonly DetachedContent[]
  /** Trusted certificates, DER. */
  readonly anchors: readonly Buffer[]
  /** From elsewhere than the document. */
  readonly material: ValidationData
  readonly policies: PolicyRules
  readonly now: Date
}

export interface Examined {
  readonly report: Unworded<Omit<Report, 'lang'>>
  /** Chains of certificates, DER, of which more would have to be known. */
  readonly wanted: readonly (readonly Buffer[])[]
}

/** Validates one document. Runs in a process of its own: all that reads the document happens in here. */
export async function examine(examination: Examination): Promise<Examined> {
  const { name, document, contents, policies, now } = examination
  const anchors = new TrustAnchors(readCertificates(examination.anchors))
  const asked = new Set<DetachedContent>()
  const reading = await readDocument(
    document,
    contents.map((each) => heeded(each, () => asked.add(each))),
  )
  const conclusions = new Conclusions({
    ...{ anchors, policies, now },
    material: readMaterial(examination.material),
  })
  const conclude = (
    evidence: SignatureEvidence,
    id: string,
    over: string | null,
  ): SignatureConclusion[] => [
    conclusions.signature(evidence, id, over),
    ...(evidence.counterSignatures ?? []).flatMap((each, at) =>
      conclude(each, `${id}.${at + 1}`, id),
    ),
  ]
  const signatures = reading.signatures.flatMap((each, at) => conclude(each, `${at + 1}`, null))
  const timestamps = conclusions.timestamps(reading.timestamps, reading.material)
  const isEmpty = signatures.length === 0 && timestamps.length === 0
  const left = isEmpty ? [] : contents.filter((each) => !asked.has(each))
  const found = [
    ...reading.findings,
    ...left.map(({ name }) => problem('SIGNED_DATA_NOT_FOUND', 'content-not-signed', name ?? '')),
  ]
  const failed = found.some(({ subIndication }) => subIndication !== null)
  const findings = [...found, ...(isEmpty && !failed ? [remark('nothing-signed')] : [])]
  const indications = [
    ...signatures.map(({ indication }) => indication),
    ...timestamps.flatMap(({ indication }) => weightOf(indication, signatures.length > 0)),
    ...(failed ? [indicate(findings).indication] : []),
  ]
  return {
    report: {
      indication: worst(indications),
      validationTime: now.toISOString(),
      document: {
        name,
        format: reading.format,
        bytes: document.length,
        sha256: createHash('sha256').update(document).digest('hex'),
      },
      signatures,
      timestamps,
      findings,
    },
    wanted: [...conclusions.wanted.values()].map((path) => path.map(({ der }) => der)),
  }
}

/** The same content, which tells when a signature is compared with it. */
function heeded(content: DetachedContent, tell: () => void): DetachedContent {
  return {
    name: content.name,
    get bytes() {
      tell()
      return content.bytes
    },
    get digests() {
      tell()
      return content.digests
    },
  }
}

/** Beside signatures a timestamp counts only when somebody tampered with it. */
function weightOf(indication: Indication, besideSignatures: boolean): Indication[] {
  if (!besideSignatures) return [indication]
  return indication === 'TOTAL-FAILED' ? ['INDETERMINATE'] : []
}
