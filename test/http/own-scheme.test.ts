import assert from 'node:assert/strict'
import { authorizePath, serviceRequest } from '../oauth/application.js'
import { startRssp, type Rssp, type TestClient } from '../support/rssp.js'

describe('Behind a proxy that ends TLS (S51)', () => {
  let rssp: Rssp
  let client: TestClient

  before(async () => {
    rssp = await startRssp({ settings: { baseUrl: 'https://sign.example' } })
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  for (const headers of [{}, { 'X-Forwarded-Proto': 'http' }] as Record<string, string>[]) {
    it(`cookies are for TLS alone, whatever the proxy says: ${JSON.stringify(headers)}`, async () => {
      for (const path of [authorizePath(serviceRequest(client)), '/account', '/account?lang=de']) {
        const answer = await fetch(rssp.baseUrl + path, { headers, redirect: 'manual' })
        const cookies = answer.headers.getSetCookie()
        assert.ok(cookies.length > 0, path)
        for (const cookie of cookies) assert.match(cookie, /; secure(;|$)/)
      }
    })
  }
})
