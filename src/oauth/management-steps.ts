import { auditEvent } from '../audit/events.js'
import { namesOf } from '../credentials/credentials.js'
import type { Credential } from '../credentials/credential.js'
import { InvalidParameterError, isServiceError } from '../errors.js'
import { hasSecondFactor } from '../identity/enrolment.js'
import type { User } from '../identity/user.js'
import { DENIED, InteractionSteps, type Form, type Step } from './interaction-steps.js'
import { isManagementScope, readManagement, type ManagementRequest } from './management-details.js'
import { renderManagement, type ManagementView } from './pages/index.js'

/** What is asked, of whom, and what it is about. */
interface Question {
  readonly request: ManagementRequest
  readonly user: User
  /** What would be deleted; null when one would be made. */
  readonly credential: Credential | null
}

/** The person sees that an application wants to make or end a credential, and agrees or not (CSC API v2.2, 8.4). */
export class ManagementSteps extends InteractionSteps {
  isAsked({ parameters }: Step): boolean {
    return isManagementScope(parameters.scope)
  }

  async show(step: Step, problem?: ManagementView['problem']): Promise<void> {
    const question = await this.#question(step)
    if (!question) return
    const { user, credential } = question
    const html = renderManagement({
      ...this.form(step),
      user: { displayName: user.displayName },
      credential: credential && described(credential),
      asksCode: await this.parts.accounts.hasAuthenticator(user.id),
      ...(problem ? { problem } : {}),
    })
    this.send(step, html)
  }

  async answer(step: Step, form: Form): Promise<void> {
    const question = await this.#question(step)
    if (!question) return
    const { user, request, credential } = question
    if (form['action'] !== 'approve') return this.show(step)
    const { accounts, audit, now, signInWindowSeconds } = this.parts
    if (await accounts.hasAuthenticator(user.id)) {
      const outcome = await accounts.checkSignInCode(user.id, form['otp'] ?? '')
      if (outcome === 'too-many-attempts') {
        return this.show(step, {
          lockedUntil: new Date(now().getTime() + signInWindowSeconds * 1000),
        })
      }
      if (outcome !== 'accepted') return this.show(step, outcome)
    } else if (!hasSecondFactor(step.details.session?.amr ?? [])) {
      // A password alone, which may have been stolen, gives nothing away for good.
      return this.finish(step, DENIED)
    }
    const { scope } = step.parameters
    if (!isManagementScope(scope)) return this.finish(step, DENIED)
    await audit.append(
      auditEvent('credential-management.approved', {
        ...{ clientId: step.client.id, userId: user.id, act: request.asked.act },
        credentialId: credential?.id ?? null,
      }),
    )
    const grant = this.newGrant(step, user.id, scope)
    grant.addRar(request.detail)
    await this.finish(step, { approval: { grantId: await grant.save() } })
  }

  /** Null after the application was told what is wrong with it. */
  async #question(step: Step): Promise<Question | null> {
    const user = await this.signedInUser(step)
    const { scope } = step.parameters
    if (!user || !isManagementScope(scope)) {
      await this.finish(step, DENIED)
      return null
    }
    try {
      const request = readManagement(scope, step.parameters)
      return { request, user, credential: await this.#credential(request, user) }
    } catch (error) {
      if (!isServiceError(error)) throw error
      await this.finish(step, { error: 'invalid_request', error_description: error.message })
      return null
    }
  }

  /** @throws {InvalidParameterError} @throws {RefusedRequestError} */
  async #credential({ asked }: ManagementRequest, user: User): Promise<Credential | null> {
    const { credentials, managedCredentials } = this.parts
    if (asked.act === 'creation') {
      await managedCredentials.rejectUnfit(asked.request, user)
      return null
    }
    const credential = await credentials.find(asked.credentialID)
    if (credential?.userId !== user.id) throw new InvalidParameterError('credentialID')
    return credential
  }
}

function described(credential: Credential): NonNullable<ManagementView['credential']> {
  return { description: credential.description, certificate: namesOf(credential) }
}
