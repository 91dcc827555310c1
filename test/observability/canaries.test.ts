import assert from 'node:assert/strict'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import { totpCode } from '../../src/identity/totp.js'
import { dpopProof, testKey } from '../oauth/proofs.js'
import { Canaries } from '../support/canaries.js'
import { Collector } from '../support/collector.js'
import { lastCode } from '../support/outbox.js'
import {
  digestOf,
  ECDSA_SHA256,
  postForm,
  pkce,
  REDIRECT_URI,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser } from '../support/signer-browser.js'

const { PIN, OTP, EMAIL } = AUTH_OBJECTS

/**
 * Every way through the service, to its end and into its failures, with everything that is written on the
 * way: log lines at the most talkative level, spans, metrics, audit records and refusals.
 */
describe('What is seen from outside (S81)', () => {
  const canaries = new Canaries()
  const collector = new Collector()
  const logLines: string[] = []
  const people: TestUser[] = []
  let rssp: Rssp
  let client: TestClient
  let audit: string
  let metrics: string
  let failure: Error | null = null

  before(async () => {
    rssp = await startRssp({
      ...{ logLines, outbox: true },
      settings: {
        tracing: { endpoint: await collector.listen() },
        policy: { authLogin: { client: 'trusted-app' } },
      },
      custody: (real) =>
        new Proxy(real, {
          get(target, name) {
            const value: unknown = Reflect.get(target, name)
            if (name !== 'sign' || typeof value !== 'function') {
              return typeof value === 'function' ? (value.bind(target) as unknown) : value
            }
            return (...call: unknown[]): unknown =>
              failure ? Promise.reject(failure) : Reflect.apply(value, target, call)
          },
        }),
    })
    client = await rssp.addClient({ client_id: 'trusted-app' })
    canaries.listen()
    await redirects()
    await passwordsThroughApplications()
    await boundTokens()
    await explicitAuthorisation()
    await sentCodes()
    await nonsense()
    canaries.stop()
    for (const { password, totpSecret, pin } of people) {
      canaries.add(password, 'password')
      canaries.add(totpSecret, 'TOTP secret')
      canaries.add(pin, 'PIN')
    }
    canaries.add(client.client_secret ?? '', 'client secret')
    audit = JSON.stringify(await rssp.auditEvents())
    metrics = await rssp.services.metrics.text()
    await rssp.close()
  })
  after(async () => {
    canaries.stop()
    await collector.close()
  })

  async function somebody(settings: Parameters<Rssp['addUser']>[0] = {}): Promise<TestUser> {
    const user = await rssp.addUser(settings)
    people.push(user)
    return user
  }

  const codeOf = (user: TestUser) => {
    rssp.clock.advance(30)
    return totpCode(user.totpSecret, rssp.clock.now())
  }
  const sign = (credentialID: string, digest: Buffer, token: string, more = {}, headers = {}) =>
    rssp.call(
      'signatures/signHash',
      {
        ...{ credentialID, hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256, ...more },
        hashes: [digest.toString('base64')],
      },
      token,
      headers,
    )
  const token = (fields: Record<string, string>, headers = {}) =>
    postForm(
      `${rssp.baseUrl}/oauth2/token`,
      { client_id: client.client_id, client_secret: client.client_secret ?? '', ...fields },
      headers,
    )

  /** Sign-in and approval on our pages: wrong first, then right; tokens used, misused, refreshed, revoked. */
  async function redirects(): Promise<void> {
    const user = await somebody({ otpAtSignIn: true })
    const signer = await somebody()
    const credential = await rssp.addCredential(signer, { withPin: true })
    const { code_verifier, code_challenge } = pkce()
    const browser = new SignerBrowser(rssp.baseUrl)
    const request = {
      ...{ response_type: 'code', client_id: client.client_id, redirect_uri: REDIRECT_URI },
      ...{ code_challenge, code_challenge_method: 'S256', scope: 'service' },
    }
    const query = new URLSearchParams(request).toString()
    const page = await browser.open(`/oauth2/authorize?${query}`)
    assert.ok(!(page instanceof URLSearchParams))
    const wrong = { ...user, password: `wrong-${user.password}`, otp: () => codeOf(user) }
    await browser.fillIn(page, wrong)
    const code = (await browser.authorize(request, { ...user, otp: () => codeOf(user) })).get(
      'code',
    )
    const grant = { grant_type: 'authorization_code', redirect_uri: REDIRECT_URI, code: code ?? '' }
    await token({ ...grant, code_verifier, client_secret: 'canary of a wrong secret' })
    await token({ ...grant, code_verifier: 'canary'.repeat(8) })
    const issued = await token({ ...grant, code_verifier })
    await token({ ...grant, code_verifier })

    const digest = digestOf('agreed')
    const approval = { user: signer, client, credential, digests: [digest] }
    const access = await rssp.credentialToken(approval)
    failure = new Error('the token failed in a way nobody foresaw')
    assert.equal((await sign(credential.id, digest, access)).status, 500)
    failure = null
    await sign(credential.id, digestOf('never agreed'), access)
    const again = await rssp.credentialToken(approval)
    assert.equal((await sign(credential.id, digest, again)).status, 200)
    const service = await rssp.serviceToken(signer, client)
    await rssp.call('credentials/list', {}, service)
    await rssp.call('credentials/list', `{"clientData":"${service}","x":`, service)
    await rssp.call('auth/revoke', { token: service }, service)
    await rssp.call('credentials/list', {}, service)
    await rssp.call('credentials/list', {}, `${service}x`)
    const refresh_token: string = issued.body?.refresh_token ?? 'canary of a refresh token'
    await token({ grant_type: 'refresh_token', refresh_token })
    await token({ grant_type: 'refresh_token', refresh_token })
  }

  async function passwordsThroughApplications(): Promise<void> {
    const { username, password } = await somebody()
    const signIn = (text: string) =>
      rssp.call('auth/login', { rememberMe: true }, undefined, {
        Authorization: `Basic ${Buffer.from(text).toString('base64')}`,
      })
    await signIn(`${username}:not ${password}`)
    const { status, body } = await signIn(`${username}:${password}`)
    assert.equal(status, 200)
    await rssp.call('auth/login', { refresh_token: `${body.refresh_token}x` })
    await rssp.call('auth/login', { refresh_token: body.refresh_token })
  }

  async function boundTokens(): Promise<void> {
    const key = await testKey('ES256')
    const url = `${rssp.baseUrl}/oauth2/token`
    const now = rssp.clock.now()
    const proof = await dpopProof(key, { url, now })
    await token({ grant_type: 'client_credentials', scope: 'service' }, { DPoP: proof })
    await token({ grant_type: 'client_credentials', scope: 'service' }, { DPoP: proof })
    const elsewhere = await dpopProof(key, { url: `${url}/x`, now })
    await token({ grant_type: 'client_credentials', scope: 'service' }, { DPoP: elsewhere })
    await rssp.call('credentials/list', {}, undefined, {
      ...{ Authorization: 'DPoP canary-of-a-token', DPoP: proof },
    })
  }

  /** Factors the application brings: wrong, right, and the SAD they give, used and misused. */
  async function explicitAuthorisation(): Promise<void> {
    const user = await somebody()
    const credential = await rssp.addCredential(user, {
      explicit: { objects: [PIN, OTP], expression: 'PIN AND OTP' },
      withPin: true,
    })
    const service = await rssp.serviceToken(user, client)
    const digest = digestOf('explicit')
    const authorize = (pin: string, otp: string) =>
      rssp.call(
        'credentials/authorize',
        {
          ...{ credentialID: credential.id, numSignatures: 1, hashAlgorithmOID: SHA256 },
          hashes: [digest.toString('base64')],
          authData: [
            { id: 'PIN', value: pin },
            { id: 'OTP', value: otp },
          ],
        },
        service,
      )
    assert.equal((await authorize('719204', codeOf(user))).status, 400)
    const { body, status } = await authorize(user.pin, codeOf(user))
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal((await sign(credential.id, digest, service, { SAD: `${body.SAD}x` })).status, 400)
    assert.equal((await sign(credential.id, digest, service, { SAD: body.SAD })).status, 200)
    assert.equal((await sign(credential.id, digest, service, { SAD: body.SAD })).status, 400)
  }

  async function sentCodes(): Promise<void> {
    const user = await somebody()
    const credential = await rssp.addCredential(user, {
      explicit: { objects: [EMAIL], expression: null },
    })
    const service = await rssp.serviceToken(user, client)
    const challenge = { credentialID: credential.id, authObjectID: 'EMAIL' }
    await rssp.call('credentials/getChallenge', challenge, service)
    const value = lastCode(rssp, `${user.username}@example.org`)
    for (const each of ['12345678', value]) {
      const authData = [{ id: 'EMAIL', value: each }]
      const hashes = [digestOf('mail').toString('base64')]
      await rssp.call(
        'credentials/authorize',
        {
          ...{ credentialID: credential.id, numSignatures: 1, hashes, hashAlgorithmOID: SHA256 },
          authData,
        },
        service,
      )
    }
  }

  /** Secrets where they do not belong. */
  async function nonsense(): Promise<void> {
    const { password } = await somebody()
    canaries.add(password, 'password in the wrong place')
    await fetch(`${rssp.baseUrl}/oauth2/authorize?client_id=${password}&code=${password}`)
    await fetch(`${rssp.baseUrl}/csc/v2/credentials/list?access_token=${password}`)
    await fetch(`${rssp.baseUrl}/csc/v2/credentials/info`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${password}`, 'Content-Type': `text/${password}` },
      body: password,
    })
    await postForm(`${rssp.baseUrl}/oauth2/token`, `grant_type=${password}&client_id=${password}`)
    await postForm(`${rssp.baseUrl}/oauth2/pushed_authorize`, { request: password })
    await postForm(`${rssp.baseUrl}/oauth2/revoke`, { token: password, client_id: 'x' })
  }

  const KINDS = [
    ...['Authorization', 'password of Basic', 'DPoP proof', 'password', 'otp', 'code'],
    ...['code_verifier', 'client_secret', 'access_token', 'refresh_token', 'SAD', 'value'],
    ...['cookie _session', 'cookie _interaction.sig', 'TOTP secret', 'PIN'],
  ]
  it('was looked at with secrets of every kind, and enough of it was written', () => {
    const kinds = new Set([...canaries.found.values()])
    assert.deepEqual(
      KINDS.filter((kind) => !kinds.has(kind)),
      [],
    )
    assert.match(logLines.join(''), /"msg":"method failed"/)
    assert.ok(canaries.refusals.length > 20, String(canaries.refusals.length))
    assert.ok(collector.spans.length > 50)
    assert.match(audit, /signature.created/)
  })

  it('holds no secret in its log lines', () => {
    canaries.assertAbsent(logLines.join(''), 'the log')
  })
  it('holds no secret in its traces', () => {
    canaries.assertAbsent(collector.bodies.join('\n'), 'the traces')
  })
  it('holds no secret in its metrics', () => {
    canaries.assertAbsent(metrics, 'the metrics')
  })
  it('holds no secret in its audit log', () => {
    canaries.assertAbsent(audit, 'the audit log')
  })
  it('holds no secret in its refusals', () => {
    canaries.assertAbsent(canaries.refusals.join('\n'), 'the refusals')
  })
  it('names no person in logs, traces and metrics', () => {
    const all = [...logLines, ...collector.bodies, metrics].join('\n')
    for (const { username } of people) assert.ok(!all.includes(username), username)
    assert.doesNotMatch(all, /example\.org|\+37060012345/)
  })
})
