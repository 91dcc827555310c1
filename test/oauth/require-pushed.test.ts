import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import {
  digestOf,
  postForm,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser } from '../support/signer-browser.js'
import {
  assertRedirectRefusal,
  authorizationCode,
  basic,
  codeGrant,
  credentialRequest,
  openRefused,
  requestToken,
  serviceRequest,
  type Parameters,
} from './application.js'

const REFUSAL = 'Pushed Authorization Request must be used'

describe('An application bound to pushed requests (S35)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  const digest = digestOf('contract')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient({ registration: { requirePushedForCredential: true } })
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())

  function details(): Parameters {
    const detail = {
      ...{ type: 'credential', credentialID: credential.id, hashAlgorithmOID: SHA256 },
      documentDigests: [{ hash: digest.toString('base64') }],
    }
    return serviceRequest(client, { scope: null, authorization_details: JSON.stringify([detail]) })
  }

  async function push(request: Parameters): Promise<string> {
    const url = `${rssp.baseUrl}/oauth2/pushed_authorize`
    const { status, body } = await postForm(url, request, basic(client))
    assert.equal(status, 201, JSON.stringify(body))
    return body.request_uri as string
  }

  it('is refused scope credential in the browser', async () => {
    const answer = await openRefused(rssp, credentialRequest(client, credential, [digest]))
    assertRedirectRefusal(rssp, answer, 'invalid_request', REFUSAL)
  })

  it('is refused scope credential posted by the browser', async () => {
    const browser = new SignerBrowser(rssp.baseUrl)
    const request = credentialRequest(client, credential, [digest])
    const answer = await browser.post('/oauth2/authorize', request)
    assert.ok(!(answer instanceof URLSearchParams) || answer.get('error') === 'invalid_request')
    assert.ok(answer instanceof URLSearchParams || answer.status >= 400)
  })

  it('is refused authorization_details in the browser', async () => {
    assertRedirectRefusal(rssp, await openRefused(rssp, details()), 'invalid_request', REFUSAL)
  })

  for (const [what, request] of [
    ['parameters', () => credentialRequest(client, credential, [digest])],
    ['authorization_details', details],
  ] as const) {
    it(`gets its token by pushing ${what}`, async () => {
      const { client_id } = client
      const request_uri = await push(request())
      const code = await authorizationCode(rssp, user, { client_id, request_uri })
      assert.equal((await requestToken(rssp, codeGrant(client, code))).status, 200)
    })
  }

  it('may ask for scope service in the browser', async () => {
    const code = await authorizationCode(rssp, user, serviceRequest(client))
    assert.equal((await requestToken(rssp, codeGrant(client, code))).status, 200)
  })

  it('cannot turn a pushed service request into one for signatures', async () => {
    const { client_id } = client
    const request_uri = await push(serviceRequest(client))
    const more = { ...credentialRequest(client, credential, [digest]), client_id, request_uri }
    const code = await authorizationCode(rssp, user, more)
    const { body } = await requestToken(rssp, codeGrant(client, code))
    assert.equal(body.scope, 'service')
  })

  it('leaves other applications free', async () => {
    const other = await rssp.addClient()
    const code = await authorizationCode(rssp, user, credentialRequest(other, credential, [digest]))
    assert.equal((await requestToken(rssp, codeGrant(other, code))).status, 200)
  })
})
