import type { Material } from '../../certificates/material.js'
import type { SignatureEvidence, TimestampEvidence } from '../evidence.js'
import { problem, type Finding } from '../findings.js'

export type DocumentFormat =
  'PDF' | 'CMS' | 'XML' | 'JWS' | 'ASiC-S' | 'ASiC-E' | 'timestamp' | 'unknown'

/** What a reader found in a document. */
export interface DocumentReading {
  readonly format: DocumentFormat
  readonly signatures: readonly SignatureEvidence[]
  /** Those that belong to the document and to no signature. */
  readonly timestamps: readonly TimestampEvidence[]
  /** What validates these. */
  readonly material: Material
  readonly findings: readonly Finding[]
}

/** More are not looked at. */
export const MOST_SIGNATURES = 50

/** Nobody knows what the others would say. */
export function tooManySignatures(count: number): Finding {
  return problem('SIG_CONSTRAINTS_FAILURE', 'too-many-signatures', `${count}`)
}
