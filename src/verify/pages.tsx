import type { ComponentChildren } from 'preact'
import { renderToString } from 'preact-render-to-string'
import { DistinguishedName } from '../pages/distinguished-name.js'
import { Problem } from '../pages/form.js'
import { fileSize } from '../pages/format.js'
import { Foreign, renderPage } from '../pages/layout.js'
import { REPORT_LANGUAGES, type ReportLanguage } from '../verification/messages.js'
import type {
  CertificateReport,
  FindingReport,
  Report,
  SignatureReport,
  TimestampReport,
} from '../verification/report.js'
import { VERIFICATION_PATH } from './verification-endpoint.js'
import { LANGUAGE_NAMES, REPORT_WORDS, type ReportWords } from './words.js'

interface UploadView {
  readonly lang: ReportLanguage
  readonly problem: keyof ReportWords['problems'] | null
  /** Largest document, in bytes. */
  readonly largest: number
}

/** The form in which a document is chosen. */
export function renderUploadPage({ lang, problem, largest }: UploadView): string {
  const words = REPORT_WORDS[lang]
  const size = fileSize(words, largest)
  return render(lang, { title: words.title, problem: problem !== null }, [
    <h1>{words.title}</h1>,
    <p>{words.intro}</p>,
    problem && <Problem>{words.problems[problem](size)}</Problem>,
    <form method="post" action={VERIFICATION_PATH} enctype="multipart/form-data" class="form">
      <div class="field">
        <label for="document">{words.document}</label>
        <p class="hint" id="document-hint">
          {words.documentHint(size)}
        </p>
        <input
          id="document"
          name="document"
          type="file"
          required
          aria-invalid={problem === 'no-file' || problem === 'too-large' ? 'true' : undefined}
          aria-describedby={problem ? 'problem document-hint' : 'document-hint'}
        />
      </div>
      <div class="field">
        <label for="signed-content">{words.content}</label>
        <p class="hint" id="signed-content-hint">
          {words.contentHint}
        </p>
        <input
          id="signed-content"
          name="content"
          type="file"
          aria-describedby="signed-content-hint"
        />
      </div>
      <div class="field">
        <label for="lang">{words.language}</label>
        <select id="lang" name="lang">
          {REPORT_LANGUAGES.map((each) => (
            <option value={each} lang={each} selected={each === lang}>
              {LANGUAGE_NAMES[each]}
            </option>
          ))}
        </select>
      </div>
      <div class="buttons">
        <button class="primary" type="submit">
          {words.verify}
        </button>
      </div>
    </form>,
  ])
}

/** What was found out about a document. */
export function renderReportPage({
  lang,
  report,
}: {
  readonly lang: ReportLanguage
  readonly report: Report
}): string {
  const words = REPORT_WORDS[lang]
  const verdict = words.verdicts[report.indication ?? 'nothing']
  const title = `${verdict}: ${words.title}`
  return render(lang, { title }, <ReportContent lang={lang} result={report} />)
}

function ReportContent({ lang, result: report }: { lang: ReportLanguage; result: Report }) {
  const words = REPORT_WORDS[lang]
  return (
    <>
      <h1>{words.verdicts[report.indication ?? 'nothing']}</h1>
      <p class="asks">{words.means[meaningOf(report)]}</p>
      <Facts
        rows={[
          [words.labels.file, report.document.name && <Foreign text={report.document.name} />],
          [words.labels.format, report.document.format],
          [words.labels.checked, <Moment at={report.validationTime} words={words} />],
          [words.labels.digest, <code>{report.document.sha256}</code>],
        ]}
      />
      <Findings findings={report.findings} words={words} />
      {report.signatures.map((each) => (
        <Signature signature={each} words={words} />
      ))}
      {report.timestamps.map((each) => (
        <Timestamp timestamp={each} words={words} ofDocument />
      ))}
      <Again lang={lang} />
    </>
  )
}

/** What could not be read has no signature that failed. */
function meaningOf({ indication, signatures, timestamps }: Report): keyof ReportWords['means'] {
  if (indication === null) return 'nothing'
  return signatures.length + timestamps.length === 0 ? 'unreadable' : indication
}

function Again({ lang }: { lang: ReportLanguage }) {
  return (
    <p class="buttons">
      <a class="button secondary" href={`${VERIFICATION_PATH}?lang=${lang}`}>
        {REPORT_WORDS[lang].again}
      </a>
    </p>
  )
}

/** Where the result goes on a page of which the beginning was sent already. */
const RESULT = <hr id="result" />

/**
 * The page around a result that takes long: until that comes, the beginning says that it will. The rest of
 * the page is sent then, so that this works without script, and with no page that loads itself again.
 */
export function renderUnderway(lang: ReportLanguage): { beginning: string; end: string } {
  const words = REPORT_WORDS[lang]
  const page = render(lang, { title: words.title }, [
    <div class="underway">
      <h1>{words.title}</h1>
      <p role="status">{words.underway}</p>
    </div>,
    RESULT,
  ])
  const [beginning = '', end = ''] = page.split(renderToString(RESULT))
  return { beginning, end }
}

/** What stands where the result was to come. */
export function renderLateResult({
  lang,
  result,
}: {
  readonly lang: ReportLanguage
  readonly result: Report | keyof ReportWords['problems']
}): string {
  const words = REPORT_WORDS[lang]
  if (typeof result !== 'string') return renderToString(<ReportContent {...{ lang, result }} />)
  return renderToString(
    <>
      <h1>{words.title}</h1>
      <Problem>{words.problems[result]('')}</Problem>
      <Again lang={lang} />
    </>,
  )
}

/** The frame has fewer languages than the reports. */
function render(
  lang: ReportLanguage,
  page: { readonly title: string; readonly problem?: boolean },
  content: ComponentChildren,
): string {
  const frame = lang === 'de' ? 'de' : 'en'
  const shown = { ...page, wide: true }
  return renderPage({ lang: frame }, shown, <div lang={lang}>{content}</div>)
}

function Signature({
  signature,
  words,
}: {
  readonly signature: SignatureReport
  readonly words: ReportWords
}) {
  const { labels } = words
  const { id, signer, coverage } = signature
  return (
    <section aria-labelledby={`signature-${id}`}>
      <h2 id={`signature-${id}`}>
        {words.signature(id)}: {words.verdicts[signature.indication]}
      </h2>
      <Facts
        rows={[
          [labels.verdict, <Verdict of={signature} words={words} />],
          [labels.advice, signature.advice],
          [labels.signer, signer && <DistinguishedName text={signer.subject} />],
          [labels.issuer, signer && <DistinguishedName text={signer.issuer} />],
          [labels.place, signature.place && <Foreign text={signature.place} />],
          [labels.coverage, signature.countersigns && words.signature(signature.countersigns)],
          [
            labels.proven,
            signature.bestSignatureTime && (
              <Moment at={signature.bestSignatureTime} words={words} />
            ),
          ],
          [
            labels.claimed,
            signature.claimedSigningTime && (
              <Moment at={signature.claimedSigningTime} words={words} />
            ),
          ],
          [labels.level, `${signature.format}${signature.level ? ` ${signature.level}` : ''}`],
          [
            labels.algorithm,
            [signature.signatureAlgorithm, signature.keyType].filter(Boolean).join(', '),
          ],
          [
            labels.coverage,
            coverage && (coverage.wholeDocument ? words.wholeDocument : words.notWholeDocument),
          ],
          [
            labels.changes,
            coverage && coverage.changes.length > 0 && changesText(coverage.changes, words),
          ],
        ]}
      />
      <Findings findings={signature.findings} words={words} />
      <Chain chain={signature.chain} words={words} />
      {signature.timestamps.map((each) => (
        <Timestamp timestamp={each} words={words} />
      ))}
    </section>
  )
}

function changesText(
  changes: NonNullable<SignatureReport['coverage']>['changes'],
  words: ReportWords,
): string {
  return [...new Set(changes.map(({ kind }) => words.changes[kind]))].join(', ')
}

function Timestamp({
  timestamp,
  words,
  ofDocument = false,
}: {
  readonly timestamp: TimestampReport
  readonly words: ReportWords
  /** And not of a signature. */
  readonly ofDocument?: boolean
}) {
  const { labels } = words
  const title = `${words.timestamp}: ${words.verdicts[timestamp.indication]}`
  return (
    <section>
      {ofDocument ? <h2>{title}</h2> : <h3>{title}</h3>}
      <Facts
        rows={[
          [labels.verdict, <Verdict of={timestamp} words={words} />],
          [labels.time, timestamp.time && <Moment at={timestamp.time} words={words} />],
          [
            labels.authority,
            timestamp.authority && <DistinguishedName text={timestamp.authority} />,
          ],
        ]}
      />
      <Findings findings={timestamp.findings} words={words} />
      <Chain chain={timestamp.chain} words={words} />
    </section>
  )
}

function Verdict({
  of: { indication, subIndication },
  words,
}: {
  readonly of: Pick<SignatureReport, 'indication' | 'subIndication'>
  readonly words: ReportWords
}) {
  return (
    <>
      {words.verdicts[indication]}{' '}
      <code>{subIndication ? `${indication}, ${subIndication}` : indication}</code>
    </>
  )
}

function Chain({
  chain,
  words,
}: {
  readonly chain: readonly CertificateReport[]
  readonly words: ReportWords
}) {
  if (chain.length === 0) return null
  return (
    <details>
      <summary>{words.certificates}</summary>
      <ol>
        {chain.map((each) => (
          <li>
            <Facts
              rows={[
                [words.labels.owner, <DistinguishedName text={each.subject} />],
                [
                  words.labels.validity,
                  <>
                    <Moment at={each.notBefore} words={words} /> –{' '}
                    <Moment at={each.notAfter} words={words} />
                  </>,
                ],
                [words.labels.revocation, words.revocation[each.revocation.status]],
              ]}
            />
          </li>
        ))}
      </ol>
    </details>
  )
}

function Findings({
  findings,
  words,
}: {
  readonly findings: readonly FindingReport[]
  readonly words: ReportWords
}) {
  if (findings.length === 0) return null
  return (
    <ul>
      {findings.map(({ severity, text }) => (
        <li>
          <strong>{words.severities[severity]}:</strong> <Foreign text={text} max={600} />
        </li>
      ))}
    </ul>
  )
}

/** Rows without a value are left out. */
function Facts({ rows }: { readonly rows: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {rows.flatMap(([label, value]) =>
        value === null || value === false || value === ''
          ? []
          : [
              <div>
                <dt>{label}</dt>
                <dd>{value}</dd>
              </div>,
            ],
      )}
    </dl>
  )
}

function Moment({ at, words }: { readonly at: string; readonly words: ReportWords }) {
  const format = new Intl.DateTimeFormat(words.locale, {
    ...{ dateStyle: 'long', timeStyle: 'long', timeZone: 'UTC' },
  })
  return <time dateTime={at}>{format.format(new Date(at))}</time>
}
