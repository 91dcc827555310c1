import { AgreeButton, Buttons, Field, Form, Problem, RejectButton, type FormView } from './form.js'
import { Asks, ClientName, messagesOf, renderPage } from './layout.js'

export interface SignInView extends FormView {
  /** What the application asks for: to see credentials, or a signature. */
  readonly scope: 'service' | 'credential'
  /** What was typed last time. */
  readonly username?: string
  readonly problem?: 'wrong-credentials' | 'too-many-attempts' | 'disabled'
}

export function renderSignIn(view: SignInView): string {
  const messages = messagesOf(view).signIn
  const wrong = view.problem === 'wrong-credentials'
  const known = Boolean(view.username)
  return renderPage(
    view,
    { title: messages.title, problem: view.problem !== undefined },
    <>
      <h1>{messages.title}</h1>
      <Asks>{messages.asks[view.scope](<ClientName client={view.client} view={view} />)}</Asks>
      <p>{messages.means[view.scope]}</p>
      {view.problem && <Problem>{messages.problems[view.problem]}</Problem>}
      <Form view={view}>
        <Field
          name="username"
          label={messages.username}
          wrong={wrong}
          focus={!known}
          {...(view.username === undefined ? {} : { value: view.username })}
        />
        <Field name="password" label={messages.password} wrong={wrong} focus={known} />
        <Buttons>
          <AgreeButton value="continue">{messages.continue}</AgreeButton>
          <RejectButton>{messages.reject}</RejectButton>
        </Buttons>
      </Form>
    </>,
  )
}
