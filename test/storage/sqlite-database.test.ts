import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { ChainVerifier } from '../../src/audit/chain.js'
import { readHead } from '../../src/audit/head-file.js'
import { StorageUnavailableError } from '../../src/errors.js'
import { change, ConflictError, insert, sql, type Unit } from '../../src/storage/database.js'
import { openSqlite } from '../../src/storage/sqlite/connection.js'
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.js'
import { sqliteDifference } from '../../scripts/schema-diff.js'

/** Asked again until it is taken; a thread that ended at once is let rest for a second. */
async function writtenAgain(database: SqliteDatabase, unit: Unit): Promise<void> {
  for (const end = performance.now() + 10_000; ;) {
    try {
      return await database.commit(unit)
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

const STARTED = { version: '1.0.0', pid: 1, baseUrl: 'https://rssp.example' }

describe('The SQLite database', () => {
  let folder: string
  let file: string
  let database: SqliteDatabase
  /** The newest thread that writes. */
  let thread: Worker
  const now = () => new Date()
  const see = (worker: Worker) => (thread = worker)

  beforeEach(async () => {
    process.on('worker', see)
    folder = mkdtempSync(join(tmpdir(), 'openrssp-storage-'))
    file = join(folder, 'test.db')
    database = await SqliteDatabase.open({ file, headFile: `${file}.head`, now })
  })
  afterEach(async () => {
    await database.close()
    process.off('worker', see)
    rmSync(folder, { recursive: true })
  })

  it('keeps every connection at synchronous=FULL, also when a WAL database is reopened (S72)', () => {
    const again = openSqlite(file)
    assert.equal(again.pragma('synchronous', { simple: true }), 2)
    assert.equal(again.pragma('journal_mode', { simple: true }), 'wal')
    again.close()
  })

  for (const end of ['', '-wal']) {
    it(`answers no write that would be gone with the process: its file${end} is another one (S70, S72)`, async () => {
      const path = `${file}${end}`
      const put = (name: string) =>
        database.commit({ changes: [insert('Installation', { name, value: '1' })] })
      await put('before')
      const isNoticed = (error: unknown) =>
        error instanceof StorageUnavailableError &&
        error.message === `${path} was deleted or replaced while it is in use`
      renameSync(path, `${path}.away`)
      await assert.rejects(put('deleted'), isNoticed)
      copyFileSync(`${path}.away`, path)
      await assert.rejects(put('replaced'), isNoticed)
      renameSync(`${path}.away`, path)
      await put('back')
    })
  }

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

    it('commits nothing either when it is one record among several that is dropped', async () => {
      await record()
      tamper(`CREATE TRIGGER hush AFTER INSERT ON AuditRecord WHEN NEW.seq = 2
        BEGIN DELETE FROM AuditRecord WHERE seq = NEW.seq; END`)
      const started = { event: 'service.started', detail: STARTED } as const
      const two = database.commit({ changes: [], audit: [started, started] })
      await assert.rejects(two, /does not hold record 3 any more/)
      assert.deepEqual(numbers(), [1])
    })
  })

  describe('whose thread that writes ends (S70, S71)', () => {
    const stopped = { event: 'service.stopped', detail: { pid: 1, reason: 'x' } } as const
    const put = (name: string, value = '1') => insert('Installation', { name, value })
    const spend = (name: string) =>
      change(
        sql`UPDATE "Installation" SET "value" = 'used' WHERE "name" = ${name} AND "value" = 'unused'`,
        1,
      )
    const names = async () => {
      const rows = await database.read.installation.findMany({ orderBy: { name: 'asc' } })
      return rows.map(({ name }) => name)
    }
    const records = () => database.read.auditRecord.findMany({ orderBy: { seq: 'asc' } })
    const ended = () => new Promise((resolve) => thread.once('exit', resolve))
    /** It ends just after it committed, before it could say so. */
    const loseNextAnswer = () => {
      const losing = thread
      const emit = losing.emit.bind(losing) as (event: string | symbol, value: unknown) => boolean
      losing.emit = (event: string | symbol, value?: unknown) => {
        const isAnswer = event === 'message' && Object.hasOwn(Object(value) as object, 'committed')
        if (!isAnswer) return emit(event, value)
        void losing.terminate()
        return true
      }
    }
    /** It ends while it waits for another who writes. */
    const endWhileWaiting = async (work: () => Promise<unknown>) => {
      const other = openSqlite(file)
      other.exec('BEGIN IMMEDIATE')
      const done = work()
      await new Promise((resolve) => setTimeout(resolve, 50))
      const end = thread.terminate()
      other.exec('ROLLBACK')
      other.close()
      await end
      return done
    }

    it('writes on by another, whether it was stopped or failed', async () => {
      await thread.terminate()
      await database.commit({ changes: [put('a')], audit: [stopped] })
      const failed = ended()
      thread.postMessage(null)
      await failed
      await database.commit({ changes: [put('b')], audit: [stopped] })
      assert.deepEqual(await names(), ['a', 'b'])
      const verifier = new ChainVerifier([])
      for (const record of await records()) verifier.add(record)
      verifier.finish()
      assert.deepEqual(verifier.problems, [])
    })

    it('refuses what was under way and not committed, and writes what waited', async () => {
      await endWhileWaiting(async () => {
        const underWay = database.commit({ changes: [put('lost')], audit: [stopped] })
        await new Promise((resolve) => setImmediate(resolve))
        await new Promise((resolve) => setImmediate(resolve))
        const waiting = database.commit({ changes: [put('waited')], audit: [stopped] })
        await assert.rejects(
          underWay,
          (error) =>
            error instanceof StorageUnavailableError && /thread .* ended/.test(error.message),
        )
        await waiting
      })
      assert.deepEqual(await names(), ['waited'])
      assert.equal((await records()).length, 1)
    })

    it('finds what was committed without an answer by its records, each unit with the fate it had', async () => {
      await database.commit({ changes: [put('code', 'unused')] })
      loseNextAnswer()
      const results = await Promise.allSettled([
        database.commit({ changes: [put('first')], audit: [stopped] }),
        database.commit({ changes: [spend('code')], audit: [stopped] }),
        database.commit({ changes: [spend('code')], audit: [stopped] }),
      ])
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'fulfilled', 'rejected'],
      )
      assert.ok(results[2]?.status === 'rejected' && results[2].reason instanceof ConflictError)
      assert.equal((await records()).length, 2)
      await database.commit({ changes: [], audit: [stopped] })
    })

    it('takes what left no record neither for done nor for undone', async () => {
      loseNextAnswer()
      await assert.rejects(
        database.commit({ changes: [put('unknown')] }),
        (error) => error instanceof StorageUnavailableError && /not known/.test(error.message),
      )
      assert.deepEqual(await names(), ['unknown'])
      await database.commit({ changes: [put('next')] })
    })

    it('writes no more when the log was cut off meanwhile', async () => {
      for (let turn = 0; turn < 2; turn += 1)
        await database.commit({ changes: [], audit: [stopped] })
      await thread.terminate()
      const other = openSqlite(file)
      other.exec('DELETE FROM AuditRecord WHERE seq = 2')
      other.close()
      await assert.rejects(
        database.commit({ changes: [put('after')] }),
        /does not hold record 2 any more/,
      )
      assert.deepEqual(await names(), [])
      assert.equal(readHead(`${file}.head`)?.seq, 2)
    })

    it('refuses at once while no other can be started, and writes again when one can', async () => {
      await thread.terminate()
      renameSync(file, `${file}.away`)
      mkdirSync(file)
      const refused = (error: unknown) => error instanceof StorageUnavailableError
      await assert.rejects(database.commit({ changes: [put('refused')] }), refused)
      const newest = thread
      await assert.rejects(database.commit({ changes: [put('refused')] }), refused)
      assert.equal(thread, newest, 'one was started again at once')
      rmdirSync(file)
      renameSync(`${file}.away`, file)
      await writtenAgain(database, { changes: [put('back')] })
      assert.deepEqual(await names(), ['back'])
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
