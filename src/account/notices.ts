import { randomUUID } from 'node:crypto'
import type { AuditRecord } from '../audit/chain.js'
import type { CredentialStore } from '../credentials/credential.js'
import { MessageNotSentError } from '../errors.js'
import type { Messenger } from '../identity/messenger.js'
import type { User, UserStore } from '../identity/user.js'
import type { ClientStore } from '../oauth/client.js'
import { chooseLanguage } from '../pages/language.js'
import type { Logger } from '../observability/logger.js'
import type { AccountEvent, EventDetail, Notice, NoticeEntry, NoticeStore } from './notice.js'
import { writeNotice } from './notice-text.js'

const BATCH = 1000
/** A mail that is being sent is another process's no longer than this; then that process is dead. */
const SENDING_SECONDS = 120
const FIRST_RETRY_SECONDS = 60
const LONGEST_RETRY_SECONDS = 3600
const GIVE_UP_AFTER_HOURS = 72
/** Whoever knows a user name can fail to sign in; of that the person hears this often. */
const SIGN_IN_FAILURE_SECONDS = 3600
const SHOWN_EVENTS = 20

/** Of these, and of what is named like `FACTOR_EVENTS`, a person is always told. */
const TOLD = new Set([
  ...['transaction.rejected', 'signature.refused', 'identity.refused', 'sign-in.failed'],
  ...['factor.failed', 'credential.locked', 'credential.refused'],
  ...['credential.created', 'credential.suspended', 'credential.resumed', 'credential.revoked'],
  ...['identity.linked', 'identity.unlinked', 'user.changed', 'user.disabled'],
])
const FACTOR_EVENTS = /^(factor|recovery-codes?|enrolment-code|passkey)\./

/** What the records of the audit log say of whom it happened to. */
type Detail = Readonly<
  Partial<Record<string, unknown>> & {
    userId?: string | null
    credentialId?: string
    clientId?: string
    factor?: string
  }
>

/**
 * Tells people what happens in their name, by following the audit log: signing itself writes nothing
 * for it and does not wait. Each record is looked at once, whichever process does it; a mail is sent
 * again only when the process that sent it died before it could say so.
 */
export class Notices {
  readonly #store: NoticeStore
  readonly #users: Pick<UserStore, 'find' | 'findByUsername'>
  readonly #clients: Pick<ClientStore, 'find'>
  readonly #credentials: Pick<CredentialStore, 'find'>
  /** Null when nobody is written to. */
  readonly #mail: Messenger | null
  readonly #service: { readonly name: string; readonly lang: string; readonly baseUrl: string }
  readonly #logger: Logger
  readonly #now: () => Date
  /** Records up to here are known to concern nobody: they are not read again, but the cursor stays. */
  #passed = 0

  constructor(parts: {
    store: NoticeStore
    users: Pick<UserStore, 'find' | 'findByUsername'>
    clients: Pick<ClientStore, 'find'>
    credentials: Pick<CredentialStore, 'find'>
    mail: Messenger | null
    service: { name: string; lang: string; baseUrl: string }
    logger: Logger
    now: () => Date
  }) {
    this.#store = parts.store
    this.#users = parts.users
    this.#clients = parts.clients
    this.#credentials = parts.credentials
    this.#mail = parts.mail
    this.#service = parts.service
    this.#logger = parts.logger
    this.#now = parts.now
  }

  /** What was on record before the first start is nobody's news. */
  async begin(): Promise<void> {
    if ((await this.#store.cursor()) === null) await this.#store.begin(await this.#store.head())
  }

  /** The newest refusals and changes. */
  newest(userId: string): Promise<AccountEvent[]> {
    return this.#store.newest(userId, SHOWN_EVENTS)
  }

  /** Looks at what was recorded since, and sends what is due; stops after the mail it is at. */
  async run(stopping?: AbortSignal): Promise<void> {
    while (!stopping?.aborted && (await this.#follow()));
    if (this.#mail) await this.#send(this.#mail, stopping)
  }

  /** One batch; false when there is no more for now. */
  async #follow(): Promise<boolean> {
    const cursor = await this.#store.cursor()
    if (cursor === null) return false
    const records = await this.#store.records(Math.max(cursor, this.#passed), BATCH)
    const last = records.at(-1)
    if (!last) return false
    const events: AccountEvent[] = []
    const signatures: AccountEvent[] = []
    const counts = new Map<number, number>()
    for (const record of records) {
      const event = await this.#interpret(record)
      if (!event || isRepeated(event, events)) continue
      if (event.event !== 'signature.created') events.push(event)
      else {
        signatures.push(event)
        const { signatures: made } = JSON.parse(record.detail) as { signatures: string[] }
        counts.set(record.seq, made.length)
      }
    }
    if (events.length > 0 || signatures.length > 0) {
      const all = [...events, ...signatures].sort((a, b) => a.seq - b.seq)
      const notices = this.#mail ? await this.#notices(all, counts) : []
      // Another process was first: what it left is looked at next time.
      if (!(await this.#store.advance(cursor, last.seq, { events, notices }))) return false
    }
    this.#passed = last.seq
    return records.length === BATCH
  }

  /** Whom a record concerns, and what of it; null when nobody has to know. */
  async #interpret({ seq, at, event, detail: text }: AuditRecord): Promise<AccountEvent | null> {
    if (event !== 'signature.created' && !TOLD.has(event) && !FACTOR_EVENTS.test(event)) return null
    const detail = JSON.parse(text) as Detail
    const userId = await this.#personOf(event, detail)
    if (userId === null) return null
    if (event === 'sign-in.failed') {
      const since = new Date(new Date(at).getTime() - SIGN_IN_FAILURE_SECONDS * 1000)
      if (await this.#store.happenedSince(userId, event, since)) return null
    }
    return { seq, userId, at: new Date(at), event, detail: shownOf(detail) }
  }

  async #personOf(event: string, detail: Detail): Promise<string | null> {
    if (detail.userId !== undefined) return detail.userId || null
    if (event === 'sign-in.failed') {
      // Of single wrong passwords, strangers' included, nobody is told.
      if (detail['why'] !== 'too many attempts') return null
      return (await this.#users.findByUsername(String(detail['username'])))?.id ?? null
    }
    if (event === 'identity.refused') {
      return this.#store.personOfTransaction(String(detail['interactionId']))
    }
    if (detail.credentialId === undefined) return null
    return (await this.#credentials.find(detail.credentialId))?.userId ?? null
  }

  /** One for each person: several events become one mail. */
  async #notices(
    events: readonly AccountEvent[],
    counts: ReadonlyMap<number, number>,
  ): Promise<Notice[]> {
    const now = this.#now()
    const people = [...new Set(events.map(({ userId }) => userId))]
    const notices = await Promise.all(
      people.map(async (userId): Promise<Notice[]> => {
        const user = await this.#users.find(userId)
        const entries = merge(
          events.filter((event) => event.userId === userId && wants(user, event)),
          counts,
        )
        if (!user?.email || entries.length === 0) return []
        return [{ id: randomUUID(), userId, entries, createdAt: now, nextTryAt: now, tries: 0 }]
      }),
    )
    return notices.flat()
  }

  async #send(mail: Messenger, stopping?: AbortSignal): Promise<void> {
    for (const notice of await this.#store.due(this.#now(), BATCH)) {
      if (stopping?.aborted) return
      const now = this.#now()
      const { userId, createdAt, tries } = notice
      const until = new Date(now.getTime() + SENDING_SECONDS * 1000)
      if (!(await this.#store.claim(notice, until))) continue
      // A process that slept meanwhile leaves it to the one that is trying now.
      if (this.#now() >= until) continue
      try {
        await this.#sendOne(mail, notice)
        await this.#store.remove(notice)
      } catch (error) {
        const refused = error instanceof MessageNotSentError && error.why === 'address-refused'
        const age = now.getTime() - createdAt.getTime()
        if (refused || age > GIVE_UP_AFTER_HOURS * 3600_000) {
          this.#logger.error({ err: error, userId }, 'notice given up')
          await this.#store.remove(notice)
          continue
        }
        this.#logger.warn({ err: error, userId, tries: tries + 1 }, 'notice not sent yet')
        const wait = Math.min(FIRST_RETRY_SECONDS * 2 ** tries, LONGEST_RETRY_SECONDS)
        await this.#store.postpone(notice, new Date(now.getTime() + wait * 1000))
      }
    }
  }

  async #sendOne(mail: Messenger, { userId, entries }: Notice): Promise<void> {
    const user = await this.#users.find(userId)
    if (!user?.email) return
    const named = await Promise.all(
      entries.map(async (entry) => {
        const { clientId, credentialId } = entry.detail
        const client = clientId === undefined ? null : await this.#clients.find(clientId)
        const credential =
          credentialId === undefined ? null : await this.#credentials.find(credentialId)
        return {
          ...entry,
          application: client?.name ?? clientId ?? null,
          credential: credential?.description ?? credentialId ?? null,
        }
      }),
    )
    const lang = chooseLanguage(user.lang ?? this.#service.lang)
    const { displayName } = user
    const { subject, text } = writeNotice({
      ...{ lang, displayName, entries: named },
      service: this.#service.name,
      baseUrl: this.#service.baseUrl,
    })
    await mail.send({ to: user.email, subject, text })
  }
}

function wants(user: User | null, { event }: AccountEvent): boolean {
  return event !== 'signature.created' || (user?.signatureNotices ?? true)
}

/** Failures to sign in come in crowds. */
function isRepeated({ event, userId }: AccountEvent, events: readonly AccountEvent[]): boolean {
  if (event !== 'sign-in.failed') return false
  return events.some((each) => each.event === event && each.userId === userId)
}

/** Nothing but names of things: the reasons on record are the operator's. */
function shownOf({ credentialId, clientId, factor }: Detail): EventDetail {
  return {
    ...(credentialId ? { credentialId } : {}),
    ...(clientId ? { clientId } : {}),
    ...(factor ? { factor } : {}),
  }
}

/** The same thing several times is one line. */
function merge(
  events: readonly AccountEvent[],
  counts: ReadonlyMap<number, number>,
): NoticeEntry[] {
  const lines = new Map<string, NoticeEntry>()
  for (const { seq, event, at, detail } of events) {
    const key = JSON.stringify([event, detail.credentialId, detail.clientId, detail.factor])
    const count = (lines.get(key)?.count ?? 0) + (counts.get(seq) ?? 1)
    lines.set(key, { event, detail, at: at.toISOString(), count })
  }
  return [...lines.values()]
}
