import assert from 'node:assert/strict'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { totpCode } from '../../src/identity/totp.js'
import { serviceTokens } from '../oauth/application.js'
import { launchChromium, screenshot } from '../support/chromium.js'
import { digestOf, ECDSA_SHA256, startRssp, type Rssp, type TestUser } from '../support/rssp.js'

const WORDS = {
  en: {
    locale: 'en-GB',
    username: 'User name',
    password: 'Password',
    signIn: 'Sign in',
    otp: 'One-time code',
    continue: 'Continue',
    skip: 'Skip to content',
    navigation: 'Your account',
    account: 'Your account',
    history: 'Signatures',
    sessions: 'Sessions and applications',
    credentials: 'Certificates',
    notices: 'Notices',
    language: 'Language of mails',
    signatureMails: 'Tell me by mail of every signature in my name',
    suspend: 'Suspend',
    resume: 'Resume …',
    resumeTitle: 'Resume this certificate?',
    confirm: 'Resume',
    endAccess: 'End access',
    ended: 'Ended. It can no longer be used.',
    signOut: 'Sign out',
  },
  de: {
    locale: 'de-DE',
    username: 'Benutzername',
    password: 'Passwort',
    signIn: 'Anmelden',
    otp: 'Einmalcode',
    continue: 'Weiter',
    skip: 'Zum Inhalt springen',
    navigation: 'Ihr Konto',
    account: 'Ihr Konto',
    history: 'Signaturen',
    sessions: 'Sitzungen und Anwendungen',
    credentials: 'Zertifikate',
    notices: 'Benachrichtigungen',
    language: 'Sprache der E-Mails',
    signatureMails: 'Jede Signatur in meinem Namen per E-Mail mitteilen',
    suspend: 'Aussetzen',
    resume: 'Wieder aufnehmen …',
    resumeTitle: 'Dieses Zertifikat wieder aufnehmen?',
    confirm: 'Wieder aufnehmen',
    endAccess: 'Zugriff beenden',
    ended: 'Beendet. Es kann nicht mehr verwendet werden.',
    signOut: 'Abmelden',
  },
} as const

describe('The signer’s own pages in a browser', () => {
  let rssp: Rssp
  let chromium: Browser
  let user: TestUser
  let context: BrowserContext
  let page: Page
  let complaints: string[]

  before(async () => {
    rssp = await startRssp()
    chromium = await launchChromium()
  })
  beforeEach(async () => {
    user = await rssp.addUser()
    const client = await rssp.addClient({ name: 'Contract Portal' })
    const credential = await rssp.addCredential(user)
    const digests = [digestOf('contract'), digestOf('annex')]
    const token = await rssp.credentialToken({ user, client, credential, digests })
    const hashes = digests.map((digest) => digest.toString('base64'))
    const { status } = await rssp.call(
      'signatures/signHash',
      { credentialID: credential.id, hashes, signAlgo: ECDSA_SHA256 },
      token,
    )
    assert.equal(status, 200)
    await serviceTokens(rssp, user, client)
  })
  afterEach(() => context.close())
  after(async () => {
    await chromium.close()
    await rssp.close()
  })

  /** Without JavaScript: nothing on the pages may need it. */
  async function open(lang: keyof typeof WORDS, width = 1100): Promise<void> {
    const viewport = { width, height: 900 }
    const { locale } = WORDS[lang]
    context = await chromium.newContext({ javaScriptEnabled: false, locale, viewport })
    page = await context.newPage()
    complaints = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`))
  }

  /** The accessible name of what has the focus, as a screen reader says it. */
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement
      const label = element?.id ? document.querySelector(`label[for="${element.id}"]`) : null
      return (label ?? element)?.textContent?.trim() ?? ''
    })

  async function tabTo(name: string): Promise<void> {
    for (let presses = 0; presses < 60; presses += 1) {
      await page.keyboard.press('Tab')
      if ((await focused()) === name) return
    }
    assert.fail(`“${name}” is not reached by the keyboard`)
  }

  /** @param from the link that skips what the page begins with, for what comes after it */
  async function press(name: string, from?: string): Promise<void> {
    if (from) {
      await tabTo(from)
      await page.keyboard.press('Enter')
    }
    await tabTo(name)
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')])
  }

  const heading = (name: string) =>
    page.getByRole('heading', { level: 1, name, exact: true }).waitFor()

  async function typeIn(label: string, text: string): Promise<void> {
    if ((await focused()) !== label) await tabTo(label)
    await page.keyboard.type(text)
  }

  async function signIn(words: (typeof WORDS)[keyof typeof WORDS], withCode: boolean) {
    await heading(words.signIn)
    await typeIn(words.username, user.username)
    await typeIn(words.password, user.password)
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')])
    if (!withCode) return
    rssp.clock.advance(30)
    await typeIn(words.otp, totpCode(user.totpSecret, rssp.clock.now()))
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')])
  }

  it('are walked through with the keyboard alone and without JavaScript', async () => {
    const words = WORDS.en
    await open('en')
    await page.goto(`${rssp.baseUrl}/account`)
    await signIn(words, false)
    await heading(words.account)
    await screenshot(page, `account-overview-en`)
    const navigation = page.getByRole('navigation', { name: words.navigation, exact: true })
    await page.keyboard.press('Tab')
    assert.equal(await focused(), words.skip)

    for (const name of [words.history, words.credentials, words.sessions] as const) {
      await press(name)
      await heading(name)
      const current = navigation.locator('[aria-current="page"]')
      assert.equal(await current.textContent(), name)
      assert.equal(await page.locator('h1').count(), 1)
      await screenshot(page, `account-${name}-en`)
    }
    await press(words.endAccess, words.skip)
    const status = page.getByRole('status')
    assert.equal((await status.textContent())?.trim(), words.ended)

    await press(words.credentials)
    await press(words.suspend, words.skip)
    await status.waitFor()
    await press(words.resume, words.skip)
    await signIn(words, true)
    await heading(words.resumeTitle)
    await screenshot(page, `account-resume-en`)
    await press(words.confirm, words.skip)
    await heading(words.credentials)

    await press(words.notices)
    await heading(words.notices)
    const box = page.getByLabel(words.signatureMails)
    assert.ok(await box.isChecked())
    await tabTo(words.signatureMails)
    await page.keyboard.press('Space')
    assert.ok(!(await box.isChecked()))
    assert.ok(await page.getByLabel(words.language).isVisible())
    await screenshot(page, `account-notices-en`)

    await press(words.signOut)
    await heading(words.signIn)
    assert.deepEqual(complaints, [])
  })

  it('are in the language of the browser', async () => {
    const words = WORDS.de
    await open('de')
    await page.goto(`${rssp.baseUrl}/account`)
    await signIn(words, false)
    await heading(words.account)
    await screenshot(page, 'account-overview-de')
    for (const name of [words.history, words.credentials, words.sessions] as const) {
      await page.getByRole('link', { name, exact: true }).first().click()
      await heading(name)
      assert.equal(await page.locator('html').getAttribute('lang'), 'de')
      await screenshot(page, `account-${name}-de`)
    }
    await page.getByRole('button', { name: words.endAccess }).first().click()
    assert.equal((await page.getByRole('status').textContent())?.trim(), words.ended)
    await page.getByRole('link', { name: words.credentials, exact: true }).click()
    await page.getByRole('button', { name: words.suspend, exact: true }).click()
    await page.getByRole('link', { name: words.resume, exact: true }).waitFor()
    assert.deepEqual(complaints, [])
  })

  it('fit a narrow screen without scrolling sideways', async () => {
    await open('en', 320)
    await page.goto(`${rssp.baseUrl}/account`)
    await signIn(WORDS.en, false)
    for (const path of ['', '/history', '/credentials', '/sessions']) {
      await page.goto(`${rssp.baseUrl}/account${path}`)
      await screenshot(page, `account-narrow${path.replace('/', '-')}`)
      const wide = await page.evaluate(() => document.documentElement.scrollWidth)
      assert.ok(wide <= 320, `${path}: ${wide} pixels wide`)
    }
  })
})
