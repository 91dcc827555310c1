import type { HashAlgorithm, KeyInfo } from './algorithms.js'
import type { Http } from './http.js'
import {
  revocationRequest,
  tokenRequest,
  type PendingAuthorization,
  type ServerMetadata,
} from './oauth.js'

/** CSC API v2, `credentials/list`, as far as this page uses it. */
export interface CredentialInfo {
  readonly credentialID: string
  readonly description?: string
  readonly key: KeyInfo & { readonly status: 'enabled' | 'disabled' }
  readonly cert: {
    readonly status?: string
    readonly certificates?: readonly string[]
    readonly validTo?: string
  }
  readonly SCAL?: '1' | '2'
  readonly multisign: number
}

export interface Tokens {
  readonly access_token: string
  readonly refresh_token?: string
}

/** The public API of the service: everything this page can do, anyone else's application can. */
export class Service {
  readonly #http: Http
  constructor(http: Http) {
    this.#http = http
  }

  async info(): Promise<{ name: string }> {
    return (await this.#http.call({
      title: 'Ask the service what it is',
      path: '/csc/v2/info',
      body: {},
    })) as { name: string }
  }

  async metadata(): Promise<ServerMetadata> {
    return (await this.#http.call({
      title: 'Find the authorization server',
      path: '/.well-known/oauth-authorization-server',
    })) as ServerMetadata
  }

  async push(server: ServerMetadata, parameters: URLSearchParams): Promise<string> {
    const { request_uri } = (await this.#http.call({
      title: 'Push the authorization request',
      path: server.pushed_authorization_request_endpoint ?? '/oauth2/pushed_authorize',
      body: parameters,
    })) as { request_uri: string }
    return request_uri
  }

  async redeem(
    server: ServerMetadata,
    code: string,
    pending: PendingAuthorization,
    redirectUri: string,
  ): Promise<Tokens> {
    return (await this.#http.call({
      title: `Exchange the code for a ${pending.scope} token`,
      path: server.token_endpoint,
      body: tokenRequest(code, pending, redirectUri),
    })) as Tokens
  }

  async credentials(token: string): Promise<readonly CredentialInfo[]> {
    const { credentialInfos } = (await this.#http.call({
      title: 'List the credentials',
      path: '/csc/v2/credentials/list',
      token,
      body: {
        credentialInfo: true,
        certificates: 'chain',
        certInfo: true,
        authInfo: true,
        onlyValid: true,
      },
    })) as { credentialInfos?: readonly CredentialInfo[] }
    return credentialInfos ?? []
  }

  async signHash(
    token: string,
    credentialID: string,
    hashes: readonly string[],
    { hash, signAlgo }: { hash: HashAlgorithm; signAlgo: string },
  ): Promise<readonly string[]> {
    const { signatures } = (await this.#http.call({
      title: 'Sign the approved hashes',
      path: '/csc/v2/signatures/signHash',
      token,
      body: { credentialID, hashes, hashAlgorithmOID: hash.oid, signAlgo },
    })) as { signatures: readonly string[] }
    return signatures
  }

  /** Ends what the tokens allow. A token that is dead already is what we want. */
  async revoke(server: ServerMetadata, tokens: Tokens): Promise<void> {
    const revoke = (token: string, hint: 'access_token' | 'refresh_token') =>
      this.#http
        .call({
          title: `Revoke the ${hint.replace('_', ' ')}`,
          path: server.revocation_endpoint,
          body: revocationRequest(token, hint),
        })
        .catch(() => null)
    await revoke(tokens.access_token, 'access_token')
    if (tokens.refresh_token) await revoke(tokens.refresh_token, 'refresh_token')
  }
}
