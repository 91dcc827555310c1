import {
  AgreeButton,
  Buttons,
  CodeProblemText,
  Field,
  Form,
  Problem,
  RejectButton,
  type CodeProblem,
  type FormView,
} from '../../pages/form.js'
import { Asks, ClientName, renderPage } from '../../pages/layout.js'
import { messagesOf } from './messages.js'

export interface SecondFactorView extends FormView {
  readonly problem?: CodeProblem
  /** Whether the operator's code is what is needed: there is no authenticator. */
  readonly byCode?: boolean
}

export function renderSecondFactor(view: SecondFactorView): string {
  const { secondFactor: messages, otp, recovery } = messagesOf(view)
  return renderPage(
    view,
    { title: messages.title, problem: view.problem !== undefined },
    <>
      <h1>{messages.title}</h1>
      <Asks>{messages.asks(<ClientName client={view.client} view={view} />)}</Asks>
      <p>{messages.means}</p>
      {view.problem && (
        <Problem>
          <CodeProblemText problem={view.problem} view={view} />
        </Problem>
      )}
      <Form view={view}>
        <Field name="otp" label={otp.label} hint={otp.hint} wrong={Boolean(view.problem)} focus />
        <Buttons>
          <AgreeButton value="continue">{messages.continue}</AgreeButton>
          <RejectButton>{messages.reject}</RejectButton>
        </Buttons>
      </Form>
      <details
        class="other-way"
        open={view.byCode === true || view.problem === 'used-recovery-code'}
      >
        <summary>{recovery.without}</summary>
        <Form view={view}>
          <Field name="recoveryCode" label={recovery.label} hint={recovery.hint} />
          <Buttons>
            <AgreeButton value="continue">{messages.continue}</AgreeButton>
          </Buttons>
        </Form>
      </details>
    </>,
  )
}
