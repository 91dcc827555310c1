import { createHash, randomBytes } from 'node:crypto'
import type { Answer, Http } from './exchange.js'
import { ASSERTION_TYPE, clientAssertion } from './proofs.js'
import { reveal, revealKey, type ClientSettings } from './target.js'

/** Where the authorization server answers. */
export interface OAuthEndpoints {
  readonly authorize: string
  readonly token: string
  readonly revoke: string
  readonly pushed: string | null
  readonly issuer: string | null
}

/** The fixed paths below a base URI (CSC v2.0.0.2 §8.4). */
export function endpointsBelow(base: string): OAuthEndpoints {
  const at = (name: string) => `${base.replace(/\/$/, '')}/oauth2/${name}`
  return {
    authorize: at('authorize'),
    token: at('token'),
    revoke: at('revoke'),
    pushed: at('pushed_authorize'),
    issuer: null,
  }
}

export interface Pkce {
  readonly code_verifier: string
  readonly code_challenge: string
}

export function newPkce(): Pkce {
  const code_verifier = randomBytes(32).toString('base64url')
  const code_challenge = createHash('sha256').update(code_verifier).digest('base64url')
  return { code_verifier, code_challenge }
}

export type Fields = Readonly<Record<string, string>>
/** Fields to set, or with null to leave out. */
export type Changes = Readonly<Record<string, string | null>>

export function changed(fields: Fields, changes: Changes): Record<string, string> {
  const all = Object.entries({ ...fields, ...changes })
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null))
}

/** How an application proves who it is, to whom and when. */
export async function clientAuthentication(
  client: ClientSettings,
  to: { readonly audience: () => Promise<string>; readonly now: Date },
): Promise<{ headers: Fields; fields: Fields }> {
  const { client_id, privateKey } = client
  const secret = client.client_secret === undefined ? null : reveal(client.client_secret)
  const method = client.authentication ?? usualMethod(client)
  if (method === 'private_key_jwt' && privateKey !== undefined) {
    const client_assertion = await clientAssertion(
      { client_id, key: revealKey(privateKey) },
      { audience: await to.audience(), now: to.now },
    )
    return {
      headers: {},
      fields: { client_id, client_assertion, client_assertion_type: ASSERTION_TYPE },
    }
  }
  if (method === 'none' || secret === null) return { headers: {}, fields: { client_id } }
  if (method === 'client_secret_post') {
    return { headers: {}, fields: { client_id, client_secret: secret } }
  }
  return { headers: basicHeader(client_id, secret), fields: { client_id } }
}

function usualMethod({ privateKey, client_secret }: ClientSettings) {
  if (privateKey !== undefined) return 'private_key_jwt'
  return client_secret === undefined ? 'none' : 'client_secret_basic'
}

export function basicHeader(user: string, password: string): Fields {
  const pair = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`
  return { Authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

export function postForm(
  http: Http,
  url: string,
  fields: Fields | string,
  headers: Fields = {},
): Promise<Answer> {
  const body = typeof fields === 'string' ? fields : new URLSearchParams(fields).toString()
  return http.send({
    method: 'POST',
    url,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
    body,
  })
}
