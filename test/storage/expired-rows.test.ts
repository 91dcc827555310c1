import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { insert, type Change, type Database } from '../../src/storage/database.js'
import { ExpiredRows } from '../../src/storage/expired-rows.js'
import { openDatabase } from '../../src/storage/open-database.js'
import { newPostgresDatabase, onPostgresql, type TestDatabase } from '../support/postgresql.js'

const NOW = new Date('2026-11-22T12:00:00Z')
const at = (hours: number) => new Date(NOW.getTime() + hours * 3600_000)

/** One row of each table that grows, as it is when its time is over at `end`. */
function rowsThatEnd(name: string, end: Date): Change[] {
  const userId = name
  const expiresAt = end
  const job = { operationId: name, clientId: 'c', userId, rows: '[]', createdAt: NOW }
  const sent = { credentialId: 'c', clientId: 'c', factor: 'sms-otp', codeHash: '', sentAt: NOW }
  const pending = { totpSecret: '', proof: 'sign-in', proofHash: null }
  const asked = { handleHash: name, userId, credentialId: 'c', factors: '[]' }
  const once = { requestHash: '', operationId: name, rows: '[]', createdAt: end }
  const sealed = { label: '', content: Buffer.of(0), size: 1 }
  const deposited = { clientId: 'c', userId, sha256: '', sha384: '', sha512: '', ...sealed }
  const notice = { userId, entries: '[]', createdAt: end, nextTryAt: end }
  return [
    insert('OAuthRecord', { model: 'AccessToken', idHash: name, payload: '', expiresAt }),
    insert('Throttle', { key: name, count: 1, windowEnd: end }),
    insert('PasskeyChallenge', { idHash: name, salt: '', expiresAt }),
    insert('PendingAuthenticator', { userId, id: name, ...pending, expiresAt }),
    insert('EnrolmentCode', { userId, codeHash: '', expiresAt }),
    insert('SentCode', { id: name, ...sent, expiresAt }),
    insert('Sad', { idHash: name, authorisationId: name, expiresAt }),
    insert('ApprovalRequest', { transactionId: name, ...asked, expiresAt }),
    insert('SigningJob', { idHash: name, ...job, expiresAt }),
    insert('DocumentJob', { idHash: name, expiresAt }),
    insert('DepositedDocument', { id: name, ...deposited, expiresAt }),
    insert('RepeatableSigning', { keyHash: name, ...once }),
    insert('Notice', { id: name, ...notice }),
    insert('AccountEvent', { seq: end.getTime(), userId, at: end, event: 'x', detail: '{}' }),
  ]
}

describe('Rows whose time is over', () => {
  let folder: string
  let database: Database
  let own: TestDatabase | null = null
  let expired: ExpiredRows

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-expired-'))
    own = onPostgresql ? await newPostgresDatabase() : null
    const url = own?.url ?? `file:${join(folder, 'test.db')}`
    database = await openDatabase({ url, headFile: null, connections: 2, now: () => NOW })
    expired = new ExpiredRows(database)
  })
  afterEach(async () => {
    await database.close()
    await own?.drop()
    rmSync(folder, { recursive: true })
  })

  const authorisation = (transactionId: string, expiresAt: Date) =>
    insert('Authorisation', {
      ...{ id: transactionId, transactionId, clientId: 'c', userId: 'u', credentialId: 'c' },
      ...{ numSignatures: 1, createdAt: NOW, expiresAt },
    })

  async function kept(): Promise<Record<string, number>> {
    const { read } = database
    const all = [...new Set(rowsThatEnd('x', NOW).map(tableOf)), 'Authorisation']
    const counts = all.map(async (table) => {
      const [row] = await read.$queryRawUnsafe<{ n: bigint }[]>(
        `SELECT COUNT(*) AS n FROM "${table}"`,
      )
      return [table, Number(row?.n)] as const
    })
    return Object.fromEntries(await Promise.all(counts))
  }

  it('are removed from every table that grows, and nothing else is (S110)', async () => {
    const yearAgo = at(-366 * 24)
    const changes = [...rowsThatEnd('old', yearAgo), ...rowsThatEnd('standing', at(1))]
    await database.commit({ changes: [...changes, authorisation('history', yearAgo)] })
    await expired.remove(NOW)
    const left = await kept()
    assert.deepEqual(left, Object.fromEntries(Object.keys(left).map((table) => [table, 1])))
    assert.equal((await database.read.throttle.findFirst())?.key, 'standing')
    assert.equal((await database.read.sad.findFirst())?.idHash, 'standing')
  })

  it('are of every table whose rows end, but for signing stories, which stay (S110)', () => {
    const models = readFileSync(join(import.meta.dirname, '../../prisma/models.prisma'), 'utf8')
    const ending = [...models.matchAll(/^model (\w+) \{(.*?)^\}/gms)]
      .filter(([, , fields = '']) => /^ +(expiresAt|windowEnd) /m.test(fields))
      .map(([, table = '']) => table)
    const removed = rowsThatEnd('x', NOW).map(tableOf)
    assert.ok(ending.length > 10)
    assert.deepEqual(
      ending.filter((table) => !removed.includes(table)),
      ['Transaction', 'Authorisation'],
    )
  })

  it('are removed however many there are, in small writes (S110)', async () => {
    const keys = Array.from({ length: 1203 }, (_, index) => `key ${index}`)
    await database.commit({
      changes: keys.map((key) => insert('Throttle', { key, count: 1, windowEnd: at(-1) })),
    })
    const commit = database.commit.bind(database)
    const sizes: (number | undefined)[] = []
    database.commit = (unit) => {
      sizes.push(...unit.changes.map(({ rows }) => rows))
      return commit(unit)
    }
    await expired.remove(NOW)
    assert.equal(await database.read.throttle.count(), 0)
    assert.ok(sizes.every((rows) => rows === undefined || rows === 500))
    assert.ok(sizes.filter((rows) => rows === 500).length > 2)
  })

  it('are removed at once where anybody can begin as many as they like (S68)', async () => {
    const begun = (model: string, expiresAt: Date) =>
      insert('OAuthRecord', { model, idHash: expiresAt.toISOString(), payload: '', expiresAt })
    const models = ['Interaction', 'IdentityRequest', 'PushedAuthorizationRequest']
    await database.commit({
      changes: models.flatMap((model) => [begun(model, at(-0.1)), begun(model, at(0.1))]),
    })
    await expired.remove(NOW)
    const left = await database.read.oAuthRecord.findMany()
    assert.deepEqual(left.map(({ model }) => model).sort(), models.sort())
    assert.ok(left.every(({ expiresAt }) => expiresAt && expiresAt > NOW))
  })

  it('stay where it matters that they were: a token told from none, an approval that stands', async () => {
    await database.commit({
      changes: [
        ...rowsThatEnd('yesterday', at(-23)),
        insert('ApprovalRequest', {
          ...{ transactionId: 'approved', handleHash: 'approved', userId: 'u', credentialId: 'c' },
          ...{ factors: '[]', expiresAt: at(-48) },
        }),
        authorisation('approved', at(1)),
      ],
    })
    await expired.remove(NOW)
    const { OAuthRecord, Sad, ApprovalRequest, Throttle, PendingAuthenticator } = await kept()
    assert.deepEqual([OAuthRecord, Sad, ApprovalRequest], [1, 1, 2])
    assert.deepEqual([Throttle, PendingAuthenticator], [0, 0])
  })
})

function tableOf({ statement }: Change): string {
  return /INTO "(\w+)"/.exec(statement.sql)?.[1] ?? ''
}
