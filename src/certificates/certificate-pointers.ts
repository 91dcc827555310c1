import * as asn1js from 'asn1js'
import { CRLDistributionPoints, InfoAccess, type GeneralName } from 'pkijs'
import type { ParsedCertificate } from './certificate.js'

/** Where a certificate says that more can be had: URLs of http and https, as many as anybody needs. */
export interface CertificatePointers {
  readonly ocsp: readonly URL[]
  readonly caIssuers: readonly URL[]
  readonly crls: readonly URL[]
}

const AUTHORITY_INFO_ACCESS = '1.3.6.1.5.5.7.1.1'
const CRL_DISTRIBUTION_POINTS = '2.5.29.31'
const OCSP = '1.3.6.1.5.5.7.48.1'
const CA_ISSUERS = '1.3.6.1.5.5.7.48.2'
const URI = 6
const MOST_EACH = 3
const LONGEST_URL = 2_000

export function pointersOf(certificate: ParsedCertificate): CertificatePointers {
  const access = read(certificate, AUTHORITY_INFO_ACCESS, (schema) => {
    return new InfoAccess({ schema }).accessDescriptions
  })
  const points = read(certificate, CRL_DISTRIBUTION_POINTS, (schema) => {
    return new CRLDistributionPoints({ schema }).distributionPoints
  })
  const located = (method: string) =>
    namedUrls(
      (access ?? []).flatMap((each) => (each.accessMethod === method ? each.accessLocation : [])),
    )
  return {
    ocsp: located(OCSP),
    caIssuers: located(CA_ISSUERS),
    // Lists of other authorities, or for some reasons only, are no use to us.
    crls: namedUrls(
      (points ?? []).flatMap(({ distributionPoint, reasons, cRLIssuer }) =>
        Array.isArray(distributionPoint) && !reasons && !cRLIssuer ? distributionPoint : [],
      ),
    ),
  }
}

/** What an extension says; null when it is absent or cannot be read. */
function read<T>(
  { extensions }: ParsedCertificate,
  oid: string,
  parse: (schema: asn1js.AsnType) => T,
): T | null {
  const found = extensions.find((each) => each.oid === oid)
  if (!found) return null
  try {
    return parse(asn1js.fromBER(found.value).result)
  } catch {
    return null
  }
}

/** URLs among names, as many as anybody needs. */
export function namedUrls(names: readonly GeneralName[]): URL[] {
  return names
    .flatMap(({ type, value }) => (type === URI && typeof value === 'string' ? value : []))
    .filter((text) => text.length <= LONGEST_URL && /^https?:/i.test(text) && URL.canParse(text))
    .slice(0, MOST_EACH)
    .map((text) => new URL(text))
}
