import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asAnswer, asPage, openPage, serviceRequest } from '../oauth/application.js'
import { FaultyProvider, type Claims, type Reply } from '../support/faulty-provider.js'
import { OwnKeys } from '../support/identity-provider.js'
import { startRssp, type Rssp, type TestClient } from '../support/rssp.js'
import { SignerBrowser, textOf, type Page } from '../support/signer-browser.js'

const IDS = ['plain', 'json', 'signed', 'sealed', 'misnamed'] as const
type Id = (typeof IDS)[number]

const now = (): number => Math.floor(Date.now() / 1000)
const without =
  (name: string) =>
  ({ [name]: _, ...claims }: Claims): Claims =>
    claims

describe('An identity provider that lies (S26)', () => {
  let rssp: Rssp
  let client: TestClient
  const keys = new OwnKeys()
  let providers: Record<Id, FaultyProvider>
  let seen = 0

  before(async () => {
    const secretFile = join(keys.folder, 'secret')
    const all = await Promise.all(IDS.map(() => FaultyProvider.listen()))
    providers = Object.fromEntries(IDS.map((id, index) => [id, all[index]])) as typeof providers
    const { plain, json, signed, sealed, misnamed } = providers
    writeFileSync(secretFile, plain.clientSecret, { mode: 0o600 })
    misnamed.metadata = (honest) => ({ ...honest, issuer: 'https://other.example' })
    const encrypted = { form: 'encrypted', keyFile: keys.decryptionFile }
    rssp = await startRssp({
      settings: {
        identityProviders: [
          plain.settings('plain', secretFile),
          json.settings('json', secretFile, { userinfo: { form: 'json' } }),
          signed.settings('signed', secretFile, { userinfo: { form: 'signed' } }),
          sealed.settings('sealed', secretFile, { userinfo: encrypted }),
          misnamed.settings('misnamed', secretFile),
        ],
      },
    })
    client = await rssp.addClient()
  })

  after(async () => {
    await rssp.close()
    await Promise.all(Object.values(providers).map((each) => each.close()))
    keys.remove()
  })

  beforeEach(async () => {
    for (const each of Object.values(providers)) each.honest()
    const { signed, sealed, json } = providers
    json.userinfo = async (claims) => ({ body: JSON.stringify(claims) })
    signed.userinfo = async (claims) => jwt(await signed.sign(claims))
    sealed.userinfo = async (claims) => sealedReply(await sealed.sign(claims))
    seen = (await rssp.auditEvents()).length
  })

  function jwt(body: string): Reply {
    return { type: 'application/jwt', body }
  }

  async function sealedReply(text: string, header: Claims = {}): Promise<Reply> {
    return jwt(await providers.sealed.encrypt(text, keys.encryption, header))
  }

  async function press(id: Id): Promise<Page | URLSearchParams> {
    const origins = Object.values(providers).map(({ issuer }) => issuer)
    const browser = new SignerBrowser(rssp.baseUrl, origins)
    const page = await openPage(browser, serviceRequest(client))
    return browser.post(page.url, { action: `idp:${id}` })
  }

  async function newEvents() {
    return (await rssp.auditEvents()).slice(seen)
  }

  async function assertSignedIn(id: Id): Promise<string> {
    const answer = asAnswer(await press(id))
    assert.ok(answer.get('code'), answer.toString())
    const signIns = (await newEvents()).filter(({ event }) => event === 'sign-in.succeeded')
    return String(signIns.at(-1)?.detail['userId'])
  }

  /** Nobody is signed in or enrolled, the page says so, and the log says why. */
  async function assertRefused(id: Id, why: string | RegExp): Promise<void> {
    const step = await press(id)
    const page = asPage(step)
    assert.match(
      textOf(page.html),
      /The answer from Test ID could not be accepted\. Nothing was done with it\./,
    )
    const events = await newEvents()
    assert.deepEqual(
      events.map(({ event }) => event),
      ['identity.refused'],
    )
    const { provider, purpose, clientId, why: reason } = events[0]?.detail ?? {}
    assert.deepEqual(
      { provider, purpose, clientId },
      { provider: id, purpose: 'sign-in', clientId: client.client_id },
    )
    if (typeof why === 'string') assert.equal(reason, why)
    else assert.match(String(reason), why)
  }

  describe('about whom it authenticated', () => {
    it('is believed while it does not', async () => {
      await assertSignedIn('plain')
    })

    const lies: [string, (claims: Claims) => Claims, RegExp | string][] = [
      ['an ID token of another issuer', (c) => ({ ...c, iss: 'https://other.example' }), /"iss"/],
      [
        'an ID token of its issuer with a slash',
        (c) => ({ ...c, iss: `${c['iss'] as string}/` }),
        /"iss"/,
      ],
      ['an ID token without iss', without('iss'), /"iss"/],
      ['an ID token for another application', (c) => ({ ...c, aud: 'another' }), /"aud"/],
      ['an ID token without aud', without('aud'), /"aud"/],
      [
        'an ID token for us and others that does not say for whom',
        (c) => ({ ...c, aud: ['openrssp', 'x'] }),
        /"aud"/,
      ],
      [
        'an ID token for us and others, given to another',
        (c) => ({ ...c, aud: ['openrssp', 'x'], azp: 'x' }),
        /"azp"/,
      ],
      ['an ID token for us alone, given to another', (c) => ({ ...c, azp: 'x' }), 'azp'],
      ['another nonce', (c) => ({ ...c, nonce: 'n' }), /"nonce"/],
      ['no nonce', without('nonce'), /"nonce"/],
      ['an ID token that has expired', (c) => ({ ...c, exp: now() - 60 }), /"exp"/],
      ['an ID token that never expires', without('exp'), /"exp"/],
      ['an ID token whose expiry is text', (c) => ({ ...c, exp: '9999999999' }), /"exp"/],
      ['an ID token that is not valid yet', (c) => ({ ...c, nbf: now() + 60 }), /"nbf"/],
      ['an ID token of the future', (c) => ({ ...c, iat: now() + 60 }), 'iat'],
      ['an ID token of no time', without('iat'), /"iat"/],
      ['no subject', without('sub'), /"sub"/],
      ['an empty subject', (c) => ({ ...c, sub: '' }), /sub/],
      ['a subject that is a number', (c) => ({ ...c, sub: 1 }), /sub/],
      ['a subject longer than there may be', (c) => ({ ...c, sub: 's'.repeat(256) }), 'sub'],
      ['no acr', without('acr'), 'acr'],
      ['a lower acr', (c) => ({ ...c, acr: 'low' }), 'acr'],
      ['several acr at once', (c) => ({ ...c, acr: ['low', 'high'] }), 'acr'],
      ['no time of authentication', without('auth_time'), 'no auth_time'],
      [
        'an authentication of long ago',
        (c) => ({ ...c, auth_time: now() - 306 }),
        'auth_time is too old',
      ],
      [
        'an authentication to come',
        (c) => ({ ...c, auth_time: now() + 60 }),
        'auth_time is to come',
      ],
      [
        'a time of authentication that is text',
        (c) => ({ ...c, auth_time: String(now()) }),
        /auth_time/,
      ],
    ]
    for (const [what, lie, why] of lies) {
      it(`is refused with ${what}`, async () => {
        providers.plain.claims = lie
        await assertRefused('plain', why)
      })
    }
  })

  describe('about who signed (S27)', () => {
    const forgeries: [
      string,
      (claims: Claims, plain: FaultyProvider) => Promise<string | undefined>,
      RegExp | string,
    ][] = [
      ['no ID token', async () => undefined, /id_token/],
      ['an unsigned ID token', async (c, plain) => plain.unsigned(c), /"alg"/],
      ['“None” for an algorithm', async (c, plain) => plain.unsigned(c, { alg: 'None' }), /"alg"/],
      ['no algorithm', async (c, plain) => plain.unsigned(c, { typ: 'JWT' }), /"alg"/],
      [
        'a right header and no signature',
        async (c, plain) => plain.unsigned(c, { alg: 'ES256', kid: 'k-1' }),
        /signature/,
      ],
      [
        'its public key as a shared secret',
        (c, plain) => plain.signHmac(c, plain.publicPem()),
        /"alg"/,
      ],
      ['our client secret as a key', (c, plain) => plain.signHmac(c, plain.clientSecret), /"alg"/],
      [
        'another key under a known key id',
        (c, plain) => plain.sign(c, plain.foreignKey.privateKey),
        /signature/,
      ],
      [
        'another key under its own key id',
        (c, plain) => plain.sign(c, plain.foreignKey.privateKey, { kid: 'k-2' }),
        /key/,
      ],
      [
        'another key under no key id',
        (c, plain) => plain.sign(c, plain.foreignKey.privateKey, { kid: undefined }),
        /signature/,
      ],
      [
        'a key id that is a path',
        (c, plain) => plain.sign(c, plain.foreignKey.privateKey, { kid: '../../dev/null' }),
        /key/,
      ],
      [
        'another key that the token itself brings',
        async (c, plain) =>
          plain.sign(c, plain.foreignKey.privateKey, {
            jwk: await plain.publicJwk(plain.foreignKey.publicKey),
          }),
        /signature/,
      ],
      [
        'another key that the token has an address for',
        (c, plain) =>
          plain.sign(c, plain.foreignKey.privateKey, { jku: 'https://other.example/jwks' }),
        /signature/,
      ],
      [
        'a published key of an algorithm we do not allow',
        (c, plain) => plain.sign(c, plain.rsaKey.privateKey, { kid: 'rsa' }),
        /"alg"/,
      ],
      [
        'the key id of an RSA key for an elliptic one',
        (c, plain) => plain.sign(c, plain.key.privateKey, { kid: 'rsa' }),
        /key/,
      ],
      ['a changed claim', async (c, plain) => tamper(await plain.sign(c)), /signature/],
      [
        'an ID token with something after it',
        async (c, plain) => `${await plain.sign(c)}.x`,
        /JWT/,
      ],
      [
        'an ID token encrypted to whomever',
        async (c, plain) => plain.encrypt(await plain.sign(c), keys.encryption),
        /decrypt/i,
      ],
      [
        'extensions that must be understood',
        (c, plain) => plain.sign(c, plain.key.privateKey, { crit: ['b64'], b64: true }),
        /crit/,
      ],
    ]
    for (const [what, forge, why] of forgeries) {
      it(`is refused with ${what}`, async () => {
        const { plain } = providers
        plain.idToken = (claims) => forge(claims, plain)
        await assertRefused('plain', why)
      })
    }

    function tamper(token: string): string {
      const [header = '', payload = '', signature = ''] = token.split('.')
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims
      const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'victim' })).toString(
        'base64url',
      )
      return [header, changed, signature].join('.')
    }
  })

  describe('in its answers', () => {
    const faults: [string, (honest: Claims) => Reply, RegExp][] = [
      [
        'an error of the token endpoint',
        () => ({ status: 400, body: '{"error":"invalid_grant"}' }),
        /invalid_grant/,
      ],
      ['a token answer that is no JSON', () => ({ body: '<html>' }), /./],
      [
        'a token answer without an access token',
        (honest) => ({ body: JSON.stringify(without('access_token')(honest)) }),
        /access_token/,
      ],
      ['a redirect instead of tokens', () => ({ status: 302, body: '' }), /./],
    ]
    for (const [what, fault, why] of faults) {
      it(`is refused with ${what}`, async () => {
        providers.plain.tokens = fault
        await assertRefused('plain', why)
      })
    }

    it('is unavailable, not believed, when an answer has no end (S60)', async () => {
      providers.plain.tokens = () => ({ body: `{"x":"${'x'.repeat(600_000)}"}` })
      const page = asPage(await press('plain'))
      assert.match(textOf(page.html), /Test ID cannot be reached at the moment/)
      assert.deepEqual(
        (await newEvents()).map(({ event }) => event),
        ['identity.refused'],
      )
    })

    it('is refused when its metadata are another issuer’s', async () => {
      await assertRefused('misnamed', /issuer/)
      assert.ok(!providers.misnamed.calls.includes('/token'))
    })

    it('gets nothing into the log that is not an error code', async () => {
      providers.plain.answer = (query) => {
        query.delete('code')
        query.set('error', 'x"<script>')
        query.set('error_description', 'call this number')
      }
      await assertRefused('plain', 'authorization: an error')
    })
  })

  describe('in another’s place', () => {
    const callback = (id: Id) => `${rssp.baseUrl}/oauth2/identity/${id}/callback`

    function honestAt(id: Id, query: URLSearchParams): URL {
      const url = new URL(`${providers[id].issuer}/authorize`)
      url.search = query.toString()
      return url
    }

    it('is refused when it sends people on to an honest one that answers at its address', async () => {
      providers.plain.authorize = (query) => honestAt('json', query)
      await assertRefused('plain', /"iss"/)
      assert.ok(!providers.plain.calls.includes('/token'), 'the code was given away')
    })

    it('is refused when the honest one’s answer hides whose it is', async () => {
      providers.plain.authorize = (query) => honestAt('json', query)
      providers.json.answer = (query) => {
        query.delete('iss')
      }
      await assertRefused('plain', /"iss"/)
      assert.ok(!providers.plain.calls.includes('/token'), 'the code was given away')
    })

    it('is refused when the honest one answers at its own address', async () => {
      providers.plain.authorize = (query) => {
        query.set('redirect_uri', callback('json'))
        return honestAt('json', query)
      }
      const step = asPage(await press('plain'))
      assert.match(textOf(step.html), /could not be accepted/)
      const [refused] = await newEvents()
      assert.equal(refused?.detail['why'], 'answer of another provider')
      assert.ok(!providers.plain.calls.includes('/token'), 'the code was given away')
    })

    it('is refused when it claims to be the honest one', async () => {
      providers.plain.answer = (query) => {
        query.set('iss', providers.json.issuer)
      }
      await assertRefused('plain', /"iss"/)
    })

    it('is refused with an ID token the honest one signed', async () => {
      const { json } = providers
      providers.plain.idToken = (claims) => json.sign({ ...claims, iss: json.issuer })
      await assertRefused('plain', /"iss"/)
    })

    it('opens no account of another provider with the same subject', async () => {
      providers.plain.sub = 's-twice'
      providers.json.sub = 's-twice'
      const first = await assertSignedIn('plain')
      const second = await assertSignedIn('json')
      assert.notEqual(first, second)
      assert.equal(await assertSignedIn('plain'), first)
    })
  })

  describe('about what else it knows', () => {
    const signed = (make: (claims: Claims, by: FaultyProvider) => Promise<string>) => () => {
      providers.signed.userinfo = async (claims) => jwt(await make(claims, providers.signed))
    }
    const sealed = (make: (claims: Claims, by: FaultyProvider) => Promise<Reply>) => (): void => {
      providers.sealed.userinfo = (claims) => make(claims, providers.sealed)
    }
    const json = (make: (claims: Claims) => Reply) => () => {
      providers.json.userinfo = async (claims) => make(claims)
    }
    const body = (value: unknown) => ({ body: JSON.stringify(value) })

    for (const id of ['json', 'signed', 'sealed'] as const) {
      it(`is believed while it does not, in the form ${id}`, async () => {
        await assertSignedIn(id)
      })
    }

    const lies: [Id, string, () => void, RegExp | string][] = [
      [
        'json',
        'userinfo of another person',
        json((c) => body({ ...c, sub: 'victim' })),
        'userinfo sub',
      ],
      ['json', 'userinfo of nobody', json((c) => body(without('sub')(c))), 'userinfo sub'],
      ['json', 'userinfo that is a list', json(() => body([])), 'userinfo is not a JSON object'],
      [
        'json',
        'userinfo that is no JSON',
        json(() => ({ body: '{' })),
        'userinfo is not a JSON object',
      ],
      [
        'json',
        'userinfo of another type',
        json((c) => ({ ...body(c), type: 'text/html' })),
        'userinfo is not application/json',
      ],
      [
        'json',
        'userinfo that is refused',
        json(() => ({ status: 403, body: '{}' })),
        'userinfo answered 403',
      ],
      [
        'json',
        'userinfo that is elsewhere',
        json(() => ({ status: 302, body: '{}' })),
        'userinfo answered 302',
      ],
      [
        'signed',
        'unsigned userinfo',
        () => void (providers.signed.userinfo = async (c) => body(c)),
        'userinfo is not application/jwt',
      ],
      [
        'signed',
        'unsigned userinfo that says it is a JWT',
        signed(async (c, by) => by.unsigned(c)),
        /userinfo signature/,
      ],
      [
        'signed',
        'userinfo of another person',
        signed((c, by) => by.sign({ ...c, sub: 'victim' })),
        'userinfo sub',
      ],
      [
        'signed',
        'userinfo signed with another key',
        signed((c, by) => by.sign(c, by.foreignKey.privateKey)),
        'userinfo signature: ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
      ],
      [
        'signed',
        'userinfo signed with an unknown key',
        signed((c, by) => by.sign(c, by.foreignKey.privateKey, { kid: 'k-2' })),
        'userinfo signature: ERR_JWKS_NO_MATCHING_KEY',
      ],
      [
        'signed',
        'userinfo signed with a key it brings',
        signed(async (c, by) =>
          by.sign(c, by.foreignKey.privateKey, {
            jwk: await by.publicJwk(by.foreignKey.publicKey),
          }),
        ),
        /userinfo signature/,
      ],
      [
        'signed',
        'its public key as a shared secret',
        signed((c, by) => by.signHmac(c, by.publicPem())),
        'userinfo signature: ERR_JOSE_ALG_NOT_ALLOWED',
      ],
      [
        'signed',
        'an algorithm we do not allow',
        signed((c, by) => by.sign(c, by.rsaKey.privateKey, { kid: 'rsa' })),
        'userinfo signature: ERR_JOSE_ALG_NOT_ALLOWED',
      ],
      [
        'signed',
        'userinfo of another issuer',
        signed((c, by) => by.sign({ ...c, iss: 'https://other.example' })),
        'userinfo iss',
      ],
      [
        'signed',
        'userinfo for another application',
        signed((c, by) => by.sign({ ...c, aud: 'another' })),
        'userinfo aud',
      ],
      [
        'signed',
        'userinfo that has expired',
        signed((c, by) => by.sign({ ...c, exp: now() - 60 })),
        'userinfo signature: ERR_JWT_EXPIRED',
      ],
      [
        'sealed',
        'userinfo that is not encrypted',
        sealed(async (c, by) => jwt(await by.sign(c))),
        'userinfo cannot be decrypted',
      ],
      [
        'sealed',
        'userinfo that is not signed inside',
        sealed((c) => sealedReply(JSON.stringify(c))),
        /userinfo signature/,
      ],
      [
        'sealed',
        'userinfo that says “none” inside',
        sealed((c, by) => sealedReply(by.unsigned(c))),
        /userinfo signature/,
      ],
      [
        'sealed',
        'userinfo signed with another key inside',
        sealed(async (c, by) => sealedReply(await by.sign(c, by.foreignKey.privateKey))),
        'userinfo signature: ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
      ],
      [
        'sealed',
        'userinfo of another person inside',
        sealed(async (c, by) => sealedReply(await by.sign({ ...c, sub: 'victim' }))),
        'userinfo sub',
      ],
      [
        'sealed',
        'userinfo encrypted to someone else',
        sealed(async (c, by) => jwt(await by.encrypt(await by.sign(c), by.rsaKey.publicKey))),
        'userinfo cannot be decrypted',
      ],
      [
        'sealed',
        'a content encryption we do not allow',
        sealed(async (c, by) => sealedReply(await by.sign(c), { enc: 'A192GCM' })),
        'userinfo cannot be decrypted',
      ],
      [
        'sealed',
        'unsigned and unencrypted userinfo',
        sealed(async (c) => body(c)),
        'userinfo is not application/jwt',
      ],
    ]
    for (const [id, what, lie, why] of lies) {
      it(`is refused with ${what} where it has to be ${id}`, async () => {
        lie()
        await assertRefused(id, why)
      })
    }
  })
})
