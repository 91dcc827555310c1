import assert from 'node:assert/strict'
import type { Browser } from 'playwright-core'
import { authorizePath, credentialRequest, serviceRequest } from '../oauth/application.js'
import { CallbackServer, launchChromium, screenshot } from '../support/chromium.js'
import { TestIdentityProvider } from '../support/identity-provider.js'
import { digestOf, startRssp, type Rssp, type TestClient } from '../support/rssp.js'
import { totpCode } from '../../src/identity/totp.js'

/** What only a browser keeps: cookie paths, SameSite on the way back, form-action along redirects. */
describe('A browser on its way to ID BB and back', () => {
  let idp: TestIdentityProvider
  let rssp: Rssp
  let app: CallbackServer
  let chromium: Browser
  let client: TestClient

  before(async () => {
    idp = await TestIdentityProvider.listen()
    rssp = await startRssp({
      settings: { identityProviders: [idp.settings({ firstLogin: 'link' })] },
    })
    await idp.serve(rssp)
    app = await CallbackServer.start()
    chromium = await launchChromium()
    client = await rssp.addClient({ name: 'Contract Portal', redirect_uris: [app.url] })
  })

  after(async () => {
    await chromium.close()
    await app.close()
    await rssp.close()
    await idp.close()
  })

  for (const javaScriptEnabled of [true, false]) {
    const how = javaScriptEnabled ? 'with' : 'without'
    it(`links, signs in and approves ${how} JavaScript, and ends at the application`, async () => {
      const user = await rssp.addUser()
      idp.person = { sub: `p-${user.id}`, given_name: 'Ona', family_name: 'Petrauskienė' }
      const credential = await rssp.addCredential(user, { approvalFactor: 'id-bb' })
      const context = await chromium.newContext({ javaScriptEnabled, locale: 'en-GB' })
      const page = await context.newPage()
      const go = (request: Record<string, string>) =>
        page.goto(rssp.baseUrl + authorizePath(request))

      await go(serviceRequest(client))
      await screenshot(page, 'id-bb-sign-in')
      await page.getByRole('button', { name: 'Sign in with National ID' }).click()
      await page.getByRole('heading', { name: 'Link your account' }).waitFor()
      await screenshot(page, 'id-bb-link')
      await page.getByLabel('User name').fill(user.username)
      await page.getByLabel('Password').fill(user.password)
      await page.getByRole('button', { name: 'Link and sign in' }).click()
      await page.getByLabel('One-time code').fill(totpCode(user.totpSecret, rssp.clock.now()))
      await page.getByRole('button', { name: 'Continue' }).click()
      await page.waitForURL(`${app.url}**`)

      await go(credentialRequest(client, credential, [digestOf('contract')]))
      await screenshot(page, 'id-bb-approval')
      await page.getByRole('button', { name: 'Confirm with National ID' }).click()
      await page.waitForURL(`${app.url}**`)
      const answer = new URL(page.url()).searchParams
      assert.ok(answer.get('code'), answer.toString())

      await context.clearCookies({ domain: '127.0.0.1' })
      await go(serviceRequest(client))
      await page.getByRole('button', { name: 'Sign in with National ID' }).click()
      await page.waitForURL(`${app.url}**`)
      assert.ok(new URL(page.url()).searchParams.get('code'))
      await context.close()
    })
  }

  it('tells on a page what to do after cancelling there', async () => {
    idp.refusal = { error: 'access_denied' }
    const page = await chromium.newPage({ locale: 'en-GB' })
    await page.goto(rssp.baseUrl + authorizePath(serviceRequest(client)))
    await page.getByRole('button', { name: 'Sign in with National ID' }).click()
    await page.getByRole('alert').waitFor()
    await screenshot(page, 'id-bb-cancelled')
    assert.match(
      page.url(),
      /\/oauth2\/interaction\/[\w-]+$/,
      'code or state is left in the address',
    )
    await page.close()
    idp.refusal = null
  })
})
