import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import type { Credential } from '../../src/credentials/credential.js'
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
} from '../support/rssp.js'
import { basic, requestToken } from '../oauth/application.js'

const { PIN, EMAIL } = AUTH_OBJECTS
const UNKNOWN = 'Invalid parameter credentialID'

describe('Seals, used by their application with a token of its own (S39, S66)', () => {
  let rssp: Rssp
  let organisation: TestUser
  let client: TestClient
  let otherClient: TestClient
  let token: string
  let otherToken: string
  /** Asks for a PIN that the application keeps. */
  let seal: Credential
  /** Asks for nothing but the token. */
  let plainSeal: Credential
  let mailedSeal: Credential
  let otherSeal: Credential
  let ofPerson: Credential
  const digest = digestOf('invoice')
  const other = digestOf('other invoice')

  before(async () => {
    rssp = await startRssp({ outbox: true })
    const registration = { grantTypes: ['authorization_code', 'client_credentials'] as const }
    client = await rssp.addClient({ registration })
    otherClient = await rssp.addClient({ registration })
    organisation = await rssp.addUser()
    const ownerClientId = client.client_id
    const pinned = { objects: [PIN], expression: null }
    seal = await rssp.addCredential(organisation, {
      ownerClientId,
      explicit: pinned,
      withPin: true,
    })
    plainSeal = await rssp.addCredential(organisation, {
      ...{ ownerClientId, explicit: { objects: [], expression: null } },
      ...{ SCAL: '1', multisign: 1000 },
    })
    mailedSeal = await rssp.addCredential(organisation, {
      ...{ ownerClientId, explicit: { objects: [EMAIL], expression: null } },
    })
    otherSeal = await rssp.addCredential(organisation, {
      ...{ ownerClientId: otherClient.client_id, explicit: pinned, withPin: true },
    })
    ofPerson = await rssp.addCredential(organisation, { explicit: pinned, withPin: true })
    token = await clientToken(client)
    otherToken = await clientToken(otherClient)
  })
  after(() => rssp.close())

  async function clientToken(of: TestClient): Promise<string> {
    const fields = { grant_type: 'client_credentials', scope: 'service' }
    const { status, body } = await requestToken(rssp, fields, basic(of))
    assert.equal(status, 200, JSON.stringify(body))
    return body.access_token as string
  }

  const authData = () => [{ id: 'PIN', value: organisation.pin }]
  const authorize = (more: Record<string, unknown> = {}, bearer = token): Promise<Answer> =>
    rssp.call(
      'credentials/authorize',
      {
        ...{ credentialID: seal.id, numSignatures: 1, hashAlgorithmOID: SHA256 },
        ...{ hashes: [digest.toString('base64')], authData: authData(), ...more },
      },
      bearer,
    )
  async function newSad(more: Record<string, unknown> = {}): Promise<string> {
    const { status, body } = await authorize(more)
    assert.equal(status, 200, JSON.stringify(body))
    return body.SAD as string
  }
  const sign = (SAD: string, more = {}, bearer = token, headers = {}): Promise<Answer> =>
    rssp.call(
      'signatures/signHash',
      {
        ...{ credentialID: seal.id, SAD, hashes: [digest.toString('base64')] },
        ...{ signAlgo: ECDSA_SHA256, ...more },
      },
      bearer,
      headers,
    )
  const extend = (SAD: string, more = {}, bearer = token): Promise<Answer> =>
    rssp.call(
      'credentials/extendTransaction',
      {
        ...{ credentialID: seal.id, SAD, hashes: [other.toString('base64')] },
        ...{ hashAlgorithmOID: SHA256, ...more },
      },
      bearer,
    )

  it('sign what they were authorised for, once', async () => {
    const SAD = await newSad()
    const { status, body } = await sign(SAD)
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(body.signatures.length, 1)
    assertRefusal(await sign(SAD), 400, 'invalid_request', 'Invalid parameter SAD')
  })

  it('leave the same rows in the ledger and the log as a person’s signature, in their own name', async () => {
    const SAD = await newSad()
    await sign(SAD)
    const events = (await rssp.auditEvents()).slice(-3)
    assert.deepEqual(
      events.map(({ event }) => event),
      ['authorisation.granted', 'signature.requested', 'signature.created'],
    )
    for (const { detail } of events.slice(0, 2)) {
      assert.equal(detail['clientId'], client.client_id)
      assert.equal(detail['userId'], organisation.id)
      assert.equal(detail['credentialId'], seal.id)
    }
    const id = String(events[0]?.detail['authorisationId'])
    const row = await rssp.services.database.read.authorisation.findUnique({
      where: { id },
      include: { digests: true },
    })
    assert.equal(row?.userId, organisation.id)
    assert.deepEqual(
      row.digests.map(({ state }) => state),
      ['consumed'],
    )
  })

  it('sign with nothing but the token when they ask for no factor, up to the number agreed', async () => {
    const request = { credentialID: plainSeal.id, numSignatures: 2, authData: undefined }
    const SAD = await newSad({ ...request, hashes: undefined, hashAlgorithmOID: undefined })
    const first = await sign(SAD, { credentialID: plainSeal.id })
    assert.equal(first.status, 200, JSON.stringify(first.body))
    const next = await extend(SAD, { credentialID: plainSeal.id })
    assert.equal(next.status, 200, JSON.stringify(next.body))
    const hashes = [digest, other].map((each) => each.toString('base64'))
    const two = await sign(next.body.SAD, { credentialID: plainSeal.id, hashes })
    assertRefusal(two, 400, 'invalid_request', 'Numbers of signatures is too high')
  })

  it('are extended for other hashes, and the first SAD is dead then (S9)', async () => {
    const SAD = await newSad()
    const { status, body } = await extend(SAD)
    assert.equal(status, 200, JSON.stringify(body))
    assertRefusal(await sign(SAD), 400, 'invalid_request', 'Invalid parameter SAD')
    const hashes = [other.toString('base64')]
    assert.equal((await sign(body.SAD, { hashes })).status, 200)
  })

  it('take a code that was sent to the name they were issued to', async () => {
    const challenge = { credentialID: mailedSeal.id, authObjectID: 'EMAIL' }
    const sent = await rssp.call('credentials/getChallenge', challenge, token)
    assert.equal(sent.status, 204, JSON.stringify(sent.body))
    const folder = join(rssp.folder, 'outbox')
    const [mail = ''] = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))
    const value = /Your code is (\d{8})/.exec(mail)?.[1]
    const SAD = await newSad({ credentialID: mailedSeal.id, authData: [{ id: 'EMAIL', value }] })
    assert.equal((await sign(SAD, { credentialID: mailedSeal.id })).status, 200)
  })

  it('answer a repeated request with the signature of the first', async () => {
    const SAD = await newSad()
    const headers = { 'Idempotency-Key': 'seal-1' }
    const first = await sign(SAD, {}, token, headers)
    const second = await sign(SAD, {}, token, headers)
    assert.deepEqual(second.body, first.body)
    assert.equal(first.status, 200)
  })

  it('are refused without their PIN, with a wrong one, and without hashes at SCAL 2', async () => {
    for (const given of [undefined, [], [{ id: 'PIN', value: '000000' }]]) {
      const answer = await authorize({ authData: given })
      assert.deepEqual(
        [answer.status, answer.body.error],
        [400, 'invalid_authentication_data'],
        JSON.stringify(answer.body),
      )
    }
    assertRefusal(
      await authorize({ hashes: [] }),
      400,
      'invalid_request',
      'Missing (or invalid type) array parameter hashes',
    )
    await newSad()
  })

  it('need a SAD to sign: the token alone is none', async () => {
    assertRefusal(
      await rssp.call(
        'signatures/signHash',
        {
          ...{ credentialID: seal.id, hashes: [digest.toString('base64')] },
          signAlgo: ECDSA_SHA256,
        },
        token,
      ),
      400,
      'invalid_request',
      'Missing (or invalid type) string parameter SAD',
    )
    assertRefusal(await sign(token), 400, 'invalid_request', 'Invalid parameter SAD')
  })

  describe('stay with their application:', () => {
    const strangers: [string, () => string][] = [
      ['another application’s seal', () => otherSeal.id],
      ['a credential of the organisation itself', () => ofPerson.id],
      ['an unknown credential', () => 'unknown'],
    ]
    for (const [what, credentialID] of strangers) {
      it(`${what} is answered like an unknown one by every method`, async () => {
        const id = { credentialID: credentialID() }
        const SAD = await newSad()
        const answers = [
          await rssp.call('credentials/info', id, token),
          await authorize(id),
          await rssp.call('credentials/getChallenge', { ...id, authObjectID: 'PIN' }, token),
          await extend(SAD, id),
          await sign(SAD, id),
        ]
        for (const answer of answers) assertRefusal(answer, 400, 'invalid_request', UNKNOWN)
        assert.equal((await sign(SAD)).status, 200)
      })
    }

    it('a SAD is worth nothing to another application', async () => {
      const SAD = await newSad()
      assertRefusal(await sign(SAD, {}, otherToken), 400, 'invalid_request', UNKNOWN)
      const own = await sign(SAD, { credentialID: otherSeal.id }, otherToken)
      assertRefusal(own, 400, 'invalid_request', 'Invalid parameter SAD')
      const revoked = await rssp.call('auth/revoke', { token: SAD }, otherToken)
      assertRefusal(revoked, 400, 'invalid_request', 'Invalid string parameter token')
      assert.equal((await sign(SAD)).status, 200)
    })

    it('a seal without factors is not authorised by a person’s token: they are asked elsewhere', async () => {
      const service = await rssp.serviceToken(organisation, client)
      const request = { credentialID: plainSeal.id, authData: undefined }
      const { status, body } = await authorize(request, service)
      assert.equal(status, 202)
      assert.equal(body.SAD, undefined)
    })
  })

  it('are named by userID in credentials/list alone, which they need there', async () => {
    const { body } = await rssp.call('credentials/list', { userID: organisation.id }, token)
    assert.deepEqual(body.credentialIDs, [seal.id, plainSeal.id, mailedSeal.id])
    for (const userID of [undefined, '', 'unknown', otherClient.client_id]) {
      const answer = await rssp.call('credentials/list', { userID }, token)
      assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter userID')
    }
  })

  it('end with a revoked SAD, by auth/revoke with the application’s own token', async () => {
    const SAD = await newSad()
    assert.equal((await rssp.call('auth/revoke', { token: SAD }, token)).status, 204)
    assertRefusal(await sign(SAD), 400, 'invalid_request', 'Invalid parameter SAD')
  })

  it('end with the application’s own token, by auth/revoke', async () => {
    const short = await clientToken(client)
    assert.equal((await rssp.call('auth/revoke', { token: short }, token)).status, 204)
    const { status, body } = await rssp.call('credentials/list', {}, short)
    assert.deepEqual([status, body.error], [401, 'expired_token'])
  })

  it('end with the name they were issued to', async () => {
    const gone = await rssp.addUser()
    const dead = await rssp.addCredential(gone, {
      ...{ ownerClientId: client.client_id, explicit: { objects: [], expression: null } },
    })
    const SAD = await newSad({ credentialID: dead.id, authData: undefined })
    await rssp.services.users.disable(gone.id, rssp.clock.now())
    const answer = await sign(SAD, { credentialID: dead.id })
    assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter SAD')
  })
})
