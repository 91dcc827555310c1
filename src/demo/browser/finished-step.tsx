import type { Demo } from './demo.js'
import { StepHeading } from './parts.js'
import { t } from './texts.js'

export function FinishedStep({ demo, takeFocus }: { demo: Demo; takeFocus: boolean }) {
  return (
    <section class="card">
      <StepHeading takeFocus={takeFocus}>{t('All done')}</StepHeading>
      <p>
        {t(
          'The token is revoked, and this browser has forgotten the documents. Whoever has the document, the signature and the certificate can check them at any time, without us.',
        )}
      </p>
      <div class="actions">
        <button type="button" class="primary" onClick={() => void demo.startOver()}>
          {t('Sign something else')}
        </button>
      </div>
    </section>
  )
}
