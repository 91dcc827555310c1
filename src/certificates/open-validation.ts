import { readFileSync } from 'node:fs'
import { pemCertificates } from '../config/pem-certificates.js'
import type { Config } from '../config/schema.js'
import { boundedHttp } from './bounded-http.js'
import type { RevocationSource } from './own-revocation.js'
import { TrustAnchors } from './certificate-path.js'
import { knownCertificate } from './known-certificate.js'
import { isPublicAddress } from './public-address.js'
import { RevocationClient } from './revocation-client.js'
import { ValidationDataSource } from './validation-data.js'

export interface Validation {
  /** Certificates that are trusted whatever they say of themselves, DER. */
  readonly anchors: readonly Buffer[]
  readonly source: ValidationDataSource
}

/** Whom we trust, and how certificates below them are looked into, as the configuration says. */
export function openValidation(
  { validation, timestamping }: Pick<Config, 'validation' | 'timestamping'>,
  parts: {
    /** Of our own authority, DER. */
    readonly root: Buffer
    readonly own: RevocationSource
    readonly now: () => Date
  },
): Validation {
  const { now, own, root } = parts
  const files = [
    ...(validation.anchorsFile === undefined ? [] : [validation.anchorsFile]),
    ...timestamping.external.map(({ anchorsFile }) => anchorsFile),
  ]
  const anchors = [
    ...[root, ...files.flatMap((file) => pemCertificates(readFileSync(file, 'utf8')))],
  ]
  const http = boundedHttp({
    timeoutMs: validation.timeoutSeconds * 1000,
    isAllowed: (host, address) =>
      isPublicAddress(address) || validation.privateHosts.includes(host),
  })
  const read = new TrustAnchors(anchors.map(knownCertificate))
  const client = new RevocationClient({ http, now })
  return {
    anchors,
    source: new ValidationDataSource({ client, own, now, anchors: () => read }),
  }
}
