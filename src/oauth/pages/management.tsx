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
import { DistinguishedName } from '../../pages/distinguished-name.js'
import { Asks, ClientName, Foreign, renderPage } from '../../pages/layout.js'
import { messagesOf } from './messages.js'

/** An application asks to make a credential for the person, or to end one. */
export interface ManagementView extends FormView {
  readonly user: { readonly displayName: string }
  /** What would go; null when one would be made. */
  readonly credential: {
    readonly description: string
    /** Null while it has none. */
    readonly certificate: { readonly subject: string; readonly serialNumber: string } | null
  } | null
  readonly asksCode: boolean
  readonly problem?: CodeProblem
}

export function renderManagement(view: ManagementView): string {
  const { otp, management } = messagesOf(view)
  const messages = view.credential ? management.deletion : management.creation
  return renderPage(
    view,
    { title: messages.title, problem: view.problem !== undefined },
    <>
      <h1>{messages.title}</h1>
      <Asks>{messages.asks(<ClientName client={view.client} view={view} />)}</Asks>
      {view.problem && (
        <Problem>
          <CodeProblemText problem={view.problem} view={view} />
        </Problem>
      )}
      <p>{messages.means}</p>
      <dl class="facts">
        <div>
          <dt>{management.person}</dt>
          <dd>
            <Foreign text={view.user.displayName} />
          </dd>
        </div>
        {view.credential && (
          <>
            <div>
              <dt>{management.credential}</dt>
              <dd>
                <Foreign text={view.credential.description} />
              </dd>
            </div>
            {view.credential.certificate && (
              <>
                <div>
                  <dt>{management.subject}</dt>
                  <dd>
                    <DistinguishedName text={view.credential.certificate.subject} />
                  </dd>
                </div>
                <div>
                  <dt>{management.serialNumber}</dt>
                  <dd>
                    <code>{view.credential.certificate.serialNumber}</code>
                  </dd>
                </div>
              </>
            )}
          </>
        )}
      </dl>
      <Form view={view}>
        {view.asksCode && (
          <Field name="otp" label={otp.label} hint={otp.hint} wrong={Boolean(view.problem)} focus />
        )}
        <Buttons>
          <AgreeButton value="approve">{messages.approve}</AgreeButton>
          <RejectButton>{messages.reject}</RejectButton>
        </Buttons>
      </Form>
    </>,
  )
}
