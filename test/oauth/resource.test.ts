import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import { digestOf, startRssp, type Rssp, type TestClient, type TestUser } from '../support/rssp.js'
import {
  assertAlive,
  authorizationCode,
  codeGrant,
  credentialRequest,
  openRefused,
  refreshGrant,
  requestToken,
  serviceRequest,
} from './application.js'

describe('The parameter resource (RFC 8707) (S40)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())

  it('may name this service, for scope service', async () => {
    const resource = rssp.baseUrl
    const code = await authorizationCode(rssp, user, serviceRequest(client, { resource }))
    const { status, body } = await requestToken(rssp, codeGrant(client, code))
    assert.equal(status, 200, JSON.stringify(body))
    await assertAlive(rssp, body.access_token)
  })

  it('may name this service, for scope credential', async () => {
    const request = credentialRequest(client, credential, [digestOf('x')])
    const resource = rssp.baseUrl
    const code = await authorizationCode(rssp, user, { ...request, resource })
    const { body } = await requestToken(rssp, codeGrant(client, code, { resource }))
    assert.equal(body.scope, 'credential', JSON.stringify(body))
  })

  for (const [what, resource] of [
    ['another service', 'https://other.example'],
    ['this service with a path', 'PATH'],
    ['no address', 'service'],
  ] as const) {
    it(`is refused when it names ${what}`, async () => {
      const named = resource === 'PATH' ? `${rssp.baseUrl}/admin` : resource
      const answer = await openRefused(rssp, serviceRequest(client, { resource: named }))
      assert.equal(answer.get('error'), 'invalid_target')
    })
  }

  it('is refused at the token endpoint when it was not asked for before', async () => {
    const code = await authorizationCode(rssp, user, serviceRequest(client))
    const resource = 'https://other.example'
    const { body } = await requestToken(rssp, codeGrant(client, code, { resource }))
    assert.equal(body.error, 'invalid_target')
  })

  it('costs no code, and no approval with it, when it is refused', async () => {
    const request = credentialRequest(client, credential, [digestOf('x')])
    const code = await authorizationCode(rssp, user, request)
    const resource = 'https://other.example'
    const refused = await requestToken(rssp, codeGrant(client, code, { resource }))
    assert.equal(refused.body.error, 'invalid_target')
    const { status, body } = await requestToken(rssp, codeGrant(client, code))
    assert.equal(status, 200, JSON.stringify(body))
    const again = await requestToken(rssp, codeGrant(client, code))
    assert.equal(again.body.error, 'invalid_grant')
  })

  it('is told nobody whose code verifier is wrong', async () => {
    const code = await authorizationCode(rssp, user, serviceRequest(client))
    const code_verifier = 'w'.repeat(43)
    const unfit = { resource: 'https://other.example', code_verifier }
    const { body } = await requestToken(rssp, codeGrant(client, code, unfit))
    assert.equal(body.error, 'invalid_grant')
  })

  it('costs no refresh token when it is refused', async () => {
    const code = await authorizationCode(rssp, user, serviceRequest(client))
    const { refresh_token } = (await requestToken(rssp, codeGrant(client, code))).body
    const grant = refreshGrant(client, refresh_token)
    const details = JSON.stringify([{ type: 'credential', credentialID: credential.id }])
    const other = 'https://other.example'
    for (const unfit of [
      { resource: other },
      { resource: rssp.baseUrl },
      { authorization_details: details },
    ]) {
      const { body } = await requestToken(rssp, { ...grant, ...unfit })
      assert.equal(body.error, 'invalid_target', JSON.stringify(unfit))
    }
    const { status, body } = await requestToken(rssp, grant)
    assert.equal(status, 200, JSON.stringify(body))
    await assertAlive(rssp, body.access_token)
  })
})
