import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
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

  it('outlives memory being cleared of statements while nothing runs, on every Node.js', () => {
    const busyThenIdle = `
      const database = new (require('better-sqlite3'))(':memory:')
      let turns = 0
      const timer = setInterval(() => {
        for (let index = 0; index < 300; index += 1) database.prepare('SELECT 1').get()
        globalThis.garbage = Array.from({ length: 20_000 }, () => ({}))
        turns += 1
        if (turns === 10) clearInterval(timer)
      }, 1)`
    const options = { cwd: import.meta.dirname, encoding: 'utf8' } as const
    const { status, stderr } = spawnSync(process.execPath, ['-e', busyThenIdle], options)
    assert.deepEqual([status, stderr], [0, ''])
  })

  it('has migrations that produce exactly what the models say', async () => {
    assert.equal(await sqliteDifference(), '-- This is an empty migration.')
  })
})
