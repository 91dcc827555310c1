import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import type { Quirk } from '../../src/oauth/client.js'
import {
  assertRefusal,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
} from '../support/rssp.js'
import { basic, requestToken } from './application.js'
import { asserted, assertion, testKey, type Changes, type TestKey } from './proofs.js'

/** Grants of an application that acts for itself: all that matters is who it is. */
const FOR_ITSELF = { grant_type: 'client_credentials', scope: 'service' }

describe('private_key_jwt (S41, S43)', () => {
  let rssp: Rssp
  let client: TestClient
  let key: TestKey

  before(async () => {
    rssp = await startRssp()
    key = await testKey()
    client = await addClient([key])
  })
  after(() => rssp.close())

  function addClient(keys: TestKey[], quirks: Quirk[] = []): Promise<TestClient> {
    return rssp.addClient({
      client_secret: null,
      registration: {
        quirks,
        authMethod: 'private_key_jwt',
        grantTypes: ['authorization_code', 'client_credentials'],
        jwks: { keys: keys.map(({ jwk }) => jwk) },
      },
    })
  }

  async function authenticate(
    changes: Changes = {},
    header: Changes = {},
    by = key,
  ): Promise<Answer> {
    const jwt = await assertion(rssp, client, by, changes, header)
    return requestToken(rssp, { ...FOR_ITSELF, client_id: client.client_id, ...asserted(jwt) })
  }

  function assertRefused(answer: Answer): void {
    assertRefusal(answer, 401, 'invalid_client', 'Invalid parameter client_assertion')
  }

  it('authenticates by a signature of the registered key', async () => {
    const { status, body } = await authenticate()
    assert.equal(status, 200, JSON.stringify(body))
  })

  it('needs no client_id beside the assertion', async () => {
    const jwt = await assertion(rssp, client, key)
    assert.equal((await requestToken(rssp, { ...FOR_ITSELF, ...asserted(jwt) })).status, 200)
  })

  for (const alg of ['ES256', 'PS256', 'RS256', 'EdDSA']) {
    it(`takes ${alg}`, async () => {
      const own = await testKey(alg)
      const other = await addClient([await testKey('ES256'), own])
      const jwt = await assertion(rssp, other, own)
      const { status, body } = await requestToken(rssp, { ...FOR_ITSELF, ...asserted(jwt) })
      assert.equal(status, 200, JSON.stringify(body))
    })
  }

  for (const alg of ['ES384', 'PS512', 'RS384']) {
    it(`refuses ${alg}, though the key is registered`, async () => {
      const own = await testKey(alg)
      const other = await addClient([await testKey(), own])
      const jwt = await assertion(rssp, other, own)
      assertRefused(await requestToken(rssp, { ...FOR_ITSELF, ...asserted(jwt) }))
    })
  }

  const now = () => Math.floor(Date.now() / 1000)
  const wrong: [string, () => Changes][] = [
    ['without audience', () => ({ aud: null })],
    ['for the token endpoint', () => ({ aud: `${rssp.baseUrl}/oauth2/token` })],
    ['for the issuer in a list', () => ({ aud: [rssp.baseUrl] })],
    ['for the issuer and others', () => ({ aud: [rssp.baseUrl, 'https://other.example'] })],
    ['for the issuer with a slash', () => ({ aud: `${rssp.baseUrl}/` })],
    ['for another server', () => ({ aud: 'https://other.example' })],
    ['by another issuer', () => ({ iss: 'other' })],
    ['without issuer', () => ({ iss: null })],
    ['without identifier', () => ({ jti: null })],
    ['without expiry', () => ({ exp: null })],
    ['that has expired', () => ({ exp: now() - 60 })],
    ['that is good for more than an hour', () => ({ exp: now() + 3700 })],
    ['that is good for ever', () => ({ exp: 1e300 })],
    ['that is not valid yet', () => ({ nbf: now() + 600 })],
  ]
  for (const [what, changes] of wrong) {
    it(`refuses an assertion ${what}`, async () => {
      assertRefused(await authenticate(changes()))
    })
  }

  it('takes an assertion that is good for almost an hour', async () => {
    assert.equal((await authenticate({ exp: now() + 3500 })).status, 200)
  })

  it('refuses an assertion about another client', async () => {
    const { status } = await authenticate({ sub: 'other', iss: 'other' })
    assert.equal(status, 400)
  })

  it('refuses an assertion by a key that is not registered', async () => {
    assertRefused(await authenticate({}, {}, await testKey()))
  })

  it('refuses a key that the assertion brings along', async () => {
    const own = await testKey()
    assertRefused(await authenticate({}, { jwk: own.jwk, kid: undefined }, own))
  })

  it('refuses a signature with the public key as a secret', async () => {
    const secret = new TextEncoder().encode(JSON.stringify(key.jwk))
    const { client_id } = client
    const jwt = await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(client_id)
      .setSubject(client_id)
      .setAudience(rssp.baseUrl)
      .setExpirationTime('1m')
      .sign(secret)
    assertRefused(await requestToken(rssp, { ...FOR_ITSELF, ...asserted(jwt) }))
  })

  it('refuses an assertion without signature', async () => {
    const [, payload = ''] = (await assertion(rssp, client, key)).split('.')
    const header = Buffer.from('{"alg":"none"}').toString('base64url')
    const fields = { ...FOR_ITSELF, ...asserted(`${header}.${payload}.`) }
    assertRefused(await requestToken(rssp, fields))
  })

  it('refuses an assertion that was used before, in the same words (S31)', async () => {
    const jti = randomUUID()
    assert.equal((await authenticate({ jti })).status, 200)
    assertRefused(await authenticate({ jti }))
  })

  it('takes the identifier that another client used', async () => {
    const jti = randomUUID()
    assert.equal((await authenticate({ jti })).status, 200)
    const other = await addClient([key])
    const jwt = await assertion(rssp, other, key, { jti })
    assert.equal((await requestToken(rssp, { ...FOR_ITSELF, ...asserted(jwt) })).status, 200)
  })

  describe('of an application whose registration says that it names the token endpoint', () => {
    let quirky: TestClient

    before(async () => {
      quirky = await addClient([key], ['endpoint-audience'])
    })

    const answerTo = async (aud: unknown) => {
      const jwt = await assertion(rssp, quirky, key, { aud })
      return requestToken(rssp, { ...FOR_ITSELF, ...asserted(jwt) })
    }
    const tokenUrl = () => `${rssp.baseUrl}/oauth2/token`

    it('takes that, alone or beside the issuer', async () => {
      for (const aud of [tokenUrl(), [tokenUrl()], [rssp.baseUrl, tokenUrl()], rssp.baseUrl]) {
        const { status, body } = await answerTo(aud)
        assert.equal(status, 200, `${JSON.stringify(aud)}: ${JSON.stringify(body)}`)
      }
    })

    it('refuses everything else, and either beside another server', async () => {
      const other = 'https://other.example'
      const elsewhere = `${rssp.baseUrl}/oauth2/revoke`
      for (const aud of [
        other,
        elsewhere,
        [tokenUrl(), other],
        [rssp.baseUrl, elsewhere],
        [],
        '',
      ]) {
        assertRefused(await answerTo(aud))
      }
    })
  })

  it('refuses another type of assertion', async () => {
    const client_assertion = await assertion(rssp, client, key)
    const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer'
    const fields = { ...FOR_ITSELF, client_assertion, client_assertion_type }
    assert.equal((await requestToken(rssp, fields)).status, 400)
  })

  it('refuses an assertion beside a secret', async () => {
    const fields = { ...asserted(await assertion(rssp, client, key)), client_secret: 'x' }
    assert.equal((await requestToken(rssp, { ...FOR_ITSELF, ...fields })).status, 400)
  })

  it('refuses the client without assertion', async () => {
    const fields = { ...FOR_ITSELF, client_id: client.client_id }
    const answer = await requestToken(rssp, fields)
    assertRefusal(answer, 401, 'invalid_request', 'Client authorization required')
  })

  it('refuses an assertion of a client that has a secret', async () => {
    const withSecret = await rssp.addClient({
      registration: { grantTypes: ['client_credentials'], redirectUris: [] },
    })
    const jwt = await assertion(rssp, withSecret, key)
    assertRefused(await requestToken(rssp, { ...FOR_ITSELF, ...asserted(jwt) }))
    assert.equal((await requestToken(rssp, FOR_ITSELF, basic(withSecret))).status, 200)
  })

  it('is announced with its algorithms', async () => {
    const url = `${rssp.baseUrl}/.well-known/oauth-authorization-server`
    const metadata = (await (await fetch(url)).json()) as Record<string, unknown>
    const algorithms = ['ES256', 'PS256', 'RS256', 'EdDSA']
    assert.deepEqual(metadata['token_endpoint_auth_signing_alg_values_supported'], algorithms)
    assert.deepEqual(metadata['dpop_signing_alg_values_supported'], algorithms)
    assert.deepEqual(metadata['token_endpoint_auth_methods_supported'], [
      ...['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    ])
  })
})
