import assert from 'node:assert/strict'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Credential } from '../../src/credentials/credential.js'
import { totpCode } from '../../src/identity/totp.js'
import { CallbackServer, launchChromium, screenshot } from '../support/chromium.js'
import {
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import {
  authorizePath,
  codeGrant,
  credentialRequest,
  requestToken,
  serviceRequest,
  type Changes,
  type Parameters,
} from './application.js'

const WORDS = {
  en: {
    locale: 'en-GB',
    signIn: 'Sign in',
    username: 'User name',
    password: 'Password',
    otp: 'One-time code',
    pin: 'Signature PIN',
    approval: 'Approve these 2 signatures?',
    approve: 'Approve 2 signatures',
    reject: 'Reject',
    wrongCode:
      'The one-time code is not correct. Please enter the one that your app shows now, or that was sent to you last.',
  },
  de: {
    locale: 'de-DE',
    signIn: 'Anmelden',
    username: 'Benutzername',
    password: 'Passwort',
    otp: 'Einmalcode',
    pin: 'Signatur-PIN',
    approval: 'Diese 2 Signaturen freigeben?',
    approve: '2 Signaturen freigeben',
    reject: 'Ablehnen',
    wrongCode:
      'Der Einmalcode ist nicht richtig. Bitte geben Sie den ein, den Ihre App jetzt anzeigt oder der Ihnen zuletzt gesendet wurde.',
  },
} as const
type Lang = keyof typeof WORDS

describe('A signer’s browser', () => {
  let rssp: Rssp
  let app: CallbackServer
  let chromium: Browser
  let client: TestClient
  let user: TestUser
  let credential: Credential
  let framed = ''
  const digests = [digestOf('contract'), digestOf('annex')]

  before(async () => {
    rssp = await startRssp()
    app = await CallbackServer.start(() => `<iframe src="${framed}" title="framed"></iframe>`)
    chromium = await launchChromium()
    client = await rssp.addClient({ name: 'Contract Portal', redirect_uris: [app.url] })
    user = await rssp.addUser()
    credential = await rssp.addCredential(user, { withPin: true })
  })
  after(async () => {
    await chromium.close()
    await app.close()
    await rssp.close()
  })

  let context: BrowserContext
  let page: Page
  let complaints: string[]
  /** Without JavaScript: nothing on the pages may need it. */
  async function open(lang: Lang = 'en', settings: { colorScheme?: 'dark'; width?: number } = {}) {
    const { width = 1100, ...more } = settings
    context = await chromium.newContext({
      javaScriptEnabled: false,
      locale: WORDS[lang].locale,
      viewport: { width, height: 900 },
      ...more,
    })
    page = await context.newPage()
    complaints = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`))
  }
  afterEach(() => context.close())

  const service = (changes: Changes = {}) => serviceRequest(client, changes)
  const signing = (changes: Changes = {}) => credentialRequest(client, credential, digests, changes)
  const go = (request: Parameters) => page.goto(rssp.baseUrl + authorizePath(request))

  function otp(): string {
    rssp.clock.advance(30)
    return totpCode(user.totpSecret, rssp.clock.now())
  }

  async function told(): Promise<URLSearchParams> {
    await page.waitForURL(`${app.url}**`)
    assert.equal(await page.textContent('body'), 'Welcome back')
    return new URL(page.url()).searchParams
  }

  async function redeem(answer: URLSearchParams): Promise<string> {
    const { status, body } = await requestToken(rssp, codeGrant(client, answer.get('code') ?? ''))
    assert.equal(status, 200, JSON.stringify(body))
    return body.access_token
  }

  /** What has the focus, as its label or text. */
  function focused(): Promise<string> {
    return page
      .locator(':focus')
      .evaluate((element) =>
        element instanceof HTMLInputElement
          ? (element.labels?.[0]?.textContent ?? '')
          : (element.textContent ?? ''),
      )
  }

  async function tabTo(what: string): Promise<void> {
    const passed: string[] = []
    for (let presses = 0; presses < 15; presses += 1) {
      await page.keyboard.press('Tab')
      const found = await focused()
      if (found === what) return
      passed.push(found)
    }
    assert.fail(`Tab never reached ${what}, but ${passed.join(', ')}`)
  }

  async function signInByKeyboard(lang: Lang): Promise<void> {
    const words = WORDS[lang]
    assert.equal(await focused(), words.username)
    await page.keyboard.type(user.username)
    await page.keyboard.press('Tab')
    assert.equal(await focused(), words.password)
    await page.keyboard.type(user.password)
    await page.keyboard.press('Enter')
  }

  for (const lang of ['en', 'de'] as const) {
    const words = WORDS[lang]

    it(`signs with the keyboard alone and without JavaScript (${lang})`, async () => {
      await open(lang)
      await go(service())
      await page.getByRole('heading', { name: words.signIn, exact: true }).waitFor()
      assert.equal(await page.locator('html').getAttribute('lang'), lang)
      await screenshot(page, `sign-in-${lang}`)
      await signInByKeyboard(lang)
      const serviceToken = await redeem(await told())
      const { body: list } = await rssp.call('credentials/list', {}, serviceToken)
      assert.deepEqual(list.credentialIDs, [credential.id])

      await go(signing({ description: 'Mietvertrag, Hauptstraße 1' }))
      await page.getByRole('heading', { name: words.approval, exact: true }).waitFor()
      await screenshot(page, `approval-${lang}`)
      await tabTo(words.pin)
      await page.keyboard.type(user.pin)
      await page.keyboard.press('Tab')
      assert.equal(await focused(), words.otp)
      await page.keyboard.type(otp())
      await page.keyboard.press('Tab')
      assert.equal(await focused(), words.approve)
      await page.keyboard.press('Enter')
      const token = await redeem(await told())
      const signed = await rssp.call(
        'signatures/signHash',
        {
          credentialID: credential.id,
          hashes: digests.map((digest) => digest.toString('base64')),
          hashAlgorithmOID: SHA256,
          signAlgo: ECDSA_SHA256,
        },
        token,
      )
      assert.equal(signed.body.signatures.length, 2)
      assert.deepEqual(complaints, [])
    })

    it(`is told aloud what was wrong, right above the fields, one of which refers to it (${lang})`, async () => {
      await open(lang)
      await go(signing())
      await page.getByLabel(words.username).fill(user.username)
      await page.getByLabel(words.password).fill(user.password)
      await page.getByRole('button', { name: words.signIn, exact: true }).click()
      await page.getByLabel(words.pin).fill(user.pin)
      await page.getByLabel(words.otp).fill('000000')
      await page.getByRole('button', { name: words.approve }).click()
      await page.getByRole('alert').waitFor()
      await screenshot(page, `wrong-code-${lang}`)
      assert.equal((await page.getByRole('alert').textContent())?.trim(), words.wrongCode)
      assert.equal(await focused(), words.wrongCode)
      const field = page.getByLabel(words.otp)
      assert.equal(await field.getAttribute('aria-invalid'), 'true')
      const described = (await field.getAttribute('aria-describedby')) ?? ''
      assert.ok(described.split(' ').includes('problem'))
      assert.equal(await field.inputValue(), '')
      await page.keyboard.press('Tab')
      assert.equal(await focused(), words.pin)
      await page.keyboard.type(user.pin)
      await page.keyboard.press('Tab')
      await page.keyboard.type(otp())
      await page.keyboard.press('Enter')
      assert.ok((await told()).get('code'))
    })

    it(`rejects without filling anything in (${lang})`, async () => {
      await open(lang)
      await go(signing())
      await signInByKeyboard(lang)
      await page.getByRole('button', { name: words.reject, exact: true }).click()
      assert.equal((await told()).get('error'), 'access_denied')
    })
  }

  it('comes back to the application after every form, past the policy of the pages', async () => {
    await open()
    await go(service())
    await signInByKeyboard('en')
    assert.ok((await told()).get('code'))
    const other = await rssp.addClient({
      name: 'Other App',
      redirect_uris: [app.url.replace('127.0.0.1', 'localhost')],
    })
    await go(serviceRequest(other))
    await screenshot(page, 'consent-en')
    await page.getByRole('button', { name: 'Allow access' }).click()
    await page.waitForURL('http://localhost:*/callback?*')
    assert.ok(new URL(page.url()).searchParams.get('code'))
    assert.deepEqual(complaints, [])
  })

  it('is not led elsewhere by a form, should a page ever try', async () => {
    await open()
    await go(serviceRequest(await rssp.addClient()))
    await page
      .locator('form')
      .evaluate((form: HTMLFormElement, url) => (form.action = url), app.url)
    const complaint = page.waitForEvent('console')
    await page.getByRole('button', { name: 'Cancel' }).click({ noWaitAfter: true })
    assert.match((await complaint).text(), /form-action/)
    assert.ok(page.url().startsWith(rssp.baseUrl))
  })

  it('does not show a page inside another site', async () => {
    await open()
    framed = rssp.baseUrl + authorizePath(service())
    await page.goto(app.url.replace('/callback', '/'))
    const [, frame] = page.frames()
    assert.match(frame?.url() ?? '', /^chrome-error:/)
    assert.match(complaints.join('\n'), /frame-ancestors 'none'|X-Frame-Options/i)
  })

  it('sees at once what was asked for, on a narrow screen too, without scrolling sideways', async () => {
    for (const colorScheme of [undefined, 'dark'] as const) {
      await open('en', { width: 320, ...(colorScheme ? { colorScheme } : {}) })
      await go(signing({ description: 'x'.repeat(500) }))
      await screenshot(page, `sign-in-narrow-${colorScheme ?? 'light'}`)
      await signInByKeyboard('en')
      await page.getByLabel('Signature PIN').waitFor()
      await screenshot(page, `approval-narrow-${colorScheme ?? 'light'}`)
      const wide = await page.evaluate(() => document.documentElement.scrollWidth)
      assert.ok(wide <= 320, `${wide} pixels wide`)
      await context.close()
    }
  })

  it('finds no fault with the error page', async () => {
    await open()
    await go(service({ client_id: 'unknown' }))
    await screenshot(page, 'error-en')
    const heading = page.getByRole('heading', { level: 1 })
    assert.equal(await heading.textContent(), 'This application is not known here')
    const others = complaints.filter((text) => !text.includes('status of 400'))
    assert.deepEqual(others, [])
  })
})
