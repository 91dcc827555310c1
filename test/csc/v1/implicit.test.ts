import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../../src/credentials/auth-object.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { decide, waitingIds } from '../../account/decisions.js'
import { signedIn, type Signer } from '../../account/signer.js'
import { EarlierApplication } from '../../support/earlier-version.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Rssp,
  type TestUser,
} from '../../support/rssp.js'

const DENIED = 'The user, authorization server or remote service denied the request.'
const OVERLOADED =
  'The authorization server is currently unable to handle the request due to a temporary overloading or maintenance of the server.'

describe('CSC API v1, implicit credentials', () => {
  let rssp: Rssp
  let user: TestUser
  let app: EarlierApplication
  let token: string
  let credential: Credential
  let signer: Signer
  const hash = [digestOf('document').toString('base64')]

  before(async () => {
    rssp = await startRssp({ outbox: true })
    user = await rssp.addUser()
    app = new EarlierApplication(rssp, '/csc/v1', await rssp.addClient())
    credential = await rssp.addCredential(user, {
      explicit: { objects: [AUTH_OBJECTS.PUSH], expression: null },
    })
    token = await rssp.serviceToken(user, app.client)
    signer = await signedIn(rssp, user)
  })
  after(() => rssp.close())

  const authorize = () =>
    app.call(
      'credentials/authorize',
      { credentialID: credential.id, numSignatures: 1, hash },
      token,
    )
  const asked = async (): Promise<void> => {
    while ((await waitingIds(signer)).length === 0);
  }

  it('are told apart in credentials/info', async () => {
    const request = { credentialID: credential.id, authInfo: true }
    const { body } = await app.call('credentials/info', request, token)
    assert.deepEqual([body.authMode, body.PIN, body.OTP], ['implicit', undefined, undefined])
  })

  it('are authorised in one call that waits for the signer; the SAD signs', async () => {
    const answer = authorize()
    await asked()
    await decide(rssp, signer, 'approve')
    const { status, body } = await answer
    assert.equal(status, 200, JSON.stringify(body))
    assert.deepEqual(Object.keys(body).sort(), ['SAD', 'expiresIn'])
    const request = { credentialID: credential.id, SAD: body.SAD, hash, signAlgo: ECDSA_SHA256 }
    assert.equal((await app.call('signatures/signHash', request, token)).status, 200)
  })

  it('are refused when the signer refuses', async () => {
    const answer = authorize()
    await asked()
    await decide(rssp, signer, 'reject')
    assertRefusal(await answer, 400, 'access_denied', DENIED)
  })

  it('are refused when the signer does not decide in time', async () => {
    const answer = authorize()
    await asked()
    rssp.clock.advance(61)
    assertRefusal(await answer, 400, 'access_denied', DENIED)
    await decide(rssp, signer, 'reject')
  })

  it('do not hold up a process that is to end: the next call is another one’s (S95)', async () => {
    const answer = authorize()
    await asked()
    // The process stays as it is from here on: this test is the last one.
    rssp.services.departure.release()
    const refusal = await answer
    assertRefusal(refusal, 503, 'temporarily_unavailable', OVERLOADED)
    assert.equal(refusal.headers.get('retry-after'), '1')
  })
})
