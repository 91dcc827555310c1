import assert from 'node:assert/strict'
import { issueEnrolmentCode } from '../../src/identity/enrolment.js'
import {
  approvalPage,
  asPage,
  codeGrant,
  credentialRequest,
  requestToken,
} from '../oauth/application.js'
import { questionOf, SoftwareAuthenticator } from '../support/authenticator.js'
import { digestOf, startRssp, type Rssp, type TestUser } from '../support/rssp.js'
import { change, sql } from '../../src/storage/database.js'
import { SignerBrowser, textOf, type Page } from '../support/signer-browser.js'
import { pathOf, Signer } from './signer.js'

const PASSKEYS = '/account/passkeys'
const ADD = `${PASSKEYS}/add`
const ENROL = `${PASSKEYS}/enrol`

describe('Passkeys on the signer’s pages', () => {
  let rssp: Rssp
  let user: TestUser
  let signer: Signer
  let seen = 0

  before(async () => {
    rssp = await startRssp({ host: 'localhost' })
  })
  after(() => rssp.close())
  beforeEach(async () => {
    user = await rssp.addUser()
    signer = new Signer(rssp, user)
    seen = (await rssp.auditEvents()).length
  })

  const newDevice = () => new SoftwareAuthenticator(rssp.baseUrl)
  const owned = (of = user) => rssp.services.passkeys.list(of.id)

  /** Adds a passkey, signing in with a second factor on the way. */
  async function added(name = 'Phone', by = signer): Promise<SoftwareAuthenticator> {
    const device = newDevice()
    const page = await by.open(ADD)
    const passkey = device.create(questionOf(page.html))
    const next = await by.post(ADD, { action: 'passkey', name, passkey })
    assert.equal(pathOf(next), `${PASSKEYS}?done=added`, textOf(next.html))
    return device
  }

  /** A person with a password and nothing else. */
  async function passwordOnly(): Promise<Signer> {
    await rssp.services.database.commit({
      changes: [change(sql`UPDATE "User" SET "totpSecret" = NULL WHERE "id" = ${user.id}`, 1)],
    })
    return new Signer(rssp, user)
  }

  async function newEvents(...names: string[]) {
    const events = (await rssp.auditEvents()).slice(seen)
    return events.filter(({ event }) => names.includes(event))
  }

  function problemOf({ html }: Page): string {
    return textOf(/class="problem" role="alert"[^]*?<p>([^]*?)<\/p>/.exec(html)?.[1] ?? html)
  }

  it('lists what was added, under its name, with when it was used', async () => {
    await added('Phone')
    const page = await signer.open(PASSKEYS)
    const text = textOf(page.html)
    assert.match(text, /Phone Added on .* Not used yet/)
    assert.doesNotMatch(page.headers.get('content-security-policy') ?? '', /script-src/)
  })

  it('asks for a new sign-in with the second factor before adding', async () => {
    await signer.open('/account')
    rssp.clock.advance(301)
    const page = asPage(await signer.browser.open(ADD))
    assert.match(pathOf(page), /^\/oauth2\/interaction\//)
    const { username, password } = user
    const next = await signer.browser.post(page.url, { username, password, action: 'continue' })
    assert.match(asPage(next).html, /name="otp"/)
  })

  it('asks the browser to verify the person, to keep it, and to attest nothing', async () => {
    await added()
    const question = questionOf((await signer.open(ADD)).html) as unknown as Record<string, unknown>
    assert.deepEqual(question['authenticatorSelection'], {
      ...{ residentKey: 'required', userVerification: 'required' },
    })
    assert.equal(question['attestation'], 'none')
    assert.deepEqual(question['rp'], { id: 'localhost', name: 'Test RSSP' })
    const [known] = await owned()
    assert.deepEqual(question['excludeCredentials'], [
      { id: known?.id, type: 'public-key', transports: ['internal'] },
    ])
  })

  it('adds nothing with an answer to another person’s question, and nothing twice', async () => {
    const other = new Signer(rssp, await rssp.addUser())
    const foreign = newDevice().create(questionOf((await other.open(ADD)).html))
    await signer.open(ADD)
    const next = await signer.post(ADD, { action: 'passkey', name: 'Phone', passkey: foreign })
    assert.match(problemOf(next), /could not be accepted/)
    const own = newDevice().create(questionOf((await signer.open(ADD)).html))
    const fields = { action: 'passkey', name: 'Phone', passkey: own }
    assert.match(pathOf(await signer.post(ADD, fields)), /done=added/)
    assert.match(problemOf(await signer.post(ADD, fields)), /given before/)
    assert.equal((await owned()).length, 1)
  })

  for (const name of ['', '   ', '\u0000\u202e', 'x'.repeat(61)]) {
    it(`adds none under the name ${JSON.stringify(name.slice(0, 5))}`, async () => {
      const passkey = newDevice().create(questionOf((await signer.open(ADD)).html))
      const next = await signer.post(ADD, { action: 'passkey', name, passkey })
      assert.match(problemOf(next), /give the passkey a name/)
      assert.deepEqual(await owned(), [])
    })
  }

  it('shows a name as text', async () => {
    await added('<script>alert(1)</script>')
    const { html } = await signer.open(PASSKEYS)
    assert.doesNotMatch(html, /<script>alert/)
    assert.match(html, /&lt;script>alert|&lt;script&gt;alert/)
  })

  it('answers nonsense with the page', async () => {
    await signer.open(ADD)
    for (const passkey of ['', '{', '{"id":"aaaa","response":{}}', '[1]']) {
      const next = await signer.post(ADD, { action: 'passkey', name: 'Phone', passkey })
      assert.equal(next.status, 200)
      assert.match(problemOf(next), /could not be accepted/)
    }
  })

  it('renames', async () => {
    await added()
    const [passkey] = await owned()
    await signer.post(`${PASSKEYS}/${passkey?.id}/rename`, { name: '  Key  ring ' })
    assert.deepEqual(
      (await owned()).map(({ name }) => name),
      ['Key ring'],
    )
    const next = await signer.post(`${PASSKEYS}/${passkey?.id}/rename`, { name: '' })
    assert.match(problemOf(next), /give the passkey a name/)
  })

  it('removes after a new sign-in, ends what was approved with it, and says so on record (S29)', async () => {
    const device = await added()
    const client = await rssp.addClient()
    const credential = await rssp.addCredential(user, { approvalFactor: 'passkey' })
    const browser = new SignerBrowser(rssp.baseUrl)
    const request = credentialRequest(client, credential, [digestOf('contract')])
    const page = await approvalPage(rssp, browser, user, request)
    const passkey = device.get(questionOf(page.html))
    const told = await browser.post(page.url, { action: 'passkey', passkey })
    const code = told instanceof URLSearchParams ? (told.get('code') ?? '') : ''
    const { body } = await requestToken(rssp, codeGrant(client, code))
    assert.ok(body.access_token)
    rssp.clock.advance(301)
    const confirm = asPage(await signer.browser.open(`${PASSKEYS}/${device.id}/remove`))
    assert.match(pathOf(confirm), /^\/oauth2\/interaction\//)
    const asked = await signer.open(`${PASSKEYS}/${device.id}/remove`)
    assert.match(textOf(asked.html), /It is your last one/)
    const done = await signer.post(`${PASSKEYS}/${device.id}/remove`)
    assert.equal(pathOf(done), `${PASSKEYS}?done=removed`)
    const [event] = await newEvents('factor.removed')
    assert.deepEqual(event?.detail, {
      ...{ userId: user.id, factor: 'passkey', proof: 'sign-in', passkeyId: device.id },
    })
    const authorisations = await rssp.services.database.read.authorisation.findMany({
      where: { userId: user.id },
    })
    assert.ok(authorisations.length === 1 && authorisations[0]?.revokedAt)
  })

  it('answers for another person’s passkey like for none', async () => {
    const other = new Signer(rssp, await rssp.addUser())
    const device = await added('Theirs', other)
    await signer.open(ADD)
    for (const id of [device.id, 'bm9uZQ']) {
      const answers = [
        await signer.post(`${PASSKEYS}/${id}/rename`, { name: 'Mine' }),
        await signer.open(`${PASSKEYS}/${id}/remove`),
        await signer.post(`${PASSKEYS}/${id}/remove`),
      ]
      for (const { status, html } of answers) {
        assert.equal(status, 404)
        assert.match(html, /There is nothing here that belongs to you/)
      }
    }
    assert.deepEqual(
      (await owned(other.user)).map(({ name }) => name),
      ['Theirs'],
    )
  })

  it('lets a password alone change nothing where the account has a passkey (S29)', async () => {
    await added()
    const { browser } = await passwordOnly()
    const { username, password } = user
    const typed = { username, password, action: 'continue' }
    const first = asPage(await browser.open('/account'))
    assert.equal(pathOf(asPage(await browser.post(first.url, typed))), '/account')
    for (const path of ['/account/notices', '/account/factors/change', ADD]) {
      const signIn = asPage(await browser.open(path))
      assert.match(pathOf(signIn), /^\/oauth2\/interaction\//, path)
      const again = asPage(await browser.post(signIn.url, typed))
      assert.match(problemOf(again), /A password is not enough for this/, path)
    }
  })

  it('takes no form from another site', async () => {
    const device = await added()
    const headers = { 'sec-fetch-site': 'cross-site' }
    for (const path of [ADD, ENROL, `${PASSKEYS}/${device.id}/remove`]) {
      const { status } = await signer.post(path, {}, headers)
      assert.equal(status, 403)
    }
    assert.equal((await owned()).length, 1)
  })

  describe('of a person with a password alone', () => {
    it('are not added without the operator’s code', async () => {
      const weak = await passwordOnly()
      const page = await weak.open(ADD)
      assert.match(textOf(page.html), /you need an enrolment code/)
      assert.doesNotMatch(page.html, /data-options/)
      const entry = await weak.open(ENROL)
      const passkey = newDevice().create(questionOf(entry.html))
      const fields = { action: 'passkey', name: 'Phone', passkey }
      assert.match(textOf((await weak.post(ADD, fields)).html), /you need an enrolment code/)
      for (const enrolmentCode of ['', 'AAAA-BBBB-CCCC-DDDD']) {
        const next = await weak.post(ENROL, { ...fields, enrolmentCode })
        assert.match(problemOf(next), /enrolment code is not correct/)
      }
      assert.deepEqual(await owned(), [])
    })

    it('are added with it, once', async () => {
      const weak = await passwordOnly()
      const { enrolmentStore: store, secrets, now } = rssp.services
      const { code } = await issueEnrolmentCode({ store, secrets, now }, user.id, 24)
      const enrol = async () => {
        const passkey = newDevice().create(questionOf((await weak.open(ENROL)).html))
        const fields = { action: 'passkey', name: 'Phone', passkey, enrolmentCode: code }
        return weak.post(ENROL, fields)
      }
      assert.match(pathOf(await enrol()), /done=added/)
      assert.match(problemOf(await enrol()), /enrolment code is not correct/)
      const [event] = await newEvents('factor.enrolled')
      assert.equal(event?.detail['proof'], 'enrolment-code')
    })

    it('protect the account from then on: a password no longer changes factors', async () => {
      const device = await added()
      const weak = await passwordOnly()
      const page = asPage(await weak.browser.open(ADD))
      const { username, password } = user
      const fields = { username, password, action: 'continue' }
      const next = asPage(await weak.browser.post(page.url, fields))
      assert.match(problemOf(next), /Please sign in with the passkey/)
      const passkey = device.get(questionOf(next.html))
      const entered = await weak.browser.post(next.url, { action: 'passkey', passkey })
      assert.equal(pathOf(asPage(entered)), ADD)
    })
  })
})
