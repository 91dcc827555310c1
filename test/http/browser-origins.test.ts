import assert from 'node:assert/strict'
import { startRssp, type Rssp, type TestClient, type TestUser } from '../support/rssp.js'
import {
  authorizationCode,
  authorizePath,
  codeGrant,
  serviceRequest,
} from '../oauth/application.js'

const APP = 'https://app.example'
const OTHERS = ['https://app.example.evil.example', 'http://app.example', 'null']
const REDIRECT_URI = 'https://app.example/callback'

describe('Signature applications in the browser (S50)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient

  before(async () => {
    rssp = await startRssp({ settings: { policy: { browserOrigins: [APP] } } })
    user = await rssp.addUser()
    client = await rssp.addClient({
      client_secret: null,
      redirect_uris: [REDIRECT_URI],
      registration: { authMethod: 'none' },
    })
  })
  after(() => rssp.close())

  const listUrl = () => `${rssp.baseUrl}/csc/v2/credentials/list`

  function preflight(url: string, origin: string): Promise<Response> {
    const headers = {
      Origin: origin,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization,content-type,dpop',
    }
    return fetch(url, { method: 'OPTIONS', headers })
  }

  /** The headers by which browsers let pages of others read. */
  function allowed({ headers }: Response): Record<string, string> {
    const all = [...headers.entries()]
    return Object.fromEntries(all.filter(([name]) => name.startsWith('access-control-')))
  }

  it('are told beforehand what they may send to a method', async () => {
    const response = await preflight(listUrl(), APP)
    assert.equal(response.status, 204)
    assert.deepEqual(allowed(response), {
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'Authorization, Content-Type, DPoP, Idempotency-Key',
      'access-control-max-age': '3600',
    })
    assert.match(response.headers.get('vary') ?? '', /Origin/)
  })

  it('get a token by their code, and call a method with it', async () => {
    const code = await authorizationCode(rssp, user, serviceRequest(client))
    const answer = await fetch(`${rssp.baseUrl}/oauth2/token`, {
      method: 'POST',
      headers: { Origin: APP },
      body: new URLSearchParams({ ...codeGrant(client, code), client_id: client.client_id }),
    })
    assert.equal(answer.headers.get('access-control-allow-origin'), APP)
    const { access_token } = (await answer.json()) as { access_token: string }
    const listed = await rssp.call('credentials/list', {}, access_token, { Origin: APP })
    assert.equal(listed.status, 200)
    assert.equal(listed.headers.get('access-control-allow-origin'), APP)
  })

  it('read refusals, too, with the headers that say what to do about them', async () => {
    for (const method of ['credentials/list', 'nonsense']) {
      const { status, headers } = await rssp.call(method, {}, undefined, { Origin: APP })
      assert.ok(status >= 400)
      assert.equal(headers.get('access-control-allow-origin'), APP)
      assert.match(headers.get('access-control-expose-headers') ?? '', /DPoP-Nonce/)
    }
  })

  it('are never let send cookies', async () => {
    const response = await preflight(listUrl(), APP)
    assert.equal(response.headers.get('access-control-allow-credentials'), null)
  })

  it('of other origins, or of none, read nothing', async () => {
    for (const origin of OTHERS) {
      assert.deepEqual(allowed(await preflight(listUrl(), origin)), {}, origin)
      const { headers } = await rssp.call('info', {}, undefined, { Origin: origin })
      assert.equal(headers.get('access-control-allow-origin'), null, origin)
      assert.match(headers.get('vary') ?? '', /Origin/)
      const answer = await fetch(`${rssp.baseUrl}/oauth2/token`, {
        method: 'POST',
        headers: { Origin: origin },
        body: new URLSearchParams(codeGrant(client, 'x')),
      })
      assert.equal(answer.headers.get('access-control-allow-origin'), null, origin)
    }
  })

  it('of other origins do not read why the authorization server refuses, nor what it tells everybody', async () => {
    for (const origin of [...OTHERS, '']) {
      const headers = origin === '' ? {} : { Origin: origin }
      const read = (path: string, init: RequestInit) =>
        fetch(rssp.baseUrl + path, { ...init, headers })
      for (const base of ['', '/csc/v2', '/csc/v1']) {
        const path = `${base}/oauth2/token`
        assert.deepEqual(allowed(await preflight(rssp.baseUrl + path, origin)), {}, path + origin)
        const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'nobody' })
        assert.deepEqual(allowed(await read(path, { method: 'POST', body })), {}, path + origin)
      }
      for (const path of ['revoke', 'introspect', 'pushed_authorize']) {
        const response = await read(`/oauth2/${path}`, { method: 'POST' })
        assert.deepEqual(allowed(response), {}, path + origin)
      }
      for (const path of ['/oauth2/jwks', '/.well-known/oauth-authorization-server']) {
        assert.deepEqual(allowed(await read(path, {})), {}, path + origin)
      }
    }
    const { headers } = await fetch(`${rssp.baseUrl}/oauth2/jwks`, { headers: { Origin: APP } })
    assert.equal(headers.get('access-control-allow-origin'), APP)
  })

  it('do not read pages of ours, whichever address leads there', async () => {
    for (const base of ['', '/csc/v2', '/csc/v1']) {
      const url = rssp.baseUrl + base + authorizePath(serviceRequest(client))
      for (const method of ['GET', 'OPTIONS']) {
        const headers = { Origin: APP, 'Access-Control-Request-Method': 'GET' }
        const response = await fetch(url, { method, headers, redirect: 'manual' })
        assert.deepEqual(allowed(response), {}, `${method} ${base}`)
      }
    }
  })
})
