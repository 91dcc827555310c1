import assert from 'node:assert/strict'
import type { Credential } from '../../../src/credentials/credential.js'
import { signingCertificate } from '../../../src/credentials/credentials.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { EarlierApplication } from '../../support/earlier-version.js'
import { opensslVerifies } from '../../support/openssl.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  pkce,
  postForm,
  REDIRECT_URI,
  startRssp,
  type Rssp,
  type TestUser,
} from '../../support/rssp.js'

describe('CSC API v1, OAuth', () => {
  let rssp: Rssp
  let user: TestUser
  let app: EarlierApplication
  let credential: Credential
  const digest = digestOf('document')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    const client = await rssp.addClient({ registration: { quirks: ['no-pkce'] } })
    app = new EarlierApplication(rssp, '/csc/v1', client)
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())

  const text = (digests: readonly Buffer[]) => digests.map((each) => each.toString('base64'))
  const forCredential = (digests: readonly Buffer[] = [digest]) => ({
    scope: 'credential',
    credentialID: credential.id,
    numSignatures: String(digests.length),
    hash: digests.map((each) => each.toString('base64url')).join(','),
  })

  it('signs with the two tokens of v1, in a way openssl verifies', async () => {
    const service = await app.token(user, { scope: 'service', state: 's', lang: 'de' })
    assert.equal(service.token_type, 'Bearer')
    assert.ok(service.refresh_token)
    const approved = await app.token(user, {
      ...forCredential(),
      description: 'A',
      clientData: 'x',
    })
    assert.equal(approved.token_type, 'SAD')
    assert.equal(approved.refresh_token, undefined)
    assert.equal(approved.credentialID, undefined)
    const asked = {
      ...{ credentialID: credential.id, SAD: approved.access_token },
      ...{ hash: text([digest]), signAlgo: ECDSA_SHA256 },
    }
    const foreign = { ...asked, hash: text([digestOf('other')]) }
    assertRefusal(
      await app.call('signatures/signHash', foreign, service.access_token),
      ...([400, 'invalid_request', 'Hash is not authorized by the SAD.'] as const),
    )
    const { status, body } = await app.call('signatures/signHash', asked, service.access_token)
    assert.equal(status, 200, JSON.stringify(body))
    const algorithm = { scheme: 'ecdsa' as const, hash: HASH_ALGORITHMS.sha256 }
    const signature = Buffer.from(body.signatures[0], 'base64')
    const { publicKey } = signingCertificate(credential)
    assert.ok(opensslVerifies(publicKey, digest, signature, algorithm))
    const again = await app.call('signatures/signHash', asked, service.access_token)
    assertRefusal(again, 400, 'invalid_request', 'Invalid parameter SAD')
  })

  it('keeps several hashes in the order of the call', async () => {
    const digests = ['a', 'b', 'c'].map((each) => digestOf(each))
    const { access_token: SAD } = await app.token(user, forCredential(digests))
    const service = await rssp.serviceToken(user, app.client)
    const hash = text([...digests].reverse())
    const { body } = await app.call(
      'signatures/signHash',
      { credentialID: credential.id, SAD, hash, signAlgo: ECDSA_SHA256 },
      service,
    )
    const { publicKey } = signingCertificate(credential)
    const algorithm = { scheme: 'ecdsa' as const, hash: HASH_ALGORITHMS.sha256 }
    digests.reverse().forEach((each, n) => {
      const signature = Buffer.from(body.signatures[n], 'base64')
      assert.ok(opensslVerifies(publicKey, each, signature, algorithm))
    })
  })

  it('refreshes, and its revoked refresh token takes the access tokens along', async () => {
    const first = await app.token(user, { scope: 'service' })
    const { client_id, client_secret } = app.client
    const authenticated = { client_id, client_secret: client_secret ?? '' }
    const { body } = await postForm(`${rssp.baseUrl}/csc/v1/oauth2/token`, {
      ...{ grant_type: 'refresh_token', refresh_token: first.refresh_token, ...authenticated },
    })
    assert.equal(body.token_type, 'Bearer')
    assert.equal((await app.call('credentials/list', {}, body.access_token)).status, 200)
    const revoked = await postForm(`${rssp.baseUrl}/csc/v1/oauth2/revoke`, {
      ...{ token: body.refresh_token, token_type_hint: 'refresh_token', ...authenticated },
    })
    assert.equal(revoked.status, 204)
    assert.equal((await app.call('credentials/list', {}, body.access_token)).status, 401)
  })

  it('takes JSON at the token endpoint, as services of that time did', async () => {
    const told = await app.authorize(user, { scope: 'service' })
    const { client_id, client_secret } = app.client
    const request = {
      ...{ grant_type: 'authorization_code', client_id, client_secret },
      ...{ code: told.get('code'), redirect_uri: null, lang: 'en' },
    }
    const { status, body } = await app.call('oauth2/token', request)
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal((await app.call('credentials/list', {}, body.access_token)).status, 200)
    const used = await app.call('oauth2/token', request)
    assertRefusal(used, 400, 'invalid_grant', 'Authorization code is invalid or expired')
    for (const bad of ['[]', '{"code":1}', '{"code":"a","code":"b"}', '{']) {
      const answer = await app.call('oauth2/token', bad)
      assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_request'], bad)
    }
  })

  it('gives v2 its own words for the same grant', async () => {
    const told = await app.authorize(user, forCredential())
    const { client_id, client_secret } = app.client
    const { body } = await postForm(`${rssp.baseUrl}/csc/v2/oauth2/token`, {
      ...{ grant_type: 'authorization_code', code: told.get('code') ?? '' },
      ...{ client_id, client_secret: client_secret ?? '' },
    })
    assert.equal(body.token_type, 'Bearer')
  })

  describe('refuses', () => {
    it('to do without PKCE for applications that are not registered so', async () => {
      const strict = new EarlierApplication(rssp, '/csc/v1', await rssp.addClient())
      const told = await strict.authorize(user, { scope: 'service' })
      assert.equal(told.get('error'), 'invalid_request')
      const { code_challenge, code_verifier } = pkce()
      const method = { code_challenge_method: 'S256' }
      const { code } = Object.fromEntries(
        await strict.authorize(user, { scope: 'service', code_challenge, ...method }),
      )
      const { client_id, client_secret } = strict.client
      const { status } = await postForm(`${rssp.baseUrl}/csc/v1/oauth2/token`, {
        ...{ grant_type: 'authorization_code', code: code ?? '', code_verifier, client_id },
        ...{ client_secret: client_secret ?? '' },
      })
      assert.equal(status, 200)
    })

    it('to do without PKCE for public applications, however they are registered', async () => {
      const client = await rssp.addClient({
        client_secret: null,
        registration: { quirks: ['no-pkce'] },
      })
      const open = new EarlierApplication(rssp, '/csc/v1', client)
      const told = await open.authorize(user, { scope: 'service' })
      assert.equal(told.get('error'), 'invalid_request')
    })

    it('a code challenge by plain, and a verifier without challenge', async () => {
      const { code_challenge, code_verifier } = pkce()
      const plain = { scope: 'service', code_challenge, code_challenge_method: 'plain' }
      assert.equal((await app.authorize(user, plain)).get('error'), 'invalid_request')
      const told = await app.authorize(user, { scope: 'service' })
      const { client_id, client_secret } = app.client
      const { body } = await postForm(`${rssp.baseUrl}/csc/v1/oauth2/token`, {
        ...{ grant_type: 'authorization_code', code: told.get('code') ?? '', code_verifier },
        ...{ client_id, client_secret: client_secret ?? '' },
      })
      assert.equal(body.error, 'invalid_grant')
    })

    const requests: [string, Record<string, string>, string][] = [
      ['no hash at SCAL 2', { hash: '' }, 'Missing (or invalid type) array parameter hash'],
      ['a hash that is no Base64', { hash: '!' }, 'Invalid parameter hash'],
      ['a hash of no known length', { hash: 'AAAA' }, 'Invalid digest value length'],
      [
        'no numSignatures',
        { numSignatures: '' },
        'Missing (or invalid type) integer parameter numSignatures',
      ],
      ['an unknown credential', { credentialID: 'x' }, 'Invalid parameter credentialID'],
      [
        'more signatures than multisign',
        { numSignatures: '11' },
        'Numbers of signatures is too high',
      ],
      ['both scopes', { scope: 'service credential' }, ''],
    ]
    for (const [title, more, words] of requests) {
      it(title, async () => {
        const told = await app.authorize(user, { ...forCredential(), ...more, state: 's' })
        assert.equal(told.get('state'), 's')
        assert.equal(told.get('error'), words === '' ? 'invalid_scope' : 'invalid_request')
        if (words !== '') assert.equal(told.get('error_description'), words)
      })
    }

    it('an unregistered redirect address', async () => {
      const query = new URLSearchParams({
        ...{ response_type: 'code', scope: 'service', client_id: app.client.client_id },
        redirect_uri: `${REDIRECT_URI}/other`,
      })
      const address = `${rssp.baseUrl}/csc/v1/oauth2/authorize?${query.toString()}`
      const { status, headers } = await fetch(address, { redirect: 'manual' })
      assert.deepEqual([status, headers.get('location')], [400, null])
    })

    it('the endpoints v1 does not have', async () => {
      for (const path of ['pushed_authorize', 'introspect']) {
        const { status } = await postForm(`${rssp.baseUrl}/csc/v1/oauth2/${path}`, {})
        assert.equal(status, 501)
      }
    })
  })
})
