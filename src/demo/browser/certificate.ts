import { ObjectIdentifier } from 'asn1js'
import { Certificate, type RelativeDistinguishedNames } from 'pkijs'
import { CURVES, type Curve } from './algorithms.js'
import { toHex, type Bytes } from './encoding.js'

export type PublicKey =
  | { readonly kind: 'EC'; readonly curve: Curve; readonly spki: Bytes }
  | { readonly kind: 'RSA'; readonly spki: Bytes }

/** What the page shows and uses of a certificate. */
export interface CertificateFacts {
  readonly subject: string
  readonly issuer: string
  readonly serialNumber: string
  readonly validFrom: Date
  readonly validTo: Date
  readonly publicKey: PublicKey
}

const EC_PUBLIC_KEY = '1.2.840.10045.2.1'
const RSA_ENCRYPTION = '1.2.840.113549.1.1.1'
const COMMON_NAME = '2.5.4.3'
const ORGANIZATION = '2.5.4.10'

/** @throws {Error} when it is no certificate, or its key is of a kind this page cannot check */
export function readCertificate(der: Bytes): CertificateFacts {
  const certificate = Certificate.fromBER(der)
  return {
    subject: nameOf(certificate.subject),
    issuer: nameOf(certificate.issuer),
    serialNumber: serialNumberOf(certificate),
    validFrom: certificate.notBefore.value,
    validTo: certificate.notAfter.value,
    publicKey: publicKeyOf(certificate),
  }
}

/** Whether each certificate carries the signature of the one after it. */
export async function chainHolds(chain: readonly Bytes[]): Promise<boolean> {
  const certificates = chain.map((der) => Certificate.fromBER(der))
  for (const [index, certificate] of certificates.entries()) {
    const issuer = certificates[index + 1]
    if (issuer && !(await certificate.verify(issuer))) return false
  }
  return true
}

/** As certificate viewers write it: hexadecimal, without the byte that only keeps it positive. */
function serialNumberOf(certificate: Certificate): string {
  const hex = toHex(Uint8Array.from(certificate.serialNumber.valueBlock.valueHexView))
  return hex.replace(/^(00)+(?=..)/, '').toUpperCase()
}

function nameOf(name: RelativeDistinguishedNames): string {
  const part = (type: string) => {
    const found = name.typesAndValues.find((entry) => entry.type === type)
    return found === undefined ? undefined : String(found.value.valueBlock.value)
  }
  return part(COMMON_NAME) ?? part(ORGANIZATION) ?? 'unnamed'
}

function publicKeyOf(certificate: Certificate): PublicKey {
  const { algorithm } = certificate.subjectPublicKeyInfo
  const spki = new Uint8Array(certificate.subjectPublicKeyInfo.toSchema().toBER(false))
  if (algorithm.algorithmId === RSA_ENCRYPTION) return { kind: 'RSA', spki }
  const parameters: unknown = algorithm.algorithmParams
  if (algorithm.algorithmId === EC_PUBLIC_KEY && parameters instanceof ObjectIdentifier) {
    const oid = parameters.valueBlock.toString()
    const curve = CURVES.find((known) => known.oid === oid)
    if (curve) return { kind: 'EC', curve, spki }
  }
  throw new Error(`Keys of kind ${algorithm.algorithmId} cannot be checked here`)
}
