import assert from 'node:assert/strict'
import { startRssp, type Rssp, type TestClient, type TestUser } from '../support/rssp.js'
import { SignerBrowser, textOf } from '../support/signer-browser.js'
import {
  answersOf,
  asAnswer,
  authorizePath,
  codeGrant,
  openPage,
  requestToken,
  serviceRequest,
  type Parameters,
} from './application.js'

const CUSTOM = 'com.example.app:/callback'

describe('Apps on the signer’s own device (RFC 8252)', () => {
  let rssp: Rssp
  let user: TestUser

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
  })
  after(() => rssp.close())

  const newApp = (...redirect_uris: string[]): Promise<TestClient> =>
    rssp.addClient({ client_secret: null, redirect_uris })

  /** The whole flow with that address. */
  async function assertWorks(client: TestClient, redirect_uri: string): Promise<void> {
    const browser = new SignerBrowser(rssp.baseUrl)
    const request = serviceRequest(client, { redirect_uri })
    const answer = await browser.authorize(request, answersOf(rssp, user))
    const code = answer.get('code') ?? assert.fail(answer.toString())
    const { status, body } = await requestToken(rssp, codeGrant(client, code, { redirect_uri }))
    assert.equal(status, 200, JSON.stringify(body))
  }

  async function assertForeign(request: Parameters): Promise<void> {
    const answer = await fetch(rssp.baseUrl + authorizePath(request), { redirect: 'manual' })
    assert.deepEqual([answer.status, answer.headers.get('location')], [400, null])
    assert.match(textOf(await answer.text()), /Error invalid_redirect_uri/)
  }

  it('are answered at an address of their own scheme, to which forms may lead', async () => {
    const client = await newApp(CUSTOM)
    await assertWorks(client, CUSTOM)
    const page = await openPage(new SignerBrowser(rssp.baseUrl), serviceRequest(client))
    const policy = page.headers.get('content-security-policy') ?? ''
    assert.match(policy, /form-action 'self' com\.example\.app:;/)
  })

  for (const [registered, used] of [
    ['http://127.0.0.1/callback', 'http://127.0.0.1:51004/callback'],
    ['http://127.0.0.1:4000/callback', 'http://127.0.0.1:51004/callback'],
    ['http://[::1]/callback', 'http://[::1]:51004/callback'],
  ] as const) {
    it(`are answered at the port where they listen: ${used} for ${registered}`, async () => {
      await assertWorks(await newApp(registered), used)
    })
  }

  const foreign: [string, string][] = [
    ['http://127.0.0.1/callback', 'http://127.0.0.1:51004/other'],
    ['http://127.0.0.1/callback', 'http://127.0.0.1:51004/callback?x=1'],
    ['http://127.0.0.1/callback', 'http://127.0.0.2:51004/callback'],
    ['http://127.0.0.1/callback', 'http://[::1]:51004/callback'],
    ['http://127.0.0.1/callback', 'http://localhost:51004/callback'],
    ['http://127.0.0.1/callback', 'https://127.0.0.1:51004/callback'],
    ['http://127.0.0.1/callback', 'http://evil.example:51004/callback'],
    ['http://127.0.0.1/callback', 'http://127.0.0.1:51004@evil.example/callback'],
    ['http://127.0.0.1/callback', 'http://127.0.0.1.evil.example/callback'],
    [CUSTOM, 'com.example.app:/other'],
    [CUSTOM, 'com.example.app://callback'],
    [CUSTOM, 'com.example.app.evil:/callback'],
    [CUSTOM, 'COM.example.app:/callback'],
  ]
  for (const [registered, used] of foreign) {
    it(`are not answered at ${used} when ${registered} is registered (S33)`, async () => {
      const client = await newApp(registered)
      await assertForeign(serviceRequest(client, { redirect_uri: used }))
    })
  }

  it('are let in by the signer each time, for another program could pose as one of them', async () => {
    const client = await newApp(CUSTOM)
    const browser = new SignerBrowser(rssp.baseUrl)
    assert.ok((await browser.authorize(serviceRequest(client), answersOf(rssp, user))).get('code'))
    const again = await openPage(browser, serviceRequest(client))
    assert.match(textOf(again.html), /Test App/)
    assert.doesNotMatch(again.html, /name="password"/)
    assert.ok(asAnswer(await browser.fillIn(again, answersOf(rssp, user))).get('code'))
  })

  it('must be public ones: an application with a secret is compared exactly (S33)', async () => {
    const client = await rssp.addClient({ redirect_uris: ['http://127.0.0.1/callback'] })
    const redirect_uri = 'http://127.0.0.1:51004/callback'
    await assertForeign(serviceRequest(client, { redirect_uri }))
  })
})

describe('What clients of OpenID Connect send besides', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  for (const more of [{ nonce: 'n-1' }, { acr_values: 'urn:x' }, { id_token_hint: 'x' }]) {
    it(`does no harm: ${JSON.stringify(more)}`, async () => {
      const browser = new SignerBrowser(rssp.baseUrl)
      const request = serviceRequest(client, more)
      const answer = await browser.authorize(request, answersOf(rssp, user))
      assert.ok(answer.get('code'), answer.toString())
    })
  }

  for (const more of [{ max_age: '60' }, { max_age: '0' }, { prompt: 'select_account' }]) {
    it(`has the signer sign in anew: ${JSON.stringify(more)}`, async () => {
      const browser = new SignerBrowser(rssp.baseUrl)
      await browser.authorize(serviceRequest(client), answersOf(rssp, user))
      const page = await openPage(browser, serviceRequest(client, more))
      assert.match(page.html, /name="password"/)
    })
  }
})
