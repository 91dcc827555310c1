import assert from 'node:assert/strict'
import { postForm, startRssp, type Rssp, type TestClient, type TestUser } from '../support/rssp.js'
import { SignerBrowser } from '../support/signer-browser.js'
import {
  answersOf,
  asAnswer,
  asPage,
  assertAlive,
  assertDead,
  basic,
  codeGrant,
  requestToken,
  serviceRequest,
  serviceTokens,
} from './application.js'

describe('Other names of the OAuth endpoints', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  for (const path of [
    '/authorize',
    '/csc/v2/authorize',
    '/csc/v1/authorize',
    '//authorize',
    '/authorize/',
  ]) {
    it(`${path} is oauth2/authorize, from request to code`, async () => {
      const browser = new SignerBrowser(rssp.baseUrl)
      const query = new URLSearchParams(serviceRequest(client)).toString()
      const page = asPage(await browser.open(`${rssp.baseUrl}${path}?${query}`))
      const answer = asAnswer(await browser.fillIn(page, answersOf(rssp, user)))
      const { status } = await requestToken(rssp, codeGrant(client, answer.get('code') ?? ''))
      assert.equal(status, 200)
    })
  }

  for (const path of [
    ...['/revoke', '/oauth/revoke', '/csc/v2/revoke'],
    ...['/csc/v2/oauth/revoke', '/csc/v2/oauth2/revoke', '/csc/v1/revoke'],
  ]) {
    it(`${path} is oauth2/revoke`, async () => {
      const { access_token } = await serviceTokens(rssp, user, client)
      const fields = { token: access_token }
      const answer = await postForm(`${rssp.baseUrl}${path}`, fields, basic(client))
      assert.equal(answer.status, 204, JSON.stringify(answer.body))
      await assertDead(rssp, access_token)
    })

    it(`${path} refuses a wrong secret`, async () => {
      const { access_token } = await serviceTokens(rssp, user, client)
      const fields = { token: access_token }
      const answer = await postForm(`${rssp.baseUrl}${path}`, fields, basic(client, 'wrong'))
      assert.equal(answer.body.error_description, 'Invalid parameter client_secret')
      await assertAlive(rssp, access_token)
    })
  }

  for (const path of ['/oauth/authorize', '/authorize/x', '/csc/v3/authorize', '/__proto__']) {
    it(`${path} is no name of any`, async () => {
      const query = new URLSearchParams(serviceRequest(client)).toString()
      const { status } = await fetch(`${rssp.baseUrl}${path}?${query}`, { redirect: 'manual' })
      assert.equal(status, 404)
    })
  }

  it('/csc/v2/credentials/authorize stays a method of the API', async () => {
    const { status, body } = await rssp.call('credentials/authorize', {})
    assert.equal(status, 400)
    assert.equal(body.error_description, 'Malformed authorization header.')
  })
})
