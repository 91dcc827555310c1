import {
  AgreeButton,
  Buttons,
  Field,
  Form,
  Problem,
  RejectButton,
  type FormView,
} from '../../pages/form.js'
import {
  IdentityButtonOf,
  IdentityProblemText,
  ProviderName,
  type IdentityButton,
  type IdentityProblem,
} from './identity.js'
import {
  PasskeyButton,
  PasskeyField,
  PasskeyProblemText,
  type PasskeyProblem,
  type PasskeyQuestion,
} from '../../pages/passkey.js'
import { Asks, ClientName, Foreign, renderPage } from '../../pages/layout.js'
import { messagesOf } from './messages.js'

export interface SignInView extends FormView {
  /**
   * What it is for: an application that sees credentials, a signature, the signer's own pages, or those of
   * them that ask for a new sign-in.
   */
  readonly scope: 'service' | 'credential' | 'account' | 'account-changes'
  /** What was typed last time. */
  readonly username?: string
  readonly problem?: 'wrong-credentials' | 'too-many-attempts' | 'disabled'
  /** Other ways in. */
  readonly identities?: readonly IdentityButton[]
  readonly identityProblem?: IdentityProblem
  /** For whoever has a passkey. */
  readonly passkey?: PasskeyQuestion
  readonly passkeyProblem?: PasskeyProblem
  /** An identity that becomes another way into the account that is signed in to. */
  readonly link?: {
    /** Comes back with the form: the person saw this page, and for this identity. */
    readonly id: string
    readonly label: string
    /** The name the provider gives, when it does. */
    readonly person: string | null
  }
}

export function renderSignIn(view: SignInView): string {
  const messages = messagesOf(view).signIn
  const { identity } = messagesOf(view)
  const wrong = view.problem === 'wrong-credentials'
  const known = Boolean(view.username)
  const title = view.link ? identity.link.title : messages.title
  return renderPage(
    view,
    { title, problem: Boolean(view.problem ?? view.identityProblem ?? view.passkeyProblem) },
    <>
      <h1>{title}</h1>
      {view.link ? (
        <Link link={view.link} view={view} />
      ) : (
        <>
          <Asks>{messages.asks[view.scope](<ClientName client={view.client} view={view} />)}</Asks>
          <p>{messages.means[view.scope]}</p>
        </>
      )}
      {view.problem && <Problem>{messages.problems[view.problem]}</Problem>}
      {view.identityProblem && <IdentityProblemText problem={view.identityProblem} view={view} />}
      {view.passkeyProblem && <PasskeyProblemText problem={view.passkeyProblem} view={view} />}
      <Form view={view}>
        {view.link && <input type="hidden" name="link" value={view.link.id} />}
        <Field
          name="username"
          label={messages.username}
          wrong={wrong}
          focus={!known}
          {...(view.username === undefined ? {} : { value: view.username })}
        />
        <Field name="password" label={messages.password} wrong={wrong} focus={known} />
        <Buttons>
          <AgreeButton value="continue">
            {view.link ? identity.link.continue : messages.continue}
          </AgreeButton>
          <RejectButton>{messages.reject}</RejectButton>
        </Buttons>
      </Form>
      {!view.link && <OtherWays view={view} />}
      {view.passkey && <PasskeyWay question={view.passkey} view={view} />}
    </>,
  )
}

function Link({ link, view }: { link: NonNullable<SignInView['link']>; view: SignInView }) {
  const messages = messagesOf(view).identity.link
  return (
    <>
      <Asks>{messages.asks(<ProviderName label={link.label} />)}</Asks>
      {link.person !== null && (
        <p>
          {messages.as(
            <strong>
              <Foreign text={link.person} />
            </strong>,
          )}
        </p>
      )}
      <p>{messages.means}</p>
    </>
  )
}

/** Only where scripts run: nobody else sees it. */
function PasskeyWay({ question, view }: { question: PasskeyQuestion; view: SignInView }) {
  const messages = messagesOf(view)
  const isOnlyOtherWay = (view.identities ?? []).length === 0
  return (
    <section aria-label={messages.passkey.signIn} data-passkey hidden>
      {isOnlyOtherWay && <h2>{messages.identity.or}</h2>}
      <Form view={view}>
        {view.link && <input type="hidden" name="link" value={view.link.id} />}
        <PasskeyField question={question} view={view} />
        <Buttons>
          <PasskeyButton>{messages.passkey.signIn}</PasskeyButton>
        </Buttons>
      </Form>
    </section>
  )
}

function OtherWays({ view }: { view: SignInView }) {
  const { identities = [] } = view
  if (identities.length === 0) return null
  const messages = messagesOf(view).identity
  return (
    <section aria-labelledby="other-ways">
      <h2 id="other-ways">{messages.or}</h2>
      <Form view={view}>
        <Buttons>
          {identities.map((button) => (
            <IdentityButtonOf button={button}>
              {messages.signIn(<ProviderName label={button.label} />)}
            </IdentityButtonOf>
          ))}
        </Buttons>
      </Form>
    </section>
  )
}
