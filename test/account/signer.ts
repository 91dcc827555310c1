import { totpCode } from '../../src/identity/totp.js'
import type { KeyCustody } from '../../src/keys/key-custody.js'
import { asPage } from '../oauth/application.js'
import type { Rssp, TestUser } from '../support/rssp.js'
import { SignerBrowser, type Page } from '../support/signer-browser.js'

/** A browser, not signed in, that can open the signer's own pages. */
export class Signer {
  readonly browser: SignerBrowser
  readonly user: TestUser
  readonly #rssp: Rssp

  constructor(rssp: Rssp, user: TestUser) {
    this.browser = new SignerBrowser(rssp.baseUrl)
    this.user = user
    this.#rssp = rssp
  }

  /** Opens a page, signing in on the way when asked to. */
  async open(path: string): Promise<Page> {
    return this.#signInWhenAsked(asPage(await this.browser.open(path)))
  }

  /** Posts a form of the pages; signs in on the way when asked to. */
  async post(
    path: string,
    fields: Record<string, string> = {},
    headers: Record<string, string> = {},
  ): Promise<Page> {
    return this.#signInWhenAsked(asPage(await this.browser.post(path, fields, headers)))
  }

  async #signInWhenAsked(first: Page): Promise<Page> {
    let page = first
    for (
      let forms = 0;
      forms < 3 && new URL(page.url).pathname.startsWith('/oauth2/');
      forms += 1
    ) {
      this.#rssp.clock.advance(30)
      const otp = () => totpCode(this.user.totpSecret, this.#rssp.clock.now())
      page = asPage(await this.browser.fillIn(page, { ...this.user, otp }))
    }
    return page
  }
}

/** A browser in which the person is signed in. */
export async function signedIn(rssp: Rssp, user: TestUser): Promise<Signer> {
  const signer = new Signer(rssp, user)
  await signer.open('/account')
  return signer
}

/** Path and query of where a page was read. */
export function pathOf(page: Page): string {
  const { pathname, search } = new URL(page.url)
  return `${pathname}${search}`
}

/** A real token; something happens before it signs, once for each `next`. */
export class InterruptedSigning {
  next: (() => Promise<unknown>) | null = null

  readonly custody = (real: KeyCustody): KeyCustody => ({
    generate: (...request) => real.generate(...request),
    sign: async (keyId, digests, algorithm) => {
      const { next } = this
      this.next = null
      await next?.()
      return real.sign(keyId, digests, algorithm)
    },
    publicKey: (keyId) => real.publicKey(keyId),
    destroy: (keyId) => real.destroy(keyId),
    ready: () => real.ready(),
    close: () => real.close(),
  })
}
