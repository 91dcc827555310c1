import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import type { Credential } from '../../../src/credentials/credential.js'
import { KEY_ALGORITHMS, type KeyAlgorithm } from '../../../src/keys/algorithms.js'
import {
  assertRefusal,
  digestOf,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

describe('POST credentials/info', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let token: string
  let credential: Credential

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
    token = await rssp.serviceToken(user, client)
  })
  after(() => rssp.close())

  const info = (more: Record<string, unknown> = {}, bearer = token) =>
    rssp.call('credentials/info', { credentialID: credential.id, ...more }, bearer)

  it('describes key, certificate and authorisation', async () => {
    const { status, body } = await info({ authInfo: true, certificates: 'none' })
    assert.equal(status, 200)
    assert.deepEqual(body, {
      credentialID: credential.id,
      description: 'Test key',
      key: {
        status: 'enabled',
        algo: KEY_ALGORITHMS['p-256'].signAlgos,
        len: 256,
        curve: '1.2.840.10045.3.1.7',
      },
      cert: { status: 'valid' },
      auth: { mode: 'oauth2code', objects: [] },
      SCAL: '2',
      multisign: 10,
    })
  })

  it('returns no, one or all certificates, leaf first', async () => {
    const { body: none } = await info({ certificates: 'none' })
    const { body: single } = await info()
    const { body: chain } = await info({ certificates: 'chain' })
    assert.equal(none.cert.certificates, undefined)
    assert.equal(single.cert.certificates.length, 1)
    assert.equal(chain.cert.certificates.length, 3)
    const [leaf, issuing, root] = chain.cert.certificates.map(
      (der: string) => new X509Certificate(Buffer.from(der, 'base64')),
    )
    assert.ok(leaf.verify(issuing.publicKey))
    assert.ok(issuing.verify(root.publicKey))
    assert.equal(single.cert.certificates[0], chain.cert.certificates[0])
  })

  it('returns all five certificate facts when asked, in the specified forms', async () => {
    const { body } = await info({ certInfo: true })
    const { cert } = body
    const certificate = new X509Certificate(Buffer.from(cert.certificates[0], 'base64'))
    assert.equal(cert.serialNumber, certificate.serialNumber)
    assert.match(cert.validFrom, /^\d{14}Z$/)
    assert.match(cert.validTo, /^\d{14}Z$/)
    assert.match(cert.subjectDN, /^CN=Test user-/)
    assert.match(cert.issuerDN, /CN=Test Issuing CA/)
  })

  const lengths: [KeyAlgorithm, number, string | undefined][] = [
    ['rsa-2048', 2048, undefined],
    ['p-384', 384, '1.3.132.0.34'],
    ['p-521', 521, '1.3.132.0.35'],
  ]
  for (const [algorithm, len, curve] of lengths) {
    it(`tells length and curve of ${algorithm}`, async () => {
      const { id } = await rssp.addCredential(user, { algorithm })
      const { body } = await info({ credentialID: id })
      assert.deepEqual([body.key.len, body.key.curve], [len, curve])
    })
  }

  it('answers a credential token for its own credential, without using it up', async () => {
    const sad = await rssp.credentialToken({
      ...{ user, client, credential, digests: [digestOf('x')] },
    })
    for (let reads = 0; reads < 3; reads += 1) assert.equal((await info({}, sad)).status, 200)
    const other = await rssp.addCredential(user)
    assertRefusal(
      await info({ credentialID: other.id }, sad),
      400,
      'invalid_request',
      'Invalid parameter credentialID',
    )
  })

  it('answers another person’s credential exactly like one that does not exist (S66)', async () => {
    const foreign = await rssp.addCredential(await rssp.addUser())
    const [theirs, unknown] = [
      await info({ credentialID: foreign.id }),
      await info({ credentialID: 'd2719e62-0b0c-4c1c-8f0e-0b8d8d0c1e11' }),
    ]
    assertRefusal(theirs, 400, 'invalid_request', 'Invalid parameter credentialID')
    assert.deepEqual(theirs.body, unknown.body)
    assert.equal(theirs.status, unknown.status)
  })

  it('refuses a credential whose link to its owner was changed in the database, and records it (S17)', async () => {
    const [mine, theirs] = [user, await rssp.addUser()]
    const stolen = await rssp.addCredential(theirs)
    const { database } = rssp.services
    const { sql, change } = await import('../../../src/storage/database.js')
    await database.commit({
      changes: [
        change(sql`UPDATE "Credential" SET "userId" = ${mine.id} WHERE "id" = ${stolen.id}`, 1),
      ],
    })
    assertRefusal(
      await info({ credentialID: stolen.id }),
      400,
      'invalid_request',
      'Invalid parameter credentialID',
    )
    const { body } = await rssp.call('credentials/list', {}, token)
    assert.ok(!body.credentialIDs.includes(stolen.id))
    const last = (await rssp.auditEvents()).findLast(({ event }) => event === 'credential.refused')
    assert.deepEqual(last?.detail, { credentialId: stolen.id, why: 'binding' })
  })

  const refusals: [string, Record<string, unknown>, string][] = [
    [
      'no credentialID',
      { credentialID: undefined },
      'Missing (or invalid type) string parameter credentialID',
    ],
    [
      'a credentialID that is no string',
      { credentialID: ['x'] },
      'Missing (or invalid type) string parameter credentialID',
    ],
    ['an empty credentialID', { credentialID: '' }, 'Invalid parameter credentialID'],
    ['unknown certificates', { certificates: 'both' }, 'Invalid parameter certificates'],
  ]
  for (const [title, more, words] of refusals) {
    it(`refuses ${title}`, async () => {
      assertRefusal(await info(more), 400, 'invalid_request', words)
    })
  }
})
