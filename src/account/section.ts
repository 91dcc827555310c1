import type Router from '@koa/router'
import type { Context } from 'koa'
import type { Activations } from '../activation/activations.js'
import type { ApprovalRequests } from '../activation/approval-requests.js'
import type { SignatureHistory } from '../activation/history.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { Credentials } from '../credentials/credentials.js'
import { readForm } from '../http/form-body.js'
import { isForgedPost } from '../http/forged-post.js'
import type { Accounts } from '../identity/accounts.js'
import type { Enrolment } from '../identity/enrolment.js'
import type { Passkeys } from '../identity/passkeys.js'
import type { SentCodes } from '../identity/sent-codes.js'
import type { SigningFactors } from '../identity/signing-factors.js'
import type { UserStore } from '../identity/user.js'
import type { ClientStore } from '../oauth/client.js'
import type { DocumentPages } from '../oauth/document-pages.js'
import type { GrantedAccess } from '../oauth/granted-access.js'
import type { PageRenderer } from '../oauth/page-renderer.js'
import type { Transactions } from '../transactions/transactions.js'
import type { Notices } from './notices.js'
import { renderNotFound, viewOf } from './pages/account-page.js'
import type { AccountNotice } from './pages/messages.js'
import {
  redirect,
  sectionPath,
  type AccountVisit,
  type AccountVisits,
  type SectionName,
} from './visit.js'

/** What the sections of the signer's pages work with. */
export interface AccountParts {
  readonly visits: AccountVisits
  readonly pages: PageRenderer
  readonly accounts: Accounts
  readonly users: Pick<UserStore, 'setNotices'>
  readonly access: GrantedAccess
  readonly history: SignatureHistory
  readonly events: Pick<Notices, 'newest'>
  readonly clients: ClientStore
  readonly credentials: Credentials
  readonly activations: Activations
  readonly approvals: ApprovalRequests
  readonly transactions: Transactions
  readonly documents: DocumentPages
  readonly factors: SigningFactors
  readonly sentCodes: SentCodes
  readonly enrolment: Enrolment
  readonly passkeys: Passkeys
  /** As authenticators show it beside the account. */
  readonly serviceName: string
  readonly audit: AuditLog
  readonly now: () => Date
  readonly formBytes: number
  readonly baseUrl: string
  /** How long an agreement waits to be used. */
  readonly approvalSeconds: number
}

/** One entry of the navigation, with the pages behind it. */
export interface AccountSection extends SectionName {
  /** Declares its pages. Everything they show or change belongs to `visit.user`, or is not found. */
  routes(section: SectionRoutes, parts: AccountParts): void
}

export type Form = Readonly<Partial<Record<string, string>>>

export interface RouteOptions {
  /** Whether the person must have signed in with all factors just now, as for changing factors (S29). */
  readonly fresh?: boolean
}

/**
 * The routes of one section. No handler runs without a visit, and none for a form that another site
 * posted: whoever declares a route cannot forget either.
 */
export class SectionRoutes {
  readonly #section: AccountSection
  readonly #router: Router
  readonly #parts: AccountParts

  constructor(section: AccountSection, router: Router, parts: AccountParts) {
    this.#section = section
    this.#router = router
    this.#parts = parts
  }

  /** @param path within the section, such as `/` or `/:id/revoke` */
  get(
    path: string,
    handle: (visit: AccountVisit) => Promise<void> | void,
    options: RouteOptions = {},
  ): void {
    this.#router.get(this.#path(path), async (ctx) => {
      const visit = await this.#open(ctx, options)
      if (visit) await handle(visit)
    })
  }

  post(
    path: string,
    handle: (visit: AccountVisit, form: Form) => Promise<void> | void,
    options: RouteOptions = {},
  ): void {
    const { pages, baseUrl, formBytes } = this.#parts
    this.#router.post(this.#path(path), async (ctx) => {
      if (isForgedPost(ctx, baseUrl)) {
        pages.renderProblem(ctx, 403, 'access_denied', 'invalid-request')
        return
      }
      const visit = await this.#open(ctx, options)
      if (visit) await handle(visit, await readForm(ctx, formBytes))
    })
  }

  #open(ctx: Context, { fresh = false }: RouteOptions): Promise<AccountVisit | null> {
    return this.#parts.visits.open(ctx, { section: this.#section.path, fresh })
  }

  #path(path: string): string {
    const below = path === '/' ? '' : path
    return `${sectionPath(this.#section.path)}${below}`
  }
}

/** A part of the address, such as the id in `/:id/end`. */
export function pathPart({ ctx }: AccountVisit, name: string): string {
  return (ctx['params'] as Partial<Record<string, string>>)[name] ?? ''
}

/** For what does not exist, or is another person's: the two look the same. */
export function notFound(visit: AccountVisit, { pages }: AccountParts): void {
  const here = sectionPath(visit.section)
  pages.send(visit.ctx, 404, renderNotFound({ ...viewOf(visit), here }))
}

/** Back to the section's page, which says what was done. */
export function done({ ctx, section }: AccountVisit, notice: AccountNotice): void {
  redirect(ctx, `${sectionPath(section)}?done=${notice}`)
}
