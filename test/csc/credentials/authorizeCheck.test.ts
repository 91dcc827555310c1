import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AUTH_OBJECTS } from '../../../src/credentials/auth-object.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { decide, waitingIds } from '../../account/decisions.js'
import { signedIn, type Signer } from '../../account/signer.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

const { PIN, PUSH } = AUTH_OBJECTS
const PUSHED = [{ id: 'PUSH' }]

describe('Approval on another device', () => {
  let rssp: Rssp
  let replica: Rssp
  let user: TestUser
  let client: TestClient
  let token: string
  let credential: Credential
  let signer: Signer
  const digest = digestOf('document')
  const other = digestOf('other')

  before(async () => {
    const settings = { limits: { pendingApprovals: 3, approvalRequestsPerHour: 1000 } }
    rssp = await startRssp({ outbox: true, settings })
    replica = await startRssp({ outbox: true, settings, replicaOf: rssp })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user, { explicit: { objects: [PUSH], expression: null } })
    token = await rssp.serviceToken(user, client)
    signer = await signedIn(rssp, user)
  })
  after(async () => {
    await replica.close()
    await rssp.close()
  })
  // What a test leaves undecided is none of the next one's business.
  afterEach(async () => {
    for (const id of await waitingIds(signer)) {
      await signer.post(`/account/approvals/${id}`, { action: 'reject' })
    }
  })

  const authorize = (more: Record<string, unknown> = {}, bearer = token): Promise<Answer> =>
    rssp.call(
      'credentials/authorize',
      {
        credentialID: credential.id,
        numSignatures: 1,
        hashes: [digest.toString('base64')],
        hashAlgorithmOID: SHA256,
        authData: PUSHED,
        ...more,
      },
      bearer,
    )
  const ask = async (more: Record<string, unknown> = {}): Promise<string> => {
    const { status, body } = await authorize(more)
    assert.equal(status, 202, JSON.stringify(body))
    return body.handle
  }
  const check = (handle: unknown, bearer = token, at = rssp): Promise<Answer> =>
    at.call('credentials/authorizeCheck', { handle }, bearer)
  const sign = (SAD: string, hash = digest, credentialID = credential.id): Promise<Answer> =>
    rssp.call(
      'signatures/signHash',
      { credentialID, SAD, hashes: [hash.toString('base64')], signAlgo: ECDSA_SHA256 },
      token,
    )
  const assertInvalidHandle = (answer: Answer) => {
    assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter handle')
  }

  describe('credentials/authorize', () => {
    it('answers 202 with a handle of at least 128 bits, and says when to ask again (S11, S19)', async () => {
      const { status, body, headers } = await authorize()
      assert.equal(status, 202)
      assert.deepEqual(Object.keys(body), ['handle'])
      assert.ok(Buffer.from(body.handle, 'base64url').length >= 16)
      assert.match(headers.get('retry-after') ?? '', /^\d+$/)
    })

    it('keeps the handle only as a hash (S11)', async () => {
      const handle = await ask()
      const rows = await rssp.services.database.read.approvalRequest.findMany()
      assert.ok(rows.length > 0)
      assert.ok(!JSON.stringify(rows).includes(handle))
    })

    it('records what is asked before anyone is told', async () => {
      await ask()
      const created = (await rssp.auditEvents()).findLast(
        ({ event }) => event === 'transaction.created',
      )
      assert.deepEqual(created?.detail['digests'], [digest.toString('base64')])
    })

    it('sends the signer a mail with a link, and not another one within a minute', async () => {
      const mails = () => readdirSync(join(rssp.folder, 'outbox'))
      rssp.clock.advance(61)
      const before = new Set(mails())
      await ask()
      await ask()
      const [sent, another] = mails().filter((name) => !before.has(name))
      assert.equal(another, undefined)
      const mail = readFileSync(join(rssp.folder, 'outbox', sent ?? ''), 'utf8')
      const [id] = await waitingIds(signer)
      assert.ok(mail.includes(`${rssp.baseUrl}/account/approvals/${id}`), mail)
      assert.ok(!mail.includes(digest.toString('hex')))
    })

    const wrong: [string, unknown][] = [
      ['no answers', undefined],
      ['a value for an object without one', [{ id: 'PUSH', value: '1' }]],
      ['an object twice', [{ id: 'PUSH' }, { id: 'PUSH' }]],
      ['an unknown object', [{ id: 'PUSH' }, { id: 'X' }]],
    ]
    for (const [title, authData] of wrong) {
      it(`refuses ${title}, and asks nobody`, async () => {
        const { status, body } = await authorize({ authData })
        assert.deepEqual([status, body.error], [400, 'invalid_authentication_data'])
        assert.deepEqual(await waitingIds(signer), [])
      })
    }

    it('demands hashes at SCAL 2 (S10)', async () => {
      for (const hashes of [undefined, null, []]) {
        assertRefusal(
          await authorize({ hashes }),
          400,
          'invalid_request',
          'Missing (or invalid type) array parameter hashes',
        )
      }
    })

    it('does not ask an owner who agrees at an identity provider', async () => {
      const elsewhere = await rssp.addCredential(user, {
        explicit: { objects: [PUSH], expression: null },
        approvalFactor: 'id-bb',
      })
      const { status, body } = await authorize({ credentialID: elsewhere.id })
      assert.deepEqual([status, body.error], [400, 'unauthorized_client'])
    })

    it('lets three requests wait for a credential, and answers 429 to more, also in parallel (S68)', async () => {
      const answers = await Promise.all(Array.from({ length: 50 }, () => authorize()))
      const statuses = answers.map(({ status }) => status).sort()
      assert.deepEqual(statuses.slice(0, 3), [202, 202, 202])
      assert.deepEqual(new Set(statuses.slice(3)), new Set([429]))
      const refused = answers.find(({ status }) => status === 429)
      assert.equal(refused?.body.error, 'too_many_requests')
      assert.ok(Number(refused?.headers.get('retry-after')) > 0)
      const onRecord = (await rssp.auditEvents()).filter(
        ({ event, detail }) =>
          event === 'approval-request.refused' && detail['credentialId'] === credential.id,
      )
      assert.equal(onRecord.length, statuses.length - 3)
      await decide(rssp, signer, 'reject')
      assert.equal((await authorize()).status, 202)
    })
  })

  describe('credentials/authorizeCheck', () => {
    it('answers 202 with the handle while the signer has not decided', async () => {
      const handle = await ask()
      const { status, body } = await check(handle)
      assert.deepEqual([status, body], [202, { handle }])
    })

    it('gives out the SAD once the signer agreed; it signs what was shown', async () => {
      const handle = await ask()
      await decide(rssp, signer, 'approve')
      const { status, body } = await check(handle)
      assert.equal(status, 200, JSON.stringify(body))
      assert.deepEqual(body, { SAD: body.SAD, expiresIn: 300 })
      assertRefusal(
        await sign(body.SAD, other),
        400,
        'invalid_request',
        'Hash is not authorized by the SAD.',
      )
      assert.equal((await sign(body.SAD)).status, 200)
      assertInvalidHandle(await check(handle))
    })

    it('gives out a SAD that is traded for no hash but those the signer was shown (S1, S9)', async () => {
      const hashes = [digest, digestOf('second')].map((each) => each.toString('base64'))
      const handle = await ask({ numSignatures: 2, hashes })
      await decide(rssp, signer, 'approve')
      const { SAD } = (await check(handle)).body
      const extend = (value: string, given: readonly (string | undefined)[]) => {
        const body = { credentialID: credential.id, hashes: given, SAD: value }
        return rssp.call('credentials/extendTransaction', body, token)
      }
      const unseen = other.toString('base64')
      for (const given of [[unseen], [hashes[0], unseen], [hashes[0], hashes[0]]]) {
        assertRefusal(await extend(SAD, given), 400, 'invalid_request', 'Invalid parameter SAD')
      }
      const { status, body } = await extend(SAD, [hashes[1]])
      assert.equal(status, 200, JSON.stringify(body))
      assert.equal((await sign(body.SAD, digestOf('second'))).status, 200)
      // What was not named is still the other one: none of them is signed twice.
      const last = await extend(body.SAD, [hashes[0]])
      assertRefusal(
        await extend(last.body.SAD, [hashes[1]]),
        400,
        'invalid_request',
        'Invalid parameter SAD',
      )
      assert.equal((await sign(last.body.SAD)).status, 200)
    })

    it('gives one SAD to 100 parallel calls on two servers (S8, S19)', async () => {
      const handle = await ask()
      await decide(rssp, signer, 'approve')
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, n) => check(handle, token, n % 2 ? rssp : replica)),
      )
      const given = answers.filter(({ status }) => status === 200)
      assert.equal(given.length, 1)
      for (const answer of answers) if (answer.status !== 200) assertInvalidHandle(answer)
    })

    it('is decided by one write: of checks that all saw the approval, one collects it (S8)', async () => {
      const handle = await ask()
      await decide(rssp, signer, 'approve')
      const { approvals } = rssp.services
      const checks = Array.from({ length: 20 }, () =>
        approvals
          .check(handle, () => Promise.resolve(true))
          .then(
            ({ outcome }) => outcome,
            () => 'refused',
          ),
      )
      const outcomes = await Promise.all(checks)
      assert.equal(outcomes.filter((outcome) => outcome === 'approved').length, 1)
    })

    it('says that the signer refused', async () => {
      const handle = await ask()
      await decide(rssp, signer, 'reject')
      assertRefusal(
        await check(handle),
        400,
        'invalid_authentication_data',
        'The authentication data is invalid',
      )
    })

    it('refuses an unknown handle, none, and one that is no text', async () => {
      await ask()
      for (const handle of ['x', '', undefined, 1, ['x'], {}]) {
        assertInvalidHandle(await check(handle))
      }
    })

    it('refuses another application and another person, and leaves the SAD to who asked (S19)', async () => {
      const handle = await ask()
      await decide(rssp, signer, 'approve')
      const strangers = [
        await rssp.serviceToken(user, await rssp.addClient()),
        await rssp.serviceToken(await rssp.addUser(), client),
      ]
      for (const bearer of strangers) assertInvalidHandle(await check(handle, bearer))
      assert.equal((await check(handle)).status, 200)
    })

    it('needs a service token', async () => {
      const handle = await ask()
      const answer = await rssp.call('credentials/authorizeCheck', { handle })
      assertRefusal(answer, 400, 'invalid_request', 'Malformed authorization header.')
    })

    it('refuses a handle after the time to decide, and one whose approval was left lying (S19)', async () => {
      const late = await ask()
      rssp.clock.advance(601)
      const fresh = await rssp.serviceToken(user, client)
      assertInvalidHandle(await check(late, fresh))
      token = fresh
      const left = await ask()
      await decide(rssp, signer, 'approve')
      rssp.clock.advance(361)
      assertInvalidHandle(await check(left))
    })

    it('refuses once the credential is revoked, whether before or after the approval', async () => {
      const gone = await rssp.addCredential(user, {
        explicit: { objects: [PUSH], expression: null },
      })
      const credentialID = gone.id
      const approved = await ask({ credentialID })
      await decide(rssp, signer, 'approve')
      const waiting = await ask({ credentialID })
      await rssp.services.credentials.revoke(gone.id, 'test')
      assertInvalidHandle(await check(approved))
      assertRefusal(
        await check(waiting),
        400,
        'invalid_request',
        'The credential identified by credentialID is disabled',
      )
    })

    it('says locked after too many wrong codes of the signer, until time passes', async () => {
      const handle = await ask()
      for (let n = 0; n < 5; n += 1) await decide(rssp, signer, 'approve', { otp: '000000' })
      assertRefusal(await check(handle), 400, 'invalid_request', 'Credential locked')
      assertRefusal(await authorize(), 400, 'invalid_request', 'Credential locked')
      const { html } = await decide(rssp, signer, 'approve')
      assert.match(html, /locked/i)
      // Longer than the request waits.
      rssp.clock.advance(901)
      token = await rssp.serviceToken(user, client)
      assertInvalidHandle(await check(handle))
      assert.equal((await authorize()).status, 202)
    })

    it('records who agreed, with which factors, and that the SAD was given out', async () => {
      const handle = await ask()
      await decide(rssp, signer, 'approve')
      await check(handle)
      const events = await rssp.auditEvents()
      const granted = events.findLast(({ event }) => event === 'authorisation.granted')
      assert.deepEqual(granted?.detail['factors'], ['totp'])
      assert.deepEqual(granted?.detail['digests'], [digest.toString('base64')])
      const collected = events.findLast(({ event }) => event === 'authorisation.collected')
      assert.equal(collected?.detail['authorisationId'], granted?.detail['authorisationId'])
    })
  })

  it('is how a credential without any object is authorised', async () => {
    const { id } = await rssp.addCredential(user, { explicit: { objects: [], expression: null } })
    const { status, body } = await authorize({ credentialID: id, authData: undefined })
    assert.equal(status, 202)
    await decide(rssp, signer, 'approve')
    const { body: given } = await check(body.handle)
    assert.equal((await sign(given.SAD, digest, id)).status, 200)
  })

  describe('with a PIN that the application collects', () => {
    let both: Credential
    before(async () => {
      both = await rssp.addCredential(user, {
        explicit: { objects: [PIN, PUSH], expression: 'PIN AND PUSH' },
        withPin: true,
      })
    })
    const withPin = (value: string) =>
      authorize({ credentialID: both.id, authData: [...PUSHED, { id: 'PIN', value }] })

    it('checks the PIN at once, and does not ask for it again', async () => {
      const { status, body } = await withPin(user.pin)
      assert.equal(status, 202, JSON.stringify(body))
      const [id] = await waitingIds(signer)
      assert.ok(!(await signer.open(`/account/approvals/${id}`)).html.includes('name="pin"'))
      await decide(rssp, signer, 'approve')
      assert.equal((await check(body.handle)).status, 200)
      const granted = (await rssp.auditEvents()).findLast(
        ({ event }) => event === 'authorisation.granted',
      )
      assert.deepEqual(granted?.detail['factors'], ['pin', 'totp'])
    })

    it('refuses a wrong PIN, and either of the two alone, and asks nobody', async () => {
      const answers = [
        await withPin('000000'),
        await authorize({ credentialID: both.id }),
        await authorize({ credentialID: both.id, authData: [{ id: 'PIN', value: user.pin }] }),
      ]
      for (const { status, body } of answers) {
        assert.deepEqual([status, body.error], [400, 'invalid_authentication_data'])
      }
      assert.deepEqual(await waitingIds(signer), [])
    })

    it('forgives no guess for a PIN that is only half of what is needed (S20)', async () => {
      const guarded = await rssp.addCredential(user, {
        explicit: { objects: [PIN, PUSH], expression: 'PIN AND PUSH' },
        withPin: true,
      })
      const guess = (value: string) =>
        authorize({ credentialID: guarded.id, authData: [...PUSHED, { id: 'PIN', value }] })
      for (let n = 0; n < 4; n += 1) await guess('000000')
      assert.equal((await guess(user.pin)).status, 202)
      await guess('000000')
      assertRefusal(await guess(user.pin), 400, 'invalid_request', 'Credential locked')
    })
  })
})
