import assert from 'node:assert/strict'
import { issueEnrolmentCode } from '../../src/identity/enrolment.js'
import { totpCode } from '../../src/identity/totp.js'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import {
  approvalPage,
  asPage,
  credentialRequest,
  openPage,
  serviceRequest,
} from '../oauth/application.js'
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
import { pathOf, Signer, signedIn } from './signer.js'

const LONG_CODE = /<code>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})<\/code>/g
const WRONG_ENROLMENT = 'The enrolment code is not correct, was used already or has expired.'
const NO_PROOF = 'That takes a second factor, or an enrolment code from your signing service.'

describe('The second factor on the signer’s pages', () => {
  let rssp: Rssp
  let client: TestClient
  let user: TestUser

  before(async () => {
    rssp = await startRssp()
    client = await rssp.addClient()
  })
  after(() => rssp.close())
  beforeEach(async () => {
    user = await rssp.addUser()
  })

  const totp = (secret = user.totpSecret) => totpCode(secret, rssp.clock.now())

  async function enrolmentCode(of = user, hours = 24): Promise<string> {
    const { enrolmentStore: store, secrets, now } = rssp.services
    return (await issueEnrolmentCode({ store, secrets, now }, of.id, hours)).code
  }

  const recoveryCodesIn = (page: Page) =>
    [...page.html.matchAll(LONG_CODE)].map(([, code]) => code ?? '')

  /** The secret as the page shows it, and where it is confirmed. */
  function shown(page: Page): { secret: string; path: string } {
    const code = /<code class="fingerprint">(.*?)<\/code>/s.exec(page.html)?.[1] ?? ''
    return { secret: code.replace(/<[^>]*>/g, ''), path: pathOf(page) }
  }

  /** Replaces the authenticator; returns the new secret and the recovery codes. */
  async function replaced(signer: Signer): Promise<{ secret: string; codes: string[] }> {
    await signer.open('/account/factors/change')
    const { secret, path } = shown(await signer.post('/account/factors/replace'))
    const page = await signer.post(path, { otp: totp(secret) })
    rssp.clock.advance(30)
    return { secret, codes: recoveryCodesIn(page) }
  }

  /** Signs in where it takes a second factor: before changing factors. */
  async function signIn(
    fields: Record<string, string>,
    of = user,
    browser = new SignerBrowser(rssp.baseUrl),
  ): Promise<Page> {
    const { username, password } = of
    const first = asPage(await browser.open('/account/factors/change'))
    const second = asPage(await browser.post(first.url, { username, password, action: 'continue' }))
    return asPage(await browser.post(second.url, { ...fields, action: 'continue' }))
  }

  async function eventsOf(name: string, of = user) {
    const events = await rssp.auditEvents()
    return events.filter(({ event, detail }) => event === name && detail['userId'] === of.id)
  }

  describe('for the first time', () => {
    beforeEach(async () => {
      user = await rssp.addUser({ withoutAuthenticator: true })
    })

    it('is not enrolled with a password alone', async () => {
      const signer = await signedIn(rssp, user)
      const change = await signer.open('/account/factors/change')
      assert.match(textOf(change.html), /you need an enrolment code from your signing service/)
      assert.doesNotMatch(change.html, /factors\/replace|factors\/remove|recovery-codes"/)
      const refused = await signer.post('/account/factors/replace')
      assert.ok(textOf(refused.html).includes(NO_PROOF))
      assert.equal((await eventsOf('factor.refused')).length, 1)
      for (const path of ['recovery-codes', 'remove']) {
        assert.equal(recoveryCodesIn(await signer.post(`/account/factors/${path}`)).length, 0)
      }
      const { read } = rssp.services.database
      assert.equal(await read.pendingAuthenticator.count({ where: { userId: user.id } }), 0)
      assert.equal(await read.recoveryCode.count({ where: { userId: user.id } }), 0)
    })

    it('is enrolled with the operator’s code, confirmed by the first right code', async () => {
      const code = await enrolmentCode()
      const signer = await signedIn(rssp, user)
      assert.match(
        textOf((await signer.open('/account/factors')).html),
        /Authenticator app Not set up/,
      )
      const enrol = await signer.post('/account/factors/enrol', { enrolmentCode: code })
      const { secret, path } = shown(enrol)
      assert.match(secret, /^[A-Z2-7]{32}$/)
      assert.match(enrol.html, /<svg class="qr-code"[^>]* role="img" aria-label="QR code/)
      assert.doesNotMatch(enrol.html, /<script|style=/)
      const csp = enrol.headers.get('content-security-policy') ?? ''
      assert.match(csp, /default-src 'none'; style-src 'self'/)
      const wrong = await signer.post(path, { otp: '000000' })
      assert.match(textOf(wrong.html), /clock of your device is right/)
      assert.equal(shown(wrong).secret, secret)
      const codes = recoveryCodesIn(await signer.post(path, { otp: totp(secret) }))
      assert.equal(new Set(codes).size, 10)
      const state = textOf((await signer.open('/account/factors')).html)
      assert.match(state, /Authenticator app Set up Recovery codes 10 left/)
      const [enrolled] = await eventsOf('factor.enrolled')
      assert.deepEqual(enrolled?.detail, {
        userId: user.id,
        factor: 'totp',
        proof: 'enrolment-code',
      })
    })

    it('speaks German', async () => {
      const signer = await signedIn(rssp, user)
      const page = await signer.open('/account/factors?lang=de')
      assert.match(textOf(page.html), /Zweiter Faktor .*Einrichtungscode/)
    })

    const wrong: [string, () => Promise<string>][] = [
      ['a wrong code', () => Promise.resolve('0000-0000-0000-0000')],
      ['no code', () => Promise.resolve('')],
      ['another person’s code', async () => enrolmentCode(await rssp.addUser())],
      [
        'a code that a newer one replaced',
        async () => {
          const code = await enrolmentCode()
          await enrolmentCode()
          return code
        },
      ],
      [
        'an expired code',
        async () => {
          const code = await enrolmentCode(user, 1)
          rssp.clock.advance(3601)
          return code
        },
      ],
    ]
    for (const [what, code] of wrong) {
      it(`is not enrolled with ${what}`, async () => {
        const enrolment = await code()
        const signer = await signedIn(rssp, user)
        const page = await signer.post('/account/factors/enrol', { enrolmentCode: enrolment })
        assert.ok(textOf(page.html).includes(WRONG_ENROLMENT))
        const where = { userId: user.id }
        assert.equal(await rssp.services.database.read.pendingAuthenticator.count({ where }), 0)
      })
    }

    it('takes an enrolment code once, however it is typed', async () => {
      const code = (await enrolmentCode()).toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o')
      const signer = await signedIn(rssp, user)
      const { secret, path } = shown(
        await signer.post('/account/factors/enrol', { enrolmentCode: code }),
      )
      await signer.post(path, { otp: totp(secret) })
      const again = await signer.post('/account/factors/enrol', { enrolmentCode: code })
      assert.ok(textOf(again.html).includes(WRONG_ENROLMENT))
    })

    it('is one authenticator, however many were shown and confirmed at once (S8)', async () => {
      const code = await enrolmentCode()
      const signer = await signedIn(rssp, user)
      const begin = () => signer.post('/account/factors/enrol', { enrolmentCode: code })
      const replacedOne = shown(await begin())
      const { secret, path } = shown(await begin())
      assert.equal((await signer.open(replacedOne.path)).status, 404)
      const late = await signer.post(replacedOne.path, { otp: totp(replacedOne.secret) })
      assert.match(textOf(late.html), /Please start again/)
      const otp = totp(secret)
      const pages = await Promise.all(
        Array.from({ length: 20 }, () => signer.browser.post(path, { otp })),
      )
      const winners = pages.filter((page) => recoveryCodesIn(asPage(page)).length === 10)
      assert.equal(winners.length, 1)
      assert.equal((await eventsOf('factor.enrolled')).length, 1)
    })

    it('is too late after ten minutes', async () => {
      const signer = await signedIn(rssp, user)
      const enrolmentCodeText = await enrolmentCode()
      const page = await signer.post('/account/factors/enrol', { enrolmentCode: enrolmentCodeText })
      const { secret, path } = shown(page)
      rssp.clock.advance(601)
      assert.match(
        textOf((await signer.post(path, { otp: totp(secret) })).html),
        /Please start again/,
      )
    })

    it('shows a secret to nobody else', async () => {
      const signer = await signedIn(rssp, user)
      const enrolmentCodeText = await enrolmentCode()
      const page = await signer.post('/account/factors/enrol', { enrolmentCode: enrolmentCodeText })
      const { secret, path } = shown(page)
      const other = await signedIn(rssp, await rssp.addUser())
      assert.equal((await other.open(path)).status, 404)
      assert.match(
        textOf((await other.post(path, { otp: totp(secret) })).html),
        /Please start again/,
      )
      const rows = await rssp.services.database.read.pendingAuthenticator.findMany()
      assert.ok(!JSON.stringify([rows, await rssp.auditEvents()]).includes(secret))
    })
  })

  describe('when there is one', () => {
    it('is changed only after signing in with it just now', async () => {
      const signer = await signedIn(rssp, user)
      for (const path of ['replace', 'recovery-codes', 'remove']) {
        const step = asPage(await signer.browser.post(`/account/factors/${path}`, {}))
        assert.match(step.url, /\/oauth2\/interaction\//)
      }
      await signer.open('/account/factors/change')
      rssp.clock.advance(301)
      const step = asPage(await signer.browser.post('/account/factors/replace', {}))
      assert.match(step.url, /\/oauth2\/interaction\//)
      assert.deepEqual(await eventsOf('factor.enrolled'), [])
    })

    it('is refused a form of another site', async () => {
      const signer = await signedIn(rssp, user)
      await signer.open('/account/factors/change')
      for (const path of ['enrol', 'replace', 'recovery-codes', 'remove']) {
        const headers = { 'Sec-Fetch-Site': 'cross-site' }
        const step = asPage(await signer.browser.post(`/account/factors/${path}`, {}, headers))
        assert.equal(step.status, 403)
      }
    })

    it('works until its successor is confirmed, and no longer', async () => {
      const signer = await signedIn(rssp, user)
      await signer.open('/account/factors/change')
      const { secret, path } = shown(await signer.post('/account/factors/replace'))
      rssp.clock.advance(30)
      assert.equal(await rssp.services.accounts.checkSignInCode(user.id, totp()), 'accepted')
      await signer.post(path, { otp: totp(secret) })
      const used = await rssp.services.accounts.checkSignInCode(user.id, totp(secret))
      assert.equal(used, 'used-code')
      rssp.clock.advance(30)
      assert.equal(await rssp.services.accounts.checkSignInCode(user.id, totp()), 'wrong-code')
      assert.equal(await rssp.services.accounts.checkSignInCode(user.id, totp(secret)), 'accepted')
    })

    it('ends what was approved before, when it is replaced or removed (S29)', async () => {
      const credential = await rssp.addCredential(user)
      const digests = [digestOf('contract')]
      const sign = async (change: (signer: Signer) => Promise<unknown>) => {
        const token = await rssp.credentialToken({ user, client, credential, digests })
        await change(await signedIn(rssp, user))
        const request = {
          credentialID: credential.id,
          hashes: digests.map((digest) => digest.toString('base64')),
          signAlgo: ECDSA_SHA256,
        }
        return rssp.call('signatures/signHash', request, token)
      }
      assert.equal((await sign(() => Promise.resolve())).status, 200)
      const replacing = await sign(async (signer) => {
        user = { ...user, totpSecret: (await replaced(signer)).secret }
      })
      assert.notEqual(replacing.status, 200)
      const removing = await sign(async (signer) => {
        await signer.open('/account/factors/change')
        await signer.post('/account/factors/remove')
      })
      assert.notEqual(removing.status, 200)
    })

    it('is removed, with the recovery codes', async () => {
      const signer = await signedIn(rssp, user)
      const { codes, secret } = await replaced(signer)
      const again = new Signer(rssp, { ...user, totpSecret: secret })
      await again.open('/account/factors/change')
      const page = await again.post('/account/factors/remove')
      assert.match(textOf(page.html), /Removed\. .*Authenticator app Not set up/)
      assert.equal((await eventsOf('factor.removed')).length, 1)
      rssp.clock.advance(30)
      assert.equal(
        await rssp.services.accounts.checkSignInCode(user.id, totp(secret)),
        'wrong-code',
      )
      const where = { userId: user.id }
      assert.equal(await rssp.services.database.read.recoveryCode.count({ where }), 0)
      assert.equal(codes.length, 10)
    })

    it('is not removed where signing in takes it', async () => {
      user = await rssp.addUser({ otpAtSignIn: true })
      const signer = await signedIn(rssp, user)
      const page = await signer.open('/account/factors/change')
      assert.match(textOf(page.html), /it can be replaced but not removed/)
      const answer = await signer.post('/account/factors/remove')
      assert.match(textOf(answer.html), /was not removed/)
      assert.deepEqual(await eventsOf('factor.removed'), [])
    })

    it('may be replaced by a person who lost it, with the operator’s code', async () => {
      user = await rssp.addUser({ otpAtSignIn: true })
      const code = await enrolmentCode()
      const browser = new SignerBrowser(rssp.baseUrl)
      const first = await openPage(browser, serviceRequest(client))
      const { username, password } = user
      const second = asPage(
        await browser.post(first.url, { username, password, action: 'continue' }),
      )
      assert.match(second.html, /name="recoveryCode"/)
      const answer = await browser.post(second.url, { recoveryCode: code, action: 'continue' })
      assert.ok(answer instanceof URLSearchParams && answer.get('code'))
      const signer = new Signer(rssp, user)
      for (const [name, value] of browser.cookies) signer.browser.cookies.set(name, value)
      // It signs in, but is no second factor to change others with.
      const change = asPage(await signer.browser.open('/account/factors/change'))
      assert.match(change.url, /\/oauth2\/interaction\//)
      const enrol = asPage(
        await signer.browser.post('/account/factors/enrol', { enrolmentCode: code }),
      )
      const { secret, path } = shown(enrol)
      const confirmed = asPage(await signer.browser.post(path, { otp: totp(secret) }))
      assert.equal(recoveryCodesIn(confirmed).length, 10)
      const spent = await signIn({ recoveryCode: code })
      assert.match(textOf(spent.html), /not one of your recovery codes/)
    })
  })

  describe('recovery codes', () => {
    let codes: string[]

    beforeEach(async () => {
      const made = await replaced(await signedIn(rssp, user))
      user = { ...user, totpSecret: made.secret }
      codes = made.codes
    })

    it('sign in once each, told from wrong ones, and are counted', async () => {
      const [first = '', second = ''] = codes
      const page = await signIn({ recoveryCode: first.toLowerCase() })
      assert.equal(pathOf(page), '/account/factors/change')
      const used = await signIn({ recoveryCode: first })
      assert.match(textOf(used.html), /This recovery code has been used already/)
      const wrong = await signIn({ recoveryCode: '0000-0000-0000-0000' })
      assert.match(textOf(wrong.html), /not one of your recovery codes/)
      assert.equal(pathOf(await signIn({ recoveryCode: second })), '/account/factors/change')
      assert.deepEqual(
        (await eventsOf('recovery-code.used')).map(({ detail }) => detail['left']),
        [9, 8],
      )
      const state = textOf((await (await signedIn(rssp, user)).open('/account/factors')).html)
      assert.match(state, /8 left/)
    })

    it('let their owner replace a lost authenticator', async () => {
      const browser = new SignerBrowser(rssp.baseUrl)
      await signIn({ recoveryCode: codes[0] ?? '' }, user, browser)
      const { secret, path } = shown(asPage(await browser.post('/account/factors/replace', {})))
      const page = asPage(await browser.post(path, { otp: totp(secret) }))
      assert.equal(recoveryCodesIn(page).length, 10)
      assert.match(textOf((await signIn({ recoveryCode: codes[1] ?? '' })).html), /not one of your/)
    })

    it('are used by one of 100 at once (S8)', async () => {
      const { enrolmentStore } = rssp.services
      const [row] = await enrolmentStore.recoveryCodes(user.id)
      const used = await Promise.all(
        Array.from({ length: 100 }, () =>
          enrolmentStore.useRecoveryCode(user.id, row?.hash ?? '', rssp.clock.now(), []),
        ),
      )
      assert.equal(used.filter(Boolean).length, 1)
    })

    it('approve no signature, on our pages or elsewhere', async () => {
      const credential = await rssp.addCredential(user)
      const browser = new SignerBrowser(rssp.baseUrl)
      const request = credentialRequest(client, credential, [digestOf('contract')])
      const page = await approvalPage(rssp, browser, user, request)
      for (const code of codes.slice(0, 2)) {
        const fields = { otp: code, recoveryCode: code, action: 'approve' }
        const answer = asPage(await browser.post(page.url, fields))
        assert.match(textOf(answer.html), /The one-time code is not correct/)
      }
      const explicit = await rssp.addCredential(user, {
        explicit: { objects: [{ ...AUTH_OBJECTS.OTP, format: 'A' }], expression: null },
      })
      const answer = await rssp.call(
        'credentials/authorize',
        {
          credentialID: explicit.id,
          numSignatures: 1,
          hashes: [digestOf('contract').toString('base64')],
          hashAlgorithmOID: SHA256,
          authData: [{ id: 'OTP', value: codes[0]?.replaceAll('-', '') }],
        },
        await rssp.serviceToken(user, client),
      )
      assert.equal(answer.body.error, 'invalid_authentication_data')
    })

    it('are another person’s in vain', async () => {
      const other = await rssp.addUser()
      const page = await signIn({ recoveryCode: codes[0] ?? '' }, other)
      assert.match(textOf(page.html), /not one of your recovery codes/)
    })

    it('end when new ones are made', async () => {
      const signer = await signedIn(rssp, user)
      await signer.open('/account/factors/change')
      const next = recoveryCodesIn(await signer.post('/account/factors/recovery-codes'))
      assert.equal(new Set([...codes, ...next]).size, 20)
      const old = await signIn({ recoveryCode: codes[0] ?? '' })
      assert.match(textOf(old.html), /not one of your recovery codes/)
      assert.equal(pathOf(await signIn({ recoveryCode: next[0] ?? '' })), '/account/factors/change')
    })

    it('are guessed at no oftener than codes of the authenticator', async () => {
      const { signInFailures } = rssp.services.config.limits
      for (let guesses = 0; guesses < signInFailures; guesses += 1) {
        await signIn({ recoveryCode: `0000-0000-0000-${1000 + guesses}` })
      }
      const step = await signIn({ recoveryCode: codes[0] ?? '' })
      assert.match(textOf(step.html), /There were too many attempts/)
    })

    it('are nowhere to be read', async () => {
      const rows = await rssp.services.database.read.recoveryCode.findMany()
      const everything = JSON.stringify([rows, await rssp.auditEvents()])
      for (const code of codes) {
        assert.ok(!everything.includes(code) && !everything.includes(code.replaceAll('-', '')))
      }
    })
  })
})
