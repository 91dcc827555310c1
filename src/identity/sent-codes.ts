import { randomInt, randomUUID } from 'node:crypto'
import type { AuditLog } from '../audit/audit-log.js'
import { auditEvent, type AuditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import type { Factor } from '../credentials/auth-object.js'
import { MessageNotSentError } from '../errors.js'
import { codeWording } from './code-message.js'
import type { Messenger } from './messenger.js'
import type { Throttle } from './throttle.js'
import type { User } from './user.js'

const DIGITS = 8
const LIFETIME_SECONDS = 300
/** Earlier than this after the last one, no new code is sent. */
const RESEND_AFTER_SECONDS = 30
/** Within this, a person and an address get a limited number of codes. */
const FLOOD_WINDOW_SECONDS = 3600

export type SentFactor = Extract<Factor, 'email-otp' | 'sms-otp'>

/** For which approval a code was sent: it opens that credential, through that application. */
export interface CodePurpose {
  readonly credentialId: string
  readonly clientId: string
  readonly factor: SentFactor
  /**
   * Hash over the transaction and all its digests: the code approves nothing else (S22). Empty for
   * `credentials/getChallenge`, which applications call before they say what is to be signed.
   */
  readonly binding: string
}

export interface SentCode {
  readonly id: string
  /** Keyed: who reads it in the database cannot try codes against it. */
  readonly codeHash: string
  readonly sentAt: Date
  readonly expiresAt: Date
  /** Used, or replaced by a newer one. */
  readonly spentAt: Date | null
}

export interface SentCodeStore {
  /** Replaces unspent codes of the same purpose: only the newest opens. */
  add(purpose: CodePurpose, code: SentCode, audit: readonly AuditEvent[]): Promise<void>
  /** The last few, newest first, spent and expired ones too. */
  recent(purpose: CodePurpose): Promise<SentCode[]>
  /** Of concurrent calls, exactly one gets true; none after expiry. */
  spend(id: string, at: Date): Promise<boolean>
}

export type SendOutcome =
  | { readonly outcome: 'sent' }
  /** One was sent a moment ago, or many were within the hour. */
  | { readonly outcome: 'too-early' | 'too-many'; readonly until: Date }
  /** The person has no address of that kind. */
  | { readonly outcome: 'no-address' }

export type CodeMatch =
  | { readonly outcome: 'right'; readonly id: string }
  | { readonly outcome: 'wrong' | 'expired' | 'used' }

/** A code on its way: what the person may be told about it. */
export interface Underway {
  readonly expiresAt: Date
  /** Null when another may be asked for now. */
  readonly resendAt: Date | null
}

/** One-time codes that travel out of band: random, short-lived, kept only hashed, good for one use. */
export class SentCodes {
  readonly #store: SentCodeStore
  readonly #messengers: Readonly<Record<SentFactor, Messenger>>
  readonly #throttle: Throttle
  readonly #secrets: Secrets
  readonly #audit: AuditLog
  readonly #now: () => Date
  readonly #sentCodesPerHour: number

  constructor(parts: {
    store: SentCodeStore
    mail: Messenger
    sms: Messenger
    throttle: Throttle
    secrets: Secrets
    audit: AuditLog
    now: () => Date
    limits: { sentCodesPerHour: number }
  }) {
    this.#store = parts.store
    this.#messengers = { 'email-otp': parts.mail, 'sms-otp': parts.sms }
    this.#throttle = parts.throttle
    this.#secrets = parts.secrets
    this.#audit = parts.audit
    this.#now = parts.now
    this.#sentCodesPerHour = parts.limits.sentCodesPerHour
  }

  /**
   * Sends a new code, after which older ones of that purpose no longer count. When it cannot be sent,
   * older ones stay good and another may be asked for at once.
   * @throws {MessageNotSentError}
   */
  async send(
    purpose: CodePurpose,
    recipient: User,
    about: { clientName: string; numSignatures: number | null; lang: string },
  ): Promise<SendOutcome> {
    const to = addressOf(recipient, purpose.factor)
    if (to === null) return { outcome: 'no-address' }
    const resend = resendKey(purpose)
    if (!(await this.#throttle.allow(resend, 1, RESEND_AFTER_SECONDS))) {
      return { outcome: 'too-early', until: await this.#windowEnd(resend) }
    }
    for (const key of [`codes person ${recipient.id}`, `codes address ${to}`]) {
      if (await this.#throttle.allow(key, this.#sentCodesPerHour, FLOOD_WINDOW_SECONDS)) continue
      return { outcome: 'too-many', until: await this.#windowEnd(key) }
    }
    const code = String(randomInt(10 ** DIGITS)).padStart(DIGITS, '0')
    const wording = codeWording(about.lang)
    const facts = {
      ...{ code, displayName: recipient.displayName, minutes: LIFETIME_SECONDS / 60 },
      ...{ clientName: about.clientName, numSignatures: about.numSignatures },
    }
    const text = purpose.factor === 'email-otp' ? wording.mail(facts) : wording.sms(facts)
    await this.#deliver(purpose, recipient.id, { to, subject: wording.subject, text })
    await this.#keep(purpose, recipient.id, code)
    return { outcome: 'sent' }
  }

  /** Whether this value is the code of that purpose. It is not used up; whoever calls limits the guesses. */
  async match(purpose: CodePurpose, value: string): Promise<CodeMatch> {
    const sent = await this.#store.recent(purpose)
    const code = sent.find(({ id, codeHash }) =>
      this.#secrets.isBound(codeHash, ...codeFacts(id, value)),
    )
    if (!code) return { outcome: 'wrong' }
    if (code.spentAt) return { outcome: 'used' }
    return code.expiresAt <= this.#now()
      ? { outcome: 'expired' }
      : { outcome: 'right', id: code.id }
  }

  spend(id: string): Promise<boolean> {
    return this.#store.spend(id, this.#now())
  }

  /** The code that was sent for this purpose and can still be entered. */
  async underway(purpose: CodePurpose): Promise<Underway | null> {
    const [newest] = await this.#store.recent(purpose)
    if (!newest || newest.spentAt || newest.expiresAt <= this.#now()) return null
    const resendAt = await this.#throttle.windowEnd(resendKey(purpose))
    return { expiresAt: newest.expiresAt, resendAt }
  }

  async #deliver(
    purpose: CodePurpose,
    userId: string,
    message: { to: string; subject: string; text: string },
  ): Promise<void> {
    try {
      await this.#messengers[purpose.factor].send(message)
    } catch (error) {
      await this.#throttle.clear(resendKey(purpose))
      const why = error instanceof MessageNotSentError ? describe(error) : 'failed'
      await this.#audit.append(auditEvent('code.not-sent', { ...sentTo(purpose, userId), why }))
      if (error instanceof MessageNotSentError) throw error
      throw new MessageNotSentError('unavailable', { cause: error })
    }
  }

  #keep(purpose: CodePurpose, userId: string, code: string): Promise<void> {
    const now = this.#now()
    const id = randomUUID()
    const row = {
      ...{ id, codeHash: this.#secrets.bind(...codeFacts(id, code)), sentAt: now, spentAt: null },
      expiresAt: new Date(now.getTime() + LIFETIME_SECONDS * 1000),
    }
    return this.#store.add(purpose, row, [auditEvent('code.sent', sentTo(purpose, userId))])
  }

  async #windowEnd(key: string): Promise<Date> {
    return (await this.#throttle.windowEnd(key)) ?? this.#now()
  }
}

/** Where codes of that kind go. */
export function addressOf({ email, phone }: User, factor: SentFactor): string | null {
  return factor === 'email-otp' ? email : phone
}

/** Enough of an address for its owner to know it, and for nobody else to learn it. */
export function maskedAddress(address: string): string {
  const [name = '', domain] = address.split('@')
  if (domain === undefined) return `${address.slice(0, 4)}…${address.slice(-2)}`
  return `${name.slice(0, 1)}…@${domain}`
}

function sentTo({ credentialId, clientId, factor }: CodePurpose, userId: string) {
  return { userId, credentialId, clientId, factor }
}

function resendKey({ credentialId, clientId, factor, binding }: CodePurpose): string {
  return `code resend ${credentialId} ${clientId} ${factor} ${binding}`
}

function codeFacts(id: string, code: string): string[] {
  return ['sent code', id, code]
}

/** What the mail server or gateway said, without the address that some repeat. */
function describe({ why, cause }: MessageNotSentError): string {
  const { code, responseCode } = (cause ?? {}) as { code?: string; responseCode?: number }
  return [why, code, responseCode].filter((part) => part !== undefined).join(' ')
}
