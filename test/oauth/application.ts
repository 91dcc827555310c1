import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import { totpCode } from '../../src/identity/totp.js'
import {
  postForm,
  SHA256,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser, textOf, type Page, type SignerAnswers } from '../support/signer-browser.js'

/** The pair of RFC 7636, appendix B. */
export const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
export const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

/** Parameters to set, or to leave out. */
export type Changes = Record<string, string | null>
export type Parameters = Record<string, string>

export function changed(parameters: Parameters, changes: Changes): Parameters {
  const all = Object.entries({ ...parameters, ...changes })
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null))
}

/** What an application asks for before it may list credentials. */
export function serviceRequest(client: TestClient, changes: Changes = {}): Parameters {
  const request = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: client.redirect_uris[0] ?? '',
    scope: 'service',
    state: 's-1',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
  }
  return changed(request, changes)
}

/** What an application asks for before it may have these digests signed. */
export function credentialRequest(
  client: TestClient,
  credential: Pick<Credential, 'id'>,
  digests: readonly Buffer[],
  changes: Changes = {},
): Parameters {
  return serviceRequest(client, {
    scope: 'credential',
    credentialID: credential.id,
    numSignatures: String(digests.length),
    hashes: digests.map((digest) => digest.toString('base64url')).join(','),
    hashAlgorithmOID: SHA256,
    ...changes,
  })
}

export function authorizePath(parameters: Parameters): string {
  return `/oauth2/authorize?${new URLSearchParams(parameters).toString()}`
}

/** What the signer types; time moves on, so that the one-time code is a new one. */
export function answersOf(
  rssp: Rssp,
  user: TestUser,
  changes: Partial<SignerAnswers> = {},
): SignerAnswers {
  rssp.clock.advance(30)
  return { ...user, otp: () => totpCode(user.totpSecret, rssp.clock.now()), ...changes }
}

/** Follows the request to its end in a new browser; returns what the application is told. */
export function authorize(
  rssp: Rssp,
  user: TestUser,
  request: Parameters,
  changes: Partial<SignerAnswers> = {},
): Promise<URLSearchParams> {
  return new SignerBrowser(rssp.baseUrl).authorize(request, answersOf(rssp, user, changes))
}

export async function authorizationCode(
  rssp: Rssp,
  user: TestUser,
  request: Parameters,
): Promise<string> {
  const answer = await authorize(rssp, user, request)
  const code = answer.get('code')
  assert.ok(code, `no code but ${answer.toString()}`)
  return code
}

/** Opens a request and expects a page of the authorization server. */
export async function openPage(browser: SignerBrowser, request: Parameters): Promise<Page> {
  return asPage(await browser.open(authorizePath(request)))
}

/** Opens a request and expects that the application is told something at once. */
export async function openRefused(rssp: Rssp, request: Parameters): Promise<URLSearchParams> {
  return asAnswer(await new SignerBrowser(rssp.baseUrl).open(authorizePath(request)))
}

export function asPage(step: Page | URLSearchParams): Page {
  if (step instanceof URLSearchParams) assert.fail(`no page but ${step.toString()}`)
  return step
}

export function asAnswer(step: Page | URLSearchParams): URLSearchParams {
  if (!(step instanceof URLSearchParams))
    assert.fail(`no answer but ${step.status} ${textOf(step.html)}`)
  return step
}

/** Signs in; stops at the approval page. */
export async function approvalPage(
  rssp: Rssp,
  browser: SignerBrowser,
  user: TestUser,
  request: Parameters,
): Promise<Page> {
  const page = await openPage(browser, request)
  return asPage(await browser.fillIn(page, answersOf(rssp, user)))
}

export function basic(client: TestClient, secret = client.client_secret ?? ''): Parameters {
  const pair = `${encodeURIComponent(client.client_id)}:${encodeURIComponent(secret)}`
  return { Authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

export function inBody(client: TestClient): Parameters {
  const { client_id, client_secret } = client
  return client_secret === null ? { client_id } : { client_id, client_secret }
}

/** The token request for a code; authenticates in the body. */
export function codeGrant(client: TestClient, code: string, changes: Changes = {}): Parameters {
  const request = {
    ...inBody(client),
    grant_type: 'authorization_code',
    code,
    code_verifier: VERIFIER,
    redirect_uri: client.redirect_uris[0] ?? '',
  }
  return changed(request, changes)
}

export function refreshGrant(client: TestClient, refresh_token: string): Parameters {
  return { ...inBody(client), grant_type: 'refresh_token', refresh_token }
}

export function requestToken(rssp: Rssp, fields: Parameters | string, headers: Parameters = {}) {
  return postForm(`${rssp.baseUrl}/oauth2/token`, fields, headers)
}

export interface Tokens {
  access_token: string
  refresh_token: string
}

export async function serviceTokens(
  rssp: Rssp,
  user: TestUser,
  client: TestClient,
): Promise<Tokens> {
  const code = await authorizationCode(rssp, user, serviceRequest(client))
  const answer = await requestToken(rssp, codeGrant(client, code))
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body as Tokens
}

/** Uses a service token. */
export function listCredentials(rssp: Rssp, token: string): Promise<Answer> {
  return rssp.call('credentials/list', {}, token)
}

export async function assertDead(rssp: Rssp, token: string): Promise<void> {
  const { status, body } = await listCredentials(rssp, token)
  assert.deepEqual({ status, error: body.error }, { status: 401, error: 'expired_token' })
}

export async function assertAlive(rssp: Rssp, token: string): Promise<void> {
  const { status, body } = await listCredentials(rssp, token)
  assert.equal(status, 200, JSON.stringify(body))
}

/** Demands that the application is told exactly this, with the state and who says it (RFC 9207). */
export function assertRedirectRefusal(
  rssp: Rssp,
  answer: URLSearchParams,
  error: string,
  error_description: string | RegExp,
): void {
  const { error_description: words = '', ...rest } = Object.fromEntries(answer)
  assert.deepEqual(rest, { error, state: 's-1', iss: rssp.baseUrl }, answer.toString())
  if (typeof error_description === 'string') assert.equal(words, error_description)
  else assert.match(words, error_description)
}
