import { createHash } from 'node:crypto'
import { createRemoteJWKSet, customFetch as joseFetch, type JWK, type JWTVerifyGetKey } from 'jose'
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  AuthorizationResponseError,
  buildAuthorizationUrl,
  buildAuthorizationUrlWithPAR,
  calculatePKCECodeChallenge,
  clockTolerance,
  Configuration,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchProtectedResource,
  None,
  ResponseBodyError,
  type IDToken,
  type ServerMetadata,
} from 'openid-client'
import type { IdentityProviderSettings } from '../config/identity-providers.js'
import {
  openAuthentication,
  openDecryptionKey,
  publicJwk,
  type OwnKey,
  type ProviderAuthentication,
} from './id-bb-keys.js'
import { limitedFetch, type LimitedFetch } from './limited-fetch.js'
import { readUserinfo } from './userinfo.js'
import { IdentityRefusedError, type VerifiedIdentity } from './verified-identity.js'

const TIMEOUT_SECONDS = 5
/** Metadata are read again after this; after a failure, no sooner than the other. */
const METADATA_SECONDS = 3600
const RETRY_SECONDS = 10

/** The values of one request that its answer is held against. They never leave the server unhashed, state and nonce apart. */
export interface RequestSecrets {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  readonly startedAt: Date
  /** Whether the person has to authenticate for this request, whatever session they have there. */
  readonly fresh: boolean
}

interface Connection {
  readonly metadata: ServerMetadata
  readonly tokens: Configuration
  readonly pushing: Configuration | null
  readonly userinfoKeys: JWTVerifyGetKey
}

/**
 * One OpenID Connect provider in its role for us: the ID BB of GovStack, or any other. Asks it who the
 * person is (code flow with PKCE, state and nonce) and believes nothing it did not check.
 */
export class IdBb {
  readonly settings: IdentityProviderSettings
  readonly redirectUri: string
  readonly #authentication: ProviderAuthentication
  readonly #decryptionKey: OwnKey | null
  readonly #now: () => Date
  #connection: { promise: Promise<Connection>; until: number } | null = null

  readonly #fetch: LimitedFetch

  private constructor(parts: {
    settings: IdentityProviderSettings
    baseUrl: string
    authentication: ProviderAuthentication
    decryptionKey: OwnKey | null
    now: () => Date
    fetch: LimitedFetch
  }) {
    this.settings = parts.settings
    this.#fetch = parts.fetch
    this.redirectUri = `${parts.baseUrl}/oauth2/identity/${parts.settings.id}/callback`
    this.#authentication = parts.authentication
    this.#decryptionKey = parts.decryptionKey
    this.#now = parts.now
  }

  /** Reads the keys; the provider itself is not asked before it is needed. */
  static async open(
    settings: IdentityProviderSettings,
    {
      baseUrl,
      now,
      fetch = limitedFetch,
    }: { baseUrl: string; now: () => Date; fetch?: LimitedFetch },
  ): Promise<IdBb> {
    const authentication = await openAuthentication(settings.authentication)
    const decryptionKey = await openDecryptionKey(settings.userinfo)
    return new IdBb({ settings, baseUrl, authentication, decryptionKey, now, fetch })
  }

  /** What the provider needs to know of our keys. */
  publicKeys(): Promise<JWK[]> {
    const keys = [this.#authentication.signingKey, this.#decryptionKey]
    return Promise.all(keys.filter((key) => key !== null).map(publicJwk))
  }

  /** Where a browser goes that is sent there; empty while the provider cannot be reached. */
  async origins(): Promise<string[]> {
    const connection = await this.#connect().catch(() => null)
    const endpoint = connection?.metadata.authorization_endpoint
    if (endpoint === undefined) return []
    return [new URL(endpoint).origin, ...this.settings.redirectsTo]
  }

  /**
   * The address to send the browser to.
   * @throws {IdentityRefusedError}
   */
  async begin(request: RequestSecrets, lang: string): Promise<URL> {
    const { scopes, acrValues, maxAuthAgeSeconds } = this.settings
    const maxAge = request.fresh ? 0 : maxAuthAgeSeconds
    const parameters = {
      redirect_uri: this.redirectUri,
      scope: scopes.join(' '),
      state: request.state,
      nonce: request.nonce,
      code_challenge: await calculatePKCECodeChallenge(request.codeVerifier),
      code_challenge_method: 'S256',
      ui_locales: lang,
      ...(acrValues ? { acr_values: acrValues.join(' ') } : {}),
      ...(maxAge === undefined ? {} : { max_age: String(maxAge) }),
      ...(request.fresh ? { prompt: 'login' } : {}),
    }
    return this.#asked(async ({ tokens, pushing }) =>
      pushing
        ? buildAuthorizationUrlWithPAR(pushing, parameters)
        : buildAuthorizationUrl(tokens, parameters),
    )
  }

  /**
   * Turns the answer the browser brought into an identity.
   * @param query of our redirect URI as it was called
   * @throws {IdentityRefusedError} when anything at all is not as it was asked for
   */
  async complete(query: URLSearchParams, request: RequestSecrets): Promise<VerifiedIdentity> {
    const called = new URL(this.redirectUri)
    called.search = query.toString()
    return this.#asked(async (connection) => {
      const tokens = await authorizationCodeGrant(connection.tokens, called, {
        expectedState: request.state,
        expectedNonce: request.nonce,
        pkceCodeVerifier: request.codeVerifier,
        idTokenExpected: true,
      })
      const claims = tokens.claims()
      if (!claims || tokens.id_token === undefined) throw refused('no ID token')
      this.#rejectUnfitClaims(claims, request)
      const more = await this.#userinfo(connection, tokens.access_token)
      if (more && more['sub'] !== claims.sub) throw refused('userinfo sub')
      const assertion = createHash('sha256').update(tokens.id_token).digest('hex')
      return this.#identity(claims, { ...claims, ...more }, assertion)
    })
  }

  /** What the library leaves to us: audience of one, context class, when and how freshly. */
  #rejectUnfitClaims(claims: IDToken, request: RequestSecrets): void {
    const { clientId, requiredAcr, maxAuthAgeSeconds, clockToleranceSeconds } = this.settings
    if (claims.azp !== undefined && claims.azp !== clientId) throw refused('azp')
    if (claims.sub === '' || claims.sub.length > 255) throw refused('sub')
    if (requiredAcr && !requiredAcr.some((acr) => acr === claims.acr)) throw refused('acr')
    const now = Math.floor(this.#now().getTime() / 1000)
    if (claims.iat > now + clockToleranceSeconds) throw refused('iat')
    const limit = request.fresh
      ? Math.floor(request.startedAt.getTime() / 1000)
      : maxAuthAgeSeconds === undefined
        ? null
        : now - maxAuthAgeSeconds
    if (limit !== null && claims.auth_time === undefined) throw refused('no auth_time')
    if (claims.auth_time === undefined) return
    if (limit !== null && claims.auth_time < limit - clockToleranceSeconds) {
      throw refused('auth_time is too old')
    }
    if (claims.auth_time > now + clockToleranceSeconds) throw refused('auth_time is to come')
  }

  async #userinfo(
    { tokens, metadata, userinfoKeys }: Connection,
    accessToken: string,
  ): Promise<Record<string, unknown> | null> {
    const { userinfo, clientId, allowedSigningAlgorithms, clockToleranceSeconds } = this.settings
    if (userinfo.form === 'none') return null
    const endpoint = metadata.userinfo_endpoint
    if (endpoint === undefined) throw refused('the provider offers no userinfo')
    const response = await fetchProtectedResource(tokens, accessToken, new URL(endpoint), 'GET')
    if (response.status !== 200) throw refused(`userinfo answered ${response.status}`)
    return readUserinfo(
      { contentType: response.headers.get('content-type') ?? '', body: await response.text() },
      {
        ...{ clientId, form: userinfo.form, issuer: this.settings.issuer },
        algorithms: allowedSigningAlgorithms,
        keys: userinfoKeys,
        decryptionKey: this.#decryptionKey,
        toleranceSeconds: clockToleranceSeconds,
        now: this.#now(),
      },
    )
  }

  #identity(
    claims: IDToken,
    all: Readonly<Record<string, unknown>>,
    assertion: string,
  ): VerifiedIdentity {
    const given = plainText(all['given_name'])
    const family = plainText(all['family_name'])
    const { amr, auth_time } = claims
    return {
      provider: this.settings.id,
      issuer: this.settings.issuer,
      subject: claims.sub,
      authenticatedAt: auth_time === undefined ? null : new Date(auth_time * 1000).toISOString(),
      acr: typeof claims.acr === 'string' ? claims.acr.slice(0, 200) : null,
      amr: (Array.isArray(amr) ? amr : []).filter(isShortText).slice(0, 10),
      name: given && family ? { given, family } : null,
      email: all['email_verified'] === true ? plainText(all['email']) : null,
      assertion,
    }
  }

  /** Runs what talks to the provider; whatever goes wrong comes out as a refusal. */
  async #asked<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      return await use(await this.#connect())
    } catch (error) {
      throw refusalOf(error)
    }
  }

  #connect(): Promise<Connection> {
    const now = this.#now().getTime()
    if (this.#connection && this.#connection.until > now) return this.#connection.promise
    const promise = this.#open()
    const opened = { promise, until: now + METADATA_SECONDS * 1000 }
    promise.catch(() => {
      opened.until = this.#now().getTime() + RETRY_SECONDS * 1000
    })
    this.#connection = opened
    return promise
  }

  async #open(): Promise<Connection> {
    const { settings } = this
    const found = settings.endpoints
      ? explicitMetadata(settings.issuer, settings.endpoints)
      : await this.#discover()
    // Entra and B2C may name another issuer than they were asked for; nobody may here.
    if (found.issuer !== settings.issuer) throw refused('metadata name another issuer')
    // Our list stands in for theirs: what they offer does not widen it.
    const metadata: ServerMetadata = {
      ...found,
      id_token_signing_alg_values_supported: [...settings.allowedSigningAlgorithms],
    }
    const { token_endpoint = '', jwks_uri = '' } = metadata
    const par = metadata.pushed_authorization_request_endpoint
    const pushes = settings.pushedAuthorizationRequests === 'when-offered' && par !== undefined
    const keysAt = 'jwksUri' in settings.userinfo ? settings.userinfo.jwksUri : undefined
    return {
      metadata,
      tokens: this.#configuration(metadata, token_endpoint),
      pushing: pushes ? this.#configuration(metadata, par) : null,
      userinfoKeys: createRemoteJWKSet(new URL(keysAt ?? jwks_uri), {
        timeoutDuration: TIMEOUT_SECONDS * 1000,
        [joseFetch]: this.#fetch,
      }),
    }
  }

  async #discover(): Promise<ServerMetadata> {
    const { issuer, clientId } = this.settings
    const found = await discovery(new URL(issuer), clientId, undefined, None(), {
      timeout: TIMEOUT_SECONDS,
      execute: isPlainHttp(issuer) ? [allowInsecureRequests] : [],
      [customFetch]: this.#fetch,
    })
    return found.serverMetadata()
  }

  #configuration(metadata: ServerMetadata, endpoint: string): Configuration {
    const { clientId, clockToleranceSeconds, issuer } = this.settings
    const configuration = new Configuration(
      metadata,
      clientId,
      { [clockTolerance]: clockToleranceSeconds },
      this.#authentication.at(endpoint),
    )
    configuration.timeout = TIMEOUT_SECONDS
    configuration[customFetch] = this.#fetch
    // Without this the library takes TLS for the signature of an ID token.
    enableNonRepudiationChecks(configuration)
    if (isPlainHttp(issuer)) allowInsecureRequests(configuration)
    return configuration
  }
}

function explicitMetadata(
  issuer: string,
  endpoints: NonNullable<IdentityProviderSettings['endpoints']>,
): ServerMetadata {
  const { userinfo, pushedAuthorizationRequest } = endpoints
  return {
    issuer,
    authorization_endpoint: endpoints.authorization,
    token_endpoint: endpoints.token,
    jwks_uri: endpoints.jwks,
    ...(userinfo === undefined ? {} : { userinfo_endpoint: userinfo }),
    ...(pushedAuthorizationRequest === undefined
      ? {}
      : { pushed_authorization_request_endpoint: pushedAuthorizationRequest }),
  }
}

function refused(why: string): IdentityRefusedError {
  return new IdentityRefusedError('refused', why)
}

/** Codes and names only: messages of the library may quote what the provider sent. */
function refusalOf(error: unknown): IdentityRefusedError {
  if (error instanceof IdentityRefusedError) return error
  if (error instanceof AuthorizationResponseError) {
    const why = `authorization: ${errorCode(error.error)}`
    return new IdentityRefusedError(error.error === 'access_denied' ? 'denied' : 'refused', why)
  }
  if (error instanceof ResponseBodyError) {
    const kind = error.status >= 500 ? 'unavailable' : 'refused'
    return new IdentityRefusedError(kind, `endpoint: ${errorCode(error.error)}`)
  }
  const { code, cause } = error as { code?: unknown; cause?: unknown }
  if (code === 'OAUTH_TIMEOUT' || isNetworkFailure(error)) {
    return new IdentityRefusedError('unavailable', 'the provider does not answer')
  }
  if (cause instanceof Response) return serverFault(cause)
  const reason = cause instanceof Error ? cause.message : String((error as Error).message)
  return refused(reason.slice(0, 200))
}

function serverFault({ status }: Response): IdentityRefusedError {
  return new IdentityRefusedError(status >= 500 ? 'unavailable' : 'refused', `HTTP ${status}`)
}

function isNetworkFailure(error: unknown): boolean {
  // undici says "fetch failed" with the system's error as its cause.
  return error instanceof TypeError && (error as { code?: unknown }).code === undefined
}

function errorCode(code: string): string {
  return /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(code) ? code : 'an error'
}

function isPlainHttp(url: string): boolean {
  return url.startsWith('http://')
}

function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 100
}

/** Text a certificate can hold: one line, no controls, of a length names have. */
function plainText(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const text = value.normalize('NFC').trim()
  return text !== '' && text.length <= 100 && !/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u.test(text)
    ? text
    : null
}
