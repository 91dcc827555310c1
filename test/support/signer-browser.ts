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
  readonly cookies = new Map<string, string>()
  readonly #baseUrl: string

  constructor(baseUrl: string) {
    this.#baseUrl = baseUrl
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
      action: approves ? (answers.decision ?? 'approve') : 'continue',
    })
  }

  async #follow(start: string, init: RequestInit): Promise<Page | URLSearchParams> {
    let url = start
    let request = init
    for (let hops = 0; hops < 10; hops += 1) {
      if (new URL(url).origin !== new URL(this.#baseUrl).origin) return new URL(url).searchParams
      const response = await this.#fetch(url, request)
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

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...(init.headers as Record<string, string>), cookie }
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';')
      const [name = '', value = ''] = pair.split(/=(.*)/s)
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return response
  }
}

export function textOf(html: string): string {
  return html
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}
