import type { ComponentChildren } from 'preact'
import { displayText } from '../../pages/display-text.js'
import { Problem } from '../../pages/form.js'
import { type PageView } from '../../pages/layout.js'
import { messagesOf, type Messages } from './messages.js'

/** A way to prove at an identity provider who one is. */
export interface IdentityButton {
  /** Value of the button. */
  readonly action: string
  /** What people know the provider as. */
  readonly label: string
}

export interface IdentityProblem {
  readonly kind: keyof Messages['identity']['problems']
  /** What people know the provider as; empty when it is none of ours. */
  readonly label: string
}

/** A name in our own configuration, kept apart from the text around it all the same. */
export function ProviderName({ label }: { label: string }) {
  return (
    <strong>
      <bdi>{displayText(label, 60)}</bdi>
    </strong>
  )
}

export function IdentityProblemText({
  problem,
  standing = false,
  view,
}: {
  problem: IdentityProblem
  standing?: boolean
  view: PageView
}) {
  const { identity, anIdentity } = messagesOf(view)
  const label = problem.label || anIdentity
  return (
    <Problem standing={standing}>
      {identity.problems[problem.kind](<ProviderName label={label} />)}
    </Problem>
  )
}

/** Leaves the fields alone, filled in or not: nothing typed here is needed there. */
export function IdentityButtonOf({
  button,
  primary = false,
  checks = false,
  children,
}: {
  button: IdentityButton
  primary?: boolean
  /** Whether the fields of the form have to be filled in first. */
  checks?: boolean
  children: ComponentChildren
}) {
  return (
    <button
      class={primary ? 'primary' : 'secondary'}
      type="submit"
      name="action"
      value={button.action}
      formnovalidate={!checks}
    >
      {/* The button is a flex box, in which the space before a name would be lost. */}
      <span>{children}</span>
    </button>
  )
}
