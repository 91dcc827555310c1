import { auditEvent } from '../audit/events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { MessageNotSentError } from '../errors.js'
import type { Accounts } from '../identity/accounts.js'
import type { Messenger } from '../identity/messenger.js'
import type { Throttle } from '../identity/throttle.js'
import type { Transaction } from '../transactions/transaction.js'

/** Several requests within this time are one message: the page it leads to shows them all. */
const QUIET_SECONDS = 60

/** Where a person decides about a request. */
function approvalPath(transactionId: string): string {
  return `/account/approvals/${transactionId}`
}

/** Tells people by mail that a request waits for them; what is signed is told on the page alone. */
export class ApprovalNotices {
  readonly #parts: {
    mail: Messenger
    throttle: Throttle
    accounts: Accounts
    clients: { find(id: string): Promise<{ readonly name: string } | null> }
    audit: AuditLog
    baseUrl: string
    defaultLanguage: string
  }

  constructor(parts: {
    mail: Messenger
    throttle: Throttle
    accounts: Accounts
    clients: { find(id: string): Promise<{ readonly name: string } | null> }
    audit: AuditLog
    baseUrl: string
    defaultLanguage: string
  }) {
    this.#parts = parts
  }

  /** Whether or not a message can be brought, the request waits on the page. */
  async send({ id: transactionId, clientId, userId, numSignatures }: Transaction): Promise<void> {
    const { mail, throttle, accounts, clients, audit, baseUrl, defaultLanguage } = this.#parts
    const user = await accounts.find(userId)
    if (!user?.email) return
    if (!(await throttle.allow(`approval notice ${userId}`, 1, QUIET_SECONDS))) return
    const wording = /^de\b/i.test(user.lang ?? defaultLanguage) ? german : english
    const facts = {
      displayName: user.displayName,
      clientName: (await clients.find(clientId))?.name ?? clientId,
      numSignatures,
      link: `${baseUrl}${approvalPath(transactionId)}`,
    }
    const text = wording.paragraphs(facts).join('\n\n')
    try {
      await mail.send({ to: user.email, subject: wording.subject, text })
      await audit.append(auditEvent('approval-notice.sent', { transactionId, userId }))
    } catch (error) {
      if (!(error instanceof MessageNotSentError)) throw error
      await audit.append(
        auditEvent('approval-notice.not-sent', { transactionId, userId, why: error.why }),
      )
    }
  }
}

interface Facts {
  readonly displayName: string
  readonly clientName: string
  readonly numSignatures: number
  readonly link: string
}

const english = {
  subject: 'A request for your signature',
  paragraphs: ({ displayName, clientName, numSignatures, link }: Facts) => [
    `Hello ${displayName},`,
    `${clientName} asks for ${numSignatures === 1 ? 'your signature' : `${numSignatures} signatures`}. Look at the request, and approve or reject it, on your own pages:`,
    link,
    'If you did not start this, reject it there and tell your signing service.',
  ],
}

const german = {
  subject: 'Eine Bitte um Ihre Signatur',
  paragraphs: ({ displayName, clientName, numSignatures, link }: Facts) => [
    `Guten Tag ${displayName},`,
    `${clientName} bittet um ${numSignatures === 1 ? 'Ihre Signatur' : `${numSignatures} Signaturen`}. Sehen Sie sich die Anfrage auf Ihren eigenen Seiten an, und geben Sie sie frei oder lehnen Sie sie ab:`,
    link,
    'Wenn Sie das nicht veranlasst haben, lehnen Sie dort ab und verständigen Sie Ihren Signaturdienst.',
  ],
}
