import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import { StorageUnavailableError } from '../../src/errors.js'
import {
  digestOf,
  postForm,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser, textOf, type Page } from '../support/signer-browser.js'
import {
  answersOf,
  approvalPage,
  asPage,
  assertRedirectRefusal,
  authorizePath,
  basic,
  codeGrant,
  credentialRequest,
  openPage,
  serviceRequest,
} from './application.js'

const ORIGINS = ['https://evil.example', 'null', 'https://app.example']

describe('The authorization server’s pages (S47)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser({ otpAtSignIn: true })
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())

  const signing = () => credentialRequest(client, credential, [digestOf('contract')])
  const newBrowser = () => new SignerBrowser(rssp.baseUrl)

  async function approval(browser = newBrowser()): Promise<Page> {
    const second = await approvalPage(rssp, browser, user, signing())
    return asPage(await browser.fillIn(second, answersOf(rssp, user)))
  }

  async function consent(): Promise<Page> {
    const browser = newBrowser()
    await approval(browser)
    return openPage(browser, serviceRequest(await rssp.addClient()))
  }

  const pages: [string, number, () => Promise<Page>][] = [
    ['sign-in', 200, () => openPage(newBrowser(), serviceRequest(client))],
    ['second factor', 200, () => approvalPage(rssp, newBrowser(), user, signing())],
    ['approval', 200, () => approval()],
    ['consent', 200, consent],
    [
      'a wrong password',
      200,
      async () => {
        const browser = newBrowser()
        const page = await openPage(browser, serviceRequest(client))
        return asPage(await browser.post(page.url, { username: 'x', password: 'x' }))
      },
    ],
    [
      'an unknown application',
      400,
      () => openPage(newBrowser(), serviceRequest(client, { client_id: 'unknown' })),
    ],
    [
      'a foreign address',
      400,
      () =>
        openPage(newBrowser(), serviceRequest(client, { redirect_uri: 'https://evil.example' })),
    ],
    [
      'a page that is over',
      400,
      async () => asPage(await newBrowser().open('/oauth2/interaction/over')),
    ],
    [
      'an interaction that was never begun',
      400,
      async () => asPage(await newBrowser().open('/oauth2/authorize/never')),
    ],
    [
      'a forged form',
      403,
      async () => {
        const browser = newBrowser()
        const { url } = await openPage(browser, serviceRequest(client))
        const headers = { 'Sec-Fetch-Site': 'cross-site' }
        return asPage(await browser.post(url, { action: 'reject' }, headers))
      },
    ],
    [
      'a form that cannot be read',
      400,
      async () => {
        const browser = newBrowser()
        const { url } = await openPage(browser, serviceRequest(client))
        const headers = { 'Content-Type': 'text/plain' }
        return asPage(await browser.post(url, { action: 'reject' }, headers))
      },
    ],
  ]

  function policyOf(page: Page): Map<string, string> {
    const policy = page.headers.get('content-security-policy') ?? ''
    return new Map(
      policy.split('; ').map((directive) => {
        const [name = '', ...sources] = directive.split(' ')
        return [name, sources.join(' ')]
      }),
    )
  }

  for (const [name, status, open] of pages) {
    it(`${name}: cannot be framed, scripted, kept, indexed or traced`, async () => {
      const page = await open()
      assert.equal(page.status, status, textOf(page.html))
      const { headers } = page
      const expected = {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'x-robots-tag': 'noindex, nofollow',
      }
      const got = Object.keys(expected).map((header) => [header, headers.get(header)])
      assert.deepEqual(Object.fromEntries(got), expected)

      const policy = policyOf(page)
      assert.equal(policy.get('default-src'), "'none'")
      assert.equal(policy.get('frame-ancestors'), "'none'")
      assert.equal(policy.get('base-uri'), "'none'")
      assert.equal(policy.get('style-src'), "'self'")
      assert.equal(policy.get('img-src'), "'self' data:")
      assert.equal(policy.has('script-src'), false)
      assert.doesNotMatch([...policy.values()].join(' '), /unsafe|\*|https?:(?!\/\/app\.example)/)
      assert.doesNotMatch(page.html, /<script|<style|<iframe|\sstyle=|\son\w+=|javascript:/i)
    })

    for (const origin of ORIGINS) {
      it(`${name}: cannot be read by ${origin} (S50)`, async () => {
        const { url } = await open()
        for (const method of ['GET', 'OPTIONS']) {
          const response = await fetch(url, {
            method,
            headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' },
            redirect: 'manual',
          })
          const allowed = [...response.headers.keys()].filter((key) =>
            key.startsWith('access-control-'),
          )
          assert.deepEqual(allowed, [])
        }
      })
    }
  }

  it('let a form lead to the application that asked, and nowhere else', async () => {
    const forms = [
      ['https://app.example/callback', "'self' https://app.example"],
      ['https://app.example:8443/a/b?c=d', "'self' https://app.example:8443"],
      ['http://127.0.0.1:7777/callback', "'self' http://127.0.0.1:7777"],
    ] as const
    for (const [redirect_uri, sources] of forms) {
      const app = await rssp.addClient({ redirect_uris: [redirect_uri, 'https://other.example/'] })
      const page = await openPage(newBrowser(), serviceRequest(app))
      assert.equal(policyOf(page).get('form-action'), sources)
    }
    const lost = asPage(await newBrowser().open('/oauth2/interaction/over'))
    assert.equal(policyOf(lost).get('form-action'), "'self'")
  })

  it('are not HTML where there is nothing, but for people, and never repeat the address', async () => {
    for (const path of ['/', '/nothing', '/oauth2/interaction', '/oauth2/nothing?<b>']) {
      for (const [accept, isPage] of [
        ['text/html,application/xhtml+xml,*/*;q=0.8', true],
        ['application/json', false],
        ['*/*', false],
      ] as const) {
        const response = await fetch(rssp.baseUrl + path, { headers: { accept } })
        assert.equal(response.status, 404)
        assert.equal(/html/.test(response.headers.get('content-type') ?? ''), isPage)
        const policy = response.headers.get('content-security-policy') ?? ''
        assert.equal(policy.startsWith("default-src 'none'"), isPage)
        assert.doesNotMatch(await response.text(), /nothing|<b>/)
      }
    }
  })

  it('redirect by 303, so that nothing posted is posted on (S48)', async () => {
    const browser = newBrowser()
    const page = await openPage(browser, serviceRequest(client))
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(page.url, {
      method: 'POST',
      headers: { cookie },
      body: new URLSearchParams({ action: 'reject' }),
      redirect: 'manual',
    })
    assert.equal(response.status, 303)
    assert.equal(response.headers.get('cache-control'), 'no-store')
    assert.doesNotMatch(response.headers.get('content-type') ?? '', /html/)
  })

  it('are not to be read from elsewhere at oauth2/authorize either', async () => {
    for (const request of [serviceRequest(client), serviceRequest(client, { scope: 'x' })]) {
      for (const origin of ORIGINS) {
        const response = await fetch(rssp.baseUrl + authorizePath(request), {
          headers: { Origin: origin },
          redirect: 'manual',
        })
        assert.equal(response.status, 303)
        assert.equal(response.headers.get('access-control-allow-origin'), null)
      }
    }
  })

  for (const path of ['/oauth2/token', '/oauth2/revoke', '/oauth2/pushed_authorize']) {
    it(`keep company with ${path}, which no other origin may read`, async () => {
      for (const origin of ORIGINS) {
        const response = await fetch(rssp.baseUrl + path, {
          method: 'POST',
          headers: { Origin: origin },
          body: new URLSearchParams(codeGrant(client, 'x')),
        })
        assert.equal(response.headers.get('access-control-allow-origin'), null)
        assert.equal(response.status, 400)
      }
    })
  }

  describe('say nothing of what is inside when the database is away (S67)', () => {
    const secret = 'SQLITE_FULL: /var/lib/openrssp/rssp.db'
    let broken: Rssp
    before(async () => {
      broken = await startRssp()
    })
    after(() => broken.close())

    async function whileBroken<T>(act: () => Promise<T>): Promise<T> {
      const { database } = broken.services
      const commit = database.commit.bind(database)
      database.commit = () => Promise.reject(new StorageUnavailableError(secret))
      try {
        return await act()
      } finally {
        database.commit = commit
      }
    }

    it('at sign-in', async () => {
      const browser = new SignerBrowser(broken.baseUrl)
      const person = await broken.addUser()
      const page = await openPage(browser, serviceRequest(await broken.addClient()))
      const answers = answersOf(broken, person)
      const failed = asPage(await whileBroken(() => browser.fillIn(page, answers)))
      assert.equal(failed.status, 503)
      assert.match(textOf(failed.html), /Not available at the moment/)
      assert.ok(!failed.html.includes('SQLITE'))
    })

    it('at approval, and the application is not blamed', async () => {
      const browser = new SignerBrowser(broken.baseUrl)
      const person = await broken.addUser()
      const key = await broken.addCredential(person)
      const request = credentialRequest(await broken.addClient(), key, [digestOf('x')])
      const page = await approvalPage(broken, browser, person, request)
      const answers = answersOf(broken, person)
      const failed = asPage(await whileBroken(() => browser.fillIn(page, answers)))
      assert.equal(failed.status, 503)
      assert.ok(!failed.html.includes('SQLITE'))
    })

    it('at the token endpoint', async () => {
      const app = await broken.addClient()
      const browser = new SignerBrowser(broken.baseUrl)
      const answer = await browser.authorize(
        serviceRequest(app),
        answersOf(broken, await broken.addUser()),
      )
      const fields = codeGrant(app, answer.get('code') ?? '')
      const response = await whileBroken(() =>
        fetch(`${broken.baseUrl}/oauth2/token`, {
          method: 'POST',
          body: new URLSearchParams(fields),
        }),
      )
      assert.equal(response.status, 503)
      assert.equal(response.headers.get('retry-after'), '1')
      assert.deepEqual(await response.json(), {
        error: 'temporarily_unavailable',
        error_description: 'Try again later',
      })
    })
  })
})

describe('What applications write (S49)', () => {
  let rssp: Rssp
  let user: TestUser
  let credential: Credential

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())

  const scripts = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    '</bdi></strong><form action=https://evil.example>',
    '<svg/onload=alert(1)>',
    '&lt;script&gt;alert(1)&lt;/script&gt;',
    '{{7*7}}${7*7}<%= 7*7 %>',
    '\u0000<script>\u0000',
    '<!--',
    ']]><![CDATA[<b>',
  ]
  const disguises = [
    ['right-to-left override', 'invoice\u202Efdp.exe', 'invoicefdp.exe'],
    ['isolates', '\u2067abc\u2069\u2066def', 'abcdef'],
    ['left-to-right and right-to-left marks', 'a\u200Eb\u200Fc\u061C', 'abc'],
    ['zero-width characters', 'pay\u200Bpal\u200C\u200D\uFEFF\u2060', 'paypal'],
    ['soft hyphens', 'pay\u00ADpal', 'paypal'],
    ['tag characters', 'pay\u{E0041}\u{E0042}pal', 'paypal'],
    ['variation selectors', 'pay\uFE0Fpal\u{E0100}', 'paypal'],
    ['line breaks', 'one\r\ntwo\u2028three\u2029four', 'one two three four'],
    ['blanks that are letters', 'a\u3164b\u115Fc\u2800d', 'abcd'],
  ] as const

  async function shown(name: string, description: string): Promise<Page[]> {
    const client = await rssp.addClient({ name })
    const browser = new SignerBrowser(rssp.baseUrl)
    const digests = [digestOf('x')]
    const request = credentialRequest(client, credential, digests, { description })
    const signIn = await openPage(browser, request)
    const approval = asPage(await browser.fillIn(signIn, answersOf(rssp, user)))
    const consent = await openPage(browser, serviceRequest(client))
    return [signIn, approval, consent]
  }

  for (const text of scripts) {
    it(`is text, and no part of the page: ${JSON.stringify(text)}`, async () => {
      const plain = await shown('Plain', 'plain')
      const tags = (html: string) =>
        (html.match(/<[a-z/!][^>]*>/gi) ?? []).map((tag) => tag.split(/[\s>]/)[0])
      for (const [index, page] of (await shown(text, text)).entries()) {
        assert.deepEqual(tags(page.html), tags(plain[index]?.html ?? ''))
        assert.doesNotMatch(page.html, /<script|<img|<svg\//i)
        assert.ok(!page.html.includes('\u0000'))
      }
    })
  }

  for (const [what, text, plain] of disguises) {
    it(`is shown without ${what}`, async () => {
      for (const page of await shown(text, text)) {
        const [heading = ''] = /<strong class="client"><bdi>.*?<\/bdi>/s.exec(page.html) ?? []
        assert.equal(heading, `<strong class="client"><bdi>${plain}</bdi>`)
        assert.ok(!page.html.includes(text))
      }
    })
  }

  it('is cut where it is longer than a name', async () => {
    for (const page of await shown('n'.repeat(5000), 'd'.repeat(500))) {
      assert.doesNotMatch(page.html, /n{101}/)
    }
  })

  it('does not make an error page say what it wants', async () => {
    for (const [name, value] of [
      ['client_id', '<script>alert(1)</script>'],
      ['redirect_uri', 'javascript:alert(1)'],
      ['state', '"><script>alert(1)</script>'],
      ['lang', '"><script>alert(1)</script>'],
      ['ui_locales', '"><script>alert(1)</script>'],
      ['response_mode', '"><script>alert(1)</script>'],
    ] as const) {
      const client = await rssp.addClient()
      const request = serviceRequest(client, {
        redirect_uri: 'https://evil.example/',
        [name]: value,
      })
      const page = await openPage(new SignerBrowser(rssp.baseUrl), request)
      assert.equal(page.status, 400)
      assert.doesNotMatch(page.html, /alert\(1\)|evil/)
    }
  })

  for (const response_mode of ['form_post', 'fragment', 'web_message', 'jwt', 'x']) {
    it(`is answered in the query, and not as ${response_mode}`, async () => {
      const client = await rssp.addClient()
      for (const changes of [{}, { scope: 'x' }, { code_challenge_method: 'plain' }]) {
        const request = serviceRequest(client, { ...changes, response_mode })
        const response = await fetch(rssp.baseUrl + authorizePath(request), { redirect: 'manual' })
        assert.equal(response.status, 303)
        const { searchParams, hash } = new URL(response.headers.get('location') ?? '')
        assert.equal(hash, '')
        assertRedirectRefusal(
          rssp,
          searchParams,
          'unsupported_response_mode',
          'unsupported response_mode requested',
        )
        const page = await fetch(
          rssp.baseUrl + authorizePath({ ...request, state: '', client_id: 'x' }),
        )
        assert.equal(page.status, 400)
        assert.doesNotMatch(await page.text(), /<script/)
      }
    })

    it(`is not pushed for ${response_mode} either`, async () => {
      const client = await rssp.addClient()
      const { status, body } = await postForm(
        `${rssp.baseUrl}/oauth2/pushed_authorize`,
        serviceRequest(client, { response_mode }),
        basic(client),
      )
      assert.deepEqual([status, body.error], [400, 'unsupported_response_mode'])
    })
  }
})
