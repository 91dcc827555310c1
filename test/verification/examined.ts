import type { ProofSources, ValidationData } from '../../src/documents/ades.js'
import type { DetachedContent } from '../../src/verification/evidence.js'
import { examine, type Examination } from '../../src/verification/examine.js'
import { NO_POLICIES } from '../../src/verification/signature-policy.js'
import type { SigningPki } from '../support/signing-pki.js'

export const NO_DATA: ValidationData = { certificates: [], crls: [], ocspResponses: [] }

/** Examines in this process: what isolation adds is tested elsewhere. */
export async function examined(
  document: Buffer,
  anchors: readonly Buffer[],
  more: Partial<Examination> = {},
) {
  const { report } = await examine({
    ...{ name: null, document, contents: [], anchors, material: NO_DATA, now: new Date() },
    policies: NO_POLICIES,
    ...more,
  })
  return report
}

export type Examined = Awaited<ReturnType<typeof examined>>

export function content(bytes: Buffer, name: string | null = null): DetachedContent {
  return { name, bytes, digests: new Map() }
}

/** `INDETERMINATE/TRY_LATER: signer-missing`, for each signature. */
export function verdicts({ signatures }: Pick<Examined, 'signatures'>): string[] {
  return signatures.map(({ indication, subIndication, findings }) => {
    const codes = findings.filter((each) => each.subIndication !== null).map(({ code }) => code)
    return subIndication === null ? indication : `${indication}/${subIndication}: ${codes[0] ?? ''}`
  })
}

/** Everything passes; what stands in for another word on a failing test. */
export function explained({ signatures, timestamps, findings }: Examined): string {
  return JSON.stringify({
    findings,
    signatures: signatures.map((each) => each.findings),
    timestamps,
  })
}

/** The PKI, which asks openssl for the revocation data of a certificate once only. */
export function remembering(pki: SigningPki): ProofSources {
  const known = new Map<string, Promise<ValidationData>>()
  return {
    timestamp: (digest, hash) => pki.timestamp(digest, hash),
    validationData(certificates) {
      const key = certificates.map((each) => each.toString('base64')).join()
      const found = known.get(key) ?? pki.validationData(certificates)
      known.set(key, found)
      return found
    },
  }
}
