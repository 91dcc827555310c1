import { assertDescribed } from './described.js'

/** What a signer types into the pages. */
export interface SignerAnswers {
  readonly username: string
  readonly password: string
  readonly pin?: string
  readonly otp: () => string
  /** What to press on the approval page. */
  readonly decision?: 'approve' | 'reject'
}

export interface Page {
  readonly status: number
  readonly url: string
  readonly html: string
  readonly headers: Headers
}

/** A browser without JavaScript: cookies, redirects, forms. It stops where the application begins. */
export class SignerBrowser {
  /** Those of the service; each further site has its own. */
  readonly cookies = new Map<string, string>()
  /** Every address opened, oldest first. */
  readonly visited: string[] = []
  readonly #baseUrl: string
  readonly #sites: ReadonlyMap<string, Map<string, string>>
  readonly #cookiePaths = new Map<string, string>()

  /** @param further origins it goes on to as well, such as those of identity providers */
  constructor(baseUrl: string, further: readonly string[] = []) {
    this.#baseUrl = baseUrl
    this.#sites = new Map([
      [new URL(baseUrl).origin, this.cookies],
      ...further.map((origin): [string, Map<string, string>] => [origin, new Map()]),
    ])
  }

  /** Follows an authorization request to its end; returns what the application is told. */
  async authorize(
    parameters: Record<string, string>,
    answers: SignerAnswers,
  ): Promise<URLSearchParams> {
    let step = await this.open(`/oauth2/authorize?${new URLSearchParams(parameters).toString()}`)
    for (let pages = 0; pages < 6; pages += 1) {
      if (step instanceof URLSearchParams) return step
      step = await this.fillIn(step, answers)
    }
    throw new Error(`The pages went in circles: ${(step as Page).html}`)
  }

  /** Opens an address; returns the page it leads to, or the answer for the application. */
  open(path: string): Promise<Page | URLSearchParams> {
    return this.#follow(new URL(path, this.#baseUrl).href, { method: 'GET' })
  }

  /** Posts a form; fields not given are not sent. */
  post(
    url: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Page | URLSearchParams> {
    const body = new URLSearchParams(fields)
    return this.#follow(new URL(url, this.#baseUrl).href, { method: 'POST', body, headers })
  }

  fillIn(page: Page, answers: SignerAnswers): Promise<Page | URLSearchParams> {
    const asks = (name: string) => page.html.includes(`name="${name}"`)
    if (!asks('action')) throw new Error(`Not a form: ${page.status} ${textOf(page.html)}`)
    const approves = page.html.includes('value="approve"')
    return this.post(page.url, {
      ...(asks('username') ? { username: answers.username } : {}),
      ...(asks('password') ? { password: answers.password } : {}),
      ...(asks('pin') ? { pin: answers.pin ?? '' } : {}),
      ...(asks('otp') ? { otp: answers.otp() } : {}),
      ...hiddenFields(page.html),
      action: approves ? (answers.decision ?? 'approve') : 'continue',
    })
  }

  async #follow(start: string, init: RequestInit): Promise<Page | URLSearchParams> {
    let url = start
    let request = init
    for (let hops = 0; hops < 10; hops += 1) {
      const site = this.#sites.get(new URL(url).origin)
      if (!site) return new URL(url).searchParams
      this.visited.push(url)
      const response = await this.#fetch(url, request, site)
      const location = response.headers.get('location')
      if (location === null) {
        return {
          status: response.status,
          url,
          html: await response.text(),
          headers: response.headers,
        }
      }
      await response.arrayBuffer()
      url = new URL(location, url).href
      request = { method: 'GET' }
    }
    throw new Error(`Too many redirects, last to ${url}`)
  }

  async #fetch(url: string, init: RequestInit, site: Map<string, string>): Promise<Response> {
    const { origin, pathname } = new URL(url)
    const cookie = [...site]
      .filter(([name]) => isBelow(pathname, this.#cookiePaths.get(`${origin} ${name}`)))
      .map(([name, value]) => `${name}=${value}`)
      .join('; ')
    const headers = { ...(init.headers as Record<string, string>), cookie }
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    if (site === this.cookies) {
      const { status, headers } = response
      assertDescribed(init.method ?? 'GET', pathname, { status, headers, body: '' })
    }
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';')
      const [name = '', value = ''] = pair.split(/=(.*)/s)
      if (value === '') {
        site.delete(name)
        continue
      }
      site.set(name, value)
      const path = attributes.map((each) => each.trim()).find((each) => /^path=/i.test(each))
      this.#cookiePaths.set(`${origin} ${name}`, path?.slice('path='.length) ?? '/')
    }
    return response
  }
}

/** Path matching of RFC 6265, 5.1.4; a cookie a test put there goes everywhere. */
function isBelow(path: string, cookiePath = '/'): boolean {
  const folder = cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`
  return path === cookiePath || path.startsWith(folder)
}

export function hiddenFields(html: string): Record<string, string> {
  const inputs = html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)
  return Object.fromEntries([...inputs].map(([, name = '', value = '']) => [name, value]))
}

export function textOf(html: string): string {
  return html
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}
