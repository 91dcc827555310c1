import type { State, Step } from './demo.js'
import { t } from './texts.js'

const PLACES = ['Documents', 'Sign in', 'Certificate', 'Approve', 'Signature'] as const
/** How many of the places are behind us. Signing in and approving happen at the service. */
const DONE: Record<Step, number> = { documents: 0, certificate: 2, result: 4, finished: 5 }

/** “Step 3 of 5: Certificate” */
function placeText(done: number): string {
  const name = PLACES[done]
  return name === undefined
    ? t('Done')
    : t('Step {step} of {all}: {name}', {
        ...{ step: done + 1, all: PLACES.length },
        name: t(name),
      })
}

/** Says step and problem where windows and tabs are listed, too. */
export function titleOf({ step, notice }: Pick<State, 'step' | 'notice'>, name: string): string {
  const problem = notice?.tone === 'problem' ? `${t(notice.title)} – ` : ''
  return `${problem}${placeText(DONE[step])} – ${name}`
}

export function Stepper({ step, leaving }: { step: Step; leaving: boolean }) {
  const done = DONE[step] + (leaving ? 1 : 0)
  return (
    <nav aria-label={t('Progress')} class="stepper">
      <p class="stepper-short" aria-hidden="true">
        {placeText(done)}
      </p>
      <ol>
        {PLACES.map((place, index) => (
          <li
            class={index < done ? 'done' : index === done ? 'current' : 'ahead'}
            aria-current={index === done ? 'step' : undefined}
          >
            <span class="stepper-dot" aria-hidden="true">
              {index < done ? '✓' : index + 1}
            </span>
            <span class="stepper-name">
              {t(place)}
              {index < done && <span class="for-ears"> {t('(done)')}</span>}
            </span>
          </li>
        ))}
      </ol>
    </nav>
  )
}
