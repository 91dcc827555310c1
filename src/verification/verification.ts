import { createHash } from 'node:crypto'
import type { ValidationData } from '../documents/ades.js'
import { UnfitDocumentError, ValidationDataUnavailableError } from '../errors.js'
import type { IsolatedProcesses } from '../isolation/isolated-processes.js'
import { IsolationError, isolatedTask } from '../isolation/isolated-task.js'
import { moduleUrl } from '../package-files.js'
import type { DetachedContent } from './evidence.js'
import type { examine, Examination, Examined } from './examine.js'
import { problem } from './findings.js'
import { adviceOn, findingText, WARNINGS, type ReportLanguage } from './messages.js'
import type { FindingReport, Report, Unworded } from './report.js'
import { NO_POLICIES, type PolicyRules } from './signature-policy.js'
import { indicationOf } from './indications.js'

/** What somebody wants to know about. */
export interface Submission {
  readonly name: string | null
  readonly document: Buffer
  /** What a detached signature is over. */
  readonly contents: readonly DetachedContent[]
}

/** Where revocation data comes from that documents do not bring along. */
export interface RevocationSource {
  /** @throws {ValidationDataUnavailableError} when something cannot be had */
  validationData(certificates: readonly Buffer[]): Promise<ValidationData>
}

const EXAMINE = isolatedTask<typeof examine>(moduleUrl('verification/examine.js'), 'examine')
const NOTHING: ValidationData = { certificates: [], crls: [], ocspResponses: [] }

/** Says of signatures whether they are good, and why. */
export class Verification {
  readonly #isolated: Pick<IsolatedProcesses, 'run'>
  readonly #anchors: () => Promise<readonly Buffer[]> | readonly Buffer[]
  readonly #source: RevocationSource | null
  readonly #policies: PolicyRules
  readonly #now: () => Date

  constructor(parts: {
    readonly isolated: Pick<IsolatedProcesses, 'run'>
    /** Trusted certificates, DER. */
    readonly anchors: () => Promise<readonly Buffer[]> | readonly Buffer[]
    /** Null to look nothing up. */
    readonly source: RevocationSource | null
    readonly policies?: PolicyRules
    readonly now: () => Date
  }) {
    this.#isolated = parts.isolated
    this.#anchors = parts.anchors
    this.#source = parts.source
    this.#policies = parts.policies ?? NO_POLICIES
    this.#now = parts.now
  }

  /**
   * Whatever the document is, there is a report.
   * @throws {OverloadedError} when too many documents wait already
   */
  async verify(submission: Submission, lang: ReportLanguage): Promise<Report> {
    const examination: Examination = {
      ...submission,
      anchors: await this.#anchors(),
      material: NOTHING,
      policies: this.#policies,
      now: this.#now(),
    }
    return { ...worded(await this.#report(examination), lang), lang }
  }

  async #report(examination: Examination): Promise<Examined['report']> {
    try {
      const first = await this.#isolated.run(EXAMINE, examination)
      const material = await this.#lookUp(first.wanted)
      if (!material) return first.report
      return (await this.#isolated.run(EXAMINE, { ...examination, material })).report
    } catch (error) {
      if (error instanceof IsolationError || error instanceof UnfitDocumentError) {
        return unexamined(examination)
      }
      throw error
    }
  }

  /** Null when there is nothing new. What cannot be had now leaves the signature undecided. */
  async #lookUp(wanted: Examined['wanted']): Promise<ValidationData | null> {
    if (!this.#source || wanted.length === 0) return null
    const source = this.#source
    const found = await Promise.all(
      wanted.map((each) =>
        source.validationData(each).catch((error: unknown) => {
          if (error instanceof ValidationDataUnavailableError) return NOTHING
          throw error
        }),
      ),
    )
    return {
      certificates: found.flatMap(({ certificates }) => certificates),
      crls: found.flatMap(({ crls }) => crls),
      ocspResponses: found.flatMap(({ ocspResponses }) => ocspResponses),
    }
  }
}

function unexamined({ name, document, now }: Examination): Examined['report'] {
  return {
    indication: 'TOTAL-FAILED',
    validationTime: now.toISOString(),
    document: {
      ...{ name, format: 'unknown', bytes: document.length },
      sha256: createHash('sha256').update(document).digest('hex'),
    },
    signatures: [],
    timestamps: [],
    findings: [problem('FORMAT_FAILURE', 'document-too-hard')],
  }
}

/** Puts the findings into words, everywhere in a report. */
function worded(report: Examined['report'], lang: ReportLanguage): Omit<Report, 'lang'> {
  const findings = (list: Unworded<FindingReport>[]) =>
    list.map((each) => wordedFinding(each, lang))
  return {
    ...report,
    findings: findings(report.findings),
    timestamps: report.timestamps.map((each) => ({ ...each, findings: findings(each.findings) })),
    signatures: report.signatures.map((each) => ({
      ...each,
      advice: adviceOn(each, lang),
      findings: findings(each.findings),
      timestamps: each.timestamps.map((one) => ({ ...one, findings: findings(one.findings) })),
    })),
  }
}

function wordedFinding(
  { code, about, subIndication }: Unworded<FindingReport>,
  lang: ReportLanguage,
): FindingReport {
  return { code, severity: severityOf(code, subIndication), text: findingText(code, about, lang) }
}

function severityOf(
  code: Unworded<FindingReport>['code'],
  subIndication: Unworded<FindingReport>['subIndication'],
): FindingReport['severity'] {
  if (subIndication !== null) {
    return indicationOf(subIndication) === 'TOTAL-FAILED' ? 'error' : 'warning'
  }
  return WARNINGS.has(code) ? 'warning' : 'information'
}
