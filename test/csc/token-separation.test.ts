import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import type { Credential } from '../../src/credentials/credential.js'
import { CSC_MOUNTS } from '../../src/csc/index.js'
import {
  authorizationCode,
  basic,
  inBody,
  requestToken,
  serviceRequest,
  serviceTokens,
} from '../oauth/application.js'
import {
  digestOf,
  postForm,
  readAnswer,
  SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'

type Kind = 'service' | 'credential' | 'client'

/** Which token opens which method, in every version that has it; no other opens anything. */
const OPENS: Readonly<Record<string, readonly Kind[]>> = {
  '/auth/revoke': ['service', 'credential', 'client'],
  '/credentials/list': ['service', 'client'],
  '/credentials/info': ['service', 'credential', 'client'],
  '/credentials/authorize': ['service', 'client'],
  '/credentials/authorizeCheck': ['service', 'client'],
  '/credentials/getChallenge': ['service', 'client'],
  '/credentials/sendOTP': ['service', 'client'],
  '/credentials/extendTransaction': ['service', 'credential', 'client'],
  '/credentials/create': [],
  '/credentials/delete': [],
  '/signatures/signHash': ['service', 'credential', 'client'],
  '/signatures/signDoc': ['service', 'credential', 'client'],
  '/signatures/signPolling': ['service', 'credential', 'client'],
  '/signatures/timestamp': ['service', 'client'],
  '/documents/deposit': ['service', 'client'],
  '/documents/withdraw': ['service', 'client'],
}
/** Those that want no token. */
const OPEN_TO_ALL = ['/info', '/auth/login']

const ADDRESSES = CSC_MOUNTS.flatMap(({ base, endpoints }) =>
  endpoints.map(({ path }) => ({ base, path })),
).filter(({ path }) => !OPEN_TO_ALL.includes(path))

describe('Every kind of token at every method of the API (S39)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  const tokens = {} as Record<Kind, string>
  /** Values that are good for something, but not here. */
  const others: Record<string, string> = {}

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient({
      registration: { grantTypes: ['authorization_code', 'client_credentials', 'refresh_token'] },
    })
    credential = await rssp.addCredential(user)
    const { access_token, refresh_token } = await serviceTokens(rssp, user, client)
    tokens.service = access_token
    const approval = { user, client, credential, digests: [digestOf('contract')] }
    tokens.credential = await rssp.credentialToken(approval)
    const itself = { grant_type: 'client_credentials', scope: 'service' }
    tokens.client = (await requestToken(rssp, itself, basic(client))).body.access_token

    others['refresh token'] = refresh_token
    others['authorization code'] = await authorizationCode(rssp, user, serviceRequest(client))
    others['SAD'] = await newSad()
    others['pushed request'] = await pushed()
    others['client secret'] = client.client_secret ?? ''
    others['client_id'] = client.client_id
    others['token of another server'] = tokens.service.replace(/^.{8}/, 'AAAAAAAA')
    others['JWT'] = `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.x`
  })
  after(() => rssp.close())

  async function newSad(): Promise<string> {
    const explicit = { objects: [AUTH_OBJECTS.PIN], expression: null }
    const { id } = await rssp.addCredential(user, { explicit, withPin: true })
    const request = {
      ...{ credentialID: id, numSignatures: 1, hashAlgorithmOID: SHA256 },
      hashes: [digestOf('contract').toString('base64')],
      authData: [{ id: 'PIN', value: user.pin }],
    }
    const { body } = await rssp.call('credentials/authorize', request, tokens.service)
    return body.SAD
  }

  async function pushed(): Promise<string> {
    const url = `${rssp.baseUrl}/oauth2/pushed_authorize`
    const { body } = await postForm(url, { ...serviceRequest(client), ...inBody(client) })
    return String(body.request_uri).split(':').at(-1) ?? ''
  }

  async function call(address: { base: string; path: string }, token: string): Promise<Answer> {
    const response = await fetch(`${rssp.baseUrl}${address.base}${address.path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      body: '{}',
    })
    return readAnswer(response)
  }

  it('is decided: the table has every method and no other', () => {
    const paths = new Set(ADDRESSES.map(({ path }) => path))
    assert.deepEqual([...paths].toSorted(), Object.keys(OPENS).toSorted())
  })

  for (const kind of ['service', 'credential', 'client'] as const) {
    it(`opens what the table says, and nothing else: ${kind}`, async () => {
      const opened = await Promise.all(
        ADDRESSES.map(async (address) => {
          const { status, body } = await call(address, tokens[kind])
          const isRefused = status === 403 && body.error === 'insufficient_scope'
          return [`${address.base}${address.path}`, isRefused ? 'refused' : 'opened']
        }),
      )
      const expected = ADDRESSES.map(({ base, path }) => [
        `${base}${path}`,
        OPENS[path]?.includes(kind) ? 'opened' : 'refused',
      ])
      assert.deepEqual(opened, expected)
    })
  }

  it('opens nothing at all when it is no access token of ours (S40)', async () => {
    for (const [name, value] of Object.entries(others)) {
      assert.ok(value.length > 0, name)
      for (const address of ADDRESSES) {
        const { status, body } = await call(address, value)
        const at = `${name} at ${address.base}${address.path}`
        assert.deepEqual([status, body.error], [401, 'invalid_token'], at)
      }
    }
  })

  it('is used up by none of that', async () => {
    const { status } = await rssp.call('credentials/list', {}, tokens.service)
    assert.equal(status, 200)
  })
})
