import { keyText, weakHash, weakness } from '../certificates/algorithm-policy.js'
import {
  CertificatePool,
  findPaths,
  pathFlaws,
  type CertificatePath,
  type CertificateUse,
  type TrustAnchors,
} from '../certificates/certificate-path.js'
import { fingerprintOf, joinMaterial, type Material } from '../certificates/material.js'
import { type SignatureEvidence, type TimestampEvidence } from './evidence.js'
import { findingsOf, problem, remark, type Finding } from './findings.js'
import { indicationOf, type Indication, type SubIndication } from './indications.js'
import type { KnownCertificate } from '../certificates/known-certificate.js'
import type { CertificateReport, SignatureReport, TimestampReport, Unworded } from './report.js'
import {
  RevocationRecords,
  type ProofsOfExistence,
  type RevocationStatement,
  type RevocationStatus,
} from '../certificates/revocation-records.js'
import { policyFindings, type PolicyRules } from './signature-policy.js'
import { hashText, methodText } from '../certificates/signature-method.js'
import type { TimestampToken } from '../timestamping/timestamp-token.js'

/** Against what signatures are held. */
export interface Trust {
  readonly anchors: TrustAnchors
  readonly now: Date
  /** What was handed in, or fetched, beside what documents bring along. */
  readonly material: Material
  readonly policies: PolicyRules
}

export type SignatureConclusion = Unworded<SignatureReport>
export type TimestampConclusion = Unworded<TimestampReport>

/** certificateHold: nobody knows yet what becomes of it. @see RFC 5280, 5.3.1 */
const ON_HOLD = 6
/** Clocks of others may be ahead by so much. */
const SKEW_MS = 60_000
/** What qualified authorities are exact to (EN 319 421). */
const EXACT_MS = 1000

/** Decides about signatures of one document (EN 319 102-1, 5.5 and 5.6). */
export class Conclusions {
  readonly #trust: Trust
  /**
   * Paths with certificates of which nobody knows whether they were revoked, by their lower end. Only such
   * as lead to a trusted authority: nobody else tells us where to look.
   */
  readonly wanted = new Map<string, CertificatePath>()

  constructor(trust: Trust) {
    this.#trust = trust
  }

  /** @param over the signature that it countersigns */
  signature(
    evidence: SignatureEvidence,
    id: string,
    over: string | null = null,
  ): SignatureConclusion {
    const { now } = this.#trust
    const source = new Sources(this.#trust, evidence.material, new Proofs(this.#trust))
    const { timestamps, control, best } = this.#timestamps(evidence.timestamps, source)
    const time = best ?? control ?? now
    const chain = this.#chain(evidence.signer, 'signature', { time, source })
    const content = timestamps.filter(({ kind, indication }) =>
      isPassed(kind, indication, 'content'),
    )
    const notBefore = content.flatMap((each) => (each.time === null ? [] : [new Date(each.time)]))
    const findings = [
      ...evidence.findings,
      ...signerFindings(evidence),
      ...policyFindings(evidence.policy ?? null, this.#trust.policies),
      ...methodFindings(evidence, time, notBefore),
      ...chain.findings.map((each) => settled(each, { chain, proven: best ?? control, notBefore })),
      ...orderFindings(timestamps),
      ...timestamps.flatMap(timestampFindings),
      ...(best === null && control === null ? [remark('no-proof-of-time')] : []),
    ]
    return {
      id,
      format: evidence.kind,
      level: this.#level(evidence, { chain, source }),
      place: evidence.place,
      countersigns: over,
      ...indicate(findings),
      signer: chain.certificates[0] ?? null,
      chain: chain.certificates,
      claimedSigningTime: evidence.signingTime?.toISOString() ?? null,
      bestSignatureTime: (best ?? control)?.toISOString() ?? null,
      signatureAlgorithm: evidence.method ? methodText(evidence.method) : null,
      digestAlgorithms: [...new Set(evidence.hashes.map(hashText))],
      keyType: evidence.signer ? keyText(evidence.signer.key) : null,
      timestamps,
      coverage: evidence.coverage && {
        ...evidence.coverage,
        byteRange: [...evidence.coverage.byteRange],
        changes: evidence.coverage.changes.map((each) => ({ ...each })),
      },
      findings,
    }
  }

  /** Timestamps that stand alone, or belong to a document as a whole. */
  timestamps(evidence: readonly TimestampEvidence[], material: Material): TimestampConclusion[] {
    const source = new Sources(this.#trust, material, new Proofs(this.#trust))
    return this.#timestamps(evidence, source).timestamps
  }

  /**
   * From the latest to the earliest, each held against the time its successors prove: a certificate that
   * has expired since does no harm to what was there before. @see EN 319 102-1, 5.6.2
   */
  #timestamps(evidence: readonly TimestampEvidence[], source: Sources) {
    const conclusions = new Map<TimestampEvidence, TimestampConclusion>()
    const later = (one: TimestampEvidence, other: TimestampEvidence) =>
      Number(other.token?.time ?? 0) - Number(one.token?.time ?? 0)
    const conclude = (each: TimestampEvidence, time: Date): Date | null => {
      const conclusion = this.#timestamp(each, time, source)
      conclusions.set(each, conclusion)
      const passed = conclusion.indication === 'TOTAL-PASSED'
      return passed && each.token ? this.#latestOf(each.token) : null
    }
    const { proofs } = source
    let control: Date | null = null
    for (const each of evidence.filter(isCovering).sort(later)) {
      const time = conclude(each, proofs.since(each.token))
      if (time) proofs.add(time, each.covers)
      control = time ?? control
    }
    let best: Date | null = null
    for (const each of evidence.filter(({ kind }) => kind === 'signature').sort(later)) {
      best = conclude(each, proofs.since(each.token)) ?? best
    }
    for (const each of evidence.filter(({ kind }) => kind === 'content')) {
      conclude(each, best ?? control ?? this.#trust.now)
    }
    const timestamps = evidence.flatMap((each) => conclusions.get(each) ?? [])
    return { timestamps, control, best }
  }

  /**
   * The time it proves that things were there: by an authority that does not know it exactly, at the latest
   * then (RFC 3161, 2.4.2). Nobody minds the second that EN 319 421 leaves to those that do.
   */
  #latestOf({ time, accuracyMilliseconds }: TimestampToken): Date {
    if (!(accuracyMilliseconds > EXACT_MS)) return time
    return new Date(Math.min(Number(time) + accuracyMilliseconds, Number(this.#trust.now)))
  }

  #timestamp(
    { kind, token, findings: own }: TimestampEvidence,
    control: Date,
    source: Sources,
  ): TimestampConclusion {
    if (token === null) {
      return {
        ...{ kind, ...indicate(own), time: null, authority: null, policy: null },
        ...{ serialNumber: null, digestAlgorithm: null, chain: [], findings: [...own] },
      }
    }
    const { authority, method, hash, time } = token
    const material = joinMaterial(source.material, token.material)
    const inside = new Sources(this.#trust, material, source.proofs)
    const chain = this.#chain(authority, 'timestamp', { time: control, source: inside })
    const weak =
      weakHash(hash, control) ?? (method && authority && weakness(method, authority.key, control))
    const isInTime =
      authority === null || (time >= authority.notBefore && time <= authority.notAfter)
    const findings = [
      ...own,
      ...(authority === null ? [problem('NO_SIGNING_CERTIFICATE_FOUND', 'signer-missing')] : []),
      ...(weak ? [problem('CRYPTO_CONSTRAINTS_FAILURE_NO_POE', 'weak-algorithm', weak)] : []),
      ...(isInTime ? [] : [problem('SIG_CONSTRAINTS_FAILURE', 'authority-out-of-time')]),
      ...(Number(time) > Number(this.#trust.now) + SKEW_MS
        ? [problem('TIMESTAMP_ORDER_FAILURE', 'from-the-future', time.toISOString())]
        : []),
      ...chain.findings,
    ]
    return {
      kind,
      ...indicate(findings),
      time: time.toISOString(),
      authority: authority?.subject ?? null,
      policy: token.policy,
      serialNumber: token.serialNumber,
      digestAlgorithm: hashText(hash),
      chain: chain.certificates,
      findings,
    }
  }

  /** The best path there is, and what is wrong with it. */
  #chain(
    leaf: KnownCertificate | null,
    use: CertificateUse,
    { time, source }: { readonly time: Date; readonly source: Sources },
  ): Chain {
    if (leaf === null) return { path: [], statuses: [], certificates: [], findings: [] }
    const { trusted, farthest } = findPaths(leaf, source.pool, this.#trust.anchors)
    let first: Chain | null = null
    for (const path of trusted) {
      const chain = this.#checked(path, use, { time, source })
      if (chain.findings.length === 0) return chain
      first ??= chain
    }
    if (first) return first
    const top = farthest.at(-1)
    const findings = [problem('NO_CERTIFICATE_CHAIN_FOUND', 'no-chain', top?.issuer)]
    const statuses = farthest.map((): RevocationStatus => ({ status: 'unknown' }))
    const certificates = farthest.map((each, at) => this.#certificate(each, statuses[at]))
    return { path: farthest, statuses, certificates, findings }
  }

  #checked(
    path: CertificatePath,
    use: CertificateUse,
    { time, source }: { readonly time: Date; readonly source: Sources },
  ): Chain {
    const now = new Date(Number(this.#trust.now) + SKEW_MS)
    const statuses = path.map((each, at) =>
      source.records.status(each, path[at + 1] ?? null, { time, now }),
    )
    const findings = findingsOf(pathFlaws(path, time, use))
    for (const [at, status] of statuses.entries()) {
      const certificate = path[at]
      if (!certificate) continue
      if (status.status === 'unknown') {
        this.wanted.set(path[0]?.fingerprint ?? '', path)
        findings.push(problem('TRY_LATER', 'revocation-unknown', certificate.subject))
      }
      if (status.status === 'revoked' && status.at <= time && status.reason === ON_HOLD) {
        findings.push(problem('TRY_LATER', 'suspended', certificate.subject))
      } else if (status.status === 'revoked' && status.at <= time) {
        const subIndication = at === 0 ? 'REVOKED_NO_POE' : 'REVOKED_CA_NO_POE'
        findings.push(problem(subIndication, 'revoked', certificate.subject))
      }
    }
    const certificates = path.map((each, at) => this.#certificate(each, statuses[at]))
    return { path, statuses, certificates, findings }
  }

  #certificate(
    certificate: KnownCertificate,
    status: RevocationStatus = { status: 'unknown' },
  ): Unworded<CertificateReport> {
    const known = status.status === 'good' || status.status === 'revoked' ? status : null
    return {
      subject: certificate.subject,
      issuer: certificate.issuer,
      serialNumber: certificate.serialNumber,
      notBefore: certificate.notBefore.toISOString(),
      notAfter: certificate.notAfter.toISOString(),
      sha256: certificate.fingerprint,
      trustAnchor: this.#trust.anchors.has(certificate),
      revocation: {
        status: status.status,
        source: known?.answer.source ?? null,
        producedAt: known?.answer.producedAt.toISOString() ?? null,
        revokedAt: status.status === 'revoked' ? status.at.toISOString() : null,
        reason: status.status === 'revoked' ? status.reason : null,
      },
    }
  }

  /** By what is there: timestamps, then all validation data inside, then a timestamp over that. */
  #level(
    { kind, material, timestamps }: SignatureEvidence,
    { chain, source }: { readonly chain: Chain; readonly source: Sources },
  ): SignatureConclusion['level'] {
    if (!ADES.has(kind)) return null
    const covering = timestamps.filter(isCovering)
    const hasTime = covering.length > 0 || timestamps.some((each) => each.kind === 'signature')
    if (!hasTime) return 'B-B'
    const inside = new RevocationRecords(material.statements, source)
    const now = new Date(Number(this.#trust.now) + SKEW_MS)
    const isProven = chain.path.every((each, at) => {
      const { status } = inside.status(each, chain.path[at + 1] ?? null, {
        time: each.notBefore,
        now,
      })
      return status !== 'unknown'
    })
    if (!isProven || chain.path.length === 0) return 'B-T'
    return covering.length > 0 ? 'B-LTA' : 'B-LT'
  }
}

const ADES: ReadonlySet<string> = new Set(['CAdES', 'PAdES', 'XAdES', 'JAdES'])

interface Chain {
  readonly path: CertificatePath
  readonly statuses: readonly RevocationStatus[]
  readonly certificates: Unworded<CertificateReport>[]
  readonly findings: readonly Finding[]
}

function isCovering({ kind }: Pick<TimestampEvidence, 'kind'>): boolean {
  return kind === 'archive' || kind === 'document'
}

/** Since when things are proven to have been there, by timestamps over them that are good. */
class Proofs {
  readonly #now: Date
  readonly #found: { readonly time: Date; readonly covers: ReadonlySet<string> | undefined }[] = []

  constructor({ now }: Trust) {
    this.#now = now
  }

  add(time: Date, covers: ReadonlySet<string> | undefined): void {
    this.#found.push({ time, covers })
  }

  /** Now for what is here now, and nobody knows since when. */
  since(proven: { readonly der: Buffer } | null): Date {
    const times = this.#found
      .filter(({ covers }) => proven && (!covers || covers.has(fingerprintOf(proven))))
      .map(({ time }) => Number(time))
    return new Date(Math.min(Number(this.#now), ...times))
  }
}

/** Certificates and revocation data from everywhere. */
class Sources implements ProofsOfExistence {
  readonly material: Material
  readonly pool: CertificatePool
  readonly records: RevocationRecords
  readonly proofs: Proofs
  readonly #anchors: TrustAnchors

  constructor({ anchors, material }: Trust, inside: Material, proofs: Proofs) {
    this.#anchors = anchors
    this.proofs = proofs
    this.material = inside
    this.records = new RevocationRecords([...inside.statements, ...material.statements], this)
    this.pool = new CertificatePool([
      ...anchors.all,
      ...inside.certificates,
      ...material.certificates,
      ...this.records.certificates,
    ])
  }

  provenSince(statement: RevocationStatement): Date {
    return this.proofs.since(statement)
  }

  isAnchor(certificate: KnownCertificate): boolean {
    return this.#anchors.has(certificate)
  }
}

function isPassed(kind: string, indication: Indication, wanted: string): boolean {
  return kind === wanted && indication === 'TOTAL-PASSED'
}

function signerFindings({ signer, kind, findings }: SignatureEvidence): Finding[] {
  // Of what cannot be read, nobody expects a signer.
  const isBroken = indicate(findings).indication === 'TOTAL-FAILED'
  if (signer === null) {
    return isBroken ? [] : [problem('NO_SIGNING_CERTIFICATE_FOUND', 'signer-missing')]
  }
  return ADES.has(kind) ? [] : [remark('not-ades', kind)]
}

/** @param notBefore times from which it is proven to be */
function methodFindings(
  { method, signer, hashes }: SignatureEvidence,
  time: Date,
  notBefore: readonly Date[],
): Finding[] {
  const weakAt = (when: Date) =>
    [
      ...hashes.map((hash) => weakHash(hash, when)),
      method && signer ? weakness(method, signer.key, when) : null,
    ].filter((each) => each !== null)
  const later = new Set(notBefore.flatMap(weakAt))
  return [...new Set(weakAt(time))].map((each) =>
    later.has(each)
      ? problem('CRYPTO_CONSTRAINTS_FAILURE', 'weak-algorithm', each)
      : problem('CRYPTO_CONSTRAINTS_FAILURE_NO_POE', 'weak-algorithm', each),
  )
}

/**
 * Where times are proven, "no proof" becomes a failure: signed before the certificate began, or, by a content
 * timestamp, after it had ended or was revoked. @see EN 319 102-1, 5.5.4
 */
function settled(
  finding: Finding,
  {
    chain,
    proven,
    notBefore,
  }: { readonly chain: Chain; readonly proven: Date | null; readonly notBefore: readonly Date[] },
): Finding {
  const [leaf] = chain.path
  const [status] = chain.statuses
  if (!leaf || finding.about !== leaf.subject) return finding
  const isAfter = (time: Date) => notBefore.some((each) => each > time)
  if (finding.code === 'not-yet-valid' && proven) {
    return { ...finding, subIndication: 'NOT_YET_VALID' }
  }
  if (finding.code === 'expired' && isAfter(leaf.notAfter)) {
    return { ...finding, subIndication: 'EXPIRED' }
  }
  if (finding.code === 'expired' && status?.status === 'good') {
    return { ...finding, subIndication: 'OUT_OF_BOUNDS_NOT_REVOKED' }
  }
  if (finding.code === 'revoked' && status?.status === 'revoked' && isAfter(status.at)) {
    return { ...finding, subIndication: 'REVOKED' }
  }
  return finding
}

/**
 * A timestamp that nobody can validate proves nothing. One that is broken says that somebody changed what
 * it was to prove: then the rest is not believed either.
 */
function timestampFindings({ kind, indication }: TimestampConclusion): Finding[] {
  switch (indication) {
    case 'TOTAL-PASSED':
      return []
    case 'INDETERMINATE':
      return [remark('timestamp-not-valid', kind)]
    case 'TOTAL-FAILED':
      return [problem('SIG_CONSTRAINTS_FAILURE', 'timestamp-broken', kind)]
  }
}

/** Content before signature, signature before archive. */
function orderFindings(timestamps: readonly TimestampConclusion[]): Finding[] {
  const times = (...kinds: TimestampConclusion['kind'][]) =>
    timestamps
      .filter(({ kind, indication }) => kinds.includes(kind) && indication === 'TOTAL-PASSED')
      .flatMap(({ time }) => (time === null ? [] : [Date.parse(time)]))
  const isBefore = (early: number[], late: number[]) =>
    early.every((one) => late.every((other) => one <= other))
  const [content, signature, archive] = [
    ...[times('content'), times('signature'), times('archive', 'document')],
  ] as const
  const isInOrder =
    isBefore(content ?? [], signature ?? []) &&
    isBefore(content ?? [], archive ?? []) &&
    isBefore(signature ?? [], archive ?? [])
  return isInOrder ? [] : [problem('TIMESTAMP_ORDER_FAILURE', 'timestamp-order')]
}

/** The gravest of the findings says what it all amounts to. */
export function indicate(findings: readonly Finding[]): {
  indication: Indication
  subIndication: SubIndication | null
} {
  const subs = findings.flatMap(({ subIndication }) => subIndication ?? [])
  const failed = subs.find((each) => indicationOf(each) === 'TOTAL-FAILED')
  const subIndication = failed ?? subs[0] ?? null
  return {
    indication: subIndication === null ? 'TOTAL-PASSED' : indicationOf(subIndication),
    subIndication,
  }
}
