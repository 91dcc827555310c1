import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import { totpCode } from '../../src/identity/totp.js'
import {
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser, textOf, type Page } from '../support/signer-browser.js'
import {
  answersOf,
  approvalPage,
  asAnswer,
  asPage,
  assertRedirectRefusal,
  codeGrant,
  credentialRequest,
  openPage,
  requestToken,
  serviceRequest,
  type Changes,
} from './application.js'

const WRONG_CODE =
  'The one-time code is not correct. Please enter the one that your app shows now, or that was sent to you last.'
const USED_CODE =
  'This one-time code has been used already. Please wait until your app shows the next one.'
const WRONG_PIN = 'The PIN is not correct. Please try again.'
const LOCKED = /There were too many wrong entries\. For your protection, this is locked until /
const EXPIRED = 'This page is no longer valid'
const DENIED = 'The user, authorization server or remote service denied the request.'

describe('The approval of signatures', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  const digests = [digestOf('contract'), digestOf('annex')]
  const limits = { factorFailures: 5, lockSeconds: 900 }

  before(async () => {
    rssp = await startRssp({ settings: { limits } })
    client = await rssp.addClient({ name: 'Contract Portal' })
  })
  after(() => rssp.close())
  beforeEach(async () => {
    user = await rssp.addUser()
    credential = await rssp.addCredential(user)
  })

  const request = (changes: Changes = {}, of = credential) =>
    credentialRequest(client, of, digests, changes)
  const otp = (of = user) => totpCode(of.totpSecret, rssp.clock.now())

  async function open(changes: Changes = {}, of = credential) {
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = await approvalPage(rssp, browser, user, request(changes, of))
    assert.match(page.html, /value="approve"/)
    rssp.clock.advance(30)
    return { browser, page }
  }

  function approve(
    { browser, page }: { browser: SignerBrowser; page: Page },
    fields: Record<string, string> = { otp: otp() },
  ) {
    return browser.post(page.url, { ...fields, action: 'approve' })
  }

  function authorisations(of = credential) {
    return rssp.services.database.read.authorisation.findMany({
      where: { credentialId: of.id },
      include: { digests: { orderBy: { position: 'asc' } } },
    })
  }

  async function assertNothingApproved(of = credential) {
    assert.deepEqual(await authorisations(of), [])
  }

  async function eventsOf(name: string, credentialId = credential.id) {
    const events = await rssp.auditEvents()
    return events.filter(
      ({ event, detail }) => event === name && detail['credentialId'] === credentialId,
    )
  }

  function cookieHeader(browser: SignerBrowser): string {
    return [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** The page's digests, as a person reads them: hexadecimal, in the order shown. */
  function shownDigests(html: string): string[] {
    return [...html.matchAll(/<data class="fingerprint"[^>]*>(.*?)<\/data>/g)].map(([, inner]) =>
      (inner ?? '').replace(/<[^>]*>/g, ''),
    )
  }

  describe('page (S12)', () => {
    it('shows who asks, who signs, what for, how many, which digests and which certificate', async () => {
      const { page } = await open({ description: 'Lease of the flat', numSignatures: '3' })
      const text = textOf(page.html)
      assert.match(text, /Approve these 3 signatures\? Contract Portal asks you for 3 signatures\./)
      assert.match(text, /Purpose, as stated by the application Lease of the flat Signer/)
      assert.match(text, new RegExp(`Signer Test ${user.username} Signatures 3 `))
      assert.match(text, /Valid for 6 minutes after your approval/)
      const subject = textOf(page.html.replaceAll('<wbr/>', ''))
      assert.ok(
        subject.includes(`CN=Test ${user.username},givenName=Test,surname=${user.username}`),
      )
      assert.match(text, /Serial number [0-9A-F]{8,}/)
      assert.match(text, /What you sign \(2\) The letters and digits are fingerprints \(SHA-256\)/)
      assert.deepEqual(
        shownDigests(page.html),
        digests.map((digest) => digest.toString('hex')),
      )
    })

    it('shows every digest of a long list', async () => {
      const many = Array.from({ length: 60 }, (_, index) => digestOf(`document ${index}`))
      const roomy = await rssp.addCredential(user, { multisign: 100 })
      const browser = new SignerBrowser(rssp.baseUrl)
      const asked = credentialRequest(client, roomy, many)
      const page = await approvalPage(rssp, browser, user, asked)
      assert.deepEqual(
        shownDigests(page.html),
        many.map((digest) => digest.toString('hex')),
      )
    })

    it('asks for a PIN where the credential has one', async () => {
      const withPin = await rssp.addCredential(user, { withPin: true })
      assert.match((await open({}, withPin)).page.html, /name="pin"/)
      assert.doesNotMatch((await open()).page.html, /name="pin"/)
    })

    it('does nothing by being looked at, or by a form that does not approve', async () => {
      const opened = await open()
      await opened.browser.open(opened.page.url)
      for (const action of ['continue', '', 'Approve', 'approve ']) {
        const step = await opened.browser.post(opened.page.url, { otp: otp(), action })
        assert.match(asPage(step).html, /value="approve"/)
      }
      await opened.browser.open(opened.page.url.replace('/interaction/', '/authorize/'))
      await assertNothingApproved()
    })
  })

  describe('with the right code', () => {
    it('authorises exactly what was shown (S12)', async () => {
      const opened = await open({ description: 'Lease', numSignatures: '3' })
      assert.ok(asAnswer(await approve(opened)).get('code'))
      const [authorisation, ...more] = await authorisations()
      assert.deepEqual(more, [])
      assert.ok(authorisation)
      const { clientId, userId, credentialId, hashAlgorithm, numSignatures } = authorisation
      assert.deepEqual(
        { clientId, userId, credentialId, hashAlgorithm, numSignatures },
        {
          clientId: client.client_id,
          userId: user.id,
          credentialId: credential.id,
          hashAlgorithm: SHA256,
          numSignatures: 3,
        },
      )
      assert.deepEqual(
        authorisation.digests.map(({ digest }) => digest),
        [...digests.map((digest) => digest.toString('base64')), null],
      )
      const shown = shownDigests(opened.page.html)
      const [granted] = await eventsOf('authorisation.granted')
      assert.deepEqual(
        granted?.detail['digests'],
        shown.map((hex) => Buffer.from(hex, 'hex').toString('base64')),
      )
    })

    it('lets exactly that be signed', async () => {
      const answer = asAnswer(await approve(await open()))
      const { body } = await requestToken(rssp, codeGrant(client, answer.get('code') ?? ''))
      const sign = (digest: Buffer) =>
        rssp.call(
          'signatures/signHash',
          {
            credentialID: credential.id,
            hashes: [digest.toString('base64')],
            hashAlgorithmOID: SHA256,
            signAlgo: ECDSA_SHA256,
          },
          body.access_token,
        )
      assert.equal((await sign(digestOf('something else'))).status, 400)
      for (const digest of digests) assert.equal((await sign(digest)).status, 200)
    })

    it('takes the PIN and the code together', async () => {
      const withPin = await rssp.addCredential(user, { withPin: true })
      const opened = await open({}, withPin)
      assert.ok(asAnswer(await approve(opened, { otp: otp(), pin: user.pin })).get('code'))
      const [granted] = await eventsOf('authorisation.granted', withPin.id)
      assert.deepEqual(granted?.detail['factors'], ['pin', 'totp'])
    })

    it('cannot be given for another request of the same browser (S22)', async () => {
      const opened = await open()
      const other = await openPage(opened.browser, request({ description: 'other' }))
      assert.notEqual(other.url, opened.page.url)
      const step = await approve(opened)
      assert.match(textOf(asPage(step).html), new RegExp(EXPIRED))
      await assertNothingApproved()
    })

    it('gives one authorisation when it is given twice', async () => {
      const opened = await open()
      assert.ok(asAnswer(await approve(opened)).get('code'))
      rssp.clock.advance(30)
      const again = asPage(await approve(opened))
      assert.equal(again.status, 400)
      assert.ok(textOf(again.html).includes(EXPIRED))
      assert.equal((await authorisations()).length, 1)
    })

    it('gives one authorisation when it is given in two tabs at once', async () => {
      for (let round = 0; round < 5; round += 1) {
        const of = await rssp.addCredential(user)
        const opened = await open({}, of)
        // Two good codes: the one shown now, and the next one, which drift allows.
        const next = totpCode(user.totpSecret, new Date(rssp.clock.now().getTime() + 30_000))
        const headers = { cookie: cookieHeader(opened.browser) }
        await Promise.all(
          [otp(), next].map((code) =>
            fetch(opened.page.url, {
              method: 'POST',
              headers,
              body: new URLSearchParams({ otp: code, action: 'approve' }),
              redirect: 'manual',
            }),
          ),
        )
        assert.equal((await authorisations(of)).length, 1)
        rssp.clock.advance(60)
      }
    })

    it('is too late when the time shown is over', async () => {
      const opened = await open()
      rssp.clock.advance(600)
      const page = asPage(await approve(opened))
      assert.equal(page.status, 400)
      assert.ok(textOf(page.html).includes(EXPIRED))
      await assertNothingApproved()
    })

    it('is worth nothing once the credential is revoked', async () => {
      const opened = await open()
      await rssp.services.credentials.revoke(credential.id, 'test')
      const words = 'The credential identified by credentialID is disabled'
      assertRedirectRefusal(rssp, asAnswer(await approve(opened)), 'invalid_request', words)
      await assertNothingApproved()
    })

    it('is worth nothing once the person is disabled', async () => {
      const opened = await open()
      await rssp.services.users.disable(user.id, rssp.clock.now())
      const step = await approve(opened)
      if (step instanceof URLSearchParams) assert.equal(step.get('error'), 'access_denied')
      else assert.equal(step.status, 400)
      await assertNothingApproved()
    })

    it('is worth nothing once the application is disabled', async () => {
      const other = await rssp.addClient()
      const browser = new SignerBrowser(rssp.baseUrl)
      const asked = credentialRequest(other, credential, digests)
      const page = await approvalPage(rssp, browser, user, asked)
      rssp.clock.advance(30)
      await rssp.services.clients.disable(other.client_id, rssp.clock.now())
      assert.equal(asPage(await approve({ browser, page })).status, 400)
      await assertNothingApproved()
    })
  })

  describe('refuses', () => {
    const wrongCodes: [string, (code: string) => string][] = [
      ['a wrong code', (code) => String((Number(code) + 1) % 1_000_000).padStart(6, '0')],
      ['no code', () => ''],
      ['a code cut short', (code) => code.slice(1)],
      ['letters', () => 'abcdef'],
    ]
    for (const [what, spoil] of wrongCodes) {
      it(what, async () => {
        const page = asPage(await approve(await open(), { otp: spoil(otp()) }))
        assert.equal(page.status, 200)
        assert.ok(textOf(page.html).includes(WRONG_CODE))
        assert.match(page.html, /<div class="problem" role="alert"/)
        await assertNothingApproved()
      })
    }

    it('another person’s code', async () => {
      const other = await rssp.addUser()
      const page = asPage(await approve(await open(), { otp: otp(other) }))
      assert.ok(textOf(page.html).includes(WRONG_CODE))
      await assertNothingApproved()
    })

    it('an old code', async () => {
      const opened = await open()
      const old = otp()
      rssp.clock.advance(90)
      const page = asPage(await approve(opened, { otp: old }))
      assert.ok(textOf(page.html).includes(WRONG_CODE))
    })

    it('a code used before, for another request too, and counts no guess (S21)', async () => {
      const [first, second] = [await open(), await open()]
      const code = otp()
      assert.ok(asAnswer(await approve(first, { otp: code })).get('code'))
      for (let i = 0; i <= limits.factorFailures; i += 1) {
        const page = asPage(await approve(second, { otp: code }))
        assert.ok(textOf(page.html).includes(USED_CODE))
      }
      assert.equal((await authorisations()).length, 1)
      rssp.clock.advance(30)
      assert.ok(asAnswer(await approve(second)).get('code'))
    })

    it('a code used before at sign-in', async () => {
      user = await rssp.addUser({ otpAtSignIn: true })
      credential = await rssp.addCredential(user)
      const browser = new SignerBrowser(rssp.baseUrl)
      const second = await approvalPage(rssp, browser, user, request())
      const code = otp()
      const page = asPage(await browser.post(second.url, { otp: code, action: 'continue' }))
      const again = asPage(await approve({ browser, page }, { otp: code }))
      assert.ok(textOf(again.html).includes(USED_CODE))
      await assertNothingApproved()
    })

    it('one code for two requests at once: it approves one of them (S21)', async () => {
      const opened = [await open(), await open(), await open()]
      const code = otp()
      const steps = await Promise.all(opened.map((one) => approve(one, { otp: code })))
      const told = steps.filter((step) => step instanceof URLSearchParams)
      assert.equal(told.length, 1)
      assert.equal((await authorisations()).length, 1)
    })

    it('a wrong PIN, and does not use up the code', async () => {
      const withPin = await rssp.addCredential(user, { withPin: true })
      const opened = await open({}, withPin)
      for (const pin of ['000000', '', `${user.pin}0`]) {
        const page = asPage(await approve(opened, { otp: otp(), pin }))
        assert.ok(textOf(page.html).includes(WRONG_PIN))
      }
      await assertNothingApproved(withPin)
      assert.ok(asAnswer(await approve(opened, { otp: otp(), pin: user.pin })).get('code'))
    })
  })

  describe('locks the credential (S20)', () => {
    const guess = (opened: Awaited<ReturnType<typeof open>>) =>
      approve(opened, { otp: 'wrong' }).then(asPage)

    it('after wrong codes, for the right one too, until the time shown', async () => {
      const opened = await open()
      for (let i = 1; i < limits.factorFailures; i += 1) {
        assert.ok(textOf((await guess(opened)).html).includes(WRONG_CODE))
      }
      const locked = await guess(opened)
      assert.match(textOf(locked.html), LOCKED)
      const until = /locked until <time datetime="([^"]+)"/i.exec(locked.html)?.[1] ?? ''
      const seconds = (Date.parse(until) - rssp.clock.now().getTime()) / 1000
      assert.ok(Math.abs(seconds - limits.lockSeconds) < 60, until)
      const right = asPage(await approve(opened))
      assert.match(textOf(right.html), LOCKED)
      assert.ok(right.html.includes(until))
      await assertNothingApproved()

      rssp.clock.advance(limits.lockSeconds + 1)
      assert.ok(asAnswer(await approve(await open())).get('code'))
    })

    it('with guesses from several sessions and days', async () => {
      for (let i = 1; i < limits.factorFailures; i += 1) {
        await guess(await open())
        rssp.clock.advance(86_400)
      }
      assert.match(textOf((await guess(await open())).html), LOCKED)
    })

    it('and leaves other credentials of the person alone', async () => {
      const opened = await open()
      for (let i = 0; i < limits.factorFailures; i += 1) await guess(opened)
      const other = await rssp.addCredential(user)
      assert.ok(asAnswer(await approve(await open({}, other))).get('code'))
    })

    it('not when the right code comes in between', async () => {
      for (let round = 0; round < 2; round += 1) {
        const opened = await open()
        for (let i = 1; i < limits.factorFailures; i += 1) await guess(opened)
        assert.ok(asAnswer(await approve(opened)).get('code'))
      }
    })

    it('after wrong PINs too', async () => {
      const withPin = await rssp.addCredential(user, { withPin: true })
      const opened = await open({}, withPin)
      for (let i = 1; i < limits.factorFailures; i += 1) {
        await approve(opened, { otp: otp(), pin: 'wrong' })
      }
      const page = asPage(await approve(opened, { otp: otp(), pin: 'wrong' }))
      assert.match(textOf(page.html), LOCKED)
    })

    it('after evaluating exactly as many of 50 wrong guesses at once', async () => {
      const sessions = await Promise.all([open(), open(), open(), open(), open()])
      const pages = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          guess(sessions[index % sessions.length] ?? assert.fail()),
        ),
      )
      assert.equal((await eventsOf('factor.failed')).length, limits.factorFailures)
      assert.equal((await eventsOf('credential.locked')).length, 1)
      const evaluated = pages.filter(({ html }) => textOf(html).includes(WRONG_CODE))
      assert.equal(evaluated.length, limits.factorFailures - 1)
      await assertNothingApproved()
    })

    it('so that the right code among 50 wrong ones seldom gets its turn, and never twice', async () => {
      const opened = await open()
      const code = otp()
      await Promise.all(
        Array.from({ length: 50 }, (_, i) => approve(opened, { otp: i === 40 ? code : 'wrong' })),
      )
      assert.ok((await authorisations()).length <= 1)
      assert.ok((await eventsOf('factor.failed')).length <= 2 * limits.factorFailures)
    })
  })

  describe('can be rejected', () => {
    it('without a code, which the application is told', async () => {
      const { browser, page } = await open()
      const answer = asAnswer(await browser.post(page.url, { action: 'reject' }))
      assertRedirectRefusal(rssp, answer, 'access_denied', DENIED)
      await assertNothingApproved()
    })

    it('for good', async () => {
      const opened = await open()
      const copy = new SignerBrowser(rssp.baseUrl)
      for (const [name, value] of opened.browser.cookies) copy.cookies.set(name, value)
      await opened.browser.post(opened.page.url, { action: 'reject' })
      for (const browser of [opened.browser, copy]) {
        const page = asPage(await approve({ ...opened, browser }))
        assert.ok(textOf(page.html).includes(EXPIRED))
      }
      await assertNothingApproved()
    })

    it('or approved, not both, at once', async () => {
      for (let round = 0; round < 5; round += 1) {
        const of = await rssp.addCredential(user)
        const { browser, page } = await open({}, of)
        const headers = { cookie: cookieHeader(browser) }
        const post = (fields: Record<string, string>) =>
          fetch(page.url, {
            method: 'POST',
            headers,
            body: new URLSearchParams(fields),
            redirect: 'manual',
          })
        await Promise.all([post({ otp: otp(), action: 'approve' }), post({ action: 'reject' })])
        const uid = page.url.split('/').at(-1) ?? ''
        const transaction = await rssp.services.database.read.transaction.findUnique({
          where: { id: uid },
        })
        const granted = (await authorisations(of)).length
        assert.equal(transaction?.state, granted === 1 ? 'approved' : 'rejected')
      }
    })
  })

  describe('belongs to one browser (S46)', () => {
    it('and is not shown to, approved or rejected by another', async () => {
      const opened = await open()
      const stranger = await open()
      for (const browser of [new SignerBrowser(rssp.baseUrl), stranger.browser]) {
        for (const step of [
          await browser.open(opened.page.url),
          await browser.post(opened.page.url, { otp: otp(), action: 'approve' }),
          await browser.post(opened.page.url, { action: 'reject' }),
        ]) {
          const page = asPage(step)
          assert.equal(page.status, 400)
          assert.ok(textOf(page.html).includes(EXPIRED))
          assert.ok(!page.html.includes(digests[0]?.toString('base64') ?? '-'))
        }
      }
      // A cookie goes to its own address alone; somebody may send it to another all the same.
      const headers = { cookie: cookieHeader(stranger.browser) }
      for (const fields of [null, { otp: otp(), action: 'approve' }, { action: 'reject' }]) {
        const form = fields ? { method: 'POST', body: new URLSearchParams(fields) } : {}
        const response = await fetch(opened.page.url, { ...form, headers, redirect: 'manual' })
        assert.equal(response.status, 400)
        assert.ok((await response.text()).includes(EXPIRED))
      }
      await assertNothingApproved()
      assert.ok(asAnswer(await approve(opened)).get('code'))
    })

    it('whose cookie was not made up', async () => {
      const { page } = await open()
      const uid = page.url.split('/').at(-1) ?? ''
      for (const cookie of [
        `_interaction=${uid}`,
        `_interaction=${uid}; _interaction.sig=${'A'.repeat(27)}`,
      ]) {
        const response = await fetch(page.url, { headers: { cookie } })
        assert.equal(response.status, 400)
      }
    })

    for (const headers of [
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site' },
      { 'Sec-Fetch-Site': 'cross-site', Origin: 'null' },
      { Origin: 'https://evil.example' },
      { Origin: 'http://127.0.0.1' },
      { Origin: 'http://localhost:1' },
    ] as Record<string, string>[]) {
      it(`and to our own pages: refuses a form with ${JSON.stringify(headers)}`, async () => {
        const { browser, page } = await open()
        for (const fields of [{ otp: otp(), action: 'approve' }, { action: 'reject' }]) {
          const refused = asPage(await browser.post(page.url, fields, headers))
          assert.equal(refused.status, 403)
        }
        await assertNothingApproved()
        assert.ok(asAnswer(await approve({ browser, page })).get('code'))
      })
    }

    it('takes forms of our own origin, with and without Sec-Fetch-Site', async () => {
      for (const headers of [
        { 'Sec-Fetch-Site': 'same-origin' },
        { Origin: rssp.baseUrl },
        { Origin: 'null' },
      ] as Record<string, string>[]) {
        const { browser, page } = await open()
        const fields = { otp: otp(), action: 'approve' }
        assert.ok(asAnswer(await browser.post(page.url, fields, headers)).get('code'))
      }
    })

    it('refuses a sign-in another site starts (login CSRF)', async () => {
      const browser = new SignerBrowser(rssp.baseUrl)
      const page = await openPage(browser, serviceRequest(client))
      const { username, password } = answersOf(rssp, user)
      const refused = asPage(
        await browser.post(
          page.url,
          { username, password, action: 'continue' },
          { 'Sec-Fetch-Site': 'cross-site' },
        ),
      )
      assert.equal(refused.status, 403)
    })

    it('refuses JSON, text and large forms', async () => {
      const { browser, page } = await open()
      const headers = { cookie: cookieHeader(browser) }
      for (const [type, body, status] of [
        ['application/json', JSON.stringify({ otp: otp(), action: 'approve' }), 400],
        ['text/plain', `otp=${otp()}&action=approve`, 400],
        ['application/x-www-form-urlencoded', `action=approve&otp=${'0'.repeat(200_000)}`, 413],
      ] as const) {
        const response = await fetch(page.url, {
          method: 'POST',
          headers: { ...headers, 'Content-Type': type },
          body,
        })
        assert.equal(response.status, status)
      }
      await assertNothingApproved()
    })
  })
})
