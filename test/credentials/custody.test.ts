import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import { keyAlgorithmOf, HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { HsmKeys } from '../../src/keys/hsm-keys.js'
import { custodyOf, newKeyId } from '../../src/keys/key-id.js'
import { change, sql } from '../../src/storage/database.js'
import { signingCertificate } from '../../src/credentials/credentials.js'
import { opensslVerifies } from '../support/openssl.js'
import {
  digestOf,
  ECDSA_SHA256,
  hsmSettings,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { newTestToken } from '../support/softhsm.js'

const ECDSA = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const

describe('Credentials whose keys are kept outside the token', () => {
  let rssp: Rssp
  let client: TestClient
  let anna: TestUser
  let ben: TestUser
  let annas: Credential
  let bens: Credential

  before(async () => {
    const token = newTestToken()
    const preparing = await HsmKeys.open({ ...token, sessions: 1 })
    await preparing.makeWrappingKeys()
    await preparing.close()
    const hsm = { ...hsmSettings(token), custody: 'wrapped' }
    rssp = await startRssp({ token, settings: { hsm, newCredentials: { keysAhead: 2 } } })
    client = await rssp.addClient()
    anna = await rssp.addUser()
    ben = await rssp.addUser()
    annas = await rssp.addCredential(anna)
    bens = await rssp.addCredential(ben)
  })
  after(() => rssp.close())

  const keyRow = ({ keyId }: Credential) =>
    rssp.services.database.read.hsmKey.findUnique({ where: { keyId } })
  const setWrapped = ({ keyId }: Credential, wrapped: string) =>
    rssp.services.database.commit({
      changes: [
        change(sql`UPDATE "HsmKey" SET "wrapped" = ${wrapped} WHERE "keyId" = ${keyId}`, 1),
      ],
    })

  async function sign(user: TestUser, credential: Credential, text: string): Promise<Answer> {
    const digest = digestOf(text)
    const token = await rssp.credentialToken({ user, client, credential, digests: [digest] })
    const hashes = [digest.toString('base64')]
    const request = { credentialID: credential.id, hashes, signAlgo: ECDSA_SHA256 }
    return rssp.call('signatures/signHash', request, token)
  }

  function assertSigned(answer: Answer, credential: Credential, text: string): void {
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    const signature = Buffer.from(answer.body.signatures[0], 'base64')
    const { publicKey } = signingCertificate(credential)
    assert.ok(opensslVerifies(publicKey, digestOf(text), signature, ECDSA))
  }

  it('sign, and have nothing in the token for good', async () => {
    assertSigned(await sign(anna, annas, 'outside'), annas, 'outside')
    const inToken = await rssp.services.register.listKeyIds()
    assert.ok(!inToken.includes(annas.keyId.slice(1)))
    assert.equal(custodyOf(annas.keyId), 'wrapped')
    const row = await keyRow(annas)
    assert.equal(row?.state, 'owned')
    assert.equal(keyAlgorithmOf(Buffer.from(row?.publicKey ?? '', 'base64')), 'p-256')
  })

  it('get keys that were made ahead, where somebody waits for them', async () => {
    const { keyPool, credentials, users } = rssp.services
    await keyPool.fill()
    const spare = await rssp.services.database.read.hsmKey.findMany({ where: { state: 'spare' } })
    assert.equal(spare.length, 2)
    const user = await users.find(ben.id)
    const credential = await credentials.create({
      ...{ user: user!, algorithm: 'p-256', description: 'Awaited', SCAL: '2', multisign: 1 },
      ...{ pin: null, awaited: true },
    })
    assert.ok(spare.some(({ keyId }) => keyId === credential.keyId))
    assertSigned(await sign(ben, credential, 'ahead'), credential, 'ahead')
  })

  it('stand beside others whose keys are in the token', async () => {
    const user = await rssp.services.users.find(anna.id)
    const credential = await rssp.services.credentials.create({
      ...{ user: user!, algorithm: 'p-256', description: 'Inside', SCAL: '2', multisign: 1 },
      ...{ pin: null, custody: 'resident' },
    })
    assertSigned(await sign(anna, credential, 'inside'), credential, 'inside')
    assert.ok((await rssp.services.register.listKeyIds()).includes(credential.keyId))
  })

  it('sign nothing with a wrapped key that is nobody’s, though it is one of ours (S86)', async () => {
    const fresh = await rssp.services.register.generate('p-256', newKeyId('wrapped'))
    const kept = (await keyRow(bens))!.wrapped!
    await setWrapped(bens, fresh.wrapped ?? '')
    const answer = await sign(ben, bens, 'fresh')
    assert.deepEqual([answer.status, answer.body.error], [503, 'temporarily_unavailable'])
    await setWrapped(bens, kept)
    await rssp.services.register.destroy(fresh.keyId)
  })

  it('sign nothing once their wrapped keys were swapped with those of others (S17, S86)', async () => {
    const [hers, his] = [(await keyRow(annas))!.wrapped!, (await keyRow(bens))!.wrapped!]
    await setWrapped(bens, hers)
    const answer = await sign(ben, bens, 'swapped')
    assert.deepEqual([answer.status, answer.body.error], [503, 'temporarily_unavailable'])
    const last = (await rssp.auditEvents()).at(-1)
    assert.equal(last?.event, 'signature.failed')
    assert.match(String(last?.detail['why']), /is not what it was, or not whose/)
    await setWrapped(bens, his)
    assertSigned(await sign(ben, bens, 'as before'), bens, 'as before')
  })

  it('are nowhere any more when they were revoked (S18)', async () => {
    const credential = await rssp.addCredential(anna)
    const kept = (await keyRow(credential))!.wrapped!
    assert.ok(await rssp.services.credentials.revoke(credential.id, 'test'))
    assert.equal(await keyRow(credential), null)
    assert.equal(await rssp.services.register.publicKey(credential.keyId), null)
    assert.ok(!JSON.stringify(await rssp.auditEvents()).includes(kept))
  })
})
