import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  postForm,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import {
  assertAlive,
  assertDead,
  basic,
  changed,
  inBody,
  refreshGrant,
  requestToken,
  serviceTokens,
  type Changes,
  type Parameters,
  type Tokens,
} from './application.js'

describe('POST /oauth2/revoke', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let otherClient: TestClient

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    otherClient = await rssp.addClient()
  })
  after(() => rssp.close())

  const newTokens = (of = client): Promise<Tokens> => serviceTokens(rssp, user, of)
  const refresh = (token: string) => requestToken(rssp, refreshGrant(client, token))

  function revoke(token: string, changes: Changes = {}, headers: Parameters = {}) {
    const fields = changed({ ...inBody(client), token }, changes)
    return postForm(`${rssp.baseUrl}/oauth2/revoke`, fields, headers)
  }

  async function assertUntouched({ access_token, refresh_token }: Tokens) {
    await assertAlive(rssp, access_token)
    assert.equal((await refresh(refresh_token)).status, 200)
  }

  it('ends an access token and nothing else, with 204', async () => {
    const { access_token, refresh_token } = await newTokens()
    const { status, body, headers } = await revoke(access_token)
    assert.deepEqual([status, body], [204, ''])
    assert.equal(headers.get('cache-control'), 'no-store')
    await assertDead(rssp, access_token)
    assert.equal((await refresh(refresh_token)).status, 200)
  })

  it('ends a refresh token and its access tokens (S44)', async () => {
    const first = await newTokens()
    const second = (await refresh(first.refresh_token)).body as Tokens
    assert.equal((await revoke(second.refresh_token)).status, 204)
    await assertDead(rssp, first.access_token)
    await assertDead(rssp, second.access_token)
    const words = 'Invalid parameter refresh_token'
    assertRefusal(await refresh(second.refresh_token), 400, 'invalid_grant', words)
  })

  for (const hint of ['access_token', 'refresh_token', '']) {
    it(`finds both kinds of token with the hint ${JSON.stringify(hint)}`, async () => {
      const { access_token, refresh_token } = await newTokens()
      for (const token of [access_token, refresh_token]) {
        assert.equal((await revoke(token, { token_type_hint: hint })).status, 204)
      }
    })
  }

  it('takes the secret in the header too', async () => {
    const { access_token } = await newTokens()
    const changes = { client_id: null, client_secret: null }
    assert.equal((await revoke(access_token, changes, basic(client))).status, 204)
    await assertDead(rssp, access_token)
  })

  it('is open to public clients', async () => {
    const publicClient = await rssp.addClient({ client_secret: null })
    const { access_token } = await newTokens(publicClient)
    const changes = { client_id: publicClient.client_id, client_secret: null }
    assert.equal((await revoke(access_token, changes)).status, 204)
    await assertDead(rssp, access_token)
  })

  for (const path of ['/csc/v2/oauth2/revoke', '//oauth2/revoke']) {
    it(`answers at ${path} too`, async () => {
      const { access_token } = await newTokens()
      const fields = { ...inBody(client), token: access_token }
      assert.equal((await postForm(`${rssp.baseUrl}${path}`, fields)).status, 204)
    })
  }

  describe('refuses, and leaves the token as it is,', () => {
    const cases: [string, Changes, number, string][] = [
      ['another hint', { token_type_hint: 'SAD' }, 400, 'Invalid parameter token_type_hint'],
      [
        'a hint of RFC 8693',
        { token_type_hint: 'urn:ietf:params:oauth:token-type:access_token' },
        400,
        'Invalid parameter token_type_hint',
      ],
      ['no client', { client_id: null, client_secret: null }, 400, 'Missing parameter client_id'],
      ['an unknown client', { client_id: 'unknown' }, 400, 'Invalid parameter client_id'],
      ['no secret', { client_secret: null }, 401, 'Client authorization required'],
      ['a wrong secret', { client_secret: 'wrong' }, 400, 'Invalid parameter client_secret'],
    ]
    for (const [what, changes, status, words] of cases) {
      it(what, async () => {
        const tokens = await newTokens()
        for (const token of [tokens.access_token, tokens.refresh_token]) {
          assertRefusal(await revoke(token, changes), status, 'invalid_request', words)
        }
        await assertUntouched(tokens)
      })
    }

    it('a bad header', async () => {
      const tokens = await newTokens()
      const changes = { client_id: null, client_secret: null }
      for (const header of ['Basic !!!', 'Bearer x', 'Basic bm8tY29sb24=']) {
        const answer = await revoke(tokens.access_token, changes, { Authorization: header })
        assertRefusal(answer, 401, 'invalid_client', 'Invalid authorization header')
      }
      await assertUntouched(tokens)
    })

    it('a field that comes twice', async () => {
      const tokens = await newTokens()
      const fields = new URLSearchParams({ ...inBody(client), token: tokens.access_token })
      fields.append('token', tokens.access_token)
      const answer = await postForm(`${rssp.baseUrl}/oauth2/revoke`, fields.toString())
      assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_request'])
      await assertUntouched(tokens)
    })

    it('another client’s token, like an unknown one (S66)', async () => {
      const tokens = await newTokens()
      const words = 'Invalid string parameter token'
      const others = inBody(otherClient)
      for (const token of [tokens.access_token, tokens.refresh_token, 'unknown']) {
        for (const hint of [null, 'access_token', 'refresh_token']) {
          const answer = await revoke(token, { ...others, token_type_hint: hint })
          assertRefusal(answer, 400, 'invalid_request', words)
        }
      }
      await assertUntouched(tokens)
    })
  })

  it('refuses a request without token', async () => {
    for (const token of [null, '']) {
      const answer = await revoke('x', { token })
      assertRefusal(answer, 400, 'invalid_request', 'Missing parameter token')
    }
  })

  it('refuses what is no token, what is dead, and what is of another kind', async () => {
    const { access_token } = await newTokens()
    await revoke(access_token)
    const late = (await newTokens()).access_token
    rssp.clock.advance(3620)
    for (const token of ['x', access_token, late, 'x'.repeat(5000), 'a.b.c']) {
      const answer = await revoke(token)
      assertRefusal(answer, 400, 'invalid_request', 'Invalid string parameter token')
    }
  })

  it('answers in JSON whatever the request would rather have', async () => {
    const answer = await revoke('x', {}, { Accept: 'text/html' })
    assertRefusal(answer, 400, 'invalid_request', 'Invalid string parameter token')
  })

  describe('a credential token (S44)', () => {
    const digest = digestOf('contract')
    let credential: Credential
    before(async () => {
      credential = await rssp.addCredential(user)
    })

    function sign(token: string) {
      const hashes = [digest.toString('base64')]
      const body = { credentialID: credential.id, hashes, hashAlgorithmOID: SHA256 }
      return rssp.call('signatures/signHash', { ...body, signAlgo: ECDSA_SHA256 }, token)
    }
    const newToken = () => rssp.credentialToken({ user, client, credential, digests: [digest] })

    it('is refused by signHash at once', async () => {
      const [kept, revoked] = [await newToken(), await newToken()]
      assert.equal((await revoke(revoked)).status, 204)
      const { status, body } = await sign(revoked)
      assert.deepEqual([status, body.error], [401, 'expired_token'])
      assert.equal((await sign(kept)).status, 200)
    })

    it('is refused as SAD beside a service token too', async () => {
      const service = (await newTokens()).access_token
      const SAD = await newToken()
      assert.equal((await revoke(SAD)).status, 204)
      const body = { credentialID: credential.id, SAD, hashes: [digest.toString('base64')] }
      const more = { hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256 }
      const answer = await rssp.call('signatures/signHash', { ...body, ...more }, service)
      assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_request'])
    })

    it('does not take the service tokens of its application along', async () => {
      const tokens = await newTokens()
      await revoke(await newToken())
      await assertUntouched(tokens)
    })

    it('signs nothing more once the revocation is answered, however many signatures are asked for', async () => {
      const token = await newToken()
      const signatures = Array.from({ length: 10 }, () => sign(token))
      const revoked = revoke(token)
      const late = await revoked.then(() => sign(token))
      await Promise.all(signatures)
      assert.notEqual(late.status, 200)
    })
  })
})
