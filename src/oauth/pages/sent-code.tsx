import { duration } from '../../pages/format.js'
import { Time, type PageView } from '../../pages/layout.js'
import { messagesOf } from './messages.js'

/** A code that we send, for credentials that are approved with one. */
export interface SentCodeView {
  /** Masked; null when there is no address, or it depends on what is chosen. */
  readonly to: string | null
  /** Null while it depends on what is chosen. */
  readonly channel: 'email' | 'sms' | null
  /** The code that was sent and can still be entered. */
  readonly underway: { readonly expiresAt: Date; readonly resendAt: Date | null } | null
}

/** Why no code was sent. */
export type SendProblem =
  | 'no-address'
  | 'not-sent'
  | 'address-refused'
  | { readonly resendAt: Date }
  | { readonly tooManyUntil: Date }

export function isSendProblem(problem: unknown): problem is SendProblem {
  if (typeof problem === 'object' && problem !== null) {
    return 'resendAt' in problem || 'tooManyUntil' in problem
  }
  return problem === 'no-address' || problem === 'not-sent' || problem === 'address-refused'
}

export function SendProblemText({ problem, view }: { problem: SendProblem; view: PageView }) {
  const messages = messagesOf(view)
  const { problems } = messages.sentCode
  if (typeof problem === 'string') return <>{problems[problem]}</>
  if ('tooManyUntil' in problem) {
    return <>{problems.tooMany(<Time at={problem.tooManyUntil} view={view} />)}</>
  }
  return <>{problems.tooEarly(duration(messages, secondsUntil(problem.resendAt, view)))}</>
}

/** Where the code went and how long it lasts, or that one can be had. */
export function SentCodeStatus({ code, view }: { code: SentCodeView; view: PageView }) {
  const messages = messagesOf(view)
  const { to, channel, underway } = code
  if (channel === null) return <p class="hint">{messages.sentCode.ifChosen}</p>
  if (to === null) return <p class="hint">{messages.sentCode.problems['no-address']}</p>
  const address = <bdi>{to}</bdi>
  if (!underway) return <p class="hint">{messages.sentCode.goesTo[channel](address)}</p>
  return (
    <p class="notice" role="status">
      {messages.sentCode.sent(address, <Time at={underway.expiresAt} view={view} />)}{' '}
      {underway.resendAt
        ? messages.sentCode.resendIn(duration(messages, secondsUntil(underway.resendAt, view)))
        : messages.sentCode.resendNow}
    </p>
  )
}

/** Sending takes none of the other fields. */
export function SendCodeButton({ code, view }: { code: SentCodeView; view: PageView }) {
  const { send, sendAgain } = messagesOf(view).sentCode
  const waits = code.channel !== null && !code.underway
  return (
    <button
      class={waits ? 'primary' : 'secondary'}
      type="submit"
      name="action"
      value="send-code"
      formnovalidate
    >
      {code.underway ? sendAgain : send}
    </button>
  )
}

function secondsUntil(at: Date, { now = new Date() }: PageView): number {
  return Math.max(1, Math.ceil((at.getTime() - now.getTime()) / 1000))
}
