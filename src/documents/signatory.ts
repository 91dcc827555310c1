import { X509Certificate } from 'node:crypto'
import type { Signatory } from './ades.js'

/** What of a signatory goes into a signature: all but the trust anchor, the signer first. */
export function certificatesToEmbed({ certificate, chain }: Signatory): Buffer[] {
  return distinct([certificate, ...withoutTrustAnchors(chain)])
}

/** The certificates that have to be good for a signature and its timestamps, but for trust anchors. */
export function certificatesToValidate(
  { certificate, chain }: Signatory,
  ofTimestamps: readonly Buffer[],
): Buffer[] {
  return distinct(withoutTrustAnchors([certificate, ...chain, ...ofTimestamps]))
}

export function withoutTrustAnchors(certificates: readonly Buffer[]): Buffer[] {
  return certificates.filter((one) => !isSelfSigned(one))
}

/** The elements in order, each once. */
export function distinct(elements: readonly Buffer[]): Buffer[] {
  const seen = new Set<string>()
  return elements.filter((element) => {
    const text = element.toString('latin1')
    return !seen.has(text) && seen.add(text)
  })
}

/** By its names and key identifiers; nobody relies on it, so no signature is verified. */
function isSelfSigned(der: Buffer): boolean {
  const certificate = new X509Certificate(der)
  return certificate.checkIssued(certificate)
}
