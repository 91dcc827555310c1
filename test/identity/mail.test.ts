import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import type { Credential } from '../../src/credentials/credential.js'
import { MessageNotSentError } from '../../src/errors.js'
import { openMail } from '../../src/identity/mail.js'
import { approvalPage, asAnswer, asPage, credentialRequest } from '../oauth/application.js'
import { codeIn } from '../support/outbox.js'
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
import { SmtpProcess } from '../support/smtp-process.js'

const OVERLOADED =
  'The authorization server is currently unable to handle the request due to a temporary overloading or maintenance of the server.'

describe('Codes by e-mail over SMTP', () => {
  let smtp: SmtpProcess

  before(async () => {
    smtp = await SmtpProcess.start()
  })
  after(() => smtp.stop())

  const message = { to: 'ona@example.org', subject: 'Grüße', text: 'Your code is 12345678.' }

  async function assertNotSent(
    settings: ReturnType<SmtpProcess['settings']>,
    why: MessageNotSentError['why'],
    to = message.to,
  ) {
    const count = (await smtp.received()).length
    await assert.rejects(
      openMail({ mail: settings }).send({ ...message, to }),
      (error: unknown) => {
        assert.ok(error instanceof MessageNotSentError, String(error))
        assert.equal(error.why, why)
        return true
      },
    )
    assert.equal((await smtp.received()).length, count)
  }

  it('travel under TLS, with authentication', async () => {
    await openMail({ mail: smtp.settings() }).send(message)
    const mail = (await smtp.received()).at(-1)
    assert.deepEqual([mail?.to, mail?.secure, mail?.user], [['ona@example.org'], true, 'rssp'])
    assert.match(mail?.text ?? '', /From: rssp@example\.org/)
    assert.match(mail?.text ?? '', /Your code is 12345678\./)
  })

  it('are not sent without TLS, unless the operator allows that', async () => {
    await assertNotSent(smtp.settings('noTls'), 'unavailable')
    await openMail({ mail: smtp.settings('noTls', { allowPlainText: true }) }).send(message)
    assert.equal((await smtp.received()).at(-1)?.secure, false)
  })

  it('are not sent to a server with another certificate (S112)', async () => {
    await assertNotSent(smtp.settings('otherCertificate'), 'unavailable')
  })

  it('are not sent to a server with another name (S112)', async () => {
    await assertNotSent(smtp.settings('good', { host: '127.0.0.2' }), 'unavailable')
  })

  it('are not sent with a wrong password', async () => {
    const passwordFile = smtp.file('wrong-password')
    await assertNotSent(smtp.settings('good', { passwordFile }), 'unavailable')
  })

  it('are not sent when nothing listens', async () => {
    await assertNotSent(smtp.settings('good', { port: 9 }), 'unavailable')
  })

  it('are refused for good, or for now, by the server', async () => {
    await assertNotSent(smtp.settings(), 'address-refused', 'refused@example.org')
    await assertNotSent(smtp.settings(), 'unavailable', 'later@example.org')
  })

  it('cannot be led to further recipients', async () => {
    const mail = openMail({ mail: smtp.settings() })
    const subject = 'x\r\nBcc: eve@example.org'
    await mail.send({ ...message, subject })
    assert.deepEqual((await smtp.received()).at(-1)?.to, ['ona@example.org'])
    for (const to of [
      'ona@example.org, eve@example.org',
      'ona@example.org;eve@example.org',
      'people: eve@example.org, ona@example.org;',
      'ona@example.org <eve@example.org>',
      'ona@example.org\r\nBcc: eve@example.org',
    ]) {
      await mail.send({ ...message, to }).catch(() => null)
      const recipients = (await smtp.received()).flatMap((each) => each.to)
      assert.deepEqual([...new Set(recipients)], ['ona@example.org'], to)
    }
  })
})

describe('A signer whose mail', () => {
  let smtp: SmtpProcess
  let rssp: Rssp
  let client: TestClient
  let user: TestUser
  let credential: Credential
  let token: string

  before(async () => {
    smtp = await SmtpProcess.start()
    rssp = await startRssp({
      settings: { mail: smtp.settings(), limits: { sentCodesPerHour: 100 } },
    })
    client = await rssp.addClient()
    user = await rssp.addUser()
    credential = await rssp.addCredential(user, { approvalFactor: 'email' })
    token = await rssp.serviceToken(user, client)
  })
  after(async () => {
    await rssp.close()
    await smtp.stop()
  })
  beforeEach(async () => {
    rssp.clock.advance(31)
    const email = `${user.username}@example.org`
    await rssp.services.users.setContact(user.id, { email }, rssp.clock.now())
  })

  const digests = [digestOf('contract')]
  const lastMail = async () => codeIn((await smtp.received()).at(-1)?.text ?? '')

  async function open() {
    const browser = new SignerBrowser(rssp.baseUrl)
    const page = await approvalPage(
      rssp,
      browser,
      user,
      credentialRequest(client, credential, digests),
    )
    const post = (fields: Record<string, string>) => browser.post(page.url, fields)
    return {
      send: () => post({ action: 'send-code' }),
      approve: (otp: string) => post({ otp, action: 'approve' }),
    }
  }

  async function challenge() {
    const explicit = await rssp.addCredential(user, {
      explicit: { objects: [AUTH_OBJECTS.EMAIL], expression: null },
    })
    const body = { credentialID: explicit.id, authObjectID: 'EMAIL' }
    return { explicit, answer: await rssp.call('credentials/getChallenge', body, token) }
  }

  it('arrives approves with the code in it', async () => {
    const { send, approve } = await open()
    await send()
    assert.ok(asAnswer(await approve(await lastMail())).get('code'))
    const { explicit, answer } = await challenge()
    assert.equal(answer.status, 204)
    const authorize = {
      credentialID: explicit.id,
      numSignatures: 1,
      hashes: digests.map((digest) => digest.toString('base64')),
      hashAlgorithmOID: SHA256,
      authData: [{ id: 'EMAIL', value: await lastMail() }],
    }
    assert.equal((await rssp.call('credentials/authorize', authorize, token)).status, 200)
  })

  it('is refused is told so; the application is told to try later', async () => {
    const email = 'refused@example.org'
    await rssp.services.users.setContact(user.id, { email }, rssp.clock.now())
    const { send } = await open()
    const page = asPage(await send())
    assert.equal(page.status, 200)
    assert.match(textOf(page.html), /your address was refused\. Please have your signing service/)
    assert.ok(!page.html.includes('value="approve"'))
    const { answer } = await challenge()
    assertRefusal(answer, 503, 'temporarily_unavailable', OVERLOADED)
    assert.equal(answer.headers.get('retry-after'), '1')
    assert.equal(await rssp.services.database.read.sentCode.count({ where: { spentAt: null } }), 0)
    const events = await rssp.auditEvents()
    const failed = events.findLast(({ event }) => event === 'code.not-sent')
    assert.equal(failed?.detail['why'], 'address-refused EENVELOPE 550')
    assert.ok(!JSON.stringify(events).includes('refused@example.org'))
  })

  it('server is down is told so, keeps the code there is, and may ask again at once', async () => {
    const { send, approve } = await open()
    await send()
    const code = await lastMail()
    rssp.clock.advance(31)
    await smtp.stop()
    for (let tries = 0; tries < 2; tries += 1) {
      const page = asPage(await send())
      assert.equal(page.status, 200)
      assert.match(textOf(page.html), /could not be sent at the moment\. Nothing was approved\./)
    }
    const { answer } = await challenge()
    assertRefusal(answer, 503, 'temporarily_unavailable', OVERLOADED)
    assert.ok(asAnswer(await approve(code)).get('code'))
  })
})
