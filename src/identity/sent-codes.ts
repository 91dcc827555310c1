import { randomInt, randomUUID } from 'node:crypto'
import { hashPassword, verifyPassword } from './password.js'
import type { Factor } from '../credentials/auth-object.js'

const DIGITS = 8
const LIFETIME_SECONDS = 300
/** Earlier than this after the last one, no new code is sent. */
const RESEND_AFTER_SECONDS = 30

/** For which approval a code was sent: it opens that credential, through that application. */
export interface CodePurpose {
  readonly credentialId: string
  readonly clientId: string
  readonly factor: Factor
}

export interface SentCode {
  readonly id: string
  readonly codeHash: string
  readonly sentAt: Date
  readonly expiresAt: Date
}

export interface SentCodeStore {
  /** Replaces unspent codes of the same purpose: only the newest opens. */
  add(purpose: CodePurpose, code: SentCode): Promise<void>
  /** The newest unspent one. */
  newest(purpose: CodePurpose): Promise<SentCode | null>
  /** Of concurrent calls, exactly one gets true. */
  spend(id: string, at: Date): Promise<boolean>
}

/** Brings a message to a person. */
export interface Messenger {
  send(message: { to: string; subject: string; text: string }): Promise<void>
}

/** One-time codes that travel out of band: random, short-lived, kept only hashed, good for one use. */
export class SentCodes {
  readonly #store: SentCodeStore
  readonly #mail: Messenger
  readonly #now: () => Date

  constructor(parts: { store: SentCodeStore; mail: Messenger; now: () => Date }) {
    this.#store = parts.store
    this.#mail = parts.mail
    this.#now = parts.now
  }

  /** @returns false when the last one was sent too recently */
  async send(
    purpose: CodePurpose,
    recipient: { email: string; displayName: string },
    clientName: string,
  ): Promise<boolean> {
    const now = this.#now()
    const last = await this.#store.newest(purpose)
    if (last && now.getTime() - last.sentAt.getTime() < RESEND_AFTER_SECONDS * 1000) return false
    const code = String(randomInt(10 ** DIGITS)).padStart(DIGITS, '0')
    await this.#store.add(purpose, {
      id: randomUUID(),
      codeHash: await hashPassword(code),
      sentAt: now,
      expiresAt: new Date(now.getTime() + LIFETIME_SECONDS * 1000),
    })
    await this.#mail.send({
      to: recipient.email,
      subject: 'Your signing code',
      text: [
        `Hello ${recipient.displayName},`,
        `${clientName} asks for your signature. Your code is ${code}.`,
        `It is good for ${LIFETIME_SECONDS / 60} minutes and for one approval.`,
        'If you did not ask for it, do nothing and tell your signing service.',
      ].join('\n\n'),
    })
    return true
  }

  /** The id of the code this value fits, or null. */
  async match(purpose: CodePurpose, value: string): Promise<string | null> {
    const newest = await this.#store.newest(purpose)
    if (!newest || newest.expiresAt <= this.#now()) return null
    return (await verifyPassword(value, newest.codeHash)) ? newest.id : null
  }

  spend(id: string): Promise<boolean> {
    return this.#store.spend(id, this.#now())
  }
}
