import { randomBytes } from 'node:crypto'
import Router from '@koa/router'
import type { AuditLog } from '../audit/audit-log.js'
import { auditEvent } from '../audit/events.js'
import type { IdBb } from '../identity/id-bb.js'
import type { Identities } from '../identity/identities.js'
import { IdentityRefusedError, type VerifiedIdentity } from '../identity/verified-identity.js'
import type { Transaction } from '../transactions/transaction.js'
import { boundNonce, type IdentityRequest, type IdentityRequests } from './identity-requests.js'
import type { PageRenderer } from './page-renderer.js'
import type { IdentityButton } from './pages/index.js'

const PREFIX = 'idp:'

export interface IdentityParts {
  readonly providers: readonly IdBb[]
  readonly identities: Identities
  readonly requests: IdentityRequests
  readonly pages: PageRenderer
  readonly audit: AuditLog
  readonly now: () => Date
}

/** What an identity is asked for; the answer is good for nothing else. */
export interface IdentityPurpose {
  readonly interaction: string
  readonly purpose: IdentityRequest['purpose']
  readonly facts: readonly string[]
}

/** Sends browsers to identity providers and takes them back, for the signer's pages. */
export class IdentitySteps {
  readonly identities: Identities
  readonly #parts: IdentityParts

  constructor(parts: IdentityParts) {
    this.identities = parts.identities
    this.#parts = parts
  }

  /** Where the browser comes back to, and where providers read our keys. */
  routes(): Router {
    const { requests, pages } = this.#parts
    const router = new Router({ prefix: '/oauth2/identity' })
    router.get('/:provider/callback', async (ctx) => {
      const { state } = ctx.query
      const request = typeof state === 'string' ? await requests.find(state) : null
      if (!request) {
        pages.renderProblem(ctx, 400, 'invalid_request', 'expired')
        return
      }
      // On to the address the interaction's cookie is sent to: there it shows whose answer this is.
      const { provider = '' } = ctx['params'] as { provider?: string }
      const { interaction } = request
      ctx.status = 303
      ctx.set(
        'Location',
        `/oauth2/interaction/${interaction}/identity/${encodeURIComponent(provider)}${ctx.search}`,
      )
      ctx.set('Cache-Control', 'no-store')
    })
    router.get('/:provider/jwks', async (ctx) => {
      const provider = this.find((ctx['params'] as { provider?: string }).provider ?? '')
      if (!provider) return
      ctx.set('Cache-Control', 'public, max-age=300')
      ctx.body = { keys: await provider.publicKeys() }
    })
    return router
  }

  find(id: string): IdBb | null {
    return this.#parts.providers.find(({ settings }) => settings.id === id) ?? null
  }

  buttons(): IdentityButton[] {
    return this.#parts.providers.map(toButton)
  }

  /** The providers at which this person is known to us. */
  async buttonsOf(userId: string): Promise<IdentityButton[]> {
    const issuers = await this.identities.issuersOf(userId)
    return this.#parts.providers
      .filter(({ settings }) => issuers.includes(settings.issuer))
      .map(toButton)
  }

  /** Origins a page's form may lead to. */
  async formTargets(): Promise<string[]> {
    return (await Promise.all(this.#parts.providers.map((each) => each.origins()))).flat()
  }

  /** The provider whose button was pressed. */
  chosen(action: string | undefined): IdBb | null {
    return action?.startsWith(PREFIX) ? this.find(action.slice(PREFIX.length)) : null
  }

  /**
   * The address to send the browser to.
   * @param options.fresh whether the person must authenticate anew
   * @throws {IdentityRefusedError}
   */
  async begin(
    provider: IdBb,
    { interaction, purpose, facts }: IdentityPurpose,
    options: { fresh: boolean; factors: readonly string[]; lang: string },
  ): Promise<URL> {
    const { fresh, factors, lang } = options
    const startedAt = this.#parts.now()
    const salt = randomBytes(32).toString('base64url')
    const codeVerifier = randomBytes(32).toString('base64url')
    const state = await this.#parts.requests.add({
      ...{ interaction, purpose, factors, salt, codeVerifier, fresh },
      provider: provider.settings.id,
      startedAt: startedAt.toISOString(),
    })
    const nonce = boundNonce(salt, facts)
    return provider.begin({ state, nonce, codeVerifier, startedAt, fresh }, lang)
  }

  /**
   * Takes the answer of a provider, once.
   * @param expected what it must have been asked for, as things stand now
   * @throws {IdentityRefusedError}
   */
  async complete(
    providerId: string,
    query: URLSearchParams,
    expected: IdentityPurpose,
  ): Promise<{ identity: VerifiedIdentity; request: IdentityRequest }> {
    const state = query.get('state') ?? ''
    const request = await this.#parts.requests.find(state)
    if (request?.interaction !== expected.interaction) throw refused('state of no request')
    if (!(await this.#parts.requests.spend(state))) throw refused('state was used before')
    const provider = this.find(providerId)
    if (!provider || request.provider !== providerId) throw refused('answer of another provider')
    if (request.purpose !== expected.purpose) throw refused('asked for another purpose')
    const { salt, codeVerifier, fresh } = request
    const identity = await provider.complete(query, {
      ...{ state, codeVerifier, fresh },
      nonce: boundNonce(salt, expected.facts),
      startedAt: new Date(request.startedAt),
    })
    return { identity, request }
  }

  async recordRefusal(
    { message: why }: IdentityRefusedError,
    context: { provider: string; clientId: string; interactionId: string },
    purpose: 'sign-in' | 'approval',
  ): Promise<void> {
    const provider = this.find(context.provider) ? context.provider : 'unknown'
    await this.#parts.audit.append(
      auditEvent('identity.refused', { ...context, provider, purpose, why }),
    )
  }
}

/** Everything the signer is shown and agrees to; another request for the same is another transaction. */
export function transactionFacts(transaction: Transaction): string[] {
  const { id, clientId, userId, credentialId, hashAlgorithm, numSignatures, items } = transaction
  return [
    ...['approval', id, clientId, userId, credentialId],
    ...[hashAlgorithm?.oid ?? '', String(numSignatures)],
    ...items.map(({ digest }) => digest.toString('base64')),
    ...items.flatMap(({ signedProperties = [] }, index) =>
      signedProperties.map((each) => JSON.stringify([index, each.name, each.value])),
    ),
  ]
}

function toButton({ settings }: IdBb): IdentityButton {
  return { action: `${PREFIX}${settings.id}`, label: settings.label }
}

function refused(why: string): IdentityRefusedError {
  return new IdentityRefusedError('refused', why)
}
