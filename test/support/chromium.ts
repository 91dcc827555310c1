import { mkdirSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'

/** For what a page is to show: it comes at once, or on a busy machine later. */
const WAIT_MS = 120_000

/** The browser of the machine; nothing it does by itself reaches the network. */
export async function launchChromium(): Promise<Browser> {
  const browser = await chromium.launch({
    timeout: WAIT_MS,
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  const newContext = browser.newContext.bind(browser)
  // Of pages, too, which have a context each.
  browser.newContext = async (options) => {
    const context = await newContext(options)
    context.setDefaultTimeout(WAIT_MS)
    return context
  }
  return browser
}

/** Keeps a picture where OPENRSSP_SCREENSHOTS says, for people to look at. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env['OPENRSSP_SCREENSHOTS']
  if (!folder) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
}

/** An application’s own web server: it is what the browser comes back to. */
export class CallbackServer {
  readonly url: string
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`
  }

  /** @param page what it shows at any other address */
  static async start(page: () => string = () => ''): Promise<CallbackServer> {
    const server = createServer((request, response) => {
      response.setHeader('Content-Type', 'text/html; charset=utf-8')
      const isCallback = request.url?.startsWith('/callback')
      response.end(`<!doctype html><title>App</title>${isCallback ? 'Welcome back' : page()}`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new CallbackServer(server)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
