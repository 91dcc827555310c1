import { sectionPath } from '../visit.js'
import { accountMessages, Moment, renderAccountPage, type AccountPageView } from './account-page.js'

export interface OverviewView extends AccountPageView {
  readonly authenticatedAt: Date
  readonly amr: readonly string[]
}

export function renderOverview(view: OverviewView): string {
  const { overview: messages, sections, sessions } = accountMessages(view)
  const methods = view.amr.map((method) => sessions.methods[method] ?? method).join(', ')
  return renderAccountPage(
    view,
    { title: messages.title },
    <>
      <p>{messages.signedIn(<Moment at={view.authenticatedAt} view={view} />, methods)}</p>
      <ul class="entries">
        {view.navigation.map(
          ({ path, title }) =>
            title !== 'overview' && (
              <li>
                <a href={sectionPath(path)}>{sections[title]}</a>
                <span class="detail">{messages.means[title]}</span>
              </li>
            ),
        )}
      </ul>
    </>,
  )
}
