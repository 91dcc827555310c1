import type { Browser, BrowserContext, Page } from 'playwright-core'
import { CannotRun, NotMet } from '../outcome.js'
import type { SignIn, Step } from '../target.js'
import type { OneTimeCodes } from './one-time-codes.js'
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
      const told = new Promise<URLSearchParams>((resolve) => {
        void page.route(
          (address) => address.href.startsWith(redirectUri),
          async (route) => {
            resolve(new URL(route.request().url()).searchParams)
            await route.fulfill({ body: 'Back at the application.' })
          },
        )
      })
      let answer: URLSearchParams | null = null
      void told.then((parameters) => (answer = parameters))
      await page.goto(url)
      for (let pages = 0; pages < MAX_PAGES; pages += 1) {
        if (answer) return answer
        await this.#fillIn(page, decision)
        await page.waitForLoadState()
      }
      throw new NotMet('the pages of the authorization server went in circles')
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

  async #fillIn(page: Page, decision: Decision): Promise<void> {
    const step = await this.#stepFor(page)
    for (const [name, typed] of Object.entries(step.fill ?? {})) {
      const field = page.locator(`[name="${name}"]:visible`).first()
      if (await field.count()) await field.fill(await this.#codes.valueOf(typed))
    }
    const pressed = decision === 'reject' && step.reject ? step.reject : step.press
    const navigated = page.waitForEvent('framenavigated', { timeout: 15_000 }).catch(() => null)
    const button = pressed ? selectorOf(pressed) : 'button, input[type=submit]'
    await page.locator(`${button}`).first().click()
    await navigated
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

function selectorOf(button: string): string {
  const [name = '', value] = button.split(/=(.*)/s)
  return value === undefined ? `[name="${name}"]` : `[name="${name}"][value="${value}"]`
}
