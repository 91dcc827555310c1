import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import { RecordAdapter } from '../../src/oauth/adapter.js'
import { hashIdentifier } from '../../src/oauth/oauth-record.js'
import { ENDED_SESSION } from '../../src/oauth/oauth-record.js'
import { insert } from '../../src/storage/database.js'
import {
  assertAlive,
  assertDead,
  asPage,
  authorizePath,
  refreshGrant,
  requestToken,
  serviceRequest,
  serviceTokens,
} from '../oauth/application.js'
import {
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { textOf } from '../support/signer-browser.js'
import { InterruptedSigning, pathOf, signedIn, type Signer } from './signer.js'

describe('/account/sessions', () => {
  let rssp: Rssp
  let user: TestUser
  let stranger: TestUser
  let client: TestClient
  let otherClient: TestClient
  let credential: Credential
  const digests = [digestOf('contract')]
  const signing = new InterruptedSigning()

  before(async () => {
    rssp = await startRssp({ custody: signing.custody })
    client = await rssp.addClient({ name: 'Contract Portal' })
    otherClient = await rssp.addClient({ name: 'Archive' })
  })
  beforeEach(async () => {
    user = await rssp.addUser()
    stranger = await rssp.addUser()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())

  const isIn = async (signer: Signer) =>
    pathOf(asPage(await signer.browser.open('/account'))) === '/account'
  const refresh = (token: string) => requestToken(rssp, refreshGrant(client, token))
  const approve = (of = client) => rssp.credentialToken({ user, client: of, credential, digests })
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

  async function handles(signer: Signer): Promise<string[]> {
    const { html } = await signer.open('/account/sessions')
    return [...html.matchAll(/\/account\/sessions\/([\w-]{43})\/end"/g)].map(([, id = '']) => id)
  }

  it('lists where the person is signed in, and says which session this is', async () => {
    const first = await signedIn(rssp, user)
    const second = await signedIn(rssp, user)
    await signedIn(rssp, stranger)
    assert.equal((await handles(first)).length, 2)
    const page = await second.open('/account/sessions')
    assert.equal(page.html.split('mark-this').length - 1, 1)
    assert.match(textOf(page.html), /With password\. Ends on/)
    assert.match(textOf(page.html), /No application has access at the moment/)
  })

  it('ends one session at once, and no other (S28)', async () => {
    const here = await signedIn(rssp, user)
    const there = await signedIn(rssp, user)
    const [newest = ''] = await handles(here)
    const page = await here.post(`/account/sessions/${newest}/end`)
    assert.equal(pathOf(page), '/account/sessions?done=ended')
    assert.match(page.html, /role="status"[^>]*>Ended/)
    assert.deepEqual([await isIn(here), await isIn(there)], [true, false])
  })

  it('ends all others, and stays', async () => {
    const here = await signedIn(rssp, user)
    const others = [await signedIn(rssp, user), await signedIn(rssp, user)]
    const foreign = await signedIn(rssp, stranger)
    await here.post('/account/sessions/end-others')
    for (const other of others) assert.equal(await isIn(other), false)
    assert.deepEqual([await isIn(here), await isIn(foreign)], [true, true])
  })

  it('ends a session also when it is being given a new identifier (S28)', async () => {
    const here = await signedIn(rssp, user)
    const there = await signedIn(rssp, user)
    const { oauthRecords, secrets } = rssp.services
    const adapter = new RecordAdapter('Session', oauthRecords, secrets, rssp.clock.now)
    const session = await adapter.find(there.browser.cookies.get('_session') ?? '')
    assert.ok(session)
    const [newest = ''] = await handles(here)
    await here.post(`/account/sessions/${newest}/end`)
    // As a request does that had read the session before.
    await adapter.upsert('next-identifier', session, 600)
    assert.equal(await adapter.find('next-identifier'), undefined)
    await adapter.upsert('another-session', { ...session, uid: 'another' }, 600)
    assert.ok(await adapter.find('another-session'))
  })

  it('ends all others also when one of them was ended before and came back (S28)', async () => {
    const here = await signedIn(rssp, user)
    const there = await signedIn(rssp, user)
    const back = await signedIn(rssp, user)
    const { oauthRecords, secrets, database } = rssp.services
    const adapter = new RecordAdapter('Session', oauthRecords, secrets, rssp.clock.now)
    const { uid = '' } = (await adapter.find(back.browser.cookies.get('_session') ?? '')) ?? {}
    // As when the record of its end is there, and one of the session is written later.
    await database.commit({
      changes: [
        insert('OAuthRecord', {
          ...{ model: ENDED_SESSION, idHash: hashIdentifier(uid), payload: '' },
          expiresAt: rssp.clock.now(),
        }),
      ],
    })
    await here.post('/account/sessions/end-others')
    assert.deepEqual([await isIn(here), await isIn(there), await isIn(back)], [true, false, false])
  })

  it('does not tell another person’s session from none', async () => {
    const here = await signedIn(rssp, user)
    const theirs = await signedIn(rssp, stranger)
    const [handle = ''] = await handles(theirs)
    const answers = await Promise.all(
      [handle, 'x'.repeat(43), '..%2Fx'].map((id) => here.post(`/account/sessions/${id}/end`)),
    )
    const [first] = answers
    for (const { status, html } of answers) {
      assert.deepEqual({ status, html }, { status: 404, html: first?.html })
    }
    assert.equal(await isIn(theirs), true)
  })

  it('ends the access of one application: its access and refresh tokens, and its approvals (S44)', async () => {
    const tokens = await serviceTokens(rssp, user, client)
    const others = await serviceTokens(rssp, user, otherClient)
    const approval = await approve()
    const otherApproval = await approve(otherClient)
    const here = await signedIn(rssp, user)
    const page = await here.open('/account/sessions')
    assert.match(textOf(page.html), /Contract Portal Stays connected until/)
    assert.match(textOf(page.html), /You approved one signature with “ Test key ”/)
    const ended = await here.post(`/account/sessions/applications/${client.client_id}/end`)
    assert.equal(pathOf(ended), '/account/sessions?done=ended')
    assert.doesNotMatch(textOf(ended.html), /Contract Portal Stays/)
    await assertDead(rssp, tokens.access_token)
    assert.equal((await refresh(tokens.refresh_token)).status, 400)
    assert.equal((await sign(approval)).status, 401)
    await assertAlive(rssp, others.access_token)
    assert.equal((await sign(otherApproval)).status, 200)
  })

  it('asks again before an application whose access was ended gets any', async () => {
    const here = await signedIn(rssp, user)
    const consent = asPage(await here.browser.open(authorizePath(serviceRequest(client))))
    await here.browser.fillIn(consent, { ...user, otp: () => '' })
    const again = await here.browser.open(authorizePath(serviceRequest(client)))
    assert.ok(again instanceof URLSearchParams, 'consent stands')
    await serviceTokens(rssp, user, client)
    await here.post(`/account/sessions/applications/${client.client_id}/end`)
    const asked = asPage(await here.browser.open(authorizePath(serviceRequest(client))))
    assert.match(textOf(asked.html), /Allow access\?/)
  })

  it('ends what a refresh under way is about to be given (S44)', async () => {
    const tokens = await serviceTokens(rssp, user, client)
    const here = await signedIn(rssp, user)
    const [answer] = await Promise.all([
      refresh(tokens.refresh_token),
      here.post(`/account/sessions/applications/${client.client_id}/end`),
    ])
    if (answer.status === 200) await assertDead(rssp, answer.body.access_token)
    await assertDead(rssp, tokens.access_token)
  })

  const endings: [string, (here: Signer) => Promise<unknown>][] = [
    ['access', (here) => here.post(`/account/sessions/applications/${client.client_id}/end`)],
    [
      'the approval',
      async (here) => {
        const { html } = await here.open('/account/sessions')
        const [, id = ''] = /sessions\/approvals\/([\w-]+)\/end/.exec(html) ?? []
        await here.post(`/account/sessions/approvals/${id}/end`)
      },
    ],
    ['the account', () => rssp.services.users.disable(user.id, rssp.clock.now())],
  ]
  for (const [what, end] of endings) {
    it(`gives out no signature that was being made when ${what} ended (S28, S44)`, async () => {
      const token = await approve()
      const here = await signedIn(rssp, user)
      signing.next = () => end(here)
      const answer = await sign(token)
      assert.notEqual(answer.status, 200)
      assert.equal(answer.body.signatures, undefined)
    })
  }

  it('withdraws one approval, and leaves the rest', async () => {
    const first = await approve()
    const second = await approve()
    const here = await signedIn(rssp, user)
    const { html } = await here.open('/account/sessions')
    const [, id = ''] = /sessions\/approvals\/([\w-]+)\/end/.exec(html) ?? []
    await here.post(`/account/sessions/approvals/${id}/end`)
    const answers = [await sign(first), await sign(second)]
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401])
    const again = await here.post(`/account/sessions/approvals/${id}/end`)
    assert.equal(again.status, 404)
  })

  it('ends the access of all applications', async () => {
    const tokens = await serviceTokens(rssp, user, client)
    const approval = await approve(otherClient)
    const here = await signedIn(rssp, user)
    const page = await here.post('/account/sessions/applications/end-all')
    assert.match(textOf(page.html), /No application has access/)
    await assertDead(rssp, tokens.access_token)
    assert.equal((await sign(approval)).status, 401)
  })

  it('leaves another person’s applications and approvals alone, and says nothing of them', async () => {
    const tokens = await serviceTokens(rssp, user, client)
    const approval = await approve()
    const here = await signedIn(rssp, user)
    const { html } = await here.open('/account/sessions')
    const [, id = ''] = /sessions\/approvals\/([\w-]+)\/end/.exec(html) ?? []
    const foreign = await signedIn(rssp, stranger)
    for (const path of [
      `applications/${client.client_id}`,
      'applications/none',
      `approvals/${id}`,
    ]) {
      const answer = await foreign.post(`/account/sessions/${path}/end`)
      assert.equal(answer.status, 404)
      assert.match(textOf(answer.html), /There is nothing here that belongs to you/)
    }
    await assertAlive(rssp, tokens.access_token)
    assert.equal((await sign(approval)).status, 200)
  })

  it('ends nothing for who is not signed in, or for another site (S46)', async () => {
    const approval = await approve()
    const here = await signedIn(rssp, user)
    const path = `/account/sessions/applications/${client.client_id}/end`
    const unknown = await fetch(`${rssp.baseUrl}${path}`, { method: 'POST', redirect: 'manual' })
    assert.equal(unknown.status, 303)
    assert.match(unknown.headers.get('location') ?? '', /^\/oauth2\/authorize\?/)
    const forged = await here.post(path, {}, { 'sec-fetch-site': 'same-site' })
    assert.equal(forged.status, 403)
    assert.equal((await sign(approval)).status, 200)
  })

  it('is on record', async () => {
    const here = await signedIn(rssp, user)
    await serviceTokens(rssp, user, client)
    await here.post(`/account/sessions/applications/${client.client_id}/end`)
    await here.post('/account/sessions/end-others')
    const events = (await rssp.auditEvents()).filter(({ detail }) => detail['userId'] === user.id)
    const ended = events.filter(({ event }) => /ended$/.test(event))
    assert.deepEqual(ended, [
      { event: 'access.ended', detail: { userId: user.id, clientId: client.client_id } },
      { event: 'session.ended', detail: { userId: user.id, sessions: 1 } },
    ])
  })

  describe('after the operator disabled the person (S28)', () => {
    it('nothing of theirs works: session, tokens, approvals (S28)', async () => {
      const here = await signedIn(rssp, user)
      const tokens = await serviceTokens(rssp, user, client)
      const approval = await approve()
      assert.ok(await rssp.services.users.disable(user.id, rssp.clock.now()))
      assert.equal(await isIn(here), false)
      await assertDead(rssp, tokens.access_token)
      assert.equal((await refresh(tokens.refresh_token)).status, 400)
      assert.equal((await sign(approval)).status, 401)
      const open = await rssp.services.oauthRecords.listOwned(
        user.id,
        ['Session', 'AccessToken', 'RefreshToken', 'Grant'],
        rssp.clock.now(),
      )
      assert.deepEqual(open, [])
    })
  })
})
