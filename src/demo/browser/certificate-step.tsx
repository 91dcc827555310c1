import type { Choice, Demo, State } from './demo.js'
import { day, Fingerprint, Icon, plural, StepHeading } from './parts.js'
import { t } from './texts.js'

export function CertificateStep({
  demo,
  state,
  takeFocus,
}: {
  demo: Demo
  state: State
  takeFocus: boolean
}) {
  const { choices, chosen, documents, busy } = state
  const fits = (choice: Choice) => documents.length <= choice.info.multisign
  return (
    <section class="card" aria-busy={busy !== undefined}>
      <StepHeading takeFocus={takeFocus}>{t('With which certificate?')}</StepHeading>
      {choices.length === 0 ? (
        <p>
          {t(
            'There is no certificate in this account that can sign now. You can go back and sign in with another one.',
          )}
        </p>
      ) : (
        <>
          <p>
            {t(
              'The private keys of these certificates are held by the service and never leave it.',
            )}
          </p>
          <fieldset class="choices" disabled={busy !== undefined}>
            <legend class="for-ears">{t('Certificate')}</legend>
            {choices.map((choice) => (
              <ChoiceCard
                key={choice.info.credentialID}
                choice={choice}
                chosen={choice.info.credentialID === chosen?.info.credentialID}
                fits={fits(choice)}
                choose={() => void demo.choose(choice)}
              />
            ))}
          </fieldset>
        </>
      )}
      {chosen && fits(chosen) && <ToBeSigned state={state} chosen={chosen} />}
      <div class="actions">
        <button
          type="button"
          class="primary"
          disabled={busy !== undefined || !chosen || !fits(chosen)}
          onClick={() => void demo.approve()}
        >
          {t('Go to approval')}
        </button>
        <button
          type="button"
          class="secondary"
          disabled={busy !== undefined}
          onClick={() => void demo.backToDocuments()}
        >
          {t('Back')}
        </button>
      </div>
    </section>
  )
}

function ChoiceCard({
  choice,
  chosen,
  fits,
  choose,
}: {
  choice: Choice
  chosen: boolean
  fits: boolean
  choose: () => void
}) {
  const { info, certificate, signing } = choice
  return (
    <label class="choice">
      <input
        type="radio"
        name="credential"
        value={info.credentialID}
        checked={chosen}
        disabled={!fits}
        onChange={choose}
      />
      <span class="choice-text">
        <strong>
          <bdi>{certificate.subject}</bdi>
        </strong>
        {info.description && (
          <span class="muted">
            <bdi>{info.description}</bdi>
          </span>
        )}
        <span class="muted">
          {t('Issued by')} <bdi>{certificate.issuer}</bdi>
          {t(', valid until {day}', { day: day(certificate.validTo) })}
        </span>
        <span class="tags">
          <span class="tag">{signing.label}</span>
          <span class="tag">{signing.hash.name}</span>
          {info.SCAL === '2' && (
            <span
              class="tag"
              title={t('Sole control assurance level 2: approval is bound to the hashes')}
            >
              SCAL 2
            </span>
          )}
          <span class="tag">
            {plural(info.multisign, 'up to 1 document', 'up to {count} documents')}
          </span>
        </span>
        {!fits && (
          <span class="choice-problem">{t('Signs fewer documents at once than you chose.')}</span>
        )}
      </span>
    </label>
  )
}

/** The same digests, grouped the same way, appear on the approval page. */
function ToBeSigned({ state: { documents, digests }, chosen }: { state: State; chosen: Choice }) {
  return (
    <div class="to-be-signed" aria-live="polite">
      <h3>
        <Icon name="information" /> {t('What you will be asked to approve')}
      </h3>
      <p class="muted">
        {t(
          documents.length === 1
            ? 'Compare: the approval page shows the same {hash} fingerprint.'
            : 'Compare: the approval page shows the same {hash} fingerprints.',
          { hash: chosen.signing.hash.name },
        )}
      </p>
      <ul class="documents plain">
        {documents.map((document, index) => (
          <li key={document.fingerprint}>
            <div class="document-text">
              <p>
                <bdi class="document-name">{document.name}</bdi>
              </p>
              <p class="muted">
                <Fingerprint hex={digests[index] ?? ''} />
              </p>
            </div>
          </li>
        ))}
      </ul>
    </div>
  )
}
