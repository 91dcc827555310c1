import { Field, Problem } from '../../pages/form.js'
import { groups } from '../../pages/format.js'
import { pageMessages, Time } from '../../pages/layout.js'
import { PostForm, renderAccountPage, type AccountPageView } from './account-page.js'
import { FACTOR_MESSAGES, type FactorMessages } from './factors-messages.js'
import { QrCode } from './qr-code.js'

export type FactorsProblem = keyof FactorMessages['problems']

export interface FactorsView extends AccountPageView {
  readonly authenticator: boolean
  /** How many are left. */
  readonly recoveryCodes: number
  readonly problem?: FactorsProblem
}

export interface ChangeFactorsView extends FactorsView {
  /** Whether the sign-in had a second factor. */
  readonly mayEnrol: boolean
  readonly mayRemove: boolean
}

export interface PendingAuthenticatorView extends AccountPageView {
  readonly id: string
  /** Base32. */
  readonly totpSecret: string
  /** What the QR code says. */
  readonly address: string
  readonly expiresAt: Date
  readonly problem?: FactorsProblem
}

export interface RecoveryCodesView extends AccountPageView {
  readonly recoveryCodes: readonly string[]
  readonly after: 'enrolled' | 'renewed'
}

const FEW = 3

export function renderFactors(view: FactorsView): string {
  const messages = FACTOR_MESSAGES[view.lang]
  const { authenticator, recoveryCodes, problem } = view
  return renderAccountPage(
    view,
    { title: messages.title, problem: problem !== undefined },
    <>
      {problem && <Problem>{messages.problems[problem]}</Problem>}
      <dl class="facts">
        <div>
          <dt>{messages.authenticator}</dt>
          <dd>{authenticator ? messages.enrolled : messages.notEnrolled}</dd>
        </div>
        {authenticator && (
          <div>
            <dt>{messages.recoveryCodes}</dt>
            <dd>
              {messages.left(recoveryCodes)}
              {recoveryCodes < FEW && <span class="detail">{messages.fewLeft}</span>}
            </dd>
          </div>
        )}
      </dl>
      {authenticator ? (
        <>
          <p class="buttons">
            <a class="button primary" href="/account/factors/change">
              {messages.change}
            </a>
          </p>
          <details class="other-way" open={problem !== undefined}>
            <summary>{messages.enrol.lost}</summary>
            <p>{messages.enrol.lostMeans}</p>
            <EnrolForm view={view} />
          </details>
        </>
      ) : (
        <section aria-labelledby="enrol">
          <h2 id="enrol">{messages.enrol.title}</h2>
          <p>{messages.enrol.means}</p>
          <EnrolForm view={view} />
        </section>
      )}
    </>,
  )
}

function EnrolForm({ view }: { view: FactorsView }) {
  const messages = FACTOR_MESSAGES[view.lang].enrol
  return (
    <PostForm action="/account/factors/enrol">
      <Field
        name="enrolmentCode"
        label={messages.label}
        hint={messages.hint}
        wrong={view.problem === 'wrong-enrolment-code'}
      />
      <Submit primary>{messages.go}</Submit>
    </PostForm>
  )
}

/** Shown only to who signed in with everything just now. */
export function renderChangeFactors(view: ChangeFactorsView): string {
  const messages = FACTOR_MESSAGES[view.lang].changing
  const { problems } = FACTOR_MESSAGES[view.lang]
  const { authenticator, mayEnrol, mayRemove, problem } = view
  return renderAccountPage(
    view,
    { title: messages.title, problem: problem !== undefined },
    <>
      {problem && <Problem>{problems[problem]}</Problem>}
      {!authenticator && !mayEnrol && (
        <p>{messages.needsCode(<a href="/account/factors">{messages.back}</a>)}</p>
      )}
      {mayEnrol && (
        <section aria-labelledby="replace">
          <h2 id="replace">{authenticator ? messages.replace : messages.first}</h2>
          <p>{authenticator ? messages.replaceMeans : messages.firstMeans}</p>
          <PostForm action="/account/factors/replace">
            <Submit primary>{authenticator ? messages.replaceGo : messages.firstGo}</Submit>
          </PostForm>
        </section>
      )}
      {authenticator && mayEnrol && (
        <>
          <section aria-labelledby="codes">
            <h2 id="codes">{messages.codes}</h2>
            <p>{messages.codesMeans}</p>
            <PostForm action="/account/factors/recovery-codes">
              <Submit>{messages.codesGo}</Submit>
            </PostForm>
          </section>
          <section aria-labelledby="remove">
            <h2 id="remove">{messages.remove}</h2>
            <p>{mayRemove ? messages.removeMeans : messages.needed}</p>
            {mayRemove && (
              <PostForm action="/account/factors/remove">
                <Submit>{messages.removeGo}</Submit>
              </PostForm>
            )}
          </section>
        </>
      )}
    </>,
  )
}

export function renderPendingAuthenticator(view: PendingAuthenticatorView): string {
  const messages = FACTOR_MESSAGES[view.lang].pending
  const { problems } = FACTOR_MESSAGES[view.lang]
  const { problem } = view
  return renderAccountPage(
    view,
    { title: messages.title, problem: problem !== undefined },
    <>
      <p>{messages.scan}</p>
      <QrCode text={view.address} label={messages.qrCode} />
      <p>{messages.type}</p>
      <p>
        <Grouped text={view.totpSecret} />
      </p>
      <p class="hint">{messages.until(<Time at={view.expiresAt} view={view} />)}</p>
      {problem && <Problem>{problems[problem]}</Problem>}
      <PostForm action={`/account/factors/pending/${view.id}`}>
        <Field
          name="otp"
          label={pageMessages(view).otp.label}
          hint={messages.confirm}
          wrong={problem !== undefined}
        />
        <Submit primary>{messages.go}</Submit>
      </PostForm>
    </>,
  )
}

export function renderRecoveryCodes(view: RecoveryCodesView): string {
  const messages = FACTOR_MESSAGES[view.lang].codes
  return renderAccountPage(
    view,
    { title: messages.title },
    <>
      <p role="status">{messages.after[view.after]}</p>
      <p>{messages.means}</p>
      <ol class="recovery-codes">
        {view.recoveryCodes.map((code) => (
          <li>
            <code>{code}</code>
          </li>
        ))}
      </ol>
      <p class="buttons">
        <a class="button primary" href="/account/factors">
          {messages.kept}
        </a>
      </p>
    </>,
  )
}

/** Set apart by style alone, so that copying gives it whole. */
function Grouped({ text }: { text: string }) {
  return (
    <code class="fingerprint">
      {groups(text).map((group) => (
        <>
          <span>{group}</span>
          <wbr />
        </>
      ))}
    </code>
  )
}

function Submit({ primary = false, children }: { primary?: boolean; children: string }) {
  return (
    <div class="buttons">
      <button class={primary ? 'primary' : 'secondary'} type="submit">
        {children}
      </button>
    </div>
  )
}
