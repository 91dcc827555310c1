import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import type { Credential } from '../../src/credentials/credential.js'
import type { KeyCustody } from '../../src/keys/key-custody.js'
import {
  digestOf,
  ECDSA_SHA256,
  postForm,
  SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import {
  assertDead,
  basic,
  inBody,
  refreshGrant,
  requestToken,
  serviceTokens,
  type Tokens,
} from './application.js'

const GRANT_TYPES = ['authorization_code', 'client_credentials', 'refresh_token'] as const

/** The real token, which can be made to wait between signing and answering. */
class WaitingCustody {
  #signed: (() => void) | null = null
  #goOn: Promise<void> = Promise.resolve()

  readonly wrap = (real: KeyCustody): KeyCustody =>
    new Proxy(real, {
      get: (target, name: keyof KeyCustody) => {
        if (name !== 'sign') return target[name]?.bind(target)
        return async (...call: Parameters<KeyCustody['sign']>) => {
          const signatures = await target.sign(...call)
          this.#signed?.()
          await this.#goOn
          return signatures
        }
      },
    })

  /** The next call signs, then waits until `goOn` is called. */
  hold(): { signed: Promise<void>; goOn: () => void } {
    let goOn = () => {}
    this.#goOn = new Promise((resolve) => (goOn = resolve))
    const signed = new Promise<void>((resolve) => (this.#signed = resolve))
    return { signed, goOn }
  }
}

describe('What is ended is over on every replica, also for a call under way (S28, S44)', () => {
  let rssp: Rssp
  let replica: Rssp
  const custody = new WaitingCustody()
  let user: TestUser
  let client: TestClient
  let explicit: Credential
  let ofOwnPages: Credential
  const digest = digestOf('contract')

  before(async () => {
    rssp = await startRssp({ custody: custody.wrap })
    replica = await startRssp({ replicaOf: rssp })
  })
  after(async () => {
    await replica.close()
    await rssp.close()
  })
  beforeEach(async () => {
    user = await rssp.addUser()
    client = await rssp.addClient({ registration: { grantTypes: GRANT_TYPES } })
    explicit = await rssp.addCredential(user, {
      explicit: { objects: [AUTH_OBJECTS.PIN], expression: null },
      withPin: true,
    })
    ofOwnPages = await rssp.addCredential(user)
  })

  const newTokens = (): Promise<Tokens> => serviceTokens(rssp, user, client)

  async function newSad(token: string): Promise<string> {
    const answer = await authorize(token)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body.SAD
  }

  const authorize = (token: string, server = rssp): Promise<Answer> =>
    server.call(
      'credentials/authorize',
      {
        ...{ credentialID: explicit.id, numSignatures: 1, hashAlgorithmOID: SHA256 },
        hashes: [digest.toString('base64')],
        authData: [{ id: 'PIN', value: user.pin }],
      },
      token,
    )

  const sign = (token: string, SAD?: string, server = rssp): Promise<Answer> =>
    server.call(
      'signatures/signHash',
      {
        credentialID: SAD === undefined ? ofOwnPages.id : explicit.id,
        ...(SAD === undefined ? {} : { SAD }),
        ...{ hashes: [digest.toString('base64')], signAlgo: ECDSA_SHA256 },
      },
      token,
    )

  async function revoke(token: string, server = replica): Promise<void> {
    const fields = { ...inBody(client), token }
    const { status, body } = await postForm(`${server.baseUrl}/oauth2/revoke`, fields)
    assert.equal(status, 204, JSON.stringify(body))
  }

  /** Asks for a signature, ends something while the token signs, and tells what the client got. */
  async function signAndMeanwhile(call: () => Promise<Answer>, end: () => Promise<unknown>) {
    const { signed, goOn } = custody.hold()
    const answer = call()
    await signed
    await end()
    goOn()
    return answer
  }

  async function assertWithheld(answer: Answer): Promise<void> {
    assert.deepEqual([answer.status, answer.body.error], [500, 'server_error'])
    assert.equal(answer.body.signatures, undefined)
    const last = (await rssp.auditEvents()).findLast(({ event }) => event.startsWith('signature.'))
    assert.equal(last?.event, 'signature.indeterminate')
  }

  describe('Revoking a refresh token', () => {
    it('ends its access tokens and the SADs they were used to get', async () => {
      const tokens = await newTokens()
      const SAD = await newSad(tokens.access_token)
      await revoke(tokens.refresh_token)
      for (const server of [rssp, replica]) await assertDead(server, tokens.access_token)
      // Not even with another good token of the same person and application.
      const other = (await newTokens()).access_token
      const { status, body } = await sign(other, SAD)
      assert.deepEqual([status, body.error_description], [400, 'Invalid parameter SAD'])
    })

    it('ends a SAD that is in use: the signature is withheld', async () => {
      const tokens = await newTokens()
      const SAD = await newSad(tokens.access_token)
      const answer = await signAndMeanwhile(
        () => sign(tokens.access_token, SAD),
        () => revoke(tokens.refresh_token),
      )
      await assertWithheld(answer)
    })

    it('ends what is authorised at that moment too, whichever comes first', async () => {
      const tokens = await newTokens()
      const asked = Array.from({ length: 4 }, () => authorize(tokens.access_token))
      await revoke(tokens.refresh_token)
      const other = (await newTokens()).access_token
      for (const { body } of await Promise.all(asked)) {
        if (!body.SAD) continue
        const { status } = await sign(other, body.SAD)
        assert.equal(status, 400)
      }
    })

    it('ends the tokens of a refresh under way, whichever comes first', async () => {
      for (let round = 0; round < 5; round += 1) {
        const tokens = await newTokens()
        const fields = refreshGrant(client, tokens.refresh_token)
        const [refreshed] = await Promise.all([
          requestToken(rssp, fields),
          postForm(`${replica.baseUrl}/oauth2/revoke`, {
            ...inBody(client),
            token: tokens.refresh_token,
          }),
        ])
        await assertDead(replica, tokens.access_token)
        if (refreshed.status !== 200) continue
        await assertDead(replica, refreshed.body.access_token)
        const again = refreshGrant(client, refreshed.body.refresh_token)
        assert.equal((await requestToken(replica, again)).status, 400)
      }
    })

    it('leaves what another consent gave alone', async () => {
      const other = await rssp.addClient()
      const kept = await serviceTokens(rssp, user, other)
      const tokens = await newTokens()
      await revoke(tokens.refresh_token)
      assert.equal((await replica.call('credentials/list', {}, kept.access_token)).status, 200)
    })
  })

  it('a refresh token that comes back a second time takes its SADs along', async () => {
    const tokens = await newTokens()
    const fields = refreshGrant(client, tokens.refresh_token)
    const fresh = await requestToken(rssp, fields)
    const SAD = await newSad(fresh.body.access_token)
    assert.equal((await requestToken(replica, fields)).status, 400)
    const other = (await newTokens()).access_token
    assert.equal((await sign(other, SAD)).status, 400)
  })

  const ends: [string, (approved: string) => Promise<unknown>][] = [
    ['the credential token is revoked', (approved) => revoke(approved)],
    [
      'auth/revoke names it',
      async (approved) =>
        replica.call('auth/revoke', { token: approved }, (await newTokens()).access_token),
    ],
    [
      'the application is disabled',
      () => replica.services.clients.disable(client.client_id, rssp.clock.now()),
    ],
    ['the person is disabled', () => replica.services.users.disable(user.id, rssp.clock.now())],
    ['the credential is revoked', () => replica.services.credentials.revoke(ofOwnPages.id, 'test')],
  ]
  for (const [what, end] of ends) {
    it(`a signature under way is withheld when ${what} on another replica`, async () => {
      const approval = { user, client, credential: ofOwnPages, digests: [digest] }
      const approved = await rssp.credentialToken(approval)
      const answer = await signAndMeanwhile(
        () => sign(approved),
        () => end(approved),
      )
      await assertWithheld(answer)
      assert.notEqual((await sign(approved, undefined, replica)).status, 200)
    })
  }

  it('a disabled application and a disabled person get nothing more, from any token they had', async () => {
    const tokens = await newTokens()
    const SAD = await newSad(tokens.access_token)
    const fields = { grant_type: 'client_credentials', scope: 'service' }
    const own = await requestToken(rssp, fields, basic(client))
    await replica.services.clients.disable(client.client_id, rssp.clock.now())
    for (const token of [tokens.access_token, own.body.access_token as string]) {
      await assertDead(rssp, token)
    }
    assert.equal((await sign(tokens.access_token, SAD)).status, 401)
    const refresh = await requestToken(rssp, refreshGrant(client, tokens.refresh_token))
    assert.equal(refresh.body.error_description, 'Invalid parameter client_id')

    client = await rssp.addClient()
    const before = await newTokens()
    await replica.services.users.disable(user.id, rssp.clock.now())
    await assertDead(rssp, before.access_token)
    const again = await requestToken(rssp, refreshGrant(client, before.refresh_token))
    assert.deepEqual([again.status, again.body.error], [400, 'invalid_grant'])
  })

  describe('auth/revoke', () => {
    it('finds either kind of token whatever the hint says, where the hint is right', async () => {
      const tokens = await newTokens()
      const bearer = (await newTokens()).access_token
      const wrong = { token: tokens.refresh_token, token_type_hint: 'access_token' }
      const refused = await rssp.call('auth/revoke', wrong, bearer)
      assert.deepEqual([refused.status, refused.body.error], [400, 'invalid_request'])
      const right = { ...wrong, token_type_hint: 'refresh_token' }
      assert.equal((await rssp.call('auth/revoke', right, bearer)).status, 204)
      await assertDead(replica, tokens.access_token)
    })
  })
})
