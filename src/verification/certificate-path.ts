import { Certificate, CertificateChainValidationEngine } from 'pkijs'
import { weakness } from './algorithm-policy.js'
import { problem, type Finding } from './findings.js'
import {
  EXTENSIONS,
  EXTENDED_KEY_USAGES,
  hasExtension,
  isIssuedBy,
  type KnownCertificate,
} from './known-certificate.js'
import { methodText } from '../certificates/signature-method.js'

/** Certificates above one another, the end-entity first, the trust anchor last. */
export type CertificatePath = readonly KnownCertificate[]

/** What the certificate at the lower end is used for. */
export type CertificateUse = 'signature' | 'timestamp'

const LONGEST_PATH = 8
/** Bounds the search where somebody sends many certificates of the same name. */
const MOST_CHECKS = 200

/** All certificates at hand, by who they name. */
export class CertificatePool {
  readonly #bySubject = new Map<string, KnownCertificate[]>()
  readonly #byFingerprint = new Map<string, KnownCertificate>()

  constructor(certificates: Iterable<KnownCertificate>) {
    for (const each of certificates) {
      if (this.#byFingerprint.has(each.fingerprint)) continue
      this.#byFingerprint.set(each.fingerprint, each)
      const name = each.subjectName.toString('latin1')
      this.#bySubject.set(name, [...(this.#bySubject.get(name) ?? []), each])
    }
  }

  named(subjectName: Buffer): readonly KnownCertificate[] {
    return this.#bySubject.get(subjectName.toString('latin1')) ?? []
  }

  [Symbol.iterator](): Iterator<KnownCertificate> {
    return this.#byFingerprint.values()
  }
}

/** Certificates that are trusted by themselves; one with the same name and key is the same. */
export class TrustAnchors {
  readonly #byKey = new Map<string, KnownCertificate>()
  readonly all: readonly KnownCertificate[]

  constructor(certificates: readonly KnownCertificate[]) {
    this.all = certificates
    for (const each of certificates) this.#byKey.set(nameAndKey(each), each)
  }

  has(certificate: KnownCertificate): boolean {
    return this.#byKey.has(nameAndKey(certificate))
  }
}

function nameAndKey({ subjectName, publicKey }: KnownCertificate): string {
  return `${subjectName.toString('latin1')}\0${publicKey.toString('latin1')}`
}

/** All paths to an anchor, shortest first; the longest way up without one where there is none. */
export function findPaths(
  certificate: KnownCertificate,
  pool: CertificatePool,
  anchors: TrustAnchors,
): { readonly trusted: readonly CertificatePath[]; readonly farthest: CertificatePath } {
  const trusted: CertificatePath[] = []
  let farthest: CertificatePath = [certificate]
  let checks = 0
  const climb = (path: CertificatePath) => {
    const top = path.at(-1)
    if (top === undefined) return
    if (path.length > farthest.length) farthest = path
    if (anchors.has(top)) {
      trusted.push(path)
      return
    }
    if (path.length >= LONGEST_PATH) return
    for (const issuer of pool.named(top.issuerName)) {
      if (path.some((each) => each.fingerprint === issuer.fingerprint)) continue
      checks += 1
      if (checks > MOST_CHECKS) return
      if (isIssuedBy(top, issuer)) climb([...path, issuer])
    }
  }
  climb([certificate])
  return { trusted: trusted.sort((one, other) => one.length - other.length), farthest }
}

/** Extensions that we heed, or that are about what we do not rely on. */
const UNDERSTOOD: ReadonlySet<string> = new Set(Object.values(EXTENSIONS))

/**
 * What of a path does not hold at `time` (RFC 5280, 6.1), signatures and names apart: those made it a path.
 * The anchor is trusted as it is.
 */
export async function pathProblems(
  path: CertificatePath,
  time: Date,
  use: CertificateUse,
): Promise<Finding[]> {
  const [leaf, ...above] = path
  if (!leaf) return []
  const problems = [...useProblems(leaf, use), ...validityProblems(path, time)]
  for (const [index, issuer] of above.entries()) problems.push(...issuerProblems(issuer, index))
  for (const certificate of path) {
    const unknown = certificate.extensions.find(
      ({ oid, critical }) => critical && !UNDERSTOOD.has(oid),
    )
    if (unknown) {
      problems.push(problem('CERTIFICATE_CHAIN_GENERAL_FAILURE', 'critical-extension', unknown.oid))
    }
  }
  problems.push(...algorithmProblems(path, time))
  if (path.some((each) => CONSTRAINTS.some((oid) => hasExtension(each, oid)))) {
    problems.push(...(await constraintProblems(path, time)))
  }
  return problems
}

function validityProblems(path: CertificatePath, time: Date): Finding[] {
  return path.slice(0, Math.max(1, path.length - 1)).flatMap(({ notBefore, notAfter, subject }) => {
    if (time < notBefore) return [problem('OUT_OF_BOUNDS_NO_POE', 'not-yet-valid', subject)]
    if (time > notAfter) return [problem('OUT_OF_BOUNDS_NO_POE', 'expired', subject)]
    return []
  })
}

function issuerProblems(issuer: KnownCertificate, casBelow: number): Finding[] {
  const { basicConstraints, keyUsage, subject } = issuer
  const isAllowed = keyUsage === null || keyUsage.has('keyCertSign')
  if (!basicConstraints?.ca || !isAllowed) {
    return [problem('CHAIN_CONSTRAINTS_FAILURE', 'not-a-ca', subject)]
  }
  const { pathLength } = basicConstraints
  return pathLength !== null && casBelow > pathLength
    ? [problem('CHAIN_CONSTRAINTS_FAILURE', 'path-too-long', subject)]
    : []
}

/** For which nobody gets a certificate in order to sign documents. */
const OTHER_PURPOSES: ReadonlySet<string> = new Set([
  ...[EXTENDED_KEY_USAGES.serverAuth, EXTENDED_KEY_USAGES.codeSigning],
  ...[EXTENDED_KEY_USAGES.timeStamping, EXTENDED_KEY_USAGES.ocspSigning],
])

function useProblems(leaf: KnownCertificate, use: CertificateUse): Finding[] {
  const { keyUsage, extendedKeyUsage, subject } = leaf
  const signs =
    keyUsage === null || keyUsage.has('digitalSignature') || keyUsage.has('nonRepudiation')
  const fits =
    use === 'timestamp'
      ? isForTimestampsOnly(leaf)
      : extendedKeyUsage === null || extendedKeyUsage.some((oid) => !OTHER_PURPOSES.has(oid))
  return signs && fits ? [] : [problem('CHAIN_CONSTRAINTS_FAILURE', 'key-usage', subject)]
}

/** @see RFC 3161, 2.3: critical, and nothing else. */
function isForTimestampsOnly({ extensions, extendedKeyUsage }: KnownCertificate): boolean {
  const extension = extensions.find(({ oid }) => oid === EXTENSIONS.extendedKeyUsage)
  const [only, another] = extendedKeyUsage ?? []
  return (
    extension?.critical === true &&
    only === EXTENDED_KEY_USAGES.timeStamping &&
    another === undefined
  )
}

/** Of the signatures below the anchor, and of the keys that made them. */
function algorithmProblems(path: CertificatePath, time: Date): Finding[] {
  return path.slice(0, -1).flatMap(({ method, subject }, index) => {
    const issuer = path[index + 1]
    if (!issuer || !method) return []
    const weak = weakness(method, issuer.key, time)
    const about = weak === null ? '' : `${weak}, ${methodText(method)}, ${subject}`
    return weak === null
      ? []
      : [problem('CRYPTO_CONSTRAINTS_FAILURE_NO_POE', 'weak-certificate', about)]
  })
}

const CONSTRAINTS = [
  ...[EXTENSIONS.nameConstraints, EXTENSIONS.policyConstraints],
  ...[EXTENSIONS.policyMappings, EXTENSIONS.inhibitAnyPolicy],
]

/** Name and policy constraints are checked by pkijs, which knows all of their kinds. */
async function constraintProblems(path: CertificatePath, checkDate: Date): Promise<Finding[]> {
  const [anchor, ...below] = path
    .map(({ der }) => Certificate.fromBER(new Uint8Array(der)))
    .toReversed()
  const engine = new CertificateChainValidationEngine({
    trustedCerts: anchor ? [anchor] : [],
    certs: below,
    checkDate,
  })
  const outcome = await engine.verify().catch(() => ({ result: false }))
  const names = path.map(({ subject }) => subject).join(' < ')
  return outcome.result ? [] : [problem('CERTIFICATE_CHAIN_GENERAL_FAILURE', 'constraints', names)]
}
