import assert from 'node:assert/strict'
import { totpCode } from '../../src/identity/totp.js'
import {
  postForm,
  readAnswer,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from './rssp.js'
import { SignerBrowser } from './signer-browser.js'

/** An application written for an earlier version of the CSC API: it knows nothing of v2, nor of PKCE. */
export class EarlierApplication {
  readonly #rssp: Rssp
  readonly #base: string
  readonly client: TestClient

  /** @param base such as `/csc/v1` */
  constructor(rssp: Rssp, base: string, client: TestClient) {
    this.#rssp = rssp
    this.#base = `${rssp.baseUrl}${base}`
    this.client = client
  }

  async call(
    method: string,
    body: unknown,
    token?: string,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.#base}/${method}`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return readAnswer(response)
  }

  /** Asks at `oauth2/authorize` below its base; returns what it is told. */
  async authorize(user: TestUser, parameters: Record<string, string>): Promise<URLSearchParams> {
    const { clock, baseUrl } = this.#rssp
    // A one-time code works once; time moves on between approvals.
    clock.advance(30)
    const browser = new SignerBrowser(baseUrl)
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: this.client.client_id,
      ...parameters,
    })
    let step = await browser.open(`${this.#base}/oauth2/authorize?${query.toString()}`)
    for (let pages = 0; pages < 6; pages += 1) {
      if (step instanceof URLSearchParams) return step
      step = await browser.fillIn(step, {
        ...user,
        otp: () => totpCode(user.totpSecret, clock.now()),
      })
    }
    throw new Error('The pages went in circles')
  }

  /** Trades a code at `oauth2/token` below its base. */
  redeem(code: string, headers: Record<string, string> = {}): Promise<Answer> {
    const { client_id, client_secret } = this.client
    return postForm(
      `${this.#base}/oauth2/token`,
      { grant_type: 'authorization_code', code, client_id, client_secret: client_secret ?? '' },
      headers,
    )
  }

  /** Both halves, for a scope. */
  async token(user: TestUser, parameters: Record<string, string>): Promise<Answer['body']> {
    const told = await this.authorize(user, parameters)
    const { status, body } = await this.redeem(told.get('code') ?? told.toString())
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }
}
