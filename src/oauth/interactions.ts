import Router from '@koa/router'
import type { Context } from 'koa'
import type Provider from 'oidc-provider'
import type { Activations } from '../activation/activations.js'
import { auditEvent } from '../audit/events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { Credential } from '../credentials/credential.js'
import { signingCertificate, type Credentials } from '../credentials/credentials.js'
import { InvalidParameterError, isServiceError, TooManySignaturesError } from '../errors.js'
import { readForm } from '../http/form-body.js'
import type { Accounts } from '../identity/accounts.js'
import type { SigningFactors } from '../identity/signing-factors.js'
import type { User } from '../identity/user.js'
import type { Transaction } from '../transactions/transaction.js'
import type { Transactions } from '../transactions/transactions.js'
import type { Client, ClientStore } from './client.js'
import { approvedDetail, readCredentialRequest } from './authorization-details.js'
import type { CredentialScopeRequest, CscParameters } from './credential-scope.js'
import { ACCESS_DENIED } from './csc-errors.js'
import type { PageRenderer } from './page-renderer.js'
import { CHOSEN_CREDENTIAL } from './provider.js'
import { asAuthorizationDetail } from './rich-authorization.js'
import {
  renderApproval,
  renderConsent,
  renderSecondFactor,
  renderSignIn,
  type ApprovalView,
  type Language,
  type SecondFactorView,
  type SignInView,
} from './pages/index.js'

export interface InteractionParts {
  readonly provider: Provider
  readonly pages: PageRenderer
  readonly clients: ClientStore
  readonly accounts: Accounts
  readonly credentials: Credentials
  readonly factors: SigningFactors
  readonly transactions: Transactions
  readonly activations: Activations
  readonly audit: AuditLog
  readonly now: () => Date
  readonly formBytes: number
  readonly approvalSeconds: number
  readonly baseUrl: string
}

type Details = Awaited<ReturnType<Provider['interactionDetails']>>
type Form = Readonly<Partial<Record<string, string>>>

/** What every step needs: the interaction of this browser, who asks, and in which language. */
interface Step {
  readonly ctx: Context
  readonly details: Details
  readonly client: Client
  readonly lang: Language
  readonly parameters: CscParameters & { scope?: string; redirect_uri?: string }
}

/** What is asked, and what it can be signed with: one credential, or several to choose from. */
interface Story {
  readonly request: CredentialScopeRequest
  readonly candidates: readonly Credential[]
  /** On record once it is certain which credential it is. */
  readonly transaction: Transaction | null
}

const DENIED = { error: 'access_denied', error_description: ACCESS_DENIED }
/** Between password and code, so that neither can be tried alone. */
const SECOND_FACTOR_SECONDS = 300

/**
 * The signer's pages: sign in, agree to be seen, approve signatures. Each is a form that is posted to
 * the address it was read from; the interaction is bound to the browser by a cookie.
 */
export function interactions(parts: InteractionParts): Router {
  const router = new Router({ prefix: '/oauth2/interaction' })
  const signer = new SignerSteps(parts)

  router.get('/:uid', async (ctx) => {
    const step = await signer.open(ctx)
    if (step) await signer.show(step)
  })
  router.post('/:uid', async (ctx) => {
    if (isForgedPost(ctx, parts.baseUrl)) {
      parts.pages.renderProblem(ctx, 403, 'access_denied', 'invalid-request')
      return
    }
    const step = await signer.open(ctx)
    if (step) await signer.answer(step, await readForm(ctx, parts.formBytes))
  })
  return router
}

/**
 * Another site's form: browsers say so in `Sec-Fetch-Site`, older ones in `Origin` ("null" is what our
 * own no-referrer pages send there). The SameSite cookie stands behind both.
 */
function isForgedPost(ctx: Context, baseUrl: string): boolean {
  const site = ctx.get('sec-fetch-site')
  if (site !== '') return site !== 'same-origin' && site !== 'none'
  const origin = ctx.get('origin')
  return origin !== '' && origin !== 'null' && origin !== new URL(baseUrl).origin
}

/** Where a posted form may end up besides our own pages: at the application, as a source of a CSP. */
function formTargets(redirectUri = ''): string[] {
  if (!URL.canParse(redirectUri)) return []
  const { origin, protocol } = new URL(redirectUri)
  // Addresses of installed applications have a scheme of their own and no origin.
  return [origin === 'null' ? protocol : origin]
}

/** What the application did wrong, in the words of `credentials/authorize`; null when it is not to blame. */
function requestProblem(error: unknown): string | null {
  if (!isServiceError(error)) return null
  switch (error.kind) {
    case 'missing-parameter':
    case 'invalid-parameter':
    case 'refused-request':
    case 'certificate-expired':
      return error.message
    case 'credential-disabled':
      return 'The credential identified by credentialID is disabled'
    case 'too-many-signatures':
      return 'Numbers of signatures is too high'
    default:
      return null
  }
}

/** Whether the page has to have a field for the PIN; with a choice it may depend on what is chosen. */
function askedPin(candidates: readonly Credential[]): boolean | 'depends' {
  const some = candidates.some(({ pinHash }) => pinHash !== null)
  return some && candidates.some(({ pinHash }) => pinHash === null) ? 'depends' : some
}

/** The interaction the address names; the cookie says whether it is this browser's. */
function uidOf(ctx: Context): string | undefined {
  return (ctx['params'] as { uid?: string }).uid
}

class SignerSteps {
  readonly #parts: InteractionParts

  constructor(parts: InteractionParts) {
    this.#parts = parts
  }

  /** The interaction, or null after showing that it is gone or another browser's. */
  async open(ctx: Context): Promise<Step | null> {
    const { provider, pages, clients } = this.#parts
    const details = await provider.interactionDetails(ctx.req, ctx.res).catch(() => null)
    const params = (details?.params ?? {}) as Step['parameters'] & { client_id?: string }
    const client = details ? await clients.find(params.client_id ?? '') : null
    if (!details || !client || client.disabledAt || details.uid !== uidOf(ctx)) {
      pages.renderProblem(ctx, 400, 'invalid_request', 'expired')
      return null
    }
    return { ctx, details, client, parameters: params, lang: pages.language(ctx, params) }
  }

  async show(step: Step): Promise<void> {
    switch (step.details.prompt.name) {
      case 'login':
        return this.#halfSignedIn(step) ? this.#showSecondFactor(step) : this.#showSignIn(step)
      case 'approval':
        return this.#showApproval(step)
      default:
        return this.#showConsent(step)
    }
  }

  async answer(step: Step, form: Form): Promise<void> {
    if (form['action'] === 'reject') return this.#reject(step)
    switch (step.details.prompt.name) {
      case 'login':
        return this.#halfSignedIn(step) && form['password'] === undefined
          ? this.#checkSecondFactor(step, form)
          : this.#checkPassword(step, form)
      case 'approval':
        return this.#approve(step, form)
      default:
        return this.#consent(step)
    }
  }

  async #reject(step: Step): Promise<void> {
    if (step.details.prompt.name === 'approval') {
      const transaction = await this.#parts.transactions.findPending(step.details.uid)
      if (transaction) await this.#parts.transactions.reject(transaction)
    }
    await this.#finish(step, DENIED)
  }

  // Sign in

  #showSignIn(step: Step, view: Pick<SignInView, 'problem' | 'username'> = {}): void {
    const scope = step.parameters.scope === 'credential' ? 'credential' : 'service'
    const status = view.problem === 'too-many-attempts' ? 429 : 200
    this.#send(step, renderSignIn({ ...this.#form(step), scope, ...view }), status)
  }

  async #checkPassword(step: Step, form: Form): Promise<void> {
    const { accounts } = this.#parts
    const { username = '', password = '', otp } = form
    const result = await accounts.checkPassword({
      username,
      password,
      address: step.ctx.ip,
      clientId: step.client.id,
    })
    if (result.outcome !== 'accepted') {
      return this.#showSignIn(step, { problem: result.outcome, username: username.slice(0, 100) })
    }
    if (!result.user.otpAtSignIn) return this.#signIn(step, result.user.id, ['pwd'])
    const until = Math.floor(this.#parts.now().getTime() / 1000) + SECOND_FACTOR_SECONDS
    step.details.result = {
      ...step.details.result,
      passwordAccepted: { userId: result.user.id, until },
    }
    await step.details.save(step.details.exp - Math.floor(Date.now() / 1000))
    return otp ? this.#checkSecondFactor(step, form) : this.#showSecondFactor(step)
  }

  #showSecondFactor(step: Step, problem?: SecondFactorView['problem']): void {
    const html = renderSecondFactor({ ...this.#form(step), ...(problem ? { problem } : {}) })
    this.#send(step, html)
  }

  async #checkSecondFactor(step: Step, form: Form): Promise<void> {
    const userId = this.#halfSignedIn(step)
    if (!userId) return this.#showSignIn(step)
    const outcome = await this.#parts.accounts.checkSignInCode(userId, form['otp'] ?? '')
    if (outcome === 'accepted') return this.#signIn(step, userId, ['pwd', 'otp'])
    if (outcome === 'too-many-attempts') return this.#showSignIn(step, { problem: outcome })
    return this.#showSecondFactor(step, outcome)
  }

  #halfSignedIn(step: Step): string | null {
    const accepted = (
      step.details.result as { passwordAccepted?: { userId: string; until: number } } | undefined
    )?.passwordAccepted
    return accepted && accepted.until * 1000 > this.#parts.now().getTime() ? accepted.userId : null
  }

  async #signIn(step: Step, userId: string, factors: string[]): Promise<void> {
    await this.#parts.audit.append(
      auditEvent('sign-in.succeeded', { userId, clientId: step.client.id, factors }),
    )
    // Signing in for this application, on a page that says so, is also agreeing to be seen by it.
    const consent =
      step.parameters.scope === 'credential'
        ? {}
        : { consent: { grantId: await this.#grant(step, userId, 'service') } }
    await this.#leaveOtherAccount(step, userId)
    const ts = Math.floor(this.#parts.now().getTime() / 1000)
    const login = { accountId: userId, amr: factors, remember: false, ts }
    await this.#finish(step, { login, ...consent })
  }

  /** Whoever signs in over another person's session, in this or another tab, starts a new one (S28). */
  async #leaveOtherAccount({ ctx, details }: Step, userId: string): Promise<void> {
    const session = await this.#parts.provider.Session.get(ctx)
    if (!session.accountId || session.accountId === userId) return
    await session.destroy()
    delete details.session
    await details.persist()
  }

  // Agree to be seen

  async #showConsent(step: Step): Promise<void> {
    const user = await this.#signedInUser(step)
    if (!user) return this.#finish(step, DENIED)
    const { displayName } = user
    this.#send(step, renderConsent({ ...this.#form(step), user: { displayName } }))
  }

  async #consent(step: Step): Promise<void> {
    const user = await this.#signedInUser(step)
    if (!user) return this.#finish(step, DENIED)
    const grantId = await this.#grant(step, user.id, 'service')
    await this.#finish(step, { consent: { grantId } })
  }

  // Approve signatures

  async #showApproval(step: Step, problem?: ApprovalView['problem']): Promise<void> {
    const user = await this.#signedInUser(step)
    if (!user) return this.#finish(step, DENIED)
    const story = await this.#requestedStory(step, user)
    if (!story) return
    const { request, candidates, transaction } = story
    const html = renderApproval({
      ...this.#form(step),
      user: { displayName: user.displayName },
      credentials: candidates.map((credential) => {
        const { id, description } = credential
        const { subject, serialNumber } = signingCertificate(credential)
        return { id, description, subject, serialNumber }
      }),
      numSignatures: request.numSignatures,
      validFor: this.#parts.approvalSeconds,
      expiresAt: transaction?.expiresAt ?? new Date(step.details.exp * 1000),
      hashAlgorithm: request.hashAlgorithm?.name.replace('sha', 'SHA-') ?? '',
      items: request.items.map(({ digest, label }) => ({
        digestHex: digest.toString('hex'),
        digestBase64: digest.toString('base64'),
        ...(label === null ? {} : { label }),
      })),
      asks: { otp: true, pin: askedPin(candidates) },
      ...(request.description === null ? {} : { description: request.description }),
      ...(problem ? { problem } : {}),
    })
    this.#send(step, html)
  }

  async #approve(step: Step, form: Form): Promise<void> {
    if (form['action'] !== 'approve') return this.#showApproval(step)
    const { factors, activations } = this.#parts
    const user = await this.#signedInUser(step)
    if (!user) return this.#finish(step, DENIED)
    const story = await this.#requestedStory(step, user)
    if (!story) return
    const { request, candidates } = story
    const [only, another] = candidates
    const credential = another ? candidates.find(({ id }) => id === form['credentialID']) : only
    if (!credential) return this.#showApproval(step, 'no-credential')
    const transaction =
      story.transaction ?? (await this.#openTransaction(step, request, credential))
    if (!transaction) {
      this.#parts.pages.renderProblem(step.ctx, 400, 'invalid_request', 'expired')
      return
    }
    // Another tab was first, with another choice: that one stands.
    if (transaction.credentialId !== credential.id) return this.#showApproval(step)
    const given = [
      ...(credential.pinHash === null
        ? []
        : [{ factor: 'pin' as const, value: form['pin'] ?? '' }]),
      { factor: 'totp' as const, value: form['otp'] ?? '' },
    ]
    const checked = await factors.check(credential, step.client.id, given, () => true)
    if (checked.outcome === 'locked') {
      const lockedUntil = checked.until ?? this.#parts.now()
      return this.#showApproval(step, { lockedUntil })
    }
    if (checked.outcome === 'wrong') {
      return this.#showApproval(step, checked.wrong.includes('pin') ? 'wrong-pin' : 'wrong-code')
    }
    if (checked.outcome === 'used-code') return this.#showApproval(step, checked.outcome)
    const grantId = await this.#approvalGrant(step, request, credential)
    const authorisation = await activations.grant(grantId, transaction, checked.factors)
    if (!authorisation) {
      this.#parts.pages.renderProblem(step.ctx, 400, 'invalid_request', 'expired')
      return
    }
    await this.#finish(step, { approval: { grantId } })
  }

  /**
   * What this interaction is about; its transaction is put on record the first time it is shown, or
   * once the signer has chosen a credential. Null after the application was told what is wrong with it.
   */
  async #requestedStory(step: Step, user: User): Promise<Story | null> {
    try {
      const request = readCredentialRequest(step.parameters)
      const candidates = await this.#candidates(step, request, user)
      const [only, another] = candidates
      if (another) return { request, candidates, transaction: null }
      const transaction = only && (await this.#openTransaction(step, request, only))
      if (transaction) return { request, candidates, transaction }
      this.#parts.pages.renderProblem(step.ctx, 400, 'invalid_request', 'expired')
    } catch (error) {
      const error_description = requestProblem(error)
      if (error_description === null) throw error
      await this.#finish(step, { error: 'invalid_request', error_description })
    }
    return null
  }

  #openTransaction(
    step: Step,
    request: CredentialScopeRequest,
    credential: Credential,
  ): Promise<Transaction | null> {
    const { hashAlgorithm, numSignatures, items, description, clientData } = request
    return this.#parts.transactions.open(step.details.uid, {
      clientId: step.client.id,
      credential,
      ...{ hashAlgorithm, numSignatures, items, description, clientData },
    })
  }

  /**
   * The credentials the request can be signed with: the one it names, or all of the wanted kind.
   * @throws {InvalidParameterError} @throws {TooManySignaturesError} when there is none
   */
  async #candidates(
    step: Step,
    { credentialID, signatureQualifier, numSignatures }: CredentialScopeRequest,
    user: User,
  ): Promise<Credential[]> {
    const { credentials, transactions } = this.#parts
    const chosen = credentialID ?? (await transactions.findPending(step.details.uid))?.credentialId
    if (chosen !== undefined) {
      const credential = await this.#ownCredential(chosen, user)
      if (signatureQualifier !== null && credential.signatureQualifier !== signatureQualifier) {
        throw new InvalidParameterError('signatureQualifier')
      }
      return [credential]
    }
    const ofKind = (await credentials.list(user.id)).filter(
      (each) =>
        each.signatureQualifier === signatureQualifier &&
        each.authMode === 'oauth2code' &&
        credentials.isUsable(each),
    )
    if (ofKind.length === 0) throw new InvalidParameterError('signatureQualifier')
    const candidates = ofKind.filter(({ multisign }) => numSignatures <= multisign)
    if (candidates.length === 0) throw new TooManySignaturesError('multisign')
    return candidates
  }

  /** Another person's credential is answered like one that does not exist. */
  async #ownCredential(id: string, user: User): Promise<Credential> {
    const { credentials } = this.#parts
    const credential = await credentials.find(id)
    const isTheirs = credential?.userId === user.id && credential.authMode === 'oauth2code'
    if (!isTheirs) throw new InvalidParameterError('credentialID')
    credentials.rejectUnusable(credential)
    return credential
  }

  async #signedInUser(step: Step): Promise<User | null> {
    const accountId = step.details.session?.accountId
    return accountId ? this.#parts.accounts.find(accountId) : null
  }

  async #grant(step: Step, userId: string, scope: 'service' | 'credential'): Promise<string> {
    return this.#newGrant(step, userId, scope).save()
  }

  /** A grant that says what was approved, as far as the application does not know it (S35). */
  async #approvalGrant(
    step: Step,
    { detail, credentialID }: CredentialScopeRequest,
    credential: Credential,
  ): Promise<string> {
    const grant = this.#newGrant(step, credential.userId, 'credential')
    if (detail) grant.addRar(asAuthorizationDetail(approvedDetail(detail, credential.id)))
    else if (credentialID === null) grant.addOIDCClaims([CHOSEN_CREDENTIAL])
    return grant.save()
  }

  #newGrant(step: Step, accountId: string, scope: 'service' | 'credential') {
    const { provider, baseUrl } = this.#parts
    const grant = new provider.Grant({ accountId, clientId: step.client.id })
    grant.addOIDCScope(scope)
    // The same for those who name this server as the resource (RFC 8707).
    grant.addResourceScope(baseUrl, scope)
    return grant
  }

  #form(step: Step) {
    return {
      lang: step.lang,
      action: `/oauth2/interaction/${step.details.uid}`,
      client: { name: step.client.name },
    }
  }

  #send(step: Step, html: string, status = 200): void {
    this.#parts.pages.send(step.ctx, status, html, formTargets(step.parameters.redirect_uri))
  }

  async #finish(step: Step, result: Record<string, unknown>): Promise<void> {
    const { provider } = this.#parts
    const merge = { mergeWithLastSubmission: result['error'] === undefined }
    const location = await provider.interactionResult(step.ctx.req, step.ctx.res, result, merge)
    // The address is our own resume endpoint; 303 so that what was posted is not posted on (S48).
    step.ctx.status = 303
    step.ctx.set('Location', location)
    step.ctx.set('Cache-Control', 'no-store')
  }
}
