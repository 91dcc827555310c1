import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readHead } from '../../src/audit/head-file.js'
import { openClient } from '../../src/storage/postgresql/connection.js'
import { newPostgresDatabase, type TestDatabase } from '../support/postgresql.js'
import { Installation } from './openrssp.js'

describe('openrssp on a PostgreSQL database', () => {
  let installation: Installation
  let own: TestDatabase
  let headFile: string

  before(async () => {
    own = await newPostgresDatabase()
    installation = await Installation.make({ database: own.url })
    headFile = join(installation.folder, 'openrssp.audit-head')
    for (const name of ['alice', 'bob']) {
      await installation.json('user', 'add', name, '--given-name', name, '--surname', 'Test')
    }
  })
  after(async () => {
    installation.remove()
    await own.drop()
  })

  async function sql(text: string): Promise<void> {
    const client = await openClient(own.url, 'test')
    await client.query(text)
    await client.end()
  }

  it('keeps its own head beside the configuration, and finds the log intact', async () => {
    const verdict = await installation.json('audit', 'verify')
    assert.deepEqual([verdict.intact, verdict.head], [true, readHead(headFile)])
    assert.equal(verdict.records, verdict.head.seq)
  })

  it('exports what the database holds, for whoever has no access to it', async () => {
    const { stdout } = await installation.run('audit', 'export')
    const file = join(installation.folder, 'export.jsonl')
    writeFileSync(file, stdout)
    const verdict = await installation.json('audit', 'verify', '--file', file)
    assert.ok(verdict.intact)
  })

  it('names a record that was changed (S78)', async () => {
    const detail = `SELECT "detail" FROM "AuditRecord" WHERE "seq" = 1`
    await sql(`CREATE TABLE kept AS ${detail}`)
    await sql(`UPDATE "AuditRecord" SET "detail" = '{}' WHERE "seq" = 1`)
    const { code, stdout } = await installation.run('audit', 'verify', '--json')
    assert.equal(code, 1)
    assert.deepEqual(JSON.parse(stdout).problems, [
      { seq: 1, problem: 'was changed after it was written' },
    ])
    await sql(`UPDATE "AuditRecord" SET "detail" = (SELECT "detail" FROM kept) WHERE "seq" = 1`)
    await sql('DROP TABLE kept')
  })

  it('prints no password of the database when it cannot be reached', async () => {
    const url = new URL(own.url)
    const { password } = url
    url.port = '1'
    installation.configure({ database: url.href })
    const { code, stderr, stdout } = await installation.run('user', 'list')
    installation.configure({ database: own.url })
    assert.equal(code, 1)
    assert.match(stderr, /^openrssp: PostgreSQL cannot be reached: .*ECONNREFUSED/)
    assert.ok(!`${stderr}${stdout}`.includes(password))
  })

  it('does not run on a database older than it knows, until it is told that it was restored (S77)', async () => {
    const { stdout } = await installation.run('audit', 'export')
    await installation.json('user', 'disable', 'bob')
    const log = join(installation.folder, 'log.jsonl')
    const { stdout: whole } = await installation.run('audit', 'export')
    writeFileSync(log, whole)
    const restoredTo = stdout.trim().split('\n').length
    // As a backup of before would have it.
    await sql(`DELETE FROM "AuditRecord" WHERE "seq" > ${restoredTo};
               UPDATE "User" SET "disabledAt" = NULL`)
    const lost = readHead(headFile)?.seq
    const refused = await installation.run('user', 'list')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /does not hold record \d+ as .* "openrssp database restored"/)

    const told = await installation.json('database', 'restored', '--log', log)
    assert.deepEqual(told, { restoredTo, endedAgain: 1 })
    const people = await installation.json('user', 'list')
    const states = people.map((each: { username: string; disabledAt?: string | null }) => each)
    assert.match(JSON.stringify(states), /bob/)
    const { stdout: after } = await installation.run(
      'audit',
      'export',
      '--from',
      `${restoredTo + 1}`,
    )
    const [record = ''] = after.split('\n')
    assert.deepEqual(JSON.parse(JSON.parse(record).detail), { lostHead: lost, endedAgain: 1 })
    assert.ok((await installation.json('audit', 'verify')).intact)
  })

  it('does not take a log that belongs to another database', async () => {
    const log = join(installation.folder, 'other.jsonl')
    const { stdout } = await installation.run('audit', 'export')
    const last = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
    const next = { ...last, seq: last.seq + 5 }
    writeFileSync(log, `${JSON.stringify(next)}\n`)
    const { code, stderr } = await installation.run('database', 'restored', '--log', log)
    assert.equal(code, 1)
    assert.match(stderr, /is missing or out of place/)
  })
})
