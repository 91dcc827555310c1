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
  const { problem, byCode = false } = view
  const wrongRecovery = problem === 'wrong-recovery-code' || problem === 'used-recovery-code'
  const recoveryForm = (
    <Form view={view}>
      <Field
        name="recoveryCode"
        label={byCode ? recovery.enrolmentCode : recovery.label}
        hint={byCode ? recovery.enrolmentHint : recovery.hint}
        wrong={wrongRecovery}
        focus={byCode || wrongRecovery}
      />
      <Buttons>
        <AgreeButton value="continue">{messages.continue}</AgreeButton>
        {byCode && <RejectButton>{messages.reject}</RejectButton>}
      </Buttons>
    </Form>
  )
  return renderPage(
    view,
    { title: messages.title, problem: problem !== undefined },
    <>
      <h1>{messages.title}</h1>
      <Asks>{messages.asks(<ClientName client={view.client} view={view} />)}</Asks>
      <p>{byCode ? recovery.byCode : messages.means}</p>
      {problem && (
        <Problem>
          <CodeProblemText problem={problem} view={view} />
        </Problem>
      )}
      {byCode ? (
        recoveryForm
      ) : (
        <>
          <Form view={view}>
            <Field
              name="otp"
              label={otp.label}
              hint={otp.hint}
              wrong={problem !== undefined && !wrongRecovery}
              focus={!wrongRecovery}
            />
            <Buttons>
              <AgreeButton value="continue">{messages.continue}</AgreeButton>
              <RejectButton>{messages.reject}</RejectButton>
            </Buttons>
          </Form>
          <details class="other-way" open={wrongRecovery}>
            <summary>{recovery.without}</summary>
            {recoveryForm}
          </details>
        </>
      )}
    </>,
  )
}
