import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import type { Credential } from '../../src/credentials/credential.js'
import { totpCode } from '../../src/identity/totp.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser } from '../support/signer-browser.js'
import {
  answersOf,
  asAnswer,
  asPage,
  codeGrant,
  requestToken,
  serviceRequest,
} from '../oauth/application.js'

const EC_KEY = '1.2.840.10045.2.1'
const NOT_AUTHORISED = 'Hash is not authorized by the SAD.'

/** What is let pass of what real clients send otherwise (docs/interop.md), and what is not for all that. */
describe('Interoperability', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let earlier: TestClient
  let credential: Credential
  let explicit: Credential
  let token: string
  let earlierToken: string
  // Its Base64 has both + and /, and padding.
  const digest = digestOf('document 3')
  const other = digestOf('other')
  const base64 = digest.toString('base64')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    earlier = await rssp.addClient({ registration: { quirks: ['v1-names'] } })
    credential = await rssp.addCredential(user)
    explicit = await rssp.addCredential(user, {
      explicit: { objects: [AUTH_OBJECTS.OTP], expression: null },
    })
    token = await rssp.serviceToken(user, client)
    earlierToken = await rssp.serviceToken(user, earlier)
  })
  after(() => rssp.close())

  const code = () => {
    rssp.clock.advance(30)
    return totpCode(user.totpSecret, rssp.clock.now())
  }
  const authorize = (more: Record<string, unknown> = {}, bearer = token): Promise<Answer> =>
    rssp.call(
      'credentials/authorize',
      {
        ...{ credentialID: explicit.id, numSignatures: 1, hashes: [base64] },
        ...{ hashAlgorithmOID: SHA256, authData: [{ id: 'OTP', value: code() }] },
        ...more,
      },
      bearer,
    )
  const sign = (more: Record<string, unknown>, bearer = token): Promise<Answer> =>
    rssp.call(
      'signatures/signHash',
      { credentialID: explicit.id, hashes: [base64], signAlgo: ECDSA_SHA256, ...more },
      bearer,
    )
  /** The credential-scope token for an authorization request as it is written here. */
  const approve = async (parameters: Record<string, string>): Promise<string> => {
    rssp.clock.advance(30)
    const browser = new SignerBrowser(rssp.baseUrl)
    const query = new URLSearchParams({
      ...serviceRequest(client),
      ...{ scope: 'credential', credentialID: credential.id, numSignatures: '1' },
      ...parameters,
    })
    let step = await browser.open(`/oauth2/authorize?${query.toString()}`)
    while (!(step instanceof URLSearchParams)) {
      step = await browser.fillIn(asPage(step), answersOf(rssp, user))
    }
    const { body } = await requestToken(rssp, codeGrant(client, asAnswer(step).get('code') ?? ''))
    return body.access_token
  }

  const spellings: [string, string][] = [
    ['Base64', base64],
    ['Base64 without padding', base64.replace(/=+$/, '')],
    ['base64url', digest.toString('base64url')],
    ['base64url with padding', base64.replaceAll('+', '-').replaceAll('/', '_')],
    ['percent-encoded Base64', encodeURIComponent(base64)],
  ]
  for (const [name, spelling] of spellings) {
    it(`takes digests in ${name}, at oauth2/authorize and in every method`, async () => {
      assert.match(base64, /\+.*\/|\/.*\+/)
      const approved = await approve({ hashes: spelling, hashAlgorithmOID: SHA256 })
      const signed = await sign({ credentialID: credential.id, hashes: [spelling] }, approved)
      assert.equal(signed.status, 200, JSON.stringify(signed.body))
      const { body } = await authorize({ hashes: [spelling] })
      const foreign = { SAD: body.SAD, hashes: [other.toString('base64')] }
      assertRefusal(await sign(foreign), 400, 'invalid_request', NOT_AUTHORISED)
      assert.equal((await sign({ SAD: body.SAD, hashes: [base64] })).status, 200)
    })
  }

  it('takes null and empty text for absent, and ignores what it does not know', async () => {
    const nothing = { description: null, clientData: '', maxResults: 5, validityPeriod: 'x' }
    const { status, body } = await authorize(nothing)
    assert.equal(status, 200, JSON.stringify(body))
    const empty = { signAlgoParams: null, hashAlgorithmOID: '', operationMode: null, userID: '' }
    assert.equal((await sign({ SAD: body.SAD, ...empty })).status, 200)
  })

  it('takes a key OID for signAlgo, with the hash algorithm beside it', async () => {
    const { body } = await authorize()
    const named = { SAD: body.SAD, signAlgo: EC_KEY }
    const words = 'Missing (or invalid type) string parameter hashAlgorithmOID'
    assertRefusal(await sign(named), 400, 'invalid_request', words)
    assert.equal((await sign({ ...named, hashAlgorithmOID: SHA256 })).status, 200)
  })

  it('lists mechanisms and the key in key.algo', async () => {
    const { body } = await rssp.call('credentials/info', { credentialID: explicit.id }, token)
    assert.equal(body.key.algo[0], ECDSA_SHA256)
    assert.ok(body.key.algo.includes(EC_KEY))
  })

  it('takes a credential token as bearer, as SAD, or as both', async () => {
    const request = { credentialID: credential.id, SAD: undefined as string | undefined }
    const asked = { hashes: digest.toString('base64url'), hashAlgorithmOID: SHA256 }
    assert.equal((await sign(request, await approve(asked))).status, 200)
    assert.equal((await sign({ ...request, SAD: await approve(asked) })).status, 200)
    const both = await approve(asked)
    assert.equal((await sign({ ...request, SAD: both }, both)).status, 200)
    assertRefusal(
      await sign({ ...request, SAD: both }, both),
      ...([400, 'invalid_request', 'Invalid parameter SAD'] as const),
    )
  })

  it('takes empty credential parameters, `hash` and a prompt at oauth2/authorize', async () => {
    const approved = await approve({
      ...{ hash: base64, hashes: '', hashAlgorithmOID: SHA256 },
      ...{ signatureQualifier: '', prompt: 'login' },
    })
    assert.equal((await sign({ credentialID: credential.id }, approved)).status, 200)
  })

  describe('with the quirk v1-names', () => {
    const old = (more: Record<string, unknown> = {}) => ({
      ...{ hashes: undefined, hashAlgorithmOID: undefined, authData: undefined },
      ...{ hash: [base64], OTP: code(), PIN: '', ...more },
    })

    it('takes hash, hashAlgo, PIN and OTP in v2', async () => {
      const { status, body } = await authorize(old(), earlierToken)
      assert.equal(status, 200, JSON.stringify(body))
      const request = {
        ...{ SAD: body.SAD, signAlgo: EC_KEY, hashes: undefined },
        ...{ hash: [base64], hashAlgo: SHA256 },
      }
      assert.equal((await sign(request, earlierToken)).status, 200)
    })

    it('binds and counts as ever', async () => {
      const { body } = await authorize(old(), earlierToken)
      const foreign = { SAD: body.SAD, hashes: undefined, hash: [other.toString('base64')] }
      assertRefusal(await sign(foreign, earlierToken), 400, 'invalid_request', NOT_AUTHORISED)
      const wrong = await authorize(old({ OTP: '000000' }), earlierToken)
      assertRefusal(
        wrong,
        ...([400, 'invalid_authentication_data', 'The authentication data is invalid'] as const),
      )
    })

    it('believes names of v2 before those of v1', async () => {
      const { body } = await authorize({ hash: [other.toString('base64')] }, earlierToken)
      assert.equal((await sign({ SAD: body.SAD }, earlierToken)).status, 200)
    })

    it('takes them from nobody else', async () => {
      assertRefusal(
        await authorize(old()),
        ...([400, 'invalid_request', 'Missing (or invalid type) array parameter hashes'] as const),
      )
    })
  })

  describe('with the quirk text-values', () => {
    it('takes numbers and booleans as text, in every version', async () => {
      const client = await rssp.addClient({ registration: { quirks: ['text-values'] } })
      const bearer = await rssp.serviceToken(user, client)
      const { status, body } = await authorize({ numSignatures: '1' }, bearer)
      assert.equal(status, 200, JSON.stringify(body))
      const { body: listed } = await rssp.call('credentials/list', { onlyValid: 'true' }, bearer)
      assert.equal(listed.onlyValid, true)
      for (const numSignatures of ['0', '11', '1.5', '-1', '']) {
        assert.equal((await authorize({ numSignatures }, bearer)).status, 400, numSignatures)
      }
    })

    it('takes them from nobody else', async () => {
      assertRefusal(
        await authorize({ numSignatures: '1' }),
        ...([
          ...[400, 'invalid_request'],
          'Missing (or invalid type) integer parameter numSignatures',
        ] as [number, string, string]),
      )
    })
  })
})
