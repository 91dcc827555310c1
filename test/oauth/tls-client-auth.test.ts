import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { signingCertificate } from '../../src/credentials/credentials.js'
import {
  assertRefusal,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
} from '../support/rssp.js'
import { requestToken } from './application.js'

const HEADER = 'X-Client-Certificate'
const FOR_ITSELF = { grant_type: 'client_credentials', scope: 'service' }

describe('tls_client_auth (S38, S43)', () => {
  let rssp: Rssp
  let client: TestClient
  let certificate: X509Certificate
  let otherCertificate: X509Certificate

  before(async () => {
    rssp = await startRssp({
      settings: { proxy: { trusted: true, clientCertificateHeader: HEADER } },
    })
    ;[certificate, otherCertificate] = [await newCertificate(), await newCertificate()]
    client = await addClient(rssp, subjectOf(certificate))
  })
  after(() => rssp.close())

  /** Any certificate will do: whom it was issued to is what counts. */
  async function newCertificate(): Promise<X509Certificate> {
    const credential = await rssp.addCredential(await rssp.addUser())
    return new X509Certificate(credential.certificates[0] ?? '')
  }

  function subjectOf({ raw }: X509Certificate): string {
    return signingCertificate({ id: '', certificates: [raw] } as never).subject
  }

  function addClient(server: Rssp, tlsSubjectDn: string): Promise<TestClient> {
    return server.addClient({
      client_secret: null,
      registration: {
        ...{ authMethod: 'tls_client_auth', tlsSubjectDn, redirectUris: [] },
        grantTypes: ['client_credentials'],
      },
    })
  }

  function authenticate(headers: Record<string, string>): Promise<Answer> {
    return requestToken(rssp, { ...FOR_ITSELF, client_id: client.client_id }, headers)
  }

  const pem = (each: X509Certificate) => encodeURIComponent(each.toString())
  const bytes = (each: X509Certificate) => `:${each.raw.toString('base64')}:`

  function assertRefused(answer: Answer): void {
    assertRefusal(answer, 401, 'invalid_request', 'Client authorization required')
  }

  it('authenticates by the registered subject, as URL-encoded PEM', async () => {
    const { status, body } = await authenticate({ [HEADER]: pem(certificate) })
    assert.equal(status, 200, JSON.stringify(body))
  })

  it('authenticates by the registered subject, as RFC 9440 writes certificates', async () => {
    assert.equal((await authenticate({ [HEADER]: bytes(certificate) })).status, 200)
  })

  it('finds the header in any case', async () => {
    assert.equal((await authenticate({ [HEADER.toUpperCase()]: pem(certificate) })).status, 200)
  })

  const refused: [string, () => Record<string, string>][] = [
    ['no certificate', () => ({})],
    ['another subject', () => ({ [HEADER]: pem(otherCertificate) })],
    ['two certificates', () => ({ [HEADER]: `${pem(certificate)}, ${pem(certificate)}` })],
    ['text that is no certificate', () => ({ [HEADER]: 'CN=Test' })],
    ['the subject instead of a certificate', () => ({ [HEADER]: subjectOf(certificate) })],
    ['another header', () => ({ 'Client-Cert': bytes(certificate) })],
    ['a header of a like name', () => ({ X_Client_Certificate: pem(certificate) })],
  ]
  for (const [what, headers] of refused) {
    it(`refuses ${what}`, async () => {
      assertRefused(await authenticate(headers()))
    })
  }

  it('refuses an expired certificate', async () => {
    const days = rssp.services.config.certificateAuthority.signerValidityDays + 1
    rssp.clock.advance(days * 24 * 60 * 60)
    assertRefused(await authenticate({ [HEADER]: pem(certificate) }))
    rssp.clock.advance(-days * 24 * 60 * 60)
  })

  it('refuses a certificate that is not valid yet', async () => {
    rssp.clock.advance(-24 * 60 * 60)
    assertRefused(await authenticate({ [HEADER]: pem(certificate) }))
    rssp.clock.advance(24 * 60 * 60)
  })

  it('is announced', async () => {
    assert.ok((await announced(rssp)).includes('tls_client_auth'))
  })

  const elsewhere: [string, Record<string, unknown>][] = [
    ['no proxy is trusted', { trusted: false, clientCertificateHeader: HEADER }],
    ['no header is configured', { trusted: true }],
  ]
  for (const [what, proxy] of elsewhere) {
    it(`believes no header and announces nothing when ${what}`, async () => {
      const server = await startRssp({ settings: { proxy } })
      try {
        const { client_id } = await addClient(server, subjectOf(certificate))
        const headers = { [HEADER]: pem(certificate) }
        const answer = await requestToken(server, { ...FOR_ITSELF, client_id }, headers)
        assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter client_id')
        assert.ok(!(await announced(server)).includes('tls_client_auth'))
      } finally {
        await server.close()
      }
    })
  }

  async function announced({ baseUrl }: Rssp): Promise<string[]> {
    const answer = await fetch(`${baseUrl}/.well-known/oauth-authorization-server`)
    const metadata = (await answer.json()) as Record<string, string[]>
    return metadata['token_endpoint_auth_methods_supported'] ?? []
  }
})
