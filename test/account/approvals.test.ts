import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import type { Credential } from '../../src/credentials/credential.js'
import { totpCode } from '../../src/identity/totp.js'
import {
  digestOf,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import {
  authorizationCode,
  codeGrant,
  inBody,
  requestToken,
  serviceRequest,
} from '../oauth/application.js'
import { questionOf, SoftwareAuthenticator } from '../support/authenticator.js'
import { textOf, type Page } from '../support/signer-browser.js'
import { decide, numberOf, waitingIds } from './decisions.js'
import { pathOf, Signer, signedIn } from './signer.js'

const PUSH = { objects: [AUTH_OBJECTS.PUSH], expression: null }

describe('Approvals on the signer’s own pages', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let token: string
  let credential: Credential
  let signer: Signer
  const digests = ['one', 'two', 'three'].map((text) => digestOf(text))

  before(async () => {
    rssp = await startRssp({ outbox: true, host: 'localhost' })
    user = await rssp.addUser()
    client = await rssp.addClient({ name: 'Contracts & Co' })
    credential = await rssp.addCredential(user, { explicit: PUSH })
    token = await rssp.serviceToken(user, client)
    signer = await signedIn(rssp, user)
  })
  after(() => rssp.close())
  afterEach(async () => {
    for (const id of await waitingIds(signer)) await post(id, { action: 'reject' })
  })

  const post = (id: string, fields: Record<string, string>, by = signer): Promise<Page> =>
    by.post(`/account/approvals/${id}`, fields)
  const ask = async (more: Record<string, unknown> = {}, bearer = token) => {
    const { status, body } = await rssp.call(
      'credentials/authorize',
      {
        credentialID: credential.id,
        numSignatures: digests.length,
        hashes: digests.map((digest) => digest.toString('base64')),
        hashAlgorithmOID: SHA256,
        authData: [{ id: 'PUSH' }],
        ...more,
      },
      bearer,
    )
    assert.equal(status, 202, JSON.stringify(body))
    const id = (await waitingIds(signer)).at(-1) ?? ''
    return { id, handle: body.handle as string }
  }
  const check = (handle: string) => rssp.call('credentials/authorizeCheck', { handle }, token)
  const otp = () => {
    rssp.clock.advance(30)
    return totpCode(user.totpSecret, rssp.clock.now())
  }

  it('say so when nothing waits', async () => {
    const { html } = await signer.open('/account/approvals')
    assert.match(textOf(html), /No application is waiting for you/)
  })

  it('list who asks, for how many, what for, until when, with the number the application can show', async () => {
    const { handle } = await ask({ description: 'Lease <b>2026</b>' })
    const { html } = await signer.open('/account/approvals')
    const text = textOf(html)
    assert.ok(text.includes('Contracts &amp; Co asks you for 3 signatures.'), text)
    assert.ok(text.includes('Lease &lt;b>2026&lt;/b>'), text)
    assert.ok(text.includes(`Number of this request: ${numberOf(handle)}`), text)
    assert.match(html, /<time dateTime="|<time datetime="/)
  })

  it('show every digest that is bound, and no other (S12)', async () => {
    const { id, handle } = await ask()
    const { html } = await signer.open(`/account/approvals/${id}`)
    const shown = [...html.matchAll(/class="fingerprint" value="([^"]+)"/g)].map(
      ([, value]) => value,
    )
    const row = await rssp.services.database.read.transaction.findUniqueOrThrow({ where: { id } })
    const bound = (JSON.parse(row.items) as { digest: string }[]).map(({ digest }) => digest)
    assert.deepEqual(shown, bound)
    assert.deepEqual(
      bound,
      digests.map((digest) => digest.toString('base64')),
    )
    assert.ok(textOf(html).includes(numberOf(handle)))
  })

  it('speak German to who wants it, until they want English', async () => {
    const { id } = await ask()
    const { html } = await signer.open(`/account/approvals/${id}?lang=de`)
    assert.match(textOf(html), /Nummer dieser Anfrage/)
    const list = await signer.open('/account/approvals?lang=de')
    assert.match(textOf(list.html), /Warten auf Ihre Freigabe/)
    const later = await signer.open('/account/approvals')
    assert.match(textOf(later.html), /Warten auf Ihre Freigabe/)
    const back = await signer.open('/account/approvals?lang=en')
    assert.match(textOf(back.html), /Waiting for your approval/)
  })

  it('are answered by approving or rejecting, and say what was done', async () => {
    await ask()
    const approved = await decide(rssp, signer, 'approve')
    assert.equal(pathOf(approved), '/account/approvals?done=approved')
    assert.match(textOf(approved.html), /Approved\. The application can have it signed now\./)
    await ask()
    const rejected = await decide(rssp, signer, 'reject')
    assert.match(textOf(rejected.html), /Rejected\. Nothing is signed\./)
    const events = await rssp.auditEvents()
    assert.equal(events.filter(({ event }) => event === 'transaction.rejected').length > 0, true)
  })

  it('do not approve without the right code, nor with one that was used, and say why', async () => {
    const { id, handle } = await ask()
    assert.match((await post(id, { action: 'approve', otp: '000000' })).html, /role="alert"/)
    assert.match((await post(id, { action: 'approve' })).html, /role="alert"/)
    const code = otp()
    const another = await ask()
    await post(another.id, { action: 'approve', otp: code })
    assert.match((await post(id, { action: 'approve', otp: code })).html, /role="alert"/)
    assert.equal((await check(handle)).status, 202)
    assert.equal((await check(another.handle)).status, 200)
  })

  it('do nothing for a form without a decision', async () => {
    const { id, handle } = await ask()
    for (const action of ['continue', 'send-code', '', 'Approve']) {
      assert.equal((await post(id, { action, otp: '' })).status, 200)
    }
    assert.equal((await check(handle)).status, 202)
  })

  it('let one decision stand when several tabs decide at once', async () => {
    const { id, handle } = await ask()
    const code = otp()
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, () => post(id, { action: 'approve', otp: code })),
      ...Array.from({ length: 5 }, () => post(id, { action: 'reject' })),
    ])
    const decided = answers.filter((page) => pathOf(page).includes('done='))
    assert.equal(decided.length, 1)
    const state = pathOf(decided[0] ?? answers[0]!).includes('approved') ? 200 : 400
    assert.equal((await check(handle)).status, state)
    assert.equal((await check(handle)).status, 400)
  })

  it('cannot be decided anew, nor after their time', async () => {
    const rejected = await ask()
    await decide(rssp, signer, 'reject')
    const approved = await ask()
    await decide(rssp, signer, 'approve')
    const late = await ask()
    rssp.clock.advance(601)
    for (const { id } of [rejected, approved, late]) {
      for (const action of ['approve', 'reject']) {
        assert.equal((await post(id, { action, otp: otp() })).status, 404)
      }
      assert.equal((await signer.open(`/account/approvals/${id}`)).status, 404)
    }
    assert.deepEqual(await waitingIds(signer), [])
    token = await rssp.serviceToken(user, client)
    assert.equal((await check(rejected.handle)).body.error_description, 'Invalid parameter handle')
  })

  it('are nobody else’s: another person finds neither list entry nor page', async () => {
    const { id, handle } = await ask()
    const stranger = await signedIn(rssp, await rssp.addUser())
    assert.deepEqual(await waitingIds(stranger), [])
    const missing = await stranger.open('/account/approvals/no-such-id')
    const foreign = await stranger.open(`/account/approvals/${id}`)
    assert.deepEqual([foreign.status, foreign.html], [missing.status, missing.html])
    for (const action of ['approve', 'reject']) {
      rssp.clock.advance(30)
      const code = totpCode(stranger.user.totpSecret, rssp.clock.now())
      assert.equal((await post(id, { action, otp: code }, stranger)).status, 404)
    }
    assert.equal((await check(handle)).status, 202)
  })

  it('send who is not signed in to do so, and back', async () => {
    const { id } = await ask()
    const newcomer = new Signer(rssp, user)
    const page = await newcomer.open(`/account/approvals/${id}`)
    assert.equal(pathOf(page), `/account/approvals/${id}`)
    assert.equal(page.status, 200)
  })

  it('take no form that another site posted (S46)', async () => {
    const { id, handle } = await ask()
    const fields = { action: 'approve', otp: otp() }
    const forged = await signer.post(`/account/approvals/${id}`, fields, {
      origin: 'https://evil.example',
    })
    assert.equal(forged.status, 403)
    assert.equal((await check(handle)).status, 202)
  })

  it('end with the application', async () => {
    const another = await rssp.addClient()
    const bearer = await rssp.serviceToken(user, another)
    await rssp.call(
      'credentials/authorize',
      {
        credentialID: credential.id,
        numSignatures: 1,
        hashes: [digestOf('x').toString('base64')],
        hashAlgorithmOID: SHA256,
        authData: [{ id: 'PUSH' }],
      },
      bearer,
    )
    const [id = ''] = await waitingIds(signer)
    await rssp.services.clients.disable(another.client_id, rssp.clock.now())
    assert.deepEqual(await waitingIds(signer), [])
    assert.equal((await post(id, { action: 'approve', otp: otp() })).status, 404)
  })

  for (const [who, end] of Object.entries({
    'the application': async (of: TestClient, refreshToken: string) => {
      const body = new URLSearchParams({ ...inBody(of), token: refreshToken })
      const { status } = await fetch(`${rssp.baseUrl}/oauth2/revoke`, { method: 'POST', body })
      assert.equal(status, 204)
    },
    'the signer': async (of: TestClient) => {
      await signer.post(`/account/sessions/applications/${of.client_id}/end`)
    },
  })) {
    it(`end with the consent they were asked under, when ${who} ends it (S44)`, async () => {
      const another = await rssp.addClient()
      const code = await authorizationCode(rssp, user, serviceRequest(another))
      const { body } = await requestToken(rssp, codeGrant(another, code))
      const kept = await ask()
      const { id, handle } = await ask({}, body.access_token)
      await end(another, body.refresh_token)
      assert.deepEqual(await waitingIds(signer), [kept.id])
      assert.equal((await post(id, { action: 'approve', otp: otp() })).status, 404)
      const later = await rssp.serviceToken(user, another)
      const answer = await rssp.call('credentials/authorizeCheck', { handle }, later)
      assert.equal(answer.body.error_description, 'Invalid parameter handle')
    })
  }

  it('ask for the code that was sent for exactly this request, where that is the owner’s factor (S22)', async () => {
    const mailed = await rssp.addCredential(user, { explicit: PUSH, approvalFactor: 'email' })
    const first = await ask({ credentialID: mailed.id })
    const second = await ask({ credentialID: mailed.id })
    assert.match((await signer.open(`/account/approvals/${first.id}`)).html, /value="send-code"/)
    await post(first.id, { action: 'send-code' })
    const folder = join(rssp.folder, 'outbox')
    const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))
    const code = texts.map((text) => /code is (\d{8})/.exec(text)?.[1]).find(Boolean) ?? ''
    assert.match(code, /^\d{8}$/)
    assert.match((await post(second.id, { action: 'approve', otp: code })).html, /role="alert"/)
    assert.match((await post(first.id, { action: 'approve', otp: otp() })).html, /role="alert"/)
    assert.equal(
      pathOf(await post(first.id, { action: 'approve', otp: code })),
      '/account/approvals?done=approved',
    )
    assert.equal((await check(second.handle)).status, 202)
  })

  it('ask for the owner’s passkey, where that is the factor, about exactly this request (S22)', async () => {
    const device = new SoftwareAuthenticator(rssp.baseUrl)
    const enrolling = { purpose: 'enrolment' as const, clientId: null, facts: ['enrolment'] }
    const { passkeys, users } = rssp.services
    const account = (await users.find(user.id)) ?? assert.fail()
    const options = (await passkeys.askToEnrol(account, enrolling)) ?? assert.fail()
    const made = { answer: device.create(options), name: 'Phone', codeHash: null }
    await passkeys.enrol(account, made, enrolling)
    const withKey = await rssp.addCredential(user, {
      ...{ explicit: PUSH, approvalFactor: 'passkey', withPin: true },
    })
    const first = await ask({ credentialID: withKey.id })
    const second = await ask({ credentialID: withKey.id })
    const page = await signer.open(`/account/approvals/${first.id}`)
    assert.ok(!page.html.includes('name="otp"'))
    assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self'/)
    const answer = () => device.get(questionOf(page.html))
    const { pin } = user
    const refused = [
      await post(first.id, { action: 'approve', otp: otp(), pin }),
      await post(first.id, { action: 'passkey', passkey: 'nonsense', pin }),
      await post(first.id, { action: 'passkey', passkey: answer(), pin: '000000' }),
      await post(second.id, { action: 'passkey', passkey: answer(), pin }),
    ]
    assert.deepEqual(
      refused.map(({ status }) => status),
      [200, 200, 200, 200],
    )
    assert.equal((await check(first.handle)).status, 202)
    assert.equal((await check(second.handle)).status, 202)
    const approved = await post(first.id, { action: 'passkey', passkey: answer(), pin })
    assert.equal(pathOf(approved), '/account/approvals?done=approved')
    assert.equal((await check(first.handle)).status, 200)
    const granted = (await rssp.auditEvents()).findLast(
      ({ event }) => event === 'authorisation.granted',
    )
    assert.deepEqual(granted?.detail['factors'], ['pin', 'passkey'])
  })
})
