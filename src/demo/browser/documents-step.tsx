import { useEffect, useRef, useState } from 'preact/hooks'
import { MOST_DOCUMENTS, type Demo, type State } from './demo.js'
import { PlacementEditor } from './placement-editor.js'
import { fileSize, Fingerprint, Icon, plural, StepHeading } from './parts.js'
import { t } from './texts.js'

export function DocumentsStep({
  demo,
  state,
  takeFocus,
}: {
  demo: Demo
  state: State
  takeFocus: boolean
}) {
  const { documents, busy } = state
  return (
    <section class="card" aria-busy={busy !== undefined}>
      <StepHeading takeFocus={takeFocus}>{t('What do you want to sign?')}</StepHeading>
      <p>
        {t(
          'A PDF becomes a signed PDF: the signing service shows it to you before you approve, and puts the signature into it. Any other file stays in this browser: only its fingerprint, a hash from which the content cannot be restored, goes to the service.',
        )}
      </p>
      <FilePicker demo={demo} disabled={busy !== undefined} hasDocuments={documents.length > 0} />
      {documents.length > 0 && <Documents demo={demo} state={state} />}
      {documents.length > 0 && (
        <>
          <div class="actions">
            <button
              type="button"
              class="primary"
              disabled={busy !== undefined}
              onClick={() => void demo.signIn()}
            >
              {t('Sign in to continue')}
            </button>
          </div>
          <p class="hint">
            {t(
              'You are taken to the signing service. Your password goes there and nowhere else; this page never sees it.',
            )}
          </p>
        </>
      )}
    </section>
  )
}

function FilePicker({
  demo,
  disabled,
  hasDocuments,
}: {
  demo: Demo
  disabled: boolean
  hasDocuments: boolean
}) {
  const input = useRef<HTMLInputElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const [over, setOver] = useState(false)
  const had = useRef(hasDocuments)
  // With the last document, the button that removed it is gone.
  useEffect(() => {
    if (had.current && !hasDocuments) button.current?.focus()
    had.current = hasDocuments
  }, [hasDocuments])
  const take = (files: FileList | null | undefined) => {
    if (files && files.length > 0) void demo.addDocuments([...files])
  }
  return (
    <div
      class={`drop${over ? ' over' : ''}${hasDocuments ? ' compact' : ''}`}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => {
        setOver(false)
      }}
      onDrop={(event) => {
        event.preventDefault()
        setOver(false)
        take(event.dataTransfer?.files)
      }}
    >
      <Icon name="upload" />
      <p class="drop-text">
        {hasDocuments ? t('Add more: drop them here or') : t('Drop documents here, or')}
      </p>
      <div class="drop-buttons">
        <button
          type="button"
          class={hasDocuments ? 'secondary' : 'primary'}
          ref={button}
          disabled={disabled}
          onClick={() => input.current?.click()}
        >
          {t('Choose files')}
        </button>
        {!hasDocuments && (
          <button
            type="button"
            class="secondary"
            disabled={disabled}
            onClick={() => void demo.addSample()}
          >
            {t('Use a sample')}
          </button>
        )}
      </div>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={t('Documents to sign')}
        onChange={(event) => {
          take(event.currentTarget.files)
          event.currentTarget.value = ''
        }}
      />
    </div>
  )
}

function Documents({ demo, state: { documents, busy } }: { demo: Demo; state: State }) {
  const heading = useRef<HTMLHeadingElement>(null)
  // What had the focus is gone: the button of the sample, or that of the document removed.
  useEffect(() => {
    if (document.activeElement === document.body) heading.current?.focus()
  }, [documents.length])
  return (
    <>
      <h3 tabIndex={-1} ref={heading}>
        {plural(documents.length, '1 document', '{count} documents')}
        {documents.length === MOST_DOCUMENTS && ` ${t('(the most this demonstration takes)')}`}
      </h3>
      <ul class="documents">
        {documents.map((each) => (
          <li key={each.fingerprint}>
            <Icon name="document" />
            <div class="document-text">
              <p>
                <bdi class="document-name">{each.name}</bdi>{' '}
                <span class="muted">{fileSize(each.content.length)}</span>
              </p>
              <p class="muted">
                SHA-256 <Fingerprint hex={each.fingerprint} />
              </p>
            </div>
            <button
              type="button"
              class="quiet icon-only"
              disabled={busy !== undefined}
              aria-label={t('Remove {name}', { name: each.name })}
              onClick={() => void demo.removeDocument(each)}
            >
              <Icon name="cross" />
            </button>
            {demo.becomesSignedPdf(each) && (
              <PlacementEditor demo={demo} document={each} disabled={busy !== undefined} />
            )}
          </li>
        ))}
      </ul>
    </>
  )
}
