import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import {
  digestOf,
  postForm,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser, textOf } from '../support/signer-browser.js'
import {
  answersOf,
  asAnswer,
  asPage,
  authorize,
  basic,
  changed,
  codeGrant,
  credentialRequest,
  inBody,
  openPage,
  openRefused,
  requestToken,
  serviceRequest,
  type Changes,
  type Parameters,
} from './application.js'

describe('POST /oauth2/pushed_authorize', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  const digest = digestOf('contract')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())

  const signing = (changes: Changes = {}) =>
    credentialRequest(client, credential, [digest], changes)

  function push(fields: Parameters, headers = basic(client), path = '/oauth2/pushed_authorize') {
    return postForm(`${rssp.baseUrl}${path}`, fields, headers)
  }

  async function pushed(fields: Parameters): Promise<Parameters> {
    const { status, body } = await push(fields)
    assert.equal(status, 201, JSON.stringify(body))
    return { client_id: client.client_id, request_uri: body.request_uri }
  }

  async function assertRefused(fields: Parameters, error: string, words: string) {
    const { status, body } = await push(fields)
    const { error_description } = body
    assert.deepEqual([status, body.error, error_description], [400, error, words])
    assert.equal(body.request_uri, undefined)
  }

  for (const path of [
    '/oauth2/pushed_authorize',
    '/csc/v2/oauth2/pushed_authorize',
    '//oauth2/pushed_authorize',
  ]) {
    it(`answers at ${path} with 201, a request_uri and its lifetime`, async () => {
      const { status, body, headers } = await push(signing(), basic(client), path)
      assert.equal(status, 201)
      assert.deepEqual(Object.keys(body).sort(), ['expires_in', 'request_uri'])
      assert.equal(body.expires_in, 60)
      assert.match(body.request_uri, /^urn:ietf:params:oauth:request_uri:[\w-]{20,}$/)
      assert.equal(headers.get('cache-control'), 'no-cache, no-store')
    })
  }

  for (const scope of ['service', 'credential']) {
    it(`leads to a code of scope ${scope}`, async () => {
      const request = scope === 'service' ? serviceRequest(client) : signing()
      const answer = await authorize(rssp, user, await pushed(request))
      assert.equal(answer.get('state'), 's-1')
      assert.equal(answer.get('iss'), rssp.baseUrl)
      const { body } = await requestToken(rssp, codeGrant(client, answer.get('code') ?? ''))
      assert.equal(body.scope, scope)
    })
  }

  it('takes scope service when none is named', async () => {
    const answer = await authorize(
      rssp,
      user,
      await pushed(serviceRequest(client, { scope: null })),
    )
    const { body } = await requestToken(rssp, codeGrant(client, answer.get('code') ?? ''))
    assert.equal(body.scope, 'service')
  })

  it('takes the secret in the form too, and public clients', async () => {
    assert.equal((await push({ ...signing(), ...inBody(client) }, {})).status, 201)
    const publicClient = await rssp.addClient({ client_secret: null })
    assert.equal((await push(serviceRequest(publicClient), {})).status, 201)
  })

  it('does not mind a state beside the request_uri', async () => {
    const request = { ...(await pushed(signing())), state: 's-1' }
    assert.ok((await authorize(rssp, user, request)).get('code'))
  })

  it('lets nothing beside the request_uri change what was pushed (S35)', async () => {
    const other = digestOf('other').toString('base64url')
    const request = {
      ...(await pushed(signing({ description: 'pushed' }))),
      ...{ hashes: other, numSignatures: '5', description: 'front', scope: 'service' },
      redirect_uri: 'https://evil.example/',
    }
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = asPage(
      await browser.fillIn(await openPage(browser, request), answersOf(rssp, user)),
    )
    const text = textOf(page.html)
    assert.match(text, /Purpose, as stated by the application pushed Signer/)
    assert.ok(page.html.includes(digest.toString('base64')))
    assert.ok(!page.html.includes(digestOf('other').toString('base64')))
    assert.ok(!page.html.includes('evil'))
  })

  describe('a request_uri (S34)', () => {
    const dead = 'request_uri is invalid, expired, or was already used'

    async function assertDeadUri(request: Parameters, words = dead, error = 'invalid_request_uri') {
      const answer = await openRefused(rssp, request)
      assert.equal(answer.get('error'), error)
      assert.equal(answer.get('error_description'), words)
      assert.equal(answer.get('iss'), rssp.baseUrl)
      assert.equal(answer.get('code'), null)
    }

    it('gives one code', async () => {
      const request = await pushed(signing())
      assert.ok((await authorize(rssp, user, request)).get('code'))
      const again = await authorize(rssp, user, request)
      assert.equal(again.get('code'), null)
      assert.equal(again.get('error_description'), dead)
    })

    it('gives one code when two browsers follow it at the same time', async () => {
      const request = await pushed(serviceRequest(client))
      const answers = answersOf(rssp, user)
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, () =>
          new SignerBrowser(rssp.baseUrl).authorize(request, answers),
        ),
      )
      const codes = outcomes.map((answer) => answer.get('code')).filter((code) => code !== null)
      assert.equal(codes.length, 1, outcomes.join('\n'))
    })

    it('expires', async () => {
      const request = await pushed(signing())
      rssp.clock.advance(61)
      await assertDeadUri(request)
    })

    it('that was never given is refused', async () => {
      const request_uri = 'urn:ietf:params:oauth:request_uri:made-up'
      await assertDeadUri({ client_id: client.client_id, request_uri })
    })

    for (const request_uri of ['https://evil.example/request.jwt', 'file:///etc/passwd', 'urn:x']) {
      it(`of another kind is refused, and not fetched: ${request_uri}`, async () => {
        const answer = await openRefused(rssp, { client_id: client.client_id, request_uri })
        assert.equal(answer.get('error'), 'request_uri_not_supported')
      })
    }

    it('is its client’s alone', async () => {
      const request = await pushed(signing())
      const other = await rssp.addClient({ redirect_uris: ['https://other.example/callback'] })
      const answer = await openRefused(rssp, { ...request, client_id: other.client_id })
      assert.equal(answer.get('code'), null)
      assert.equal(answer.get('error'), 'invalid_request_object')
      assert.ok((await authorize(rssp, user, request)).get('code'))
    })
  })

  describe('refuses while pushing', () => {
    const INVALID_SCOPE = 'The requested scope is invalid, unknown, or malformed.'
    const cases: [string, Changes, string, string][] = [
      ['an unknown scope', { scope: 'x' }, 'invalid_scope', INVALID_SCOPE],
      ['both scopes', { scope: 'service credential' }, 'invalid_scope', INVALID_SCOPE],
      [
        'no challenge',
        { code_challenge: null, code_challenge_method: null },
        'invalid_request',
        'Authorization Server policy requires PKCE to be used for this request',
      ],
      [
        'plain',
        { code_challenge_method: 'plain' },
        'invalid_request',
        'not supported value of code_challenge_method',
      ],
      [
        'another response_type',
        { response_type: 'token' },
        'unsupported_response_type',
        'unsupported response_type requested',
      ],
      [
        'a redirect_uri that is not registered',
        { redirect_uri: 'https://evil.example/' },
        'invalid_request',
        "redirect_uri did not match any of the client's registered redirect_uris",
      ],
      [
        'no credentialID',
        { credentialID: null },
        'invalid_request',
        'Missing (or invalid type) string parameter credentialID',
      ],
      [
        'no numSignatures',
        { numSignatures: null },
        'invalid_request',
        'Missing (or invalid type) integer parameter numSignatures',
      ],
      ['bad Base64', { hashes: '!' }, 'invalid_request', 'Invalid parameter hashes'],
      [
        'an unknown hash algorithm',
        { hashAlgorithmOID: '1.2.3' },
        'invalid_request',
        'Invalid parameter hashAlgorithmOID',
      ],
      [
        'a long description',
        { description: 'x'.repeat(501) },
        'invalid_request',
        'Invalid parameter description',
      ],
    ]
    for (const [what, changes, error, words] of cases) {
      it(what, () => assertRefused(signing(changes), error, words))
    }

    it('a request_uri', async () => {
      const request_uri = 'urn:ietf:params:oauth:request_uri:x'
      const { status, body } = await push(signing({ request_uri }))
      assert.deepEqual([status, body.error], [400, 'request_uri_not_supported'])
    })

    it('a parameter that comes twice', async () => {
      const fields = new URLSearchParams(signing())
      fields.append('hashes', fields.get('hashes') ?? '')
      const { status, body } = await postForm(
        `${rssp.baseUrl}/oauth2/pushed_authorize`,
        fields.toString(),
        basic(client),
      )
      assert.deepEqual([status, body.error], [400, 'invalid_request'])
    })

    it('a client that does not authenticate', async () => {
      for (const headers of [{}, basic(client, 'wrong')]) {
        const { status, body } = await push(signing(), headers)
        assert.deepEqual([status, body.error], [401, 'invalid_client'])
      }
    })

    it('a request of another client', async () => {
      const other = await rssp.addClient()
      const { status, body } = await push(changed(signing(), {}), basic(other))
      assert.deepEqual([status, body.error], [400, 'invalid_request'])
    })

    it('in JSON whatever the request would rather have', async () => {
      const headers = { ...basic(client), Accept: 'text/html' }
      const { body } = await push(signing({ scope: 'x' }), headers)
      assert.equal(body.error, 'invalid_scope')
    })
  })

  it('does not end the browser’s flow when the application pushes again', async () => {
    const first = await pushed(signing())
    await pushed(signing())
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = await openPage(browser, first)
    const approval = asPage(await browser.fillIn(page, answersOf(rssp, user)))
    assert.ok(asAnswer(await browser.fillIn(approval, answersOf(rssp, user))).get('code'))
  })
})
