import { useEffect, useRef } from 'preact/hooks'
import { CertificateStep } from './certificate-step.js'
import { LEAVING, type Demo, type Notice, type State } from './demo.js'
import { DocumentsStep } from './documents-step.js'
import { FinishedStep } from './finished-step.js'
import { Icon } from './parts.js'
import { ProtocolPanel } from './protocol-panel.js'
import { ResultStep } from './result-step.js'
import { Stepper } from './stepper.js'
import { t } from './texts.js'

export function App({ demo, state, takeFocus }: { demo: Demo; state: State; takeFocus: boolean }) {
  return (
    <>
      <Stepper step={state.step} leaving={state.busy === LEAVING} />
      <p class="for-ears" role="status">
        {state.busy ? t(state.busy) : ''}
      </p>
      <div class="columns">
        <div class="column">
          {state.notice && <NoticeBox demo={demo} notice={state.notice} />}
          {state.busy !== undefined && (
            <p class="busy" aria-hidden="true">
              <span class="spinner" /> {t(state.busy)}
            </p>
          )}
          <CurrentStep demo={demo} state={state} takeFocus={takeFocus} />
          {state.log.length > 0 && <ProtocolPanel log={state.log} />}
        </div>
        <Sandbox serviceName={state.serviceName} />
      </div>
    </>
  )
}

function CurrentStep(props: { demo: Demo; state: State; takeFocus: boolean }) {
  switch (props.state.step) {
    case 'documents':
      return <DocumentsStep {...props} />
    case 'certificate':
      return <CertificateStep {...props} />
    case 'result':
      return <ResultStep {...props} />
    case 'finished':
      return <FinishedStep {...props} />
  }
}

function NoticeBox({ demo, notice }: { demo: Demo; notice: Notice }) {
  const box = useRef<HTMLDivElement>(null)
  // What was pressed may be many screens below.
  useEffect(() => {
    box.current?.focus()
  }, [notice])
  return (
    <div class={`notice ${notice.tone}`} role="alert" tabIndex={-1} ref={box}>
      <Icon name={notice.tone === 'problem' ? 'warning' : 'information'} />
      <div>
        <p class="notice-title">{t(notice.title)}</p>
        <p>
          {t(notice.text)}
          {notice.link && (
            <>
              {' '}
              <a href={notice.link}>{notice.link}</a>
            </>
          )}
        </p>
      </div>
      <button
        type="button"
        class="quiet icon-only"
        aria-label={t('Dismiss')}
        onClick={() => {
          demo.dismissNotice()
        }}
      >
        <Icon name="cross" />
      </button>
    </div>
  )
}

function Sandbox({ serviceName }: { serviceName: string | undefined }) {
  return (
    <aside class="sandbox" aria-labelledby="sandbox">
      <h2 id="sandbox">{t('This is a sandbox')}</h2>
      <p>
        {serviceName ? <bdi>{serviceName}</bdi> : t('The service')}{' '}
        {t('comes with demo users. The command that started it,')} <code>./scripts/start</code>
        {t(', printed one of them with password and one-time code; the others are in')}{' '}
        <code>data/sandbox.json</code>.
      </p>
      <p>{t('Signatures made here work like real ones, but have no legal effect.')}</p>
    </aside>
  )
}
