import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import type { Credential } from '../../src/credentials/credential.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
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
  credentialRequest,
  refreshGrant,
  requestToken,
  serviceRequest,
} from './application.js'
import { dpopProof, testKey, type Changes, type TestKey } from './proofs.js'

const DOES_NOT_FIT = 'The DPoP proof does not fit the request.'
const NEEDS_PROOF = 'The access token is bound to a key and needs a DPoP proof.'

describe('DPoP (S37)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let key: TestKey
  let otherKey: TestKey
  /** A service token bound to `key`. */
  let bound: string
  let refreshToken: string
  /** A service token that anyone may use. */
  let unbound: string

  const digest = digestOf('contract')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
    key = await testKey()
    otherKey = await testKey()
    unbound = await rssp.serviceToken(user, client)
    const tokens = await boundTokens(serviceRequest(client))
    bound = tokens.body.access_token
    refreshToken = tokens.body.refresh_token
  })
  after(() => rssp.close())

  const tokenUrl = () => `${rssp.baseUrl}/oauth2/token`
  const listUrl = () => `${rssp.baseUrl}/csc/v2/credentials/list`

  async function boundTokens(request: Record<string, string>): Promise<Answer> {
    const code = await authorizationCode(rssp, user, request)
    const proof = await dpopProof(key, { url: tokenUrl() })
    return requestToken(rssp, codeGrant(client, code), { DPoP: proof })
  }

  function apiProof(accessToken = bound, changes: Changes = {}, header: Changes = {}, by = key) {
    const target = { url: listUrl(), accessToken, now: rssp.clock.now() }
    return dpopProof(by, target, changes, header)
  }

  function list(token: string, proof?: string, scheme = 'DPoP'): Promise<Answer> {
    const headers = { Authorization: `${scheme} ${token}`, ...(proof ? { DPoP: proof } : {}) }
    return rssp.call('credentials/list', {}, undefined, headers)
  }

  function assertChallenge(answer: Answer, error: string, words: string): void {
    assertRefusal(answer, 401, error, words)
    assert.equal(
      answer.headers.get('www-authenticate'),
      `DPoP error="${error}", algs="ES256 PS256 RS256 EdDSA"`,
    )
  }

  it('binds the tokens of a request that comes with a proof', async () => {
    const { body } = await boundTokens(serviceRequest(client))
    assert.equal(body.token_type, 'DPoP')
  })

  for (const alg of ['PS256', 'RS256', 'EdDSA']) {
    it(`takes proofs signed with ${alg}`, async () => {
      const code = await authorizationCode(rssp, user, serviceRequest(client))
      const proof = await dpopProof(await testKey(alg), { url: tokenUrl() })
      const { status, body } = await requestToken(rssp, codeGrant(client, code), { DPoP: proof })
      assert.deepEqual({ status, type: body.token_type }, { status: 200, type: 'DPoP' })
    })
  }

  it('opens methods of the API to the holder of the key', async () => {
    const { status, body } = await list(bound, await apiProof())
    assert.equal(status, 200, JSON.stringify(body))
    assert.deepEqual(body.credentialIDs, [credential.id])
  })

  it('takes an address with query and fragment, which do not count', async () => {
    const proof = await apiProof(bound, { htu: `${listUrl()}?a=b#c` })
    assert.equal((await list(bound, proof)).status, 200)
  })

  it('takes the scheme in any case', async () => {
    assert.equal((await list(bound, await apiProof(), 'dpop')).status, 200)
  })

  it('works below the base URI of the API too', async () => {
    const code = await authorizationCode(rssp, user, serviceRequest(client))
    const url = `${rssp.baseUrl}/csc/v2/oauth2/token`
    const proof = await dpopProof(key, { url })
    const { status, body } = await postForm(url, codeGrant(client, code), { DPoP: proof })
    assert.equal(status, 200, JSON.stringify(body))
  })

  it('lets a bound credential token sign', async () => {
    const { body } = await boundTokens(credentialRequest(client, credential, [digest]))
    const url = `${rssp.baseUrl}/csc/v2/signatures/signHash`
    const token = body.access_token as string
    const proof = await dpopProof(key, { url, accessToken: token, now: rssp.clock.now() })
    const answer = await rssp.call('signatures/signHash', signRequest(), undefined, {
      Authorization: `DPoP ${token}`,
      DPoP: proof,
    })
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
  })

  function signRequest(more: Record<string, unknown> = {}) {
    return {
      credentialID: credential.id,
      hashes: [digest.toString('base64')],
      hashAlgorithmOID: SHA256,
      signAlgo: ECDSA_SHA256,
      ...more,
    }
  }

  describe('is refused at the API', () => {
    it('when a bound token comes as Bearer', async () => {
      assertChallenge(await list(bound, undefined, 'Bearer'), 'invalid_token', NEEDS_PROOF)
    })

    it('when a bound token comes as Bearer with a good proof', async () => {
      const answer = await list(bound, await apiProof(), 'Bearer')
      assertChallenge(answer, 'invalid_token', NEEDS_PROOF)
    })

    it('when a token that is not bound comes with a proof', async () => {
      const { status, body } = await list(unbound, await apiProof(unbound))
      assert.deepEqual({ status, error: body.error }, { status: 401, error: 'invalid_token' })
    })

    it('when an unknown token comes with a proof', async () => {
      const { status, body } = await list('nope', await apiProof('nope'))
      assert.deepEqual({ status, error: body.error }, { status: 401, error: 'invalid_token' })
    })

    it('when a bound credential token comes as SAD beside a token of no key', async () => {
      const { body } = await boundTokens(credentialRequest(client, credential, [digest]))
      const SAD = body.access_token as string
      const answer = await rssp.call('signatures/signHash', signRequest({ SAD }), unbound)
      assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter SAD')
    })

    it('without proof', async () => {
      assertChallenge(await list(bound), 'invalid_dpop_proof', DOES_NOT_FIT)
    })

    it('with two Authorization headers (RFC 9110, 5.3)', async () => {
      const headers = ['Authorization', `DPoP ${bound}`, 'Authorization', `Bearer ${bound}`]
      const all = [...headers, 'DPoP', await apiProof(), 'Content-Length', '0']
      const sent = request(listUrl(), { method: 'POST', headers: all })
      sent.end()
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      response.resume()
      assert.equal(response.statusCode, 400)
    })

    it('with two proofs', async () => {
      const two = `${await apiProof()}, ${await apiProof()}`
      assertChallenge(await list(bound, two), 'invalid_dpop_proof', DOES_NOT_FIT)
    })

    it('with a proof that was used before', async () => {
      const proof = await apiProof()
      assert.equal((await list(bound, proof)).status, 200)
      assertChallenge(await list(bound, proof), 'invalid_dpop_proof', DOES_NOT_FIT)
    })

    it('with a proof by another key', async () => {
      const proof = await apiProof(bound, {}, {}, otherKey)
      assertChallenge(await list(bound, proof), 'invalid_dpop_proof', DOES_NOT_FIT)
    })

    it('with a proof that names the right key and is signed by another', async () => {
      const proof = await apiProof(bound, {}, { jwk: key.bare }, otherKey)
      assertChallenge(await list(bound, proof), 'invalid_dpop_proof', DOES_NOT_FIT)
    })

    const seconds = () => Math.floor(rssp.clock.now().getTime() / 1000)
    const wrongClaims: [string, () => Changes][] = [
      ['without method', () => ({ htm: null })],
      ['for another method', () => ({ htm: 'GET' })],
      ['for the method in another case', () => ({ htm: 'post' })],
      ['without address', () => ({ htu: null })],
      ['for another method of the API', () => ({ htu: `${rssp.baseUrl}/csc/v2/info` })],
      ['for the token endpoint', () => ({ htu: tokenUrl() })],
      ['for another host', () => ({ htu: 'https://other.example/csc/v2/credentials/list' })],
      ['for an address that is none', () => ({ htu: 'credentials/list' })],
      ['without time', () => ({ iat: null })],
      ['with a time as text', () => ({ iat: '1' })],
      ['from six minutes ago', () => ({ iat: seconds() - 360 })],
      ['from six minutes ahead', () => ({ iat: seconds() + 360 })],
      ['that has expired', () => ({ exp: seconds() - 900 })],
      ['without identifier', () => ({ jti: null })],
      ['with an empty identifier', () => ({ jti: '' })],
      ['with a number for identifier', () => ({ jti: 1 })],
      ['without hash of the token', () => ({ ath: null })],
      ['with the hash of another token', () => ({ ath: digest.toString('base64url') })],
      ['with a list for hash of the token', () => ({ ath: [digest.toString('base64url')] })],
    ]
    for (const [what, changes] of wrongClaims) {
      it(`with a proof ${what}`, async () => {
        const answer = await list(bound, await apiProof(bound, changes()))
        assertChallenge(answer, 'invalid_dpop_proof', DOES_NOT_FIT)
      })
    }

    const wrongHeaders: [string, Changes][] = [
      ['of another type', { typ: 'JWT' }],
      ['of no type', { typ: undefined }],
      ['without key', { jwk: undefined }],
      ['with a key that is none', { jwk: { kty: 'EC' } }],
      ['with a symmetric key', { jwk: { kty: 'oct', k: 'AAAA' } }],
    ]
    for (const [what, header] of wrongHeaders) {
      it(`with a proof ${what}`, async () => {
        const answer = await list(bound, await apiProof(bound, {}, header))
        assertChallenge(answer, 'invalid_dpop_proof', DOES_NOT_FIT)
      })
    }

    it('with a proof that names its private key', async () => {
      const { exportJWK } = await import('jose')
      const jwk = await exportJWK(key.privateKey)
      const answer = await list(bound, await apiProof(bound, {}, { jwk }))
      assertChallenge(answer, 'invalid_dpop_proof', DOES_NOT_FIT)
    })

    for (const alg of ['none', 'HS256', 'ES384', 'PS512']) {
      it(`with a proof whose header says ${alg} (S41)`, async () => {
        const [header = '', ...rest] = (await apiProof()).split('.')
        const members = JSON.parse(Buffer.from(header, 'base64url').toString()) as object
        const changed = Buffer.from(JSON.stringify({ ...members, alg })).toString('base64url')
        const proof = [changed, ...rest].join('.')
        assertChallenge(await list(bound, proof), 'invalid_dpop_proof', DOES_NOT_FIT)
      })
    }
  })

  describe('is refused at the token endpoint', () => {
    async function redeem(proof: string, changes: Record<string, string> = {}): Promise<Answer> {
      const code = await authorizationCode(rssp, user, serviceRequest(client, changes))
      return requestToken(rssp, codeGrant(client, code), { DPoP: proof })
    }

    it('with a proof that was used before', async () => {
      const proof = await dpopProof(key, { url: tokenUrl() })
      assert.equal((await redeem(proof)).status, 200)
      assertRefusal(
        await redeem(proof),
        400,
        'invalid_dpop_proof',
        'The DPoP proof was used before',
      )
    })

    const wrong: [string, () => Changes, Changes][] = [
      ['for another method', () => ({ htm: 'GET' }), {}],
      ['for another address', () => ({ htu: listUrl() }), {}],
      ['of another type', () => ({}), { typ: 'JWT' }],
      ['without identifier', () => ({ jti: null }), {}],
      ['from ten minutes ago', () => ({ iat: Math.floor(Date.now() / 1000) - 600 }), {}],
    ]
    for (const [what, changes, header] of wrong) {
      it(`with a proof ${what}`, async () => {
        const answer = await redeem(await dpopProof(key, { url: tokenUrl() }, changes(), header))
        assert.equal(answer.status, 400)
        assert.equal(answer.body.error, 'invalid_dpop_proof')
      })
    }

    it('when the request named another key by dpop_jkt', async () => {
      const dpop_jkt = digest.toString('base64url')
      const answer = await redeem(await dpopProof(key, { url: tokenUrl() }), { dpop_jkt })
      assert.equal(answer.status, 400)
      assert.equal(answer.body.error, 'invalid_grant')
    })

    it('without proof, when the request named a key by dpop_jkt', async () => {
      const dpop_jkt = digest.toString('base64url')
      const code = await authorizationCode(rssp, user, serviceRequest(client, { dpop_jkt }))
      const answer = await requestToken(rssp, codeGrant(client, code))
      assert.equal(answer.body.error, 'invalid_grant')
    })
  })

  it('refuses a dpop_jkt that is no thumbprint, before anybody agrees to anything', async () => {
    const url = `${rssp.baseUrl}/oauth2/pushed_authorize`
    for (const dpop_jkt of ['x', `${digest.toString('base64url')}=`, '!'.repeat(43)]) {
      const answer = await postForm(url, serviceRequest(client, { dpop_jkt }), basic(client))
      assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter dpop_jkt')
    }
  })

  it('binds a pushed request to the key that proved it', async () => {
    const url = `${rssp.baseUrl}/oauth2/pushed_authorize`
    const proof = await dpopProof(otherKey, { url })
    const headers = { ...basic(client), DPoP: proof }
    const pushed = await postForm(url, serviceRequest(client), headers)
    assert.equal(pushed.status, 201, JSON.stringify(pushed.body))
    const { request_uri } = pushed.body as { request_uri: string }
    const code = await authorizationCode(rssp, user, { client_id: client.client_id, request_uri })
    const byOther = { DPoP: await dpopProof(key, { url: tokenUrl() }) }
    const answer = await requestToken(rssp, codeGrant(client, code), byOther)
    assert.equal(answer.body.error, 'invalid_grant')
  })

  it('refuses a proof used before in a pushed request', async () => {
    const url = `${rssp.baseUrl}/oauth2/pushed_authorize`
    const headers = { ...basic(client), DPoP: await dpopProof(key, { url }) }
    assert.equal((await postForm(url, serviceRequest(client), headers)).status, 201)
    const again = await postForm(url, serviceRequest(client), headers)
    assertRefusal(again, 400, 'invalid_dpop_proof', 'The DPoP proof was used before')
  })

  it('keeps a refreshed token bound', async () => {
    const proof = await dpopProof(key, { url: tokenUrl() })
    const { body } = await requestToken(rssp, refreshGrant(client, refreshToken), { DPoP: proof })
    assert.equal(body.token_type, 'DPoP', JSON.stringify(body))
    const answer = await list(body.access_token, undefined, 'Bearer')
    assertChallenge(answer, 'invalid_token', NEEDS_PROOF)
  })
})
