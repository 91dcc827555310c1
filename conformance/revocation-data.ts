import { X509Certificate } from 'node:crypto'
import {
  BasicOCSPResponse,
  Certificate,
  CertificateRevocationList,
  getCrypto,
  OCSPResponse,
} from 'pkijs'
import { isBase64 } from './algorithms.js'
import { stringsOf, type Json } from './exchange.js'
import { demand } from './expectations.js'
import { NotMet } from './outcome.js'

/** `CertStatus`: good (RFC 6960 §4.2.1). */
const GOOD = 0
const NO_REV_AVAIL = '2.5.29.56'

/**
 * Demands in `validationInfo` the status of every certificate of a chain whose issuer is known, by a response
 * or a list that the issuer, or who answers for it, signed (CSC v2.0.0.2 §11.11).
 * @throws {NotMet}
 */
export async function demandRevocationData(
  info: Json,
  chain: readonly X509Certificate[],
): Promise<void> {
  const [ocsp, crl, more] = ['ocsp', 'crl', 'certificates'].map((name) => bytesOf(info, name))
  demand(
    (ocsp?.length ?? 0) + (crl?.length ?? 0) > 0,
    'there is neither an OCSP response nor a CRL',
  )
  const known = [...chain, ...(more ?? []).map((der) => new X509Certificate(der))]
  const responses = (ocsp ?? []).map(readResponse)
  const lists = (crl ?? []).map((der) =>
    readAs('CRL', () => CertificateRevocationList.fromBER(new Uint8Array(der))),
  )
  for (const each of chain) {
    const issuer = known.find((other) => each.checkIssued(other) && !other.raw.equals(each.raw))
    if (!issuer) continue
    const pair = { certificate: read(each), issuer: read(issuer) }
    if (pair.certificate.extensions?.some(({ extnID }) => extnID === NO_REV_AVAIL)) continue
    const isKnown = (await isGood(responses, pair)) || (await isNotListed(lists, pair))
    demand(isKnown, `nothing in it is about the certificate ${each.serialNumber}`)
  }
}

interface Issued {
  readonly certificate: Certificate
  readonly issuer: Certificate
}

async function isGood(responses: readonly BasicOCSPResponse[], pair: Issued): Promise<boolean> {
  const { certificate, issuer } = pair
  for (const response of responses) {
    const { isForCertificate, status } = await response.getCertificateStatus(certificate, issuer)
    if (!isForCertificate) continue
    demand(status === GOOD, 'the OCSP response does not say good')
    demand(await isOfResponder(response, issuer), 'nobody who may has signed the OCSP response')
    return true
  }
  return false
}

/** Signed by the issuer, or by one whose certificate the issuer signed. */
async function isOfResponder(response: BasicOCSPResponse, issuer: Certificate): Promise<boolean> {
  const delegated = []
  for (const each of response.certs ?? []) {
    if (await each.verify(issuer)) delegated.push(each)
  }
  const data = new Uint8Array(response.tbsResponseData.tbsView)
  for (const { subjectPublicKeyInfo } of [issuer, ...delegated]) {
    const good = await getCrypto(true)
      .verifyWithPublicKey(
        data,
        response.signature,
        subjectPublicKeyInfo,
        response.signatureAlgorithm,
      )
      .catch(() => false)
    if (good) return true
  }
  return false
}

async function isNotListed(
  lists: readonly CertificateRevocationList[],
  { certificate, issuer }: Issued,
): Promise<boolean> {
  const list = lists.find((each) => each.issuer.isEqual(certificate.issuer))
  if (!list) return false
  demand(await list.verify({ issuerCertificate: issuer }), 'the issuer has not signed the CRL')
  demand(!list.isCertificateRevoked(certificate), 'the CRL lists the certificate')
  return true
}

function readResponse(der: Buffer): BasicOCSPResponse {
  return readAs('OCSP response', () => {
    const { responseBytes } = OCSPResponse.fromBER(new Uint8Array(der))
    if (!responseBytes) throw new Error('it is an error')
    return BasicOCSPResponse.fromBER(responseBytes.response.getValue())
  })
}

function read({ raw }: X509Certificate): Certificate {
  return Certificate.fromBER(new Uint8Array(raw))
}

function bytesOf(info: Json, name: string): Buffer[] {
  if (info[name] === undefined) return []
  const all = stringsOf(info, name)
  demand(all.every(isBase64), `${name} is not plain Base64`)
  return all.map((each) => Buffer.from(each, 'base64'))
}

function readAs<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new NotMet(`it is no ${what}: ${error instanceof Error ? error.message : ''}`)
  }
}
