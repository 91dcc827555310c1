import Router from '@koa/router'
import type { Context } from 'koa'
import { readForm } from '../http/form-body.js'
import { isForgedPost } from '../http/forged-post.js'
import { ApprovalSteps } from './approval-steps.js'
import {
  InteractionSteps,
  type InteractionParts,
  type Form,
  type Step,
  DENIED,
} from './interaction-steps.js'
import { ManagementSteps } from './management-steps.js'
import { SignInSteps } from './sign-in-steps.js'

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
  for (const path of ['/:uid/documents/:number', '/:uid/documents/:number/:part']) {
    router.get(path, async (ctx) => {
      const step = await signer.open(ctx)
      if (step) await signer.showDocument(step)
    })
  }
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

/** The interaction the address names; the cookie says whether it is this browser's. */
function uidOf(ctx: Context): string | undefined {
  return (ctx['params'] as { uid?: string }).uid
}

class SignerSteps extends InteractionSteps {
  readonly #signIn: SignInSteps
  readonly #approval: ApprovalSteps
  readonly #management: ManagementSteps

  constructor(parts: InteractionParts) {
    super(parts)
    this.#signIn = new SignInSteps(parts)
    this.#approval = new ApprovalSteps(parts)
    this.#management = new ManagementSteps(parts)
  }

  /** The interaction, or null after showing that it is gone or another browser's. */
  async open(ctx: Context): Promise<Step | null> {
    const { provider, pages, clients } = this.parts
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
        return this.#signIn.show(step)
      case 'approval':
        return this.#decision(step).show(step)
      default:
        return this.#signIn.showConsent(step)
    }
  }

  /** Where nothing is to be signed, there is no document either. */
  async showDocument(step: Step): Promise<void> {
    const isApproval = step.details.prompt.name === 'approval' && !this.#management.isAsked(step)
    if (isApproval) return this.#approval.showDocument(step)
    this.parts.pages.renderProblem(step.ctx, 404, 'invalid_request', 'expired')
  }

  /** On signatures, or on a credential. */
  #decision(step: Step): ApprovalSteps | ManagementSteps {
    return this.#management.isAsked(step) ? this.#management : this.#approval
  }

  async answer(step: Step, form: Form): Promise<void> {
    const prompt = step.details.prompt.name
    if (form['action'] === 'reject') {
      if (prompt === 'approval') await this.#approval.reject(step)
      return this.finish(step, DENIED)
    }
    switch (prompt) {
      case 'login':
        return this.#signIn.answer(step, form)
      case 'approval':
        return this.#decision(step).answer(step, form)
      default:
        return this.#signIn.consent(step)
    }
  }

  /** Back from an identity provider: signed in, approved, or told what to do about it. */
  async returned(step: Step): Promise<void> {
    const { provider = '' } = step.ctx['params'] as { provider?: string }
    const steps = step.details.prompt.name === 'approval' ? this.#approval : this.#signIn
    try {
      await steps.returned(step, provider)
    } catch (error) {
      await this.refuseIdentity(step, provider, error)
    }
  }
}
