import assert from 'node:assert/strict'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  REDIRECT_URI,
  postForm,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import {
  assertAlive,
  assertDead,
  authorizationCode,
  basic,
  changed,
  codeGrant,
  credentialRequest,
  inBody,
  refreshGrant,
  requestToken,
  serviceRequest,
  serviceTokens,
  VERIFIER,
  type Changes,
  type Parameters,
  type Tokens,
} from './application.js'

const MALFORMED =
  'The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed.'

describe('POST /oauth2/token', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let otherClient: TestClient
  let publicClient: TestClient

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    otherClient = await rssp.addClient()
    publicClient = await rssp.addClient({ client_secret: null })
  })
  after(() => rssp.close())

  const newCode = (of = client) => authorizationCode(rssp, user, serviceRequest(of))

  /** The two ways to say who asks: the request without them, and each way's own part. */
  const methods: [string, (fields: Parameters, of?: TestClient) => [Parameters, Parameters]][] = [
    ['client_secret_post', (fields, of = client) => [{ ...inBody(of), ...fields }, {}]],
    ['client_secret_basic', (fields, of = client) => [fields, basic(of)]],
  ]
  const unauthenticated = (code: string, changes: Changes = {}): Parameters =>
    changed(
      {
        grant_type: 'authorization_code',
        code,
        code_verifier: VERIFIER,
        redirect_uri: REDIRECT_URI,
      },
      changes,
    )

  for (const [method, authenticated] of methods) {
    describe(`with ${method}`, () => {
      it('gives tokens for a code of scope service', async () => {
        const [fields, headers] = authenticated(unauthenticated(await newCode()))
        const { status, headers: got, body } = await requestToken(rssp, fields, headers)
        assert.equal(status, 200, JSON.stringify(body))
        const { access_token, refresh_token, ...rest } = body
        assert.deepEqual(rest, { token_type: 'Bearer', expires_in: 3600, scope: 'service' })
        assert.match(access_token, /^[\w-]{43}$/)
        assert.match(refresh_token, /^[\w-]{43}$/)
        assert.equal(got.get('cache-control'), 'no-store')
        assert.equal(got.get('pragma'), 'no-cache')
        await assertAlive(rssp, access_token)
      })

      const refusals: [string, Changes, number, string, string][] = [
        [
          'no grant_type',
          { grant_type: null },
          400,
          'invalid_request',
          'Missing parameter grant_type',
        ],
        [
          'an empty grant_type',
          { grant_type: '' },
          400,
          'invalid_request',
          'Missing parameter grant_type',
        ],
        ...['x', 'password', 'implicit', 'Authorization_Code'].map(
          (grant_type): [string, Changes, number, string, string] => [
            `grant_type ${grant_type}`,
            { grant_type },
            400,
            'invalid_request',
            'Invalid parameter grant_type',
          ],
        ),
        [
          'a grant_type that others may use',
          { grant_type: 'client_credentials' },
          400,
          'unauthorized_client',
          'The client is not authorized to use this method.',
        ],
        ['no code', { code: null }, 400, 'invalid_request', 'Missing parameter code'],
        [
          'no refresh_token',
          { grant_type: 'refresh_token' },
          400,
          'invalid_request',
          'Missing parameter refresh_token',
        ],
        ['an unknown code', { code: 'x' }, 400, 'invalid_grant', 'Invalid parameter code'],
        [
          'an unknown refresh token',
          { grant_type: 'refresh_token', refresh_token: 'x' },
          400,
          'invalid_grant',
          'Invalid parameter refresh_token',
        ],
      ]
      for (const [what, changes, status, error, words] of refusals) {
        it(`refuses ${what}`, async () => {
          const [fields, headers] = authenticated(unauthenticated('x', changes))
          assertRefusal(await requestToken(rssp, fields, headers), status, error, words)
        })
      }

      it('refuses another redirect_uri than was asked with, and keeps the code good', async () => {
        const code = await newCode()
        for (const redirect_uri of ['https://app.example/other', `${REDIRECT_URI}/`, 'x']) {
          const [fields, headers] = authenticated(unauthenticated(code, { redirect_uri }))
          assertRefusal(
            await requestToken(rssp, fields, headers),
            400,
            'invalid_grant',
            'redirect_uri parameter does not match redirect_uri parameter of authorization request',
          )
        }
        const [fields, headers] = authenticated(unauthenticated(code))
        assert.equal((await requestToken(rssp, fields, headers)).status, 200)
      })

      for (const [what, code_verifier, error] of [
        ['none', null, 'invalid_grant'],
        ['another', 'a'.repeat(43), 'invalid_grant'],
        ['the challenge itself', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', 'invalid_grant'],
        ['too short', 'short', 'invalid_request'],
      ] as const) {
        it(`refuses a verifier: ${what} (S32)`, async () => {
          const [fields, headers] = authenticated(
            unauthenticated(await newCode(), { code_verifier }),
          )
          const { status, body } = await requestToken(rssp, fields, headers)
          assert.deepEqual({ status, error: body.error }, { status: 400, error })
          assert.equal(body.access_token, undefined)
        })
      }

      it('refuses a late code (S34)', async () => {
        const code = await newCode()
        rssp.clock.advance(61)
        const [fields, headers] = authenticated(unauthenticated(code))
        assertRefusal(
          await requestToken(rssp, fields, headers),
          400,
          'invalid_grant',
          'Authorization code is invalid or expired',
        )
      })

      it('takes a code until its last second', async () => {
        const code = await newCode()
        rssp.clock.advance(57)
        const [fields, headers] = authenticated(unauthenticated(code))
        assert.equal((await requestToken(rssp, fields, headers)).status, 200)
      })

      it('refuses the code of another client', async () => {
        const code = await newCode(otherClient)
        const [fields, headers] = authenticated(unauthenticated(code))
        assertRefusal(
          await requestToken(rssp, fields, headers),
          400,
          'invalid_grant',
          'Authorization code is invalid or expired',
        )
      })

      it('refuses a wrong secret', async () => {
        for (const secret of [
          'wrong',
          `${client.client_secret ?? ''}x`,
          otherClient.client_secret,
        ]) {
          const [fields, headers] = authenticated(unauthenticated(await newCode()), {
            ...client,
            client_secret: secret,
          })
          assertRefusal(
            await requestToken(rssp, fields, headers),
            400,
            'invalid_request',
            'Invalid parameter client_secret',
          )
        }
      })

      it('refuses an unknown client', async () => {
        const [fields, headers] = authenticated(unauthenticated('x'), {
          ...client,
          client_id: 'unknown',
        })
        assertRefusal(
          await requestToken(rssp, fields, headers),
          400,
          'invalid_request',
          'Invalid parameter client_id',
        )
      })

      it('refuses a client that was disabled meanwhile', async () => {
        const disabled = await rssp.addClient()
        const code = await newCode(disabled)
        await rssp.services.clients.disable(disabled.client_id, rssp.clock.now())
        const [fields, headers] = authenticated(unauthenticated(code), disabled)
        assertRefusal(
          await requestToken(rssp, fields, headers),
          400,
          'invalid_request',
          'Invalid parameter client_id',
        )
      })
    })
  }

  describe('client authentication (S43)', () => {
    it('is asked for', async () => {
      const answer = await requestToken(rssp, unauthenticated('x'))
      assertRefusal(answer, 400, 'invalid_request', 'Missing parameter client_id')
    })

    it('is asked for when the client only says its name', async () => {
      const fields = { ...unauthenticated(await newCode()), client_id: client.client_id }
      const answer = await requestToken(rssp, fields)
      assertRefusal(answer, 401, 'invalid_request', 'Client authorization required')
    })

    for (const header of [
      'Basic',
      'Basic ',
      'Basic !!!',
      'Basic Og==x',
      'Basic bm8tY29sb24=',
      'Bearer x',
      'Digest x',
    ]) {
      it(`refuses the header ${JSON.stringify(header)}`, async () => {
        const answer = await requestToken(rssp, unauthenticated('x'), { Authorization: header })
        assertRefusal(answer, 401, 'invalid_client', 'Invalid authorization header')
        assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic realm=/)
      })
    }

    it('refuses an empty secret in the header', async () => {
      const { status, body } = await requestToken(rssp, unauthenticated('x'), basic(client, ''))
      assert.deepEqual([status, body.error], [401, 'invalid_client'])
    })

    it('may not come twice', async () => {
      const fields = { ...inBody(client), ...unauthenticated(await newCode()) }
      const { status, body } = await requestToken(rssp, fields, basic(client))
      assert.equal(status, 400)
      assert.deepEqual(body, {
        error: 'invalid_request',
        error_description: 'client authentication must only be provided using one mechanism',
      })
    })

    it('takes client_id beside the header, which must be the same', async () => {
      const { client_id } = client
      const same = { ...unauthenticated(await newCode()), client_id }
      assert.equal((await requestToken(rssp, same, basic(client))).status, 200)
      const other = { ...same, client_id: otherClient.client_id }
      const answer = await requestToken(rssp, other, basic(client))
      assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter client_id')
    })

    it('decodes the header as forms are encoded', async () => {
      const odd = await rssp.addClient({ client_secret: 'a:b %+~/=&' })
      const code = await newCode(odd)
      assert.equal((await requestToken(rssp, unauthenticated(code), basic(odd))).status, 200)
    })

    it('is not needed by a public client, whose code needs the verifier all the same', async () => {
      const code = await newCode(publicClient)
      for (const code_verifier of [null, 'a'.repeat(43)]) {
        const { status, body } = await requestToken(
          rssp,
          codeGrant(publicClient, code, { code_verifier }),
        )
        assert.deepEqual([status, body.error], [400, 'invalid_grant'])
      }
      const { status, body } = await requestToken(rssp, codeGrant(publicClient, code))
      assert.equal(status, 200)
      await assertAlive(rssp, body.access_token)
    })

    it('is not made up by a public client', async () => {
      const fields = { ...codeGrant(publicClient, await newCode(publicClient)), client_secret: 'x' }
      const answer = await requestToken(rssp, fields)
      assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter client_secret')
    })
  })

  describe('the form (S53)', () => {
    for (const name of ['grant_type', 'code', 'client_id', 'client_secret', 'code_verifier']) {
      it(`may not have ${name} twice`, async () => {
        const fields = new URLSearchParams(codeGrant(client, await newCode()))
        fields.append(name, fields.get(name) ?? '')
        const answer = await requestToken(rssp, fields.toString())
        assertRefusal(answer, 400, 'invalid_request', MALFORMED)
      })
    }

    it('may not be JSON', async () => {
      const body = JSON.stringify(codeGrant(client, 'x'))
      const { status, body: answer } = await requestToken(rssp, body, {
        'Content-Type': 'application/json',
      })
      assert.equal(status, 400)
      assert.deepEqual(answer, {
        error: 'invalid_request',
        error_description:
          'only application/x-www-form-urlencoded content-type bodies are supported on POST /oauth2/token',
      })
    })

    it('is answered in JSON whatever the request would rather have', async () => {
      const answer = await requestToken(rssp, codeGrant(client, 'x'), { Accept: 'text/html' })
      assertRefusal(answer, 400, 'invalid_grant', 'Invalid parameter code')
    })

    it('may name its character set', async () => {
      const type = 'application/x-www-form-urlencoded; charset=utf-8'
      const fields = codeGrant(client, await newCode())
      assert.equal((await requestToken(rssp, fields, { 'Content-Type': type })).status, 200)
    })

    it('may hold what is not known', async () => {
      const fields = { ...codeGrant(client, await newCode()), clientData: 'x', foo: 'bar' }
      assert.equal((await requestToken(rssp, fields)).status, 200)
    })

    for (const path of ['/csc/v2/oauth2/token', '//oauth2/token', '/oauth2/token/']) {
      it(`may be sent to ${path}`, async () => {
        const body = new URLSearchParams(codeGrant(client, await newCode()))
        const { status } = await fetch(`${rssp.baseUrl}${path}`, { method: 'POST', body })
        assert.equal(status, 200)
      })
    }
  })

  describe('a code', () => {
    it('works once; using it again also ends what it gave (S30)', async () => {
      const code = await newCode()
      const first = await requestToken(rssp, codeGrant(client, code))
      await assertAlive(rssp, first.body.access_token)
      assertRefusal(
        await requestToken(rssp, codeGrant(client, code)),
        400,
        'invalid_grant',
        'Authorization code is invalid or expired',
      )
      await assertDead(rssp, first.body.access_token)
      assertRefusal(
        await requestToken(rssp, refreshGrant(client, first.body.refresh_token)),
        400,
        'invalid_grant',
        'Invalid parameter refresh_token',
      )
    })

    it('works once of 20 times at once, and what it gave is dead (S30)', async () => {
      for (let round = 0; round < 3; round += 1) {
        const code = await newCode()
        const answers = await Promise.all(
          Array.from({ length: 20 }, () => requestToken(rssp, codeGrant(client, code))),
        )
        const [winner, ...more] = answers.filter(({ status }) => status === 200)
        assert.ok(winner)
        assert.deepEqual(more, [])
        for (const { status, body } of answers) {
          if (status !== 200) assert.deepEqual([status, body.error], [400, 'invalid_grant'])
        }
        await assertDead(rssp, winner.body.access_token)
        const refreshed = await requestToken(rssp, refreshGrant(client, winner.body.refresh_token))
        assert.deepEqual([refreshed.status, refreshed.body.error], [400, 'invalid_grant'])
      }
    })

    it('of scope credential, used again, ends the authorisation to sign', async () => {
      const credential = await rssp.addCredential(user)
      const digest = digestOf('contract')
      const code = await authorizationCode(
        rssp,
        user,
        credentialRequest(client, credential, [digest]),
      )
      const { body } = await requestToken(rssp, codeGrant(client, code))
      await requestToken(rssp, codeGrant(client, code))
      const { status, body: refusal } = await rssp.call(
        'signatures/signHash',
        {
          credentialID: credential.id,
          hashes: [digest.toString('base64')],
          hashAlgorithmOID: '2.16.840.1.101.3.4.2.1',
          signAlgo: ECDSA_SHA256,
        },
        body.access_token,
      )
      assert.deepEqual([status, refusal.error], [401, 'expired_token'])
    })

    it('is no longer good when its person was disabled', async () => {
      const leaver = await rssp.addUser()
      const code = await authorizationCode(rssp, leaver, serviceRequest(client))
      await rssp.services.users.disable(leaver.id, rssp.clock.now())
      const { status, body } = await requestToken(rssp, codeGrant(client, code))
      assert.deepEqual([status, body.error], [400, 'invalid_grant'])
    })
  })

  describe('scope credential', () => {
    it('gives a short-lived token without refresh token', async () => {
      const credential = await rssp.addCredential(user)
      const request = credentialRequest(client, credential, [digestOf('contract')])
      const code = await authorizationCode(rssp, user, request)
      const { status, body } = await requestToken(rssp, codeGrant(client, code))
      const { access_token, ...rest } = body
      assert.equal(status, 200)
      assert.match(access_token, /^[\w-]{43}$/)
      assert.deepEqual(rest, { token_type: 'Bearer', expires_in: 300, scope: 'credential' })
    })
  })

  describe('a refresh token (S45)', () => {
    const refresh = (token: string, of = client) => requestToken(rssp, refreshGrant(of, token))
    const tokens = (): Promise<Tokens> => serviceTokens(rssp, user, client)

    async function assertUsedUp(token: string) {
      const words = 'Invalid parameter refresh_token'
      assertRefusal(await refresh(token), 400, 'invalid_grant', words)
    }

    it('gives new tokens and is replaced', async () => {
      const first = await tokens()
      const { status, body } = await refresh(first.refresh_token)
      const { access_token, refresh_token, ...rest } = body
      assert.equal(status, 200)
      assert.deepEqual(rest, { token_type: 'Bearer', expires_in: 3600, scope: 'service' })
      assert.notEqual(refresh_token, first.refresh_token)
      await assertAlive(rssp, access_token)
      assert.equal((await refresh(refresh_token)).status, 200)
    })

    it('is taken as `refreshToken`, too, below every version (interop)', async () => {
      for (const base of ['', '/csc/v2', '/csc/v1', '/csc/v0']) {
        const { refresh_token, ...request } = refreshGrant(client, (await tokens()).refresh_token)
        const sent = { ...request, refreshToken: refresh_token ?? '' }
        const { status, body } = await postForm(`${rssp.baseUrl}${base}/oauth2/token`, sent)
        assert.equal(status, 200, base)
        await assertAlive(rssp, body.access_token as string)
      }
    })

    it('counts by its own name where both come, and not by a name that only looks like it', async () => {
      const { refresh_token } = await tokens()
      const both = { ...refreshGrant(client, 'x'), refreshToken: refresh_token }
      const words = 'Invalid parameter refresh_token'
      assertRefusal(await requestToken(rssp, both), 400, 'invalid_grant', words)
      const other: Parameters = { ...refreshGrant(client, 'x'), xrefreshToken: refresh_token }
      delete other['refresh_token']
      const missing = 'Missing parameter refresh_token'
      assertRefusal(await requestToken(rssp, other), 400, 'invalid_request', missing)
      assert.equal((await refresh(refresh_token)).status, 200)
    })

    it('used again ends everything of its grant', async () => {
      const first = await tokens()
      const second = (await refresh(first.refresh_token)).body as Tokens
      const third = (await refresh(second.refresh_token)).body as Tokens
      await assertAlive(rssp, third.access_token)
      await assertUsedUp(first.refresh_token)
      for (const { access_token, refresh_token } of [first, second, third]) {
        await assertDead(rssp, access_token)
        await assertUsedUp(refresh_token)
      }
    })

    it('works once of 20 times at once, and everything of its grant is dead', async () => {
      const first = await tokens()
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => refresh(first.refresh_token)),
      )
      const winners = answers.filter(({ status }) => status === 200)
      assert.equal(winners.length, 1)
      for (const { access_token, refresh_token } of [first, winners[0]?.body as Tokens]) {
        await assertDead(rssp, access_token)
        await assertUsedUp(refresh_token)
      }
    })

    it('used again leaves the grants of other applications alone', async () => {
      const others = await serviceTokens(rssp, user, otherClient)
      const first = await tokens()
      await refresh(first.refresh_token)
      await assertUsedUp(first.refresh_token)
      await assertAlive(rssp, others.access_token)
    })

    it('is its client’s alone', async () => {
      const { refresh_token } = await tokens()
      assertRefusal(
        await refresh(refresh_token, otherClient),
        400,
        'invalid_grant',
        'Invalid parameter refresh_token',
      )
      assert.equal((await refresh(refresh_token)).status, 200)
    })

    it('never gives another scope', async () => {
      const { refresh_token } = await tokens()
      for (const scope of ['credential', 'service credential', 'x']) {
        const fields = { ...refreshGrant(client, refresh_token), scope }
        const { status, body } = await requestToken(rssp, fields)
        assert.deepEqual([status, body.error], [400, 'invalid_scope'])
      }
    })

    it('expires', async () => {
      const { refresh_token } = await tokens()
      rssp.clock.advance(30 * 86400 + 1)
      const words = 'Refresh token expired'
      assertRefusal(await refresh(refresh_token), 400, 'invalid_grant', words)
    })

    it('is not prolonged by rotation: the chain ends when the first would have', async () => {
      let current = await tokens()
      for (let week = 0; week < 4; week += 1) {
        rssp.clock.advance(7 * 86400)
        current = (await refresh(current.refresh_token)).body as Tokens
        assert.ok(current.access_token)
      }
      rssp.clock.advance(2 * 86400 + 1)
      const words = 'Refresh token expired'
      assertRefusal(await refresh(current.refresh_token), 400, 'invalid_grant', words)
    })

    it('is no access token, and the other way round (S40)', async () => {
      const { access_token, refresh_token } = await tokens()
      const { status, body } = await rssp.call('credentials/list', {}, refresh_token)
      assert.deepEqual([status, body.error], [401, 'invalid_token'])
      await assertUsedUp(access_token)
    })

    it('is no longer good when its person was disabled', async () => {
      const leaver = await rssp.addUser()
      const { refresh_token } = await serviceTokens(rssp, leaver, client)
      await rssp.services.users.disable(leaver.id, rssp.clock.now())
      await assertUsedUp(refresh_token)
    })
  })

  it('demands the redirect_uri of an application that has several', async () => {
    const redirect_uris = [REDIRECT_URI, 'https://app.example/other']
    const several = await rssp.addClient({ redirect_uris })
    const fields = unauthenticated(await newCode(several), { redirect_uri: null })
    assertRefusal(
      await requestToken(rssp, { ...inBody(several), ...fields }),
      ...([400, 'invalid_request', 'Missing parameter redirect_uri'] as const),
    )
  })

  it('gives tokens that the database cannot give away (S11)', async () => {
    const { access_token, refresh_token } = await serviceTokens(rssp, user, client)
    const rows = await rssp.services.database.read.oAuthRecord.findMany()
    const stored = JSON.stringify(rows)
    assert.ok(rows.length > 0)
    for (const secret of [access_token, refresh_token, client.client_secret ?? '-']) {
      assert.ok(!stored.includes(secret))
    }
  })
})
