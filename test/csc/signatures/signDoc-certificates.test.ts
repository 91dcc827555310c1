import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { parseCertificate } from '../../../src/certificates/certificate.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { onePagePdf } from '../../support/pdf-files.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

const DISABLED = 'The credential identified by credentialID is disabled'

/** Whatever a signature is wrapped in, nothing of it is made for a certificate that is not good now. */
describe('signDoc refuses in every format and by digest (S15)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let service: string

  const documents: Readonly<Record<string, Buffer>> = {
    ...{ C: Buffer.from('any'), X: Buffer.from('<a/>') },
    ...{ P: onePagePdf(), J: Buffer.from('{}') },
  }

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser({ username: 'late' })
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  it('a suspended certificate', async () => {
    const credential = await rssp.addCredential(user)
    const bodies = await approvedRequests(credential)
    await rssp.services.credentials.suspend(credential.id, 'operator', 'test')
    await refusesAll(bodies, DISABLED)
  })

  it('a revoked certificate', async () => {
    const credential = await rssp.addCredential(user)
    const bodies = await approvedRequests(credential)
    await rssp.services.credentials.revoke(credential.id, 'test')
    await refusesAll(bodies, DISABLED)
  })

  it('an expired certificate', async () => {
    const credential = await rssp.addCredential(user)
    const [certificate = Buffer.alloc(0)] = credential.certificates
    const { notAfter } = parseCertificate(certificate)
    rssp.clock.advance((notAfter.getTime() - rssp.clock.now().getTime()) / 1000 - 100)
    const bodies = await approvedRequests(credential)
    rssp.clock.advance(150)
    await refusesAll(bodies, "Signing certificate 'CN=Test late' is expired.")
  })

  /** One for each format, of a document and of a digest, each with a SAD of its own. */
  async function approvedRequests(credential: Credential): Promise<object[]> {
    service = await rssp.serviceToken(user, client)
    const bodies: object[] = []
    for (const [signature_format, document] of Object.entries(documents)) {
      const digest = digestOf(document)
      const item = { signature_format, signAlgo: ECDSA_SHA256 }
      const whole = { ...item, document: document.toString('base64') }
      const hashed = { ...item, hashes: [digest.toString('base64')], hashAlgorithmOID: SHA256 }
      for (const asked of [{ documents: [whole] }, { documentDigests: [hashed] }]) {
        const SAD = await approved(credential, digest)
        bodies.push({ SAD, credentialID: credential.id, ...asked })
      }
    }
    return bodies
  }

  async function approved(credential: Credential, digest: Buffer): Promise<string> {
    const { transactions, activations } = rssp.services
    const transaction = transactions.prepare(randomUUID(), {
      ...{ clientId: client.client_id, credential, items: [{ digest, label: null }] },
      ...{ hashAlgorithm: HASH_ALGORITHMS.sha256, numSignatures: 1 },
      ...{ description: null, clientData: null },
    })
    return (await activations.grantExplicitly(transaction, ['otp'])).SAD
  }

  async function refusesAll(bodies: readonly object[], words: string): Promise<void> {
    assert.equal(bodies.length, 8)
    for (const body of bodies) {
      const answer = await rssp.call('signatures/signDoc', body, service)
      assertRefusal(answer, 400, 'invalid_request', words)
    }
    const events = await rssp.auditEvents()
    assert.ok(!events.some(({ event }) => event === 'signature.requested'))
  }
})
