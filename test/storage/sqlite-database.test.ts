import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { change, ConflictError, insert, sql, sweep } from '../../src/storage/database.js'
import { openSqlite } from '../../src/storage/sqlite/connection.js'
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.js'
import { StorageUnavailableError } from '../../src/errors.js'
import { sqliteDifference } from '../../scripts/schema-diff.js'

const stopped = { event: 'service.stopped', detail: { pid: 1, reason: 'x' } } as const

describe('The SQLite database', () => {
  let folder: string
  let file: string
  let database: SqliteDatabase
  const now = () => new Date()

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-storage-'))
    file = join(folder, 'test.db')
    database = await SqliteDatabase.open({ file, headFile: `${file}.head`, now })
  })
  afterEach(async () => {
    await database.close()
    rmSync(folder, { recursive: true })
  })

  const put = (name: string, value = '1') => insert('Installation', { name, value })
  const value = async (name: string) =>
    (await database.read.installation.findUnique({ where: { name } }))?.value

  it('keeps every connection at synchronous=FULL, also when a WAL database is reopened (S72)', () => {
    const again = openSqlite(file)
    assert.equal(again.pragma('synchronous', { simple: true }), 2)
    assert.equal(again.pragma('journal_mode', { simple: true }), 'wal')
    again.close()
  })

  it('refuses a write through the reading connection (S73)', async () => {
    await assert.rejects(
      database.read.installation.create({ data: { name: 'a', value: 'b' } }),
      /readonly/,
    )
    assert.equal(await value('a'), undefined)
  })

  it('keeps a unit as a whole or not at all', async () => {
    await assert.rejects(
      database.commit({
        changes: [
          put('a'),
          change(sql`UPDATE "Installation" SET "value" = 'x' WHERE "name" = 'nobody'`, 1),
        ],
        audit: [stopped],
      }),
      (error) => error instanceof ConflictError && error.change === 1,
    )
    assert.equal(await value('a'), undefined)
    assert.equal(await database.read.auditRecord.count(), 0)
  })

  it('keeps a unit although the one committed beside it fails (S73)', async () => {
    const results = await Promise.allSettled([
      database.commit({ changes: [put('kept')] }),
      database.commit({ changes: [put('twice'), put('twice')] }),
      database.commit({ changes: [put('kept too')] }),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.deepEqual(
      [await value('kept'), await value('twice'), await value('kept too')],
      ['1', undefined, '1'],
    )
  })

  it('lets exactly one of 100 conditional writes win', async () => {
    await database.commit({ changes: [put('code', 'unused')] })
    const spend = change(
      sql`UPDATE "Installation" SET "value" = 'used' WHERE "name" = 'code' AND "value" = 'unused'`,
      1,
    )
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, () => database.commit({ changes: [spend] })),
    )
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  })

  it('lets exactly one of 100 win on two connections of two servers (S8)', async () => {
    await database.commit({ changes: [put('code', 'unused')] })
    const other = await SqliteDatabase.open({ file, headFile: null, now })
    const spend = change(
      sql`UPDATE "Installation" SET "value" = 'used' WHERE "name" = 'code' AND "value" = 'unused'`,
      1,
    )
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, index) =>
        (index % 2 === 0 ? database : other).commit({ changes: [spend], audit: [stopped] }),
      ),
    )
    await other.close()
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal(await database.read.auditRecord.count(), 1)
  })

  it('shows what was acknowledged to every later read (S73)', async () => {
    for (let index = 0; index < 50; index += 1) {
      await database.commit({ changes: [put(`n${index}`)] })
      assert.equal(await value(`n${index}`), '1')
    }
  })

  it('reports a broken statement to its caller alone and goes on', async () => {
    await assert.rejects(
      database.commit({ changes: [sweep(sql`UPDATE "Nonsense" SET "x" = 1`)] }),
      StorageUnavailableError,
    )
    await database.commit({ changes: [put('after')] })
    assert.equal(await value('after'), '1')
  })

  it('has migrations that produce exactly what the models say', async () => {
    assert.equal(await sqliteDifference(), '-- This is an empty migration.')
  })
})
