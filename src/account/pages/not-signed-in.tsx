import { renderPage, type PageView } from '../../pages/layout.js'
import { ACCOUNT_MESSAGES } from './messages.js'

export interface NotSignedInView extends PageView {
  readonly why: 'cancelled' | 'too-weak'
  /** The page they were on their way to. */
  readonly retry: string
}

export function renderNotSignedIn(view: NotSignedInView): string {
  const messages = ACCOUNT_MESSAGES[view.lang].notSignedIn
  const { title, detail } = messages[view.why]
  return renderPage(
    view,
    { title, problem: true },
    <>
      <h1>{title}</h1>
      <p class="asks">{detail}</p>
      <p class="buttons">
        <a class="button primary" href={view.retry}>
          {messages.retry}
        </a>
        <a class="button secondary" href="/account">
          {messages.home}
        </a>
      </p>
    </>,
  )
}
