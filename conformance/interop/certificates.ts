/**
 * Has pkilint look at what a server's certification authority issues: certificates of signers, authorities and
 * services, revocation lists and OCSP responses, fetched from where certificates say. See README.md beside
 * this file.
 */
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as asn1js from 'asn1js'
import { BasicOCSPResponse, Certificate, ContentInfo, OCSPResponse, SignedData } from 'pkijs'
import { Subject } from '../subject.js'
import { loadTarget } from '../target.js'

const { values: options } = parseArgs({
  options: {
    config: { type: 'string', default: 'data/conformance.json' },
    /** Folder of pkilint's programs. */
    pkilint: { type: 'string' },
    keep: { type: 'string' },
  },
})
if (options.pkilint === undefined) throw new Error('Say where pkilint is: --pkilint FOLDER')
const programs = options.pkilint
const folder = options.keep ?? mkdtempSync(join(tmpdir(), 'openrssp-certificates-'))
mkdirSync(folder, { recursive: true })
const say = (line: string) => void process.stdout.write(`${line}\n`)

/** Findings that do not hold against us, and why. */
const WAIVED: readonly (readonly [finding: RegExp, why: string])[] = [
  [/etsi\.internal_domain_name/, 'a server that is being tried out has no public name'],
]
/** For certificates with noRevAvail: RFC 9608, 2 forbids what EN 319 412-2 demands of all others. */
const WAIVED_WITHOUT_REVOCATION = [
  /gen-4\.3\.11-2\.crldp_extension_missing/,
  /gen-4\.4\.1-8\.ocsp_aia_access_method_absent/,
]

const OIDS = {
  organizationIdentifier: '2.5.4.97',
  noRevocationAvailable: '2.5.29.56',
  qcStatements: '1.3.6.1.5.5.7.1.3',
  ocsp: '1.3.6.1.5.5.7.48.1',
} as const

let looks = 0
let failures = 0
const seen = new Set<string>()

const subject = new Subject(loadTarget(options.config), {
  fetch,
  time: { now: () => new Date(), advance: null },
})
await subject.start()
try {
  for (const chain of await chainsOfSigners()) await lookAtChain('signer', chain)
  await lookAtTimestampingUnit()
  await demandAlarm()
} finally {
  await subject.close()
}
say(
  failures === 0
    ? `pkilint is content with all ${looks}. Files are in ${folder}`
    : `${failures} complaints of pkilint about ${looks}; ${folder}`,
)
process.exitCode = failures === 0 ? 0 : 1

async function chainsOfSigners(): Promise<X509Certificate[][]> {
  const chains = []
  for (const signer of subject.target.signers.keys()) {
    for (const { certificates } of await subject.credentials(signer)) chains.push([...certificates])
  }
  return chains
}

/** A certificate and those above it, and what their authorities say of each. */
async function lookAtChain(kind: string, chain: readonly X509Certificate[]): Promise<void> {
  for (const [index, certificate] of chain.entries()) {
    if (seen.has(certificate.fingerprint256)) continue
    seen.add(certificate.fingerprint256)
    const issuer = chain[index + 1] ?? certificate
    const name = `${index === 0 ? kind : 'authority'}-${certificate.serialNumber.slice(0, 8)}`
    const file = save(`${name}.cer`, certificate.raw)
    await lint(name, 'lint_pkix_cert', [file], certificate)
    if (index === 0 && kind === 'signer') {
      await lint(name, 'lint_etsi_cert', ['-t', etsiType(certificate), file], certificate)
    }
    if (issuer !== certificate) {
      const above = save(`${name}-issuer.cer`, issuer.raw)
      await lint(name, 'lint_pkix_signer_signee_cert_chain', [above, file], certificate)
    }
    await lookAtLists(name, certificate)
    await lookAtResponses(name, certificate, issuer, chain)
  }
}

async function lookAtLists(name: string, certificate: X509Certificate): Promise<void> {
  for (const url of urisIn(certificate, '2.5.29.31')) {
    if (seen.has(url)) continue
    seen.add(url)
    const file = save(`${name}.crl`, await download(url))
    await lint(url, 'lint_crl', ['-t', 'CRL', '-p', 'PKIX', file])
  }
}

/** With a nonce and without one, as openssl asks. */
async function lookAtResponses(
  name: string,
  certificate: X509Certificate,
  issuer: X509Certificate,
  chain: readonly X509Certificate[],
): Promise<void> {
  const url = /OCSP - URI:(\S+)/.exec(certificate.infoAccess ?? '')?.[1]
  if (url === undefined) return
  const [leaf, above] = [`${name}.pem`, `${name}-issuer.pem`]
  save(leaf, Buffer.from(certificate.toString()))
  save(above, Buffer.from(issuer.toString()))
  for (const nonce of [[], ['-no_nonce']]) {
    const answer = `${name}${nonce.length === 0 ? '' : '-all'}.ocsp`
    const asked = ['-issuer', above, '-cert', leaf, '-url', url, '-noverify', '-respout', answer]
    await run('openssl', ['ocsp', ...asked, ...nonce])
    const file = join(folder, answer)
    await lint(answer, 'lint_ocsp_response', [file])
    for (const responder of respondersIn(file)) {
      await lookAtChain('responder', [responder, ...chain.slice(1)])
    }
  }
}

/** Whoever answers at /tsa puts its certificates into the answer. */
async function lookAtTimestampingUnit(): Promise<void> {
  const digest = ['-digest', '11'.repeat(32), '-sha256', '-cert', '-out', 'query.tsq']
  await run('openssl', ['ts', '-query', ...digest])
  const url = new URL('/tsa', subject.baseUrl)
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/timestamp-query' },
    body: readFileSync(join(folder, 'query.tsq')),
  })
  if (answer.status !== 200) return say(`nobody gives timestamps at ${url.href}`)
  save('reply.tsr', Buffer.from(await answer.arrayBuffer()))
  await run('openssl', ['ts', '-reply', '-in', 'reply.tsr', '-token_out', '-out', 'token.der'])
  const token = readFileSync(join(folder, 'token.der'))
  const signed = new SignedData({
    schema: new ContentInfo({ schema: asn1js.fromBER(token).result }).content as unknown,
  })
  const certificates = (signed.certificates ?? [])
    .filter((each) => each instanceof Certificate)
    .map((each) => new X509Certificate(Buffer.from(each.toSchema().toBER())))
  const unit = certificates.find(({ ca }) => !ca)
  const issuer = certificates.find((each) => unit?.checkIssued(each))
  if (unit && issuer) await lookAtChain('unit', [unit, issuer])
}

/** A judge who finds nothing wrong with a person as an organisation does not look. */
async function demandAlarm(): Promise<void> {
  const [chain] = await chainsOfSigners()
  const [leaf] = chain ?? []
  if (!leaf) return complain('this job', 'found no certificate of a signer')
  const file = save('alarm.cer', leaf.raw)
  const wrongType = isOfOrganisation(leaf) ? 'NATURAL' : 'LEGAL'
  const type = `NCP-${wrongType}-PERSON-CERTIFICATE`
  const findings = await findingsOf('lint_etsi_cert', ['-t', type, file])
  if (findings.length === 0) complain('pkilint', `took a certificate for one of ${type}`)
}

/** The profile of EN 319 412-2 or -3 that it claims to be of. */
function etsiType(certificate: X509Certificate): string {
  const isQualified = certificate.raw.includes(oidOctets(OIDS.qcStatements))
  if (isOfOrganisation(certificate)) return 'NCP-LEGAL-PERSON-CERTIFICATE'
  return isQualified ? 'QCP-N-QSCD-EIDAS-FINAL-CERTIFICATE' : 'NCP-NATURAL-PERSON-CERTIFICATE'
}

function isOfOrganisation({ raw }: X509Certificate): boolean {
  return raw.includes(oidOctets(OIDS.organizationIdentifier))
}

function oidOctets(oid: string): Buffer {
  return Buffer.from(new asn1js.ObjectIdentifier({ value: oid }).toBER())
}

/** URIs of the extension, which is made of general names. */
function urisIn(certificate: X509Certificate, oid: string): string[] {
  const { extensions = [] } = new Certificate({ schema: asn1js.fromBER(certificate.raw).result })
  const value = extensions.find(({ extnID }) => extnID === oid)?.extnValue.valueBlock.valueHexView
  return [
    ...Buffer.from(value ?? [])
      .toString('latin1')
      .matchAll(/https?:\/\/[!-~]+/g),
  ].map(([uri]) => uri)
}

function respondersIn(file: string): X509Certificate[] {
  const { responseBytes } = new OCSPResponse({ schema: asn1js.fromBER(readFileSync(file)).result })
  const octets = responseBytes?.response.valueBlock.valueHexView ?? new Uint8Array()
  const { certs = [] } = new BasicOCSPResponse({ schema: asn1js.fromBER(octets).result })
  return certs.map((each) => new X509Certificate(Buffer.from(each.toSchema().toBER())))
}

async function download(url: string): Promise<Buffer> {
  const answer = await fetch(url)
  if (answer.status !== 200) complain(url, `is answered with ${answer.status}`)
  return Buffer.from(await answer.arrayBuffer())
}

function save(name: string, bytes: Buffer): string {
  const file = join(folder, name)
  writeFileSync(file, bytes)
  return file
}

interface Finding {
  readonly code: string
  readonly severity: string
  readonly message?: string
}

async function lint(
  name: string,
  program: string,
  args: readonly string[],
  certificate: X509Certificate | null = null,
): Promise<void> {
  looks += 1
  const isUnrevoked = certificate?.raw.includes(oidOctets(OIDS.noRevocationAvailable)) === true
  const waived = [
    ...WAIVED.map(([code]) => code),
    ...(isUnrevoked ? WAIVED_WITHOUT_REVOCATION : []),
  ]
  const findings = await findingsOf(program, args)
  const standing = findings.filter(({ code }) => !waived.some((each) => each.test(code)))
  for (const { code, severity, message = '' } of standing) {
    complain(name, `${program}: ${severity} ${code} ${message}`)
  }
  if (standing.length === 0) say(`${name}: ${program}`)
}

async function findingsOf(program: string, args: readonly string[]): Promise<Finding[]> {
  const format = ['-s', 'WARNING', '-f', 'JSON']
  const { text } = await run(join(programs, program), ['lint', ...format, ...args])
  try {
    const { results } = JSON.parse(text) as {
      results: { finding_descriptions: Finding[] }[]
    }
    return results.flatMap(({ finding_descriptions: found }) => found)
  } catch {
    return [{ code: 'unreadable', severity: 'FATAL', message: text.slice(0, 300) }]
  }
}

function run(program: string, args: readonly string[]): Promise<{ text: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 60_000, cwd: folder }, (_, stdout, stderr) => {
      resolve({ text: stdout.trim() || stderr.trim() })
    })
  })
}

function complain(about: string, what: string): void {
  failures += 1
  say(`${about}: ${what}`)
}
