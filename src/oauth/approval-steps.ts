import { isApprovedByCode, type Credential } from '../credentials/credential.js'
import { InvalidParameterError, isServiceError, TooManySignaturesError } from '../errors.js'
import type { IdBb } from '../identity/id-bb.js'
import { PasskeyRefusedError } from '../identity/passkey-refusal.js'
import type { GivenFactor } from '../identity/signing-factors.js'
import type { User } from '../identity/user.js'
import { IdentityRefusedError } from '../identity/verified-identity.js'
import type { Transaction } from '../transactions/transaction.js'
import { PASSKEY_FIELD, type PasskeyProblem } from '../pages/passkey.js'
import {
  codePurpose,
  factorProblem,
  sendCode,
  sentCodeView,
  sentFactor,
  typedCode,
} from './approval-codes.js'
import { approvalFacts, passkeyPurpose } from './approval-facts.js'
import { approvedDetail, readCredentialRequest } from './authorization-details.js'
import { wordsFor, type CredentialScopeRequest } from './credential-scope.js'
import { transactionFacts } from './identity-steps.js'
import { CHOSEN_CREDENTIAL } from './chosen-credential.js'
import { renderApproval, type ApprovalView } from './pages/index.js'
import { InteractionSteps, type Form, type Step, DENIED } from './interaction-steps.js'

/** What is asked, and what it can be signed with: one credential, or several to choose from. */
interface Story {
  readonly request: CredentialScopeRequest
  readonly candidates: readonly Credential[]
  /** On record once it is certain which credential it is. */
  readonly transaction: Transaction | null
}

/** What was decided about: certain, and on record. */
interface Chosen {
  readonly request: CredentialScopeRequest
  readonly credential: Credential
  readonly transaction: Transaction
}

/** What the application did wrong, in the words of `credentials/authorize`; null when it is not to blame. */
function requestProblem(error: unknown, { parameters }: Step): string | null {
  if (!isServiceError(error)) return null
  switch (error.kind) {
    case 'missing-parameter':
    case 'invalid-parameter':
    case 'refused-request':
    case 'certificate-expired':
      return wordsFor(parameters, error)
    case 'credential-disabled':
      return 'The credential identified by credentialID is disabled'
    case 'too-many-signatures':
      return 'Numbers of signatures is too high'
    default:
      return null
  }
}

/** Whether the page has to have a field for something; with a choice it may depend on what is chosen. */
function asked(
  candidates: readonly Credential[],
  asks: (credential: Credential) => boolean,
): boolean | 'depends' {
  const some = candidates.some(asks)
  return some && !candidates.every(asks) ? 'depends' : some
}

function approvedByPasskey({ approvalFactor }: Credential): boolean {
  return approvalFactor === 'passkey'
}

function approvedByIdentity({ approvalFactor }: Credential): boolean {
  return approvalFactor === 'id-bb'
}

function typedPin({ pinHash }: Credential, form: Form): GivenFactor[] {
  return pinHash === null ? [] : [{ factor: 'pin', value: form['pin'] ?? '' }]
}

/** The signer sees what is to be signed, and agrees to it or not. */
export class ApprovalSteps extends InteractionSteps {
  async reject(step: Step): Promise<void> {
    const { transactions, managedCredentials } = this.parts
    const transaction = await transactions.findPending(step.details.uid)
    if (!transaction || !(await transactions.reject(transaction))) return
    await managedCredentials.giveUpOnTheFly(transaction.credentialId)
  }

  async show(
    step: Step,
    problem?: ApprovalView['problem'],
    passkeyProblem?: PasskeyProblem,
  ): Promise<void> {
    const user = await this.signedInUser(step)
    if (!user) return this.finish(step, DENIED)
    const story = await this.#requestedStory(step, user)
    if (!story) return
    const { request, candidates, transaction } = story
    const byIdentity = candidates.some(approvedByIdentity)
    const passkey = await this.#passkeyView(story)
    // A passkey is asked on a page of its own, once it is certain for which certificate; so is its PIN.
    const here = (each: Credential) => passkey !== 'choose' || !approvedByPasskey(each)
    const identities = byIdentity ? await this.parts.identity.buttonsOf(user.id) : null
    const unlinked = identities?.length === 0 ? { kind: 'not-linked' as const, label: '' } : null
    const identityProblem =
      unlinked ?? (problem || passkeyProblem ? null : this.identityProblem(step))
    const { sentCodes, now } = this.parts
    const sentCode = await sentCodeView(sentCodes, user, candidates, transaction)
    const items = { ...request, clientId: step.client.id, userId: user.id }
    const documents = await this.parts.documents.ofItems(items, this.form(step).action)
    const html = renderApproval({
      ...this.form(step),
      now: now(),
      ...(sentCode ? { sentCode } : {}),
      user: { displayName: user.displayName },
      ...approvalFacts(request, candidates, documents),
      validFor: this.parts.approvalSeconds,
      expiresAt: transaction?.expiresAt ?? new Date(step.details.exp * 1000),
      asks: {
        otp: asked(candidates, isApprovedByCode),
        pin: asked(candidates, (each) => each.pinHash !== null && here(each)),
      },
      ...(passkey ? { passkey } : {}),
      ...(passkeyProblem ? { passkeyProblem } : {}),
      ...(identities ? { identities } : {}),
      ...(identityProblem ? { identityProblem } : {}),
      ...(problem ? { problem } : {}),
    })
    const targets = byIdentity ? await this.parts.identity.formTargets() : []
    this.send(step, html, 200, targets, typeof passkey === 'object')
  }

  /** A document of the request, below the page on which it is decided about. */
  async showDocument(step: Step): Promise<void> {
    const user = await this.signedInUser(step)
    if (!user) return this.finish(step, DENIED)
    const story = await this.#requestedStory(step, user)
    if (!story) return
    const { lang, action } = this.form(step)
    const items = { ...story.request, clientId: step.client.id, userId: user.id }
    await this.parts.documents.answer(step.ctx, { items, lang, action })
  }

  async answer(step: Step, form: Form): Promise<void> {
    const { factors, identity } = this.parts
    const { action } = form
    const provider = identity.chosen(action)
    const asksForCode = action === 'send-code'
    const usesPasskey = action === PASSKEY_FIELD
    if (action !== 'approve' && !usesPasskey && !asksForCode && !provider) return this.show(step)
    const user = await this.signedInUser(step)
    if (!user) return this.finish(step, DENIED)
    const story = await this.#requestedStory(step, user)
    if (!story) return
    const { request, candidates } = story
    const chosen = form['credentialID']
    const [only, another] = candidates
    const credential = another ? candidates.find(({ id }) => id === chosen) : only
    if (!credential) return this.show(step, 'no-credential')
    // Another tab was first, with another choice: that one stands, and is shown before it is agreed to.
    if (chosen && chosen !== credential.id) return this.show(step)
    const transaction =
      story.transaction ?? (await this.#openTransaction(step, request, credential))
    if (!transaction) {
      this.parts.pages.renderProblem(step.ctx, 400, 'invalid_request', 'expired')
      return
    }
    // The same, where that tab was first since the choice was read.
    if (transaction.credentialId !== credential.id) return this.show(step)
    if (asksForCode) return this.#sendCode(step, user, credential, transaction)
    if (approvedByIdentity(credential) !== (provider !== null)) return this.show(step)
    if (provider) return this.#leaveToConfirm(step, form, { provider, credential, transaction })
    // One whose passkey was not asked for yet was chosen just now: the page goes on with it alone.
    if (approvedByPasskey(credential) !== usesPasskey) return this.show(step)
    if (usesPasskey) return this.#approveByPasskey(step, form, { request, credential, transaction })
    const given = [
      ...typedPin(credential, form),
      typedCode(credential, transaction, form['otp'] ?? ''),
    ]
    const checked = await factors.check(credential, step.client.id, given, () => true)
    if (checked.outcome !== 'accepted') {
      return this.show(step, factorProblem(checked, credential, this.parts.now()))
    }
    await this.#approved(step, { request, credential, transaction }, checked.factors)
  }

  /**
   * The challenge is made again from the transaction as it stands, so an answer given for anything else
   * does not fit (S22). It is used up only when the PIN is right, too.
   */
  async #approveByPasskey(step: Step, form: Form, chosen: Chosen): Promise<void> {
    const { passkeys, factors, now } = this.parts
    const { credential, transaction } = chosen
    const lockedUntil = this.parts.credentials.lockEnd(credential)
    if (lockedUntil) return this.show(step, { lockedUntil })
    try {
      const answer = form[PASSKEY_FIELD] ?? ''
      const purpose = passkeyPurpose(transaction)
      const { spend } = await passkeys.check(answer, purpose, credential.userId)
      const given = [...typedPin(credential, form), { factor: 'passkey' as const, spend }]
      const checked = await factors.check(credential, step.client.id, given, () => true)
      if (checked.outcome === 'used-code') return this.show(step, undefined, 'expired')
      if (checked.outcome !== 'accepted') {
        return this.show(step, factorProblem(checked, credential, now()))
      }
      await this.#approved(step, chosen, checked.factors)
    } catch (error) {
      if (!(error instanceof PasskeyRefusedError)) throw error
      return this.show(step, undefined, error.kind)
    }
  }

  /** What the page asks a passkey, when one approves with any of the certificates. */
  async #passkeyView({ candidates, transaction }: Story): Promise<ApprovalView['passkey']> {
    if (!candidates.some(approvedByPasskey)) return undefined
    if (!transaction) return 'choose'
    const options = await this.parts.passkeys.ask(passkeyPurpose(transaction), transaction.userId)
    return options ? { ceremony: 'get', options } : 'not-enrolled'
  }

  async #approved(
    step: Step,
    { request, credential, transaction }: Chosen,
    factors: readonly string[],
  ): Promise<void> {
    const owner = await this.signedInUser(step)
    if (!owner) return this.finish(step, DENIED)
    // One that is for one session has it now, or had another.
    if (!(await this.parts.credentials.beginSession(credential, transaction.id, owner))) {
      this.parts.pages.renderProblem(step.ctx, 400, 'invalid_request', 'expired')
      return
    }
    const grant = this.#approvalGrant(step, request, credential)
    const grantId = grant.jti
    const [, authorisation] = await Promise.all([
      grant.save(),
      this.parts.activations.grant(grantId, transaction, factors),
    ])
    if (!authorisation) {
      this.parts.pages.renderProblem(step.ctx, 400, 'invalid_request', 'expired')
      return
    }
    await this.finish(step, { approval: { grantId } })
  }

  async #sendCode(
    step: Step,
    user: User,
    credential: Credential,
    transaction: Transaction,
  ): Promise<void> {
    const { sentCodes } = this.parts
    const factor = sentFactor(credential)
    if (!factor) return this.show(step)
    const lockedUntil = this.parts.credentials.lockEnd(credential)
    if (lockedUntil) return this.show(step, { lockedUntil })
    const { numSignatures } = transaction
    const about = { clientName: step.client.name, numSignatures, lang: step.lang }
    const problem = await sendCode(sentCodes, codePurpose(factor, transaction), user, about)
    if (problem) return this.show(step, problem)
    this.redirect(step, this.form(step).action)
  }

  /** The PIN is checked before leaving; that it was, comes back with the request, sealed. */
  async #leaveToConfirm(
    step: Step,
    form: Form,
    chosen: { provider: IdBb; credential: Credential; transaction: Transaction },
  ): Promise<void> {
    const { provider, credential, transaction } = chosen
    const { identity, factors, now } = this.parts
    const issuers = await identity.identities.issuersOf(credential.userId)
    if (!issuers.includes(provider.settings.issuer)) return this.show(step)
    const lockedUntil = this.parts.credentials.lockEnd(credential)
    if (lockedUntil) return this.show(step, { lockedUntil })
    const given: string[] = []
    if (credential.pinHash !== null) {
      const pin = { factor: 'pin' as const, value: form['pin'] ?? '' }
      const checked = await factors.check(credential, step.client.id, [pin], () => true)
      if (checked.outcome !== 'accepted') {
        return this.show(step, factorProblem(checked, credential, now()))
      }
      given.push(...checked.factors)
    }
    try {
      const purpose = this.#approvalPurpose(step, transaction)
      const options = { fresh: true, factors: given, lang: step.lang }
      const location = await identity.begin(provider, purpose, options)
      await this.remember(step, { identityProblem: undefined })
      this.redirect(step, location.href)
    } catch (error) {
      await this.refuseIdentity(step, provider.settings.id, error)
    }
  }

  /**
   * The owner authenticated anew for exactly this transaction: the nonce of the ID token is made again
   * from the transaction as it stands, so an answer given for anything else does not fit (S22).
   */
  async returned(step: Step, provider: string): Promise<void> {
    const { identity } = this.parts
    const user = await this.signedInUser(step)
    if (!user) return this.finish(step, DENIED)
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
    const factors = [...completed.request.factors, 'id-bb']
    await this.#approved(step, { request, credential, transaction }, factors)
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
      this.parts.pages.renderProblem(step.ctx, 400, 'invalid_request', 'expired')
    } catch (error) {
      const error_description = requestProblem(error, step)
      if (error_description === null) throw error
      await this.finish(step, { error: 'invalid_request', error_description })
    }
    return null
  }

  #openTransaction(
    step: Step,
    request: CredentialScopeRequest,
    credential: Credential,
  ): Promise<Transaction | null> {
    const { hashAlgorithm, numSignatures, items, description, clientData } = request
    return this.parts.transactions.open(step.details.uid, {
      clientId: step.client.id,
      credential,
      ...{ hashAlgorithm, numSignatures, items, description, clientData },
    })
  }

  /**
   * The credentials the request can be signed with: the one it names, or all of the wanted kind, or one
   * that is made for it.
   * @throws {InvalidParameterError} @throws {TooManySignaturesError} when there is none
   */
  async #candidates(
    step: Step,
    { credentialID, signatureQualifier, numSignatures }: CredentialScopeRequest,
    user: User,
  ): Promise<Credential[]> {
    const { credentials, managedCredentials, transactions } = this.parts
    const chosen = credentialID ?? (await transactions.findPending(step.details.uid))?.credentialId
    if (chosen !== undefined) {
      const credential = await this.#ownCredential(chosen, user)
      if (signatureQualifier !== null && credential.signatureQualifier !== signatureQualifier) {
        throw new InvalidParameterError('signatureQualifier')
      }
      return [credential]
    }
    // Those that are made for one request are for no other.
    const ofKind = (await credentials.list(user.id)).filter(
      (each) =>
        each.signatureQualifier === signatureQualifier &&
        each.authMode === 'oauth2code' &&
        !each.endsAt &&
        credentials.isUsable(each),
    )
    if (ofKind.length === 0) {
      if (signatureQualifier === null || !managedCredentials.makesOnTheFly(signatureQualifier)) {
        throw new InvalidParameterError('signatureQualifier')
      }
      const { id: clientId } = step.client
      const request = { signatureQualifier, numSignatures, clientId }
      return [await managedCredentials.createOnTheFly(request, user)]
    }
    const candidates = ofKind.filter(({ multisign }) => numSignatures <= multisign)
    if (candidates.length === 0) throw new TooManySignaturesError('multisign')
    return candidates
  }

  /** Another person's credential is answered like one that does not exist. */
  async #ownCredential(id: string, user: User): Promise<Credential> {
    const { credentials } = this.parts
    const credential = await credentials.find(id)
    const isTheirs = credential?.userId === user.id && credential.authMode === 'oauth2code'
    if (!isTheirs || credential.session) throw new InvalidParameterError('credentialID')
    credentials.rejectUnusable(credential)
    return credential
  }

  /** A grant that says what was approved, as far as the application does not know it (S35). */
  #approvalGrant(
    step: Step,
    { detail, credentialID }: CredentialScopeRequest,
    credential: Credential,
  ) {
    const grant = this.newGrant(step, credential.userId, 'credential')
    if (detail) grant.addRar(approvedDetail(detail, credential.id))
    else if (credentialID === null) grant.addOIDCClaims([CHOSEN_CREDENTIAL])
    return grant
  }
}
