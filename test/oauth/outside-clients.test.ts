import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import type { Credential } from '../../src/credentials/credential.js'
import { digestOf, SHA256, startRssp, type Rssp, type TestUser } from '../support/rssp.js'
import { SignerBrowser } from '../support/signer-browser.js'
import { answersOf, asPage } from './application.js'
import { testKey, type TestKey } from './proofs.js'

const REDIRECT_URI = 'https://app.example/callback'

/** Clients that were written by others, after the standards alone. */
describe('Clients of others', () => {
  let rssp: Rssp
  let user: TestUser
  let credential: Credential
  let key: TestKey
  let issuer: URL

  const digest = digestOf('contract')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    credential = await rssp.addCredential(user, { signatureQualifier: 'eu_eidas_aes' })
    key = await testKey()
    issuer = new URL(rssp.baseUrl)
  })
  after(() => rssp.close())

  const grantTypes = ['authorization_code', 'client_credentials', 'refresh_token'] as const

  function details(): object[] {
    return [
      {
        ...{ type: 'credential', signatureQualifier: 'eu_eidas_aes', hashAlgorithmOID: SHA256 },
        documentDigests: [{ hash: digest.toString('base64'), label: 'contract.pdf' }],
      },
    ]
  }

  /** The address the browser ends at when the signer agrees. */
  async function redirected(url: URL): Promise<URL> {
    const browser = new SignerBrowser(rssp.baseUrl)
    let step: unknown = await browser.open(url.href)
    while (!(step instanceof URLSearchParams)) {
      step = await browser.fillIn(asPage(step as never), answersOf(rssp, user))
    }
    return new URL(`${REDIRECT_URI}?${step.toString()}`)
  }

  describe('openid-client', () => {
    async function withSecret(): Promise<openid.Configuration> {
      const client = await rssp.addClient({ registration: { grantTypes } })
      return openid.discovery(
        issuer,
        client.client_id,
        client.client_secret ?? '',
        openid.ClientSecretBasic(client.client_secret ?? ''),
        { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
      )
    }

    async function withKey(): Promise<openid.Configuration> {
      const client = await rssp.addClient({
        client_secret: null,
        registration: { grantTypes, authMethod: 'private_key_jwt', jwks: { keys: [key.jwk] } },
      })
      return openid.discovery(
        issuer,
        client.client_id,
        undefined,
        openid.PrivateKeyJwt({ key: key.privateKey, kid: key.jwk.kid ?? '' }),
        { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
      )
    }

    async function pkceRequest(more: Record<string, string>) {
      const pkceCodeVerifier = openid.randomPKCECodeVerifier()
      const expectedState = openid.randomState()
      const parameters = {
        redirect_uri: REDIRECT_URI,
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
        state: expectedState,
        ...more,
      }
      return { parameters, checks: { pkceCodeVerifier, expectedState } }
    }

    it('gets a service token by code and PKCE, refreshes and revokes it', async () => {
      const config = await withSecret()
      const { parameters, checks } = await pkceRequest({ scope: 'service' })
      const answer = await redirected(openid.buildAuthorizationUrl(config, parameters))
      const tokens = await openid.authorizationCodeGrant(config, answer, checks)
      const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '')
      const list = await rssp.call('credentials/list', {}, fresh.access_token)
      assert.deepEqual(list.body.credentialIDs, [credential.id])
      // The answer of the CSC API is 204; the library wants RFC 7009's 200.
      await openid.tokenRevocation(config, fresh.refresh_token ?? '').catch((error: unknown) => {
        assert.equal((error as openid.ClientError).code, 'OAUTH_RESPONSE_IS_NOT_CONFORM')
      })
      const after = await rssp.call('credentials/list', {}, fresh.access_token)
      assert.equal(after.status, 401)
    })

    it('pushes authorization_details and learns which credential was chosen', async () => {
      const config = await withSecret()
      const { parameters, checks } = await pkceRequest({
        authorization_details: JSON.stringify(details()),
      })
      const url = await openid.buildAuthorizationUrlWithPAR(config, parameters)
      assert.deepEqual([...url.searchParams.keys()].toSorted(), ['client_id', 'request_uri'])
      const tokens = await openid.authorizationCodeGrant(config, await redirected(url), checks)
      assert.deepEqual(tokens.authorization_details, [
        { ...details()[0], credentialID: credential.id, numSignatures: 1 },
      ])
    })

    it('authenticates by private_key_jwt, with a pushed request and DPoP', async () => {
      const config = await withKey()
      const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
      const { parameters, checks } = await pkceRequest({ scope: 'service' })
      const url = await openid.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
      const answer = await redirected(url)
      const tokens = await openid.authorizationCodeGrant(config, answer, checks, undefined, {
        DPoP,
      })
      assert.equal(tokens.token_type, 'dpop')
      const response = await openid.fetchProtectedResource(
        config,
        tokens.access_token,
        new URL(`${rssp.baseUrl}/csc/v2/credentials/list`),
        'POST',
        '{}',
        new Headers({ 'content-type': 'application/json' }),
        { DPoP },
      )
      assert.equal(response.status, 200)
    })

    it('gets a token for itself by client_credentials and introspects it', async () => {
      const config = await withKey()
      const { access_token } = await openid.clientCredentialsGrant(config, { scope: 'service' })
      const { active, scope } = await openid.tokenIntrospection(config, access_token)
      assert.deepEqual({ active, scope }, { active: true, scope: 'service' })
    })
  })

  describe('oauth4webapi', () => {
    const insecure = { [oauth.allowInsecureRequests]: true }

    async function server(): Promise<oauth.AuthorizationServer> {
      const options = { algorithm: 'oauth2' as const, ...insecure }
      return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options))
    }

    it('gets a credential token by PAR, RAR, private_key_jwt and DPoP', async () => {
      const { client_id } = await rssp.addClient({
        client_secret: null,
        registration: {
          ...{ grantTypes, authMethod: 'private_key_jwt', requirePushedForCredential: true },
          jwks: { keys: [key.jwk] },
        },
      })
      const as = await server()
      const client: oauth.Client = { client_id }
      const auth = oauth.PrivateKeyJwt({ key: key.privateKey, kid: key.jwk.kid ?? '' })
      const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
      const verifier = oauth.generateRandomCodeVerifier()
      const state = oauth.generateRandomState()
      const pushed = await oauth.processPushedAuthorizationResponse(
        as,
        client,
        await oauth.pushedAuthorizationRequest(
          as,
          client,
          auth,
          {
            ...{ client_id, redirect_uri: REDIRECT_URI, response_type: 'code', state },
            code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
            code_challenge_method: 'S256',
            authorization_details: JSON.stringify(details()),
          },
          { DPoP, ...insecure },
        ),
      )
      const url = new URL(as.authorization_endpoint ?? '')
      url.search = new URLSearchParams({ client_id, request_uri: pushed.request_uri }).toString()
      const parameters = oauth.validateAuthResponse(as, client, await redirected(url), state)
      const response = await oauth.authorizationCodeGrantRequest(
        ...([as, client, auth, parameters, REDIRECT_URI, verifier] as const),
        {
          additionalParameters: { authorization_details: JSON.stringify(details()) },
          ...{ DPoP, ...insecure },
        },
      )
      const tokens = await oauth.processAuthorizationCodeResponse(as, client, response)
      assert.equal(tokens.token_type, 'dpop')
      assert.equal(tokens.scope, 'credential')
      const info = await oauth.protectedResourceRequest(
        tokens.access_token,
        'POST',
        new URL(`${rssp.baseUrl}/csc/v2/credentials/info`),
        new Headers({ 'content-type': 'application/json' }),
        JSON.stringify({ credentialID: credential.id }),
        { DPoP, ...insecure },
      )
      assert.equal(info.status, 200)
    })

    it('is told by a challenge that a bound token needs a proof', async () => {
      const registered = await rssp.addClient({ registration: { grantTypes } })
      const as = await server()
      const client: oauth.Client = { client_id: registered.client_id }
      const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
      const auth = oauth.ClientSecretPost(registered.client_secret ?? '')
      const response = await oauth.clientCredentialsGrantRequest(
        ...([as, client, auth, { scope: 'service' }] as const),
        { DPoP, ...insecure },
      )
      const { access_token } = await oauth.processClientCredentialsResponse(as, client, response)
      const refusal = await oauth
        .protectedResourceRequest(
          access_token,
          'POST',
          new URL(`${rssp.baseUrl}/csc/v2/credentials/list`),
          new Headers(),
          null,
          insecure,
        )
        .catch((error: unknown) => error)
      assert.ok(refusal instanceof oauth.WWWAuthenticateChallengeError)
      assert.equal(refusal.cause[0]?.scheme, 'dpop')
      assert.equal(refusal.cause[0].parameters['error'], 'invalid_token')
    })

    it('refreshes a token, and its first refresh token is worth nothing then', async () => {
      const registered = await rssp.addClient({ registration: { grantTypes } })
      const as = await server()
      const client: oauth.Client = { client_id: registered.client_id }
      const auth = oauth.ClientSecretBasic(registered.client_secret ?? '')
      const verifier = oauth.generateRandomCodeVerifier()
      const url = new URL(as.authorization_endpoint ?? '')
      url.search = new URLSearchParams({
        ...{ client_id: client.client_id, redirect_uri: REDIRECT_URI, response_type: 'code' },
        ...{ scope: 'service', code_challenge_method: 'S256' },
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      }).toString()
      const answer = await redirected(url)
      const parameters = oauth.validateAuthResponse(as, client, answer, oauth.expectNoState)
      const first = await oauth.processAuthorizationCodeResponse(
        as,
        client,
        await oauth.authorizationCodeGrantRequest(
          ...([as, client, auth, parameters, REDIRECT_URI, verifier] as const),
          insecure,
        ),
      )
      const refresh = () =>
        oauth.refreshTokenGrantRequest(
          ...([as, client, auth, first.refresh_token ?? ''] as const),
          insecure,
        )
      const second = await oauth.processRefreshTokenResponse(as, client, await refresh())
      assert.notEqual(second.refresh_token, first.refresh_token)
      await assert.rejects(oauth.processRefreshTokenResponse(as, client, await refresh()), {
        error: 'invalid_grant',
      })
    })
  })
})
