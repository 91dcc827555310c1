import { X509Certificate } from 'node:crypto'
import * as asn1js from 'asn1js'
import { allowsKeyAlgorithm, type SignatureAlgorithm } from '../keys/algorithms.js'
import { algorithmIdentifier } from './algorithm-identifier.js'
import type { CertificatePlan } from './certificate-plan.js'
import { parseCertificate, type ParsedCertificate } from './certificate.js'
import { elementsIn, isDer, sequenceOf } from './der.js'
import { nameProblems } from './distinguished-name.js'
import { KEY_USAGE_BITS, OCSP_SIGNING, TIME_STAMPING, type KeyUsage } from './profiles.js'
import { EXTENSION_OIDS, extensionsOf } from './to-be-signed.js'

class Linted {
  protected readonly linted = true // only `lintCertificate` makes one, and nothing else is signed
  readonly tbs: Buffer
  readonly plan: CertificatePlan
  constructor(tbs: Buffer, plan: CertificatePlan) {
    this.tbs = tbs
    this.plan = plan
  }
}

/** The part to be signed of a certificate that says what was planned, and nothing else. */
export type LintedCertificate = Linted

export class CertificateLintError extends Error {
  override readonly name = 'CertificateLintError'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`The certificate must not be signed: ${problems.join('; ')}`)
    this.problems = problems
  }
}

/**
 * Reads what is about to be signed, with parsers that did not write it, and compares it with the
 * plan and the issuer (null for self-signed certificates).
 * @throws {CertificateLintError}
 */
export function lintCertificate(
  tbs: Buffer,
  plan: CertificatePlan,
  issuer: ParsedCertificate | null,
): LintedCertificate {
  const ownCopy = Buffer.from(tbs)
  const problems = problemsOf(ownCopy, plan, issuer)
  if (problems.length > 0) throw new CertificateLintError(problems)
  return new Linted(ownCopy, plan)
}

/** A certificate from a signature over `linted.tbs`. */
export function assembleCertificate(linted: LintedCertificate, signature: Buffer): Buffer {
  return withSignature(linted.tbs, linted.plan.issuerAlgorithm, signature)
}

function withSignature(tbs: Buffer, algorithm: SignatureAlgorithm, signature: Buffer): Buffer {
  const signatureValue = new asn1js.BitString({ valueHex: signature })
  return sequenceOf(tbs, algorithmIdentifier(algorithm), Buffer.from(signatureValue.toBER()))
}

function problemsOf(tbs: Buffer, plan: CertificatePlan, issuer: ParsedCertificate | null) {
  if (!isDer(tbs)) return ['it is not DER']
  let certificate, secondOpinion
  try {
    const der = withSignature(tbs, plan.issuerAlgorithm, Buffer.from('3006020101020101', 'hex'))
    certificate = parseCertificate(der)
    secondOpinion = new X509Certificate(der)
  } catch (error) {
    return [`it cannot be read: ${String(error)}`]
  }
  return [
    ...headProblems(certificate, tbs, plan),
    ...dateProblems(certificate, plan, issuer),
    ...keyProblems(certificate, plan),
    ...namingProblems(certificate, plan, issuer),
    ...extensionProblems(certificate, plan),
    ...revocationProblems(plan),
    ...keyUsageProblems(certificate, plan),
    ...keyIdentifierProblems(certificate, issuer),
    ...secondOpinionProblems(secondOpinion, plan),
  ]
}

function headProblems(
  certificate: ParsedCertificate,
  tbs: Buffer,
  { serialNumber, issuerAlgorithm }: CertificatePlan,
): string[] {
  const [, , algorithm] = elementsIn(tbs)
  const isSameAlgorithm = algorithm?.equals(algorithmIdentifier(issuerAlgorithm)) === true
  const serial = Buffer.from(certificate.serialNumber, 'hex')
  const first = serial[0] ?? 0
  return [
    ...when(certificate.version !== 3, 'it is not of version 3'),
    ...when(!isSameAlgorithm, 'another signature algorithm'),
    ...when(first === 0 || first >= 0x80, 'the serial number is not positive'),
    ...when(serial.length < 16 || serial.length > 20, 'the serial number has a bad length'),
    ...when(!serial.equals(serialNumber), 'another serial number than planned'),
  ]
}

function dateProblems(
  { notBefore, notAfter }: ParsedCertificate,
  plan: CertificatePlan,
  issuer: ParsedCertificate | null,
): string[] {
  const planned = +notBefore === +plan.notBefore && +notAfter === +plan.notAfter
  const outlives = issuer !== null && (notBefore < issuer.notBefore || notAfter > issuer.notAfter)
  return [
    ...when(!planned, 'other dates than planned'),
    ...when(notBefore >= notAfter, 'it is never valid'),
    ...when(outlives, 'it is valid when its issuer is not'),
  ]
}

function keyProblems({ publicKey, keyAlgorithm }: ParsedCertificate, plan: CertificatePlan) {
  const allowed = keyAlgorithm !== null && allowsKeyAlgorithm(keyAlgorithm)
  return [
    ...when(!allowed, 'policy does not allow its key'),
    ...when(!publicKey.equals(plan.publicKey), 'another key than requested'),
  ]
}

/** No more than keeps an address an IA5String without surprises. */
const MAILBOX = /^[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,255}$/

function namingProblems(
  { subjectName, issuerName }: ParsedCertificate,
  plan: CertificatePlan,
  issuer: ParsedCertificate | null,
): string[] {
  return [
    ...when(!subjectName.equals(plan.subject), 'another subject than planned'),
    ...when(!issuerName.equals(plan.issuer), 'another issuer than planned'),
    ...when(
      !issuerName.equals(issuer?.subjectName ?? subjectName),
      'its issuer has another name than that of the issuing certificate',
    ),
    ...nameProblems(subjectName),
    ...when(plan.email !== undefined && !MAILBOX.test(plan.email), 'its e-mail address is none'),
  ]
}

function extensionProblems({ extensions }: ParsedCertificate, plan: CertificatePlan): string[] {
  const wanted = extensionsOf(plan)
  const missing = wanted.filter(
    (each) =>
      !extensions.some(
        ({ oid, critical, value }) =>
          oid === each.oid && critical === each.critical && value.equals(each.value),
      ),
  )
  const critical = [EXTENSION_OIDS.basicConstraints, EXTENSION_OIDS.keyUsage] as string[]
  const lax = critical.filter(
    (oid) => !extensions.some((each) => each.oid === oid && each.critical),
  )
  return [
    ...missing.map(({ oid }) => `extension ${oid} is not as planned`),
    ...when(extensions.length !== wanted.length, 'it has other extensions than planned'),
    ...lax.map((oid) => `extension ${oid} is not critical`),
  ]
}

/** Plans that contradict themselves. @see RFC 9608, 2; RFC 3161, 2.3 */
function revocationProblems({ urls, ...plan }: CertificatePlan): string[] {
  const { authority, noRevocationAvailable, ocspNoCheck, extendedKeyUsage } = plan
  const asks = urls.crl !== null || urls.ocsp !== null
  const isTsa = extendedKeyUsage.includes(TIME_STAMPING)
  const isOcsp = extendedKeyUsage.includes(OCSP_SIGNING)
  const isForMore = extendedKeyUsage.length > 1
  const isAuthority = authority !== null
  return [
    ...when(noRevocationAvailable && (asks || isAuthority), 'it says where there is no revocation'),
    ...when(ocspNoCheck && !isOcsp, 'it is not to be checked, and no OCSP responder'),
    ...when((isTsa || isOcsp) && isForMore, 'the key of a service is for more than one purpose'),
    ...when(isTsa && !plan.extendedKeyUsageIsCritical, 'time stamping is not critical'),
    ...Object.values(urls).flatMap((url: string | null) =>
      when(url !== null && !/^https?:\/\/[!-~]+$/.test(url), 'a URL is none'),
    ),
  ]
}

function keyUsageProblems({ extensions }: ParsedCertificate, plan: CertificatePlan): string[] {
  const value = extensions.find(({ oid }) => oid === EXTENSION_OIDS.keyUsage)?.value
  const bits = value === undefined ? null : asn1js.fromBER(value).result
  if (!(bits instanceof asn1js.BitString)) return ['it has no key usage']
  const byte = bits.valueBlock.valueHexView[0] ?? 0
  const names = Object.keys(KEY_USAGE_BITS) as KeyUsage[]
  const set = names.filter((name) => (byte & (0x80 >> KEY_USAGE_BITS[name])) !== 0)
  const planned = names.filter((name) => plan.keyUsage.includes(name))
  return when(set.join() !== planned.join(), 'another key usage than planned')
}

/** Path building goes by these: what the certificate calls its issuer is what that calls itself. */
function keyIdentifierProblems(certificate: ParsedCertificate, issuer: ParsedCertificate | null) {
  const own = (issuer ?? certificate).extensions.find(
    ({ oid }) => oid === EXTENSION_OIDS.subjectKeyIdentifier,
  )
  const named = certificate.extensions.find(
    ({ oid }) => oid === EXTENSION_OIDS.authorityKeyIdentifier,
  )
  // OCTET STRING { id } on one side, SEQUENCE { [0] id } on the other
  const agree = own !== undefined && named?.value.subarray(4).equals(own.value.subarray(2))
  return when(agree !== true, 'it names another issuer key')
}

/** OpenSSL's reading, in case our parser and our writer share a mistake. */
function secondOpinionProblems(certificate: X509Certificate, plan: CertificatePlan): string[] {
  const key = publicKeyOf(certificate)
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)]
  const serial = plan.serialNumber.toString('hex').toUpperCase()
  return [
    ...when(certificate.ca !== (plan.authority !== null), 'OpenSSL sees other basic constraints'),
    ...when(key?.equals(plan.publicKey) !== true, 'OpenSSL sees another key'),
    ...when(+from !== +plan.notBefore || +to !== +plan.notAfter, 'OpenSSL sees other dates'),
    ...when(certificate.serialNumber !== serial, 'OpenSSL sees another serial number'),
  ]
}

function publicKeyOf(certificate: X509Certificate): Buffer | null {
  try {
    return certificate.publicKey.export({ type: 'spki', format: 'der' })
  } catch {
    return null // of an algorithm OpenSSL does not know
  }
}

function when(wrong: boolean, problem: string): string[] {
  return wrong ? [problem] : []
}
