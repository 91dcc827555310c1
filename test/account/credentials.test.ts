import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import { signingCertificate } from '../../src/credentials/credentials.js'
import { authorize, credentialRequest } from '../oauth/application.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { asPage } from '../oauth/application.js'
import { textOf } from '../support/signer-browser.js'
import { InterruptedSigning, pathOf, signedIn } from './signer.js'

const DISABLED = 'The credential identified by credentialID is disabled'

describe('/account/credentials', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  const signing = new InterruptedSigning()
  const digests = [digestOf('contract')]

  before(async () => {
    rssp = await startRssp({ custody: signing.custody })
    client = await rssp.addClient()
  })
  beforeEach(async () => {
    user = await rssp.addUser()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())

  const address = (what: string, of = credential) => `/account/credentials/${of.id}/${what}`
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
  const status = async (of = credential) =>
    (await rssp.services.credentialStore.find(of.id))?.status

  it('shows the certificates of the person, and nobody else’s', async () => {
    const other = await rssp.addCredential(await rssp.addUser())
    const signer = await signedIn(rssp, user)
    const text = textOf((await signer.open('/account/credentials')).html)
    const { serialNumber, issuer } = signingCertificate(credential)
    for (const fact of ['Test key', serialNumber, issuer.split(',')[0] ?? '', 'In use', 'p-256']) {
      assert.ok(text.includes(fact), fact)
    }
    assert.ok(!text.includes(signingCertificate(other).serialNumber))
  })

  it('says so when there is none', async () => {
    const signer = await signedIn(rssp, await rssp.addUser())
    const page = await signer.open('/account/credentials')
    assert.match(textOf(page.html), /There is no certificate for you yet/)
  })

  it('suspends at once: approvals end, and nothing new is signed or approved', async () => {
    const token = await approve()
    const service = await rssp.serviceToken(user, client)
    const signer = await signedIn(rssp, user)
    const page = await signer.post(address('suspend'))
    assert.equal(pathOf(page), '/account/credentials?done=suspended')
    assert.equal(await status(), 'suspended')
    assertRefusal(await sign(token), 400, 'invalid_request', DISABLED)
    const { body } = await rssp.call('credentials/info', { credentialID: credential.id }, service)
    assert.deepEqual([body.key.status, body.cert.status], ['disabled', 'suspended'])
    const told = await authorize(rssp, user, credentialRequest(client, credential, digests))
    assert.deepEqual(
      [told.get('error'), told.get('error_description')],
      ['invalid_request', DISABLED],
    )
  })

  it('suspends while a signature is being made: it is not given out (S15)', async () => {
    const token = await approve()
    const signer = await signedIn(rssp, user)
    signing.next = () => signer.post(address('suspend'))
    const answer = await sign(token)
    assert.notEqual(answer.status, 200)
    assert.equal(answer.body.signatures, undefined)
    // Not even after it is resumed.
    await rssp.services.credentials.resume(credential.id, 'operator', 'test')
    assert.notEqual((await sign(token)).status, 200)
  })

  it('resumes when all factors were given just now, and signs again with a new approval', async () => {
    const before = await approve()
    const signer = await signedIn(rssp, user)
    await signer.post(address('suspend'))
    const link = asPage(await signer.browser.open(address('resume')))
    assert.match(link.url, /\/oauth2\/interaction\//)
    const confirm = await signer.open(address('resume'))
    assert.equal(pathOf(confirm), address('resume'))
    assert.match(textOf(confirm.html), /Resume this certificate\?/)
    const resumed = await signer.post(address('resume'))
    assert.equal(pathOf(resumed), '/account/credentials?done=resumed')
    assertRefusal(await sign(before), 400, 'invalid_request', 'Invalid parameter SAD')
    assert.equal((await sign(await approve())).status, 200)
  })

  it('does not resume what the operator suspended', async () => {
    const { credentials } = rssp.services
    assert.ok(await credentials.suspend(credential.id, 'operator', 'fraud'))
    const signer = await signedIn(rssp, user)
    const page = await signer.open('/account/credentials')
    assert.match(textOf(page.html), /Your signing service suspended it/)
    await signer.open(address('revoke'))
    assert.equal((await signer.post(address('resume'))).status, 404)
    assert.equal(await status(), 'suspended')
  })

  it('revokes for good after asking once more, and destroys the key (S15, S18)', async () => {
    const token = await approve()
    const signer = await signedIn(rssp, user)
    const confirm = await signer.open(address('revoke'))
    assert.match(textOf(confirm.html), /Its key is destroyed/)
    assert.equal(await status(), 'enabled')
    const page = await signer.post(address('revoke'))
    assert.equal(pathOf(page), '/account/credentials?done=revoked')
    assert.equal(await status(), 'revoked')
    assertRefusal(await sign(token), 400, 'invalid_request', DISABLED)
    const events = (await rssp.auditEvents()).filter(
      ({ detail }) => detail['credentialId'] === credential.id,
    )
    assert.ok(events.some(({ event }) => event === 'key.destroyed'))
    for (const what of ['revoke', 'resume', 'suspend']) {
      await signer.post(address(what))
      assert.equal(await status(), 'revoked')
    }
  })

  it('asks for all factors again, however the page is reached, and after some minutes once more (S29)', async () => {
    const signer = await signedIn(rssp, user)
    for (const step of [
      () => signer.browser.open(address('revoke')),
      () => signer.browser.post(address('revoke'), {}),
    ]) {
      const page = asPage(await step())
      assert.match(page.url, /\/oauth2\/interaction\//)
      assert.match(page.html, /name="password"/)
    }
    // The password alone does not do.
    const signIn = asPage(await signer.browser.open(address('revoke')))
    const { username, password } = user
    const half = asPage(
      await signer.browser.post(signIn.url, { username, password, action: 'continue' }),
    )
    assert.match(half.html, /name="otp"/)
    assert.match(asPage(await signer.browser.open(address('revoke'))).html, /name="password"/)
    assert.equal(pathOf(await signer.open(address('revoke'))), address('revoke'))
    rssp.clock.advance(301)
    assert.match(asPage(await signer.browser.open(address('revoke'))).html, /name="password"/)
    assert.equal(await status(), 'enabled')
  })

  it('changes the session’s identifier when all factors are asked for (S28)', async () => {
    const signer = await signedIn(rssp, user)
    const before = signer.browser.cookies.get('_session')
    await signer.open(address('revoke'))
    const after = signer.browser.cookies.get('_session')
    assert.ok(before && after)
    assert.notEqual(before, after)
    signer.browser.cookies.set('_session', before)
    assert.match(asPage(await signer.browser.open('/account')).url, /\/oauth2\/interaction\//)
  })

  it('does not tell another person’s certificate from none (S66)', async () => {
    const other = await rssp.addCredential(await rssp.addUser())
    const signer = await signedIn(rssp, user)
    await signer.open(address('revoke'))
    for (const what of ['suspend', 'resume', 'revoke']) {
      const theirs = await signer.post(address(what, other))
      const none = await signer.post(`/account/credentials/none/${what}`)
      assert.deepEqual([theirs.status, theirs.html], [404, none.html])
    }
    assert.equal((await signer.open(address('revoke', other))).status, 404)
    assert.equal(await status(other), 'enabled')
  })

  it('changes nothing for who is not signed in, or for another site (S46)', async () => {
    const signer = await signedIn(rssp, user)
    await signer.open(address('revoke'))
    for (const what of ['suspend', 'revoke']) {
      const forged = await signer.post(address(what), {}, { 'sec-fetch-site': 'cross-site' })
      assert.equal(forged.status, 403)
      const url = `${rssp.baseUrl}${address(what)}`
      const unknown = await fetch(url, { method: 'POST', redirect: 'manual' })
      assert.equal(unknown.status, 303)
    }
    assert.equal(await status(), 'enabled')
  })

  it('is suspended once, by whoever comes first, and on record', async () => {
    const { credentials } = rssp.services
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => credentials.suspend(credential.id, 'signer', 'test')),
    )
    assert.equal(outcomes.filter(Boolean).length, 1)
    const events = (await rssp.auditEvents()).filter(
      ({ event, detail }) =>
        event === 'credential.suspended' && detail['credentialId'] === credential.id,
    )
    assert.equal(events.length, 1)
  })
})
