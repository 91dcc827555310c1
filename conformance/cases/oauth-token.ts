import {
  demand,
  demandNotStored,
  EXPIRED_TOKEN,
  refused,
  same,
  succeeded,
} from '../expectations.js'
import { show } from '../exchange.js'
import { basicHeader, newPkce, postForm, type Changes } from '../oauth-client.js'
import { requirement, type Chapter, type Requirement } from '../requirement.js'
import { codeOf, type Subject } from '../subject.js'
import { reveal } from '../target.js'

const shall = { clause: 'CSC v2.0.0.2 §8.4.4' }
const should = { ...shall, level: 'SHOULD' } as const
const PKCE = { clause: 'RFC 7636 §4.6' }
const CODE = 'Authorization code is invalid or expired'
const DEAD = { status: 401, error: ['expired_token', 'invalid_token'], words: null } as const

export const token: Chapter = {
  name: 'oauth2/token',
  versions: ['v2', 'v1', 'v0'],
  precondition: (t) => void t.oauth,
  requirements: [
    ...row('no grant_type', { grant_type: null }, 'Missing parameter grant_type'),
    ...row('an unknown grant_type', { grant_type: 'magic' }, 'Invalid parameter grant_type'),
    ...row(
      'the password grant',
      { grant_type: 'password', username: 'a', password: 'b' },
      'Invalid parameter grant_type',
    ),
    ...row('no code', { code: null }, 'Missing parameter code'),
    ...row(
      'an unknown code',
      { code: 'nobody-has-this' },
      'Invalid parameter code',
      'invalid_grant',
    ),
    ...row(
      'no refresh_token',
      { grant_type: 'refresh_token', code: null },
      'Missing parameter refresh_token',
    ),
    ...row(
      'an unknown refresh_token',
      { grant_type: 'refresh_token', code: null, refresh_token: 'nobody-has-this' },
      'Invalid parameter refresh_token',
      'invalid_grant',
    ),
    requirement('refuses an application without client_id', shall, async (t) => {
      const fields = { grant_type: 'authorization_code', code: 'x' }
      const answer = await postForm(t.http, t.oauth.token, fields)
      refused(answer, { status: [400, 401], words: 'Missing parameter client_id' })
    }),
    requirement('refuses an unknown client_id', shall, async (t) => {
      const fields = {
        grant_type: 'authorization_code',
        code: 'x',
        client_id: 'nobody',
        client_secret: 'none',
      }
      refused(await postForm(t.http, t.oauth.token, fields), {
        words: 'Invalid parameter client_id',
      })
    }),
    requirement('refuses a confidential application without its secret', shall, async (t) => {
      const { client_id } = confidential(t)
      const fields = { grant_type: 'authorization_code', code: 'x', client_id }
      const answer = await postForm(t.http, t.oauth.token, fields)
      refused(answer, { status: [400, 401], words: 'Client authorization required' })
    }),
    requirement('refuses a wrong client_secret in the body', shall, async (t) => {
      const { client_id } = confidential(t)
      const fields = {
        grant_type: 'authorization_code',
        code: 'x',
        client_id,
        client_secret: 'wrong',
      }
      refused(await postForm(t.http, t.oauth.token, fields), {
        words: 'Invalid parameter client_secret',
      })
    }),
    requirement('refuses a wrong client_secret in the header', shall, async (t) => {
      const { client_id } = confidential(t)
      const fields = { grant_type: 'authorization_code', code: 'x' }
      const answer = await postForm(t.http, t.oauth.token, fields, basicHeader(client_id, 'wrong'))
      refused(answer, {
        status: [400, 401],
        words: null,
        error: ['invalid_request', 'invalid_client'],
      })
    }),
    requirement('refuses JSON in place of a form', should, async (t) => {
      const headers = { 'Content-Type': 'application/json' }
      const answer = await postForm(
        t.http,
        t.oauth.token,
        '{"grant_type":"client_credentials"}',
        headers,
      )
      demand(
        answer.status === 400 || answer.status === 401 || answer.status === 415,
        `status ${answer.status}`,
      )
    }),
    requirement('refuses a parameter twice', { clause: 'RFC 6749 §3.2' }, async (t) => {
      const { client_id } = t.target.client
      const fields = `grant_type=authorization_code&grant_type=refresh_token&client_id=${client_id}`
      const answer = await postForm(t.http, t.oauth.token, fields)
      demand(answer.status === 400 || answer.status === 401, `status ${answer.status}`)
    }),
    requirement('gives an access token, its type and lifetime for a code', shall, async (t) => {
      const { answer } = await tokens(t)
      demand(answer.string('access_token') !== '', 'access_token is empty')
      same(answer.string('token_type').toLowerCase(), 'bearer', 'token_type')
      const expires = answer.get('expires_in')
      demand(
        expires === undefined || (Number.isInteger(expires) && Number(expires) > 0),
        'expires_in',
      )
    }),
    requirement(
      'gives tokens that are not stored by caches',
      { clause: 'RFC 6749 §5.1' },
      async (t) => {
        const { answer } = await tokens(t)
        demandNotStored(answer)
      },
    ),
    requirement(
      'gives tokens that sign, and are not stored by caches',
      { clause: 'RFC 6749 §5.1' },
      async (t) => {
        demandNotStored((await credentialAnswer(t)).answer)
      },
    ),
    requirement('gives tokens in JSON', shall, async (t) => {
      const { answer } = await tokens(t)
      demand(/^application\/json/i.test(answer.contentType), answer.contentType)
    }),
    requirement('gives no refresh token for scope credential', shall, async (t) => {
      const { answer } = await credentialAnswer(t)
      demand(!answer.has('refresh_token'), 'it does')
    }),
    requirement('gives token_type of the version for scope credential', shall, async (t) => {
      const { answer } = await credentialAnswer(t)
      same(answer.string('token_type').toLowerCase(), t.isV1 ? 'sad' : 'bearer', 'token_type')
    }),
    requirement('refuses another redirect_uri', shall, async (t) => {
      const { code, code_verifier } = await newCode(t)
      const answer = await t.redeem(code, code_verifier, {
        redirect_uri: 'https://attacker.example/',
      })
      refused(answer, {
        error: 'invalid_grant',
        words:
          'redirect_uri parameter does not match redirect_uri parameter of authorization request',
      })
    }),
    requirement('refuses a missing code_verifier', PKCE, async (t) => {
      const { code, code_verifier } = await newCode(t)
      const answer = await t.redeem(code, code_verifier, { code_verifier: null })
      refused(answer, { error: ['invalid_grant', 'invalid_request'], words: null })
    }),
    requirement('refuses a wrong code_verifier', PKCE, async (t) => {
      const { code } = await newCode(t)
      const answer = await t.redeem(code, newPkce().code_verifier)
      refused(answer, { error: 'invalid_grant', words: null })
    }),
    requirement('refuses the code_challenge in place of the verifier', PKCE, async (t) => {
      const { code, code_challenge } = await newCode(t)
      refused(await t.redeem(code, code_challenge), { error: 'invalid_grant', words: null })
    }),
    requirement(
      'takes a code once, and ends its tokens when it comes again',
      { clause: 'CSC v2.0.0.2 §8.4.2; RFC 6749 §4.1.2' },
      async (t) => {
        const { code, code_verifier } = await newCode(t)
        const first = succeeded(await t.redeem(code, code_verifier)).string('access_token')
        refused(await t.redeem(code, code_verifier), {
          error: 'invalid_grant',
          words: [CODE, 'Invalid parameter code'],
        })
        refused(await t.call('credentials/list', {}, first), DEAD)
        t.forgetTokens()
      },
    ),
    requirement(
      'takes one of two codes that come at once',
      { clause: 'RFC 6749 §4.1.2' },
      async (t) => {
        const { code, code_verifier } = await newCode(t)
        const answers = await Promise.all([1, 2, 3, 4].map(() => t.redeem(code, code_verifier)))
        demand(answers.filter(({ status }) => status === 200).length <= 1, 'it took several')
        t.forgetTokens()
      },
    ),
    requirement(
      'refuses the code of another application',
      { clause: 'RFC 6749 §4.1.3' },
      async (t) => {
        const other = t.otherClient()
        const { code, code_verifier } = await newCode(t)
        const { redirect_uri } = t.target.client
        const answer = await t.redeem(code, code_verifier, { redirect_uri }, other)
        refused(answer, { error: ['invalid_grant', 'invalid_request'], words: null })
      },
    ),
    requirement('lets a code expire', shall, async (t) => {
      const { code, code_verifier } = await newCode(t)
      await t.clock.pass(t.clock.moves ? 3601 : 601)
      const answer = await t.redeem(code, code_verifier)
      refused(answer, { error: 'invalid_grant', words: [CODE, 'Invalid parameter code'] })
    }),
    requirement(
      'lets a service token expire',
      { clause: 'CSC v2.0.0.2 §8.4.4, §10.1' },
      async (t) => {
        const { answer } = await tokens(t, true)
        await t.clock.pass(Number(answer.get('expires_in') ?? 3600) + 5)
        const late = await t.call('credentials/list', {}, answer.string('access_token'))
        refused(late, { status: 401, error: 'expired_token', words: EXPIRED_TOKEN })
      },
    ),
    ...refreshing(),
    ...clientCredentials(),
  ],
}

function refreshing(): Requirement[] {
  return [
    requirement('gives a new access token for a refresh token', shall, async (t) => {
      const { refresh } = await withRefresh(t)
      const answer = await t.requestToken({ grant_type: 'refresh_token', refresh_token: refresh })
      const next = succeeded(answer).string('access_token')
      succeeded(await t.call('credentials/list', {}, next))
    }),
    requirement(
      'refuses a refresh token that was replaced',
      { clause: 'RFC 9700 §4.14.2', level: 'SHOULD' },
      async (t) => {
        const { refresh } = await withRefresh(t)
        const fields = { grant_type: 'refresh_token', refresh_token: refresh }
        if (!succeeded(await t.requestToken(fields)).has('refresh_token'))
          t.notApplicable('no rotation')
        t.forgetTokens()
        refused(await t.requestToken(fields), { error: 'invalid_grant', words: null })
      },
    ),
    requirement(
      'refuses the refresh token of another application',
      { clause: 'RFC 6749 §6' },
      async (t) => {
        const other = t.otherClient()
        const { refresh } = await withRefresh(t)
        const answer = await t.requestToken(
          { grant_type: 'refresh_token', refresh_token: refresh },
          other,
        )
        refused(answer, { error: 'invalid_grant', words: null })
      },
    ),
    requirement('does not widen a refresh token to scope credential', shall, async (t) => {
      const { refresh } = await withRefresh(t)
      const fields = { grant_type: 'refresh_token', refresh_token: refresh, scope: 'credential' }
      const answer = await t.requestToken(fields)
      demand(answer.status === 400 || answer.get('scope') === 'service', `status ${answer.status}`)
    }),
    requirement('refuses an access token in place of a refresh token', shall, async (t) => {
      const refresh_token = await t.serviceToken()
      const answer = await t.requestToken({ grant_type: 'refresh_token', refresh_token })
      refused(answer, { error: 'invalid_grant', words: 'Invalid parameter refresh_token' })
    }),
    requirement('refuses a refresh token in place of an access token', shall, async (t) => {
      const { refresh } = await withRefresh(t)
      refused(await t.call('credentials/list', {}, refresh), {
        status: 401,
        error: 'invalid_token',
        words: null,
      })
    }),
  ]
}

function clientCredentials(): Requirement[] {
  const GRANT = { grant_type: 'client_credentials', scope: 'service' }
  const user = { clause: 'CSC v2.0.0.2 §8.1, §11.4' }
  return [
    requirement(
      'gives an application a token of its own, and no refresh token',
      shall,
      async (t) => {
        const answer = succeeded(await forItself(t, GRANT))
        answer.string('access_token')
        demand(!answer.has('refresh_token'), 'it gives one')
      },
    ),
    requirement('gives an application no scope but service', shall, async (t) => {
      const answer = await forItself(t, { ...GRANT, scope: 'credential' })
      refused(answer, {
        error: ['invalid_scope', 'invalid_request', 'unauthorized_client'],
        words: null,
      })
    }),
    requirement('demands userID with a token that says no person', user, async (t) => {
      const own = succeeded(await forItself(t, GRANT)).string('access_token')
      refused(await t.call('credentials/list', {}, own), { words: 'Invalid parameter userID' })
    }),
    requirement('refuses an unknown userID', user, async (t) => {
      const own = succeeded(await forItself(t, GRANT)).string('access_token')
      const answer = await t.call('credentials/list', { userID: 'nobody' }, own)
      refused(answer, { words: 'Invalid parameter userID' })
    }),
    requirement('lists the credentials of a userID the application acts for', user, async (t) => {
      const { userID } = t.target.client
      if (userID === undefined) return t.skip('the configuration has no client.userID')
      const own = succeeded(await forItself(t, GRANT)).string('access_token')
      succeeded(await t.call('credentials/list', { userID }, own)).strings('credentialIDs')
    }),
    requirement('does not let an application sign by itself', shall, async (t) => {
      const own = succeeded(await forItself(t, GRANT)).string('access_token')
      const answer = await t.sign(await t.unspent(), {}, own)
      demand(answer.status >= 400 && answer.status < 500, `status ${answer.status}`)
    }),
  ]
}

function forItself(t: Subject, fields: Changes) {
  const types = t.info.get('authType')
  if (!Array.isArray(types) || !types.includes('oauth2client')) t.notApplicable('no oauth2client')
  if (!t.target.client.clientCredentials) t.skip('needs "client.clientCredentials"')
  return t.requestToken(fields)
}

function row(
  what: string,
  changes: Changes,
  words: string,
  error = 'invalid_request',
): Requirement[] {
  return [
    requirement(`refuses ${what}`, shall, async (t) => {
      refused(await t.redeem('nobody-has-this', newPkce().code_verifier, changes), { error, words })
    }),
  ]
}

function confidential(t: Subject): { client_id: string; secret: string } {
  const { client_id, client_secret } = t.target.client
  if (client_secret === undefined) return t.notApplicable('the client is public')
  return { client_id, secret: reveal(client_secret) }
}

async function newCode(t: Subject) {
  const { code_verifier, code_challenge } = newPkce()
  const code = codeOf(await t.authorize(t.request({ code_challenge })))
  return { code, code_verifier, code_challenge }
}

function tokens(t: Subject, afresh = false) {
  if (afresh) return t.newServiceTokens()
  return t.kept('tokens', 1500, () => t.newServiceTokens())
}

async function withRefresh(t: Subject) {
  const { access_token, refresh_token } = await t.newServiceTokens()
  if (refresh_token === null) return t.notApplicable('the server gives no refresh tokens')
  return { access: access_token, refresh: refresh_token }
}

function credentialAnswer(t: Subject) {
  return t.kept('credential answer', 240, async () => {
    const credential = await t.credential({ mode: 'oauth2code' })
    return t.approve(credential, t.documentsFor(credential))
  })
}

const revoking = { clause: 'CSC v2.0.0.2 §8.4.5' }
const UNSUPPORTED =
  'The authorization server does not support the revocation of the presented token type. That is, the client tried to revoke an access token on a server not supporting this feature.'

export const revoke: Chapter = {
  name: 'oauth2/revoke',
  versions: ['v2', 'v1', 'v0'],
  precondition: (t) => void t.oauth,
  requirements: [
    ...revokeRow('no token', {}, 'Missing parameter token'),
    ...revokeRow(
      'an unknown token',
      { token: 'nobody-has-this' },
      'Invalid string parameter token',
    ),
    requirement('refuses an unknown token_type_hint, and revokes nothing', revoking, async (t) => {
      const access = await t.serviceToken()
      const answer = await t.revokeToken({ token: access, token_type_hint: 'magic' })
      refused(answer, { words: 'Invalid parameter token_type_hint' })
      succeeded(await t.call('credentials/list', {}, access))
    }),
    requirement('refuses an application without client_id', revoking, async (t) => {
      const answer = await postForm(t.http, t.oauth.revoke, { token: 'x' })
      refused(answer, { status: [400, 401], words: 'Missing parameter client_id' })
    }),
    requirement('refuses an unknown client_id', revoking, async (t) => {
      const fields = { token: 'x', client_id: 'nobody', client_secret: 'none' }
      refused(await postForm(t.http, t.oauth.revoke, fields), {
        words: 'Invalid parameter client_id',
      })
    }),
    requirement('refuses a confidential application without its secret', revoking, async (t) => {
      const { client_id } = confidential(t)
      const answer = await postForm(t.http, t.oauth.revoke, { token: 'x', client_id })
      refused(answer, { status: [400, 401], words: 'Client authorization required' })
    }),
    requirement('refuses a wrong client_secret', revoking, async (t) => {
      const { client_id } = confidential(t)
      const fields = { token: 'x', client_id, client_secret: 'wrong' }
      refused(await postForm(t.http, t.oauth.revoke, fields), {
        words: 'Invalid parameter client_secret',
      })
    }),
    requirement('refuses an Authorization header that is none', revoking, async (t) => {
      confidential(t)
      const headers = { Authorization: 'Basic ???' }
      const answer = await postForm(t.http, t.oauth.revoke, { token: 'x' }, headers)
      refused(answer, {
        status: 401,
        error: 'invalid_client',
        words: 'Invalid authorization header',
      })
    }),
    requirement('ends an access token at once, answering 204 without body', revoking, async (t) => {
      const { access_token } = await t.newServiceTokens()
      const answer = await t.revokeToken({ token: access_token })
      if (answer.get('error') === 'unsupported_token_type') {
        refused(answer, { error: 'unsupported_token_type', words: UNSUPPORTED })
        return
      }
      succeeded(answer, 204)
      same(answer.text, '', 'body')
      const dead = await t.call('credentials/list', {}, access_token)
      refused(dead, { status: 401, error: ['expired_token', 'invalid_token'], words: null })
    }),
    requirement(
      'leaves the refresh token alive when its access token ends',
      revoking,
      async (t) => {
        const { access, refresh } = await withRefresh(t)
        succeeded(await t.revokeToken({ token: access, token_type_hint: 'access_token' }), 204)
        succeeded(await t.requestToken({ grant_type: 'refresh_token', refresh_token: refresh }))
      },
    ),
    requirement('ends a refresh token, and the access tokens of its grant', revoking, async (t) => {
      const { access, refresh } = await withRefresh(t)
      succeeded(await t.revokeToken({ token: refresh, token_type_hint: 'refresh_token' }), 204)
      t.forgetTokens()
      const again = await t.requestToken({ grant_type: 'refresh_token', refresh_token: refresh })
      refused(again, { error: 'invalid_grant', words: null })
      refused(await t.call('credentials/list', {}, access), DEAD)
    }),
    requirement(
      'finds a token whatever the hint says',
      { clause: 'RFC 7009 §2.1', level: 'SHOULD' },
      async (t) => {
        const { access_token } = await t.newServiceTokens()
        succeeded(
          await t.revokeToken({ token: access_token, token_type_hint: 'refresh_token' }),
          204,
        )
      },
    ),
    requirement(
      'says a token that was revoked is unknown',
      { ...revoking, level: 'SHOULD' },
      async (t) => {
        const { access_token } = await t.newServiceTokens()
        succeeded(await t.revokeToken({ token: access_token }), 204)
        refused(await t.revokeToken({ token: access_token }), {
          words: 'Invalid string parameter token',
        })
      },
    ),
    requirement(
      'does not end tokens of another application',
      { clause: 'RFC 7009 §2.1' },
      async (t) => {
        const other = t.otherClient()
        const { access_token } = await t.newServiceTokens()
        refused(await t.revokeToken({ token: access_token }, other), {
          words: null,
          error: ['invalid_request', 'invalid_grant'],
        })
        succeeded(await t.call('credentials/list', {}, access_token))
      },
    ),
    requirement('ends a credential token, so that it does not sign', revoking, async (t) => {
      const credential = await t.credential({ mode: 'oauth2code' })
      const authorised = await t.authorise(credential, t.documentsFor(credential))
      const token = t.isV1 ? authorised.SAD : authorised.bearer
      succeeded(await t.revokeToken({ token }), 204)
      const { status } = await t.sign(authorised)
      demand(status === 401 || status === 400, `status ${status}`)
    }),
  ],
}

function revokeRow(what: string, fields: Changes, words: string): Requirement[] {
  return [
    requirement(`refuses ${what}`, revoking, async (t) => {
      refused(await t.revokeToken(fields), { words })
    }),
  ]
}

const METADATA = { clause: 'RFC 8414 §3' }

/** What the server says of its OAuth endpoints where everybody can read it. */
export const metadata: Chapter = {
  name: 'authorization server metadata',
  versions: ['v2'],
  precondition: async (t) => {
    if ((await t.metadata()).status !== 200) t.notApplicable('it publishes none')
  },
  requirements: [
    requirement('names an issuer', METADATA, async (t) => {
      demand(URL.canParse((await t.metadata()).string('issuer')), 'it is no URL')
    }),
    requirement('names the issuer info names, if it does', METADATA, async (t) => {
      if (!t.info.has('oauth2Issuer')) t.notApplicable('no oauth2Issuer')
      same((await t.metadata()).string('issuer'), t.info.string('oauth2Issuer'), 'issuer')
    }),
    ...['authorization_endpoint', 'token_endpoint'].map((name) =>
      requirement(`names ${name}`, METADATA, async (t) => {
        demand(URL.canParse((await t.metadata()).string(name)), 'it is no URL')
      }),
    ),
    requirement(
      'offers the response type code, and no implicit one',
      { clause: 'CSC v2.0.0.2 §8.4' },
      async (t) => {
        same((await t.metadata()).strings('response_types_supported'), ['code'], 'response types')
      },
    ),
    requirement(
      'offers no implicit and no password grant',
      { clause: 'CSC v2.0.0.2 §8.4' },
      async (t) => {
        const grants = (await t.metadata()).strings('grant_types_supported')
        same(
          grants.filter((each) => each === 'implicit' || each === 'password'),
          [],
          'grants',
        )
      },
    ),
    requirement('offers PKCE with S256', { clause: 'RFC 9700 §2.1.1' }, async (t) => {
      demand(
        (await t.metadata()).strings('code_challenge_methods_supported').includes('S256'),
        'no',
      )
    }),
    requirement(
      'does not offer PKCE with plain',
      { clause: 'RFC 9700 §2.1.1', level: 'SHOULD' },
      async (t) => {
        demand(
          !(await t.metadata()).strings('code_challenge_methods_supported').includes('plain'),
          'it does',
        )
      },
    ),
    requirement(
      'offers the scopes service and credential',
      { clause: 'CSC v2.0.0.2 §8.4', level: 'SHOULD' },
      async (t) => {
        const scopes = (await t.metadata()).strings('scopes_supported')
        demand(
          ['service', 'credential'].every((each) => scopes.includes(each)),
          scopes.join(' '),
        )
      },
    ),
    requirement(
      'says that iss is in its answers',
      { clause: 'RFC 9207 §3', level: 'SHOULD' },
      async (t) => {
        same((await t.metadata()).get('authorization_response_iss_parameter_supported'), true, 'it')
      },
    ),
    requirement(
      'names the type of authorization details',
      { clause: 'RFC 9396 §10', level: 'SHOULD' },
      async (t) => {
        if (t.info.get('supportsRar') !== true) t.notApplicable('no supportsRar')
        const types = (await t.metadata()).strings('authorization_details_types_supported')
        demand(
          types.some((each) => /(^|\/)credential$/.test(each)),
          types.join(' '),
        )
      },
    ),
    requirement('says in iss what it says in issuer', { clause: 'RFC 9207 §2.4' }, async (t) => {
      const told = await t.authorize(t.request())
      if (!told.has('iss')) t.notApplicable('no iss')
      same(told.get('iss'), (await t.metadata()).string('issuer'), 'iss')
    }),
  ],
}

const AUTH = { clause: 'CSC v2.0.0.2 §11.3' }

export const authRevoke: Chapter = {
  name: 'auth/revoke',
  versions: ['v2', 'v1', 'v0'],
  method: 'auth/revoke',
  requirements: [
    ...(
      [
        ['no token', {}, 'Missing (or invalid type) string parameter token'],
        ['a number for token', { token: 1 }, 'Missing (or invalid type) string parameter token'],
        ['an unknown token', { token: 'nobody' }, 'Invalid string parameter token'],
      ] as const
    ).map(([what, body, words]) =>
      requirement(`refuses ${what}`, AUTH, async (t) => {
        refused(await t.call('auth/revoke', body, await t.serviceToken()), { words })
      }),
    ),
    ...(['magic', 1, ''] as const).map((token_type_hint) =>
      requirement(
        `refuses ${JSON.stringify(token_type_hint)} for token_type_hint`,
        AUTH,
        async (t) => {
          const token = await t.serviceToken()
          const answer = await t.call('auth/revoke', { token, token_type_hint }, token)
          refused(answer, { words: 'Invalid string parameter token_type_hint' })
        },
      ),
    ),
    requirement('ends an access token, answering 204 without body', AUTH, async (t) => {
      const { access_token } = await t.newServiceTokens()
      const answer = succeeded(
        await t.call('auth/revoke', { token: access_token }, access_token),
        204,
      )
      same(answer.text, '', 'body')
      refused(await t.call('credentials/list', {}, access_token), DEAD)
    }),
    requirement('ends a refresh token, and the access tokens of its grant', AUTH, async (t) => {
      const { access, refresh } = await withRefresh(t)
      const body = { token: refresh, token_type_hint: 'refresh_token' }
      t.forgetTokens()
      succeeded(await t.call('auth/revoke', body, access), 204)
      refused(await t.call('credentials/list', {}, access), DEAD)
    }),
    requirement('does not end tokens of another person', { clause: 'RFC 7009 §2.1' }, async (t) => {
      const others = await t.serviceToken(t.otherSigner())
      const answer = await t.call('auth/revoke', { token: others }, await t.serviceToken())
      refused(answer, { words: 'Invalid string parameter token' })
      succeeded(await t.call('credentials/list', {}, others))
    }),
    requirement('takes clientData', AUTH, async (t) => {
      const { access_token } = await t.newServiceTokens()
      const body = { token: access_token, clientData: 'order 17' }
      succeeded(await t.call('auth/revoke', body, access_token), 204)
    }),
  ],
}

const LOGIN = { clause: 'CSC v2.0.0.2 §11.2' }

export const authLogin: Chapter = {
  name: 'auth/login',
  versions: ['v2', 'v1', 'v0'],
  method: 'auth/login',
  requirements: [
    requirement('refuses no credentials at all', LOGIN, async (t) => {
      refused(await t.call('auth/login', {}), {
        status: 401,
        words: 'Malformed authentication parameter.',
      })
    }),
    requirement('refuses a Basic header that has no colon', LOGIN, async (t) => {
      const Authorization = `Basic ${Buffer.from('nobody').toString('base64')}`
      const answer = await t.call('auth/login', {}, null, { Authorization })
      refused(answer, { words: 'Malformed username-password.' })
    }),
    requirement('refuses a number for refresh_token', LOGIN, async (t) => {
      const answer = await t.call('auth/login', { refresh_token: 1 })
      refused(answer, { words: 'Invalid string parameter: refresh_token' })
    }),
    requirement('refuses an unknown refresh_token', LOGIN, async (t) => {
      refused(await t.call('auth/login', { refresh_token: 'nobody' }), {
        words: 'Invalid refresh_token',
      })
    }),
    requirement('refuses an unknown person and a wrong password alike', LOGIN, async (t) => {
      const answer = await t.call('auth/login', {}, null, basicHeader('nobody', 'nothing'))
      refused(answer, {
        error: 'authentication_error',
        words: 'An error occurred during authentication process',
      })
    }),
    requirement('gives a service token to who knows the password', LOGIN, async (t) => {
      const answer = await login(t, {})
      succeeded(await t.call('credentials/list', {}, answer.string('access_token')))
      demand(!answer.has('refresh_token'), 'it gives a refresh token, without rememberMe')
    }),
    requirement('gives its lifetime in seconds if any', LOGIN, async (t) => {
      const seconds = (await login(t, {})).get('expires_in')
      const isCount = Number.isInteger(seconds) && Number(seconds) > 0
      demand(seconds === undefined || isCount, `expires_in is ${show(seconds)}`)
    }),
    requirement(
      'gives tokens that are not stored by caches',
      { clause: 'RFC 9111 §5.2.2.5', level: 'SHOULD' },
      async (t) => {
        demandNotStored(await login(t, {}))
      },
    ),
    requirement('gives a refresh token with rememberMe, which gives a token', LOGIN, async (t) => {
      const answer = await login(t, { rememberMe: true })
      if (!answer.has('refresh_token')) t.notApplicable('refresh tokens are not supported')
      const again = await t.call('auth/login', { refresh_token: answer.string('refresh_token') })
      succeeded(await t.call('credentials/list', {}, succeeded(again).string('access_token')))
    }),
  ],
}

async function login(t: Subject, body: Record<string, unknown>) {
  const { basic } = t.signerSettings(0)
  if (!basic) return t.skip('the configuration has no signers[0].basic')
  const headers = basicHeader(basic.username, reveal(basic.password))
  return succeeded(await t.call('auth/login', body, null, headers))
}
