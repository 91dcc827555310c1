import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  answersOf,
  approvalPage,
  asPage,
  credentialRequest,
  openPage,
  serviceRequest,
} from '../oauth/application.js'
import { digestOf, startRssp, type Rssp, type TestUser } from '../support/rssp.js'
import { SignerBrowser } from '../support/signer-browser.js'
import { anyText, fuzz, headerText, send, Watch, WATCHED, type FuzzedRequest } from './fuzzing.js'

const FIELDS = [
  'username',
  'password',
  'otp',
  'pin',
  'action',
  'factor',
  'provider',
  'credentialID',
]

const value = fc.oneof(
  fc.constantFrom('@username', 'continue', 'approve', 'reject', 'send', '000000', 'x-fuzz'),
  anyText,
  fc.constant('<x-fuzz>"\'>'),
)

/** Forms as browsers never send them. */
const forms = fc
  .record({
    fields: fc.array(
      fc.tuple(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...FIELDS) }, anyText), value),
      { maxLength: 6 },
    ),
    more: fc.record(
      {
        'Accept-Language': headerText,
        'Sec-Fetch-Site': fc.constantFrom('cross-site', 'same-origin', 'same-site', 'x'),
        Origin: fc.constantFrom('https://evil.example', 'null', ''),
        'Content-Type': fc.constantFrom('text/plain', 'application/json', 'multipart/form-data'),
        'User-Agent': headerText,
      },
      { requiredKeys: [] },
    ),
    hasHeaders: fc.integer({ min: 0, max: 3 }),
    raw: fc.option(anyText, { freq: 12 }),
  })
  .map(({ fields, more, hasHeaders, raw }) => ({
    method: 'POST',
    target: '@page',
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      ...(hasHeaders === 0
        ? Object.fromEntries(Object.entries(more).filter(([, text]) => text !== ''))
        : {}),
      Cookie: '@cookie',
    },
    body:
      raw === null
        ? fields.map(([name, text]) => `${encode(name)}=${encode(text)}`).join('&')
        : Buffer.from(raw).toString('latin1'),
  }))

function encode(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString()).replaceAll('%40', '@')
}

describe('Any form posted to the pages', () => {
  let rssp: Rssp
  let watch: Watch
  let user: TestUser

  before(async () => {
    rssp = await startRssp({ settings: { ...WATCHED } })
    watch = new Watch(rssp)
    user = await rssp.addUser()
  })
  after(async () => {
    watch.close()
    await rssp.close()
  })

  /** Demands a page under its policy that repeats nothing unescaped, or a way on that is ours. */
  async function answered(
    request: FuzzedRequest,
    page: { url: string },
    browser: SignerBrowser,
  ): Promise<void> {
    const cookie = [...browser.cookies].map(([name, text]) => `${name}=${text}`).join('; ')
    const names = { page: new URL(page.url).pathname, cookie, username: user.username }
    const before = watch.count('Authorisation')
    const { status, headers, text } = await send(rssp, request, names)
    assert.ok(status < 500, `${status} ${text}`)
    assert.ok(!text.includes('<x-fuzz>'), text)
    assert.equal(watch.count('Authorisation'), before, 'something was approved')
    if (status === 200 || status >= 400) {
      assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'/)
    }
    const location = headers.get('location')
    if (location === null) return
    assert.equal(new URL(location, rssp.baseUrl).origin, rssp.baseUrl, location)
  }

  it('does no harm before signing in', async () => {
    const client = await rssp.addClient()
    await fuzz(
      'sign-in',
      forms,
      async (request) => {
        const browser = new SignerBrowser(rssp.baseUrl)
        await answered(request, await openPage(browser, serviceRequest(client)), browser)
      },
      8,
    )
  })

  it('approves nothing', async () => {
    const client = await rssp.addClient()
    const signer = await rssp.addUser()
    const credential = await rssp.addCredential(signer, { withPin: true })
    const browser = new SignerBrowser(rssp.baseUrl)
    const request = credentialRequest(client, credential, [digestOf('contract')])
    let page = await approvalPage(rssp, browser, signer, request)
    await fuzz(
      'approval',
      forms,
      async (form) => {
        await answered(form, page, browser)
        // Rejected or locked, it is over: another one, from the session there is.
        const { html, status } = asPage(await browser.open(page.url))
        if (status === 200 && html.includes('value="approve"')) return
        page = await openPage(browser, request)
      },
      8,
    )
    assert.ok(answersOf(rssp, signer).pin)
  })
})
