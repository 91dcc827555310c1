import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../../src/credentials/auth-object.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { signingCertificate } from '../../../src/credentials/credentials.js'
import { totpCode } from '../../../src/identity/totp.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { EarlierApplication } from '../../support/earlier-version.js'
import { opensslVerifies } from '../../support/openssl.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Rssp,
  type TestUser,
} from '../../support/rssp.js'

const { OTP } = AUTH_OBJECTS

describe('CSC API v0', () => {
  let rssp: Rssp
  let user: TestUser
  let app: EarlierApplication
  let credential: Credential
  const digest = digestOf('document')
  const hash = [digest.toString('base64')]

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    const client = await rssp.addClient({ registration: { quirks: ['no-pkce'] } })
    app = new EarlierApplication(rssp, '/csc/v0', client)
    credential = await rssp.addCredential(user, {
      explicit: { objects: [OTP], expression: null },
      multisign: 1,
    })
  })
  after(() => rssp.close())

  const verify = (signature: string, of = credential) =>
    opensslVerifies(
      ...([signingCertificate(of).publicKey, digest, Buffer.from(signature, 'base64')] as const),
      { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 },
    )

  it('says which version it is and where its OAuth endpoints are', async () => {
    const { body } = await app.call('info', {})
    assert.deepEqual([body.specs, body.oauth2], ['0.1.7.9', `${rssp.baseUrl}/csc/v0`])
  })

  it('signs for an application of its time: a code, no hash algorithm anywhere', async () => {
    const { access_token } = await app.token(user, { scope: 'service' })
    const { body: listed } = await app.call(
      'credentials/list',
      { clientData: 'EVCS' },
      access_token,
    )
    const [credentialID] = listed.credentialIDs
    const chain = { credentialID, certificates: 'chain' }
    const { body: info } = await app.call('credentials/info', chain, access_token)
    assert.ok(info.cert.certificates.length > 1)
    rssp.clock.advance(30)
    const code = totpCode(user.totpSecret, rssp.clock.now())
    const authorised = await app.call(
      'credentials/authorize',
      { credentialID, numSignatures: 1, hash, OTP: code },
      access_token,
    )
    const { SAD } = authorised.body
    const { status, body } = await app.call(
      'signatures/signHash',
      { credentialID, SAD, hash, signAlgo: ECDSA_SHA256 },
      access_token,
    )
    assert.equal(status, 200, JSON.stringify([authorised.body, body]))
    assert.ok(verify(body.signatures[0]))
  })

  it('signs with a credential token of type SAD', async () => {
    const redirected = await rssp.addCredential(user)
    const { access_token } = await app.token(user, { scope: 'service' })
    const approved = await app.token(user, {
      ...{ scope: 'credential', credentialID: redirected.id, numSignatures: '1' },
      hash: digest.toString('base64url'),
    })
    assert.equal(approved.token_type, 'SAD')
    const SAD = approved.access_token
    const { body } = await app.call(
      'signatures/signHash',
      { credentialID: redirected.id, SAD, hash, signAlgo: ECDSA_SHA256 },
      access_token,
    )
    assert.ok(verify(body.signatures[0], redirected))
  })

  it('says whether there may be several signatures, not how many', async () => {
    const many = await rssp.addCredential(user, { multisign: 10 })
    const token = await rssp.serviceToken(user, app.client)
    const multisign = async ({ id }: Credential) =>
      (await app.call('credentials/info', { credentialID: id }, token)).body.multisign
    assert.deepEqual([await multisign(credential), await multisign(many)], [false, true])
  })

  it('refuses in the words of v1', async () => {
    const token = await rssp.serviceToken(user, app.client)
    const malformed = await app.call('credentials/sendOTP', {})
    assertRefusal(malformed, 400, 'invalid_request', 'Malformed authroization header.')
    const wrong = { credentialID: credential.id, numSignatures: 1, hash, OTP: '000000' }
    const refused = await app.call('credentials/authorize', wrong, token)
    assertRefusal(refused, 400, 'invalid_otp', 'The OTP is invalid')
    assert.equal((await app.call('credentials/getChallenge', {}, token)).status, 501)
  })

  it('never lets an application ask for people’s passwords', async () => {
    const { client_id, client_secret } = app.client
    const { username, password } = user
    const answer = await app.call('oauth2/token', {
      ...{ grant_type: 'password', client_id, client_secret, username, password },
    })
    assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter grant_type')
  })
})
