import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  postForm,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { basic, requestToken } from './application.js'

const FOR_ITSELF = { grant_type: 'client_credentials', scope: 'service' }
const UNKNOWN = 'Invalid parameter credentialID'

describe('client_credentials (S39)', () => {
  let rssp: Rssp
  /** The organisation whose seals the application holds. */
  let organisation: TestUser
  let person: TestUser
  let client: TestClient
  let otherClient: TestClient
  let seal: Credential
  let otherSeal: Credential
  let ofPerson: Credential
  let token: string

  before(async () => {
    rssp = await startRssp()
    const registration = {
      grantTypes: ['authorization_code', 'client_credentials', 'refresh_token'] as const,
    }
    client = await rssp.addClient({ registration })
    otherClient = await rssp.addClient({ registration })
    organisation = await rssp.addUser()
    person = await rssp.addUser()
    const ownerClientId = client.client_id
    seal = await rssp.addCredential(organisation, { ownerClientId })
    otherSeal = await rssp.addCredential(organisation, { ownerClientId: otherClient.client_id })
    ofPerson = await rssp.addCredential(person)
    token = await clientToken(client)
  })
  after(() => rssp.close())

  async function clientToken(of: TestClient): Promise<string> {
    const { status, body } = await requestToken(rssp, FOR_ITSELF, basic(of))
    assert.equal(status, 200, JSON.stringify(body))
    return body.access_token as string
  }

  it('give a service token and no refresh token', async () => {
    const { body } = await requestToken(rssp, FOR_ITSELF, basic(client))
    const { access_token, ...rest } = body as Record<string, unknown>
    assert.equal(typeof access_token, 'string')
    assert.deepEqual(rest, { token_type: 'Bearer', expires_in: 3600, scope: 'service' })
  })

  it('are for applications that no signer is sent back to, too', async () => {
    const alone = await rssp.addClient({
      registration: { grantTypes: ['client_credentials'], redirectUris: [] },
    })
    await clientToken(alone)
  })

  it('mean scope service when none is named', async () => {
    const { grant_type } = FOR_ITSELF
    const { status, body } = await requestToken(rssp, { grant_type }, basic(client))
    assert.deepEqual({ status, scope: body.scope }, { status: 200, scope: 'service' })
    const list = await rssp.call('credentials/list', { userID: organisation.id }, body.access_token)
    assert.equal(list.status, 200)
  })

  for (const scope of ['credential', 'service credential', 'openid', 'offline_access', 'other']) {
    it(`are refused for scope ${scope}`, async () => {
      const { status, body } = await requestToken(rssp, { ...FOR_ITSELF, scope }, basic(client))
      assert.deepEqual({ status, error: body.error }, { status: 400, error: 'invalid_scope' })
    })
  }

  it('are refused with authorization_details', async () => {
    const detail = {
      ...{ type: 'credential', credentialID: seal.id, hashAlgorithmOID: SHA256 },
      documentDigests: [{ hash: digestOf('x').toString('base64') }],
    }
    const authorization_details = JSON.stringify([detail])
    const fields = { ...FOR_ITSELF, authorization_details }
    assert.equal((await requestToken(rssp, fields, basic(client))).status, 400)
  })

  it('are refused to an application without that grant', async () => {
    const without = await rssp.addClient()
    assertRefusal(
      await requestToken(rssp, FOR_ITSELF, basic(without)),
      400,
      'unauthorized_client',
      'The client is not authorized to use this method.',
    )
  })

  it('are refused to a public application', async () => {
    const { client_id } = await rssp.addClient({ client_secret: null })
    assert.equal((await requestToken(rssp, { ...FOR_ITSELF, client_id })).status, 400)
  })

  it('are refused with a wrong secret', async () => {
    const answer = await requestToken(rssp, FOR_ITSELF, basic(client, 'wrong'))
    assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter client_secret')
  })

  describe('credentials/list', () => {
    it('answers the seals of that name that the application holds, and no others', async () => {
      const { body } = await rssp.call('credentials/list', { userID: organisation.id }, token)
      assert.deepEqual(body.credentialIDs, [seal.id])
    })

    const refused: [string, () => unknown][] = [
      ['without userID', () => ({})],
      ['with an empty userID', () => ({ userID: '' })],
      ['with null for userID', () => ({ userID: null })],
      ['with a number for userID', () => ({ userID: 1 })],
      ['for an unknown name', () => ({ userID: 'nobody' })],
      ['for a person', () => ({ userID: person.id })],
    ]
    for (const [what, body] of refused) {
      it(`is refused ${what}`, async () => {
        assertRefusal(
          await rssp.call('credentials/list', body(), token),
          400,
          'invalid_request',
          'Invalid parameter userID',
        )
      })
    }

    it('still refuses userID with a person’s token', async () => {
      const service = await rssp.serviceToken(person, client)
      const answer = await rssp.call('credentials/list', { userID: organisation.id }, service)
      assertRefusal(answer, 400, 'invalid_request', 'userID parameter MUST be null')
    })
  })

  describe('signatures/signPolling', () => {
    const refused: [string, () => unknown, string][] = [
      ['without userID', () => undefined, 'Invalid parameter "userID"'],
      ['for an unknown name', () => 'nobody', 'Invalid parameter "userID"'],
      ['for a person', () => person.id, 'Invalid parameter "userID"'],
      ['for a request that is not theirs', () => organisation.id, 'Invalid parameter requestID'],
    ]
    for (const [what, userID, words] of refused) {
      it(`is refused ${what}`, async () => {
        const body = { requestID: 'unknown', userID: userID() }
        const answer = await rssp.call('signatures/signPolling', body, token)
        assertRefusal(answer, 400, 'invalid_request', words)
      })
    }
  })

  describe('never reach', () => {
    it('a person’s credential by credentials/info', async () => {
      const answer = await rssp.call('credentials/info', { credentialID: ofPerson.id }, token)
      assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter credentialID')
    })

    it('another application’s seal by credentials/info', async () => {
      const answer = await rssp.call('credentials/info', { credentialID: otherSeal.id }, token)
      assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter credentialID')
    })

    const hashes = [digestOf('contract').toString('base64')]
    const calls: [string, () => Record<string, unknown>][] = [
      ['credentials/authorize', () => ({ numSignatures: 1, hashes, hashAlgorithmOID: SHA256 })],
      ['credentials/getChallenge', () => ({ authObjectID: 'EMAIL' })],
      ['credentials/extendTransaction', () => ({ hashes, SAD: 'x', hashAlgorithmOID: SHA256 })],
      [
        'signatures/signHash',
        () => ({ hashes, SAD: 'x', hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256 }),
      ],
    ]
    for (const [method, body] of calls) {
      it(`a person’s credential by ${method}`, async () => {
        const answer = await rssp.call(method, { credentialID: ofPerson.id, ...body() }, token)
        const words = /signHash/.test(method) ? 'Invalid parameter SAD' : UNKNOWN
        assertRefusal(answer, 400, 'invalid_request', words)
      })
    }

    it('a signature the person approved, as SAD of their own', async () => {
      const digest = digestOf('contract')
      const approval = { user: person, client, credential: ofPerson, digests: [digest] }
      const SAD = await rssp.credentialToken(approval)
      const body = { credentialID: ofPerson.id, hashes, SAD, hashAlgorithmOID: SHA256 }
      const answer = await rssp.call(
        'signatures/signHash',
        { ...body, signAlgo: ECDSA_SHA256 },
        token,
      )
      assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter SAD')
    })

    it('a person’s approval by their own token as SAD', async () => {
      const service = await rssp.serviceToken(person, client)
      const body = { credentialID: ofPerson.id, hashes, SAD: token, hashAlgorithmOID: SHA256 }
      const answer = await rssp.call(
        'signatures/signHash',
        { ...body, signAlgo: ECDSA_SHA256 },
        service,
      )
      assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter SAD')
    })
  })

  it('open credentials/info of an own seal', async () => {
    const answer = await rssp.call('credentials/info', { credentialID: seal.id }, token)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
  })

  it('end when the token is revoked', async () => {
    const own = await clientToken(client)
    const revoked = await postForm(`${rssp.baseUrl}/oauth2/revoke`, { token: own }, basic(client))
    assert.equal(revoked.status, 204, JSON.stringify(revoked.body))
    const { status, body } = await rssp.call('credentials/list', {}, own)
    assert.deepEqual({ status, error: body.error }, { status: 401, error: 'expired_token' })
  })

  it('end when the application is disabled', async () => {
    const short = await rssp.addClient({
      registration: { grantTypes: ['client_credentials'], redirectUris: [] },
    })
    const own = await clientToken(short)
    await rssp.services.clients.disable(short.client_id, rssp.clock.now())
    const { status, body } = await rssp.call('credentials/list', {}, own)
    assert.deepEqual({ status, error: body.error }, { status: 401, error: 'expired_token' })
  })

  it('end with their time', async () => {
    const own = await clientToken(client)
    rssp.clock.advance(3600)
    const { status, body } = await rssp.call('credentials/list', {}, own)
    rssp.clock.advance(-3600)
    assert.deepEqual({ status, error: body.error }, { status: 401, error: 'expired_token' })
  })

  it('are announced in info', async () => {
    const { body } = await rssp.call('info', {})
    assert.deepEqual(body.authType, ['oauth2code', 'oauth2client'])
  })
})
