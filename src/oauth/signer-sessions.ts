import { createHash, randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import type Provider from 'oidc-provider'
import { ACCOUNT_CLIENT_ID, ACCOUNT_REDIRECT_PATH } from './account-client.js'
import { OAUTH_ROUTES } from './routes.js'

/** A sign-in that this browser still has. */
export interface SignerSession {
  /** Stays the same while the identifier in the cookie changes. */
  readonly uid: string
  readonly userId: string
  readonly authenticatedAt: Date
  /** How (RFC 8176), `pwd` and `otp` among others. */
  readonly amr: readonly string[]
}

/** The authorization server's sessions, as the signer's own pages use them. */
export class SignerSessions {
  readonly #provider: Provider
  readonly #baseUrl: string

  constructor(parts: { provider: Provider; baseUrl: string }) {
    this.#provider = parts.provider
    this.#baseUrl = parts.baseUrl
  }

  /** The session of the browser that asks; null when nobody is signed in. */
  async current(ctx: Context): Promise<SignerSession | null> {
    const { uid, accountId, loginTs, amr } = await this.#provider.Session.get(ctx)
    if (!accountId || loginTs === undefined) return null
    return { uid, userId: accountId, authenticatedAt: new Date(loginTs * 1000), amr: amr ?? [] }
  }

  async end(ctx: Context): Promise<void> {
    const session = await this.#provider.Session.get(ctx)
    if (session.accountId) await session.destroy()
  }

  /**
   * The address to sign in at for the signer's own pages.
   * @param fresh whether a person who is signed in has to do so again, with all factors the account has
   */
  signInAddress(state: string, options: { fresh: boolean; lang: string }): string {
    // Nobody redeems the code, so nobody keeps the verifier.
    const challenge = createHash('sha256').update(randomBytes(32)).digest('base64url')
    const parameters = new URLSearchParams({
      response_type: 'code',
      client_id: ACCOUNT_CLIENT_ID,
      redirect_uri: `${this.#baseUrl}${ACCOUNT_REDIRECT_PATH}`,
      scope: 'service',
      state,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      lang: options.lang,
      ...(options.fresh ? { prompt: 'login' } : {}),
    })
    return `${OAUTH_ROUTES.authorization}?${parameters.toString()}`
  }

  /** What came back from signing in is good for nothing: the session itself is what counts. */
  async discardCode(value: string): Promise<void> {
    const code = await this.#provider.AuthorizationCode.find(value)
    if (code?.clientId !== ACCOUNT_CLIENT_ID) return
    const grant = code.grantId ? await this.#provider.Grant.find(code.grantId) : undefined
    await (grant ?? code).destroy()
  }
}
