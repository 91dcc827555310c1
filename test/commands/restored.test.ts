import assert from 'node:assert/strict'
import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { loadConfig } from '../../src/config/load.js'
import { openRecords } from '../../src/records.js'
import { Installation } from './openrssp.js'

describe('openrssp database restored, on SQLite (S18, S77)', function () {
  this.timeout(180_000)
  let installation: Installation

  before(async () => {
    installation = await Installation.make()
    const person = ['--given-name', 'Alice', '--surname', 'Archer']
    await installation.json('user', 'add', 'alice', ...person)
  })
  after(() => installation.remove())

  const create = async (): Promise<string> =>
    (await installation.json('credential', 'create', 'alice')).credentialID
  const here = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await installation.runHere(...args)
    assert.equal(code, 0, stderr)
    return stdout
  }
  const statuses = async () => {
    const listed = JSON.parse(await here('credential', 'list', '--json')) as {
      credentialID: string
      status: string
    }[]
    return new Map(listed.map(({ credentialID, status }) => [credentialID, status]))
  }

  it('ends again what the log says was ended after the backup, and not what was taken back', async () => {
    const [suspended, resumed] = [await create(), await create()]
    const backup = join(installation.folder, 'backup.db')
    const running = new Sqlite(installation.databaseFile)
    await running.backup(backup)
    running.close()
    await here('credential', 'suspend', suspended)
    await here('credential', 'suspend', resumed)
    await here('credential', 'resume', resumed)
    await here('user', 'disable', 'alice')
    const log = join(installation.folder, 'lost.jsonl')
    writeFileSync(log, await here('audit', 'export'))

    copyFileSync(backup, installation.databaseFile)
    for (const end of ['-wal', '-shm'])
      rmSync(`${installation.databaseFile}${end}`, { force: true })
    const refused = await installation.runHere('user', 'list')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /"openrssp database restored"/)
    const told = JSON.parse(await here('database', 'restored', '--log', log, '--json')) as {
      endedAgain: number
    }
    assert.equal(told.endedAgain, 2)

    const now = await statuses()
    assert.deepEqual(
      [suspended, resumed].map((id) => now.get(id)),
      ['suspended', 'enabled'],
    )
  })

  it('puts nothing on record before it has looked: the lost log follows on what was restored', async () => {
    const untouched = await Installation.make()
    try {
      const config = loadConfig(untouched.configFile, {})
      const records = await openRecords(config, { withoutHead: true })
      assert.equal(await records.database.read.auditRecord.count(), 0)
      await records.close()
    } finally {
      untouched.remove()
    }
  })
})
