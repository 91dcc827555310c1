import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import {
  assertRefusal,
  postForm,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser } from '../support/signer-browser.js'
import {
  answersOf,
  asPage,
  authorizationCode,
  basic,
  codeGrant,
  inBody,
  requestToken,
  serviceRequest,
} from './application.js'
import { dpopProof, testKey, type TestKey } from './proofs.js'

const REDIRECT_URI = 'https://app.example/callback'

describe('DPoP nonces, where policy demands them (S37)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let key: TestKey
  let token: string

  before(async () => {
    rssp = await startRssp({ settings: { policy: { dpopNonce: 'always' } } })
    user = await rssp.addUser()
    key = await testKey()
    client = await rssp.addClient({
      registration: { grantTypes: ['authorization_code', 'client_credentials', 'refresh_token'] },
    })
    token = await boundToken()
  })
  after(() => rssp.close())

  const tokenUrl = () => `${rssp.baseUrl}/oauth2/token`
  const listUrl = () => `${rssp.baseUrl}/csc/v2/credentials/list`
  const nonceOf = ({ headers }: Answer): string => headers.get('dpop-nonce') ?? ''

  async function atToken(nonce: string | null): Promise<Answer> {
    const proof = await dpopProof(key, { url: tokenUrl() }, { nonce })
    const fields = { grant_type: 'client_credentials', scope: 'service' }
    return requestToken(rssp, fields, { ...basic(client), DPoP: proof })
  }

  async function boundToken(): Promise<string> {
    const code = await authorizationCode(rssp, user, serviceRequest(client))
    const nonce = nonceOf(await atToken(null))
    const proof = await dpopProof(key, { url: tokenUrl() }, { nonce })
    const { status, body } = await requestToken(rssp, codeGrant(client, code), { DPoP: proof })
    assert.equal(status, 200, JSON.stringify(body))
    return body.access_token as string
  }

  async function atApi(nonce: unknown): Promise<Answer> {
    const now = rssp.clock.now()
    const proof = await dpopProof(key, { url: listUrl(), accessToken: token, now }, { nonce })
    const headers = { Authorization: `DPoP ${token}`, DPoP: proof }
    return rssp.call('credentials/list', {}, undefined, headers)
  }

  const nobodys: [string, string | null][] = [
    ['no nonce', null],
    ['an empty one', ''],
    ['one that is not ours', 'x'.repeat(43)],
  ]
  for (const [what, nonce] of nobodys) {
    it(`are asked for at the token endpoint when there is ${what}`, async () => {
      const answer = await atToken(nonce)
      assert.deepEqual([answer.status, answer.body.error], [400, 'use_dpop_nonce'])
      assert.equal((await atToken(nonceOf(answer))).status, 200)
    })

    it(`are asked for by the API when there is ${what}, by a challenge`, async () => {
      const answer = await atApi(nonce)
      const words = 'The DPoP proof needs the nonce of the DPoP-Nonce header.'
      assertRefusal(answer, 401, 'use_dpop_nonce', words)
      const challenge = answer.headers.get('www-authenticate') ?? ''
      assert.match(challenge, /^DPoP error="use_dpop_nonce", algs="/)
      assert.equal((await atApi(nonceOf(answer))).status, 200)
    })
  }

  it('are asked for by the API when there is a number, a list or an object', async () => {
    for (const nonce of [1, [nonceOf(await atApi(null))], { nonce: 'x' }]) {
      assert.equal((await atApi(nonce)).body.error, 'use_dpop_nonce')
    }
  })

  it('are asked for with pushed requests', async () => {
    const url = `${rssp.baseUrl}/oauth2/pushed_authorize`
    const push = async (nonce: string | null) => {
      const proof = await dpopProof(key, { url }, { nonce })
      const fields = { ...serviceRequest(client), ...inBody(client) }
      return postForm(url, fields, { DPoP: proof })
    }
    const answer = await push(null)
    assert.deepEqual([answer.status, answer.body.error], [400, 'use_dpop_nonce'])
    assert.equal((await push(nonceOf(answer))).status, 201)
  })

  it('are the same at the token endpoint and the API, which are one origin', async () => {
    const nonce = nonceOf(await atToken(null))
    const now = new Date()
    const proof = await dpopProof(key, { url: listUrl(), accessToken: token, now }, { nonce })
    // The authorization server knows the system's clock alone.
    rssp.clock.advance((now.getTime() - rssp.clock.now().getTime()) / 1000)
    const headers = { Authorization: `DPoP ${token}`, DPoP: proof }
    const answer = await rssp.call('credentials/list', {}, undefined, headers)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
  })

  it('are refused by the API once they are old, and the next is given', async () => {
    const nonce = nonceOf(await atApi(null))
    rssp.clock.advance(240)
    const late = await atApi(nonce)
    assert.equal(late.body.error, 'use_dpop_nonce')
    assert.equal((await atApi(nonceOf(late))).status, 200)
  })

  it('do not make a proof good twice', async () => {
    const nonce = nonceOf(await atApi(null))
    const now = rssp.clock.now()
    const proof = await dpopProof(key, { url: listUrl(), accessToken: token, now }, { nonce })
    const headers = { Authorization: `DPoP ${token}`, DPoP: proof }
    assert.equal((await rssp.call('credentials/list', {}, undefined, headers)).status, 200)
    const again = await rssp.call('credentials/list', {}, undefined, headers)
    assert.equal(again.body.error, 'invalid_dpop_proof')
  })

  it('are not given out where policy wants none', async () => {
    const server = await startRssp()
    try {
      const other = await server.addClient({ registration: { grantTypes: ['client_credentials'] } })
      const proof = await dpopProof(key, { url: `${server.baseUrl}/oauth2/token` })
      const fields = { grant_type: 'client_credentials', scope: 'service' }
      const answer = await requestToken(server, fields, { ...basic(other), DPoP: proof })
      assert.deepEqual([answer.status, nonceOf(answer)], [200, ''])
    } finally {
      await server.close()
    }
  })

  it('are required of bound clients even where no proof was offered', async () => {
    const bound = await rssp.addClient({
      registration: { grantTypes: ['client_credentials'], dpopBoundAccessTokens: true },
    })
    const fields = { grant_type: 'client_credentials', scope: 'service' }
    const answer = await requestToken(rssp, fields, basic(bound))
    assert.deepEqual([answer.status, answer.body.access_token], [400, undefined])
  })

  describe('are no hindrance to', () => {
    /** The address the browser ends at when the signer consents. */
    async function redirected(url: URL): Promise<URL> {
      const browser = new SignerBrowser(rssp.baseUrl)
      let step: unknown = await browser.open(url.href)
      while (!(step instanceof URLSearchParams)) {
        step = await browser.fillIn(asPage(step as never), answersOf(rssp, user))
      }
      return new URL(`${REDIRECT_URI}?${step.toString()}`)
    }

    it('openid-client: a pushed request, a token, a call', async () => {
      const config = await openid.discovery(
        new URL(rssp.baseUrl),
        client.client_id,
        client.client_secret ?? '',
        openid.ClientSecretBasic(client.client_secret ?? ''),
        { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
      )
      const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
      const pkceCodeVerifier = openid.randomPKCECodeVerifier()
      const parameters = {
        ...{ redirect_uri: REDIRECT_URI, scope: 'service', code_challenge_method: 'S256' },
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      }
      const url = await openid.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
      const checks = { pkceCodeVerifier }
      const answer = await redirected(url)
      const more = { DPoP }
      const tokens = await openid.authorizationCodeGrant(config, answer, checks, undefined, more)
      const response = await openid.fetchProtectedResource(
        ...([config, tokens.access_token, new URL(listUrl()), 'POST', '{}'] as const),
        new Headers({ 'content-type': 'application/json' }),
        { DPoP },
      )
      assert.equal(response.status, 200)
    })

    it('oauth4webapi, which is told to try again', async () => {
      const insecure = { [oauth.allowInsecureRequests]: true }
      const issuer = new URL(rssp.baseUrl)
      const options = { algorithm: 'oauth2' as const, ...insecure }
      const as = await oauth.processDiscoveryResponse(
        issuer,
        await oauth.discoveryRequest(issuer, options),
      )
      const self: oauth.Client = { client_id: client.client_id }
      const DPoP = oauth.DPoP(self, await oauth.generateKeyPair('ES256'))
      const auth = oauth.ClientSecretPost(client.client_secret ?? '')
      const request = async () =>
        oauth.processClientCredentialsResponse(
          as,
          self,
          await oauth.clientCredentialsGrantRequest(
            ...([as, self, auth, { scope: 'service' }] as const),
            { DPoP, ...insecure },
          ),
        )
      const { access_token } = await request().catch((error: unknown) => {
        assert.ok(oauth.isDPoPNonceError(error))
        return request()
      })
      const call = () =>
        oauth.protectedResourceRequest(
          ...([access_token, 'POST', new URL(listUrl())] as const),
          new Headers({ 'content-type': 'application/json' }),
          '{}',
          { DPoP, ...insecure },
        )
      const answer = await call().catch((error: unknown) => {
        assert.ok(oauth.isDPoPNonceError(error))
        return call()
      })
      // An application's own token needs a userID: the proof was good.
      assert.equal(answer.status, 400)
    })
  })
})
