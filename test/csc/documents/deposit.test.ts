import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { HASH_ALGORITHMS, type HashName } from '../../../src/keys/algorithms.js'
import { sql, sweep, type Statement } from '../../../src/storage/database.js'
import {
  postForm,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

const DOCUMENT_BYTES = 4096

describe('POST /documents/deposit', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let token: string

  before(async () => {
    rssp = await startRssp({
      settings: {
        limits: { documentBytes: DOCUMENT_BYTES, bodyBytes: 1024 },
        deposits: { keepSeconds: 600, perApplication: 4, bytesPerApplication: 10_000 },
      },
    })
    user = await rssp.addUser()
  })
  after(() => rssp.close())
  beforeEach(async () => {
    client = await rssp.addClient()
    token = await rssp.serviceToken(user, client)
  })

  const send = (body: unknown, by = token): Promise<Answer> =>
    rssp.call('documents/deposit', body, by)
  const deposit = (content: Buffer, label?: string, by = token): Promise<Answer> =>
    send({ document: content.toString('base64'), ...(label ? { label } : {}) }, by)
  const withdraw = (body: unknown, by = token): Promise<Answer> =>
    rssp.call('documents/withdraw', body, by)
  const digestOf = (content: Buffer, hash: HashName) => createHash(hash).update(content).digest()

  function find(content: Buffer, of = { clientId: client.client_id, userId: user.id }) {
    const { deposits } = rssp.services
    return deposits.find(of, digestOf(content, 'sha256'), HASH_ALGORITHMS.sha256)
  }

  const rows = () =>
    rssp.services.database.read.depositedDocument.findMany({
      where: { clientId: client.client_id },
      orderBy: { size: 'asc' },
    })

  const refused = ({ status, body }: Answer, why: string, expected = 400) => {
    assert.deepEqual([status, body.error_description], [expected, why])
  }

  it('keeps a document for a while, and says by which digests it is found', async () => {
    const content = Buffer.from('Lease of the flat')
    const { status, body } = await deposit(content, 'lease.txt')
    assert.equal(status, 200, JSON.stringify(body))
    assert.deepEqual(body, {
      documentDigests: Object.values(HASH_ALGORITHMS).map(({ oid, name }) => {
        return { hashAlgorithmOID: oid, hash: digestOf(content, name).toString('base64') }
      }),
      expiresIn: 600,
    })
    for (const hash of Object.values(HASH_ALGORITHMS)) {
      const of = { clientId: client.client_id, userId: user.id }
      const digest = digestOf(content, hash.name)
      const found = await rssp.services.deposits.find(of, digest, hash)
      assert.deepEqual([found?.content, found?.label], [content, 'lease.txt'])
    }
  })

  it('is an extension, which info does not list among the methods', async () => {
    const { body } = await rssp.call('info', {})
    assert.ok(!body.methods.includes('documents/deposit'))
  })

  it('keeps documents and names sealed (S81)', async () => {
    const content = Buffer.from('S3CRET clause of the contract')
    await deposit(content, 'S3CRET name')
    const [row] = await rows()
    assert.ok(row)
    const text = JSON.stringify({ ...row, content: Buffer.from(row.content).toString('latin1') })
    assert.ok(!text.includes('S3CRET'), text)
    const audit = JSON.stringify(await rssp.auditEvents())
    assert.ok(audit.includes('document.deposited') && !audit.includes('S3CRET'))
  })

  it('is for that application, and for that person when it came with a token of theirs (S4)', async () => {
    const content = Buffer.from('mine')
    await deposit(content)
    const clientId = client.client_id
    assert.ok(await find(content))
    assert.equal(await find(content, { clientId: 'another', userId: user.id }), null)
    assert.equal(await find(content, { clientId, userId: 'another' }), null)
  })

  it('is for every signer when it came with the application’s own token', async () => {
    const machine = await rssp.addClient({
      registration: { grantTypes: ['authorization_code', 'client_credentials'] },
    })
    const { body } = await postForm(`${rssp.baseUrl}/oauth2/token`, {
      ...{ grant_type: 'client_credentials', scope: 'service' },
      ...{ client_id: machine.client_id, client_secret: machine.client_secret ?? '' },
    })
    const content = Buffer.from('for anybody')
    assert.equal((await deposit(content, 'x', body.access_token)).status, 200)
    for (const userId of [user.id, 'another']) {
      assert.ok(await find(content, { clientId: machine.client_id, userId }))
    }
  })

  it('is forgotten when the application takes it back, by any of its digests', async () => {
    for (const { oid, name } of Object.values(HASH_ALGORITHMS)) {
      const content = Buffer.from(`not this one after all, ${name}`)
      await deposit(content)
      const hash = digestOf(content, name).toString('base64')
      const asked = name === 'sha256' ? { hash } : { hash, hashAlgorithmOID: oid }
      assert.equal((await withdraw(asked)).status, 204)
      assert.equal(await find(content), null)
      refused(await withdraw(asked), 'Invalid parameter hash')
    }
    assert.equal((await rows()).length, 0)
    const last = (await rssp.auditEvents()).at(-1)
    assert.equal(last?.event, 'document.withdrawn')
  })

  it('is taken back by nobody else, and not in other words (S4)', async () => {
    const content = Buffer.from('stays')
    await deposit(content)
    const hash = digestOf(content, 'sha256').toString('base64')
    const others = await rssp.serviceToken(await rssp.addUser(), client)
    const elsewhere = await rssp.serviceToken(user, await rssp.addClient())
    refused(await withdraw({ hash }, others), 'Invalid parameter hash')
    refused(await withdraw({ hash }, elsewhere), 'Invalid parameter hash')
    const missing = 'Missing (or invalid type) string parameter hash'
    refused(await withdraw({}), missing)
    refused(await withdraw({ hash: 7 }), missing)
    refused(await withdraw({ hash: '*' }), 'Invalid Base64 hash string parameter')
    refused(await withdraw({ hash: 'AAAA' }), 'Invalid digest value length')
    const sha1 = { hash, hashAlgorithmOID: '1.3.14.3.2.26' }
    refused(await withdraw(sha1), 'Invalid parameter hashAlgorithmOID')
    assert.ok(await find(content))
  })

  it('believes no row: a digest is computed from the bytes, and nothing moves between rows', async () => {
    const [one, other] = [Buffer.from('one'), Buffer.from('other')]
    await deposit(one)
    await deposit(other)
    const [first, second] = await rows()
    assert.ok(first && second)
    const { database } = rssp.services
    const change = (statement: Statement) => database.commit({ changes: [sweep(statement)] })
    // Somebody with rights on the database has the digest of one lead to the other.
    await change(sql`UPDATE "DepositedDocument" SET "sha256" = 'gone' WHERE "id" = ${first.id}`)
    await change(
      sql`UPDATE "DepositedDocument" SET "sha256" = ${first.sha256} WHERE "id" = ${second.id}`,
    )
    assert.equal(await find(one), null)
    assert.equal(await find(other), null)
    // Or puts the content of one where that of the other was, or has it be another person's.
    await change(
      sql`UPDATE "DepositedDocument" SET "sha256" = ${second.sha256} WHERE "id" = ${second.id}`,
    )
    assert.ok(await find(other))
    await change(
      sql`UPDATE "DepositedDocument" SET "content" = ${first.content} WHERE "id" = ${second.id}`,
    )
    assert.equal(await find(other), null)
    await change(
      sql`UPDATE "DepositedDocument" SET "sha256" = ${first.sha256}, "userId" = '' WHERE "id" = ${first.id}`,
    )
    assert.equal(await find(one), null)
  })

  it('forgets it after its time, and the chores remove it', async () => {
    const content = Buffer.from('for ten minutes')
    await deposit(content)
    rssp.clock.advance(601)
    assert.equal(await find(content), null)
    await rssp.services.expiredRows.remove(rssp.clock.now())
    assert.deepEqual(await rows(), [])
  })

  it('counts a document that comes again once, and keeps it anew', async () => {
    const content = Buffer.from('again')
    for (let time = 0; time < 6; time += 1) {
      assert.equal((await deposit(content, `name ${time}`)).status, 200)
    }
    assert.equal((await rows()).length, 1)
    assert.equal((await find(content))?.label, 'name 5')
  })

  it('keeps so many documents of one application, and so many bytes', async () => {
    for (let index = 0; index < 4; index += 1) await deposit(Buffer.from(`document ${index}`))
    const full = await deposit(Buffer.from('one more'))
    assert.deepEqual([full.status, full.headers.get('retry-after')], [429, '60'])
    const roomy = await rssp.addClient()
    const theirs = await rssp.serviceToken(user, roomy)
    for (const [byte, status] of [
      [1, 200],
      [2, 200],
      [3, 429],
    ] as const) {
      const { status: is } = await deposit(Buffer.alloc(4000, byte), 'x', theirs)
      assert.equal(is, status)
    }
  })

  it('refuses what is no document', async () => {
    const missing = 'Missing (or invalid type) string parameter document'
    for (const document of [undefined, null, 7, [], {}]) refused(await send({ document }), missing)
    refused(await send({ document: '' }), 'Invalid parameter document')
    const notBase64 = 'Invalid Base64 document string parameter'
    for (const document of ['*', 'a', 'Zm9v!', 'Zh==', 'Zm9v\n']) {
      refused(await send({ document }), notBase64)
    }
  })

  it('refuses a name that is none', async () => {
    for (const label of [7, 'x'.repeat(501)]) {
      refused(await send({ document: 'Zm9v', label }), 'Invalid parameter label')
    }
  })

  it('takes a document as large as it may be, and no larger (S54)', async () => {
    const largest = Buffer.alloc(DOCUMENT_BYTES, 'x')
    assert.equal((await deposit(largest)).status, 200)
    assert.equal((await deposit(Buffer.alloc(DOCUMENT_BYTES + 1, 'x'))).status, 413)
    assert.equal((await deposit(Buffer.alloc(3 * DOCUMENT_BYTES, 'x'))).status, 413)
    // Other methods read no larger bodies for it.
    const { status } = await rssp.call('info', { lang: 'x'.repeat(2000) })
    assert.equal(status, 413)
  })

  it('wants a token of scope service', async () => {
    const { status, body } = await rssp.call('documents/deposit', { document: 'Zm9v' })
    assert.deepEqual([status, body.error], [400, 'invalid_request'])
    const unknown = await send({ document: 'Zm9v' }, 'unknown')
    assert.deepEqual([unknown.status, unknown.body.error], [401, 'invalid_token'])
    const credential = await rssp.addCredential(user)
    const digests = [digestOf(Buffer.from('x'), 'sha256')]
    const signing = await rssp.credentialToken({ user, client, credential, digests })
    const insufficient = await send({ document: 'Zm9v' }, signing)
    assert.deepEqual([insufficient.status, insufficient.body.error], [403, 'insufficient_scope'])
  })
})
