import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite } from '../../src/storage/sqlite/connection.js'
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.js'
import { sqliteDifference } from '../../scripts/schema-diff.js'

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

  it('keeps every connection at synchronous=FULL, also when a WAL database is reopened (S72)', () => {
    const again = openSqlite(file)
    assert.equal(again.pragma('synchronous', { simple: true }), 2)
    assert.equal(again.pragma('journal_mode', { simple: true }), 'wal')
    again.close()
  })

  it('has migrations that produce exactly what the models say', async () => {
    assert.equal(await sqliteDifference(), '-- This is an empty migration.')
  })
})
