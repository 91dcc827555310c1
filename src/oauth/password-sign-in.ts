import { errors, type Provider } from 'oidc-provider'
import { auditEvent } from '../audit/events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { UnauthorizedClientError } from '../errors.js'
import type { Accounts } from '../identity/accounts.js'

/** Marks tokens that began with a password here; no others are refreshed here, where nobody proves to be the application. */
const GRANT_TYPE = 'auth_login'
const DAY_SECONDS = 24 * 60 * 60

/** Tokens as they are given out, once. */
export interface IssuedTokens {
  readonly accessToken: string
  readonly refreshToken: string | null
  /** Seconds. */
  readonly expiresIn: number
}

export interface PasswordAttempt {
  readonly username: string
  readonly password: string
  readonly address: string
}

/**
 * Signing in by name and password alone (CSC API, auth/login), for one application that operators
 * trust with passwords. What it gives out are tokens of the authorization server, of scope `service`.
 */
export class PasswordSignIn {
  readonly #provider: Provider
  readonly #accounts: Accounts
  readonly #audit: AuditLog
  readonly #clientId: string | null
  readonly #baseUrl: string
  readonly #lifetimes: { serviceTokenSeconds: number; refreshTokenDays: number }

  /** @param parts.clientId the application the tokens belong to; null when signing in so is off */
  constructor(parts: {
    provider: Provider
    accounts: Accounts
    audit: AuditLog
    clientId: string | null
    baseUrl: string
    lifetimes: { serviceTokenSeconds: number; refreshTokenDays: number }
  }) {
    this.#provider = parts.provider
    this.#accounts = parts.accounts
    this.#audit = parts.audit
    this.#clientId = parts.clientId
    this.#baseUrl = parts.baseUrl
    this.#lifetimes = parts.lifetimes
  }

  /**
   * Null when nobody is signed in, whatever the reason; also for people who need a code beside their
   * password, of which none could be given here.
   * @throws {UnauthorizedClientError} when the application was disabled
   */
  async signIn(attempt: PasswordAttempt, remember: boolean): Promise<IssuedTokens | null> {
    const client = await this.#client()
    const { clientId } = client
    const checked = await this.#accounts.checkPassword({ ...attempt, clientId })
    if (checked.outcome !== 'accepted') return null
    const { user } = checked
    if (user.otpAtSignIn) {
      const { username, address } = attempt
      const why = 'second factor needed'
      await this.#audit.append(auditEvent('sign-in.failed', { username, clientId, address, why }))
      return null
    }
    await this.#audit.append(
      auditEvent('sign-in.succeeded', { userId: user.id, clientId, factors: ['pwd'] }),
    )
    const grant = new this.#provider.Grant({ accountId: user.id, clientId })
    grant.addOIDCScope('service')
    grant.addResourceScope(this.#baseUrl, 'service')
    const grantId = await grant.save()
    const lifetime = this.#lifetimes.refreshTokenDays * DAY_SECONDS
    const kept = { accountId: user.id, grantId, gty: GRANT_TYPE }
    return this.#issue({ client, kept, refreshSeconds: remember ? lifetime : null })
  }

  /**
   * Trades a refresh token for the next and an access token. A second use ends all that came of the
   * sign-in (S45). Null for every token that is good for nothing here.
   * @throws {UnauthorizedClientError} when the application was disabled
   */
  async refresh(value: string): Promise<IssuedTokens | null> {
    const { RefreshToken, Grant } = this.#provider
    const client = await this.#client()
    const token = await RefreshToken.find(value, { ignoreExpiration: true })
    if (token?.clientId !== client.clientId || !isFromHere(token.gty)) return null
    const { accountId, grantId, gty = GRANT_TYPE, iiat, rotations = 0 } = token
    if (!grantId || token.isExpired) return null
    if (token.consumed) {
      await RefreshToken.revokeByGrantId(grantId)
      await this.#audit.append(
        auditEvent('token.revoked', { clientId: client.clientId, kind: 'RefreshToken' }),
      )
      return null
    }
    if (!(await this.#accounts.find(accountId)) || !(await Grant.find(grantId))) return null
    // The chain ends when its first token would have.
    const refreshSeconds = token.remainingTTL
    try {
      await token.consume()
    } catch (error) {
      if (error instanceof errors.InvalidGrant) return null
      throw error
    }
    const kept = { accountId, grantId, gty, iiat, rotations: rotations + 1 }
    return this.#issue({ client, kept, refreshSeconds })
  }

  async #client() {
    const client = this.#clientId && (await this.#provider.Client.find(this.#clientId))
    if (!client) throw new UnauthorizedClientError('auth/login has no application')
    return client
  }

  async #issue(request: {
    readonly client: NonNullable<Awaited<ReturnType<Provider['Client']['find']>>>
    readonly kept: { accountId: string; grantId: string; gty: string }
    /** Null when no refresh token is wanted. */
    readonly refreshSeconds: number | null
  }): Promise<IssuedTokens> {
    const { RefreshToken, AccessToken } = this.#provider
    const { client, kept, refreshSeconds } = request
    const expiresIn = this.#lifetimes.serviceTokenSeconds
    const common = { client, ...kept, scope: 'service' }
    const refreshToken =
      refreshSeconds === null
        ? null
        : await new RefreshToken({ ...common, expiresIn: refreshSeconds }).save()
    const accessToken = await new AccessToken({ ...common, expiresIn }).save()
    return { accessToken, refreshToken, expiresIn }
  }
}

/** A token that was refreshed at the token endpoint keeps what it began as in front. */
function isFromHere(gty: string | undefined): boolean {
  return gty?.split(' ')[0] === GRANT_TYPE
}
