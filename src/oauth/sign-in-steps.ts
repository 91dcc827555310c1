import { randomUUID } from 'node:crypto'
import { auditEvent } from '../audit/events.js'
import type { CodeOutcome } from '../identity/accounts.js'
import { ENROLMENT_CODE, RECOVERY_CODE } from '../identity/enrolment.js'
import type { IdBb } from '../identity/id-bb.js'
import { PasskeyRefusedError } from '../identity/passkey-refusal.js'
import type { PasskeyPurpose } from '../identity/passkeys.js'
import { IdentityRefusedError, type VerifiedIdentity } from '../identity/verified-identity.js'
import { PASSKEY_FIELD } from '../pages/passkey.js'
import {
  renderConsent,
  renderSecondFactor,
  renderSignIn,
  type SecondFactorView,
  type SignInView,
} from './pages/index.js'
import { ACCOUNT_CLIENT_ID } from './account-client.js'
import {
  InteractionSteps,
  type Form,
  type Remembered,
  type Step,
  DENIED,
} from './interaction-steps.js'

/** Between password and code, so that neither can be tried alone. */
const SECOND_FACTOR_SECONDS = 300

/** The same of the codes that stand in for an authenticator. */
const OF_RECOVERY_CODES = {
  'wrong-code': 'wrong-recovery-code',
  'used-code': 'used-recovery-code',
} as const

/** The signer's own pages ask for a new sign-in before what protects the account is changed (S29). */
function changesFactors({ client, details }: Step): boolean {
  return client.id === ACCOUNT_CLIENT_ID && details.prompt.reasons.includes('login_prompt')
}

/** Who sits there? By password and code, or by an identity of elsewhere; then: may the application know? */
export class SignInSteps extends InteractionSteps {
  show(step: Step): Promise<void> | void {
    return this.#halfSignedIn(step) ? this.#showSecondFactor(step) : this.#showSignIn(step)
  }

  answer(step: Step, form: Form): Promise<void> {
    const provider = this.parts.identity.chosen(form['action'])
    if (provider) return this.#leaveToSignIn(step, provider)
    if (form['action'] === PASSKEY_FIELD) return this.#signInByPasskey(step, form)
    return this.#halfSignedIn(step) && form['password'] === undefined
      ? this.#checkSecondFactor(step, form)
      : this.#checkPassword(step, form)
  }

  async #showSignIn(
    step: Step,
    view: Pick<SignInView, 'problem' | 'username' | 'passkeyProblem'> = {},
  ): Promise<void> {
    const { identity, passkeys } = this.parts
    const asked = step.parameters.scope === 'credential' ? 'credential' : 'service'
    const own = changesFactors(step) ? 'account-changes' : 'account'
    const scope = step.client.id === ACCOUNT_CLIENT_ID ? own : asked
    const status = view.problem === 'too-many-attempts' ? 429 : 200
    const linking = this.#linking(step)
    const problem = view.problem || view.passkeyProblem ? undefined : this.identityProblem(step)
    const options = await passkeys.ask(this.#passkeyPurpose(step), null)
    const html = renderSignIn({
      ...this.form(step),
      scope,
      ...view,
      ...(problem ? { identityProblem: problem } : {}),
      ...(linking ? { link: this.#linkView(linking) } : { identities: identity.buttons() }),
      ...(options ? { passkey: { ceremony: 'get', options } } : {}),
    })
    this.send(step, html, status, await identity.formTargets(), options !== null)
  }

  async #checkPassword(step: Step, form: Form): Promise<void> {
    const { accounts } = this.parts
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
      ((linking !== null || changesFactors(step)) &&
        (await accounts.hasAuthenticator(result.user.id)))
    const needsPasskey =
      !needsCode &&
      (linking !== null || changesFactors(step)) &&
      (await this.parts.passkeys.has(result.user.id))
    if (needsPasskey) return this.#showSignIn(step, { passkeyProblem: 'needed' })
    if (linking && !needsCode && (await this.#hasIdentity(result.user.id))) {
      const error = new IdentityRefusedError('taken', 'password alone, and linked elsewhere')
      return this.refuseIdentity(step, linking.identity.provider, error)
    }
    if (!needsCode && !linking) return this.#signIn(step, result.user.id, ['pwd'])
    const until = Math.floor(this.parts.now().getTime() / 1000) + SECOND_FACTOR_SECONDS
    await this.remember(step, {
      passwordAccepted: {
        ...{ userId: result.user.id, until },
        ...(linking ? { links: linking.id } : {}),
      },
    })
    if (otp && needsCode) return this.#checkSecondFactor(step, form)
    this.#showSecondFactor(step, undefined, !needsCode)
  }

  /** An identity is a factor like the others: with a password alone, nobody adds another. */
  async #hasIdentity(userId: string): Promise<boolean> {
    return (await this.parts.identity.identities.issuersOf(userId)).length > 0
  }

  #showSecondFactor(step: Step, problem?: SecondFactorView['problem'], byCode = false): void {
    const html = renderSecondFactor({ ...this.form(step), byCode, ...(problem ? { problem } : {}) })
    this.send(step, html)
  }

  async #checkSecondFactor(step: Step, form: Form): Promise<void> {
    const userId = this.#halfSignedIn(step)
    if (!userId) return this.#showSignIn(step)
    const linked = this.#linking(step, this.remembered(step).passwordAccepted?.links)
    const { accounts } = this.parts
    if (linked && !(await accounts.hasAuthenticator(userId))) {
      return this.#linkByCode(step, userId, form, linked)
    }
    const { outcome, method } = await this.#checkCode(userId, form)
    if (outcome === 'accepted') {
      const linking = this.#linking(step, this.remembered(step).passwordAccepted?.links)
      // Where there is an authenticator, the operator's code replaces that, and links nothing.
      if (linking && method === ENROLMENT_CODE) {
        return this.#showSecondFactor(step, 'wrong-recovery-code')
      }
      return this.#linkAndSignIn(step, userId, ['pwd', method], linking)
    }
    if (outcome === 'too-many-attempts') return this.#showSignIn(step, { problem: outcome })
    return this.#showSecondFactor(step, method === 'otp' ? outcome : OF_RECOVERY_CODES[outcome])
  }

  /**
   * A link where there is no other factor: a password, which others may know, does not make one of it. It
   * takes the code that the operator gives the person, and uses it up (S29).
   */
  async #linkByCode(
    step: Step,
    userId: string,
    { recoveryCode = '' }: Form,
    linking: NonNullable<Remembered['link']>,
  ): Promise<void> {
    const { accounts, enrolment } = this.parts
    const user = await accounts.find(userId)
    if (!user) return this.#showSignIn(step)
    const proved = await enrolment.proveByCode(user, recoveryCode)
    if (proved.outcome === 'too-many-attempts') {
      return this.#showSignIn(step, { problem: proved.outcome })
    }
    if (proved.outcome !== 'proved') {
      return this.#showSecondFactor(step, 'wrong-recovery-code', true)
    }
    const factors = ['pwd', ENROLMENT_CODE]
    return this.#linkAndSignIn(step, userId, factors, linking, proved.proofHash)
  }

  /** What was entered, and how it is called in `amr`. */
  async #checkCode(userId: string, form: Form): Promise<{ outcome: CodeOutcome; method: string }> {
    const { accounts, enrolment } = this.parts
    const { otp = '', recoveryCode = '' } = form
    if (recoveryCode === '') {
      return { outcome: await accounts.checkSignInCode(userId, otp), method: 'otp' }
    }
    const checked = await enrolment.checkStandIn(userId, recoveryCode)
    const { outcome } = checked
    return { outcome, method: outcome === 'accepted' ? checked.method : RECOVERY_CODE }
  }

  #halfSignedIn(step: Step): string | null {
    const accepted = this.remembered(step).passwordAccepted
    return accepted && accepted.until * 1000 > this.parts.now().getTime() ? accepted.userId : null
  }

  async #signIn(
    step: Step,
    userId: string,
    factors: string[],
    acr: string | null = null,
  ): Promise<void> {
    await this.#leaveOtherAccount(step, userId)
    // Signing in for this application, on a page that says so, is also agreeing to be seen by it.
    const asksForMore = step.parameters.scope === 'credential'
    const grant = asksForMore ? null : this.newGrant(step, userId, 'service')
    const consent = grant ? { consent: { grantId: grant.jti } } : {}
    await Promise.all([
      this.parts.audit.append(
        auditEvent('sign-in.succeeded', { userId, clientId: step.client.id, factors }),
      ),
      grant?.save(),
    ])
    const ts = Math.floor(this.parts.now().getTime() / 1000)
    const login = { accountId: userId, amr: factors, remember: false, ts, ...(acr ? { acr } : {}) }
    await this.finish(step, { login, ...consent })
  }

  /** Whoever signs in over another person's session, in this or another tab, starts a new one (S28). */
  async #leaveOtherAccount({ ctx, details }: Step, userId: string): Promise<void> {
    const session = await this.parts.provider.Session.get(ctx)
    if (!session.accountId || session.accountId === userId) return
    await session.destroy()
    delete details.session
    await details.persist()
  }

  async #leaveToSignIn(step: Step, provider: IdBb): Promise<void> {
    const { reasons } = step.details.prompt
    const fresh = reasons.some((reason) => reason === 'login_prompt' || reason === 'max_age')
    try {
      const { identity } = this.parts
      const options = { fresh, factors: [], lang: step.lang }
      const location = await identity.begin(provider, this.#signInPurpose(step), options)
      await this.remember(step, { identityProblem: undefined, link: undefined })
      this.redirect(step, location.href)
    } catch (error) {
      await this.refuseIdentity(step, provider.settings.id, error)
    }
  }

  async returned(step: Step, provider: string): Promise<void> {
    const { identity, now } = this.parts
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
        await this.remember(step, { link, identityProblem: undefined })
        this.redirect(step, this.form(step).action)
        return
      }
      default:
        throw new IdentityRefusedError('unknown', 'nobody’s identity')
    }
  }

  async #enrol(verified: VerifiedIdentity): Promise<string> {
    const { identities } = this.parts.identity
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
    codeHash: string | null = null,
  ): Promise<void> {
    if (!linking) return this.#signIn(step, userId, factors)
    const { identities } = this.parts.identity
    const { identity } = linking
    if (!(await identities.link(identity, userId, codeHash))) {
      const error = new IdentityRefusedError('taken', 'linked already')
      return this.refuseIdentity(step, identity.provider, error)
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
    await this.parts.identity.identities.recordAuthentication(identity, context)
    const upstream = identity.amr.length > 0 ? identity.amr : ['id-bb']
    await this.#signIn(step, userId, [...new Set([...more, ...upstream])], identity.acr)
  }

  /** The identity that waits to be linked, when the form is the one that said so. */
  #linking(step: Step, id?: string): NonNullable<Remembered['link']> | null {
    const { link } = this.remembered(step)
    if (!link || link.until * 1000 <= this.parts.now().getTime()) return null
    return id === undefined || id === link.id ? link : null
  }

  #linkView({ id, identity }: NonNullable<Remembered['link']>): NonNullable<SignInView['link']> {
    const { provider, name } = identity
    return {
      id,
      label: this.parts.identity.find(provider)?.settings.label ?? provider,
      person: name && `${name.given} ${name.family}`,
    }
  }

  /** One act proves two factors: having the device, and the fingerprint, face or PIN that it verified. */
  async #signInByPasskey(step: Step, form: Form): Promise<void> {
    const { passkeys, accounts } = this.parts
    if (!(await accounts.allowAttempt(step.ctx.ip))) {
      return this.#showSignIn(step, { problem: 'too-many-attempts' })
    }
    try {
      const answer = form[PASSKEY_FIELD] ?? ''
      const proven = await passkeys.check(answer, this.#passkeyPurpose(step), null)
      if (!(await proven.spend())) return this.#showSignIn(step, { passkeyProblem: 'expired' })
      const linking = this.#linking(step, form['link'])
      await this.#linkAndSignIn(step, proven.user.id, ['hwk', 'user'], linking)
    } catch (error) {
      if (!(error instanceof PasskeyRefusedError)) throw error
      return this.#showSignIn(step, { passkeyProblem: error.kind })
    }
  }

  #passkeyPurpose({ details, client }: Step): PasskeyPurpose {
    const facts = ['sign-in', details.uid, client.id]
    return { purpose: 'sign-in', clientId: client.id, facts }
  }

  #signInPurpose({ details, client }: Step) {
    const { uid } = details
    return { interaction: uid, purpose: 'sign-in' as const, facts: ['sign-in', uid, client.id] }
  }

  async showConsent(step: Step): Promise<void> {
    const user = await this.signedInUser(step)
    if (!user) return this.finish(step, DENIED)
    // One's own pages need nobody's leave.
    if (step.client.id === ACCOUNT_CLIENT_ID) return this.consent(step)
    const { displayName } = user
    this.send(step, renderConsent({ ...this.form(step), user: { displayName } }))
  }

  async consent(step: Step): Promise<void> {
    const user = await this.signedInUser(step)
    if (!user) return this.finish(step, DENIED)
    const grant = this.newGrant(step, user.id, 'service')
    await this.finish(step, { consent: { grantId: await grant.save() } })
  }
}
