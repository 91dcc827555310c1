import { CompactSign, importJWK, type JWK } from 'jose'
import type { SigningJobState } from '../activation/authorisation.js'
import { auditEvent, type AuditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import type { PublicPost } from './public-post.js'

/** After the first attempt, and each further one, it is tried again so much later; then given up. */
const RETRY_SECONDS = [30, 120, 600, 1800] as const

/** Announcements under way at a time. */
const AT_ONCE = 8

/** A result to be announced: where to, sealed, and how often that was tried. */
export interface DueAnnouncement {
  readonly idHash: string
  readonly announcement: string
  readonly attempts: number
  readonly state: SigningJobState['state']
}

export interface AnnouncementStore {
  /** Those whose time has come and whose result can still be fetched. */
  due(now: Date): Promise<DueAnnouncement[]>
  /** Results that can still be fetched and are not announced yet, whether their time has come or not. */
  waiting(now: Date): Promise<number>
  /** Takes one attempt, until `next`. Of concurrent calls exactly one gets true. */
  claim(due: DueAnnouncement, next: Date): Promise<boolean>
  /** It was announced, or given up, with the attempt that was claimed; false when another came after it. */
  close(due: DueAnnouncement, audit: readonly AuditEvent[]): Promise<boolean>
}

/**
 * Tells applications at their `response_uri` that a result can be fetched (CSC API v2, 8.5), at least
 * once: an attempt is on record before it is made. The message names the job, and holds no result; it is
 * signed with the key that the authorization server publishes.
 */
export class Announcements {
  readonly #store: AnnouncementStore
  readonly #secrets: Secrets
  readonly #post: PublicPost
  readonly #signingKey: JWK
  readonly #now: () => Date

  constructor(parts: {
    store: AnnouncementStore
    secrets: Secrets
    post: PublicPost
    signingKey: JWK
    now: () => Date
  }) {
    this.#store = parts.store
    this.#secrets = parts.secrets
    this.#post = parts.post
    this.#signingKey = parts.signingKey
    this.#now = parts.now
  }

  /** What is kept until the result is there: both values are the application's own. */
  seal(idHash: string, responseID: string, responseUri: URL): string {
    return this.#secrets.seal(contextOf(idHash), JSON.stringify([responseID, responseUri.href]))
  }

  /** For metrics. */
  waiting(): Promise<number> {
    return this.#store.waiting(this.#now())
  }

  /** Several at a time: an application that is slow to answer keeps nobody else waiting. */
  async deliverDue(): Promise<void> {
    const found = await this.#store.due(this.#now())
    const due = found.filter(({ state }) => state !== 'under way').values()
    const deliver = async () => {
      for (const each of due) await this.#deliver(each)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, deliver))
  }

  async #deliver(due: DueAnnouncement): Promise<void> {
    const { idHash, attempts } = due
    const wait = RETRY_SECONDS[attempts]
    const next = new Date(this.#now().getTime() + (wait ?? RETRY_SECONDS[0]) * 1000)
    if (!(await this.#store.claim(due, next))) return
    const opened = this.#secrets.unseal(contextOf(idHash), due.announcement)
    const [responseID, href] = JSON.parse(opened) as [string, string]
    const url = new URL(href)
    // A process that slept meanwhile leaves it to the one that is trying now.
    if (this.#now() >= next) return
    const why = await this.#attempt(url, responseID)
    if (why === null) {
      await this.#store.close(due, [auditEvent('result.announced', { host: url.host })])
    } else if (wait === undefined) {
      await this.#store.close(due, [auditEvent('result.not-announced', { host: url.host, why })])
    }
  }

  /** Null when the application has taken it, else why not. */
  async #attempt(url: URL, responseID: string): Promise<string | null> {
    const body = Buffer.from(JSON.stringify({ responseID }))
    const { kid = '' } = this.#signingKey
    const iat = Math.floor(this.#now().getTime() / 1000)
    const signed = await new CompactSign(body)
      .setProtectedHeader({ alg: 'ES256', kid, typ: 'openrssp-announcement', iat, aud: url.href })
      .sign(await importJWK(this.#signingKey, 'ES256'))
    // The payload is the body, so that it is not said twice (RFC 7515, appendix F).
    const signature = signed.replace(/\..*\./, '..')
    const headers = { 'Content-Type': 'application/json', 'JWS-Signature': signature }
    try {
      const status = await this.#post(url, { headers, body })
      return status >= 200 && status < 300 ? null : `status ${status}`
    } catch (error) {
      return error instanceof Error ? error.message : 'failed'
    }
  }
}

function contextOf(idHash: string): string {
  return `announcement ${idHash}`
}
