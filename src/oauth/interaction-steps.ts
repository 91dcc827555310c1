import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import type Provider from 'oidc-provider'
import type { Activations } from '../activation/activations.js'
import type { AuditLog } from '../audit/audit-log.js'
import { type Credentials } from '../credentials/credentials.js'
import type { ManagedCredentials } from '../credentials/managed-credentials.js'
import type { Accounts } from '../identity/accounts.js'
import type { Enrolment } from '../identity/enrolment.js'
import type { Passkeys } from '../identity/passkeys.js'
import type { SentCodes } from '../identity/sent-codes.js'
import type { SigningFactors } from '../identity/signing-factors.js'
import type { User } from '../identity/user.js'
import {
  IdentityRefusedError,
  type RefusalKind,
  type VerifiedIdentity,
} from '../identity/verified-identity.js'
import type { Transactions } from '../transactions/transactions.js'
import type { Language } from '../pages/language.js'
import type { Client, ClientStore } from './client.js'
import type { CscParameters } from './credential-scope.js'
import { ACCESS_DENIED } from './csc-errors.js'
import type { DocumentPages } from './document-pages.js'
import { type IdentitySteps } from './identity-steps.js'
import type { ManagementScope } from './management-details.js'
import type { PageRenderer } from './page-renderer.js'
import type { IdentityProblem } from './pages/index.js'
import { originOf } from './redirect-uris.js'

export interface InteractionParts {
  readonly provider: Provider
  readonly pages: PageRenderer
  readonly clients: ClientStore
  readonly accounts: Accounts
  readonly credentials: Credentials
  readonly managedCredentials: ManagedCredentials
  readonly factors: SigningFactors
  readonly sentCodes: SentCodes
  readonly passkeys: Passkeys
  readonly enrolment: Enrolment
  readonly transactions: Transactions
  readonly activations: Activations
  readonly identity: IdentitySteps
  readonly documents: DocumentPages
  readonly audit: AuditLog
  readonly now: () => Date
  readonly formBytes: number
  readonly approvalSeconds: number
  readonly signInWindowSeconds: number
  readonly baseUrl: string
}

/** What a grant of ours can be for. */
type GrantedScope = 'service' | 'credential' | ManagementScope

type Details = Awaited<ReturnType<Provider['interactionDetails']>>
export type Form = Readonly<Partial<Record<string, string>>>

/** What every step needs: the interaction of this browser, who asks, and in which language. */
export interface Step {
  readonly ctx: Context
  readonly details: Details
  readonly client: Client
  readonly lang: Language
  readonly parameters: CscParameters & { scope?: string; redirect_uri?: string }
}

/** What an interaction remembers between its pages. */
export interface Remembered {
  readonly passwordAccepted?: { userId: string; until: number; links?: string } | undefined
  /** An identity that nobody's account is linked to yet. */
  readonly link?: { id: string; until: number; identity: VerifiedIdentity } | undefined
  readonly identityProblem?: { kind: RefusalKind; provider: string } | undefined
}

export const DENIED = { error: 'access_denied', error_description: ACCESS_DENIED }

/** Where a posted form may end up besides our own pages: at the application, as a source of a CSP. */
function formTargets(redirectUri = ''): string[] {
  return URL.canParse(redirectUri) ? [originOf(redirectUri)] : []
}

/** What the steps of every interaction share: what it remembers, and how it is answered. */
export abstract class InteractionSteps {
  protected readonly parts: InteractionParts

  constructor(parts: InteractionParts) {
    this.parts = parts
  }

  protected remembered({ details }: Step): Remembered {
    return (details.result ?? {}) as Remembered
  }

  protected async remember({ details }: Step, changes: Remembered): Promise<void> {
    details.result = { ...details.result, ...changes }
    await details.persist()
  }

  /** Only to addresses of our own or of a configured provider; 303, so that nothing is posted on (S48). */
  protected redirect({ ctx }: Step, location: string): void {
    ctx.status = 303
    ctx.set('Location', location)
    ctx.set('Cache-Control', 'no-store')
  }

  protected async signedInUser(step: Step): Promise<User | null> {
    const accountId = step.details.session?.accountId
    return accountId ? this.parts.accounts.find(accountId) : null
  }

  /** A grant that is not saved yet, but has its identifier. */
  protected newGrant(step: Step, accountId: string, scope: GrantedScope) {
    const { provider, baseUrl } = this.parts
    const grant = new provider.Grant({ accountId, clientId: step.client.id })
    grant.jti = randomBytes(32).toString('base64url')
    grant.addOIDCScope(scope)
    // The same for those who name this server as the resource (RFC 8707).
    grant.addResourceScope(baseUrl, scope)
    return grant
  }

  protected form(step: Step) {
    const address = `/oauth2/interaction/${step.details.uid}`
    return { lang: step.lang, here: address, action: address, client: { name: step.client.name } }
  }

  protected send(
    step: Step,
    html: string,
    status = 200,
    further: readonly string[] = [],
    script = false,
  ): void {
    const targets = new Set([...formTargets(step.parameters.redirect_uri), ...further])
    this.parts.pages.send(step.ctx, status, html, [...targets], script)
  }

  /** The result is saved to the interaction as it was opened: whether it still stands is seen on resuming. */
  protected async finish(step: Step, result: Record<string, unknown>): Promise<void> {
    const { details } = step
    const merged = result['error'] === undefined
    details.result = merged ? { ...details.lastSubmission, ...result } : result
    await details.persist()
    // The address is our own resume endpoint; 303 so that what was posted is not posted on (S48).
    this.redirect(step, details.returnTo)
  }

  protected identityProblem(step: Step): IdentityProblem | undefined {
    const { identityProblem } = this.remembered(step)
    if (!identityProblem) return undefined
    const { kind, provider } = identityProblem
    return { kind, label: this.parts.identity.find(provider)?.settings.label ?? '' }
  }

  /** On record, then told on the page the person left from; what is no refusal is thrown on. */
  protected async refuseIdentity(step: Step, provider: string, error: unknown): Promise<void> {
    if (!(error instanceof IdentityRefusedError)) throw error
    const { accounts, identity } = this.parts
    // Nobody has signed in: an address has so many refusals recorded in a window.
    if (await accounts.recordsRefusal(step.ctx.ip)) {
      const purpose = step.details.prompt.name === 'approval' ? 'approval' : 'sign-in'
      const context = { provider, clientId: step.client.id, interactionId: step.details.uid }
      await identity.recordRefusal(error, context, purpose)
    }
    const forgotten = { link: undefined, passwordAccepted: undefined }
    await this.remember(step, { identityProblem: { kind: error.kind, provider }, ...forgotten })
    this.redirect(step, this.form(step).action)
  }
}
