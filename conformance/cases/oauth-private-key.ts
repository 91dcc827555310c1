import { SignJWT, type JWK } from 'jose'
import { succeeded, demand, refused, same } from '../expectations.js'
import type { Answer, Json } from '../exchange.js'
import { changed, newPkce, postForm } from '../oauth-client.js'
import { ASSERTION_TYPE, clientAssertion, DpopKey } from '../proofs.js'
import { requirement, type Chapter, type Requirement } from '../requirement.js'
import { codeOf, type Subject } from '../subject.js'
import { revealKey, type ClientSettings } from '../target.js'

const shall = { clause: 'RFC 7523 §3; OpenID Connect Core 1.0 §9' }
const ASSERTED = { clause: 'RFC 7523 §3' }
const METHOD = 'private_key_jwt'

/** An application that proves who it is with a key, of which the server knows the public half alone. */
export const privateKeyJwt: Chapter = {
  name: METHOD,
  versions: ['v2'],
  precondition: async (t) => {
    const methods = (await t.metadata()).get('token_endpoint_auth_methods_supported')
    if (!Array.isArray(methods) || !methods.includes(METHOD)) {
      t.notApplicable(`the metadata do not list ${METHOD}`)
    }
    keyClient(t)
  },
  requirements: [
    requirement('authenticates by a signature of the registered key', ASSERTED, async (t) => {
      authenticated(await present(t, await assertion(t)))
    }),
    requirement('needs no client_id beside the assertion', ASSERTED, async (t) => {
      const fields = fieldsFor(t, await assertion(t))
      authenticated(await postForm(t.http, t.oauth.token, changed(fields, { client_id: null })))
    }),
    requirement('leads from a code to a token', shall, async (t) => {
      const { client } = keyClient(t)
      const { code_verifier, code_challenge } = newPkce()
      const told = await t.authorize(t.request({ code_challenge }, client), { client })
      const answer = succeeded(await t.redeem(codeOf(told), code_verifier, {}, client))
      succeeded(await t.call('credentials/list', {}, answer.string('access_token')))
    }),
    requirement('opens the endpoint for pushed requests', { clause: 'RFC 9126 §2' }, async (t) => {
      const { client } = keyClient(t)
      succeeded(await t.push(t.request({}, client), client), 201)
    }),
    requirement('takes an assertion once', { ...ASSERTED, level: 'SHOULD' }, async (t) => {
      const jwt = await assertion(t)
      authenticated(await present(t, jwt))
      refusedClient(await present(t, jwt))
    }),
    ...row('for another audience', () => ({ aud: 'https://other.example' })),
    ...row('without audience', () => ({ aud: null })),
    ...row('of another issuer', () => ({ iss: 'nobody' })),
    ...row('without issuer', () => ({ iss: null })),
    ...row('about another application', () => ({ sub: 'nobody' })),
    ...row('without expiry', () => ({ exp: null })),
    ...row('that has expired', (t) => ({ iat: epoch(t) - 7200, exp: epoch(t) - 3600 })),
    ...row('that is not valid yet', (t) => ({ nbf: epoch(t) + 3600 })),
    requirement('refuses an assertion by a key that is not registered', ASSERTED, async (t) => {
      const key = await DpopKey.make('ES256')
      const jwk = { ...(await key.privateJwk()), alg: 'ES256' }
      refusedClient(await present(t, await assertion(t, {}, jwk)))
    }),
    requirement(
      'refuses an assertion without signature',
      { clause: 'RFC 8725 §3.2' },
      async (t) => {
        const [, payload = ''] = (await assertion(t)).split('.')
        const header = Buffer.from('{"alg":"none"}').toString('base64url')
        refusedClient(await present(t, `${header}.${payload}.`))
      },
    ),
    requirement(
      'refuses the public key as a secret of HS256',
      { clause: 'RFC 8725 §3.1' },
      async (t) => {
        const { client, key } = keyClient(t)
        const publicJwk = { ...key, d: undefined }
        const now = epoch(t)
        const jwt = await new SignJWT({
          ...{ iss: client.client_id, sub: client.client_id, aud: await t.issuer() },
          ...{ jti: crypto.randomUUID(), iat: now, exp: now + 60 },
        })
          .setProtectedHeader({ alg: 'HS256' })
          .sign(new TextEncoder().encode(JSON.stringify(publicJwk)))
        refusedClient(await present(t, jwt))
      },
    ),
    requirement('refuses a text that is no assertion', ASSERTED, async (t) => {
      refusedClient(await present(t, 'a.b.c'))
    }),
    requirement('refuses the application without its assertion', shall, async (t) => {
      const { client_id } = keyClient(t).client
      const grant = { grant_type: 'authorization_code', code: 'nobody-has-this', client_id }
      const answer = await postForm(t.http, t.oauth.token, grant)
      demand(answer.status === 400 || answer.status === 401, `status ${answer.status}`)
      demand(answer.get('error') !== 'invalid_grant', 'it took the application for authenticated')
    }),
    requirement('has its algorithms in the metadata', { clause: 'RFC 8414 §2' }, async (t) => {
      const name = 'token_endpoint_auth_signing_alg_values_supported'
      const algorithms = (await t.metadata()).strings(name)
      same([algorithms.includes('none'), algorithms.length > 0], [false, true], name)
    }),
  ],
}

function keyClient(t: Subject): { client: ClientSettings; key: JWK } {
  const found = [t.target.keyClient, t.target.client, t.target.otherClient].find(
    (each) => each?.privateKey !== undefined,
  )
  if (found?.privateKey === undefined) return t.skip('the configuration has no keyClient')
  return { client: found, key: revealKey(found.privateKey) }
}

function epoch(t: Subject): number {
  return Math.floor(t.authorizationServerTime().getTime() / 1000)
}

async function assertion(t: Subject, changes: Json = {}, by?: JWK): Promise<string> {
  const { client, key } = keyClient(t)
  // The clock of the server is known once it answered.
  const audience = await t.issuer()
  const to = { audience, now: t.authorizationServerTime() }
  return clientAssertion({ client_id: client.client_id, key: by ?? key }, to, changes)
}

function fieldsFor(t: Subject, client_assertion: string): Record<string, string> {
  const { client_id, redirect_uri } = keyClient(t).client
  return {
    ...{ grant_type: 'authorization_code', code: 'nobody-has-this', redirect_uri, client_id },
    ...{ code_verifier: newPkce().code_verifier },
    ...{ client_assertion, client_assertion_type: ASSERTION_TYPE },
  }
}

/** With a code that is none: how far the request gets tells whether the application was believed. */
function present(t: Subject, jwt: string): Promise<Answer> {
  return postForm(t.http, t.oauth.token, fieldsFor(t, jwt))
}

function authenticated(answer: Answer): void {
  refused(answer, { error: 'invalid_grant', words: null })
}

function refusedClient(answer: Answer): void {
  const error = ['invalid_client', 'invalid_request', 'unauthorized_client']
  refused(answer, { status: [400, 401], error, words: null })
}

function row(what: string, changes: (t: Subject) => Json): Requirement[] {
  return [
    requirement(`refuses an assertion ${what}`, ASSERTED, async (t) => {
      await t.issuer()
      refusedClient(await present(t, await assertion(t, changes(t))))
    }),
  ]
}
