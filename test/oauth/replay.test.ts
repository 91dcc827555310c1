import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  postForm,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { authorizationCode, codeGrant, requestToken, serviceRequest } from './application.js'
import { asserted, assertion, dpopProof, testKey, type TestKey } from './proofs.js'

const TIMES = 100

describe('Of 100 parallel uses on two servers over one database (S8, S31)', () => {
  let one: Rssp
  let two: Rssp
  let user: TestUser
  let key: TestKey
  let client: TestClient

  before(async () => {
    one = await startRssp()
    two = await startRssp({ replicaOf: one })
    user = await one.addUser()
    await one.addCredential(user)
    key = await testKey()
    client = await one.addClient({
      client_secret: null,
      registration: {
        authMethod: 'private_key_jwt',
        grantTypes: ['authorization_code', 'client_credentials'],
        jwks: { keys: [key.jwk] },
      },
    })
  })
  after(async () => {
    await two.close()
    await one.close()
  })

  /** Half of them to either server. */
  function everywhere(use: (server: Rssp, index: number) => Promise<Answer>): Promise<Answer[]> {
    const servers = Array.from({ length: TIMES }, (_, index) => (index % 2 === 0 ? one : two))
    return Promise.all(servers.map(use))
  }

  function assertOnce(answers: Answer[], status: number, error: string): void {
    const [accepted, refused] = [true, false].map((wanted) =>
      answers.filter((answer) => (answer.status === 200) === wanted),
    )
    assert.equal(accepted?.length, 1)
    const outcomes = new Set(refused?.map(({ status, body }) => `${status} ${body.error}`))
    assert.deepEqual([...outcomes], [`${status} ${error}`])
  }

  it('one client assertion is accepted, the others are invalid_client', async () => {
    const fields = {
      ...{ grant_type: 'client_credentials', scope: 'service' },
      ...asserted(await assertion(one, client, key)),
    }
    const answers = await everywhere((server) => requestToken(server, fields))
    assertOnce(answers, 401, 'invalid_client')
  })

  it('one assertion of that identifier is accepted, however they differ', async () => {
    const jti = randomUUID()
    const answers = await everywhere(async (server, index) => {
      const exp = Math.floor(Date.now() / 1000) + 60 + index
      const jwt = await assertion(one, client, key, { jti, exp })
      const fields = { grant_type: 'client_credentials', scope: 'service', ...asserted(jwt) }
      return requestToken(server, fields)
    })
    assertOnce(answers, 401, 'invalid_client')
  })

  it('one DPoP proof at the token endpoint is accepted, the others are invalid_dpop_proof', async () => {
    const proof = await dpopProof(key, { url: `${one.baseUrl}/oauth2/token` })
    const answers = await everywhere(async (server) => {
      const jwt = await assertion(one, client, key)
      const fields = { grant_type: 'client_credentials', scope: 'service', ...asserted(jwt) }
      return requestToken(server, fields, { DPoP: proof })
    })
    assertOnce(answers, 400, 'invalid_dpop_proof')
  })

  it('one DPoP proof at the API is accepted, the others are invalid_dpop_proof', async () => {
    const token = await boundToken()
    const url = `${one.baseUrl}/csc/v2/credentials/list`
    const proof = await dpopProof(key, { url, accessToken: token, now: one.clock.now() })
    const headers = { Authorization: `DPoP ${token}`, DPoP: proof }
    const answers = await everywhere((server) =>
      server.call('credentials/list', {}, undefined, headers),
    )
    assertOnce(answers, 401, 'invalid_dpop_proof')
  })

  it('one use of an authorization code is accepted, and its tokens die with the second', async () => {
    const withSecret = await one.addClient()
    const code = await authorizationCode(one, user, serviceRequest(withSecret))
    const answers = await everywhere((server) => requestToken(server, codeGrant(withSecret, code)))
    const accepted = answers.filter(({ status }) => status === 200)
    assert.ok(accepted.length <= 1, `${accepted.length} were accepted`)
    for (const { body } of accepted) {
      const { status } = await two.call('credentials/list', {}, body.access_token)
      assert.equal(status, 401)
    }
  })

  it('a proof used on one server is refused by the other later', async () => {
    const token = await boundToken()
    const url = `${one.baseUrl}/csc/v2/credentials/list`
    const proof = await dpopProof(key, { url, accessToken: token, now: one.clock.now() })
    const headers = { Authorization: `DPoP ${token}`, DPoP: proof }
    assert.equal((await one.call('credentials/list', {}, undefined, headers)).status, 200)
    const again = await two.call('credentials/list', {}, undefined, headers)
    assert.equal(again.body.error, 'invalid_dpop_proof')
  })

  async function boundToken(): Promise<string> {
    const code = await authorizationCode(one, user, serviceRequest(client))
    const proof = await dpopProof(key, { url: `${one.baseUrl}/oauth2/token` })
    const fields = { ...codeGrant(client, code), ...asserted(await assertion(one, client, key)) }
    const answer = await postForm(`${one.baseUrl}/oauth2/token`, fields, { DPoP: proof })
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body.access_token as string
  }
})
