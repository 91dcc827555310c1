import assert from 'node:assert/strict'
import type { Credential } from '../../../src/credentials/credential.js'
import {
  assertRefusal,
  digestOf,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

describe('POST credentials/list', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let token: string
  let credentials: Credential[]

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    credentials = [
      await rssp.addCredential(user),
      await rssp.addCredential(user, { algorithm: 'p-384' }),
    ]
    await rssp.addCredential(await rssp.addUser())
    token = await rssp.serviceToken(user, client)
  })
  after(() => rssp.close())

  const list = (body: unknown, bearer: string | undefined = token) =>
    rssp.call('credentials/list', body, bearer)
  const ids = () => credentials.map(({ id }) => id)

  it('lists the credentials of the person the token is for, and nobody else’s (S66)', async () => {
    const { status, body } = await list({})
    assert.equal(status, 200)
    assert.deepEqual(body, { credentialIDs: ids() })
  })

  it('takes an empty body for {}', async () => {
    assert.deepEqual((await list('')).body, { credentialIDs: ids() })
  })

  it('returns infos only when asked, with single certificates unless told otherwise', async () => {
    const { body } = await list({ credentialInfo: true })
    assert.deepEqual(
      body.credentialInfos.map((info: { credentialID: string }) => info.credentialID),
      ids(),
    )
    for (const { cert, auth } of body.credentialInfos) {
      assert.equal(cert.certificates.length, 1)
      assert.equal(cert.subjectDN, undefined)
      assert.deepEqual(auth, { mode: 'oauth2code' })
    }
  })

  it('ignores certInfo and authInfo without credentialInfo', async () => {
    const { body } = await list({ certInfo: true, authInfo: true, certificates: 'chain' })
    assert.deepEqual(body, { credentialIDs: ids() })
  })

  it('leaves out what cannot sign when onlyValid is asked for, and says so', async () => {
    const person = await rssp.addUser()
    const [revoked, good] = [await rssp.addCredential(person), await rssp.addCredential(person)]
    await rssp.services.credentials.revoke(revoked.id, 'test')
    const bearer = await rssp.serviceToken(person, client)
    assert.deepEqual((await list({ onlyValid: true }, bearer)).body, {
      credentialIDs: [good.id],
      onlyValid: true,
    })
    const { body } = await list({ credentialInfo: true }, bearer)
    assert.deepEqual(body.credentialIDs, [revoked.id, good.id])
    const [first] = body.credentialInfos
    assert.deepEqual([first.key.status, first.cert.status], ['disabled', 'revoked'])
    const of = async (credentialStatus: string) =>
      (await list({ credentialStatus }, bearer)).body.credentialIDs
    assert.deepEqual([await of('enabled'), await of('disabled')], [[good.id], [revoked.id]])
  })

  it('ignores members it does not know, and null for optional ones', async () => {
    const body = { userID: null, maxResults: 1, pageToken: 'x', constructor: 1, lang: null }
    assert.deepEqual((await list(body)).body, { credentialIDs: ids() })
  })

  it('takes an empty userID for absent', async () => {
    assert.equal((await list({ userID: '' })).status, 200)
  })

  const refusals: [string, unknown, string][] = [
    ['a userID beside a personal token', { userID: 'me' }, 'userID parameter MUST be null'],
    ['an unknown status', { credentialStatus: 'lost' }, 'Invalid parameter credentialStatus'],
    ['a userID that is no string', { userID: 5 }, 'Invalid parameter userID'],
    ['unknown certificates', { certificates: 'all' }, 'Invalid parameter certificates'],
    ['certificates that are no string', { certificates: 1 }, 'Invalid parameter certificates'],
    [
      'credentialInfo that is no boolean',
      { credentialInfo: 'true' },
      'Missing (or invalid type) boolean parameter credentialInfo',
    ],
    ['clientData that is no string', { clientData: [] }, 'Invalid parameter clientData'],
  ]
  for (const [title, body, words] of refusals) {
    it(`refuses ${title}`, async () => {
      assertRefusal(await list(body), 400, 'invalid_request', words)
    })
  }

  it('refuses a credential token', async () => {
    const [credential] = credentials
    assert.ok(credential)
    const sad = await rssp.credentialToken({
      ...{ user, client, credential, digests: [digestOf('x')] },
    })
    const { status, body, headers } = await list({}, sad)
    assert.deepEqual([status, body.error], [403, 'insufficient_scope'])
    assert.equal(headers.get('www-authenticate'), 'Bearer error="insufficient_scope"')
  })

  it('refuses a missing and an unknown token', async () => {
    assertRefusal(
      await rssp.call('credentials/list', {}),
      400,
      'invalid_request',
      'Malformed authorization header.',
    )
    const { status, body } = await list({}, 'unknown')
    assert.deepEqual([status, body.error], [401, 'invalid_token'])
  })

  it('refuses an expired service token', async () => {
    const old = await rssp.serviceToken(user, client)
    rssp.clock.advance(3601)
    assertRefusal(
      await list({}, old),
      401,
      'expired_token',
      'The access or refresh token is expired or has been revoked.',
    )
    token = await rssp.serviceToken(user, client)
  })
})
