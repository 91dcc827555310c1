import { AgreeButton, Buttons, Form, RejectButton, type FormView } from '../../pages/form.js'
import { Asks, ClientName, Foreign, renderPage } from '../../pages/layout.js'
import { messagesOf } from './messages.js'

/** Someone who is signed in already is asked to let another application see their credentials. */
export interface ConsentView extends FormView {
  readonly user: { readonly displayName: string }
}

export function renderConsent(view: ConsentView): string {
  const messages = messagesOf(view).consent
  return renderPage(
    view,
    { title: messages.title },
    <>
      <h1>{messages.title}</h1>
      <Asks>{messages.asks(<ClientName client={view.client} view={view} />)}</Asks>
      <p>
        {messages.signedInAs(
          <strong>
            <Foreign text={view.user.displayName} />
          </strong>,
        )}
      </p>
      <p>{messages.may}</p>
      <ul class="ticks">
        <li>{messages.mayList}</li>
        <li>{messages.mayAsk}</li>
      </ul>
      <p>{messages.mayNot}</p>
      <Form view={view}>
        <Buttons>
          <AgreeButton value="continue">{messages.continue}</AgreeButton>
          <RejectButton>{messages.reject}</RejectButton>
        </Buttons>
      </Form>
    </>,
  )
}
