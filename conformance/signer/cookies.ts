interface Cookie {
  readonly origin: string
  readonly path: string
  readonly value: string
}

/** The cookies of one browser, by origin and path (RFC 6265). */
export class Cookies {
  readonly #cookies = new Map<string, Cookie>()

  get isEmpty(): boolean {
    return this.#cookies.size === 0
  }

  clear(): void {
    this.#cookies.clear()
  }

  header(url: string): string {
    const { origin, pathname } = new URL(url)
    return [...this.#cookies]
      .filter(([, cookie]) => cookie.origin === origin && isBelow(pathname, cookie.path))
      .map(([key, { value }]) => `${key.split(' ')[2] ?? ''}=${value}`)
      .join('; ')
  }

  store(url: string, headers: Headers): void {
    const { origin } = new URL(url)
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';')
      const [name = '', value = ''] = pair.split(/=(.*)/s).map((part) => part.trim())
      const attribute = (wanted: string) =>
        attributes
          .map((each) => each.trim().split(/=(.*)/s))
          .find(([key]) => key?.toLowerCase() === wanted)?.[1]
      const path = attribute('path') ?? '/'
      const key = `${origin} ${path} ${name}`
      const ends = attribute('max-age') === '0' || value === ''
      if (ends) this.#cookies.delete(key)
      else this.#cookies.set(key, { origin, path, value })
    }
  }
}

function isBelow(path: string, cookiePath: string): boolean {
  const folder = cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`
  return path === cookiePath || path.startsWith(folder)
}
