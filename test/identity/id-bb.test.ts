import assert from 'node:assert/strict'
import {
  REDIRECT_URI,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { TestIdentityProvider } from '../support/identity-provider.js'
import { SignerBrowser, textOf, type Page } from '../support/signer-browser.js'
import { insert, sql, sweep } from '../../src/storage/database.js'
import { issueEnrolmentCode } from '../../src/identity/enrolment.js'
import { totpCode } from '../../src/identity/totp.js'
import { asAnswer, asPage, authorizePath, openPage, serviceRequest } from '../oauth/application.js'

const LINK_BUTTON = 'value="idp:national"'

describe('Signing in with ID BB', () => {
  let idp: TestIdentityProvider
  let rssp: Rssp
  let client: TestClient
  let browser: SignerBrowser
  let seen = 0

  async function start(changes: Record<string, unknown> = {}): Promise<void> {
    idp = await TestIdentityProvider.listen()
    rssp = await startRssp({ settings: { identityProviders: [idp.settings(changes)] } })
    await idp.serve(rssp)
    client = await rssp.addClient()
  }

  async function stop(): Promise<void> {
    await rssp.close()
    await idp.close()
  }

  beforeEach(async () => {
    idp.reset()
    browser = new SignerBrowser(rssp.baseUrl, [idp.issuer])
    seen = (await rssp.auditEvents()).length
  })

  /** Presses the button; follows to wherever that leads. */
  async function pressButton(by = browser): Promise<Page | URLSearchParams> {
    const page = await openPage(by, serviceRequest(client))
    assert.ok(page.html.includes(LINK_BUTTON), 'there is no button')
    return by.post(page.url, { action: 'idp:national' })
  }

  function problemOf(step: Page | URLSearchParams): string {
    const html = asPage(step).html
    return textOf(/role="alert"[^]*?<p>([^]*?)<\/p>/.exec(html)?.[1] ?? `no problem: ${html}`)
  }

  async function eventsNamed(...names: string[]) {
    const events = (await rssp.auditEvents()).slice(seen)
    return events.filter(({ event }) => names.includes(event))
  }

  async function assertNobodySignedIn(): Promise<void> {
    assert.deepEqual(await eventsNamed('sign-in.succeeded', 'authorisation.granted'), [])
  }

  async function refusals(): Promise<unknown[]> {
    return (await eventsNamed('identity.refused')).map(({ detail }) => detail['why'])
  }

  describe('for an identity that is enrolled at first sight', () => {
    before(() => start({ firstLogin: 'enrol' }))
    after(stop)

    it('makes an account under the verified name, and signs in', async () => {
      const answer = asAnswer(await pressButton())
      assert.ok(answer.get('code'), answer.toString())
      const [enrolled] = await eventsNamed('identity.enrolled')
      const user = await rssp.services.users.find(String(enrolled?.detail['userId']))
      assert.deepEqual(
        [user?.givenName, user?.surname, user?.displayName],
        ['Ona', 'Petrauskienė', 'Ona Petrauskienė'],
      )
      assert.deepEqual((await eventsNamed('sign-in.succeeded'))[0]?.detail['factors'], [
        'otp',
        'bio',
      ])
      const [authenticated] = await eventsNamed('identity.authenticated')
      const { issuer, subject, acr, amr, assertion, authenticatedAt } = authenticated?.detail ?? {}
      assert.deepEqual(
        { issuer, subject, acr, amr },
        { issuer: idp.issuer, subject: idp.person.sub, acr: idp.acr, amr: ['otp', 'bio'] },
      )
      assert.match(String(assertion), /^[0-9a-f]{64}$/)
      assert.ok(Date.parse(String(authenticatedAt)) > Date.now() - 60_000)
    })

    it('signs the same person in to the same account the next time', async () => {
      asAnswer(await pressButton())
      asAnswer(await pressButton(new SignerBrowser(rssp.baseUrl, [idp.issuer])))
      const signIns = await eventsNamed('sign-in.succeeded')
      assert.equal(signIns.length, 2)
      assert.equal(signIns[0]?.detail['userId'], signIns[1]?.detail['userId'])
      assert.equal((await eventsNamed('identity.enrolled')).length, 1)
    })

    it('tells people apart by their subject, whatever their name and e-mail', async () => {
      idp.person = { ...idp.person, email: 'ona@example.org', email_verified: true }
      asAnswer(await pressButton())
      idp.person = { ...idp.person, sub: `${idp.person.sub}-2` }
      asAnswer(await pressButton(new SignerBrowser(rssp.baseUrl, [idp.issuer])))
      const users = (await eventsNamed('sign-in.succeeded')).map(({ detail }) => detail['userId'])
      assert.equal(new Set(users).size, 2)
    })

    it('makes one account when the same person comes twice at once', async () => {
      const browsers = Array.from(
        { length: 5 },
        () => new SignerBrowser(rssp.baseUrl, [idp.issuer]),
      )
      await Promise.all(browsers.map(async (each) => asAnswer(await pressButton(each))))
      assert.equal((await eventsNamed('identity.enrolled')).length, 1)
    })

    it('asks with PKCE, state, nonce and acr_values, in a pushed request', async () => {
      await pressButton()
      const { code_challenge_method, acr_values, scope, state, nonce, redirect_uri } = idp.asked
      assert.deepEqual(
        { code_challenge_method, acr_values, scope, redirect_uri },
        {
          code_challenge_method: 'S256',
          acr_values: 'idbb:acr:generated-code',
          scope: 'openid profile',
          redirect_uri: `${rssp.baseUrl}/oauth2/identity/national/callback`,
        },
      )
      assert.match(String(state), /^[\w-]{43}$/)
      assert.match(String(nonce), /^[\w-]{43}$/)
      const front = browser.visited.find((url) => url.startsWith(`${idp.issuer}/auth?`))
      assert.ok(front)
      assert.deepEqual([...new URL(front).searchParams.keys()].sort(), ['client_id', 'request_uri'])
    })

    it('starts a new session: an id from before signing in is not kept', async () => {
      asPage(await browser.open(authorizePath(serviceRequest(client))))
      const before = browser.cookies.get('_session')
      asAnswer(await pressButton())
      const after = browser.cookies.get('_session')
      assert.ok(after)
      assert.notEqual(after, before)
    })

    it('gives an enrolled person no password that could be guessed', async () => {
      asAnswer(await pressButton())
      const username = String((await eventsNamed('identity.enrolled'))[0]?.detail['username'])
      const other = new SignerBrowser(rssp.baseUrl)
      for (const password of ['', username, 'A']) {
        const page = await openPage(other, serviceRequest(client))
        const next = await other.post(page.url, { username, password, action: 'continue' })
        assert.match(problemOf(next), /User name or password is not correct/)
      }
    })

    it('refuses a person whose provider tells no name, and makes no account', async () => {
      idp.person = { sub: idp.person.sub, given_name: 'Ona' }
      assert.equal(
        problemOf(await pressButton()),
        'National ID did not tell us your given name and surname, without which there can be no account. Please allow it to, and try again.',
      )
      assert.deepEqual(await refusals(), ['no given and family name'])
      await assertNobodySignedIn()
    })

    it('refuses a name that hides or reorders what surrounds it', async () => {
      idp.person = { ...idp.person, given_name: 'Ona\u202e' }
      assert.match(problemOf(await pressButton()), /did not tell us your given name/)
      await assertNobodySignedIn()
    })

    it('says what to do when the person cancels there', async () => {
      idp.refusal = { error: 'access_denied' }
      assert.equal(
        problemOf(await pressButton()),
        'National ID did not confirm who you are: it was cancelled or refused there. You can try again.',
      )
      assert.deepEqual(await refusals(), ['authorization: access_denied'])
      await assertNobodySignedIn()
    })

    it('lets the person try again after that', async () => {
      idp.refusal = { error: 'access_denied' }
      const page = asPage(await pressButton())
      idp.refusal = null
      const answer = asAnswer(await browser.post(page.url, { action: 'idp:national' }))
      assert.ok(answer.get('code'))
    })

    it('refuses another error without repeating what it says', async () => {
      idp.refusal = { error: 'server_error', error_description: '<b>call this number</b>' }
      const page = asPage(await pressButton())
      assert.equal(
        problemOf(page),
        'The answer from National ID could not be accepted. Nothing was done with it. Please try again; if it happens again, contact your signing service.',
      )
      assert.ok(!page.html.includes('call this number'))
      await assertNobodySignedIn()
    })

    it('refuses an authentication weaker than the one asked for', async () => {
      idp.acr = 'idbb:acr:static-code'
      assert.match(problemOf(await pressButton()), /could not be accepted/)
      assert.deepEqual(await refusals(), ['acr'])
      await assertNobodySignedIn()
    })

    it('says that the provider is out of order, and lets passwords in', async () => {
      const user = await rssp.addUser()
      idp.outOfOrder = true
      const page = asPage(await pressButton())
      assert.equal(
        problemOf(page),
        'National ID cannot be reached at the moment. Please try again in a few minutes.',
      )
      const answer = asAnswer(await browser.fillIn(page, answers(user)))
      assert.ok(answer.get('code'))
    })

    it('refuses a disabled account', async () => {
      asAnswer(await pressButton())
      const userId = String((await eventsNamed('sign-in.succeeded'))[0]?.detail['userId'])
      await rssp.services.users.disable(userId, rssp.clock.now())
      const next = await pressButton(new SignerBrowser(rssp.baseUrl, [idp.issuer]))
      assert.equal(
        problemOf(next),
        'Your identity at National ID cannot be used here. Please contact your signing service.',
      )
      assert.equal((await eventsNamed('sign-in.succeeded')).length, 1)
    })

    it('refuses an identity whose link was moved to another account in the database (S17)', async () => {
      asAnswer(await pressButton())
      const victim = await rssp.addUser()
      const { sql, change } = await import('../../src/storage/database.js')
      await rssp.services.database.commit({
        changes: [
          change(
            sql`UPDATE "Identity" SET "userId" = ${victim.id} WHERE "subject" = ${idp.person.sub}`,
            1,
          ),
        ],
      })
      const next = await pressButton(new SignerBrowser(rssp.baseUrl, [idp.issuer]))
      assert.match(problemOf(next), /cannot be used here/)
      assert.deepEqual(await refusals(), ['binding'])
      assert.equal((await eventsNamed('sign-in.succeeded')).length, 1)
    })
  })

  describe('for an answer that is not this browser’s, or was used (S26, S46)', () => {
    before(() => start({ firstLogin: 'enrol' }))
    after(stop)

    /** Goes to the provider and stops before coming back; returns the address it would come back to. */
    async function answerAddress(by: SignerBrowser): Promise<string> {
      const stopping = new SignerBrowser(idp.issuer, [])
      const page = await openPage(by, serviceRequest(client))
      const response = await fetch(page.url, {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie: [...by.cookies].map((pair) => pair.join('=')).join('; ') },
        body: new URLSearchParams({ action: 'idp:national' }),
      })
      const away = response.headers.get('location') ?? ''
      const query = asAnswer(await stopping.open(away))
      return `/oauth2/identity/national/callback?${query.toString()}`
    }

    it('refuses it in another browser: nobody is signed in to someone else’s account', async () => {
      const address = await answerAddress(browser)
      const victim = new SignerBrowser(rssp.baseUrl)
      await openPage(victim, serviceRequest(client))
      const page = asPage(await victim.open(address))
      assert.equal(page.status, 400)
      assert.match(textOf(page.html), /This page is no longer valid/)
      await assertNobodySignedIn()
    })

    it('takes it in the browser that left', async () => {
      const address = await answerAddress(browser)
      assert.ok(asAnswer(await browser.open(address)).get('code'))
    })

    it('refuses it the second time', async () => {
      const address = await answerAddress(browser)
      asAnswer(await browser.open(address))
      const page = asPage(await browser.open(address))
      assert.equal(page.status, 400)
      assert.match(textOf(page.html), /This page is no longer valid/)
      assert.equal((await eventsNamed('sign-in.succeeded')).length, 1)
    })

    it('takes it once when it comes ten times at once', async () => {
      const address = await answerAddress(browser)
      const cookies = [...browser.cookies]
      const steps = await Promise.allSettled(
        Array.from({ length: 10 }, async () => {
          const copy = new SignerBrowser(rssp.baseUrl)
          for (const [name, value] of cookies) copy.cookies.set(name, value)
          return copy.open(address)
        }),
      )
      assert.ok(steps.length === 10)
      assert.equal((await eventsNamed('sign-in.succeeded')).length, 1)
    })

    it('refuses a state that was never given out, and sends nobody anywhere', async () => {
      const address = '/oauth2/identity/national/callback?code=x&state=https%3A%2F%2Fevil.example'
      const page = asPage(await browser.open(address))
      assert.equal(page.status, 400)
    })

    it('refuses an answer without a state', async () => {
      const page = asPage(await browser.open('/oauth2/identity/national/callback?code=x'))
      assert.equal(page.status, 400)
    })

    it('refuses the state of one interaction in another of the same browser', async () => {
      const address = await answerAddress(browser)
      const state = new URLSearchParams(address.split('?')[1]).get('state') ?? ''
      const other = await openPage(browser, serviceRequest(client))
      const page = await browser.open(
        `${new URL(other.url).pathname}/identity/national?code=x&state=${state}`,
      )
      assert.match(problemOf(page), /could not be accepted/)
      assert.deepEqual(await refusals(), ['state of no request'])
      await assertNobodySignedIn()
    })

    it('refuses a code that was taken from another answer', async () => {
      const mine = await answerAddress(browser)
      const other = new SignerBrowser(rssp.baseUrl)
      const theirs = new URLSearchParams((await answerAddress(other)).split('?')[1])
      const query = new URLSearchParams(mine.split('?')[1])
      query.set('code', theirs.get('code') ?? '')
      const page = await browser.open(`/oauth2/identity/national/callback?${query.toString()}`)
      assert.match(problemOf(page), /could not be accepted/)
      assert.deepEqual(await refusals(), ['endpoint: invalid_grant'])
      await assertNobodySignedIn()
    })

    it('refuses an answer that names another issuer', async () => {
      const query = new URLSearchParams((await answerAddress(browser)).split('?')[1])
      query.set('iss', 'https://other.example')
      const page = await browser.open(`/oauth2/identity/national/callback?${query.toString()}`)
      assert.match(problemOf(page), /could not be accepted/)
      await assertNobodySignedIn()
    })

    it('refuses an answer that does not name its issuer where the provider said it would', async () => {
      const query = new URLSearchParams((await answerAddress(browser)).split('?')[1])
      query.delete('iss')
      const page = await browser.open(`/oauth2/identity/national/callback?${query.toString()}`)
      assert.match(problemOf(page), /could not be accepted/)
      await assertNobodySignedIn()
    })

    it('refuses it after the time for it', async () => {
      const address = await answerAddress(browser)
      rssp.clock.advance(601)
      const page = asPage(await browser.open(address))
      assert.match(textOf(page.html), /This page is no longer valid/)
      await assertNobodySignedIn()
    })
  })

  describe('for an identity that is linked at first sight', () => {
    let user: TestUser

    before(() => start({ firstLogin: 'link' }))
    after(stop)
    beforeEach(async () => {
      user = await rssp.addUser()
    })

    it('links it to the account whose owner signs in with password and code', async () => {
      const page = asPage(await pressButton())
      assert.match(
        textOf(page.html),
        /Link your account National ID is not linked to an account here yet\. You identified yourself there as Ona Petrauskienė \./,
      )
      const second = asPage(await browser.fillIn(page, answers(user)))
      assert.match(textOf(second.html), /Enter your code/)
      assert.ok(asAnswer(await browser.fillIn(second, answers(user))).get('code'))
      const [linked] = await eventsNamed('identity.linked')
      assert.deepEqual(linked?.detail, {
        userId: user.id,
        provider: 'national',
        issuer: idp.issuer,
        subject: idp.person.sub,
      })
    })

    it('then opens that account without a password', async () => {
      await link(browser)
      const again = new SignerBrowser(rssp.baseUrl, [idp.issuer])
      assert.ok(asAnswer(await pressButton(again)).get('code'))
      const [, last] = await eventsNamed('sign-in.succeeded')
      assert.equal(last?.detail['userId'], user.id)
    })

    it('does not link with a wrong password', async () => {
      const page = asPage(await pressButton())
      const next = asPage(await browser.fillIn(page, { ...answers(user), password: 'wrong' }))
      assert.match(textOf(next.html), /Link your account/)
      assert.equal(problemOf(next), 'User name or password is not correct. Please try again.')
      assert.deepEqual(await eventsNamed('identity.linked'), [])
      await assertNobodySignedIn()
    })

    it('does not link with a password alone where the account has an authenticator', async () => {
      const page = asPage(await pressButton())
      const second = asPage(await browser.fillIn(page, answers(user)))
      const next = asPage(await browser.fillIn(second, { ...answers(user), otp: () => '000000' }))
      assert.match(problemOf(next), /The one-time code is not correct/)
      assert.deepEqual(await eventsNamed('identity.linked'), [])
      await assertNobodySignedIn()
    })

    it('does not link for a form that did not say so', async () => {
      const page = asPage(await pressButton())
      const { username, password } = user
      asAnswer(await browser.post(page.url, { username, password, action: 'continue', link: 'x' }))
      assert.deepEqual(await eventsNamed('identity.linked'), [])
    })

    it('does not link with a password alone where the account has no factor at all (S29)', async () => {
      const bare = await rssp.addUser({ withoutAuthenticator: true })
      const page = asPage(await pressButton())
      let second = asPage(await browser.fillIn(page, answers(bare)))
      assert.match(textOf(second.html), /enrolment code from your signing service/)
      for (const fields of [{ otp: '000000' }, { recoveryCode: 'AAAA-AAAA-AAAA-AAAA' }, {}]) {
        second = asPage(await browser.post(second.url, { ...fields, action: 'continue' }))
        assert.match(problemOf(second), /nor a valid enrolment code/)
      }
      assert.deepEqual(await eventsNamed('identity.linked'), [])
      await assertNobodySignedIn()
    })

    it('links where there is no factor with the operator’s code, which works once (S29)', async () => {
      const bare = await rssp.addUser({ withoutAuthenticator: true })
      const { enrolmentStore: store, secrets, now } = rssp.services
      const { code } = await issueEnrolmentCode({ store, secrets, now }, bare.id, 1)
      const linkByCode = async (by: SignerBrowser) => {
        const page = asPage(await pressButton(by))
        const second = asPage(await by.fillIn(page, answers(bare)))
        return by.post(second.url, { recoveryCode: code, action: 'continue' })
      }
      assert.ok(asAnswer(await linkByCode(browser)).get('code'))
      const [linked] = await eventsNamed('identity.linked')
      assert.equal(linked?.detail['userId'], bare.id)
      const { database } = rssp.services
      await database.commit({
        changes: [sweep(sql`DELETE FROM "Identity" WHERE "userId" = ${bare.id}`)],
      })
      const again = new SignerBrowser(rssp.baseUrl, [idp.issuer])
      assert.match(problemOf(await linkByCode(again)), /nor a valid enrolment code/)
    })

    it('does not link with the operator’s code where there is an authenticator (S29)', async () => {
      const { enrolmentStore: store, secrets, now } = rssp.services
      const { code } = await issueEnrolmentCode({ store, secrets, now }, user.id, 1)
      const page = asPage(await pressButton())
      const second = asPage(await browser.fillIn(page, answers(user)))
      const next = await browser.post(second.url, { recoveryCode: code, action: 'continue' })
      assert.match(problemOf(next), /nor a valid enrolment code/)
      assert.deepEqual(await eventsNamed('identity.linked'), [])
    })

    it('does not link with a password alone where the account has an identity elsewhere (S29)', async () => {
      const guarded = await withIdentityElsewhere()
      const page = asPage(await pressButton())
      const next = asPage(await browser.fillIn(page, answers(guarded)))
      assert.match(problemOf(next), /This identity was not linked/)
      assert.deepEqual(await eventsNamed('identity.linked'), [])
      await assertNobodySignedIn()
    })

    it('lets a password alone change nothing where the account has an identity (S29)', async () => {
      const guarded = await withIdentityElsewhere()
      for (const path of ['notices', 'factors/change']) {
        const page = asPage(await browser.open(`/account/${path}`))
        const next = asPage(await browser.fillIn(page, answers(guarded)))
        assert.equal(next.status, 403)
      }
    })

    it('does not link when the person cancels', async () => {
      const page = asPage(await pressButton())
      const answer = asAnswer(await browser.post(page.url, { action: 'reject' }))
      assert.equal(answer.get('error'), 'access_denied')
      assert.deepEqual(await eventsNamed('identity.linked'), [])
    })

    it('does not link a second identity of the provider to the same account', async () => {
      await link(browser)
      idp.person = { ...idp.person, sub: `${idp.person.sub}-2` }
      const again = new SignerBrowser(rssp.baseUrl, [idp.issuer])
      rssp.clock.advance(30)
      assert.equal(
        problemOf(await linkSteps(again)),
        'This identity was not linked: it, or your account, is linked already at National ID . Please contact your signing service.',
      )
      assert.deepEqual(await refusals(), ['linked already'])
      assert.equal((await eventsNamed('sign-in.succeeded')).length, 1)
    })

    it('does not link after the time for it', async () => {
      const page = asPage(await pressButton())
      rssp.clock.advance(301)
      asAnswer(await browser.fillIn(page, answers(user)))
      assert.deepEqual(await eventsNamed('identity.linked'), [])
    })

    async function withIdentityElsewhere(): Promise<TestUser> {
      const guarded = await rssp.addUser({ withoutAuthenticator: true })
      const { database, secrets } = rssp.services
      const [issuer, subject] = ['https://elsewhere.example', guarded.id]
      const binding = secrets.bind('identity', issuer, subject, guarded.id)
      const identity = { issuer, subject, userId: guarded.id, binding, linkedAt: rssp.clock.now() }
      await database.commit({ changes: [insert('Identity', identity)] })
      return guarded
    }

    async function linkSteps(by: SignerBrowser): Promise<Page | URLSearchParams> {
      const page = asPage(await pressButton(by))
      const second = asPage(await by.fillIn(page, answers(user)))
      return by.fillIn(second, answers(user))
    }

    async function link(by: SignerBrowser): Promise<void> {
      asAnswer(await linkSteps(by))
    }
  })

  describe('for an identity that nobody is linked to', () => {
    before(() => start())
    after(stop)

    it('refuses it and says what to do', async () => {
      assert.equal(
        problemOf(await pressButton()),
        'Your identity at National ID is not linked to an account here. Please sign in another way, or contact your signing service.',
      )
      assert.deepEqual(await refusals(), ['nobody’s identity'])
      await assertNobodySignedIn()
    })

    it('says so in German', async () => {
      const page = await openPage(browser, serviceRequest(client, { lang: 'de' }))
      assert.match(textOf(page.html), /Oder ohne Passwort Anmelden mit National ID/)
      const next = await browser.post(page.url, { action: 'idp:national' })
      assert.match(problemOf(next), /Ihre Identität bei National ID ist hier mit keinem Konto/)
    })

    it('does not know a provider that is not configured', async () => {
      const page = await openPage(browser, serviceRequest(client))
      const next = await browser.post(page.url, { action: 'idp:other' })
      assert.match(problemOf(next), /User name or password is not correct/)
    })

    it('refuses another site’s form that presses the button', async () => {
      const page = await openPage(browser, serviceRequest(client))
      const next = asPage(
        await browser.post(
          page.url,
          { action: 'idp:national' },
          { 'sec-fetch-site': 'cross-site' },
        ),
      )
      assert.equal(next.status, 403)
    })

    it('publishes its public keys, and only those', async () => {
      const { keys } = (await (
        await fetch(`${rssp.baseUrl}/oauth2/identity/national/jwks`)
      ).json()) as { keys: Record<string, string>[] }
      assert.deepEqual(
        keys.map(({ use, alg, d }) => ({ use, alg, d })),
        [
          { use: 'sig', alg: 'ES256', d: undefined },
          { use: 'enc', alg: 'RSA-OAEP-256', d: undefined },
        ],
      )
    })

    it('lets forms of the sign-in page lead to the provider and the application, nowhere else', async () => {
      const page = await openPage(browser, serviceRequest(client))
      const policy = page.headers.get('content-security-policy') ?? ''
      const targets = /form-action ([^;]*)/.exec(policy)?.[1]
      assert.equal(targets, `'self' ${new URL(REDIRECT_URI).origin} ${idp.issuer}`)
    })
  })

  function answers(user: TestUser) {
    return { ...user, otp: () => totpCode(user.totpSecret, rssp.clock.now()) }
  }
})
