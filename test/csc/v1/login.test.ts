import assert from 'node:assert/strict'
import { EarlierApplication } from '../../support/earlier-version.js'
import { assertRefusal, startRssp, type Rssp, type TestUser } from '../../support/rssp.js'

describe('CSC API v1, auth/login', () => {
  let rssp: Rssp
  let user: TestUser
  let app: EarlierApplication

  before(async () => {
    rssp = await startRssp({ settings: { policy: { authLogin: { client: 'trusted-app' } } } })
    user = await rssp.addUser()
    const client = await rssp.addClient({ client_id: 'trusted-app' })
    app = new EarlierApplication(rssp, '/csc/v1', client)
  })
  after(() => rssp.close())

  const login = (text: string, body: unknown = {}) => {
    const Authorization = `Basic ${Buffer.from(text).toString('base64')}`
    return app.call('auth/login', body, undefined, { Authorization })
  }

  it('gives a token for name and password, and another for the refresh token', async () => {
    const { body } = await login(`${user.username}:${user.password}`, { rememberMe: true })
    assert.equal((await app.call('credentials/list', {}, body.access_token)).status, 200)
    const { refresh_token } = body
    const again = await app.call('auth/login', { refresh_token })
    assert.equal((await app.call('credentials/list', {}, again.body.access_token)).status, 200)
    const { access_token: token } = again.body
    assert.equal((await app.call('auth/revoke', { token }, token)).status, 204)
    assert.equal((await app.call('credentials/list', {}, token)).status, 401)
  })

  it('is announced', async () => {
    const { body } = await app.call('info', {})
    assert.ok(body.authType.includes('basic') && body.methods.includes('auth/login'))
  })

  it('refuses in the words of v1', async () => {
    const none = await app.call('auth/login', {})
    assertRefusal(none, 401, 'invalid_request', 'Malformed authentication parameter.')
    const odd = await login('nobody')
    assertRefusal(odd, 400, 'invalid_request', 'Malformed username-password.')
    const wrong = await login(`${user.username}:wrong`)
    const words = 'An error occurred during authentication process'
    assertRefusal(wrong, 400, 'authentication_error', words)
    const type = await app.call('auth/login', { refresh_token: 5 })
    assertRefusal(type, 400, 'invalid_request', 'Invalid string parameter: refresh_token')
    const unknown = await app.call('auth/login', { refresh_token: 'x' })
    assertRefusal(unknown, 400, 'invalid_request', 'Invalid refresh_token')
  })
})
