/** A signature application, as the authorization server knows it. */
export interface Client {
  readonly id: string
  readonly name: string
  /** Null for public clients. */
  readonly secret: string | null
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly GrantType[]
  readonly authMethod: 'client_secret' | 'none'
  readonly disabledAt: Date | null
}

export type GrantType = 'authorization_code' | 'refresh_token'

export interface ClientStore {
  find(id: string): Promise<Client | null>
  list(): Promise<Client[]>
  /** False when the id is taken. */
  add(client: Client): Promise<boolean>
  setRedirectUris(id: string, uris: readonly string[]): Promise<boolean>
  disable(id: string, at: Date): Promise<boolean>
}
