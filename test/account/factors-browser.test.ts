import assert from 'node:assert/strict'
import type { Browser } from 'playwright-core'
import { issueEnrolmentCode } from '../../src/identity/enrolment.js'
import { totpCode } from '../../src/identity/totp.js'
import { authorizePath, credentialRequest } from '../oauth/application.js'
import { CallbackServer, launchChromium, screenshot } from '../support/chromium.js'
import { lastCode } from '../support/outbox.js'
import { digestOf, startRssp, type Rssp } from '../support/rssp.js'

describe('A browser without script, in which factors are enrolled and used', () => {
  let rssp: Rssp
  let app: CallbackServer
  let chromium: Browser

  before(async () => {
    rssp = await startRssp({ outbox: true })
    app = await CallbackServer.start()
    chromium = await launchChromium()
  })
  after(async () => {
    await chromium.close()
    await app.close()
    await rssp.close()
  })

  async function open() {
    const context = await chromium.newContext({ javaScriptEnabled: false, locale: 'en-GB' })
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    return { context, page, complaints }
  }

  it('shows a QR code under its own policy, takes the first code, and gives recovery codes', async () => {
    const user = await rssp.addUser({ withoutAuthenticator: true })
    const { enrolmentStore: store, secrets, now } = rssp.services
    const { code } = await issueEnrolmentCode({ store, secrets, now }, user.id, 1)
    const { context, page, complaints } = await open()
    await page.goto(`${rssp.baseUrl}/account/factors`)
    await page.getByLabel('User name').fill(user.username)
    await page.getByLabel('Password').fill(user.password)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByLabel('Enrolment code').fill(code)
    await page.getByRole('button', { name: 'Continue' }).click()
    const picture = page.getByRole('img', { name: /^QR code/ })
    const size = await picture.boundingBox()
    assert.ok(size && size.width > 150 && Math.abs(size.width - size.height) < 2)
    await screenshot(page, 'factors-enrol')
    const secret = (await page.locator('main code').first().textContent()) ?? ''
    await page.getByLabel('One-time code').fill(totpCode(secret, rssp.clock.now()))
    await page.getByRole('button', { name: 'Confirm' }).click()
    assert.equal(
      await page
        .getByRole('listitem')
        .filter({ has: page.locator('code') })
        .count(),
      10,
    )
    await screenshot(page, 'factors-recovery-codes')
    await page.getByRole('link', { name: 'I have kept them' }).click()
    await page.getByText('10 left').waitFor()
    await screenshot(page, 'factors')
    assert.deepEqual(complaints, [])
    await context.close()
  })

  it('asks for a code, gets it and approves with it', async () => {
    const user = await rssp.addUser()
    const client = await rssp.addClient({ redirect_uris: [app.url] })
    const credential = await rssp.addCredential(user, { approvalFactor: 'email', withPin: true })
    const { context, page, complaints } = await open()
    const request = credentialRequest(client, credential, [digestOf('contract')])
    await page.goto(`${rssp.baseUrl}${authorizePath(request)}`)
    await page.getByLabel('User name').fill(user.username)
    await page.getByLabel('Password').fill(user.password)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    assert.equal(await page.getByLabel('Signature PIN').count(), 0)
    await screenshot(page, 'approval-code-to-send')
    await page.getByRole('button', { name: 'Send me a code' }).click()
    assert.match((await page.getByRole('status').textContent()) ?? '', /We sent a code to u…@/)
    await page.getByLabel('Signature PIN').fill(user.pin)
    await page.getByLabel('One-time code').fill(lastCode(rssp, `${user.username}@example.org`))
    await screenshot(page, 'approval-code-sent')
    // Enter approves; it does not send another code.
    await page.keyboard.press('Enter')
    await page.waitForURL(`${app.url}?*`)
    assert.ok(new URL(page.url()).searchParams.get('code'))
    assert.deepEqual(complaints, [])
    await context.close()
  })
})
