import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite } from '../../src/storage/sqlite/connection.js'
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.js'
import { sqliteDifference } from '../../scripts/schema-diff.js'

const STARTED = { version: '1.0.0', pid: 1, baseUrl: 'https://rssp.example' }

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

  describe('whose audit log is tampered with while it runs (S70, S78)', () => {
    const record = () =>
      database.commit({ changes: [], audit: [{ event: 'service.started', detail: STARTED }] })
    const numbers = () => {
      const other = openSqlite(file)
      const found = other.prepare('SELECT seq FROM AuditRecord ORDER BY seq').pluck().all()
      other.close()
      return found
    }
    const tamper = (sql: string) => {
      const other = openSqlite(file)
      other.exec(sql)
      other.close()
    }

    it('writes no more when its end was cut off, which nothing would show afterwards', async () => {
      await record()
      await record()
      tamper('DELETE FROM AuditRecord WHERE seq = 2')
      await assert.rejects(record(), /does not hold record 2 any more/)
      assert.deepEqual(numbers(), [1])
    })

    it('writes no more when the record before was made anew', async () => {
      await record()
      tamper("UPDATE AuditRecord SET hash = 'f' || substr(hash, 2) || 'f' WHERE seq = 1")
      await assert.rejects(record(), /does not hold record 1 any more/)
    })

    it('commits nothing whose record the database drops on the way', async () => {
      await record()
      tamper(`CREATE TRIGGER hush AFTER INSERT ON AuditRecord
        BEGIN DELETE FROM AuditRecord WHERE seq = NEW.seq; END`)
      await assert.rejects(record(), /does not hold record 2 any more/)
      tamper('DROP TRIGGER hush')
      await record()
      assert.deepEqual(numbers(), [1, 2])
    })
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
