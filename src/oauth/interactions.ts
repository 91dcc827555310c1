import { randomUUID } from 'node:crypto'
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
import type { IdBb } from '../identity/id-bb.js'
import type { FactorOutcome, SigningFactors } from '../identity/signing-factors.js'
import type { User } from '../identity/user.js'
import {
  IdentityRefusedError,
  type RefusalKind,
  type VerifiedIdentity,
} from '../identity/verified-identity.js'
import type { Transaction } from '../transactions/transaction.js'
import type { Transactions } from '../transactions/transactions.js'
import type { Client, ClientStore } from './client.js'
import { approvedDetail, readCredentialRequest } from './authorization-details.js'
import type { CredentialScopeRequest, CscParameters } from './credential-scope.js'
import { ACCESS_DENIED } from './csc-errors.js'
import { transactionFacts, type IdentitySteps } from './identity-steps.js'
import type { PageRenderer } from './page-renderer.js'
import { CHOSEN_CREDENTIAL } from './provider.js'
import {
  renderApproval,
  renderConsent,
  renderSecondFactor,
  renderSignIn,
  type ApprovalView,
  type IdentityProblem,
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
  readonly identity: IdentitySteps
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

/** What an interaction remembers between its pages. */
interface Remembered {
  readonly passwordAccepted?: { userId: string; until: number; links?: string } | undefined
  /** An identity that nobody's account is linked to yet. */
  readonly link?: { id: string; until: number; identity: VerifiedIdentity } | undefined
  readonly identityProblem?: { kind: RefusalKind; provider: string } | undefined
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
  // Where identity providers' answers end up; their state says what for, once (identity-steps.ts).
  router.get('/:uid/identity/:provider', async (ctx) => {
    const step = await signer.open(ctx)
    if (step) await signer.returned(step)
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
  return URL.canParse(redirectUri) ? [new URL(redirectUri).origin] : []
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

function approvedByIdentity({ approvalFactor }: Credential): boolean {
  return approvalFactor === 'id-bb'
}

function factorProblem(
  checked: Exclude<FactorOutcome, { outcome: 'accepted' }>,
  now: Date,
): NonNullable<ApprovalView['problem']> {
  switch (checked.outcome) {
    case 'locked':
      return { lockedUntil: checked.until ?? now }
    case 'wrong':
      return checked.wrong.includes('pin') ? 'wrong-pin' : 'wrong-code'
    case 'used-code':
      return 'used-code'
  }
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
      case 'login': {
        const provider = this.#parts.identity.chosen(form['action'])
        if (provider) return this.#leaveToSignIn(step, provider)
        return this.#halfSignedIn(step) && form['password'] === undefined
          ? this.#checkSecondFactor(step, form)
          : this.#checkPassword(step, form)
      }
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

  async #showSignIn(
    step: Step,
    view: Pick<SignInView, 'problem' | 'username'> = {},
  ): Promise<void> {
    const { identity } = this.#parts
    const scope = step.parameters.scope === 'credential' ? 'credential' : 'service'
    const status = view.problem === 'too-many-attempts' ? 429 : 200
    const linking = this.#linking(step)
    const problem = view.problem ? undefined : this.#identityProblem(step)
    const html = renderSignIn({
      ...this.#form(step),
      scope,
      ...view,
      ...(problem ? { identityProblem: problem } : {}),
      ...(linking ? { link: this.#linkView(linking) } : { identities: identity.buttons() }),
    })
    this.#send(step, html, status, await identity.formTargets())
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
    const linking = this.#linking(step, form['link'])
    // A link is a new factor: it takes all that the account has to prove its owner (S29).
    const needsCode =
      result.user.otpAtSignIn ||
      (linking !== null && (await accounts.hasAuthenticator(result.user.id)))
    if (!needsCode) return this.#linkAndSignIn(step, result.user.id, ['pwd'], linking)
    const until = Math.floor(this.#parts.now().getTime() / 1000) + SECOND_FACTOR_SECONDS
    await this.#remember(step, {
      passwordAccepted: {
        ...{ userId: result.user.id, until },
        ...(linking ? { links: linking.id } : {}),
      },
    })
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
    if (outcome === 'accepted') {
      const linking = this.#linking(step, this.#remembered(step).passwordAccepted?.links)
      return this.#linkAndSignIn(step, userId, ['pwd', 'otp'], linking)
    }
    if (outcome === 'too-many-attempts') return this.#showSignIn(step, { problem: outcome })
    return this.#showSecondFactor(step, outcome)
  }

  #halfSignedIn(step: Step): string | null {
    const accepted = this.#remembered(step).passwordAccepted
    return accepted && accepted.until * 1000 > this.#parts.now().getTime() ? accepted.userId : null
  }

  async #signIn(
    step: Step,
    userId: string,
    factors: string[],
    acr: string | null = null,
  ): Promise<void> {
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
    const login = { accountId: userId, amr: factors, remember: false, ts, ...(acr ? { acr } : {}) }
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

  // Sign in with an identity of elsewhere

  async #leaveToSignIn(step: Step, provider: IdBb): Promise<void> {
    const { reasons } = step.details.prompt
    const fresh = reasons.some((reason) => reason === 'login_prompt' || reason === 'max_age')
    try {
      const { identity } = this.#parts
      const options = { fresh, factors: [], lang: step.lang }
      const location = await identity.begin(provider, this.#signInPurpose(step), options)
      await this.#remember(step, { identityProblem: undefined, link: undefined })
      this.#redirect(step, location.href)
    } catch (error) {
      await this.#refuseIdentity(step, provider.settings.id, error)
    }
  }

  /** Back from an identity provider: signed in, approved, or told what to do about it. */
  async returned(step: Step): Promise<void> {
    const { provider = '' } = step.ctx['params'] as { provider?: string }
    try {
      if (step.details.prompt.name === 'approval') await this.#confirmApproval(step, provider)
      else await this.#identify(step, provider)
    } catch (error) {
      await this.#refuseIdentity(step, provider, error)
    }
  }

  async #identify(step: Step, provider: string): Promise<void> {
    const { identity, now } = this.#parts
    const query = new URLSearchParams(step.ctx.querystring)
    const completed = await identity.complete(provider, query, this.#signInPurpose(step))
    const verified = completed.identity
    const owner = await identity.identities.ownerOf(verified)
    if (owner.outcome === 'barred') throw new IdentityRefusedError('barred', owner.why)
    if (owner.outcome === 'known') return this.#signInBy(step, owner.user.id, verified)
    switch (identity.find(provider)?.settings.firstLogin) {
      case 'enrol':
        return this.#signInBy(step, await this.#enrol(verified), verified)
      case 'link': {
        const until = Math.floor(now().getTime() / 1000) + SECOND_FACTOR_SECONDS
        const link = { id: randomUUID(), until, identity: verified }
        await this.#remember(step, { link, identityProblem: undefined })
        this.#redirect(step, this.#form(step).action)
        return
      }
      default:
        throw new IdentityRefusedError('unknown', 'nobody’s identity')
    }
  }

  async #enrol(verified: VerifiedIdentity): Promise<string> {
    const { identities } = this.#parts.identity
    if (!verified.name) throw new IdentityRefusedError('nameless', 'no given and family name')
    const user = await identities.enrol(verified, verified.name)
    if (user) return user.id
    // Another tab was first.
    const owner = await identities.ownerOf(verified)
    if (owner.outcome !== 'known') throw new IdentityRefusedError('barred', 'not enrolled')
    return owner.user.id
  }

  async #linkAndSignIn(
    step: Step,
    userId: string,
    factors: string[],
    linking: Remembered['link'] | null,
  ): Promise<void> {
    if (!linking) return this.#signIn(step, userId, factors)
    const { identities } = this.#parts.identity
    const { identity } = linking
    if (!(await identities.link(identity, userId))) {
      const error = new IdentityRefusedError('taken', 'linked already')
      return this.#refuseIdentity(step, identity.provider, error)
    }
    await this.#signInBy(step, userId, identity, factors)
  }

  async #signInBy(
    step: Step,
    userId: string,
    identity: VerifiedIdentity,
    more: readonly string[] = [],
  ): Promise<void> {
    const context = { userId, clientId: step.client.id, transactionId: null }
    await this.#parts.identity.identities.recordAuthentication(identity, context)
    const upstream = identity.amr.length > 0 ? identity.amr : ['id-bb']
    await this.#signIn(step, userId, [...new Set([...more, ...upstream])], identity.acr)
  }

  /** The identity that waits to be linked, when the form is the one that said so. */
  #linking(step: Step, id?: string): NonNullable<Remembered['link']> | null {
    const { link } = this.#remembered(step)
    if (!link || link.until * 1000 <= this.#parts.now().getTime()) return null
    return id === undefined || id === link.id ? link : null
  }

  #linkView({ id, identity }: NonNullable<Remembered['link']>): NonNullable<SignInView['link']> {
    const { provider, name } = identity
    return {
      id,
      label: this.#parts.identity.find(provider)?.settings.label ?? provider,
      person: name && `${name.given} ${name.family}`,
    }
  }

  #signInPurpose({ details, client }: Step) {
    const { uid } = details
    return { interaction: uid, purpose: 'sign-in' as const, facts: ['sign-in', uid, client.id] }
  }

  #identityProblem(step: Step): IdentityProblem | undefined {
    const { identityProblem } = this.#remembered(step)
    if (!identityProblem) return undefined
    const { kind, provider } = identityProblem
    return { kind, label: this.#parts.identity.find(provider)?.settings.label ?? '' }
  }

  /** On record, then told on the page the person left from; what is no refusal is thrown on. */
  async #refuseIdentity(step: Step, provider: string, error: unknown): Promise<void> {
    const purpose = step.details.prompt.name === 'approval' ? 'approval' : 'sign-in'
    const context = { provider, clientId: step.client.id, interactionId: step.details.uid }
    const { kind } = await this.#parts.identity.refuse(error, context, purpose)
    const forgotten = { link: undefined, passwordAccepted: undefined }
    await this.#remember(step, { identityProblem: { kind, provider }, ...forgotten })
    this.#redirect(step, this.#form(step).action)
  }

  #remembered({ details }: Step): Remembered {
    return (details.result ?? {}) as Remembered
  }

  async #remember({ details }: Step, changes: Remembered): Promise<void> {
    details.result = { ...details.result, ...changes }
    await details.save(details.exp - Math.floor(Date.now() / 1000))
  }

  /** Only to addresses of our own or of a configured provider; 303, so that nothing is posted on (S48). */
  #redirect({ ctx }: Step, location: string): void {
    ctx.status = 303
    ctx.set('Location', location)
    ctx.set('Cache-Control', 'no-store')
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
    const byIdentity = candidates.some(approvedByIdentity)
    const byCode = !candidates.every(approvedByIdentity)
    const identities = byIdentity ? await this.#parts.identity.buttonsOf(user.id) : null
    const unlinked = identities?.length === 0 ? { kind: 'not-linked' as const, label: '' } : null
    const identityProblem = unlinked ?? (problem ? null : this.#identityProblem(step))
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
      asks: { otp: byCode && byIdentity ? 'depends' : byCode, pin: askedPin(candidates) },
      ...(identities ? { identities } : {}),
      ...(identityProblem ? { identityProblem } : {}),
      ...(request.description === null ? {} : { description: request.description }),
      ...(problem ? { problem } : {}),
    })
    this.#send(step, html, 200, byIdentity ? await this.#parts.identity.formTargets() : [])
  }

  async #approve(step: Step, form: Form): Promise<void> {
    const { factors, activations } = this.#parts
    const provider = this.#parts.identity.chosen(form['action'])
    if (form['action'] !== 'approve' && !provider) return this.#showApproval(step)
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
    if (approvedByIdentity(credential) !== (provider !== null)) return this.#showApproval(step)
    if (provider) return this.#leaveToConfirm(step, form, { provider, credential, transaction })
    const given = [
      ...(credential.pinHash === null
        ? []
        : [{ factor: 'pin' as const, value: form['pin'] ?? '' }]),
      { factor: 'totp' as const, value: form['otp'] ?? '' },
    ]
    const checked = await factors.check(credential, step.client.id, given, () => true)
    if (checked.outcome !== 'accepted') {
      return this.#showApproval(step, factorProblem(checked, this.#parts.now()))
    }
    const grantId = await this.#approvalGrant(step, request, credential)
    const authorisation = await activations.grant(grantId, transaction, checked.factors)
    if (!authorisation) {
      this.#parts.pages.renderProblem(step.ctx, 400, 'invalid_request', 'expired')
      return
    }
    await this.#finish(step, { approval: { grantId } })
  }

  /** The PIN is checked before leaving; that it was, comes back with the request, sealed. */
  async #leaveToConfirm(
    step: Step,
    form: Form,
    chosen: { provider: IdBb; credential: Credential; transaction: Transaction },
  ): Promise<void> {
    const { provider, credential, transaction } = chosen
    const { identity, factors, now } = this.#parts
    const issuers = await identity.identities.issuersOf(credential.userId)
    if (!issuers.includes(provider.settings.issuer)) return this.#showApproval(step)
    if (credential.lockedUntil && credential.lockedUntil > now()) {
      return this.#showApproval(step, { lockedUntil: credential.lockedUntil })
    }
    const given: string[] = []
    if (credential.pinHash !== null) {
      const pin = { factor: 'pin' as const, value: form['pin'] ?? '' }
      const checked = await factors.check(credential, step.client.id, [pin], () => true)
      if (checked.outcome !== 'accepted') {
        return this.#showApproval(step, factorProblem(checked, now()))
      }
      given.push(...checked.factors)
    }
    try {
      const purpose = this.#approvalPurpose(step, transaction)
      const options = { fresh: true, factors: given, lang: step.lang }
      const location = await identity.begin(provider, purpose, options)
      await this.#remember(step, { identityProblem: undefined })
      this.#redirect(step, location.href)
    } catch (error) {
      await this.#refuseIdentity(step, provider.settings.id, error)
    }
  }

  /**
   * The owner authenticated anew for exactly this transaction: the nonce of the ID token is made again
   * from the transaction as it stands, so an answer given for anything else does not fit (S22).
   */
  async #confirmApproval(step: Step, provider: string): Promise<void> {
    const { identity, activations } = this.#parts
    const user = await this.#signedInUser(step)
    if (!user) return this.#finish(step, DENIED)
    const story = await this.#requestedStory(step, user)
    if (!story) return
    const { request, candidates, transaction } = story
    const [credential] = candidates
    if (!transaction || !credential || !approvedByIdentity(credential)) {
      throw new IdentityRefusedError('refused', 'nothing to confirm')
    }
    const query = new URLSearchParams(step.ctx.querystring)
    const purpose = this.#approvalPurpose(step, transaction)
    const completed = await identity.complete(provider, query, purpose)
    const owner = await identity.identities.ownerOf(completed.identity)
    if (owner.outcome !== 'known' || owner.user.id !== credential.userId) {
      throw new IdentityRefusedError('other-person', 'not the owner of the credential')
    }
    await identity.identities.recordAuthentication(completed.identity, {
      ...{ userId: owner.user.id, clientId: step.client.id, transactionId: transaction.id },
    })
    const grantId = await this.#approvalGrant(step, request, credential)
    const factors = [...completed.request.factors, 'id-bb']
    if (!(await activations.grant(grantId, transaction, factors))) {
      this.#parts.pages.renderProblem(step.ctx, 400, 'invalid_request', 'expired')
      return
    }
    await this.#finish(step, { approval: { grantId } })
  }

  #approvalPurpose({ details }: Step, transaction: Transaction) {
    const facts = transactionFacts(transaction)
    return { interaction: details.uid, purpose: 'approval' as const, facts }
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
    if (detail) grant.addRar(approvedDetail(detail, credential.id))
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

  #send(step: Step, html: string, status = 200, further: readonly string[] = []): void {
    const targets = new Set([...formTargets(step.parameters.redirect_uri), ...further])
    this.#parts.pages.send(step.ctx, status, html, [...targets])
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
