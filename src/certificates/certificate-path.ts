import { weakness } from './algorithm-policy.js'
import { flaw, type Flaw } from './flaws.js'
import {
  EXTENSIONS,
  EXTENDED_KEY_USAGES,
  isAuthority,
  isIssuedBy,
  isSelfIssued,
  unknownCritical,
  type KnownCertificate,
} from './known-certificate.js'
import { hasPolicyWhereNeeded, isConstrained, namesAreAllowed } from './path-constraints.js'
import { methodText } from './signature-method.js'

/** Certificates above one another, the end-entity first, the trust anchor last. */
export type CertificatePath = readonly KnownCertificate[]

/** What the certificate at the lower end is used for. */
export type CertificateUse = 'signature' | 'timestamp'

const LONGEST_PATH = 10
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

/** The first path that has no flaw at `time`; null when there is none. Revocation is not looked at. */
export function soundPath(
  certificate: KnownCertificate,
  others: readonly KnownCertificate[],
  anchors: TrustAnchors,
  { time, use }: { readonly time: Date; readonly use: CertificateUse },
): CertificatePath | null {
  const { trusted } = findPaths(
    certificate,
    new CertificatePool([...anchors.all, ...others]),
    anchors,
  )
  return trusted.find((path) => pathFlaws(path, time, use).length === 0) ?? null
}

/**
 * What of a path does not hold at `time` (RFC 5280, 6.1), signatures and names apart: those made it a path.
 * The anchor is trusted as it is.
 */
export function pathFlaws(path: CertificatePath, time: Date, use: CertificateUse): Flaw[] {
  const [leaf, ...above] = path
  if (!leaf) return []
  const unknown = path.flatMap((each) => unknownCritical(each) ?? [])
  return [
    ...useFlaws(leaf, use),
    ...validityFlaws(path, time),
    ...above.flatMap((issuer, at) => issuerFlaws(issuer, above.slice(0, at))),
    ...unknown.map((oid) => flaw('critical-extension', oid)),
    ...algorithmFlaws(path, time),
    ...constraintFlaws(path),
  ]
}

function validityFlaws(path: CertificatePath, time: Date): Flaw[] {
  return path.slice(0, Math.max(1, path.length - 1)).flatMap(({ notBefore, notAfter, subject }) => {
    if (time < notBefore) return [flaw('not-yet-valid', subject)]
    return time > notAfter ? [flaw('expired', subject)] : []
  })
}

/** Authorities that are only there to change a key do not count for the length. */
function issuerFlaws(issuer: KnownCertificate, below: readonly KnownCertificate[]): Flaw[] {
  const { basicConstraints, subject } = issuer
  if (!isAuthority(issuer)) return [flaw('not-a-ca', subject)]
  const length = below.filter((each) => !isSelfIssued(each)).length
  const isTooLong = length > (basicConstraints?.pathLength ?? Infinity)
  return isTooLong ? [flaw('path-too-long', subject)] : []
}

/** For which nobody gets a certificate in order to sign documents. */
const OTHER_PURPOSES: ReadonlySet<string> = new Set([
  ...[EXTENDED_KEY_USAGES.serverAuth, EXTENDED_KEY_USAGES.codeSigning],
  ...[EXTENDED_KEY_USAGES.timeStamping, EXTENDED_KEY_USAGES.ocspSigning],
])

/** Whether its key is for that. */
export function useFlaws(leaf: KnownCertificate, use: CertificateUse): Flaw[] {
  const { keyUsage, extendedKeyUsage, subject } = leaf
  const signs =
    keyUsage === null || keyUsage.has('digitalSignature') || keyUsage.has('contentCommitment')
  const fits =
    use === 'timestamp'
      ? isForTimestampsOnly(leaf)
      : extendedKeyUsage === null || extendedKeyUsage.some((oid) => !OTHER_PURPOSES.has(oid))
  return signs && fits ? [] : [flaw('key-usage', subject)]
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
function algorithmFlaws(path: CertificatePath, time: Date): Flaw[] {
  return path.slice(0, -1).flatMap(({ method, subject }, index) => {
    const issuer = path[index + 1]
    const weak = issuer && method && weakness(method, issuer.key, time)
    return weak ? [flaw('weak-certificate', `${weak}, ${methodText(method)}, ${subject}`)] : []
  })
}

function constraintFlaws(path: CertificatePath): Flaw[] {
  if (!isConstrained(path)) return []
  const names = path.map(({ subject }) => subject).join(' < ')
  const fromTop = path.toReversed()
  try {
    if (namesAreAllowed(fromTop) && hasPolicyWhereNeeded(fromTop)) return []
  } catch {
    // What cannot be read cannot be kept to.
  }
  return [flaw('constraints', names)]
}
