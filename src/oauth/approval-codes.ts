import { createHash } from 'node:crypto'
import type { Credential } from '../credentials/credential.js'
import { MessageNotSentError } from '../errors.js'
import {
  addressOf,
  maskedAddress,
  type CodePurpose,
  type SentCodes,
  type SentFactor,
} from '../identity/sent-codes.js'
import type { FactorOutcome, GivenFactor } from '../identity/signing-factors.js'
import type { User } from '../identity/user.js'
import type { Transaction } from '../transactions/transaction.js'
import type { Language } from '../pages/language.js'
import { transactionFacts } from './identity-steps.js'
import type { ApprovalView, SendProblem, SentCodeView } from './pages/index.js'

const SENT_FACTORS = { email: 'email-otp', sms: 'sms-otp' } as const

/** By which channel the code comes that approves with this credential; null when we send none. */
export function sentFactor({ approvalFactor }: Credential): SentFactor | null {
  return approvalFactor === 'email' || approvalFactor === 'sms'
    ? SENT_FACTORS[approvalFactor]
    : null
}

/** A code sent for one transaction approves no other, nor this one with anything changed (S22). */
export function codePurpose(factor: SentFactor, transaction: Transaction): CodePurpose {
  const { credentialId, clientId } = transaction
  const facts = JSON.stringify(transactionFacts(transaction))
  const binding = createHash('sha256').update(facts).digest('base64url')
  return { credentialId, clientId, factor, binding }
}

/** The code as typed in: from the authenticator, or the one that was sent for exactly this transaction. */
export function typedCode(
  credential: Credential,
  transaction: Transaction,
  text: string,
): GivenFactor {
  const factor = sentFactor(credential)
  if (!factor) return { factor: 'totp', value: text }
  const { binding } = codePurpose(factor, transaction)
  return { factor, binding, value: text.replaceAll(' ', '') }
}

/** What the page tells of the code we send; undefined when none of the credentials takes one. */
export async function sentCodeView(
  sentCodes: SentCodes,
  user: User,
  candidates: readonly Credential[],
  transaction: Transaction | null,
): Promise<SentCodeView | undefined> {
  const [only, another] = candidates
  if (!candidates.some(sentFactor)) return undefined
  const factor = only && !another ? sentFactor(only) : null
  if (!factor || !transaction) return { to: null, channel: null, underway: null }
  const address = addressOf(user, factor)
  return {
    to: address === null ? null : maskedAddress(address),
    channel: factor === 'email-otp' ? 'email' : 'sms',
    underway: await sentCodes.underway(codePurpose(factor, transaction)),
  }
}

/** Sends the code; null when it is on its way. */
export async function sendCode(
  sentCodes: SentCodes,
  purpose: CodePurpose,
  to: User,
  about: { clientName: string; numSignatures: number; lang: Language },
): Promise<SendProblem | null> {
  try {
    const sent = await sentCodes.send(purpose, to, about)
    switch (sent.outcome) {
      case 'sent':
        return null
      case 'no-address':
        return 'no-address'
      case 'too-early':
        return { resendAt: sent.until }
      case 'too-many':
        return { tooManyUntil: sent.until }
    }
  } catch (error) {
    if (!(error instanceof MessageNotSentError)) throw error
    return error.why === 'address-refused' ? 'address-refused' : 'not-sent'
  }
}

/** What to tell of factors that did not do. */
export function factorProblem(
  checked: Exclude<FactorOutcome, { outcome: 'accepted' }>,
  credential: Credential,
  now: Date,
): NonNullable<ApprovalView['problem']> {
  switch (checked.outcome) {
    case 'locked':
      return { lockedUntil: checked.until ?? now }
    case 'wrong':
      return checked.wrong.includes('pin') ? 'wrong-pin' : 'wrong-code'
    case 'used-code':
      return sentFactor(credential) ? 'used-sent-code' : 'used-code'
    case 'expired-code':
      return 'expired-code'
  }
}
