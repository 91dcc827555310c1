import type { JWK } from 'jose'

/** A signature application, as the authorization server knows it. */
export interface Client {
  readonly id: string
  readonly name: string
  /** Null for public clients. */
  readonly secret: string | null
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly GrantType[]
  readonly authMethod: 'client_secret' | 'private_key_jwt' | 'tls_client_auth' | 'none'
  /** Public keys of `private_key_jwt`. */
  readonly jwks: { readonly keys: readonly JWK[] } | null
  /** Subject of the certificate of `tls_client_auth`, as RFC 4514 text. */
  readonly tlsSubjectDn: string | null
  /** Whether it may ask for signatures by pushed authorization requests alone. */
  readonly requirePushedForCredential: boolean
  /** Whether it may introspect other applications' tokens, as a resource server does. */
  readonly introspectsAll: boolean
  /** Whether its access tokens are bound to a key it proves to hold at every use (RFC 9449, 5.2). */
  readonly dpopBoundAccessTokens: boolean
  /** Whether they are bound to its TLS certificate (RFC 8705, 3); always so with `tls_client_auth`. */
  readonly tlsClientCertificateBoundAccessTokens: boolean
  readonly quirks: readonly Quirk[]
  /**
   * Hosts, with a port unless it is 443, of its `response_uri`, as far as configuration allows them; null
   * for all that it allows.
   */
  readonly responseUriHosts: readonly string[] | null
  readonly disabledAt: Date | null
}

/**
 * What an application does otherwise than the specifications say, and is let do because its
 * registration says so (docs/interop.md): `v1-names` calls v2 with parameter names of v1; `text-values`
 * sends numbers and booleans as text; `no-pkce` leaves out the code challenge, which v1 does not know,
 * and has to keep a secret instead; `endpoint-audience` names the token endpoint in its assertions.
 */
export const QUIRKS = ['v1-names', 'text-values', 'no-pkce', 'endpoint-audience'] as const
export type Quirk = (typeof QUIRKS)[number]

type Seldom =
  | ('jwks' | 'tlsSubjectDn' | 'requirePushedForCredential' | 'introspectsAll' | 'quirks')
  | ('dpopBoundAccessTokens' | 'tlsClientCertificateBoundAccessTokens' | 'responseUriHosts')
export type NewClient = Omit<Client, Seldom> & Partial<Pick<Client, Seldom>>

export type GrantType = 'authorization_code' | 'client_credentials' | 'refresh_token'

export interface ClientStore {
  find(id: string): Promise<Client | null>
  list(): Promise<Client[]>
  /** False when the id is taken. */
  add(client: NewClient): Promise<boolean>
  setRedirectUris(id: string, uris: readonly string[]): Promise<boolean>
  disable(id: string, at: Date): Promise<boolean>
}
