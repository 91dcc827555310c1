import { createHash } from 'node:crypto'
import type { ValidationData } from '../documents/ades.js'
import { TrustAnchors } from './certificate-path.js'
import { Conclusions, indicate, type SignatureConclusion } from './conclusion.js'
import type { DetachedContent, Material } from './evidence.js'
import { remark } from './findings.js'
import { readDocument } from './formats/read-document.js'
import { worst, type Indication } from './indications.js'
import { readCertificate } from './known-certificate.js'
import type { Report, Unworded } from './report.js'
import { readCrl, readOcspResponse } from './revocation.js'

/** What is to be examined, and against what. */
export interface Examination {
  readonly name: string | null
  readonly document: Buffer
  readonly contents: readonly DetachedContent[]
  /** Trusted certificates, DER. */
  readonly anchors: readonly Buffer[]
  /** From elsewhere than the document. */
  readonly material: ValidationData
  readonly now: Date
}

export interface Examined {
  readonly report: Unworded<Omit<Report, 'lang'>>
  /** Chains of certificates, DER, of which more would have to be known. */
  readonly wanted: readonly (readonly Buffer[])[]
}

/** Validates one document. Runs in a process of its own: all that reads the document happens in here. */
export async function examine(examination: Examination): Promise<Examined> {
  const { name, document, contents, now } = examination
  const anchors = new TrustAnchors(
    examination.anchors.map(readCertificate).filter((each) => each !== null),
  )
  const reading = await readDocument(document, contents)
  const conclusions = new Conclusions({ anchors, now, material: materialOf(examination.material) })
  const signatures: SignatureConclusion[] = []
  for (const [at, evidence] of reading.signatures.entries()) {
    signatures.push(await conclusions.signature(evidence, `${at + 1}`))
  }
  const timestamps = await conclusions.timestamps(reading.timestamps, reading.material)
  const isEmpty = signatures.length === 0 && timestamps.length === 0
  const failed = reading.findings.some(({ subIndication }) => subIndication !== null)
  const findings = [...reading.findings, ...(isEmpty && !failed ? [remark('nothing-signed')] : [])]
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

/** Beside signatures a timestamp counts only when somebody tampered with it. */
function weightOf(indication: Indication, besideSignatures: boolean): Indication[] {
  if (!besideSignatures) return [indication]
  return indication === 'TOTAL-FAILED' ? ['INDETERMINATE'] : []
}

function materialOf({ certificates, crls, ocspResponses }: ValidationData): Material {
  return {
    certificates: certificates.map(readCertificate).filter((each) => each !== null),
    statements: [...crls.map(readCrl), ...ocspResponses.map(readOcspResponse)].filter(
      (each) => each !== null,
    ),
  }
}
