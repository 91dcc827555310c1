import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import { totpCode } from '../../src/identity/totp.js'
import { change, sql } from '../../src/storage/database.js'
import {
  asAnswer,
  asPage,
  codeGrant,
  credentialRequest,
  openPage,
  requestToken,
  serviceRequest,
} from '../oauth/application.js'
import { TestIdentityProvider } from '../support/identity-provider.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser, textOf, type Page } from '../support/signer-browser.js'

const DIGEST = digestOf('contract')
const OTHER_DIGEST = digestOf('another contract')
const CONFIRM = { action: 'idp:national' }

describe('Approving signatures with ID BB', () => {
  let idp: TestIdentityProvider
  let rssp: Rssp
  let client: TestClient
  let user: TestUser
  let credential: Credential
  let browser: SignerBrowser
  let seen = 0

  before(async () => {
    idp = await TestIdentityProvider.listen()
    const settings = { identityProviders: [idp.settings({ firstLogin: 'link' })] }
    rssp = await startRssp({ settings })
    await idp.serve(rssp)
    client = await rssp.addClient()
  })

  after(async () => {
    await rssp.close()
    await idp.close()
  })

  beforeEach(async () => {
    idp.refusal = null
    user = await rssp.addUser()
    idp.person = { sub: `p-${user.id}`, given_name: 'Ona', family_name: 'Petrauskienė' }
    credential = await rssp.addCredential(user, { approvalFactor: 'id-bb' })
    browser = newBrowser()
    await link(browser, user)
    seen = (await rssp.auditEvents()).length
  })

  function newBrowser(): SignerBrowser {
    return new SignerBrowser(rssp.baseUrl, [idp.issuer])
  }

  /** The same browser, had it never been at the provider. */
  function withoutProviderSession(): SignerBrowser {
    const copy = newBrowser()
    for (const [name, value] of browser.cookies) copy.cookies.set(name, value)
    return copy
  }

  function answers(by: TestUser) {
    return { ...by, otp: () => totpCode(by.totpSecret, rssp.clock.now()) }
  }

  /** Links whom the provider knows now to the account, and leaves the browser signed in. */
  async function link(by: SignerBrowser, account: TestUser): Promise<void> {
    const page = await openPage(by, serviceRequest(client))
    const linking = asPage(await by.post(page.url, CONFIRM))
    const second = asPage(await by.fillIn(linking, answers(account)))
    asAnswer(await by.fillIn(second, answers(account)))
  }

  function approval(digests: readonly Buffer[] = [DIGEST], by = browser): Promise<Page> {
    return openPage(by, credentialRequest(client, credential, digests))
  }

  async function newEvents(...names: string[]) {
    const events = (await rssp.auditEvents()).slice(seen)
    return events.filter(({ event }) => names.includes(event))
  }

  async function assertNothingApproved(): Promise<void> {
    assert.deepEqual(await newEvents('authorisation.granted'), [])
  }

  async function whyRefused(): Promise<unknown[]> {
    const refused = await newEvents('identity.refused')
    return refused.map(({ detail }) => [detail['purpose'], detail['why']])
  }

  function problemOf(step: Page | URLSearchParams): string {
    const html = asPage(step).html
    return textOf(/role="alert"[^]*?<p>([^]*?)<\/p>/.exec(html)?.[1] ?? `no problem: ${html}`)
  }

  /** Presses the button and stops where the provider would send the browser back. */
  async function answerAddress(page: Page, fields: Record<string, string> = {}): Promise<string> {
    const response = await fetch(page.url, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie: [...browser.cookies].map((pair) => pair.join('=')).join('; ') },
      body: new URLSearchParams({ ...CONFIRM, ...fields }),
    })
    const away = response.headers.get('location') ?? ''
    const query = asAnswer(await new SignerBrowser(idp.issuer).open(away))
    return `/oauth2/identity/national/callback?${query.toString()}`
  }

  it('signs what was shown once its owner has authenticated anew, as after a one-time code', async () => {
    const before = idp.authentications
    const page = await approval([DIGEST, OTHER_DIGEST])
    assert.match(page.html, /Confirm with <strong><bdi>National ID/)
    const answer = asAnswer(await browser.post(page.url, CONFIRM))
    assert.equal(idp.authentications, before + 1, 'a session at the provider was enough')
    assert.equal(idp.asked['prompt'], 'login')
    const token = await requestToken(rssp, codeGrant(client, answer.get('code') ?? ''))
    const signed = await rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: [DIGEST.toString('base64')],
        signAlgo: ECDSA_SHA256,
      },
      String(token.body.access_token),
    )
    assert.equal(signed.status, 200, JSON.stringify(signed.body))
    const [granted] = await newEvents('authorisation.granted')
    const [authenticated] = await newEvents('identity.authenticated')
    assert.deepEqual(granted?.detail['factors'], ['id-bb'])
    assert.equal(authenticated?.detail['transactionId'], granted?.detail['transactionId'])
    assert.equal(authenticated?.detail['subject'], idp.person.sub)
  })

  it('shows every digest, and neither a field for a code nor the button to approve without', async () => {
    const { html } = await approval([DIGEST, OTHER_DIGEST])
    for (const digest of [DIGEST, OTHER_DIGEST]) {
      assert.ok(html.includes(`value="${digest.toString('base64')}"`))
    }
    assert.ok(!html.includes('name="otp"'))
    assert.ok(!html.includes('value="approve"'))
  })

  it('asks for the PIN too where the certificate has one', async () => {
    credential = await rssp.addCredential(user, { approvalFactor: 'id-bb', withPin: true })
    const page = await approval()
    const answer = asAnswer(await browser.post(page.url, { ...CONFIRM, pin: user.pin }))
    assert.ok(answer.get('code'))
    const [granted] = await newEvents('authorisation.granted')
    assert.deepEqual(granted?.detail['factors'], ['pin', 'id-bb'])
  })

  it('goes nowhere with a wrong PIN', async () => {
    credential = await rssp.addCredential(user, { approvalFactor: 'id-bb', withPin: true })
    const before = idp.authentications
    const page = await approval()
    const next = await browser.post(page.url, { ...CONFIRM, pin: '000000' })
    assert.equal(problemOf(next), 'The PIN is not correct. Please try again.')
    assert.equal(idp.authentications, before)
    await assertNothingApproved()
  })

  it('is locked after too many wrong PINs, for the right one too', async () => {
    credential = await rssp.addCredential(user, { approvalFactor: 'id-bb', withPin: true })
    const page = await approval()
    for (let guess = 0; guess < 5; guess += 1) {
      await browser.post(page.url, { ...CONFIRM, pin: '000000' })
    }
    const next = await browser.post(page.url, { ...CONFIRM, pin: user.pin })
    assert.match(problemOf(next), /this is locked until/)
    await assertNothingApproved()
  })

  it('refuses it where a one-time code is due', async () => {
    credential = await rssp.addCredential(user)
    const page = await approval()
    assert.ok(!page.html.includes('idp:national'))
    const next = asPage(await browser.post(page.url, CONFIRM))
    assert.match(next.html, /name="otp"/)
    await assertNothingApproved()
  })

  it('refuses another person’s identity (S27)', async () => {
    browser = withoutProviderSession()
    const page = await approval()
    idp.person = { ...idp.person, sub: 'p-stranger' }
    const next = await browser.post(page.url, CONFIRM)
    assert.equal(
      problemOf(next),
      'Someone else than the owner of this certificate was confirmed by National ID . Nothing was approved. Please confirm as the person the certificate belongs to, or reject the request.',
    )
    assert.deepEqual(await whyRefused(), [['approval', 'not the owner of the credential']])
    await assertNothingApproved()
  })

  it('refuses the identity of another person who has an account here', async () => {
    const owner = idp.person
    const other = await rssp.addUser()
    idp.person = { ...idp.person, sub: `p-${other.id}` }
    await link(newBrowser(), other)
    seen = (await rssp.auditEvents()).length
    browser = withoutProviderSession()
    const page = await approval()
    assert.match(problemOf(await browser.post(page.url, CONFIRM)), /Someone else than the owner/)
    await assertNothingApproved()
    idp.person = owner
    browser = withoutProviderSession()
    assert.ok(asAnswer(await browser.post(page.url, CONFIRM)).get('code'), 'and then the owner')
  })

  it('refuses the answer to another transaction of the same person (S22)', async () => {
    const first = await approval([DIGEST])
    const address = await answerAddress(first)
    const second = await approval([OTHER_DIGEST])
    const query = address.slice(address.indexOf('?'))
    const crossed = `${new URL(second.url).pathname}/identity/national${query}`
    assert.match(problemOf(await browser.open(crossed)), /could not be accepted/)
    assert.deepEqual(await whyRefused(), [['approval', 'state of no request']])
    await assertNothingApproved()
  })

  it('refuses an identity token that was given for other digests (S22)', async () => {
    const page = await approval([DIGEST])
    const address = await answerAddress(page)
    const items = JSON.stringify([{ digest: OTHER_DIGEST.toString('base64'), label: null }])
    const id = new URL(page.url).pathname.split('/').at(-1) ?? ''
    await rssp.services.database.commit({
      changes: [change(sql`UPDATE "Transaction" SET "items" = ${items} WHERE "id" = ${id}`, 1)],
    })
    assert.match(problemOf(await browser.open(address)), /could not be accepted/)
    const [[, why] = []] = (await whyRefused()) as [unknown, unknown][]
    assert.match(String(why), /"nonce"/)
    await assertNothingApproved()
  })

  it('refuses to take signing in for an approval', async () => {
    const stranger = newBrowser()
    const page = await openPage(stranger, credentialRequest(client, credential, [DIGEST]))
    const next = asPage(await stranger.post(page.url, CONFIRM))
    assert.match(next.html, /Approve this signature\?/)
    await assertNothingApproved()
  })

  it('takes an answer once (S8, S27)', async () => {
    const page = await approval()
    const address = await answerAddress(page)
    asAnswer(await browser.open(address))
    assert.match(textOf(asPage(await browser.open(address)).html), /no longer valid/)
    assert.equal((await newEvents('authorisation.granted')).length, 1)
  })

  it('grants once when the answer comes ten times at once', async () => {
    const address = await answerAddress(await approval())
    await Promise.allSettled(
      Array.from({ length: 10 }, () => {
        return withoutProviderSession().open(address)
      }),
    )
    assert.equal((await newEvents('authorisation.granted')).length, 1)
  })

  it('refuses an answer once the signer has rejected', async () => {
    const page = await approval()
    const address = await answerAddress(page)
    asAnswer(await browser.post(page.url, { action: 'reject' }))
    assert.match(textOf(asPage(await browser.open(address)).html), /no longer valid/)
    await assertNothingApproved()
  })

  it('refuses an answer once the credential was revoked', async () => {
    const address = await answerAddress(await approval())
    await rssp.services.credentials.revoke(credential.id, 'test')
    const answer = asAnswer(await browser.open(address))
    assert.equal(answer.get('error'), 'invalid_request')
    await assertNothingApproved()
  })

  it('lets the signer try again after cancelling there', async () => {
    const page = await approval()
    idp.refusal = { error: 'access_denied' }
    const next = asPage(await browser.post(page.url, CONFIRM))
    assert.match(problemOf(next), /National ID did not confirm who you are/)
    await assertNothingApproved()
    idp.refusal = null
    assert.ok(asAnswer(await browser.post(next.url, CONFIRM)).get('code'))
  })

  it('tells an owner without a linked identity what to do, and lets them only reject', async () => {
    const unlinked = await rssp.addUser()
    credential = await rssp.addCredential(unlinked, { approvalFactor: 'id-bb' })
    const other = newBrowser()
    const signIn = await openPage(other, credentialRequest(client, credential, [DIGEST]))
    const page = asPage(await other.fillIn(signIn, answers(unlinked)))
    assert.equal(
      problemOf(page),
      'This certificate is approved with your electronic identity , but no such identity is linked to your account. Please contact your signing service.',
    )
    assert.ok(!page.html.includes('value="approve"') && !page.html.includes('value="idp:'))
    const pressed = asPage(await other.post(page.url, CONFIRM))
    assert.match(problemOf(pressed), /no such identity is linked/)
    await assertNothingApproved()
  })

  it('ends what was approved when the identity is taken away', async () => {
    const answer = asAnswer(await browser.post((await approval()).url, CONFIRM))
    const token = await requestToken(rssp, codeGrant(client, answer.get('code') ?? ''))
    const { identityStore } = rssp.services
    assert.ok(await identityStore.remove(user.id, idp.issuer, rssp.clock.now(), []))
    const refused = await rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: [DIGEST.toString('base64')],
        signAlgo: ECDSA_SHA256,
      },
      String(token.body.access_token),
    )
    assertRefusal(refused, 400, 'invalid_request', 'Invalid parameter SAD')
    assert.match(problemOf(await approval([OTHER_DIGEST])), /no such identity is linked/)
  })

  it('notices that someone changed in the database how a credential is approved (S17)', async () => {
    await rssp.services.database.commit({
      changes: [
        change(
          sql`UPDATE "Credential" SET "approvalFactor" = 'otp' WHERE "id" = ${credential.id}`,
          1,
        ),
      ],
    })
    const answer = asAnswer(
      await browser.open(
        `/oauth2/authorize?${new URLSearchParams(
          credentialRequest(client, credential, [DIGEST]),
        ).toString()}`,
      ),
    )
    assert.equal(answer.get('error_description'), 'Invalid parameter credentialID')
    assert.equal((await newEvents('credential.refused')).length > 0, true)
  })

  describe('as time passes', () => {
    it('refuses a one-time code in its place', async () => {
      const page = await approval()
      // A code that has not been used yet.
      rssp.clock.advance(30)
      const otp = totpCode(user.totpSecret, rssp.clock.now())
      const next = asPage(await browser.post(page.url, { action: 'approve', otp }))
      assert.match(next.html, /Confirm with/)
      await assertNothingApproved()
    })

    it('refuses an authentication from before the request', async () => {
      const page = await approval()
      // For us it is a minute later: what the provider calls now is long ago.
      rssp.clock.advance(60)
      assert.match(problemOf(await browser.post(page.url, CONFIRM)), /could not be accepted/)
      assert.deepEqual(await whyRefused(), [['approval', 'auth_time is too old']])
      await assertNothingApproved()
    })

    it('refuses an answer that comes after the time to decide', async () => {
      const address = await answerAddress(await approval())
      rssp.clock.advance(601)
      assert.match(textOf(asPage(await browser.open(address)).html), /no longer valid/)
      await assertNothingApproved()
    })
  })
})
