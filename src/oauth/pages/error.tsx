import { displayText } from '../../pages/display-text.js'
import { ClientName, Foreign, renderPage, type PageView } from '../../pages/layout.js'
import { messagesOf, type Messages } from './messages.js'

export type Explanation = keyof Messages['error']['explanations']

export interface ErrorView extends PageView {
  /** The OAuth error code, for the developers of the application. */
  readonly error: string
  readonly description?: string
  /** What to tell the person; found from the code when absent. */
  readonly explanation?: Explanation
  /** In the page's language, instead of the explanation's own words. */
  readonly title?: string
  readonly detail?: string
  /** Under which the operator finds this in the log. */
  readonly reference?: string
  /** Only ever a registered address of a known application. */
  readonly backTo?: { readonly href: string; readonly name: string }
}

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  access_denied: 'denied',
  invalid_client: 'unknown-application',
  invalid_redirect_uri: 'unknown-application',
  unauthorized_client: 'unknown-application',
  temporarily_unavailable: 'unavailable',
  server_error: 'failure',
}

export function renderError(view: ErrorView): string {
  const messages = messagesOf(view).error
  const explained =
    messages.explanations[view.explanation ?? EXPLANATIONS[view.error] ?? 'invalid-request']
  const title = view.title ?? explained.title
  return renderPage(
    view,
    { title, problem: true },
    <>
      <h1>{title}</h1>
      <p class="asks">{view.detail ?? explained.detail}</p>
      {view.backTo && isWebAddress(view.backTo.href) ? (
        <p class="buttons">
          <a class="button secondary" href={view.backTo.href} rel="noreferrer">
            <span>{messages.back(<ClientName client={view.backTo} view={view} />)}</span>
          </a>
        </p>
      ) : (
        <p>{messages.close}</p>
      )}
      <section class="technical" aria-labelledby="technical">
        <h2 id="technical">{messages.forDevelopers}</h2>
        <dl class="facts">
          <div>
            <dt>{messages.code}</dt>
            <dd>
              <code>
                <Foreign text={view.error} max={60} />
              </code>
            </dd>
          </div>
          {displayText(view.description ?? '', 500) !== '' && (
            <div>
              <dt>{messages.description}</dt>
              <dd>
                <Foreign text={view.description ?? ''} max={500} />
              </dd>
            </div>
          )}
          {view.reference && (
            <div>
              <dt>{messages.reference}</dt>
              <dd>
                <code>
                  <Foreign text={view.reference} max={100} />
                </code>
              </dd>
            </div>
          )}
        </dl>
      </section>
    </>,
  )
}

/** Even a registered address is not made a link when following it would run code. */
function isWebAddress(href: string): boolean {
  return URL.canParse(href) && ['https:', 'http:'].includes(new URL(href).protocol)
}
