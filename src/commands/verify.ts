import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { openValidation, type Validation } from '../certificates/open-validation.js'
import { readableNameText } from '../certificates/distinguished-name.js'
import { pemCertificates } from '../config/pem-certificates.js'
import type { Config } from '../config/schema.js'
import { IsolatedProcesses } from '../isolation/isolated-processes.js'
import { DatabaseAuthorityStore } from '../storage/authority-store.js'
import { REPORT_LANGUAGES, type ReportLanguage } from '../verification/messages.js'
import type { Report } from '../verification/report.js'
import { configuredPolicies } from '../verification/configured-policies.js'
import {
  NO_POLICIES,
  policyIdentifier,
  type PolicyRules,
} from '../verification/signature-policy.js'
import { Verification } from '../verification/verification.js'
import { renderReportPage } from '../verify/pages.js'
import { REPORT_WORDS } from '../verify/words.js'
import {
  CommandError,
  configured,
  demandReadable,
  print,
  printable,
  withRecords,
  type CommonOptions,
} from './command-line.js'

interface VerifyOptions extends CommonOptions {
  readonly content?: string
  readonly anchors?: string
  readonly offline?: true
  readonly html?: true
  readonly lang: ReportLanguage
  readonly at?: Date
  readonly policy?: PolicyRules['texts']
}

/** What scripts learn from the end of the command. */
const EXIT_CODES = { 'TOTAL-PASSED': 0, 'TOTAL-FAILED': 1, INDETERMINATE: 2, nothing: 3 } as const

export function verifyCommand(program: Command): void {
  configured(program.command('verify <file>'))
    .description(
      'check the signatures of a document: 0 valid, 1 not valid, 2 undecided, 3 not signed',
    )
    .option('--content <file>', 'what a detached signature is over')
    .option('--anchors <file>', 'trust these certificates (PEM) alone; needs no configuration')
    .option('--offline', 'look nothing up; only what is in the document counts')
    .option('--html', 'print the report as a page')
    .option('--policy <name=file>', 'the text of a signature policy; may be repeated', policyOf)
    .option('--at <time>', 'judge as of this time (RFC 3339)', timeOf)
    .addOption(
      new Option('--lang <language>', 'language of the report')
        .choices([...REPORT_LANGUAGES])
        .default(REPORT_LANGUAGES[0]),
    )
    .action(async (file: string, options: VerifyOptions) => {
      const report = await reportOn(file, options)
      if (options.json) print(JSON.stringify(report, null, 2))
      else if (options.html) print(renderReportPage({ lang: options.lang, report }))
      else printReport(report, options.lang)
      process.exitCode = EXIT_CODES[report.indication ?? 'nothing']
    })
}

async function reportOn(file: string, options: VerifyOptions): Promise<Report> {
  const { content, lang, at } = options
  const now = () => at ?? new Date()
  const contents = content === undefined ? [] : [contentOf(content)]
  const submission = { name: basename(file), document: bytesOf(file), contents }
  const { anchors, source, policies } = await trustOf(options, now)
  const isolated = new IsolatedProcesses({ processes: 1, seconds: 60 })
  try {
    const verification = new Verification({
      ...{ isolated, now, anchors: () => anchors },
      policies: { ...policies, texts: [...policies.texts, ...(options.policy ?? [])] },
      source:
        options.offline || source === null
          ? null
          : { validationData: (certificates) => source.whatThereIs(certificates) },
    })
    return await verification.verify(submission, lang)
  } finally {
    await isolated.close()
  }
}

interface TrustOfCommand {
  readonly anchors: readonly Buffer[]
  readonly source: Validation['source'] | null
  readonly policies: PolicyRules
}

/** Those named alone, or those of the installation. */
async function trustOf(options: VerifyOptions, now: () => Date): Promise<TrustOfCommand> {
  const { anchors } = options
  if (anchors === undefined) {
    return withRecords(options, async ({ config, database }) => {
      const root = await new DatabaseAuthorityStore(database).load('root')
      if (!root) throw new CommandError('This installation has no certification authority yet.')
      const validation = openValidation(withOwnHost(config), {
        now,
        own: NOTHING_OF_OUR_OWN,
        root: root.certificate,
      })
      return { ...validation, policies: configuredPolicies(config) }
    })
  }
  const certificates = pemCertificates(bytesOf(anchors).toString())
  if (certificates.length === 0) throw new CommandError(`${anchors} holds no certificate in PEM.`)
  return { anchors: certificates, source: null, policies: NO_POLICIES }
}

/** Our own authority says what it has to say at our own address, which need not be a public one. */
function withOwnHost(config: Config): Config {
  const { baseUrl, certificateAuthority, validation } = config
  const host = new URL(certificateAuthority.publicationUrl ?? baseUrl).hostname
  return {
    ...config,
    validation: { ...validation, privateHosts: [...validation.privateHosts, host] },
  }
}

const NOTHING_OF_OUR_OWN = {
  ocspResponse: () => Promise.resolve(null),
  crl: () => Promise.resolve(null),
}

function contentOf(file: string) {
  return { name: null, bytes: bytesOf(file), digests: new Map<string, Buffer>() }
}

function bytesOf(file: string): Buffer {
  demandReadable(file)
  return readFileSync(file)
}

function policyOf(text: string, earlier: PolicyRules['texts'] = []): PolicyRules['texts'] {
  const [, name, file] = /^(.+)=([^=]+)$/.exec(text) ?? []
  if (name === undefined || file === undefined)
    throw new InvalidArgumentError('Give a name and a file such as 1.2.3.4=policy.pdf.')
  return [...earlier, { identifier: policyIdentifier(name), text: bytesOf(file) }]
}

function timeOf(text: string): Date {
  const time = new Date(text)
  if (Number.isNaN(time.getTime()))
    throw new InvalidArgumentError('Give a time such as 2026-01-31T12:00:00Z.')
  return time
}

function printReport(report: Report, lang: ReportLanguage): void {
  const {
    verdicts,
    labels,
    severities,
    signature: signatureName,
    timestamp: timestampName,
  } = REPORT_WORDS[lang]
  const line = (text: string, indent = 0) => print(`${' '.repeat(indent)}${printable(text)}`)
  const findings = (list: Report['findings'], indent: number) => {
    for (const { severity, text } of list) line(`${severities[severity]}: ${text}`, indent)
  }
  line(
    `${report.document.name ?? ''}: ${verdicts[report.indication ?? 'nothing']} (${report.document.format})`,
  )
  findings(report.findings, 2)
  for (const each of report.signatures) {
    const { indication, subIndication, format, level, signer, bestSignatureTime: proven } = each
    const { advice } = each
    const sub = subIndication === null ? '' : `, ${subIndication}`
    line(`${signatureName(each.id)}: ${verdicts[indication]} (${indication}${sub})`, 2)
    line(`${labels.level}: ${[format, level].filter(Boolean).join(' ')}`, 4)
    if (signer) line(`${labels.signer}: ${readableNameText(signer.subject)}`, 4)
    if (proven !== null) line(`${labels.proven}: ${proven}`, 4)
    findings(each.findings, 4)
    if (advice !== null) line(`${labels.advice}: ${advice}`, 4)
  }
  for (const { indication, time, authority, findings: found } of report.timestamps) {
    line(`${timestampName}: ${verdicts[indication]}, ${time ?? '-'}, ${authority ?? '-'}`, 2)
    findings(found, 4)
  }
}
