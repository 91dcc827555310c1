import { ClientName, Foreign, Time } from '../../pages/layout.js'
import { accountMessages, renderAccountPage, type AccountPageView } from './account-page.js'

export interface WaitingRequest {
  readonly id: string
  readonly clientName: string
  readonly numSignatures: number
  /** What the application says it is for. */
  readonly description: string | null
  readonly expiresAt: Date
  /** Four digits, to tell requests apart. */
  readonly confirmation: string
}

/** The requests that wait, each with a link to the page on which it is decided. */
export function renderApprovals(
  view: AccountPageView,
  requests: readonly WaitingRequest[],
): string {
  const messages = accountMessages(view).approvals
  return renderAccountPage(
    view,
    { title: messages.title },
    requests.length === 0 ? (
      <p class="empty">{messages.none}</p>
    ) : (
      <ul class="entries">
        {requests.map((request) => (
          <Request request={request} view={view} />
        ))}
      </ul>
    ),
  )
}

function Request({ request, view }: { request: WaitingRequest; view: AccountPageView }) {
  const messages = accountMessages(view).approvals
  const client = <ClientName client={{ name: request.clientName }} view={view} />
  return (
    <li>
      <p>{messages.asks(client, request.numSignatures)}</p>
      {request.description !== null && (
        <p>
          <Foreign text={request.description} max={500} />
        </p>
      )}
      <p class="hint">
        {messages.until(<Time at={request.expiresAt} view={view} />)}{' '}
        {messages.confirmation(<code>{request.confirmation}</code>)}
      </p>
      <p class="buttons">
        <a class="button primary" href={`/account/approvals/${request.id}`}>
          {messages.open(request.confirmation)}
        </a>
      </p>
    </li>
  )
}
