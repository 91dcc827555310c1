import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../../src/credentials/auth-object.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { approvalPage, credentialRequest } from '../../oauth/application.js'
import { lastCode, messagesTo } from '../../support/outbox.js'
import {
  assertRefusal,
  digestOf,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'
import { SignerBrowser } from '../../support/signer-browser.js'

const { PIN, EMAIL, SMS } = AUTH_OBJECTS
let phones = 37061000000

describe('credentials/getChallenge, for a code by text message', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let token: string
  let credential: Credential
  let phone: string
  const digest = digestOf('document')
  const limits = { factorFailures: 5, lockSeconds: 900, sentCodesPerHour: 3 }

  before(async () => {
    rssp = await startRssp({ outbox: true, settings: { limits } })
    client = await rssp.addClient({ name: 'Contract Portal' })
  })
  after(() => rssp.close())
  beforeEach(async () => {
    user = await rssp.addUser()
    phone = `+${(phones += 1)}`
    await rssp.services.users.setContact(user.id, { phone }, rssp.clock.now())
    credential = await rssp.addCredential(user, {
      explicit: { objects: [PIN, SMS, EMAIL], expression: 'PIN AND (SMS OR EMAIL)' },
      withPin: true,
    })
    token = await rssp.serviceToken(user, client)
  })

  const challenge = (authObjectID = 'SMS', bearer = token) =>
    rssp.call('credentials/getChallenge', { credentialID: credential.id, authObjectID }, bearer)
  const authorize = (value: string, id = 'SMS', bearer = token) =>
    rssp.call(
      'credentials/authorize',
      {
        credentialID: credential.id,
        numSignatures: 1,
        hashes: [digest.toString('base64')],
        hashAlgorithmOID: SHA256,
        authData: [
          { id: 'PIN', value: user.pin },
          { id, value },
        ],
      },
      bearer,
    )

  it('is told in credentials/info as a challenge to answer', async () => {
    const { body } = await rssp.call(
      'credentials/info',
      { credentialID: credential.id, authInfo: true },
      token,
    )
    assert.deepEqual(body.auth.objects[1], {
      ...{ type: 'ChallengeResponse', id: 'SMS', format: 'N' },
      label: 'Code from our text message',
    })
  })

  it('sends it to the phone with 204; it authorises once, and says who asks', async () => {
    const { status, body } = await challenge()
    assert.deepEqual([status, body], [204, ''])
    const [message] = messagesTo(rssp, phone)
    assert.match(message?.text ?? '', /for Contract Portal, within 5 minutes/)
    assert.ok((message?.text.length ?? 999) <= 160)
    const code = lastCode(rssp, phone)
    assert.equal((await authorize(code)).status, 200)
    assert.equal((await authorize(code)).body.error, 'invalid_authentication_data')
  })

  it('sends one that answers no other object, application or credential', async () => {
    await challenge()
    const code = lastCode(rssp, phone)
    assert.equal((await authorize(code, 'EMAIL')).status, 400)
    const stranger = await rssp.serviceToken(user, await rssp.addClient())
    assert.equal((await authorize(code, 'SMS', stranger)).status, 400)
    const first = credential
    credential = await rssp.addCredential(user, {
      explicit: { objects: [PIN, SMS], expression: null },
      withPin: true,
    })
    assert.equal((await authorize(code)).status, 400)
    credential = first
    assert.equal((await authorize(code)).status, 200)
  })

  it('is answered by no code that was sent for an approval on our pages (S22)', async () => {
    const onPages = await rssp.addCredential(user, { approvalFactor: 'sms' })
    const browser = new SignerBrowser(rssp.baseUrl)
    const request = credentialRequest(client, onPages, [digest])
    const { url } = await approvalPage(rssp, browser, user, request)
    await browser.post(url, { action: 'send-code' })
    const { binding, ...row } = (await rssp.services.database.read.sentCode.findFirst({
      where: { credentialId: onPages.id },
    })) ?? { binding: '' }
    assert.match(binding, /^[\w-]{43}$/)
    assert.ok(!JSON.stringify(row).includes(lastCode(rssp, phone)))
    assert.equal((await authorize(lastCode(rssp, phone))).status, 400)
  })

  it('is refused within 30 seconds, and after too many within the hour', async () => {
    await challenge()
    const early = await challenge()
    assert.match(
      early.body.error_description,
      /^A code was sent a moment ago; try again in \d+ seconds$/,
    )
    for (let asked = 1; asked < limits.sentCodesPerHour; asked += 1) {
      rssp.clock.advance(31)
      assert.equal((await challenge()).status, 204)
    }
    rssp.clock.advance(31)
    const many = await challenge()
    assert.equal(many.status, 400)
    assert.match(
      many.body.error_description,
      /^Too many codes were sent; try again in \d+ seconds$/,
    )
    assert.equal((await challenge('EMAIL')).status, 400)
  })

  it('is refused for a person without a phone', async () => {
    await rssp.services.users.setContact(user.id, { phone: null }, rssp.clock.now())
    const words = 'Invalid parameter authObjectID'
    assertRefusal(await challenge(), 400, 'invalid_request', words)
  })

  it('is refused while the credential is locked', async () => {
    for (let guesses = 0; guesses < limits.factorFailures; guesses += 1) await authorize('00000000')
    assertRefusal(await challenge(), 400, 'invalid_request', 'Credential locked')
    assert.deepEqual(messagesTo(rssp, phone), [])
  })
})
