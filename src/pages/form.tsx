import type { ComponentChildren } from 'preact'
import { pageMessages, Time, type ClientView, type PageView } from './layout.js'

/** A page with a form that is posted back to the server. */
export interface FormView extends PageView {
  /** Where the form is posted to. */
  readonly action: string
  /** Who asks. */
  readonly client: ClientView
}

export type CodeProblem =
  | 'wrong-code'
  | 'used-code'
  | 'used-sent-code'
  | 'expired-code'
  | 'wrong-recovery-code'
  | 'used-recovery-code'
  | { readonly lockedUntil: Date }
export type PinProblem = 'wrong-pin'

/** Of the problem that a field refers to. */
export const PROBLEM_ID = 'problem'

/** Posts to the server; buttons come in the order they are given, so the first is what Enter does. */
export function Form({ view, children }: { view: FormView; children: ComponentChildren }) {
  return (
    <form method="post" action={view.action} class="form" autocomplete="on">
      {children}
    </form>
  )
}

/**
 * What was wrong with the last answer. It has the focus when the page comes up, so that it is in view and
 * read out, and the field in question refers to it.
 * @param standing says what holds for the page whatever was answered: there may be another one beside it
 */
export function Problem({
  standing = false,
  children,
}: {
  standing?: boolean
  children: ComponentChildren
}) {
  const first = standing ? {} : { id: PROBLEM_ID, tabIndex: -1, autofocus: true }
  return (
    <div class="problem" role="alert" {...first}>
      <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
        <circle cx="10" cy="10" r="9" />
        <path d="M10 5.5v5.5M10 14.2v.1" />
      </svg>
      <p>{children}</p>
    </div>
  )
}

export function CodeProblemText({ problem, view }: { problem: CodeProblem; view: PageView }) {
  const messages = pageMessages(view)
  if (typeof problem === 'string') return <>{messages.otp.problems[problem]}</>
  return <>{messages.locked(<Time at={problem.lockedUntil} view={view} />)}</>
}

interface FieldProps {
  name: 'username' | 'password' | 'otp' | 'pin' | 'recoveryCode' | 'enrolmentCode'
  label: string
  hint?: string
  value?: string
  /** The problem shown above is about this field. */
  wrong?: boolean
  focus?: boolean
  /** It can be left empty. */
  optional?: boolean
}

const LONG_CODE = {
  type: 'text',
  autocomplete: 'off',
  autocapitalize: 'characters',
  spellcheck: false,
  maxLength: 40,
} as const

const KINDS = {
  recoveryCode: LONG_CODE,
  enrolmentCode: LONG_CODE,
  username: {
    type: 'text',
    autocomplete: 'username',
    autocapitalize: 'none',
    spellcheck: false,
    maxLength: 200,
  },
  password: { type: 'password', autocomplete: 'current-password', maxLength: 1000 },
  otp: { type: 'text', inputMode: 'numeric', autocomplete: 'one-time-code', maxLength: 12 },
  pin: { type: 'password', inputMode: 'numeric', autocomplete: 'off', maxLength: 64 },
} as const

export function Field(props: FieldProps) {
  const { name, label, hint, value, wrong = false, focus = false, optional = false } = props
  const hintId = `${name}-hint`
  const describedBy = [...(wrong ? [PROBLEM_ID] : []), ...(hint ? [hintId] : [])].join(' ')
  return (
    <div class={`field field-${name}`}>
      <label for={name}>{label}</label>
      {hint && (
        <p class="hint" id={hintId}>
          {hint}
        </p>
      )}
      <input
        {...KINDS[name]}
        id={name}
        name={name}
        required={!optional}
        value={value}
        autofocus={focus || undefined}
        aria-invalid={wrong ? 'true' : undefined}
        aria-describedby={describedBy || undefined}
      />
    </div>
  )
}

export function Buttons({ children }: { children: ComponentChildren }) {
  return <div class="buttons">{children}</div>
}

export function AgreeButton({ value, children }: AgreeButtonProps) {
  return (
    <button class="primary" type="submit" name="action" value={value}>
      {children}
    </button>
  )
}
interface AgreeButtonProps {
  value: 'continue' | 'approve'
  children: ComponentChildren
}

/** Refusing must always work, so the fields are not checked for it. */
export function RejectButton({ children }: { children: ComponentChildren }) {
  return (
    <button class="secondary" type="submit" name="action" value="reject" formnovalidate>
      {children}
    </button>
  )
}
