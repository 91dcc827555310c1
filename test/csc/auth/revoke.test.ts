import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../../src/credentials/auth-object.js'
import type { Credential } from '../../../src/credentials/credential.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

describe('POST auth/revoke', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let token: string
  const digest = digestOf('document')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
    token = await rssp.serviceToken(user, client)
  })
  after(() => rssp.close())

  const revoke = (body: Record<string, unknown>, bearer = token) =>
    rssp.call('auth/revoke', body, bearer)
  const sign = (bearer: string, more = {}) =>
    rssp.call(
      'signatures/signHash',
      {
        ...{ credentialID: credential.id, signAlgo: ECDSA_SHA256 },
        hashes: [digest.toString('base64')],
        ...more,
      },
      bearer,
    )

  it('ends a service token at once, with 204', async () => {
    const other = await rssp.serviceToken(user, client)
    const { status, body } = await revoke({ token: other, token_type_hint: 'access_token' })
    assert.deepEqual([status, body], [204, ''])
    assert.equal((await rssp.call('credentials/list', {}, other)).body.error, 'expired_token')
    assert.equal((await rssp.call('credentials/list', {}, token)).status, 200)
  })

  it('ends a credential token and what was approved for it', async () => {
    const approved = await rssp.credentialToken({ user, client, credential, digests: [digest] })
    assert.equal((await revoke({ token: approved })).status, 204)
    assert.equal((await sign(approved)).body.error, 'expired_token')
    assertRefusal(
      await sign(token, { SAD: approved }),
      400,
      'invalid_request',
      'Invalid parameter SAD',
    )
  })

  it('ends a SAD of credentials/authorize (S7, S44)', async () => {
    const explicit = await rssp.addCredential(user, {
      explicit: { objects: [AUTH_OBJECTS.PIN], expression: null },
      withPin: true,
    })
    const { body } = await rssp.call(
      'credentials/authorize',
      {
        credentialID: explicit.id,
        numSignatures: 1,
        hashes: [digest.toString('base64')],
        hashAlgorithmOID: SHA256,
        authData: [{ id: 'PIN', value: user.pin }],
      },
      token,
    )
    const asOther = { token: body.SAD, token_type_hint: 'refresh_token' }
    const refused = await revoke(asOther)
    assertRefusal(refused, 400, 'invalid_request', 'Invalid string parameter token')
    assert.equal((await revoke({ token: body.SAD })).status, 204)
    assertRefusal(
      await sign(token, { SAD: body.SAD, credentialID: explicit.id }),
      400,
      'invalid_request',
      'Invalid parameter SAD',
    )
  })

  const refusals: [string, Record<string, unknown>, string][] = [
    ['no token', {}, 'Missing (or invalid type) string parameter token'],
    ['a token that is no string', { token: 1 }, 'Missing (or invalid type) string parameter token'],
    ['an unknown token', { token: 'x'.repeat(43) }, 'Invalid string parameter token'],
    [
      'an unknown hint',
      { token: 'x', token_type_hint: 'sad' },
      'Invalid string parameter token_type_hint',
    ],
    ['clientData that is no string', { token: 'x', clientData: 1 }, 'Invalid parameter clientData'],
  ]
  for (const [title, body, words] of refusals) {
    it(`refuses ${title}`, async () => {
      assertRefusal(await revoke(body), 400, 'invalid_request', words)
    })
  }

  it('answers a stranger’s token like an unknown one, and leaves it alone (S66)', async () => {
    const strangers = [
      await rssp.serviceToken(await rssp.addUser(), client),
      await rssp.serviceToken(user, await rssp.addClient()),
    ]
    for (const stranger of strangers) {
      assertRefusal(
        await revoke({ token }, stranger),
        400,
        'invalid_request',
        'Invalid string parameter token',
      )
    }
    assert.equal((await rssp.call('credentials/list', {}, token)).status, 200)
  })
})
