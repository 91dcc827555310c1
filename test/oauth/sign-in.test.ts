import assert from 'node:assert/strict'
import { totpCode } from '../../src/identity/totp.js'
import { digestOf, startRssp, type Rssp, type TestClient, type TestUser } from '../support/rssp.js'
import { SignerBrowser, textOf, type Page } from '../support/signer-browser.js'
import {
  answersOf,
  approvalPage,
  asAnswer,
  asPage,
  assertRedirectRefusal,
  authorizePath,
  credentialRequest,
  openPage,
  serviceRequest,
} from './application.js'

const WRONG = 'User name or password is not correct. Please try again.'
const TOO_MANY = 'There were too many attempts. Please wait a few minutes, then try again.'
const DENIED = 'The user, authorization server or remote service denied the request.'

describe('Signing in', () => {
  let rssp: Rssp
  let client: TestClient
  const limits = { signInFailures: 5, signInWindowSeconds: 300 }

  before(async () => {
    rssp = await startRssp({ settings: { limits, proxy: { trusted: true } } })
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  const codeOf = (user: TestUser) => totpCode(user.totpSecret, rssp.clock.now())
  const from = (address: string) => ({ 'X-Forwarded-For': address })

  function signInPage(browser = new SignerBrowser(rssp.baseUrl), of = client): Promise<Page> {
    return openPage(browser, serviceRequest(of))
  }

  /** One attempt in a browser of its own, from an address of its own unless one is given. */
  async function attempt(
    fields: { username: string; password: string },
    address = `10.${[0, 0, 0].map(() => Math.floor(Math.random() * 256)).join('.')}`,
  ): Promise<Page | URLSearchParams> {
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = await signInPage(browser)
    return browser.post(page.url, { ...fields, action: 'continue' }, from(address))
  }

  function withoutIds(page: Page): string {
    return page.html.replace(/interaction\/[\w-]+/g, '').replace(/ value="[^"]*"/, '')
  }

  describe('with a password', () => {
    it('says who asks, and for what', async () => {
      const page = await signInPage()
      assert.equal(page.status, 200)
      assert.match(textOf(page.html), /Test App asks to see your signing credentials\./)
      const credential = await rssp.addCredential(await rssp.addUser())
      const request = credentialRequest(client, credential, [digestOf('x')])
      const signing = await openPage(new SignerBrowser(rssp.baseUrl), request)
      assert.match(textOf(signing.html), /Test App asks you for a signature\./)
    })

    it('answers a wrong password, an unknown user and a disabled one identically (S24)', async () => {
      const user = await rssp.addUser()
      const disabled = await rssp.addUser()
      await rssp.services.users.disable(disabled.id, rssp.clock.now())
      const attempts = [
        { username: user.username, password: 'wrong' },
        { username: user.username, password: '' },
        { username: 'nobody', password: 'wrong' },
        { username: '', password: '' },
        { username: disabled.username, password: disabled.password },
        { username: "' OR 1=1 --", password: "' OR 1=1 --" },
      ]
      const pages = []
      for (const fields of attempts) pages.push(asPage(await attempt(fields)))
      for (const page of pages) {
        assert.equal(page.status, 200)
        assert.ok(textOf(page.html).includes(WRONG))
      }
      assert.equal(new Set(pages.slice(0, 3).map(withoutIds)).size, 1)
      assert.equal(withoutIds(pages[4] as Page), withoutIds(pages[0] as Page))
    })

    it('is as slow for unknown users as for known ones (S24)', async () => {
      const timeOf = async (username: string) => {
        const started = performance.now()
        await attempt({ username, password: 'wrong' })
        return performance.now() - started
      }
      let [known, unknown] = [Infinity, Infinity]
      // Of several, as a busy machine holds up the one or the other.
      for (let round = 0; round < 6 && (round === 0 || unknown <= known / 2); round += 1) {
        const { username } = await rssp.addUser()
        for (let turn = 0; turn < 4; turn += 1) {
          known = Math.min(known, await timeOf(username))
          unknown = Math.min(unknown, await timeOf(`nobody-at-all-${round}`))
        }
      }
      assert.ok(
        unknown > known / 2,
        `${known} ms for a known user, ${unknown} ms for an unknown one`,
      )
    })

    it('keeps what was typed as user name, and never the password', async () => {
      const page = asPage(await attempt({ username: 'erika"><b>', password: 'S3CRET' }))
      assert.ok(page.html.includes('value="erika&quot;>&lt;b>"'), page.html)
      assert.ok(!page.html.includes('S3CRET'))
    })

    it('puts failures on record without the password (S79, S81)', async () => {
      await attempt({ username: 'recorded', password: 'S3CRET' }, '10.9.9.9')
      const events = (await rssp.auditEvents()).filter(({ event }) => event === 'sign-in.failed')
      const last = events.at(-1)?.detail
      assert.equal(last?.['username'], 'recorded')
      assert.equal(last['address'], '10.9.9.9')
      assert.ok(!JSON.stringify(events).includes('S3CRET'))
    })

    it('asks again after a wrong one, and then lets in', async () => {
      const user = await rssp.addUser()
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await signInPage(browser)
      const again = asPage(
        await browser.fillIn(page, { ...answersOf(rssp, user), password: 'wrong' }),
      )
      assert.ok(asAnswer(await browser.fillIn(again, answersOf(rssp, user))).get('code'))
    })

    it('locks an address that guessed too often, and no other', async () => {
      const user = await rssp.addUser()
      const right = { username: user.username, password: user.password }
      const wrong = { ...right, password: 'wrong' }
      for (let i = 0; i < limits.signInFailures; i += 1) {
        assert.equal(asPage(await attempt(wrong, '192.0.2.1')).status, 200)
      }
      for (const fields of [wrong, right]) {
        const page = asPage(await attempt(fields, '192.0.2.1'))
        assert.equal(page.status, 429)
        assert.ok(textOf(page.html).includes(TOO_MANY))
      }
      assert.ok(asAnswer(await attempt(right, '192.0.2.2')).get('code'))
    })

    it('locks unknown names in the same way', async () => {
      const wrong = { username: 'no-such-user', password: 'wrong' }
      const statuses = []
      for (let i = 0; i <= limits.signInFailures; i += 1) {
        statuses.push(asPage(await attempt(wrong, '192.0.2.10')).status)
      }
      assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429])
    })

    it('counts the same name in other case as one', async () => {
      const { username } = await rssp.addUser()
      const statuses = []
      for (const name of [username, username.toUpperCase(), username]) {
        for (let i = 0; i < 2; i += 1) {
          const fields = { username: name, password: 'wrong' }
          statuses.push(asPage(await attempt(fields, '192.0.2.11')).status)
        }
      }
      assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429])
    })

    it('evaluates no more than that of 30 guesses at once', async () => {
      const user = await rssp.addUser()
      const wrong = { username: user.username, password: 'wrong' }
      const answers = await Promise.all(
        Array.from({ length: 30 }, () => attempt(wrong, '192.0.2.3')),
      )
      const evaluated = answers.filter((answer) => asPage(answer).status === 200)
      assert.equal(evaluated.length, limits.signInFailures)
    })

    it('lets the address try again after the window', async () => {
      const user = await rssp.addUser()
      const wrong = { username: user.username, password: 'wrong' }
      for (let i = 0; i <= limits.signInFailures; i += 1) await attempt(wrong, '192.0.2.4')
      rssp.clock.advance(limits.signInWindowSeconds + 1)
      const answer = await attempt({ ...wrong, password: user.password }, '192.0.2.4')
      assert.ok(asAnswer(answer).get('code'))
    })

    it('forgets wrong ones after the right one', async () => {
      const user = await rssp.addUser()
      const right = { username: user.username, password: user.password }
      for (let round = 0; round < 3; round += 1) {
        for (let i = 1; i < limits.signInFailures; i += 1) {
          await attempt({ ...right, password: 'wrong' }, '192.0.2.5')
        }
        assert.ok(asAnswer(await attempt(right, '192.0.2.5')).get('code'))
      }
    })

    it('refuses a field that comes twice', async () => {
      const user = await rssp.addUser()
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await signInPage(browser)
      const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const { username, password } = user
      const fields = new URLSearchParams({ username, password, action: 'continue' })
      fields.append('username', username)
      const response = await fetch(page.url, { method: 'POST', headers: { cookie }, body: fields })
      assert.equal(response.status, 400)
    })
  })

  it('can be cancelled, which the application is told', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = await signInPage(browser)
    const answer = asAnswer(await browser.post(page.url, { action: 'reject' }))
    assertRedirectRefusal(rssp, answer, 'access_denied', DENIED)
  })

  describe('with a second factor', () => {
    async function secondFactorPage(user: TestUser, browser: SignerBrowser): Promise<Page> {
      const page = await signInPage(browser)
      const { username, password } = user
      const next = asPage(await browser.post(page.url, { username, password, action: 'continue' }))
      assert.match(textOf(next.html), /Enter your code/)
      return next
    }

    it('asks for a code where the account demands one, and lets in with it', async () => {
      const user = await rssp.addUser({ otpAtSignIn: true })
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await secondFactorPage(user, browser)
      const answer = await browser.post(page.url, { otp: codeOf(user), action: 'continue' })
      assert.ok(asAnswer(answer).get('code'))
      const events = await rssp.auditEvents()
      const last = events.filter(({ event }) => event === 'sign-in.succeeded').at(-1)
      assert.deepEqual(last?.detail['factors'], ['pwd', 'otp'])
    })

    it('cannot be skipped', async () => {
      const user = await rssp.addUser({ otpAtSignIn: true })
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await secondFactorPage(user, browser)
      for (const fields of [
        { action: 'continue' },
        { action: 'approve' },
        { otp: '', action: 'continue' },
        { otp: '000000', action: 'continue' },
        { username: user.username, password: user.password, otp: '', action: 'continue' },
      ] as Record<string, string>[]) {
        const next = asPage(await browser.post(page.url, fields))
        assert.match(textOf(next.html), /Enter your code/)
      }
      const resume = page.url.replace('/interaction/', '/authorize/')
      const step = await browser.open(resume)
      if (step instanceof URLSearchParams) assert.equal(step.get('code'), null)
    })

    it('comes after the password only', async () => {
      const user = await rssp.addUser({ otpAtSignIn: true })
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await signInPage(browser)
      const next = await browser.post(page.url, { otp: codeOf(user), action: 'continue' })
      assert.match(asPage(next).html, /name="password"/)
    })

    it('is no second factor five minutes after the password', async () => {
      const user = await rssp.addUser({ otpAtSignIn: true })
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await secondFactorPage(user, browser)
      rssp.clock.advance(301)
      const next = await browser.post(page.url, { otp: codeOf(user), action: 'continue' })
      assert.match(asPage(next).html, /name="password"/)
    })

    it('works once, in sequence', async () => {
      const user = await rssp.addUser({ otpAtSignIn: true })
      const otp = codeOf(user)
      const outcomes = []
      for (let i = 0; i < 2; i += 1) {
        const browser = new SignerBrowser(rssp.baseUrl)
        const page = await secondFactorPage(user, browser)
        outcomes.push(await browser.post(page.url, { otp, action: 'continue' }))
      }
      assert.ok(asAnswer(outcomes[0] ?? assert.fail()).get('code'))
      const refused = textOf(asPage(outcomes[1] ?? assert.fail()).html)
      assert.match(refused, /This one-time code has been used already\./)
    })

    it('works once, of 20 times at once (S21)', async () => {
      const roomy = await startRssp({ settings: { limits: { signInFailures: 100 } } })
      try {
        const user = await roomy.addUser({ otpAtSignIn: true })
        const app = await roomy.addClient()
        const waiting = await Promise.all(
          Array.from({ length: 20 }, async () => {
            const browser = new SignerBrowser(roomy.baseUrl)
            const page = await openPage(browser, serviceRequest(app))
            const { username, password } = user
            const fields = { username, password, action: 'continue' }
            return { browser, page: asPage(await browser.post(page.url, fields)) }
          }),
        )
        const otp = totpCode(user.totpSecret, roomy.clock.now())
        const outcomes = await Promise.all(
          waiting.map(({ browser, page }) => browser.post(page.url, { otp, action: 'continue' })),
        )
        const told = outcomes.filter((outcome) => outcome instanceof URLSearchParams)
        assert.equal(told.length, 1)
      } finally {
        await roomy.close()
      }
    })

    for (const [what, spoil] of [
      [
        'full-width digits',
        (otp: string) => otp.replace(/\d/g, (d) => String.fromCharCode(0xff10 + Number(d))),
      ],
      ['a digit too few', (otp: string) => otp.slice(1)],
      ['a digit too many', (otp: string) => `${otp}0`],
      ['a sign', (otp: string) => `+${otp}`],
    ] as const) {
      it(`does not take ${what}`, async () => {
        const user = await rssp.addUser({ otpAtSignIn: true })
        const browser = new SignerBrowser(rssp.baseUrl)
        const page = await secondFactorPage(user, browser)
        const otp = spoil(codeOf(user))
        const next = asPage(await browser.post(page.url, { otp, action: 'continue' }))
        assert.match(textOf(next.html), /The one-time code is not correct\./)
      })
    }

    it('takes the space that authenticators show', async () => {
      const user = await rssp.addUser({ otpAtSignIn: true })
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await secondFactorPage(user, browser)
      const otp = codeOf(user).replace(/(\d{3})/, '$1 ')
      assert.ok(asAnswer(await browser.post(page.url, { otp, action: 'continue' })).get('code'))
    })

    it('is not taken from another person', async () => {
      const user = await rssp.addUser({ otpAtSignIn: true })
      const other = await rssp.addUser({ otpAtSignIn: true })
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await secondFactorPage(user, browser)
      const next = await browser.post(page.url, { otp: codeOf(other), action: 'continue' })
      assert.match(textOf(asPage(next).html), /The one-time code is not correct\./)
    })

    it('cannot be guessed on and on, with new sign-ins either', async () => {
      const user = await rssp.addUser({ otpAtSignIn: true })
      const statuses = []
      for (let i = 0; i <= limits.signInFailures; i += 1) {
        const browser = new SignerBrowser(rssp.baseUrl)
        const page = await secondFactorPage(user, browser)
        const fields = { otp: '000000', action: 'continue' }
        statuses.push(asPage(await browser.post(page.url, fields)).status)
      }
      assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429])
    })

    it('can be cancelled', async () => {
      const user = await rssp.addUser({ otpAtSignIn: true })
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await secondFactorPage(user, browser)
      const answer = asAnswer(await browser.post(page.url, { action: 'reject' }))
      assertRedirectRefusal(rssp, answer, 'access_denied', DENIED)
    })
  })

  describe('lasts', () => {
    async function signedIn(user: TestUser): Promise<SignerBrowser> {
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await signInPage(browser)
      assert.ok(asAnswer(await browser.fillIn(page, answersOf(rssp, user))).get('code'))
      return browser
    }

    it('for the same application without another page', async () => {
      const browser = await signedIn(await rssp.addUser())
      assert.ok(asAnswer(await browser.open(authorizePath(serviceRequest(client)))).get('code'))
    })

    it('for another application with the question whether it may', async () => {
      const user = await rssp.addUser()
      const browser = await signedIn(user)
      const other = await rssp.addClient({ name: 'Other App' })
      for (const [action, outcome] of [
        ['reject', 'error'],
        ['continue', 'code'],
      ] as const) {
        const page = await signInPage(browser, other)
        const text = textOf(page.html)
        assert.match(text, /Allow access\? Other App asks to see your signing credentials\./)
        assert.match(text, new RegExp(`You are signed in as Test ${user.username} \\.`))
        assert.ok(asAnswer(await browser.post(page.url, { action })).get(outcome))
      }
      const silent = await browser.open(authorizePath(serviceRequest(other)))
      assert.ok(asAnswer(silent).get('code'))
    })

    it('through an approval, which still asks for a code', async () => {
      const user = await rssp.addUser()
      const browser = await signedIn(user)
      const credential = await rssp.addCredential(user)
      const page = await openPage(browser, credentialRequest(client, credential, [digestOf('x')]))
      assert.match(page.html, /name="otp"/)
      assert.ok(asAnswer(await browser.fillIn(page, answersOf(rssp, user))).get('code'))
      assert.ok(asAnswer(await browser.open(authorizePath(serviceRequest(client)))).get('code'))
    })

    it('no longer than an hour, however much it is used (S28)', async () => {
      const browser = await signedIn(await rssp.addUser())
      for (let minutes = 0; minutes < 50; minutes += 10) {
        rssp.clock.advance(600)
        assert.ok(asAnswer(await browser.open(authorizePath(serviceRequest(client)))).get('code'))
      }
      rssp.clock.advance(620)
      assert.match((await signInPage(browser)).html, /name="password"/)
    })

    it('not when the account is disabled (S28)', async () => {
      const user = await rssp.addUser()
      const browser = await signedIn(user)
      await rssp.services.users.disable(user.id, rssp.clock.now())
      const step = await browser.open(authorizePath(serviceRequest(client)))
      const page = asPage(step)
      assert.match(page.html, /name="password"/)
      const refused = asPage(await browser.fillIn(page, answersOf(rssp, user)))
      assert.ok(textOf(refused.html).includes(WRONG))
      const next = await rssp.addUser()
      assert.ok(asAnswer(await browser.fillIn(refused, answersOf(rssp, next))).get('code'))
    })

    it('until somebody else signs in, who then is the only one', async () => {
      const [first, second] = [await rssp.addUser(), await rssp.addUser()]
      const browser = await signedIn(first)
      const page = await openPage(browser, { ...serviceRequest(client), prompt: 'login' })
      const answer = asAnswer(await browser.fillIn(page, answersOf(rssp, second)))
      assert.ok(answer.get('code'))
      const credential = await rssp.addCredential(second)
      const request = credentialRequest(client, credential, [digestOf('x')])
      const approval = await openPage(browser, request)
      assert.ok(textOf(approval.html).includes(`Signer Test ${second.username}`))
    })

    it('under a new name after signing in: an old cookie is worth nothing (S28)', async () => {
      const user = await rssp.addUser()
      const browser = await signedIn(user)
      const old = new SignerBrowser(rssp.baseUrl)
      for (const [name, value] of browser.cookies) old.cookies.set(name, value)
      const credential = await rssp.addCredential(user)
      const request = credentialRequest(client, credential, [digestOf('x')])
      const page = await openPage(browser, request)
      await browser.fillIn(page, answersOf(rssp, user))
      const step = await old.open(authorizePath(serviceRequest(client)))
      assert.match(asPage(step).html, /name="password"/)
    })
  })

  it('shows the approval page next when a signature was asked for', async () => {
    const user = await rssp.addUser({ otpAtSignIn: true })
    const credential = await rssp.addCredential(user)
    const browser = new SignerBrowser(rssp.baseUrl)
    const request = credentialRequest(client, credential, [digestOf('x')])
    const second = await approvalPage(rssp, browser, user, request)
    const approval = asPage(await browser.fillIn(second, answersOf(rssp, user)))
    assert.match(approval.html, /value="approve"/)
  })
})
