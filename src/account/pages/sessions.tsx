import { Foreign } from '../../pages/layout.js'
import {
  accountMessages,
  Moment,
  PostForm,
  renderAccountPage,
  type AccountPageView,
} from './account-page.js'

export interface SessionsView extends AccountPageView {
  readonly sessions: readonly SessionView[]
  readonly applications: readonly ApplicationView[]
}

interface SessionView {
  readonly handle: string
  readonly authenticatedAt: Date
  readonly expiresAt: Date
  readonly amr: readonly string[]
  /** The one this page is looked at in. */
  readonly current: boolean
  /** Names of applications it was used for. */
  readonly applications: readonly string[]
}

interface ApplicationView {
  readonly id: string
  readonly name: string
  readonly until: Date | null
  readonly renewableUntil: Date | null
  readonly approvals: readonly {
    readonly id: string
    readonly numSignatures: number
    readonly credential: string
    readonly expiresAt: Date
  }[]
}

export function renderSessions(view: SessionsView): string {
  const { sessions: messages, sections } = accountMessages(view)
  return renderAccountPage(
    view,
    { title: sections.sessions },
    <>
      <section aria-labelledby="sessions">
        <h2 id="sessions">{messages.sessions}</h2>
        <p>{messages.sessionsHint}</p>
        <ul class="entries">
          {view.sessions.map((session) => (
            <Session session={session} view={view} />
          ))}
        </ul>
        {view.sessions.some(({ current }) => !current) && (
          <PostForm action="/account/sessions/end-others">
            <button class="secondary" type="submit">
              {messages.endOthers}
            </button>
          </PostForm>
        )}
      </section>
      <section aria-labelledby="applications">
        <h2 id="applications">{messages.applications}</h2>
        {view.applications.length === 0 ? (
          <p class="empty">{messages.noApplications}</p>
        ) : (
          <>
            <p>{messages.applicationsHint}</p>
            <ul class="entries">
              {view.applications.map((application) => (
                <Application application={application} view={view} />
              ))}
            </ul>
          </>
        )}
        {view.applications.length > 1 && (
          <PostForm action="/account/sessions/applications/end-all">
            <button class="secondary danger" type="submit">
              {messages.endAllApplications}
            </button>
          </PostForm>
        )}
      </section>
    </>,
  )
}

function Session({ session, view }: { session: SessionView; view: SessionsView }) {
  const messages = accountMessages(view).sessions
  const { handle, authenticatedAt, expiresAt, amr, current, applications } = session
  const title = `session-${handle}`
  return (
    <li>
      <h3 id={title}>
        {messages.since(<Moment at={authenticatedAt} view={view} />)}{' '}
        {current && <span class="mark-this">{messages.current}</span>}
      </h3>
      <p class="detail">
        {messages.by(amr.map((method) => messages.methods[method] ?? method).join(', '))}{' '}
        {messages.until(<Moment at={expiresAt} view={view} />)}
      </p>
      {applications.length > 0 && (
        <p class="detail">
          {messages.usedFor} <Foreign text={applications.join(', ')} max={300} />
        </p>
      )}
      <PostForm action={`/account/sessions/${encodeURIComponent(handle)}/end`}>
        <button class="secondary" type="submit" aria-describedby={title}>
          {current ? messages.endCurrent : messages.end}
        </button>
      </PostForm>
    </li>
  )
}

function Application(props: { application: ApplicationView; view: SessionsView }) {
  const { application, view } = props
  const messages = accountMessages(view).sessions
  const { id, name, until, renewableUntil, approvals } = application
  const title = `application-${id}`
  return (
    <li>
      <h3 id={title}>
        <Foreign text={name} />
      </h3>
      {renewableUntil ? (
        <p class="detail">{messages.renewable(<Moment at={renewableUntil} view={view} />)}</p>
      ) : (
        until && <p class="detail">{messages.access(<Moment at={until} view={view} />)}</p>
      )}
      {approvals.map((approval) => {
        const { numSignatures, credential, expiresAt } = approval
        const described = `approval-${approval.id}`
        return (
          <PostForm action={`/account/sessions/approvals/${encodeURIComponent(approval.id)}/end`}>
            <p id={described}>
              {messages.approval(
                numSignatures,
                <Foreign text={credential} />,
                <Moment at={expiresAt} view={view} />,
              )}
            </p>
            <button class="secondary" type="submit" aria-describedby={described}>
              {messages.endApproval}
            </button>
          </PostForm>
        )
      })}
      <PostForm action={`/account/sessions/applications/${encodeURIComponent(id)}/end`}>
        <button class="secondary" type="submit" aria-describedby={title}>
          {messages.endApplication}
        </button>
      </PostForm>
    </li>
  )
}
