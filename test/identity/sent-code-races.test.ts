import assert from 'node:assert/strict'
import type { Factor } from '../../src/credentials/auth-object.js'
import type { Credential } from '../../src/credentials/credential.js'
import type { CodePurpose, SentFactor } from '../../src/identity/sent-codes.js'
import { totpCode } from '../../src/identity/totp.js'
import { approvalPage, credentialRequest } from '../oauth/application.js'
import { lastCode, messagesTo } from '../support/outbox.js'
import { digestOf, startRssp, type Rssp, type TestClient, type TestUser } from '../support/rssp.js'
import { SignerBrowser } from '../support/signer-browser.js'

const TIMES = 100
const LIMIT = 5
let phones = 37062000000

describe('100 uses at once on two servers', () => {
  let one: Rssp
  let two: Rssp
  let client: TestClient
  let user: TestUser
  let credential: Credential
  let phone: string

  before(async () => {
    const settings = { limits: { factorFailures: LIMIT, lockSeconds: 900 } }
    one = await startRssp({ outbox: true, settings })
    two = await startRssp({ outbox: true, settings, replicaOf: one })
    client = await one.addClient()
  })
  after(async () => {
    await two.close()
    await one.close()
  })
  beforeEach(async () => {
    user = await one.addUser()
    phone = `+${(phones += 1)}`
    await one.services.users.setContact(user.id, { phone }, one.clock.now())
    credential = await one.addCredential(user, { approvalFactor: 'sms' })
    one.clock.advance(31)
  })

  /** Half of them at either server. */
  function everywhere<T>(use: (server: Rssp) => Promise<T>): Promise<T[]> {
    const servers = Array.from({ length: TIMES }, (_, index) => (index % 2 === 0 ? one : two))
    return Promise.all(servers.map(use))
  }

  function purpose(factor: SentFactor): CodePurpose {
    const { client_id: clientId } = client
    return { credentialId: credential.id, clientId, factor, binding: 'transaction' }
  }

  async function send(server: Rssp, factor: SentFactor) {
    const person = (await server.services.users.find(user.id)) ?? assert.fail()
    const about = { clientName: client.name, numSignatures: 1, lang: 'en' }
    return server.services.sentCodes.send(purpose(factor), person, about)
  }

  async function rightCode(factor: Factor): Promise<string> {
    if (factor !== 'email-otp' && factor !== 'sms-otp') {
      return totpCode(user.totpSecret, one.clock.now())
    }
    await send(one, factor)
    return lastCode(one, addressFor(factor))
  }

  function addressFor(factor: SentFactor): string {
    return factor === 'sms-otp' ? phone : `${user.username}@example.org`
  }

  /** As whoever asks for a factor does: the credential is read anew for each attempt. */
  async function check(server: Rssp, factor: Factor, value: string) {
    const found = (await server.services.credentials.find(credential.id)) ?? assert.fail()
    const given = [{ factor, value, binding: 'transaction' }]
    const { outcome } = await server.services.factors.check(
      found,
      client.client_id,
      given,
      () => true,
    )
    return outcome
  }

  async function failures() {
    const events = await one.auditEvents()
    return events.filter(
      ({ event, detail }) => event === 'factor.failed' && detail['credentialId'] === credential.id,
    )
  }

  for (const factor of ['email-otp', 'sms-otp', 'totp'] as const) {
    it(`accept one right ${factor} once (S8, S21)`, async () => {
      const code = await rightCode(factor)
      const outcomes = await everywhere((server) => check(server, factor, code))
      assert.equal(outcomes.filter((outcome) => outcome === 'accepted').length, 1)
      assert.ok(!outcomes.includes('wrong'))
      assert.deepEqual(await failures(), [])
    })

    it(`look at no more wrong codes of ${factor} than the limit (S20)`, async () => {
      const code = await rightCode(factor)
      const wrong = code.replaceAll(/./g, (digit) => String((Number(digit) + 1) % 10))
      const outcomes = await everywhere((server) => check(server, factor, wrong))
      assert.ok(outcomes.every((outcome) => outcome === 'wrong' || outcome === 'locked'))
      assert.equal((await failures()).length, LIMIT)
      assert.equal(await check(two, factor, code), 'locked')
    })
  }

  for (const factor of ['email-otp', 'sms-otp'] as const) {
    it(`send one ${factor}`, async () => {
      const outcomes = await everywhere(async (server) => (await send(server, factor)).outcome)
      assert.equal(outcomes.filter((outcome) => outcome === 'sent').length, 1)
      assert.ok(outcomes.every((outcome) => outcome === 'sent' || outcome === 'too-early'))
      assert.equal(messagesTo(one, addressFor(factor)).length, 1)
    })
  }

  it('give one approval on our pages (S8, S22)', async () => {
    const browser = new SignerBrowser(one.baseUrl)
    const request = credentialRequest(client, credential, [digestOf('contract')])
    const { url } = await approvalPage(one, browser, user, request)
    await browser.post(url, { action: 'send-code' })
    const body = new URLSearchParams({ otp: lastCode(one, phone), action: 'approve' })
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const { pathname } = new URL(url)
    const answers = await everywhere((server) =>
      fetch(`${server.baseUrl}${pathname}`, {
        ...{ method: 'POST', headers: { cookie }, body, redirect: 'manual' },
      }),
    )
    assert.ok(answers.every(({ status }) => status < 500))
    const { authorisation } = one.services.database.read
    assert.equal(await authorisation.count({ where: { credentialId: credential.id } }), 1)
  })
})
