import type { ComponentChildren } from 'preact'
import { useMemo } from 'preact/hooks'
import type { Demo, DetachedSignature, Result, SignedDocument, SignedPdf, State } from './demo.js'
import {
  CHAIN_FILE,
  chainPem,
  opensslCommand,
  shellQuote,
  signatureFile,
  signedFile,
} from './downloads.js'
import { toBase64 } from './encoding.js'
import { readCertificate } from './certificate.js'
import type { Coverage, Report } from './service.js'
import { CopyButton, day, Download, Icon, plural, StepHeading } from './parts.js'
import { locale, t } from './texts.js'

export function ResultStep({
  demo,
  state,
  takeFocus,
}: {
  demo: Demo
  state: State
  takeFocus: boolean
}) {
  const { result, busy } = state
  const chain = useMemo(() => chainPem(result?.choice.chain ?? []), [result?.choice])
  if (!result) return null
  return (
    <section class="card" aria-busy={busy !== undefined}>
      <Verdict result={result} takeFocus={takeFocus} />
      <Signer result={result} />
      <h3>{plural(result.documents.length, '1 signature', '{count} signatures')}</h3>
      <div class="signatures">
        {result.documents.map((signed) => (
          <details
            key={signed.document.fingerprint}
            class="signature"
            open={result.documents.length === 1}
          >
            <summary>
              <span class={`badge ${signed.valid ? 'good' : 'bad'}`}>
                <Icon name={signed.valid ? 'check' : 'cross'} />
                {validityOf(signed)}
              </span>
              <bdi class="document-name">{signed.document.name}</bdi>
            </summary>
            {signed.kind === 'pdf' ? (
              <SignedPdfBody demo={demo} signed={signed} />
            ) : (
              <DetachedBody demo={demo} result={result} signed={signed} />
            )}
          </details>
        ))}
      </div>
      <div class="actions">
        <Download name={CHAIN_FILE} content={chain}>
          {t('Certificates (.pem)')}
        </Download>
      </div>
      <div class="actions end">
        <button
          type="button"
          class="primary"
          disabled={busy !== undefined}
          onClick={() => void demo.finish()}
        >
          {t('Finish')}
        </button>
      </div>
      <p class="hint">
        {t(
          'Revokes the token of this approval and removes the documents from this browser. Download what you want to keep first.',
        )}
      </p>
    </section>
  )
}

function Verdict({ result, takeFocus }: { result: Result; takeFocus: boolean }) {
  const valid = result.documents.every((signed) => signed.valid) && result.chainHolds
  const { subject } = result.choice.certificate
  return (
    <div class={`verdict ${valid ? 'good' : 'bad'}`}>
      <Icon name={valid ? 'check' : 'warning'} />
      <div>
        <StepHeading takeFocus={takeFocus}>
          {valid ? (
            <>
              {t('Signed by')} <bdi>{subject}</bdi>
            </>
          ) : (
            <>
              {result.documents.some(isUnchecked)
                ? t('Signed, not checked')
                : t('This does not verify')}
            </>
          )}
        </StepHeading>
        <p>
          {valid
            ? checkedBy(result.documents)
            : result.documents.some(isUnchecked)
              ? t('The service could not check it just now. Take it away, and check it later.')
              : t('At least one signature or certificate does not fit. Do not rely on it.')}
        </p>
      </div>
    </div>
  )
}

function Signer({ result }: { result: Result }) {
  const { certificate, signing, chain } = result.choice
  const names = useMemo(() => chain.map((der) => readCertificate(der)), [chain])
  return (
    <dl class="facts">
      <div>
        <dt>{t('Certificate')}</dt>
        <dd>
          <ol class="chain">
            {names.map((one, index) => (
              <li key={index}>
                <bdi>{one.subject}</bdi>
              </li>
            ))}
          </ol>
          <span class="muted">
            {result.chainHolds
              ? t(
                  'Each is signed by the next. In a sandbox, the last one is trusted by nobody else.',
                )
              : t('The chain is broken.')}
          </span>
        </dd>
      </div>
      <div>
        <dt>{t('Validity')}</dt>
        <dd>
          {t('{from} to {to}', {
            ...{ from: day(certificate.validFrom), to: day(certificate.validTo) },
          })}
        </dd>
      </div>
      <div>
        <dt>{t('Algorithm')}</dt>
        <dd>
          {t('{algorithm} with {hash}', { algorithm: signing.label, hash: signing.hash.name })}
        </dd>
      </div>
      <div>
        <dt>{t('Serial number')}</dt>
        <dd>
          <code>{certificate.serialNumber}</code>
        </dd>
      </div>
    </dl>
  )
}

function checkedBy(documents: readonly SignedDocument[]): string {
  const what = plural(
    documents.length,
    'The signature over your document',
    'Each of the {count} signatures over your documents',
  )
  const [some, all] = [documents.some(isPdf), documents.every(isPdf)]
  if (all) return t('{what} passed validation by the service just now.', { what })
  return some
    ? t('{what} passed: PDFs were validated by the service, the others by this browser.', { what })
    : t('{what} passed: this browser has just checked with the public key of the certificate.', {
        what,
      })
}

function isUnchecked(signed: SignedDocument): boolean {
  return signed.kind === 'pdf' && signed.report === null
}

function validityOf(signed: SignedDocument): string {
  if (isUnchecked(signed)) return t('Not checked')
  return signed.valid ? t('Valid') : t('Not valid')
}

function isPdf({ kind }: SignedDocument): boolean {
  return kind === 'pdf'
}

function DetachedBody({
  demo,
  result,
  signed,
}: {
  demo: Demo
  result: Result
  signed: DetachedSignature
}) {
  const { document, signature } = signed
  const base64 = useMemo(() => toBase64(signature), [signature])
  const command = opensslCommand(document.name, result.choice.signing.hash)
  return (
    <div class="signature-body">
      <div class="value-heading">
        <h4>{t('Signature, Base64')}</h4>
        <CopyButton text={base64} label={t('signature')} />
      </div>
      <pre class="value" tabIndex={0} aria-label={t('Signature, Base64')}>
        {base64}
      </pre>
      <div class="actions">
        <Download name={signatureFile(document.name)} content={signature}>
          {t('Signature (.sig)')}
        </Download>
        <TamperButton demo={demo} signed={signed} />
      </div>
      <Tampered signed={signed} />
      <Command text={command} />
    </div>
  )
}

/** The signed PDF, and what the service's validation says of it. */
function SignedPdfBody({ demo, signed }: { demo: Demo; signed: SignedPdf }) {
  const name = signedFile(signed.document.name)
  return (
    <div class="signature-body">
      <div class="actions">
        <Download name={name} content={signed.signed}>
          {t('Signed PDF')}
        </Download>
        <TamperButton demo={demo} signed={signed} />
      </div>
      <Tampered signed={signed} />
      {signed.report && <ValidationReport report={signed.report} />}
      <Command text={`pdfsig ${shellQuote(name)}`} />
    </div>
  )
}

const INDICATIONS = {
  'TOTAL-PASSED': 'Passed',
  INDETERMINATE: 'Not certain',
  'TOTAL-FAILED': 'Failed',
} as const

const COVERAGE = {
  whole: 'The whole file',
  extended: 'The whole document; what proves its validity was added since',
  changed: 'An earlier state: something was changed since',
} as const

/** For years to come, certificates and timestamps are added to a PDF once it is signed. */
function coverageOf({ wholeDocument, changes }: Coverage): keyof typeof COVERAGE {
  if (wholeDocument) return 'whole'
  const areProof = changes.every(
    ({ kind, allowed }) => allowed && (kind === 'validation-data' || kind === 'timestamp'),
  )
  return areProof ? 'extended' : 'changed'
}

function ValidationReport({ report }: { report: Report }) {
  return (
    <section aria-label={t('Validation report')}>
      <h4>{t('Validation report')}</h4>
      {report.signatures.map((signature, index) => (
        <dl class="facts" key={index}>
          <Fact name={t('Result')}>
            {t(INDICATIONS[signature.indication])}{' '}
            <span class="muted">
              {signature.indication}
              {signature.subIndication && `, ${signature.subIndication}`}
            </span>
          </Fact>
          <Fact name={t('Format')}>
            {signature.format}
            {signature.level && ` ${signature.level}`}
          </Fact>
          {signature.signer && (
            <Fact name={t('Signer')}>
              <bdi>{signature.signer.subject}</bdi>
            </Fact>
          )}
          {signature.bestSignatureTime && (
            <Fact name={t('Signed before')}>{moment(signature.bestSignatureTime)}</Fact>
          )}
          {!signature.bestSignatureTime && signature.claimedSigningTime && (
            <Fact name={t('Signed, as it says')}>{moment(signature.claimedSigningTime)}</Fact>
          )}
          {signature.coverage && (
            <Fact name={t('Covers')}>{t(COVERAGE[coverageOf(signature.coverage)])}</Fact>
          )}
          <Findings findings={signature.findings} />
        </dl>
      ))}
      {report.signatures.length === 0 && <p>{t('There is no signature in it.')}</p>}
      {report.findings.length > 0 && (
        <dl class="facts">
          <Findings findings={report.findings} />
        </dl>
      )}
    </section>
  )
}

function Findings({ findings }: { findings: Report['findings'] }) {
  if (findings.length === 0) return null
  return (
    <Fact name={t('Notes')}>
      <ul class="findings">
        {findings.map(({ severity, text }) => (
          <li key={text} class={severity}>
            {text}
          </li>
        ))}
      </ul>
    </Fact>
  )
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function moment(time: string): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'long', timeStyle: 'long' }).format(
    new Date(time),
  )
}

function TamperButton({ demo, signed }: { demo: Demo; signed: SignedDocument }) {
  return (
    <button type="button" class="secondary" onClick={() => void demo.checkTampered(signed)}>
      {t('Change one byte and check again')}
    </button>
  )
}

function Tampered({ signed: { tampered } }: { signed: SignedDocument }) {
  return (
    <div aria-live="polite">
      {tampered && (
        <p class={`outcome ${tampered.valid ? 'bad' : 'good'}`}>
          <span class="badge bad">
            <Icon name="cross" />
            {tampered.valid ? t('Still valid?') : t('Not valid')}
          </span>
          {tampered.valid
            ? t('That must not happen.')
            : t(
                'As it should be: in a copy, byte {at} was changed, and the signature no longer fits. The original is untouched.',
                { at: tampered.at + 1 },
              )}
        </p>
      )}
    </div>
  )
}

function Command({ text }: { text: string }) {
  return (
    <>
      <div class="value-heading">
        <h4>{t('Check it yourself, without this page')}</h4>
        <CopyButton text={text} label={t('command')} />
      </div>
      <pre class="value command" tabIndex={0} aria-label={t('Command that checks the signature')}>
        {text}
      </pre>
    </>
  )
}
