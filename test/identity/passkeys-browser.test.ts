import assert from 'node:assert/strict'
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core'
import { totpCode } from '../../src/identity/totp.js'
import {
  authorizePath,
  codeGrant,
  credentialRequest,
  requestToken,
  serviceRequest,
} from '../oauth/application.js'
import { SoftwareAuthenticator } from '../support/authenticator.js'
import { CallbackServer, launchChromium, screenshot } from '../support/chromium.js'
import {
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'

const WORDS = {
  en: {
    locale: 'en-GB',
    name: 'Name',
    create: 'Create passkey',
    signIn: 'Sign in with a passkey',
    approve: 'Approve with a passkey',
    cancelled: /The passkey was not used: it was cancelled/,
    noScript: /Passkeys need JavaScript/,
  },
  de: {
    locale: 'de-DE',
    name: 'Name',
    create: 'Passkey anlegen',
    signIn: 'Mit Passkey anmelden',
    approve: 'Mit Passkey freigeben',
    cancelled: /Der Passkey wurde nicht verwendet: Der Vorgang wurde abgebrochen/,
    noScript: /Passkeys brauchen JavaScript/,
  },
} as const
type Lang = keyof typeof WORDS

const DIGEST = digestOf('contract')

describe('Passkeys in a browser', () => {
  let rssp: Rssp
  let app: CallbackServer
  let chromium: Browser
  let client: TestClient
  let user: TestUser

  before(async () => {
    rssp = await startRssp({ host: 'localhost' })
    app = await CallbackServer.start()
    chromium = await launchChromium()
    client = await rssp.addClient({ name: 'Contract Portal', redirect_uris: [app.url] })
  })
  after(async () => {
    await chromium.close()
    await app.close()
    await rssp.close()
  })

  let context: BrowserContext
  let page: Page
  let devices: CDPSession
  let authenticatorId: string
  let complaints: string[]

  async function open(lang: Lang = 'en', javaScriptEnabled = true): Promise<void> {
    context = await chromium.newContext({ locale: WORDS[lang].locale, javaScriptEnabled })
    page = await context.newPage()
    complaints = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    devices = await context.newCDPSession(page)
    await devices.send('WebAuthn.enable')
    const added = await devices.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        ...{ protocol: 'ctap2', transport: 'internal', automaticPresenceSimulation: true },
        ...{ hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
      },
    })
    authenticatorId = added.authenticatorId
  }

  beforeEach(async () => {
    user = await rssp.addUser()
  })
  afterEach(() => context.close())

  const verify = (isUserVerified: boolean) =>
    devices.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified })
  const button = (name: string) => page.getByRole('button', { name, exact: true })

  async function signInByPassword(): Promise<void> {
    await page.locator('#username').fill(user.username)
    await page.locator('#password').fill(user.password)
    await page.keyboard.press('Enter')
  }

  /** Adds a passkey on the person's own pages, as they would. */
  async function enrol(lang: Lang): Promise<void> {
    await page.goto(`${rssp.baseUrl}/account/passkeys/add`)
    await signInByPassword()
    rssp.clock.advance(30)
    await page.locator('#otp').fill(totpCode(user.totpSecret, rssp.clock.now()))
    await page.keyboard.press('Enter')
    await page.getByLabel(WORDS[lang].name, { exact: true }).fill('Laptop')
    await screenshot(page, `passkey-add-${lang}`)
    await button(WORDS[lang].create).click()
    await page.waitForURL('**/account/passkeys?done=added')
    await screenshot(page, `passkeys-${lang}`)
  }

  async function told(): Promise<URLSearchParams> {
    await page.waitForURL(`${app.url}**`)
    return new URL(page.url()).searchParams
  }

  for (const lang of ['en', 'de'] as const) {
    const words = WORDS[lang]

    it(`enrols, signs in and approves to a signature, by keyboard (${lang})`, async () => {
      await open(lang)
      await enrol(lang)
      assert.equal((await rssp.services.passkeys.list(user.id)).length, 1)
      await context.clearCookies()
      await page.goto(rssp.baseUrl + authorizePath(serviceRequest(client)))
      await screenshot(page, `passkey-sign-in-${lang}`)
      await button(words.signIn).focus()
      await page.keyboard.press('Enter')
      assert.ok((await told()).get('code'))

      const credential = await rssp.addCredential(user, { approvalFactor: 'passkey' })
      await page.goto(rssp.baseUrl + authorizePath(credentialRequest(client, credential, [DIGEST])))
      await screenshot(page, `passkey-approval-${lang}`)
      await button(words.approve).focus()
      await page.keyboard.press('Enter')
      const code = (await told()).get('code') ?? ''
      const { body } = await requestToken(rssp, codeGrant(client, code))
      const signed = await rssp.call(
        'signatures/signHash',
        {
          ...{ credentialID: credential.id, signAlgo: ECDSA_SHA256 },
          hashes: [DIGEST.toString('base64')],
        },
        String(body.access_token),
      )
      assert.equal(signed.status, 200, JSON.stringify(signed.body))
      assert.deepEqual(complaints, [])
    })
  }

  for (const lang of ['de'] as const) {
    const words = WORDS[lang]

    it(`tells what to do when it was cancelled, and works again after (${lang})`, async () => {
      await open(lang)
      await enrol(lang)
      const credential = await rssp.addCredential(user, { approvalFactor: 'passkey' })
      await page.goto(rssp.baseUrl + authorizePath(credentialRequest(client, credential, [DIGEST])))
      await verify(false)
      await button(words.approve).click()
      const alert = page.getByRole('alert').filter({ hasText: words.cancelled })
      await alert.first().waitFor()
      await screenshot(page, `passkey-cancelled-${lang}`)
      const focused = await page.locator(':focus').textContent()
      assert.equal(focused, words.approve)
      await verify(true)
      await page.keyboard.press('Enter')
      assert.ok((await told()).get('code'))
    })

    it(`says without script why the button is missing, and still rejects (${lang})`, async () => {
      await open(lang, false)
      const credential = await rssp.addCredential(user, { approvalFactor: 'passkey' })
      const { passkeys, accounts } = rssp.services
      const account = await accounts.find(user.id)
      assert.ok(account)
      const purpose = { purpose: 'enrolment', clientId: null, facts: [user.id] } as const
      const options = await passkeys.askToEnrol(account, purpose)
      assert.ok(options)
      const answer = new SoftwareAuthenticator(rssp.baseUrl).create(options)
      await passkeys.enrol(account, { answer, name: 'Key', codeHash: null }, purpose)
      await page.goto(rssp.baseUrl + authorizePath(credentialRequest(client, credential, [DIGEST])))
      assert.equal(await button(words.signIn).count(), 0)
      await signInByPassword()
      await page.getByText(words.noScript).waitFor()
      assert.equal(await button(words.approve).count(), 0)
      await screenshot(page, `passkey-no-script-${lang}`)
      await page.locator('button[value=reject]').click()
      assert.equal((await told()).get('error'), 'access_denied')
    })
  }

  it('says so when the device has a passkey already', async () => {
    await open()
    await enrol('en')
    await page.goto(`${rssp.baseUrl}/account/passkeys/add`)
    await page.getByLabel('Name', { exact: true }).fill('Again')
    await button('Create passkey').click()
    await page.getByText('This device has a passkey for your account already.').waitFor()
    assert.equal((await rssp.services.passkeys.list(user.id)).length, 1)
  })

  it('says so when the account no longer knows the passkey of the device', async () => {
    await open()
    await enrol('en')
    const [passkey] = await rssp.services.passkeys.list(user.id)
    await rssp.services.passkeys.remove(user.id, passkey?.id ?? '')
    await context.clearCookies()
    await page.goto(rssp.baseUrl + authorizePath(serviceRequest(client)))
    await button('Sign in with a passkey').click()
    await page.getByText('This passkey is not accepted here.').waitFor()
  })
})
