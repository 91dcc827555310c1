import { randomUUID } from 'node:crypto'
import type { ApprovalRequest } from '../activation/approval-request.js'
import { confirmationNumber } from '../activation/approval-requests.js'
import { isApprovedAnywhere, isApprovedByCode, type Credential } from '../credentials/credential.js'
import { PasskeyRefusedError } from '../identity/passkey-refusal.js'
import type { GivenFactor, ProvenFactor } from '../identity/signing-factors.js'
import {
  codePurpose,
  factorProblem,
  sendCode,
  sentCodeView,
  sentFactor,
  typedCode,
} from '../oauth/approval-codes.js'
import { approvalFacts, passkeyPurpose } from '../oauth/approval-facts.js'
import { renderApproval, type ApprovalView } from '../oauth/pages/index.js'
import { PASSKEY_FIELD, type PasskeyProblem } from '../pages/passkey.js'
import type { Transaction } from '../transactions/transaction.js'
import { viewOf } from './pages/account-page.js'
import { renderApprovals } from './pages/approvals.js'
import {
  done,
  notFound,
  pathPart,
  type AccountParts,
  type AccountSection,
  type Form,
} from './section.js'
import { redirect, type AccountVisit } from './visit.js'

/** Requests that wait for the person: what an application asked for while they were elsewhere. */
export const approvals: AccountSection = {
  path: 'approvals',
  title: 'approvals',
  routes(section, parts) {
    const pages = new ApprovalPages(parts)
    section.get('/', (visit) => pages.list(visit))
    section.get('/:id', (visit) => pages.show(visit))
    section.post('/:id', (visit, form) => pages.answer(visit, form))
    section.get('/:id/documents/:number', (visit) => pages.showDocument(visit))
    section.get('/:id/documents/:number/:part', (visit) => pages.showDocument(visit))
  },
}

/** One request, with what it will be signed with. */
interface Asked {
  readonly request: ApprovalRequest
  readonly credential: Credential
  readonly clientName: string
}

class ApprovalPages {
  readonly #parts: AccountParts

  constructor(parts: AccountParts) {
    this.#parts = parts
  }

  async list(visit: AccountVisit): Promise<void> {
    const waiting = await this.#parts.approvals.listWaiting(visit.user.id)
    const asked = await Promise.all(waiting.map((request) => this.#asked(request)))
    const items = asked.flatMap((each) => {
      if (!each) return []
      const { request, clientName } = each
      const { id, numSignatures, description, expiresAt } = request.transaction
      const confirmation = confirmationNumber(request.handleHash)
      return [{ id, clientName, numSignatures, description, expiresAt, confirmation }]
    })
    this.#parts.pages.send(visit.ctx, 200, renderApprovals(viewOf(visit), items))
  }

  async show(visit: AccountVisit): Promise<void> {
    const asked = await this.#find(visit)
    if (!asked) return notFound(visit, this.#parts)
    return this.#show(visit, asked)
  }

  async showDocument(visit: AccountVisit): Promise<void> {
    const asked = await this.#find(visit)
    if (!asked) return notFound(visit, this.#parts)
    const { request } = asked
    const shown = { items: request.transaction, action: addressOf(request), lang: visit.lang }
    return this.#parts.documents.answer(visit.ctx, shown)
  }

  async answer(visit: AccountVisit, form: Form): Promise<void> {
    const asked = await this.#find(visit)
    if (!asked) return notFound(visit, this.#parts)
    switch (form['action']) {
      case 'approve':
        // Whose factor is a passkey agrees by nothing else.
        if (!isApprovedByCode(asked.credential)) return this.#show(visit, asked)
        return this.#approve(visit, asked, [
          typedCode(asked.credential, asked.request.transaction, form['otp'] ?? ''),
          ...typedPin(asked, form),
        ])
      case PASSKEY_FIELD:
        if (isApprovedByCode(asked.credential)) return this.#show(visit, asked)
        return this.#approveByPasskey(visit, asked, form)
      case 'reject':
        return this.#reject(visit, asked)
      case 'send-code':
        return this.#sendCode(visit, asked)
      default:
        return this.#show(visit, asked)
    }
  }

  async #show(
    visit: AccountVisit,
    { request, credential, clientName }: Asked,
    problem?: ApprovalView['problem'],
    passkeyProblem?: PasskeyProblem,
  ): Promise<void> {
    const { pages, sentCodes, approvalSeconds, now } = this.#parts
    const { transaction } = request
    const sentCode = await sentCodeView(sentCodes, visit.user, [credential], transaction)
    const passkey = await this.#passkeyView(transaction, credential)
    const documents = await this.#parts.documents.ofItems(transaction, addressOf(request))
    const html = renderApproval({
      ...approvalFacts(transaction, [credential], documents),
      ...{ lang: visit.lang, client: { name: clientName }, now: now() },
      ...{ here: addressOf(request), action: addressOf(request) },
      user: { displayName: visit.user.displayName },
      validFor: approvalSeconds,
      expiresAt: transaction.expiresAt,
      confirmation: confirmationNumber(request.handleHash),
      asks: { otp: isApprovedByCode(credential), pin: asksPin(request, credential) },
      ...(passkey ? { passkey } : {}),
      ...(passkeyProblem ? { passkeyProblem } : {}),
      ...(sentCode ? { sentCode } : {}),
      ...(problem ? { problem } : {}),
    })
    pages.send(visit.ctx, 200, html, [], typeof passkey === 'object')
  }

  async #passkeyView(
    transaction: Transaction,
    credential: Credential,
  ): Promise<ApprovalView['passkey']> {
    if (isApprovedByCode(credential)) return undefined
    const options = await this.#parts.passkeys.ask(passkeyPurpose(transaction), credential.userId)
    return options ? { ceremony: 'get', options } : 'not-enrolled'
  }

  /** The challenge is made again from the transaction; it is used up only when the PIN is right, too. */
  async #approveByPasskey(visit: AccountVisit, asked: Asked, form: Form): Promise<void> {
    const { passkeys } = this.#parts
    const { request, credential } = asked
    const { userId } = credential
    const lockedUntil = this.#parts.credentials.lockEnd(credential)
    if (lockedUntil) return this.#show(visit, asked, { lockedUntil })
    try {
      const purpose = passkeyPurpose(request.transaction)
      const { spend } = await passkeys.check(form[PASSKEY_FIELD] ?? '', purpose, userId)
      await this.#approve(visit, asked, [...typedPin(asked, form), { factor: 'passkey', spend }])
    } catch (error) {
      if (!(error instanceof PasskeyRefusedError)) throw error
      return this.#show(visit, asked, undefined, error.kind)
    }
  }

  async #approve(
    visit: AccountVisit,
    asked: Asked,
    given: readonly (GivenFactor | ProvenFactor)[],
  ): Promise<void> {
    const { factors, activations, now } = this.#parts
    const { request, credential } = asked
    const { transaction } = request
    const checked = await factors.check(credential, transaction.clientId, given, () => true)
    if (checked.outcome === 'used-code' && !isApprovedByCode(credential)) {
      return this.#show(visit, asked, undefined, 'expired')
    }
    if (checked.outcome !== 'accepted') {
      return this.#show(visit, asked, factorProblem(checked, credential, now()))
    }
    const proved = [...request.factors, ...checked.factors]
    // Another tab, or time, was first: that decision stands.
    const granted = await activations.grant(randomUUID(), transaction, proved)
    return granted ? done(visit, 'approved') : notFound(visit, this.#parts)
  }

  async #reject(visit: AccountVisit, { request }: Asked): Promise<void> {
    const rejected = await this.#parts.transactions.reject(request.transaction)
    return rejected ? done(visit, 'rejected') : notFound(visit, this.#parts)
  }

  async #sendCode(visit: AccountVisit, asked: Asked): Promise<void> {
    const { sentCodes } = this.#parts
    const { request, credential, clientName } = asked
    const { transaction } = request
    const factor = sentFactor(credential)
    if (!factor) return this.#show(visit, asked)
    const lockedUntil = this.#parts.credentials.lockEnd(credential)
    if (lockedUntil) return this.#show(visit, asked, { lockedUntil })
    const about = { clientName, numSignatures: transaction.numSignatures, lang: visit.lang }
    const purpose = codePurpose(factor, transaction)
    const problem = await sendCode(sentCodes, purpose, visit.user, about)
    if (problem) return this.#show(visit, asked, problem)
    redirect(visit.ctx, addressOf(request))
  }

  async #find(visit: AccountVisit): Promise<Asked | null> {
    const request = await this.#parts.approvals.findWaiting(pathPart(visit, 'id'), visit.user.id)
    return request && this.#asked(request)
  }

  /** Null when it cannot be signed with, or its application is gone: then nothing is to be decided. */
  async #asked(request: ApprovalRequest): Promise<Asked | null> {
    const { credentials, clients } = this.#parts
    const { credentialId, clientId, userId } = request.transaction
    const credential = await credentials.find(credentialId)
    const client = await clients.find(clientId)
    if (credential?.userId !== userId || !credentials.isUsable(credential)) return null
    if (!client || client.disabledAt || !isApprovedAnywhere(credential)) return null
    return { request, credential, clientName: client.name }
  }
}

/** Not again where the application brought it with the request. */
function asksPin({ factors }: ApprovalRequest, { pinHash }: Credential): boolean {
  return pinHash !== null && !factors.includes('pin')
}

function typedPin({ request, credential }: Asked, form: Form): GivenFactor[] {
  return asksPin(request, credential) ? [{ factor: 'pin', value: form['pin'] ?? '' }] : []
}

function addressOf({ transaction }: ApprovalRequest): string {
  return `/account/approvals/${transaction.id}`
}
