import assert from 'node:assert/strict'
import type { ApprovalFactor, Credential } from '../../src/credentials/credential.js'
import { totpCode } from '../../src/identity/totp.js'
import { lastCode, messagesTo } from '../support/outbox.js'
import { digestOf, startRssp, type Rssp, type TestClient, type TestUser } from '../support/rssp.js'
import { SignerBrowser, textOf, type Page } from '../support/signer-browser.js'
import { approvalPage, asAnswer, asPage, credentialRequest, type Changes } from './application.js'

const WRONG = 'The one-time code is not correct.'
const USED = 'This code has been used already, or a newer one was sent since.'
const EXPIRED_CODE = 'This code has expired. Please ask for a new one.'
const TOO_EARLY = /you can ask for another in (\d+) seconds/
const LOCKED = /There were too many wrong entries\. For your protection, this is locked until /

const CHANNELS: { factor: 'email' | 'sms'; masked: RegExp; recorded: string }[] = [
  { factor: 'email', masked: /by e-mail to u…@example\.org/, recorded: 'email-otp' },
  { factor: 'sms', masked: /by text message to \+370…\d\d/, recorded: 'sms-otp' },
]

let phones = 37060000000

for (const { factor, masked, recorded } of CHANNELS) {
  describe(`Approval with a code sent by ${factor}`, () => {
    let rssp: Rssp
    let user: TestUser
    let client: TestClient
    let credential: Credential
    let address: string
    const digests = [digestOf('contract'), digestOf('annex')]
    const limits = { factorFailures: 5, lockSeconds: 900, sentCodesPerHour: 6 }

    before(async () => {
      rssp = await startRssp({ outbox: true, settings: { limits } })
      client = await rssp.addClient({ name: 'Contract Portal' })
    })
    after(() => rssp.close())
    beforeEach(async () => {
      user = await rssp.addUser()
      phones += 1
      address = factor === 'email' ? `${user.username}@example.org` : `+${phones}`
      const { users } = rssp.services
      if (factor === 'sms') await users.setContact(user.id, { phone: address }, rssp.clock.now())
      credential = await rssp.addCredential(user, { approvalFactor: factor })
    })

    async function open(changes: Changes = {}, of = credential, hashes = digests) {
      const browser = new SignerBrowser(rssp.baseUrl)
      const request = credentialRequest(client, of, hashes, changes)
      return { browser, page: await approvalPage(rssp, browser, user, request) }
    }
    type Opened = Awaited<ReturnType<typeof open>>

    const send = ({ browser, page }: Opened, fields: Record<string, string> = {}) =>
      browser.post(page.url, { ...fields, action: 'send-code' })
    const approve = ({ browser, page }: Opened, otp: string, fields: Changes = {}) =>
      browser.post(page.url, { otp, ...(fields as Record<string, string>), action: 'approve' })
    const code = () => lastCode(rssp, address)
    const sent = () => messagesTo(rssp, address).length
    const text = (step: Page | URLSearchParams) => textOf(asPage(step).html)

    async function assertNothingApproved() {
      const { authorisation } = rssp.services.database.read
      assert.equal(await authorisation.count({ where: { credentialId: credential.id } }), 0)
    }

    it('sends nothing by being looked at, and asks for no code that was not sent', async () => {
      const { browser, page } = await open()
      await browser.open(page.url)
      assert.equal(sent(), 0)
      assert.match(textOf(page.html), masked)
      assert.doesNotMatch(page.html, /name="otp"|value="approve"/)
      assert.match(page.html, /value="send-code"/)
    })

    it('tells where the code went and how long it lasts, without the whole address', async () => {
      const opened = await open()
      const page = asPage(await send(opened))
      assert.equal(sent(), 1)
      assert.match(textOf(page.html), /We sent a code to .…?.* It is good for this request only/)
      assert.match(textOf(page.html), TOO_EARLY)
      assert.match(page.html, /<p class="notice" role="status">/)
      assert.ok(!page.html.includes(address))
      const [message] = messagesTo(rssp, address)
      assert.match(message?.text ?? '', /Contract Portal/)
      assert.match(message?.text ?? '', /2 signatures/)
    })

    it('authorises what was shown, and records with which factor', async () => {
      const opened = await open()
      await send(opened)
      assert.ok(
        asAnswer(await approve(opened, ` ${code().slice(0, 4)} ${code().slice(4)}`)).get('code'),
      )
      const events = await rssp.auditEvents()
      const granted = events.findLast(({ event }) => event === 'authorisation.granted')
      assert.deepEqual(granted?.detail['factors'], [recorded])
    })

    it('takes the PIN with it, and tells which of the two was wrong', async () => {
      credential = await rssp.addCredential(user, { approvalFactor: factor, withPin: true })
      const opened = await open()
      await send(opened)
      assert.ok(
        text(await approve(opened, code(), { pin: '000000' })).includes('PIN is not correct'),
      )
      assert.ok(text(await approve(opened, '12345678', { pin: user.pin })).includes(WRONG))
      assert.ok(asAnswer(await approve(opened, code(), { pin: user.pin })).get('code'))
    })

    it('speaks the language of the page', async () => {
      const opened = await open({ lang: 'de' })
      await send(opened)
      assert.match(messagesTo(rssp, address)[0]?.text ?? '', /Code lautet \d{8}/)
      assert.match(text(await approve(opened, '0')), /Der Einmalcode ist nicht richtig/)
    })

    it('is not possible with the code of another request (S22)', async () => {
      const [first, second] = [await open(), await open({}, credential, [digestOf('other')])]
      await send(first)
      const firstCode = code()
      await send(second)
      const secondCode = code()
      assert.ok(text(await approve(first, secondCode)).includes(WRONG))
      assert.ok(text(await approve(second, firstCode)).includes(WRONG))
      await assertNothingApproved()
      assert.ok(asAnswer(await approve(second, secondCode)).get('code'))
    })

    it('is not possible when the digests changed after the code was sent (S22)', async () => {
      const opened = await open()
      await send(opened)
      const { database } = rssp.services
      const { sql, sweep } = await import('../../src/storage/database.js')
      const items = JSON.stringify([{ digest: digestOf('swapped').toString('base64') }])
      const id = opened.page.url.split('/').at(-1) ?? ''
      await database.commit({
        changes: [sweep(sql`UPDATE "Transaction" SET "items" = ${items} WHERE "id" = ${id}`)],
      })
      const step = await approve(opened, code())
      if (!(step instanceof URLSearchParams)) assert.ok(!step.html.includes('value="approve"'))
      await assertNothingApproved()
    })

    it('is not possible with the code of an authenticator, or with none', async () => {
      const opened = await open()
      await send(opened)
      for (const wrong of [totpCode(user.totpSecret, rssp.clock.now()), '', '１２３４５６７８']) {
        assert.ok(text(await approve(opened, wrong)).includes(WRONG))
      }
      await assertNothingApproved()
    })

    it('tells a code that expired from a wrong one, and counts no guess for it', async () => {
      const opened = await open()
      await send(opened)
      const late = code()
      rssp.clock.advance(301)
      for (let guesses = 0; guesses <= limits.factorFailures; guesses += 1) {
        const page = asPage(await approve(opened, late))
        assert.ok(textOf(page.html).includes(EXPIRED_CODE))
        assert.match(page.html, /value="send-code"/)
      }
      await send(opened)
      assert.ok(asAnswer(await approve(opened, code())).get('code'))
    })

    it('tells a replaced code from a wrong one', async () => {
      const opened = await open()
      await send(opened)
      const old = code()
      rssp.clock.advance(31)
      await send(opened)
      assert.ok(text(await approve(opened, old)).includes(USED))
      assert.ok(asAnswer(await approve(opened, code())).get('code'))
    })

    it('sends no second code at once, and tells in how many seconds', async () => {
      const opened = await open()
      await send(opened)
      const seconds = TOO_EARLY.exec(text(await send(opened)))?.[1]
      assert.ok(Number(seconds) > 0 && Number(seconds) <= 30, seconds)
      assert.equal(sent(), 1)
      rssp.clock.advance(31)
      await send(opened)
      assert.equal(sent(), 2)
    })

    it('sends a person no more codes in an hour than configured, whatever asks for them', async () => {
      for (let asked = 0; asked < limits.sentCodesPerHour; asked += 1) await send(await open())
      assert.equal(sent(), limits.sentCodesPerHour)
      const opened = await open()
      assert.match(text(await send(opened)), /Many codes were sent\. No more are sent until /)
      assert.equal(sent(), limits.sentCodesPerHour)
      rssp.clock.advance(3601)
      await send(await open())
      assert.equal(sent(), limits.sentCodesPerHour + 1)
    })

    it('sends an address no more either, whoever gave it', async () => {
      const { users } = rssp.services
      for (let asked = 0; asked <= limits.sentCodesPerHour; asked += 1) {
        user = await rssp.addUser()
        const contact = factor === 'email' ? { email: address } : { phone: address }
        await users.setContact(user.id, contact, rssp.clock.now())
        credential = await rssp.addCredential(user, { approvalFactor: factor })
        await send(await open())
      }
      assert.equal(sent(), limits.sentCodesPerHour)
    })

    it('is locked after too many wrong codes; then none is sent', async () => {
      const opened = await open()
      await send(opened)
      for (let guesses = 0; guesses < limits.factorFailures; guesses += 1) {
        await approve(opened, '00000000')
      }
      assert.match(text(await approve(opened, code())), LOCKED)
      rssp.clock.advance(31)
      assert.match(text(await send(opened)), LOCKED)
      assert.equal(sent(), 1)
      await assertNothingApproved()
    })

    it('tells what to do when there is no address', async () => {
      const contact = factor === 'email' ? { email: null } : { phone: null }
      await rssp.services.users.setContact(user.id, contact, rssp.clock.now())
      const opened = await open()
      assert.match(text(opened.page), /no address on record .* contact your signing service/)
      assert.match(text(await send(opened)), /no address on record/)
    })

    it('ends with a change of address, as does what was approved before (S29)', async () => {
      const opened = await open()
      await send(opened)
      const before = code()
      const approved = await open()
      await send(approved)
      assert.ok(asAnswer(await approve(approved, code())).get('code'))
      const contact =
        factor === 'email' ? { email: 'new@example.org' } : { phone: '+491700' + '0001' }
      await rssp.services.users.setContact(user.id, contact, rssp.clock.now())
      assert.ok(text(await approve(opened, before)).includes(USED))
      const { authorisation } = rssp.services.database.read
      const rows = await authorisation.findMany({ where: { credentialId: credential.id } })
      assert.ok(rows.length === 1 && rows.every(({ revokedAt }) => revokedAt !== null))
    })

    it('asks for the code of the certificate that is chosen', async () => {
      const kinds: (ApprovalFactor | undefined)[] = [factor, undefined]
      const [coded] = await Promise.all(
        kinds.map((approvalFactor) =>
          rssp.addCredential(user, {
            signatureQualifier: 'eu_eidas_aes',
            ...(approvalFactor ? { approvalFactor } : {}),
          }),
        ),
      )
      const opened = await open({ credentialID: null, signatureQualifier: 'eu_eidas_aes' })
      assert.match(textOf(opened.page.html), /choose it and ask for the code first/)
      assert.match(text(await send(opened)), /Please choose a certificate/)
      assert.equal(sent(), 0)
      const page = asPage(await send(opened, { credentialID: coded?.id ?? '' }))
      assert.doesNotMatch(page.html, /type="radio"/)
      const answer = asAnswer(await approve(opened, code()))
      assert.ok(answer.get('code'))
    })

    it('keeps no code in the database, the audit log or the answers', async () => {
      const opened = await open()
      const page = asPage(await send(opened))
      const rows = await rssp.services.database.read.sentCode.findMany()
      const events = await rssp.auditEvents()
      assert.ok(!JSON.stringify([rows, events, page.html]).includes(code()))
      assert.ok(events.some(({ event }) => event === 'code.sent'))
    })
  })
}
