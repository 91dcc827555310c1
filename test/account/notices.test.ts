import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SMTPServer } from 'smtp-server'
import { auditEvent, type AuditEvent } from '../../src/audit/events.js'
import type { Credential } from '../../src/credentials/credential.js'
import { authorize, credentialRequest } from '../oauth/application.js'
import {
  digestOf,
  ECDSA_SHA256,
  freePort,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { textOf } from '../support/signer-browser.js'
import { signedIn } from './signer.js'

interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
}

describe('Mail notices', () => {
  let rssp: Rssp
  let outbox: string
  let user: TestUser
  let client: TestClient
  let credential: Credential
  const digests = [digestOf('contract'), digestOf('annex')]
  const settings = { notices: { everySeconds: 86_400 } }

  before(async () => {
    rssp = await startRssp({ outbox: true, settings })
    outbox = join(rssp.folder, 'outbox')
    client = await rssp.addClient({ name: 'Contract\r\nPortal\u202e' })
  })
  beforeEach(async () => {
    user = await rssp.addUser()
    credential = await rssp.addCredential(user, { withPin: true })
    await news()
  })
  after(() => rssp.close())

  /** What is sent now. */
  async function news(): Promise<Mail[]> {
    await rssp.services.notices.run()
    const mails = readdirSync(outbox)
      .sort()
      .map((file) => JSON.parse(readFileSync(join(outbox, file), 'utf8')) as Mail)
    rmSync(outbox, { recursive: true })
    mkdirSync(outbox)
    return mails
  }
  const approve = () => rssp.credentialToken({ user, client, credential, digests })
  const sign = (token: string) =>
    rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: digests.map((digest) => digest.toString('base64')),
        signAlgo: ECDSA_SHA256,
      },
      token,
    )
  const request = () => credentialRequest(client, credential, digests)
  const record = (...events: AuditEvent[]) => rssp.services.audit.append(...events)

  it('tells of signatures: who asked, with what, how many, when, and what to do', async () => {
    const token = await approve()
    assert.equal((await sign(token)).status, 200)
    const [mail, another] = await news()
    assert.ok(mail && !another)
    assert.equal(mail.to, `${user.username}@example.org`)
    assert.equal(mail.subject, 'Test RSSP: 2 signatures in your name')
    const year = rssp.clock.now().getUTCFullYear()
    for (const fact of [
      `Hello Test ${user.username},`,
      'Signed in your name: 2 signatures, asked for by Contract Portal, certificate “Test key”',
      `${year}`,
      'UTC',
      `If this was not you: suspend the certificate at ${rssp.baseUrl}/account/credentials`,
    ]) {
      assert.ok(mail.text.includes(fact), `${fact}: ${mail.text}`)
    }
    assert.ok(!mail.text.includes(token) && !mail.text.includes(user.pin))
    assert.deepEqual(await news(), [])
  })

  it('makes one mail of what happened meanwhile, and one line of what is alike', async () => {
    for (let times = 0; times < 3; times += 1) await sign(await approve())
    await authorize(rssp, user, request(), { decision: 'reject' })
    const [mail, another] = await news()
    assert.ok(mail && !another)
    assert.equal(mail.subject, 'Test RSSP: Something happened on your account')
    assert.match(mail.text, /Signed in your name: 6 signatures/)
    assert.match(mail.text, /You rejected a request for signatures/)
  })

  it('tells everyone of their own, and nobody of another’s', async () => {
    const other = await rssp.addUser()
    const { id: credentialId } = await rssp.addCredential(other)
    await news()
    await sign(await approve())
    await record(auditEvent('credential.locked', { credentialId, until: 'x' }))
    const mails = await news()
    const told = new Map(mails.map(({ to, text }) => [to, text]))
    assert.equal(told.size, 2)
    assert.match(told.get(`${other.username}@example.org`) ?? '', /locked for a while/)
    assert.doesNotMatch(told.get(`${other.username}@example.org`) ?? '', /Signed/)
    assert.doesNotMatch(told.get(`${user.username}@example.org`) ?? '', /locked/)
  })

  const told: [string, () => Promise<unknown>, RegExp][] = [
    [
      'a wrong code or PIN',
      async () => {
        await authorize(rssp, user, request(), { pin: '000000' }).catch(() => null)
      },
      /A wrong PIN or code was entered for your certificate.*Test key/,
    ],
    [
      'a signature that was agreed to once and asked for twice',
      async () => {
        const token = await approve()
        assert.equal((await sign(token)).status, 200)
        await news()
        assert.equal((await sign(token)).status, 400)
      },
      /An application wanted to sign and was refused/,
    ],
    [
      'a refused identity',
      async () => {
        const { transactions } = rssp.services
        await transactions.open(`refused-${user.id}`, {
          ...{ clientId: client.client_id, credential, hashAlgorithm: null, clientData: null },
          ...{ numSignatures: 1, items: [], description: null },
          credential: await rssp.addCredential(user, { SCAL: '1' }),
        })
        await news()
        await record(
          auditEvent('identity.refused', {
            ...{ provider: 'x', clientId: client.client_id, purpose: 'approval', why: 'iss' },
            interactionId: `refused-${user.id}`,
          }),
        )
      },
      /An approval with an electronic identity was refused/,
    ],
    [
      'a factor that was enrolled',
      () => record(auditEvent('factor.enrolled', { userId: user.id, factor: 'totp', proof: 'x' })),
      /A factor was added to your account/,
    ],
    [
      'a change nobody has words for yet',
      () => record({ event: 'factor.replaced' as never, detail: { userId: user.id } as never }),
      /What protects your account was changed/,
    ],
    [
      'a suspended certificate',
      () => rssp.services.credentials.suspend(credential.id, 'operator', 'secret reason'),
      /A certificate was suspended/,
    ],
    [
      'being disabled',
      () => rssp.services.users.disable(user.id, rssp.clock.now()),
      /Your account was disabled/,
    ],
  ]
  for (const [what, happens, words] of told) {
    it(`tells of ${what}, also who wants no mail of signatures`, async () => {
      await rssp.services.users.setNotices(user.id, { signatureNotices: false, lang: 'en' })
      await news()
      await happens()
      const [mail, another] = await news()
      assert.ok(mail && !another)
      assert.match(mail.text, words)
      assert.ok(!mail.text.includes('secret reason'))
    })
  }

  it('tells once an hour that somebody tries to sign in, and not of single failures', async () => {
    const failed = (why: string) =>
      record(
        auditEvent('sign-in.failed', {
          ...{ username: user.username, clientId: 'x', address: '::1', why },
        }),
      )
    await failed('wrong credentials')
    assert.deepEqual(await news(), [])
    await failed('too many attempts')
    await failed('too many attempts')
    assert.equal((await news()).length, 1)
    await failed('too many attempts')
    assert.deepEqual(await news(), [])
    rssp.clock.advance(3601)
    await failed('too many attempts')
    assert.equal((await news()).length, 1)
  })

  it('writes in the person’s language', async () => {
    await rssp.services.users.setNotices(user.id, { signatureNotices: true, lang: 'de' })
    const [changed] = await news()
    assert.match(changed?.text ?? '', /Ihr Konto wurde geändert/)
    await sign(await approve())
    const [mail] = await news()
    assert.equal(mail?.subject, 'Test RSSP: 2 Signaturen in Ihrem Namen')
    assert.match(mail.text, /Guten Tag/)
  })

  it('shows refusals and changes among the signatures', async () => {
    await record(auditEvent('factor.enrolled', { userId: user.id, factor: 'totp', proof: 'x' }))
    await news()
    const page = await (await signedIn(rssp, user)).open('/account/history')
    assert.match(textOf(page.html), /Refusals and changes .*A factor was added to your account/)
    const other = await (await signedIn(rssp, await rssp.addUser())).open('/account/history')
    assert.match(textOf(other.html), /Refusals and changes None\./)
  })

  describe('/account/notices', () => {
    it('lets the person do without mail of signatures, after asking for all factors', async () => {
      const signer = await signedIn(rssp, user)
      const form = await signer.open('/account/notices')
      assert.ok(signer.browser.visited.filter((url) => url.includes('prompt=login')).length > 0)
      assert.match(form.html, /<input[^>]*id="signatures"[^>]*checked/)
      assert.match(textOf(form.html), new RegExp(`${user.username}@example.org`))
      const saved = await signer.post('/account/notices', { lang: 'de' })
      assert.match(saved.html, /<html lang="de">/)
      assert.doesNotMatch(saved.html, /<input[^>]*id="signatures"[^>]*checked/)
      await news()
      await sign(await approve())
      assert.deepEqual(await news(), [])
      await signer.post('/account/notices', { lang: 'xx', signatures: 'on' })
      await news()
      await sign(await approve())
      assert.equal((await news()).length, 1)
    })

    it('changes nothing for another site, or too long after the factors were given (S46)', async () => {
      const signer = await signedIn(rssp, user)
      await signer.open('/account/notices')
      const forged = await signer.post('/account/notices', {}, { 'sec-fetch-site': 'cross-site' })
      assert.equal(forged.status, 403)
      rssp.clock.advance(301)
      const answer = await signer.browser.post('/account/notices', { lang: 'de' })
      assert.ok(!(answer instanceof URLSearchParams))
      assert.match(answer.url, /\/oauth2\/interaction\//)
      const account = await rssp.services.users.find(user.id)
      assert.deepEqual([account?.signatureNotices, account?.lang], [true, null])
    })
  })

  it('sends each mail once, whichever of two processes looks', async () => {
    const replica = await startRssp({ replicaOf: rssp, outbox: true, settings })
    try {
      for (let times = 0; times < 3; times += 1) {
        await sign(await approve())
        await Promise.all([
          replica.services.notices.run(),
          rssp.services.notices.run(),
          replica.services.notices.run(),
          rssp.services.notices.run(),
        ])
        const mails = await news()
        assert.equal(mails.length, 1)
        assert.match(mails[0]?.text ?? '', /2 signatures/)
      }
    } finally {
      await replica.close()
    }
  })

  it('survives that nothing is configured: nobody is written to, the pages still tell', async () => {
    const silent = await startRssp({ settings: { notices: { everySeconds: 86_400 } } })
    try {
      const person = await silent.addUser()
      await silent.services.audit.append(
        auditEvent('factor.removed', { userId: person.id, factor: 'totp', proof: 'x' }),
      )
      await silent.services.notices.run()
      const events = await silent.services.notices.newest(person.id)
      assert.deepEqual(
        events.map(({ event }) => event),
        ['factor.removed'],
      )
    } finally {
      await silent.close()
    }
  })

  describe('over SMTP', () => {
    it('waits for a server that is down, and tries again, each time later', async () => {
      const port = await freePort()
      const mail = { transport: 'smtp', host: '127.0.0.1', port, from: 'rssp@example.org' }
      const remote = await startRssp({
        settings: { ...settings, mail: { ...mail, allowPlainText: true } },
      })
      const received: string[] = []
      const server = new SMTPServer({
        authOptional: true,
        disabledCommands: ['STARTTLS'],
        onData(stream, _session, done) {
          const chunks: Buffer[] = []
          stream.on('data', (chunk: Buffer) => chunks.push(chunk))
          stream.on('end', () => {
            received.push(Buffer.concat(chunks).toString())
            done()
          })
        },
      })
      try {
        const person = await remote.addUser()
        await remote.services.audit.append(
          auditEvent('factor.removed', { userId: person.id, factor: 'totp', proof: 'x' }),
        )
        await remote.services.notices.run()
        await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
        await remote.services.notices.run()
        assert.deepEqual(received, [])
        remote.clock.advance(61)
        await remote.services.notices.run()
        await remote.services.notices.run()
        assert.equal(received.length, 1)
        assert.match(received[0] ?? '', /^To: user-\w+@example\.org\r$/m)
        assert.match(received.join('').replaceAll('=\r\n', ''), /A factor was removed/)
      } finally {
        await new Promise<void>((resolve) => {
          server.close(() => {
            resolve()
          })
        })
        await remote.close()
      }
    })
  })
})
