import type { Readable } from 'node:stream'
import type { Context } from 'koa'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { chosenLanguage, readableAddress } from '../pages/chosen-language.js'
import { chooseLanguage, type Language } from '../pages/language.js'
import type { ClientStore } from './client.js'
import { renderError, type Explanation } from './pages/index.js'

const SECURITY_HEADERS = {
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'X-Robots-Tag': 'noindex, nofollow',
} as const

/** Endpoints that no person looks at, whatever the request accepts. */
const FOR_APPLICATIONS = new Set([
  ...['token', 'revocation', 'introspection', 'pushed_authorization_request'],
])

export function isForApplications({ oidc }: KoaContextWithOIDC): boolean {
  return FOR_APPLICATIONS.has(oidc?.route)
}

/** Sends the authorization server's pages with what S46 to S51 demand of each. */
export class PageRenderer {
  readonly #clients: ClientStore
  readonly #defaultLanguage: string

  constructor(parts: { clients: ClientStore; defaultLanguage: string }) {
    this.#clients = parts.clients
    this.#defaultLanguage = parts.defaultLanguage
  }

  /** What the person chose; else `lang` (CSC) or `ui_locales` (OpenID Connect), else the browser's wish. */
  language(ctx: Context, parameters: Readonly<Record<string, unknown>>): Language {
    const chosen = chosenLanguage(ctx)
    if (chosen) return chosen
    const wishes = [parameters['lang'], parameters['ui_locales'], ctx.get('accept-language')]
    const wish = wishes.find((text) => typeof text === 'string' && text !== '')
    return chooseLanguage(typeof wish === 'string' ? wish : this.#defaultLanguage)
  }

  /**
   * @param html whole, or as it becomes known
   * @param afterPost origins a posted form may lead to, besides our own
   * @param script whether the page has the one script there is; without it none can run
   */
  send(
    ctx: Context,
    status: number,
    html: string | Readable,
    afterPost: readonly string[] = [],
    script = false,
  ): void {
    ctx.status = status
    ctx.set(SECURITY_HEADERS)
    const formAction = ["'self'", ...afterPost].join(' ')
    ctx.set(
      'Content-Security-Policy',
      `default-src 'none'; ${script ? "script-src 'self'; " : ''}style-src 'self'; img-src 'self' data:; form-action ${formAction}; frame-ancestors 'none'; base-uri 'none'`,
    )
    ctx.type = 'html'
    ctx.body = html
  }

  /** Something of a page that is no page. Whatever it is, it runs nothing and loads nothing. */
  sendFile(ctx: Context, type: 'image/png' | 'application/octet-stream', bytes: Buffer): void {
    ctx.status = 200
    ctx.set(SECURITY_HEADERS)
    ctx.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; sandbox")
    ctx.type = type
    ctx.body = bytes
  }

  /** For errors that must not be redirected: unknown client, foreign redirect URI, lost session. */
  async renderOAuthError(
    ctx: KoaContextWithOIDC,
    out: { error?: unknown; error_description?: unknown },
    _error: Error,
  ): Promise<void> {
    const error = text(out.error) ?? 'server_error'
    const description = text(out.error_description)
    if (isForApplications(ctx)) {
      ctx.body = out
      return
    }
    const { redirect_uri, client_id } = ctx.query
    const client = typeof client_id === 'string' ? await this.#clients.find(client_id) : null
    const known = client?.redirectUris.find((uri) => uri === redirect_uri)
    this.send(
      ctx,
      ctx.status,
      renderError({
        lang: this.language(ctx, ctx.query),
        error,
        ...(description === undefined ? {} : { description }),
        ...(error === 'invalid_client' ? { explanation: 'unknown-application' as const } : {}),
        ...(client && known ? { backTo: { href: new URL(known).origin, name: client.name } } : {}),
      }),
    )
  }

  renderProblem(ctx: Context, status: number, error: string, explanation: Explanation): void {
    const lang = this.language(ctx, ctx.query)
    const here = readableAddress(ctx)
    this.send(ctx, status, renderError({ lang, error, explanation, ...(here ? { here } : {}) }))
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
