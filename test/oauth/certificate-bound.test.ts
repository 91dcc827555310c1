import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import type { Credential } from '../../src/credentials/credential.js'
import { signingCertificate } from '../../src/credentials/credentials.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import {
  authorizationCode,
  codeGrant,
  credentialRequest,
  inBody,
  refreshGrant,
  requestToken,
  serviceRequest,
} from './application.js'
import { postForm } from '../support/rssp.js'

const HEADER = 'X-Client-Certificate'
const FOR_ITSELF = { grant_type: 'client_credentials', scope: 'service' }
const BOUND = 'The access token is bound to a TLS certificate.'

describe('Certificate-bound access tokens (S38)', () => {
  let rssp: Rssp
  let user: TestUser
  let credential: Credential
  let certificate: X509Certificate
  let otherCertificate: X509Certificate
  /** Authenticates by its certificate. */
  let byCertificate: TestClient
  /** Authenticates by its secret, and has its tokens bound all the same. */
  let bySecret: TestClient

  before(async () => {
    rssp = await startRssp({
      settings: { proxy: { trusted: true, clientCertificateHeader: HEADER } },
    })
    user = await rssp.addUser()
    credential = await rssp.addCredential(user)
    ;[certificate, otherCertificate] = [await newCertificate(), await newCertificate()]
    const { subject } = signingCertificate({ id: '', certificates: [certificate.raw] } as never)
    byCertificate = await rssp.addClient({
      client_secret: null,
      registration: {
        ...{ authMethod: 'tls_client_auth', tlsSubjectDn: subject, redirectUris: [] },
        grantTypes: ['client_credentials'],
      },
    })
    bySecret = await rssp.addClient({
      registration: {
        grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
        tlsClientCertificateBoundAccessTokens: true,
      },
    })
  })
  after(() => rssp.close())

  /** Any certificate will do: tokens are bound to its bytes. */
  async function newCertificate(): Promise<X509Certificate> {
    const { certificates } = await rssp.addCredential(await rssp.addUser())
    return new X509Certificate(certificates[0] ?? '')
  }

  const bytes = (each: X509Certificate) => `:${each.raw.toString('base64')}:`
  const pem = (each: X509Certificate) => encodeURIComponent(each.toString())
  const shown = (each = certificate) => ({ [HEADER]: bytes(each) })
  const list = (token: string, headers: Record<string, string>): Promise<Answer> =>
    rssp.call('credentials/list', {}, token, headers)

  function assertBound(answer: Answer): void {
    assertRefusal(answer, 401, 'invalid_token', BOUND)
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
  }

  async function tokens(
    boundTo = certificate,
  ): Promise<{ access_token: string; refresh_token: string }> {
    const code = await authorizationCode(rssp, user, serviceRequest(bySecret))
    const { status, body } = await requestToken(rssp, codeGrant(bySecret, code), shown(boundTo))
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }

  it('are what tls_client_auth gets, good with that certificate alone', async () => {
    const fields = { ...FOR_ITSELF, client_id: byCertificate.client_id }
    const { status, body } = await requestToken(rssp, fields, shown())
    assert.equal(status, 200, JSON.stringify(body))
    const opened = await list(body.access_token, shown())
    assertRefusal(opened, 400, 'invalid_request', 'Invalid parameter userID')
    assertBound(await list(body.access_token, {}))
    assertBound(await list(body.access_token, shown(otherCertificate)))
  })

  it('are what any application gets that is registered for them', async () => {
    const { access_token } = await tokens()
    assert.equal((await list(access_token, shown())).status, 200)
    assertBound(await list(access_token, {}))
  })

  it('are given out for a request in JSON, too, where v1 takes it', async () => {
    const code = await authorizationCode(rssp, user, serviceRequest(bySecret))
    const response = await fetch(`${rssp.baseUrl}/csc/v1/oauth2/token`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...shown() },
      body: JSON.stringify(codeGrant(bySecret, code)),
    })
    assert.equal(response.status, 200)
    const { access_token } = (await response.json()) as { access_token: string }
    assert.equal((await list(access_token, shown())).status, 200)
    assertBound(await list(access_token, {}))
  })

  it('are not given out without a certificate', async () => {
    const code = await authorizationCode(rssp, user, serviceRequest(bySecret))
    const answer = await requestToken(rssp, codeGrant(bySecret, code))
    assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_grant'])
    const itself = await requestToken(rssp, { ...FOR_ITSELF, ...inBody(bySecret) })
    assert.deepEqual([itself.status, itself.body.access_token], [400, undefined])
  })

  it('are refreshed with the same certificate alone', async () => {
    const { refresh_token } = await tokens()
    const fields = refreshGrant(bySecret, refresh_token)
    const rejected = await requestToken(rssp, fields)
    assert.deepEqual([rejected.status, rejected.body.error], [400, 'invalid_grant'])
    const fresh = await requestToken(rssp, fields, shown())
    assert.equal(fresh.status, 200, JSON.stringify(fresh.body))
    assertBound(await list(fresh.body.access_token, shown(otherCertificate)))
    assert.equal((await list(fresh.body.access_token, shown())).status, 200)
  })

  it('say so when introspected, with the thumbprint of RFC 8705', async () => {
    const { access_token } = await tokens()
    const fields = { ...inBody(bySecret), token: access_token }
    const { body } = await postForm(`${rssp.baseUrl}/oauth2/introspect`, fields)
    const thumbprint = createHash('sha256').update(certificate.raw).digest('base64url')
    assert.deepEqual([body.active, body.cnf], [true, { 'x5t#S256': thumbprint }])
  })

  const refused: [string, () => Record<string, string>][] = [
    ['no certificate', () => ({})],
    ['another certificate', () => shown(otherCertificate)],
    [
      'the right one and another',
      () => ({ [HEADER]: `${pem(certificate)}, ${pem(otherCertificate)}` }),
    ],
    ['the right one twice', () => ({ [HEADER]: `${bytes(certificate)}, ${bytes(certificate)}` })],
    ['its subject', () => ({ [HEADER]: certificate.subject.replaceAll('\n', ',') })],
    ['another header', () => ({ 'Client-Cert': bytes(certificate) })],
    ['a header of a like name', () => ({ X_Client_Certificate: bytes(certificate) })],
  ]
  for (const [what, headers] of refused) {
    it(`are refused with ${what}`, async () => {
      assertBound(await list((await tokens()).access_token, headers()))
    })
  }

  it('are good with either spelling of the certificate, whatever the case of the header', async () => {
    const { access_token } = await tokens()
    const spellings = [
      { [HEADER.toUpperCase()]: bytes(certificate) },
      { [HEADER.toLowerCase()]: pem(certificate) },
    ]
    for (const headers of spellings) assert.equal((await list(access_token, headers)).status, 200)
  })

  it('sign with the certificate alone, as bearer and as SAD', async () => {
    const digest = digestOf('contract')
    const approve = async () => {
      const request = credentialRequest(bySecret, credential, [digest])
      const code = await authorizationCode(rssp, user, request)
      const { status, body } = await requestToken(rssp, codeGrant(bySecret, code), shown())
      assert.equal(status, 200, JSON.stringify(body))
      return body.access_token as string
    }
    const sign = (bearer: string, headers: Record<string, string>, more = {}) =>
      rssp.call(
        'signatures/signHash',
        {
          ...{ credentialID: credential.id, hashes: [digest.toString('base64')] },
          ...{ signAlgo: ECDSA_SHA256, ...more },
        },
        bearer,
        headers,
      )
    const SAD = await approve()
    assertBound(await sign(SAD, {}))
    assertBound(await sign(SAD, shown(otherCertificate)))
    const service = (await tokens()).access_token
    assertBound(await sign(service, {}, { SAD }))
    const unbound = await rssp.addClient()
    const foreign = await sign(await rssp.serviceToken(user, unbound), shown(), { SAD })
    assertRefusal(foreign, 400, 'invalid_request', 'Invalid parameter SAD')
    const other = (await tokens(otherCertificate)).access_token
    const unproven = await sign(other, shown(otherCertificate), { SAD })
    assertRefusal(unproven, 400, 'invalid_request', 'Invalid parameter SAD')
    assert.equal((await sign(service, shown(), { SAD })).status, 200)
    assert.equal((await sign(await approve(), shown())).status, 200)
  })

  it('are taken from the configured proxies alone, whoever else sends the header', async () => {
    const { access_token } = await tokens()
    for (const [addresses, status] of [
      [['192.0.2.1', '2001:db8::/32', '10.0.0.0/8'], 401],
      [['127.0.0.0/8'], 200],
    ] as const) {
      const proxy = { trusted: true, clientCertificateHeader: HEADER, addresses }
      const server = await startRssp({ replicaOf: rssp, settings: { proxy } })
      try {
        for (const headers of [shown(), { [HEADER.toUpperCase()]: bytes(certificate) }]) {
          const answer = await server.call('credentials/list', {}, access_token, headers)
          assert.equal(answer.status, status, JSON.stringify(answer.body))
        }
      } finally {
        await server.close()
      }
    }
  })

  for (const proxy of [{ trusted: false, clientCertificateHeader: HEADER }, { trusted: true }]) {
    it(`are neither given out nor taken with proxy ${JSON.stringify(proxy)}`, async () => {
      const { access_token } = await tokens()
      const server = await startRssp({ replicaOf: rssp, settings: { proxy } })
      try {
        const answer = await server.call('credentials/list', {}, access_token, shown())
        assertBound(answer)
        const fields = { ...FOR_ITSELF, ...inBody(bySecret) }
        const refusal = await requestToken(server, fields, shown())
        assertRefusal(refusal, 400, 'invalid_request', 'Invalid parameter client_id')
      } finally {
        await server.close()
      }
    })
  }

  it('are announced', async () => {
    const metadata = await fetch(`${rssp.baseUrl}/.well-known/oauth-authorization-server`)
    const announced = (await metadata.json()) as Record<string, unknown>
    assert.equal(announced['tls_client_certificate_bound_access_tokens'], true)
  })
})
