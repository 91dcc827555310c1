import { DistinguishedName } from '../../pages/distinguished-name.js'
import { Foreign } from '../../pages/layout.js'
import {
  accountMessages,
  Moment,
  PostForm,
  renderAccountPage,
  type AccountPageView,
} from './account-page.js'

export interface CredentialView {
  readonly id: string
  readonly description: string
  readonly keyAlgorithm: string
  readonly subject: string
  readonly issuer: string
  readonly serialNumber: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly status: 'valid' | 'expired' | 'suspended' | 'revoked' | 'disabled'
  /** Whether its owner may take the suspension back. */
  readonly resumable: boolean
}

export interface CredentialsView extends AccountPageView {
  readonly credentials: readonly CredentialView[]
}

export function renderCredentials(view: CredentialsView): string {
  const { credentials: messages, sections } = accountMessages(view)
  return renderAccountPage(
    view,
    { title: sections.credentials },
    view.credentials.length === 0 ? (
      <p class="empty">{messages.none}</p>
    ) : (
      <>
        <p>{messages.hint}</p>
        <ul class="entries">
          {view.credentials.map((credential) => (
            <Entry credential={credential} view={view} />
          ))}
        </ul>
      </>
    ),
  )
}

function Entry({ credential, view }: { credential: CredentialView; view: AccountPageView }) {
  const messages = accountMessages(view).credentials
  const { id, description, status, resumable } = credential
  const title = `credential-${id}`
  const address = `/account/credentials/${encodeURIComponent(id)}`
  const canSuspend = status === 'valid' || status === 'expired'
  return (
    <li>
      <h2 id={title}>
        <Foreign text={description} />
      </h2>
      <Facts credential={credential} view={view} />
      {status === 'suspended' && !resumable && <p class="detail">{messages.byOperator}</p>}
      {status !== 'revoked' && (
        <div class="buttons">
          {canSuspend && (
            <PostForm action={`${address}/suspend`}>
              <button class="secondary" type="submit" aria-describedby={title}>
                {messages.suspend}
              </button>
            </PostForm>
          )}
          {resumable && (
            <a class="button secondary" href={`${address}/resume`} aria-describedby={title}>
              {messages.decisions.resume.link}
            </a>
          )}
          <a class="button secondary" href={`${address}/revoke`} aria-describedby={title}>
            {messages.decisions.revoke.link}
          </a>
        </div>
      )}
    </li>
  )
}

function Facts({ credential, view }: { credential: CredentialView; view: AccountPageView }) {
  const messages = accountMessages(view).credentials
  const { subject, issuer, serialNumber, notBefore, notAfter, keyAlgorithm, status } = credential
  return (
    <dl class="facts">
      <div>
        <dt>{messages.status}</dt>
        <dd>{messages.statuses[status]}</dd>
      </div>
      <div>
        <dt>{messages.subject}</dt>
        <dd>
          <DistinguishedName text={subject} />
        </dd>
      </div>
      <div>
        <dt>{messages.issuer}</dt>
        <dd>
          <DistinguishedName text={issuer} />
        </dd>
      </div>
      <div>
        <dt>{messages.serialNumber}</dt>
        <dd>
          <code>{serialNumber}</code>
        </dd>
      </div>
      <div>
        <dt>{messages.validity}</dt>
        <dd>
          <Moment at={notBefore} view={view} /> – <Moment at={notAfter} view={view} />
        </dd>
      </div>
      <div>
        <dt>{messages.key}</dt>
        <dd>
          <code>{keyAlgorithm}</code>
        </dd>
      </div>
    </dl>
  )
}

export interface CredentialDecisionView extends AccountPageView {
  readonly credential: CredentialView
  readonly decision: 'resume' | 'revoke'
}

/** Asks once more, and says what follows. */
export function renderCredentialDecision(view: CredentialDecisionView): string {
  const { credential, decision } = view
  const { title, means, confirm } = accountMessages(view).credentials.decisions[decision]
  const { keep } = accountMessages(view).credentials
  return renderAccountPage(
    view,
    { title },
    <>
      <p class="asks">
        <strong>
          <Foreign text={credential.description} />
        </strong>
      </p>
      <p id="means">{means}</p>
      <Facts credential={credential} view={view} />
      <PostForm action={`/account/credentials/${encodeURIComponent(credential.id)}/${decision}`}>
        <div class="buttons">
          <button
            class={decision === 'revoke' ? 'secondary danger' : 'primary'}
            type="submit"
            aria-describedby="means"
          >
            {confirm}
          </button>
          <a class="button secondary" href="/account/credentials">
            {keep}
          </a>
        </div>
      </PostForm>
    </>,
  )
}
