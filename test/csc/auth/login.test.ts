import assert from 'node:assert/strict'
import { serviceTokens } from '../../oauth/application.js'
import {
  assertRefusal,
  postForm,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

const CLIENT_ID = 'trusted-app'

describe('POST auth/login', () => {
  let rssp: Rssp
  let replica: Rssp
  let user: TestUser
  let client: TestClient

  before(async () => {
    const settings = {
      policy: { authLogin: { client: CLIENT_ID } },
      limits: { signInFailures: 5 },
    }
    rssp = await startRssp({ settings })
    replica = await startRssp({ settings, replicaOf: rssp })
    user = await rssp.addUser()
    client = await rssp.addClient({ client_id: CLIENT_ID })
  })
  after(async () => {
    await replica.close()
    await rssp.close()
  })

  const basic = (text: string | Buffer) => ({
    Authorization: `Basic ${Buffer.from(text).toString('base64')}`,
  })
  const signIn = (
    { username, password }: { username: string; password: string } = user,
    body: unknown = {},
  ): Promise<Answer> => rssp.call('auth/login', body, undefined, basic(`${username}:${password}`))
  const refresh = (refresh_token: unknown, at = rssp): Promise<Answer> =>
    at.call('auth/login', { refresh_token })
  const refreshTokenOf = async (application: TestClient): Promise<string> =>
    (await serviceTokens(rssp, user, application)).refresh_token ?? assert.fail()
  const list = (token: string): Promise<Answer> => rssp.call('credentials/list', {}, token)
  const remembered = async (): Promise<{ access_token: string; refresh_token: string }> => {
    const { status, body } = await signIn(user, { rememberMe: true })
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }
  const assertFailed = (answer: Answer) => {
    const words = 'An error occurred during authentication process'
    assertRefusal(answer, 400, 'authentication_error', words)
  }
  const assertUnknown = (answer: Answer) => {
    assertRefusal(answer, 400, 'invalid_request', 'Invalid refresh_token')
  }

  it('is announced in info, and so is basic', async () => {
    const { body } = await rssp.call('info', {})
    assert.ok(body.methods.includes('auth/login'))
    assert.ok(body.authType.includes('basic'))
  })

  it('gives an ordinary service token for name and password, and nothing to refresh it unasked', async () => {
    const { status, body, headers } = await signIn()
    assert.equal(status, 200, JSON.stringify(body))
    assert.deepEqual(Object.keys(body).sort(), ['access_token', 'expires_in'])
    assert.equal(body.expires_in, 3600)
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal((await list(body.access_token)).status, 200)
  })

  it('takes the scheme in any case, and a body that is empty', async () => {
    const { Authorization } = basic(`${user.username}:${user.password}`)
    const header = { Authorization: Authorization.replace('Basic', 'bASIC') }
    assert.equal((await rssp.call('auth/login', '', undefined, header)).status, 200)
  })

  it('records who signed in with what, and who did not', async () => {
    await signIn()
    await signIn({ username: user.username, password: 'wrong' })
    const events = await rssp.auditEvents()
    const last = (event: string) => events.findLast((each) => each.event === event)?.detail
    assert.deepEqual(last('sign-in.succeeded'), {
      ...{ userId: user.id, clientId: CLIENT_ID, factors: ['pwd'] },
    })
    assert.equal(last('sign-in.failed')?.['clientId'], CLIENT_ID)
    assert.ok(!JSON.stringify(events).includes(user.password))
  })

  const malformed: [string, Record<string, string>][] = [
    ['no header', {}],
    ['a bearer token', { Authorization: 'Bearer x' }],
    ['the scheme alone', { Authorization: 'Basic' }],
    ['two words', { Authorization: 'Basic x y' }],
    ['digest', { Authorization: 'Digest username="x"' }],
  ]
  for (const [title, header] of malformed) {
    it(`answers 401 to ${title}`, async () => {
      const answer = await rssp.call('auth/login', {}, undefined, header)
      assertRefusal(answer, 401, 'invalid_request', 'Malformed authentication parameter.')
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic realm=/)
    })
  }

  const unreadable: [string, Record<string, string>][] = [
    ['no colon', basic('name')],
    ['no name', basic(':password')],
    ['no Base64', { Authorization: 'Basic %%%' }],
    ['no UTF-8', basic(Buffer.from([0xff, 0x3a, 0x61]))],
    ['control characters', basic('name:pass\u0000word')],
  ]
  for (const [title, header] of unreadable) {
    it(`refuses credentials with ${title}`, async () => {
      const answer = await rssp.call('auth/login', {}, undefined, header)
      assertRefusal(answer, 400, 'invalid_request', 'Malformed username-password.')
    })
  }

  it('answers a wrong password, an unknown name, a disabled person and one with a code at sign-in alike (S24)', async () => {
    const disabled = await rssp.addUser()
    await rssp.services.users.disable(disabled.id, rssp.clock.now())
    const withCode = await rssp.addUser({ otpAtSignIn: true })
    assertFailed(await signIn({ username: user.username, password: 'wrong' }))
    assertFailed(await signIn({ username: 'nobody', password: 'wrong' }))
    assertFailed(await signIn({ username: user.username, password: '' }))
    assertFailed(await signIn(disabled))
    assertFailed(await signIn(withCode))
    assertFailed(await signIn({ username: withCode.username, password: 'wrong' }))
  })

  it('refuses even the right password after five wrong ones, until the window ends', async () => {
    const victim = await rssp.addUser()
    for (let n = 0; n < 5; n += 1) {
      assertFailed(await signIn({ username: victim.username, password: `wrong ${n}` }))
    }
    assertFailed(await signIn(victim))
    rssp.clock.advance(901)
    assert.equal((await signIn(victim)).status, 200)
  })

  it('refuses members of the wrong type', async () => {
    const wrong: [unknown, string][] = [
      [{ rememberMe: 'yes' }, 'Invalid parameter rememberMe'],
      [{ clientData: 1 }, 'Invalid parameter clientData'],
      [{ refresh_token: 1 }, 'Invalid string parameter: refresh_token'],
      [{ refresh_token: '' }, 'Invalid string parameter: refresh_token'],
      [{ refresh_token: 'two words' }, 'Invalid string parameter: refresh_token'],
    ]
    for (const [body, words] of wrong) {
      assertRefusal(await signIn(user, body), 400, 'invalid_request', words)
    }
  })

  it('refuses a refresh token together with a password', async () => {
    const { refresh_token } = await remembered()
    assertRefusal(
      await signIn(user, { refresh_token }),
      401,
      'invalid_request',
      'Malformed authentication parameter.',
    )
    assert.equal((await refresh(refresh_token)).status, 200)
  })

  describe('with rememberMe', () => {
    it('gives a refresh token, which is good for an access token and the next one', async () => {
      const first = await remembered()
      const { status, body } = await refresh(first.refresh_token)
      assert.equal(status, 200, JSON.stringify(body))
      assert.deepEqual(Object.keys(body).sort(), ['access_token', 'expires_in', 'refresh_token'])
      assert.notEqual(body.refresh_token, first.refresh_token)
      assert.equal((await list(body.access_token)).status, 200)
      assert.equal((await refresh(body.refresh_token)).status, 200)
    })

    it('ends everything that came of the sign-in when a refresh token is used twice (S45)', async () => {
      const first = await remembered()
      const { body } = await refresh(first.refresh_token)
      assertUnknown(await refresh(first.refresh_token))
      assertUnknown(await refresh(body.refresh_token))
      assert.equal((await list(body.access_token)).body.error, 'expired_token')
      const events = await rssp.auditEvents()
      assert.equal(events.at(-1)?.event, 'token.revoked')
    })

    it('lets at most one of 50 parallel uses on two servers through, and leaves nothing standing', async () => {
      const { refresh_token } = await remembered()
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => refresh(refresh_token, n % 2 ? rssp : replica)),
      )
      const through = answers.filter(({ status }) => status === 200)
      assert.ok(through.length <= 1, `${through.length} got through`)
      for (const { body } of through) {
        assert.equal((await list(body.access_token)).status, 401)
        assertUnknown(await refresh(body.refresh_token))
      }
    })

    it('ends when the first refresh token would have, however often it was renewed (S45)', async () => {
      const day = 24 * 60 * 60
      const first = await remembered()
      rssp.clock.advance(29 * day)
      const { body } = await refresh(first.refresh_token)
      rssp.clock.advance(2 * day)
      assertUnknown(await refresh(body.refresh_token))
    })

    it('refuses unknown tokens, access tokens, and refresh tokens of other ways in', async () => {
      const { access_token } = await remembered()
      const foreign = await rssp.addClient()
      assert.ok(foreign)
      assertUnknown(await refresh('unknown'))
      assertUnknown(await refresh(access_token))
      assertUnknown(await refresh(await refreshTokenOf(client)))
      assertUnknown(await refresh(await refreshTokenOf(foreign)))
    })

    it('is ended by auth/revoke, with its access tokens', async () => {
      const { access_token, refresh_token } = await remembered()
      const { status } = await rssp.call(
        'auth/revoke',
        { token: refresh_token, token_type_hint: 'refresh_token' },
        access_token,
      )
      assert.equal(status, 204)
      assertUnknown(await refresh(refresh_token))
      assert.equal((await list(access_token)).body.error, 'expired_token')
    })

    it('is kept only as a hash', async () => {
      const { refresh_token } = await remembered()
      const rows = await rssp.services.database.read.oAuthRecord.findMany({
        where: { model: 'RefreshToken' },
      })
      assert.ok(rows.length > 0)
      assert.ok(!JSON.stringify(rows).includes(refresh_token))
    })
  })

  it('ends with the person', async () => {
    const leaver = await rssp.addUser()
    const { body } = await signIn(leaver, { rememberMe: true })
    await rssp.services.users.disable(leaver.id, rssp.clock.now())
    assert.equal((await list(body.access_token)).body.error, 'expired_token')
    assertUnknown(await refresh(body.refresh_token))
  })

  describe('once its application is disabled', () => {
    it('gives out nothing, and ends what was given out', async () => {
      const { access_token, refresh_token } = await remembered()
      await rssp.services.clients.disable(CLIENT_ID, rssp.clock.now())
      assert.equal((await list(access_token)).body.error, 'expired_token')
      for (const answer of [await refresh(refresh_token), await signIn()]) {
        assert.deepEqual([answer.status, answer.body.error], [400, 'unauthorized_client'])
      }
    })
  })
})

describe('POST auth/login, where it is off', () => {
  it('is not there, and not announced', async () => {
    const rssp = await startRssp()
    try {
      const answer = await rssp.call('auth/login', {}, undefined, { Authorization: 'Basic eDp5' })
      assert.deepEqual([answer.status, answer.body.error], [501, 'not_implemented'])
      const { body } = await rssp.call('info', {})
      assert.ok(!body.methods.includes('auth/login') && !body.authType.includes('basic'))
      assert.equal((await postForm(`${rssp.baseUrl}/csc/v2/auth/login`, {})).status, 501)
    } finally {
      await rssp.close()
    }
  })
})
