import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type axe from 'axe-core'
import type { AxeResults, RunOptions } from 'axe-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import type { Language } from '../../src/pages/language.js'
import { launchChromium, screenshot } from '../support/chromium.js'
import { everyPage } from './every-page.js'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const STYLES = readFileSync(join(import.meta.dirname, '../../src/pages/pages.css'), 'utf8')
const SITE = 'http://pages.test'

/** What WCAG 2.2 asks for at levels A and AA, and what axe thinks good besides. */
const RULES: RunOptions = {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  resultTypes: ['violations'],
}

/** Text of twice the size, as people set it who do not see well. */
const LARGE_TEXT = '<style>html { font-size: 200% }</style></head>'

describe('Every page', () => {
  let chromium: Browser
  let page: Page
  before(async () => {
    chromium = await launchChromium()
  })
  after(() => chromium.close())
  afterEach(() => page.context().close())

  async function open(settings: BrowserContextOptions): Promise<void> {
    const context = await chromium.newContext(settings)
    page = await context.newPage()
    await page.route(`${SITE}/**`, (route) =>
      route.request().url().endsWith('/pages.css')
        ? route.fulfill({ contentType: 'text/css', body: STYLES })
        : route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>None</title>' }),
    )
    await page.goto(SITE)
  }

  /** The window stays the same, and what was loaded into it. */
  async function show(html: string, name: string): Promise<void> {
    await page.setContent(html.replace('<head>', `<head><base href="${SITE}/">`))
    await screenshot(page, `every-${name}`)
  }

  async function axeObjects(): Promise<string[]> {
    const { violations } = await page.evaluate<AxeResults, RunOptions>(
      (rules) => (globalThis as unknown as { axe: typeof axe }).axe.run(rules),
      RULES,
    )
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
  }

  it('gives axe nothing to object to', async () => {
    await open({ viewport: { width: 320, height: 700 }, colorScheme: 'dark' })
    await page.evaluate(AXE)
    for (const [name, html] of Object.entries(everyPage('en'))) {
      await show(html, `${name}-narrow`)
      assert.deepEqual(await axeObjects(), [], name)
    }
  })

  it('labels every field, and names each of its parts once', async () => {
    await open({})
    for (const [name, html] of Object.entries(everyPage('en'))) {
      await page.setContent(html)
      const { unlabelled, twice } = await page.evaluate(() => {
        const fields = document.querySelectorAll<HTMLInputElement>(
          'input:not([type=hidden]), select',
        )
        const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id)
        return {
          unlabelled: [...fields].filter(({ labels }) => !labels?.length).map(({ id }) => id),
          twice: ids.filter((id, index) => ids.indexOf(id) !== index),
        }
      })
      assert.deepEqual({ unlabelled, twice }, { unlabelled: [], twice: [] }, name)
    }
  })

  it('lets the words of a button flow as one text', async () => {
    await open({})
    for (const [name, html] of Object.entries(everyPage('en'))) {
      await page.setContent(html)
      const torn = await page.evaluate(() =>
        [...document.querySelectorAll('button, .button')]
          .filter((button) => button.childElementCount > 0)
          .filter((button) => [...button.childNodes].some(({ nodeType }) => nodeType === 3))
          .map(({ textContent }) => textContent),
      )
      assert.deepEqual(torn, [], name)
    }
  })

  async function buttonsBesideTheirBox(): Promise<(string | null)[]> {
    return await page.evaluate(() =>
      [...document.querySelectorAll('main button, main .button')]
        .map((button) => ({ button, box: button.closest('.entries > li') ?? document.body }))
        .filter(
          ({ button, box }) =>
            button.getBoundingClientRect().right > box.getBoundingClientRect().right,
        )
        .map(({ button }) => button.textContent),
    )
  }

  async function assertFits(lang: Language, change: (html: string) => string): Promise<void> {
    for (const [name, html] of Object.entries(everyPage(lang))) {
      await show(change(html), `${name}-${lang}`)
      const beside = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      assert.equal(beside, 0, `${name} is ${beside} pixels too wide`)
      assert.deepEqual(await buttonsBesideTheirBox(), [], name)
    }
  }

  it('fits on a screen of 320 pixels, with the longest words', async () => {
    await open({ viewport: { width: 320, height: 700 } })
    await assertFits('de', (html) => html)
  })

  it('fits with text of twice the size', async () => {
    await open({ viewport: { width: 1000, height: 900 } })
    await assertFits('de', (html) => html.replace('</head>', LARGE_TEXT))
  })
})
