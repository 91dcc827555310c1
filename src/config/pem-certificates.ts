import { X509Certificate } from 'node:crypto'

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The certificates of a PEM file in their order, DER. @throws {Error} when one of them is none */
export function pemCertificates(text: string): Buffer[] {
  return (text.match(BLOCK) ?? []).map((block) => Buffer.from(new X509Certificate(block).raw))
}
