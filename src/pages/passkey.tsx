import type { ComponentChildren } from 'preact'
import { Problem } from './form.js'
import { pageMessages, type PageView } from './layout.js'
import type { PageMessages } from './messages.js'

export const PASSKEY_SCRIPT_PATH = '/assets/passkeys.js'

/** Name of the field in which the browser's answer comes back, and value of the button. */
export const PASSKEY_FIELD = 'passkey'

/** What the browser is to do: `navigator.credentials.get` or `create`, with these options. */
export interface PasskeyQuestion {
  readonly ceremony: 'get' | 'create'
  /** As JSON, binary members in Base64url (WebAuthn, 5.1). */
  readonly options: object
}

export type PasskeyProblem = keyof PageMessages['passkey']['problems']

/** Problems that only the browser sees. The script shows the one that occurred. */
const FOUND_BY_SCRIPT: readonly PasskeyProblem[] = [
  ...(['cancelled', 'timed-out', 'unsupported', 'failed', 'exists'] as const),
]

export function PasskeyProblemText({
  problem,
  standing = false,
  view,
}: {
  problem: PasskeyProblem
  standing?: boolean
  view: PageView
}) {
  return <Problem standing={standing}>{pageMessages(view).passkey.problems[problem]}</Problem>
}

/** The question, for the script; the field that it fills in; what it says when that fails. */
export function PasskeyField({ question, view }: { question: PasskeyQuestion; view: PageView }) {
  return (
    <>
      <input
        type="hidden"
        data-ceremony={question.ceremony}
        data-options={JSON.stringify(question.options)}
        name={PASSKEY_FIELD}
      />
      <div data-passkey-alert />
      {FOUND_BY_SCRIPT.map((problem) => (
        <template data-passkey-problem={problem}>
          <PasskeyProblemText problem={problem} view={view} />
        </template>
      ))}
      <script src={PASSKEY_SCRIPT_PATH} defer />
    </>
  )
}

/** Hidden until the script finds that the browser can do it. */
export function PasskeyButton({
  primary = false,
  children,
}: {
  primary?: boolean
  children: ComponentChildren
}) {
  return (
    <button
      class={primary ? 'primary' : 'secondary'}
      type="submit"
      name="action"
      value={PASSKEY_FIELD}
      data-passkey
      hidden
    >
      <span>{children}</span>
    </button>
  )
}

/** For browsers without script, where nothing but a passkey will do. */
export function PasskeyNeedsScript({ view }: { view: PageView }) {
  return (
    <noscript>
      <PasskeyProblemText problem="no-script" standing view={view} />
    </noscript>
  )
}
