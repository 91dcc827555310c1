import { useMemo } from 'preact/hooks'
import type { Demo, Result, SignedDocument, State } from './demo.js'
import { CHAIN_FILE, chainPem, opensslCommand, signatureFile } from './downloads.js'
import { toBase64 } from './encoding.js'
import { readCertificate } from './certificate.js'
import { CopyButton, day, Download, Icon, plural, StepHeading } from './parts.js'

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
      <h3>{plural(result.documents.length, 'signature')}</h3>
      <div class="signatures">
        {result.documents.map((signed) => (
          <Signature
            key={signed.document.fingerprint}
            demo={demo}
            result={result}
            signed={signed}
          />
        ))}
      </div>
      <div class="actions">
        <Download name={CHAIN_FILE} content={chain}>
          Certificates (.pem)
        </Download>
      </div>
      <div class="actions end">
        <button
          type="button"
          class="primary"
          disabled={busy !== undefined}
          onClick={() => void demo.finish()}
        >
          Finish
        </button>
      </div>
      <p class="hint">
        Revokes the token of this approval and removes the documents from this browser. Download
        what you want to keep first.
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
              Signed by <bdi>{subject}</bdi>
            </>
          ) : (
            'This does not verify'
          )}
        </StepHeading>
        <p>
          {valid
            ? `This browser has just checked ${
                result.documents.length === 1
                  ? 'the signature over your document'
                  : `all ${result.documents.length} signatures over your documents`
              } with the public key of the certificate.`
            : 'At least one signature or certificate does not fit. Do not rely on it.'}
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
        <dt>Certificate</dt>
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
              ? 'Each is signed by the next. In a sandbox, the last one is trusted by nobody else.'
              : 'The chain is broken.'}
          </span>
        </dd>
      </div>
      <div>
        <dt>Valid</dt>
        <dd>
          {day(certificate.validFrom)} to {day(certificate.validTo)}
        </dd>
      </div>
      <div>
        <dt>Algorithm</dt>
        <dd>
          {signing.label} with {signing.hash.name}
        </dd>
      </div>
      <div>
        <dt>Serial number</dt>
        <dd>
          <code>{certificate.serialNumber}</code>
        </dd>
      </div>
    </dl>
  )
}

function Signature({
  demo,
  result,
  signed,
}: {
  demo: Demo
  result: Result
  signed: SignedDocument
}) {
  const { document, signature, valid } = signed
  const base64 = useMemo(() => toBase64(signature), [signature])
  const command = opensslCommand(document.name, result.choice.signing.hash)
  return (
    <details class="signature" open={result.documents.length === 1}>
      <summary>
        <span class={`badge ${valid ? 'good' : 'bad'}`}>
          <Icon name={valid ? 'check' : 'cross'} />
          {valid ? 'Valid' : 'Not valid'}
        </span>
        <bdi class="document-name">{document.name}</bdi>
      </summary>
      <div class="signature-body">
        <div class="value-heading">
          <h4>Signature, Base64</h4>
          <CopyButton text={base64} label="signature" />
        </div>
        <pre class="value" tabIndex={0} aria-label="Signature, Base64">
          {base64}
        </pre>
        <div class="actions">
          <Download name={signatureFile(document.name)} content={signature}>
            Signature (.sig)
          </Download>
          <button type="button" class="secondary" onClick={() => void demo.checkTampered(signed)}>
            Change one byte and check again
          </button>
        </div>
        <div aria-live="polite">
          {signed.tampered && (
            <p class={`outcome ${signed.tampered.valid ? 'bad' : 'good'}`}>
              <span class="badge bad">
                <Icon name="cross" />
                {signed.tampered.valid ? 'Still valid?' : 'Not valid'}
              </span>
              {signed.tampered.valid
                ? 'That must not happen.'
                : `As it should be: in a copy, byte ${signed.tampered.at + 1} was changed, and the signature no longer fits. The original is untouched.`}
            </p>
          )}
        </div>
        <div class="value-heading">
          <h4>Check it yourself, without this page</h4>
          <CopyButton text={command} label="command" />
        </div>
        <pre class="value command" tabIndex={0} aria-label="Command that checks the signature">
          {command}
        </pre>
      </div>
    </details>
  )
}
