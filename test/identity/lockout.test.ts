import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import type { Credential } from '../../src/credentials/credential.js'
import {
  answersOf,
  approvalPage,
  asAnswer,
  asPage,
  authorizePath,
  credentialRequest,
  serviceRequest,
} from '../oauth/application.js'
import { lastCode, messagesTo } from '../support/outbox.js'
import {
  assertRefusal,
  digestOf,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser, textOf } from '../support/signer-browser.js'

const TRIES = 15
const STRANGER = { 'X-Forwarded-For': '203.0.113.66' }

/** S24: throttling and locks protect the victim of guessing; they must not be a weapon against them. */
describe('A stranger (S24)', () => {
  let rssp: Rssp
  let victim: TestUser
  let client: TestClient
  let credential: Credential
  let explicit: Credential
  let address: string
  const digests = [digestOf('contract')]

  before(async () => {
    rssp = await startRssp({ outbox: true, settings: { proxy: { trusted: true } } })
    client = await rssp.addClient()
  })
  after(() => rssp.close())
  beforeEach(async () => {
    victim = await rssp.addUser({ otpAtSignIn: true })
    address = `${victim.username}@example.org`
    credential = await rssp.addCredential(victim, { approvalFactor: 'email' })
    const objects = [AUTH_OBJECTS.OTP, AUTH_OBJECTS.EMAIL]
    explicit = await rssp.addCredential(victim, { explicit: { objects, expression: null } })
  })

  const repeat = async (use: (index: number) => Promise<unknown>) => {
    for (let index = 0; index < TRIES; index += 1) await use(index)
  }

  async function assertUnharmed() {
    const { credential: credentials } = rssp.services.database.read
    for (const { failedAttempts, lockedUntil } of await credentials.findMany({
      where: { userId: victim.id },
    })) {
      assert.deepEqual({ failedAttempts, lockedUntil }, { failedAttempts: 0, lockedUntil: null })
    }
    assert.deepEqual(messagesTo(rssp, address), [])
    const browser = new SignerBrowser(rssp.baseUrl)
    const request = credentialRequest(client, credential, digests)
    const second = await approvalPage(rssp, browser, victim, request)
    const page = asPage(await browser.fillIn(second, answersOf(rssp, victim)))
    await browser.post(page.url, { action: 'send-code' })
    const fields = { otp: lastCode(rssp, address), action: 'approve' }
    assert.ok(asAnswer(await browser.post(page.url, fields)).get('code'))
  }

  it('who makes up answers of identity providers fills no log (S68)', async () => {
    const refusals = async () =>
      (await rssp.auditEvents()).filter(({ event }) => event === 'identity.refused').length
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = asPage(await browser.open(authorizePath(serviceRequest(client))))
    const cookie = [...browser.cookies].map((each) => each.join('=')).join('; ')
    const address = `${new URL(page.url, rssp.baseUrl).href}/identity/none?state=x`
    const answer = () => fetch(address, { headers: { cookie }, redirect: 'manual' })
    const answers = await Promise.all(Array.from({ length: 210 }, answer))
    assert.ok(answers.every(({ status }) => status === 303))
    assert.equal(await refusals(), 200)
  })

  it('who tries passwords elsewhere locks nobody out of signing in', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = asPage(await browser.open(authorizePath(serviceRequest(client))))
    const fields = { username: victim.username, password: 'wrong', action: 'continue' }
    let last = page
    await repeat(async () => {
      last = asPage(await browser.post(page.url, fields, STRANGER))
    })
    assert.equal(last.status, 429)
    await assertUnharmed()
  })

  it('who tries many names, however long, leaves no more behind than an address may try (S110)', async () => {
    const { read } = rssp.services.database
    const before = await read.throttle.count()
    const most = rssp.services.config.limits.signInFailures * 20
    const long = 'x'.repeat(4000)
    const attempt = (index: number) =>
      rssp.services.accounts.checkPassword({
        ...{ username: `${index} ${long}`, password: 'wrong' },
        ...{ address: '203.0.113.77', clientId: client.client_id },
      })
    for (let index = 0; index < most; index += 1) {
      assert.ok(await rssp.services.accounts.allowAttempt('203.0.113.77'))
    }
    for (let index = 0; index < 20; index += 1) {
      assert.equal((await attempt(index)).outcome, 'too-many-attempts')
    }
    // The count, and that it was recorded: once, not for every attempt.
    assert.equal(await read.throttle.count(), before + 2)
    const failures = (await rssp.auditEvents()).filter(({ detail, event }) => {
      return event === 'sign-in.failed' && detail['address'] === '203.0.113.77'
    })
    assert.equal(failures.length, 1)
    rssp.clock.advance(rssp.services.config.limits.signInWindowSeconds)
    assert.equal((await attempt(0)).outcome, 'wrong-credentials')
    const keys = (await read.throttle.findMany()).map(({ key }) => key.length)
    assert.ok(Math.max(...keys) < 200)
  })

  it('with a network of IPv6 has no more tries than with one address', async () => {
    const { accounts, config } = rssp.services
    const attempt = (address: string) =>
      accounts.checkPassword({
        ...{ username: victim.username, password: 'wrong', clientId: client.client_id },
        address,
      })
    for (let index = 0; index < config.limits.signInFailures; index += 1) {
      assert.equal((await attempt(`2001:db8:1:1::${index}`)).outcome, 'wrong-credentials')
    }
    assert.equal((await attempt('2001:db8:1:1:ffff::1')).outcome, 'too-many-attempts')
    assert.equal((await attempt('2001:db8:1:2::1')).outcome, 'wrong-credentials')
    await assertUnharmed()
  })

  it('who has no password cannot use up guesses of the second step', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = asPage(await browser.open(authorizePath(serviceRequest(client))))
    await repeat(async (index) => {
      const code = index % 2 === 0 ? { otp: '000000' } : { recoveryCode: '0000-0000-0000-0000' }
      const fields = { username: victim.username, ...code, action: 'continue' }
      await browser.post(page.url, fields, STRANGER)
    })
    const { throttle } = rssp.services.database.read
    assert.equal(await throttle.count({ where: { key: { contains: victim.id } } }), 0)
    await assertUnharmed()
  })

  it('without a session cannot guess at approvals, nor have codes sent', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const request = credentialRequest(client, credential, digests)
    const page = asPage(await browser.open(authorizePath(request)))
    await repeat(async (index) => {
      const action = index % 2 === 0 ? 'send-code' : 'approve'
      const stranger = new SignerBrowser(rssp.baseUrl)
      const answer = asPage(await stranger.post(page.url, { otp: '00000000', action }, STRANGER))
      assert.equal(answer.status, 400)
      // Nor in a browser that has the request, and in which nobody is signed in.
      await browser.post(page.url, { otp: '00000000', action }, STRANGER)
    })
    await assertUnharmed()
  })

  it('without a token, or with another person’s, cannot guess or have codes sent by the API', async () => {
    const other = await rssp.serviceToken(await rssp.addUser(), client)
    const words = 'Invalid parameter credentialID'
    await repeat(async () => {
      const challenge = { credentialID: explicit.id, authObjectID: 'EMAIL' }
      const authorize = {
        ...{ credentialID: explicit.id, numSignatures: 1, hashAlgorithmOID: SHA256 },
        hashes: digests.map((digest) => digest.toString('base64')),
        authData: [
          { id: 'OTP', value: '000000' },
          { id: 'EMAIL', value: '00000000' },
        ],
      }
      for (const [method, body] of Object.entries({
        'credentials/getChallenge': challenge,
        'credentials/authorize': authorize,
      })) {
        assert.ok([400, 401].includes((await rssp.call(method, body)).status))
        assert.equal((await rssp.call(method, body, 'guessed')).status, 401)
        assertRefusal(await rssp.call(method, body, other), 400, 'invalid_request', words)
      }
    })
    await assertUnharmed()
  })

  it('cannot enrol, or use up guesses at enrolment codes', async () => {
    await repeat(async () => {
      const browser = new SignerBrowser(rssp.baseUrl)
      const fields = { enrolmentCode: '0000-0000-0000-0000' }
      const page = asPage(await browser.post('/account/factors/enrol', fields, STRANGER))
      assert.match(textOf(page.html), /Sign in/)
    })
    const { throttle } = rssp.services.database.read
    assert.equal(await throttle.count({ where: { key: { contains: victim.id } } }), 0)
    await assertUnharmed()
  })
})

describe('People behind one address (S24)', () => {
  let rssp: Rssp

  before(async () => {
    rssp = await startRssp({ settings: { limits: { signInFailures: 1 } } })
  })
  after(() => rssp.close())

  const attempt = ({ username }: TestUser, password: string) =>
    rssp.services.accounts.checkPassword({
      ...{ username, password, clientId: 'any', address: '198.51.100.7' },
    })

  it('sign in as often as they like, and still guess no oftener than one', async () => {
    const user = await rssp.addUser()
    for (let each = 0; each < 21; each += 1) {
      assert.equal((await attempt(user, user.password)).outcome, 'accepted')
    }
    for (let each = 0; each < 20; each += 1) {
      const other = { ...user, username: `nobody-${each}` }
      assert.equal((await attempt(other, 'wrong')).outcome, 'wrong-credentials')
    }
    assert.equal((await attempt(user, user.password)).outcome, 'too-many-attempts')
  })
})
