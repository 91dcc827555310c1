import type { Browser, BrowserContext, Page } from 'playwright-core'
import { CannotRun, NotMet } from '../outcome.js'
import type { SignIn, Step } from '../target.js'
import type { OneTimeCodes } from './one-time-codes.js'
import { CameAgain, fillings, PageHistory, type SeenPage } from './page-history.js'
import type { Decision, Signer } from './signer.js'

const MAX_PAGES = 10

/** A headless browser, for pages that need JavaScript. */
export class BrowserSigner implements Signer {
  readonly #settings: SignIn & { by: 'browser' }
  readonly #codes: OneTimeCodes
  #browser: Browser | null = null
  #context: BrowserContext | null = null

  constructor(settings: SignIn & { by: 'browser' }, codes: OneTimeCodes) {
    this.#settings = settings
    this.#codes = codes
  }

  async authorize(url: string, redirectUri: string, decision: Decision): Promise<URLSearchParams> {
    const context = await this.#open()
    const page = await context.newPage()
    try {
      let told: URLSearchParams | null = null
      // Redirects pass no route; what is asked for is seen all the same, whether or not it exists.
      page.on('request', (request) => {
        if (request.url().startsWith(redirectUri)) told ??= new URL(request.url()).searchParams
      })
      const answer = () => told
      const history = new PageHistory()
      await this.#move(page, () => page.goto(url), answer)
      for (let pages = 0; pages < MAX_PAGES; pages += 1) {
        const parameters = answer()
        if (parameters) return parameters
        const button = await this.#fillIn(page, decision, history)
        await this.#move(page, () => page.locator(button).first().click(), answer)
      }
      throw new NotMet(`after ${MAX_PAGES} pages the authorization server was not done`)
    } finally {
      await page.close()
    }
  }

  async close(): Promise<void> {
    await this.#browser?.close()
  }

  async #open(): Promise<BrowserContext> {
    if (this.#context) return this.#context
    const playwright = await import('playwright-core').catch(() => {
      throw new CannotRun('Signing in by browser needs the package playwright-core')
    })
    const { executable } = this.#settings
    this.#browser = await playwright.chromium.launch({
      executablePath: executable ?? process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'],
    })
    this.#context = await this.#browser.newContext()
    return this.#context
  }

  /** Does what leads to another page, and waits for it; that the application is not there is no error. */
  async #move(page: Page, act: () => Promise<unknown>, told: () => unknown): Promise<void> {
    const moved = page.waitForEvent('framenavigated', { timeout: 15_000 }).catch(() => null)
    try {
      await act()
      await moved
      await page.waitForLoadState()
    } catch (error) {
      if (!told()) throw error
    }
  }

  /** @returns the selector of the button to press */
  async #fillIn(page: Page, decision: Decision, history: PageHistory): Promise<string> {
    const step = await this.#stepFor(page)
    history.enter(await seen(page), step)
    for (const [name, typed] of fillings(step, decision)) {
      const field = page.locator(`[name="${name}"]:visible`).first()
      if (await field.count()) await fillField(page, name, await this.#codes.valueOf(typed))
    }
    const pressed = decision === 'reject' && step.reject ? step.reject : step.press
    return pressed ? selectorOf(pressed) : 'button, input[type=submit]'
  }

  async #stepFor(page: Page): Promise<Step> {
    for (const step of this.#settings.steps) {
      const { field, button, text } = step
      if (field !== undefined && !(await page.locator(`[name="${field}"]:visible`).count()))
        continue
      if (button !== undefined && !(await page.locator(selectorOf(button)).count())) continue
      if (text !== undefined && !(await page.getByText(text).count())) continue
      return step
    }
    throw new NotMet(`no step of the signer fits the page ${page.url()}`)
  }
}

async function seen(page: Page): Promise<SeenPage> {
  const heading = page.locator('h1').first()
  const names = await page
    .locator('input:not([type=hidden]), select, textarea')
    .evaluateAll((fields) => fields.map((field) => field.getAttribute('name')))
  const alerts = await page.locator('[role=alert]').allInnerTexts()
  return {
    title: (await heading.count()) ? await heading.innerText() : await page.title(),
    fields: names.filter((name) => name !== null),
    objection: alerts.join(' ').slice(0, 200),
  }
}

/** Types text; of radio buttons and options takes the one with this value or these words beside it. */
async function fillField(page: Page, name: string, typed: string): Promise<void> {
  const radios = page.locator(`input[type=radio][name="${name}"]`)
  if (await radios.count()) {
    const byValue = page.locator(`input[type=radio][name="${name}"][value="${typed}"]`)
    const byWords = page.locator('label', { hasText: typed }).locator('input[type=radio]')
    const chosen = (await byValue.count()) ? byValue : byWords
    if (!(await chosen.count()))
      throw new CameAgain(`the page has no choice "${typed}" for ${name}`)
    await chosen.first().check()
    return
  }
  const field = page.locator(`[name="${name}"]:visible`).first()
  if (await page.locator(`select[name="${name}"]`).count()) await field.selectOption(typed)
  else await field.fill(typed)
}

function selectorOf(button: string): string {
  const [name = '', value] = button.split(/=(.*)/s)
  return value === undefined ? `[name="${name}"]` : `[name="${name}"][value="${value}"]`
}
