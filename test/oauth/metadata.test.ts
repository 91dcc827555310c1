import assert from 'node:assert/strict'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { startRssp, type Rssp, type TestClient, type TestUser } from '../support/rssp.js'
import { SignerBrowser } from '../support/signer-browser.js'
import { soonestOf } from '../support/soonest.js'
import { answersOf, authorizePath, openPage, serviceRequest } from './application.js'

const HOSTILE: Record<string, string>[] = [
  { Host: 'evil.example' },
  { Host: 'evil.example:80' },
  { 'X-Forwarded-Host': 'evil.example' },
  { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil.example' },
  { 'X-Forwarded-Proto': 'javascript', 'X-Forwarded-Port': '666' },
  { Forwarded: 'host=evil.example;proto=https' },
  { 'X-Original-URL': 'http://evil.example/', 'X-Rewrite-URL': '/evil.example' },
  { 'X-Forwarded-Prefix': '/evil.example', 'X-Original-Host': 'evil.example' },
]

describe('What the authorization server says of itself', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  /** Sends headers that `fetch` would not, and the target as it is. */
  function send(
    target: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: string }> {
    const { hostname, port } = new URL(rssp.baseUrl)
    return new Promise((resolve, reject) => {
      httpRequest({ hostname, port, path: target, headers, agent: false }, (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (body += chunk))
        response.on('end', () => {
          resolve({ status: response.statusCode, headers: response.headers, body })
        })
      })
        .on('error', reject)
        .end()
    })
  }

  for (const path of [
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
  ]) {
    describe(path, () => {
      async function metadata(headers = {}): Promise<Record<string, unknown>> {
        const { status, headers: got, body } = await send(path, headers)
        assert.equal(status, 200)
        assert.match(got['content-type'] ?? '', /^application\/json/)
        return JSON.parse(body) as Record<string, unknown>
      }

      it('names the base URL as issuer and the endpoints below it', async () => {
        const found = await metadata()
        assert.equal(found['issuer'], rssp.baseUrl)
        const endpoints = {
          authorization_endpoint: '/oauth2/authorize',
          token_endpoint: '/oauth2/token',
          revocation_endpoint: '/oauth2/revoke',
          pushed_authorization_request_endpoint: '/oauth2/pushed_authorize',
          jwks_uri: '/oauth2/jwks',
        }
        for (const [name, expected] of Object.entries(endpoints)) {
          assert.equal(found[name], `${rssp.baseUrl}${expected}`)
        }
      })

      it('names what is supported, and nothing else', async () => {
        const found = await metadata()
        const expected: Record<string, unknown> = {
          code_challenge_methods_supported: ['S256'],
          response_types_supported: ['code'],
          response_modes_supported: ['query'],
          scopes_supported: [
            ...['service', 'credential', 'credential-creation', 'credential-deletion'],
          ],
          authorization_response_iss_parameter_supported: true,
          ui_locales_supported: ['en', 'de'],
        }
        for (const [name, value] of Object.entries(expected)) assert.deepEqual(found[name], value)
        for (const name of [
          'userinfo_endpoint',
          'registration_endpoint',
          'end_session_endpoint',
          'device_authorization_endpoint',
        ]) {
          assert.equal(found[name], undefined, name)
        }
      })

      it('names how applications authenticate at each endpoint that wants them to', async () => {
        const found = await metadata()
        const keeping = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']
        for (const endpoint of ['token', 'revocation']) {
          const methods = found[`${endpoint}_endpoint_auth_methods_supported`]
          assert.deepEqual(methods, [...keeping, 'none'], endpoint)
        }
        assert.deepEqual(found['introspection_endpoint_auth_methods_supported'], keeping)
        const algorithms = found['dpop_signing_alg_values_supported']
        assert.ok(Array.isArray(algorithms) && algorithms.includes('ES256'))
        for (const endpoint of ['token', 'revocation', 'introspection']) {
          const named = found[`${endpoint}_endpoint_auth_signing_alg_values_supported`]
          assert.deepEqual(named, algorithms, endpoint)
        }
      })

      it('names no grant that is out of date (S45)', async () => {
        const { grant_types_supported: grants } = await metadata()
        const allowed = ['authorization_code', 'client_credentials', 'refresh_token']
        assert.ok(Array.isArray(grants) && grants.includes('authorization_code'))
        for (const grant of grants) assert.ok(allowed.includes(grant as string), String(grant))
      })

      for (const headers of HOSTILE) {
        it(`says the same to ${JSON.stringify(headers)} (S51)`, async () => {
          assert.deepEqual(await metadata(headers), await metadata())
        })
      }

      it('says the same when it is asked for by an absolute address', async () => {
        const { body } = await send(`http://evil.example${path}`)
        assert.ok(!body.includes('evil'), body)
      })
    })
  }

  for (const [path, allowed] of [
    ['/oauth2/token', 'POST'],
    ['/oauth2/revoke', 'POST'],
    ['/oauth2/introspect', 'POST'],
    ['/csc/v2/oauth2/pushed_authorize', 'POST'],
    ['/oauth2/authorize', 'GET, HEAD, POST'],
    ['/.well-known/oauth-authorization-server', 'GET, HEAD'],
    ['/.well-known/openid-configuration', 'GET, HEAD'],
    ['/openapi.json', 'GET, HEAD'],
    ['/csc/v1/openapi.json', 'GET, HEAD'],
  ] as const) {
    it(`refuses other methods than ${allowed} at ${path}, and says so`, async () => {
      const method = allowed === 'POST' ? 'GET' : 'PUT'
      const response = await fetch(rssp.baseUrl + path, { method })
      assert.equal(response.status, 405)
      assert.equal(response.headers.get('allow'), allowed)
      const { error } = (await response.json()) as { error: string }
      assert.equal(error, 'invalid_request')
    })
  }

  it('includes a public key and no private one', async () => {
    const { body } = await send('/oauth2/jwks')
    const { keys } = JSON.parse(body) as { keys: Record<string, unknown>[] }
    assert.equal(keys.length, 1)
    assert.deepEqual(Object.keys(keys[0] ?? {}).sort(), [
      'alg',
      'crv',
      'kid',
      'kty',
      'use',
      'x',
      'y',
    ])
  })

  for (const headers of HOSTILE) {
    it(`leads the browser nowhere else for ${JSON.stringify(headers)} (S48, S51)`, async () => {
      const target = authorizePath(serviceRequest(client))
      const first = await send(target, headers)
      assert.equal(first.status, 303)
      assert.match(first.headers.location ?? '', /^\/oauth2\/interaction\/[\w-]+$/)
      const cookies = (first.headers['set-cookie'] ?? []).join('\n')
      assert.ok(!/evil|domain=/i.test(cookies), cookies)
      const cookie = (first.headers['set-cookie'] ?? [])
        .map((line) => line.split(';')[0])
        .join('; ')
      const page = await send(first.headers.location ?? '', { ...headers, cookie })
      assert.equal(page.status, 200)
      assert.ok(!page.body.includes('evil'), page.body)

      const posted = await fetch(rssp.baseUrl + (first.headers.location ?? ''), {
        method: 'POST',
        headers: { cookie },
        body: new URLSearchParams({ action: 'reject' }),
        redirect: 'manual',
      })
      const resume = posted.headers.get('location') ?? ''
      assert.ok(resume.startsWith(`${rssp.baseUrl}/oauth2/authorize/`), resume)
      const { pathname } = new URL(resume)
      const end = await send(pathname, { ...headers, cookie })
      const told = new URL(end.headers.location ?? '')
      assert.equal(told.origin + told.pathname, client.redirect_uris[0])
      assert.equal(told.searchParams.get('iss'), rssp.baseUrl)
    })
  }

  it('answers a request with 30 kB of forwarded headers quickly (S51)', async () => {
    const many = 'a,'.repeat(14_000)
    const took = await soonestOf(5, 2000, async () => {
      const { status } = await send('/.well-known/oauth-authorization-server', {
        'X-Forwarded-For': many,
      })
      assert.equal(status, 200)
    })
    assert.ok(took < 2000, `${took} ms`)
  })

  it('refuses more headers than it wants to read', async () => {
    const { status } = await send('/.well-known/openid-configuration', {
      'X-Forwarded-Host': 'a'.repeat(100_000),
    })
    assert.equal(status, 431)
  })

  it('sets session cookies that scripts and other sites cannot use', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = await openPage(browser, serviceRequest(client))
    await browser.fillIn(page, answersOf(rssp, user))
    const response = await fetch(rssp.baseUrl + authorizePath(serviceRequest(client)), {
      redirect: 'manual',
    })
    for (const line of response.headers.getSetCookie()) {
      assert.match(line, /; samesite=lax/i)
      assert.match(line, /; httponly/i)
      assert.match(line, /; path=\/oauth2\//i)
    }
  })
})
