import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import { certificateStatus } from '../../src/credentials/credentials.js'
import type { NewCredential } from '../../src/credentials/credentials.js'
import type { User } from '../../src/identity/user.js'
import { readCertificationRequest } from '../../src/certificates/certification-request.js'
import { nameText } from '../../src/certificates/distinguished-name.js'
import { custodyOf } from '../../src/keys/key-id.js'
import { change, sql } from '../../src/storage/database.js'
import { opensslVerifiesRequest, OtherAuthority } from '../support/other-authority.js'
import { digestOf, ECDSA_SHA256, startRssp, type Rssp, type TestUser } from '../support/rssp.js'
import { HsmKeys } from '../../src/keys/hsm-keys.js'
import { newTestToken } from '../support/softhsm.js'

const DAY_MS = 86_400_000

/* With a key process, which decides what a key may sign before it is a credential's. */
describe('Certificates that operators get elsewhere', () => {
  let rssp: Rssp
  let person: TestUser
  let user: User
  const other = new OtherAuthority()
  const anchors = [other.root.certificate]

  before(async () => {
    const settings = { log: { level: 'silent' } }
    const token = newTestToken()
    const preparing = await HsmKeys.open({ ...token, sessions: 1 })
    await preparing.makeWrappingKeys()
    await preparing.close()
    rssp = await startRssp({ token, settings })
    person = await rssp.addUser()
    const found = await rssp.services.users.find(person.id)
    assert.ok(found)
    user = found
  })
  after(() => rssp.close())

  const begin = (changes: Partial<NewCredential> = {}) =>
    rssp.services.certificateRequests.begin({
      ...{ user, algorithm: 'p-256', description: 'Brought', SCAL: '2', multisign: 3, pin: null },
      ...changes,
    })

  const complete = (id: string, leaf: Buffer, trusted = anchors): Promise<Credential | null> =>
    rssp.services.certificateRequests.complete(
      ...([id, user, [other.issuing.certificate, leaf], trusted] as const),
    )

  const keyState = async (id: string) => {
    const { database } = rssp.services
    const request = await database.read.certificateRequest.findUnique({ where: { id } })
    const keyId = request?.keyId ?? (await rssp.services.credentialStore.find(id))?.keyId ?? ''
    return (await database.read.hsmKey.findUnique({ where: { keyId } }))?.state
  }

  async function signs({ id }: Credential): Promise<boolean> {
    const client = await rssp.addClient()
    const credential = await rssp.services.credentials.find(id)
    assert.ok(credential)
    const digest = digestOf('hello')
    const { status } = await rssp.call(
      'signatures/signHash',
      { credentialID: id, hashes: [digest.toString('base64')], signAlgo: ECDSA_SHA256 },
      await rssp.credentialToken({ user: person, client, credential, digests: [digest] }),
    )
    return status === 200
  }

  it('are asked for by a request in the name of the person, which proves possession', async () => {
    for (const algorithm of ['p-256', 'p-384', 'rsa-2048'] as const) {
      const { csr } = await begin({ algorithm })
      assert.ok(opensslVerifiesRequest(csr), algorithm)
      const { subject } = readCertificationRequest(csr)
      const { displayName, givenName, surname, id } = user
      const name = `CN=${displayName},givenName=${givenName},surname=${surname},serialNumber=${id},C=LT`
      assert.equal(nameText(subject), name)
    }
  })

  it('make a credential that signs like every other', async () => {
    const { id, csr } = await begin()
    assert.equal(await keyState(id), 'requested')
    assert.equal(await rssp.services.credentials.find(id), null)
    const credential = await complete(id, other.certify(csr))
    assert.ok(credential)
    assert.equal(await keyState(id), 'owned')
    const [, issuing, root] = credential.certificates
    assert.deepEqual([issuing, root], [other.issuing.certificate, other.root.certificate])
    assert.ok(await signs(credential))
  })

  it('work for keys that are kept outside the token, too', async () => {
    const { id, csr } = await begin({ custody: 'wrapped' })
    assert.ok(opensslVerifiesRequest(csr))
    const credential = await complete(id, other.certify(csr))
    assert.equal(credential && custodyOf(credential.keyId), 'wrapped')
    assert.ok(credential && (await signs(credential)))
  })

  it('are taken once, whoever brings them twice', async () => {
    const { id, csr } = await begin()
    const leaf = other.certify(csr)
    const results = await Promise.all([complete(id, leaf), complete(id, leaf), complete(id, leaf)])
    assert.equal(results.filter((each) => each !== null).length, 1)
    assert.equal(await complete(id, leaf), null)
  })

  const wrong: [string, Parameters<OtherAuthority['certify']>[1], RegExp][] = [
    ['that ended', { notAfter: new Date(Date.now() - DAY_MS / 2) }, /it is expired/],
    ['of somebody else', { subjectName: { commonName: 'Max', country: 'LT' } }, /somebody else/],
    [
      'of an authority',
      { authority: { pathLength: 0 }, keyUsage: ['keyCertSign', 'contentCommitment'] },
      /that of an authority/,
    ],
    ['that are for no signatures', { keyUsage: ['cRLSign'] }, /not for signatures/],
  ]
  for (const [which, changes, why] of wrong) {
    it(`are refused ${which}, and the request stands`, async () => {
      const { id, csr } = await begin()
      await assert.rejects(complete(id, other.certify(csr, changes)), why)
      assert.ok(await complete(id, other.certify(csr)))
    })
  }

  it('are refused for another key, and under a root nobody trusts', async () => {
    const [one, two] = [await begin(), await begin()]
    await assert.rejects(complete(one.id, other.certify(two.csr)), /it is for another key/)
    const stranger = new OtherAuthority('Stranger')
    const leaf = stranger.certify(one.csr)
    await assert.rejects(complete(one.id, leaf), /no chain from it to a trusted root/)
    const forged = other.certify(one.csr)
    forged.writeUInt8(forged.readUInt8(forged.length - 1) ^ 1, forged.length - 1)
    await assert.rejects(complete(one.id, forged), /no chain from it to a trusted root/)
  })

  it('are refused for a request that was tampered with (S17)', async () => {
    const { id, csr } = await begin()
    const terms = sql`UPDATE "CertificateRequest" SET "terms" = REPLACE("terms", '"SCAL":"2"', '"SCAL":"1"')
                       WHERE "id" = ${id}`
    await rssp.services.database.commit({ changes: [change(terms, 1)] })
    await assert.rejects(complete(id, other.certify(csr)), /its request was tampered with/)
  })

  it('sign nothing after they ended (S15)', async () => {
    const { id, csr } = await begin()
    const notAfter = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000)
    const credential = await complete(id, other.certify(csr, { notAfter }))
    assert.ok(credential)
    const { credentials } = rssp.services
    credentials.rejectUnusable(credential)
    assert.equal(certificateStatus(credential, new Date(+notAfter + 1)), 'expired')
  })

  it('need not come: a request can be withdrawn, and its key goes', async () => {
    const { id, csr } = await begin()
    const request = await rssp.services.database.read.certificateRequest.findUnique({
      where: { id },
    })
    assert.ok(await rssp.services.certificateRequests.withdraw(id, 'test'))
    assert.equal(await rssp.services.certificateRequests.withdraw(id, 'test'), false)
    assert.equal(await complete(id, other.certify(csr)), null)
    await rssp.services.register.destroyAbandoned()
    assert.equal(await rssp.services.custody.publicKey(request?.keyId ?? ''), null)
  })

  it('is waited for as long as it takes: the key is not abandoned', async () => {
    const { id } = await begin()
    rssp.clock.advance(30 * 86_400)
    await rssp.services.register.destroyAbandoned()
    assert.equal(await keyState(id), 'requested')
    rssp.clock.advance(-30 * 86_400)
  })

  it('are on record with what was done', async () => {
    const events = (await rssp.auditEvents()).map(({ event }) => event)
    for (const event of [
      'certificate.requested',
      'certificate.imported',
      'certificate-request.withdrawn',
    ]) {
      assert.ok(events.includes(event), event)
    }
  })
})
