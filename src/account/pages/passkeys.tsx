import type { Passkey } from '../../identity/passkeys.js'
import { Field, Problem, PROBLEM_ID } from '../../pages/form.js'
import { Foreign } from '../../pages/layout.js'
import {
  PasskeyButton,
  PasskeyField,
  PasskeyNeedsScript,
  PasskeyProblemText,
  type PasskeyProblem,
  type PasskeyQuestion,
} from '../../pages/passkey.js'
import { Moment, PostForm, renderAccountPage, type AccountPageView } from './account-page.js'
import { PASSKEY_MESSAGES, type PasskeyMessages } from './passkeys-messages.js'

export interface PasskeysView extends AccountPageView {
  readonly passkeys: readonly Passkey[]
  /** Id of the one that cannot be called that. */
  readonly misnamed: string | null
}

type OwnProblem = keyof PasskeyMessages['problems']
export type AddPasskeyProblem = OwnProblem | PasskeyProblem

export interface AddPasskeyView extends AccountPageView {
  /** What allows it: a fresh sign-in with a second factor, or the operator's code. */
  readonly by: 'sign-in' | 'enrolment-code' | 'nothing'
  /** None where no passkey can be added. */
  readonly question?: PasskeyQuestion
  /** What was typed last time. */
  readonly name?: string
  readonly problem?: AddPasskeyProblem
}

export interface RemovePasskeyView extends AccountPageView {
  readonly passkey: Passkey
  readonly isLast: boolean
}

const MAX_LENGTH = 60
const ADD_PATH = '/account/passkeys/add'
const ENROL_PATH = '/account/passkeys/enrol'

export function renderPasskeys(view: PasskeysView): string {
  const messages = PASSKEY_MESSAGES[view.lang]
  const { passkeys, misnamed } = view
  return renderAccountPage(
    view,
    { title: messages.title, problem: misnamed !== null },
    <>
      {misnamed !== null && <Problem>{messages.problems.name}</Problem>}
      <p>{messages.means}</p>
      {passkeys.length === 0 ? (
        <p class="empty">{messages.none}</p>
      ) : (
        <ul class="entries">
          {passkeys.map((passkey) => (
            <li>
              <Entry passkey={passkey} view={view} />
            </li>
          ))}
        </ul>
      )}
      <p class="buttons">
        <a class="button primary" href={ADD_PATH}>
          {messages.add}
        </a>
      </p>
      <p class="hint">{messages.byCode(<a href={ENROL_PATH}>{messages.byCodeLink}</a>)}</p>
    </>,
  )
}

function Entry({ passkey, view }: { passkey: Passkey; view: PasskeysView }) {
  const messages = PASSKEY_MESSAGES[view.lang]
  const { id, name, createdAt, lastUsedAt } = passkey
  const misnamed = view.misnamed === id
  return (
    <>
      <h2>
        <Foreign text={name} max={MAX_LENGTH} />
      </h2>
      <p class="hint">{messages.created(<Moment at={createdAt} view={view} />)}</p>
      <p class="hint">
        {lastUsedAt ? messages.used(<Moment at={lastUsedAt} view={view} />) : messages.unused}
      </p>
      <PostForm action={`/account/passkeys/${id}/rename`}>
        <NameField id={`name-${id}`} label={messages.rename} value={name} wrong={misnamed} />
        <button class="secondary" type="submit">
          {messages.save}
        </button>
      </PostForm>
      <p>
        <a href={`/account/passkeys/${id}/remove`}>
          {messages.removeLink(<Foreign text={name} max={MAX_LENGTH} />)}
        </a>
      </p>
    </>
  )
}

function NameField(props: {
  id: string
  label: string
  hint?: string
  value: string
  wrong: boolean
}) {
  const { id, label, hint, value, wrong } = props
  const hintId = `${id}-hint`
  const describedBy = [...(wrong ? [PROBLEM_ID] : []), ...(hint ? [hintId] : [])].join(' ')
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {hint && (
        <p class="hint" id={hintId}>
          {hint}
        </p>
      )}
      <input
        type="text"
        id={id}
        name="name"
        value={value}
        required
        maxLength={MAX_LENGTH}
        autocomplete="off"
        aria-invalid={wrong ? 'true' : undefined}
        aria-describedby={describedBy || undefined}
      />
    </div>
  )
}

export function renderAddPasskey(view: AddPasskeyView): string {
  const messages = PASSKEY_MESSAGES[view.lang]
  const { by, problem, question } = view
  return renderAccountPage(
    view,
    { title: messages.adding.title, problem: problem !== undefined },
    <>
      {problem && <AddProblem problem={problem} view={view} />}
      {by === 'nothing' ? (
        <p>{messages.adding.needsCode(<a href={ENROL_PATH}>{messages.byCodeLink}</a>)}</p>
      ) : question ? (
        <AddForm question={question} view={view} />
      ) : (
        <p>{messages.adding.impossible}</p>
      )}
    </>,
  )
}

function AddForm({ question, view }: { question: PasskeyQuestion; view: AddPasskeyView }) {
  const messages = PASSKEY_MESSAGES[view.lang].adding
  const byCode = view.by === 'enrolment-code'
  return (
    <>
      <p>{messages.means}</p>
      <PasskeyNeedsScript view={view} />
      <PostForm action={byCode ? ENROL_PATH : ADD_PATH}>
        {byCode && (
          <Field
            name="enrolmentCode"
            label={messages.code}
            hint={messages.codeHint}
            wrong={view.problem === 'wrong-enrolment-code'}
          />
        )}
        <NameField
          id="name"
          label={messages.name}
          hint={messages.nameHint}
          value={view.name ?? ''}
          wrong={view.problem === 'name'}
        />
        <PasskeyField question={question} view={view} />
        <div class="buttons">
          <PasskeyButton primary>{messages.go}</PasskeyButton>
        </div>
      </PostForm>
    </>
  )
}

function AddProblem({ problem, view }: { problem: AddPasskeyProblem; view: AddPasskeyView }) {
  const { problems } = PASSKEY_MESSAGES[view.lang]
  return isOwn(problem) ? (
    <Problem>{problems[problem]}</Problem>
  ) : (
    <PasskeyProblemText problem={problem} view={view} />
  )
}

function isOwn(problem: AddPasskeyProblem): problem is OwnProblem {
  return Object.hasOwn(PASSKEY_MESSAGES.en.problems, problem)
}

/** Shown only to who signed in with everything just now. */
export function renderRemovePasskey(view: RemovePasskeyView): string {
  const messages = PASSKEY_MESSAGES[view.lang].removing
  const { passkey, isLast } = view
  return renderAccountPage(
    view,
    { title: messages.title },
    <>
      <p class="asks">
        <strong>
          <Foreign text={passkey.name} max={MAX_LENGTH} />
        </strong>
      </p>
      <p>{messages.means}</p>
      {isLast && <p>{messages.last}</p>}
      <PostForm action={`/account/passkeys/${passkey.id}/remove`}>
        <div class="buttons">
          <button class="secondary danger" type="submit">
            {messages.go}
          </button>
          <a class="button secondary" href="/account/passkeys">
            {messages.keep}
          </a>
        </div>
      </PostForm>
    </>,
  )
}
