import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import {
  digestOf,
  postForm,
  SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import {
  authorizationCode,
  basic,
  codeGrant,
  requestToken,
  serviceRequest,
  serviceTokens,
  type Tokens,
} from './application.js'
import { dpopProof, testKey } from './proofs.js'

describe('Introspection', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let otherClient: TestClient
  let resourceServer: TestClient
  let credential: Credential
  let tokens: Tokens

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    otherClient = await rssp.addClient()
    resourceServer = await rssp.addClient({
      registration: { introspectsAll: true, grantTypes: [], redirectUris: [] },
    })
    credential = await rssp.addCredential(user)
    tokens = await serviceTokens(rssp, user, client)
  })
  after(() => rssp.close())

  function introspect(
    token: string,
    by: TestClient,
    fields: Record<string, string> = {},
  ): Promise<Answer> {
    return postForm(`${rssp.baseUrl}/oauth2/introspect`, { token, ...fields }, basic(by))
  }

  async function assertInactive(token: string, by = client): Promise<void> {
    const { status, body } = await introspect(token, by)
    assert.deepEqual({ status, body }, { status: 200, body: { active: false } })
  }

  for (const [who, by] of [
    ['the application it was issued to', () => client],
    ['a resource server', () => resourceServer],
  ] as const) {
    it(`tells ${who} what an access token stands for`, async () => {
      const { body } = await introspect(tokens.access_token, by())
      const { exp, iat, ...rest } = body as Record<string, unknown>
      assert.ok(typeof exp === 'number' && typeof iat === 'number')
      assert.deepEqual(rest, {
        ...{ active: true, client_id: client.client_id, sub: user.id, scope: 'service' },
        ...{ iss: rssp.baseUrl, token_type: 'Bearer' },
      })
    })
  }

  it('tells that a refresh token is alive', async () => {
    const { body } = await introspect(tokens.refresh_token, client)
    assert.equal(body.active, true)
  })

  it('takes a hint at the wrong kind of token', async () => {
    const hint = { token_type_hint: 'refresh_token' }
    const { body } = await introspect(tokens.access_token, client, hint)
    assert.equal(body.active, true)
  })

  it('tells the key a token is bound to', async () => {
    const key = await testKey()
    const code = await authorizationCode(rssp, user, serviceRequest(client))
    const proof = await dpopProof(key, { url: `${rssp.baseUrl}/oauth2/token` })
    const answer = await requestToken(rssp, codeGrant(client, code), { DPoP: proof })
    const { body } = await introspect(answer.body.access_token, client)
    assert.equal(body.token_type, 'DPoP')
    assert.equal(typeof body.cnf.jkt, 'string')
  })

  it('tells what was approved', async () => {
    const detail = {
      ...{ type: 'credential', credentialID: credential.id, hashAlgorithmOID: SHA256 },
      documentDigests: [{ hash: digestOf('contract').toString('base64'), label: 'contract' }],
    }
    const authorization_details = JSON.stringify([detail])
    const request = serviceRequest(client, { scope: null, authorization_details })
    const code = await authorizationCode(rssp, user, request)
    const answer = await requestToken(rssp, codeGrant(client, code))
    const { body } = await introspect(answer.body.access_token, resourceServer)
    assert.deepEqual(body.authorization_details, [{ ...detail, numSignatures: 1 }])
    assert.equal(body.scope, 'credential')
  })

  it('says nothing of another application’s token', async () => {
    await assertInactive(tokens.access_token, otherClient)
    await assertInactive(tokens.refresh_token, otherClient)
  })

  const worthless: [string, () => Promise<string>][] = [
    ['an unknown token', () => Promise.resolve('nope')],
    ['an authorization code', () => authorizationCode(rssp, user, serviceRequest(client))],
    [
      'a revoked token',
      async () => {
        const { access_token: token } = await serviceTokens(rssp, user, client)
        await postForm(`${rssp.baseUrl}/oauth2/revoke`, { token }, basic(client))
        return token
      },
    ],
    [
      'the token of a person who was disabled',
      async () => {
        const person = await rssp.addUser()
        const { access_token } = await serviceTokens(rssp, person, client)
        await rssp.services.users.disable(person.id, rssp.clock.now())
        return access_token
      },
    ],
  ]
  for (const [what, token] of worthless) {
    it(`says inactive of ${what}`, async () => {
      await assertInactive(await token())
    })
  }

  it('says inactive of an expired token', async () => {
    const { access_token } = await serviceTokens(rssp, user, client)
    rssp.clock.advance(3601)
    await assertInactive(access_token)
    rssp.clock.advance(-3601)
  })

  it('is refused without client authentication', async () => {
    const answer = await postForm(`${rssp.baseUrl}/oauth2/introspect`, {
      token: tokens.access_token,
    })
    assert.equal(answer.status, 400)
    assert.equal(answer.body.error, 'invalid_request')
  })

  it('is refused with a wrong secret', async () => {
    const url = `${rssp.baseUrl}/oauth2/introspect`
    const headers = basic(resourceServer, 'wrong')
    const answer = await postForm(url, { token: tokens.access_token }, headers)
    assert.deepEqual([answer.status, answer.body.error], [401, 'invalid_client'])
  })

  it('is refused without token', async () => {
    const answer = await postForm(`${rssp.baseUrl}/oauth2/introspect`, {}, basic(client))
    assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_request'])
  })

  it('tells a public application nothing, not even of its own tokens', async () => {
    const { client_id } = await rssp.addClient({ client_secret: null })
    const fields = { token: tokens.access_token, client_id }
    const { body } = await postForm(`${rssp.baseUrl}/oauth2/introspect`, fields)
    assert.deepEqual(body, { active: false })
  })

  it('is announced', async () => {
    const answer = await fetch(`${rssp.baseUrl}/.well-known/oauth-authorization-server`)
    const metadata = (await answer.json()) as Record<string, unknown>
    assert.equal(metadata['introspection_endpoint'], `${rssp.baseUrl}/oauth2/introspect`)
    assert.deepEqual([...(metadata['grant_types_supported'] as string[])].toSorted(), [
      'authorization_code',
      'client_credentials',
      'refresh_token',
    ])
  })

  describe('a credential token', () => {
    const digests = [digestOf('one'), digestOf('two')]
    const approve = () => rssp.credentialToken({ user, client, credential, digests })
    const sign = (token: string, chosen: Buffer[]) =>
      rssp.call(
        'signatures/signHash',
        {
          credentialID: credential.id,
          hashes: chosen.map((digest) => digest.toString('base64')),
          signAlgo: '1.2.840.10045.4.3.2',
        },
        token,
      )

    it('is active while a signature is left, and inactive once it is used up (S7)', async () => {
      const token = await approve()
      assert.equal((await sign(token, digests.slice(0, 1))).status, 200)
      assert.equal((await introspect(token, client)).body.active, true)
      assert.equal((await sign(token, digests.slice(1))).status, 200)
      await assertInactive(token)
      await assertInactive(token, resourceServer)
    })

    it('is inactive once its credential is revoked', async () => {
      const gone = await rssp.addCredential(user)
      const token = await rssp.credentialToken({ user, client, credential: gone, digests })
      assert.equal((await introspect(token, client)).body.active, true)
      await rssp.services.credentials.revoke(gone.id, 'test')
      await assertInactive(token)
    })
  })
})
