import assert from 'node:assert/strict'

/** Members of forms and JSON bodies, and of answers, that nobody else may see. */
const SECRET_MEMBERS: ReadonlySet<string> = new Set([
  ...['password', 'pin', 'otp', 'code', 'code_verifier', 'client_secret', 'client_assertion'],
  ...['token', 'access_token', 'refresh_token', 'SAD', 'PIN', 'OTP', 'value', 'request_uri'],
])
/** Words that stand in such members and are no secrets. */
const NO_SECRETS: ReadonlySet<string> = new Set(['', 'S256', 'Bearer', 'DPoP'])

/**
 * Listens to everything a test sends and is answered, and keeps what is secret of it, so that no flow has
 * to name its secrets.
 */
export class Canaries {
  /** What must not be found, and what it is. */
  readonly found = new Map<string, string>()
  /** Bodies of refusals and failures. */
  readonly refusals: string[] = []
  readonly #fetch = globalThis.fetch

  listen(): void {
    globalThis.fetch = async (input, init) => {
      this.#hearRequest(init)
      const response = await this.#fetch(input, init)
      this.#hearAnswer(response, await response.clone().text())
      return response
    }
  }

  stop(): void {
    globalThis.fetch = this.#fetch
  }

  add(secret: string, what: string): void {
    if (!NO_SECRETS.has(secret)) this.found.set(secret, what)
  }

  /** Demands that none of them stands anywhere in the text, in whatever common spelling. */
  assertAbsent(text: string, place: string): void {
    for (const [secret, what] of this.found) {
      const bytes = Buffer.from(secret)
      const spellings = [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')]
      spellings.push(bytes.toString('hex'), encodeURIComponent(secret))
      const isShort = secret.length < 10
      for (const spelling of isShort ? spellings.slice(2, 3) : [secret, ...spellings]) {
        assert.ok(!text.includes(spelling), `${what} is in ${place}: ${around(text, spelling)}`)
      }
      // Few digits are found by chance inside of longer numbers; these stand alone.
      const alone = new RegExp(
        `(?<![\\w.+/-])${secret.replaceAll(/[^\w]/g, (mark) => `\\${mark}`)}(?![\\w.+/-])`,
      )
      assert.ok(!isShort || !alone.test(text), `${what} is in ${place}`)
    }
  }

  #hearRequest(init: RequestInit | undefined): void {
    const headers = new Headers(init?.headers)
    const [scheme = '', value = ''] = (headers.get('authorization') ?? '').split(' ')
    this.add(value, 'Authorization')
    if (scheme.toLowerCase() === 'basic') {
      const [, ...password] = Buffer.from(value, 'base64').toString().split(':')
      this.add(decodeURIComponent(password.join(':')), 'password of Basic')
    }
    this.add(headers.get('dpop') ?? '', 'DPoP proof')
    for (const cookie of (headers.get('cookie') ?? '').split('; ')) this.#hearCookie(cookie)
    const body = init?.body
    if (body instanceof URLSearchParams) this.#hearPairs([...body])
    else if (typeof body === 'string') this.#hearText(body)
  }

  #hearAnswer({ status, headers }: Response, text: string): void {
    for (const cookie of headers.getSetCookie()) this.#hearCookie(cookie.split(';')[0] ?? '')
    const location = headers.get('location')
    if (location) this.#hearPairs([...new URL(location, 'http://localhost').searchParams])
    if (status >= 400) this.refusals.push(text)
    else if (text.startsWith('{')) this.#hearText(text)
  }

  #hearCookie(cookie: string): void {
    const [name = '', value = ''] = cookie.split('=')
    // It names the transaction; without its signature it opens nothing.
    if (!/^_interaction(_resume)?$/.test(name)) this.add(value, `cookie ${name}`)
  }

  #hearText(text: string): void {
    if (!text.startsWith('{')) return this.#hearPairs([...new URLSearchParams(text)])
    try {
      this.#hearMembers(JSON.parse(text))
    } catch {
      // Broken on purpose; what it quotes is known from elsewhere.
    }
  }

  #hearMembers(value: unknown): void {
    if (typeof value !== 'object' || value === null) return
    for (const [name, member] of Object.entries(value)) {
      if (typeof member === 'string') this.#hearPairs([[name, member]])
      else this.#hearMembers(member)
    }
  }

  #hearPairs(pairs: readonly (readonly [string, string])[]): void {
    for (const [name, value] of pairs) if (SECRET_MEMBERS.has(name)) this.add(value, name)
  }
}

function around(text: string, spelling: string): string {
  const at = text.indexOf(spelling)
  return text.slice(Math.max(0, at - 80), at + spelling.length + 20)
}
