import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { chainRecord, EMPTY_LOG, type AuditRecord } from '../../src/audit/chain.js'
import { auditEvent } from '../../src/audit/events.js'
import { formatHead, readHead } from '../../src/audit/head-file.js'
import { loadConfig } from '../../src/config/load.js'
import { openRecords } from '../../src/records.js'
import { openrsspHere } from '../commands/in-process.js'
import { Installation, Running, type Outcome } from '../commands/openrssp.js'

const RECORDS = 8

describe('openrssp audit verify (S78)', () => {
  let installation: Installation
  let pristine: string

  before(async () => {
    installation = await Installation.make()
    await append(installation, RECORDS)
    pristine = mkdtempSync(join(tmpdir(), 'openrssp-audit-'))
    copyFileSync(installation.databaseFile, join(pristine, 'rssp.db'))
    copyFileSync(installation.headFile, join(pristine, 'head'))
  })
  beforeEach(() => {
    copyFileSync(join(pristine, 'rssp.db'), installation.databaseFile)
    copyFileSync(join(pristine, 'head'), installation.headFile)
  })
  after(() => {
    installation.remove()
    rmSync(pristine, { recursive: true })
  })

  const tamper = (...statements: string[]): void => {
    const database = new Sqlite(installation.databaseFile)
    for (const statement of statements) database.exec(statement)
    database.close()
  }

  const verify = (...args: string[]): Promise<Outcome> =>
    installation.runHere('audit', 'verify', ...args)

  async function assertCaught(...problems: string[]): Promise<void> {
    const { code, stdout, stderr } = await verify()
    const lines = stdout.trim().split('\n')
    assert.equal(code, 1, stderr)
    assert.deepEqual(lines.slice(0, -1), problems)
    assert.match(lines.at(-1) ?? '', /^The audit log is not intact: \d+ problems? in \d+ records?$/)
  }

  it('passes an intact log, and says how far it goes', async () => {
    const { code, stdout } = await installation.run('audit', 'verify')
    const head = readHead(installation.headFile)
    assert.equal(code, 0)
    assert.equal(
      stdout,
      `The audit log is intact: ${RECORDS} records, head ${RECORDS} ${head?.hash}\n`,
    )
  })

  it('says the same to scripts', async () => {
    const { code, stdout } = await verify('--json')
    assert.equal(code, 0)
    const hash = readHead(installation.headFile)?.hash
    assert.deepEqual(JSON.parse(stdout), {
      intact: true,
      records: RECORDS,
      head: { seq: RECORDS, hash },
      problems: [],
    })
  })

  it('writes nothing: what is looked at stays as it is', async () => {
    const before = readFileSync(installation.databaseFile)
    await verify()
    assert.ok(before.equals(readFileSync(installation.databaseFile)))
  })

  describe('catches', () => {
    const edits: [string, string[]][] = [
      [`at = '2020-01-01T00:00:00.000Z'`, ['was changed after it was written']],
      [`event = 'user.disabled'`, ['was changed after it was written']],
      [`detail = replace(detail, 'user-', 'evil-')`, ['was changed after it was written']],
      [`detail = CAST(detail AS BLOB)`, ['was changed after it was written']],
      [`detail = detail || ' '`, ['was changed after it was written']],
      [`prevHash = hash`, ['does not follow the record before it']],
    ]
    for (const [edit, [problem]] of edits) {
      for (const seq of [2, 4, RECORDS]) {
        it(`SET ${edit} in record ${seq}`, async () => {
          tamper(`UPDATE AuditRecord SET ${edit} WHERE seq = ${seq}`)
          await assertCaught(`record ${seq}: ${problem}`)
        })
      }
    }

    it('another hash', async () => {
      tamper(`UPDATE AuditRecord SET hash = '${'a'.repeat(64)}' WHERE seq = 4`)
      await assertCaught(
        'record 4: was changed after it was written',
        'record 5: does not follow the record before it',
      )
    })

    it('another number', async () => {
      tamper(`UPDATE AuditRecord SET seq = 90 WHERE seq = ${RECORDS}`)
      await assertCaught(`record 90: record ${RECORDS} is missing or out of place`)
    })

    it('the first record deleted', async () => {
      tamper('DELETE FROM AuditRecord WHERE seq = 1')
      await assertCaught('record 2: record 1 is missing or out of place')
    })

    it('a record in the middle deleted', async () => {
      tamper('DELETE FROM AuditRecord WHERE seq = 4')
      await assertCaught('record 5: record 4 is missing or out of place')
    })

    it('a deletion hidden by new numbers', async () => {
      tamper('DELETE FROM AuditRecord WHERE seq = 4')
      for (let seq = 5; seq <= RECORDS; seq += 1) {
        tamper(`UPDATE AuditRecord SET seq = ${seq - 1} WHERE seq = ${seq}`)
      }
      const { code, stdout } = await verify()
      assert.equal(code, 1)
      assert.match(stdout, /^record 4: does not follow the record before it$/m)
    })

    it('the last record deleted', async () => {
      tamper(`DELETE FROM AuditRecord WHERE seq = ${RECORDS}`)
      await assertCaught(
        `record ${RECORDS - 1}: the log ends here but had reached record ${RECORDS}`,
      )
    })

    it('everything deleted', async () => {
      tamper('DELETE FROM AuditRecord')
      await assertCaught(`record 0: the log ends here but had reached record ${RECORDS}`)
      assert.equal((await installation.run('audit', 'verify')).code, 1)
    })

    it('a record inserted before the first', async () => {
      tamper(insert({ ...forgery(EMPTY_LOG), seq: 0 }))
      const { code, stdout } = await verify()
      assert.equal(code, 1)
      assert.match(stdout, /^record 0: record 1 is missing or out of place$/m)
    })

    it('a record inserted in the middle, the others moved up', async () => {
      for (let seq = RECORDS; seq > 4; seq -= 1) {
        tamper(`UPDATE AuditRecord SET seq = ${seq + 1} WHERE seq = ${seq}`)
      }
      tamper(insert(forgery(recordsOf(installation)[3] as AuditRecord)))
      const { code, stdout } = await verify()
      assert.equal(code, 1)
      assert.match(stdout, /^record 6: does not follow the record before it$/m)
    })

    it('two records that changed places', async () => {
      tamper(
        'UPDATE AuditRecord SET seq = -1 WHERE seq = 3',
        'UPDATE AuditRecord SET seq = 3 WHERE seq = 4',
        'UPDATE AuditRecord SET seq = 4 WHERE seq = -1',
      )
      const { code, stdout } = await verify()
      assert.equal(code, 1)
      assert.match(stdout, /^record 3: does not follow the record before it$/m)
      assert.match(stdout, /^record 4: does not follow the record before it$/m)
    })

    it('a chain made anew after an edit, by the head beside the database', async () => {
      tamper(...rewrite(installation, 4))
      await assertCaught(`record ${RECORDS}: is not the record that was seen here before`)
    })

    it('a chain made anew together with the head beside it, by a head kept elsewhere', async () => {
      tamper(...rewrite(installation, 4))
      writeFileSync(installation.headFile, formatHead(recordsOf(installation).at(-1) ?? EMPTY_LOG))
      assert.equal((await verify()).code, 0, 'the forger adapted all there is on this machine')
      const { code, stdout } = await verify('--head', join(pristine, 'head'))
      assert.equal(code, 1)
      assert.match(stdout, /^record 8: is not the record that was seen here before$/m)
    })

    it('a tail cut together with the head beside it, by a head kept elsewhere', async () => {
      tamper(`DELETE FROM AuditRecord WHERE seq > 5`)
      writeFileSync(installation.headFile, formatHead(recordsOf(installation).at(-1) ?? EMPTY_LOG))
      assert.equal((await verify()).code, 0)
      const { code, stdout } = await verify('--head', join(pristine, 'head'))
      assert.equal(code, 1)
      assert.match(stdout, /^record 5: the log ends here but had reached record 8$/m)
    })

    it('a head file that was taken away', async () => {
      rmSync(installation.headFile)
      await assertCaught(
        `record 8: no head is kept in ${installation.headFile}, so a tail cut off after this would not show`,
      )
    })

    it('a head file that holds something else', async () => {
      writeFileSync(installation.headFile, 'nothing to see here\n')
      const { code, stderr } = await verify()
      assert.equal(code, 1)
      assert.equal(stderr, `openrssp: ${installation.headFile} does not hold an audit head\n`)
    })

    it('all of it in one run, for scripts too', async () => {
      tamper(
        `UPDATE AuditRecord SET detail = '{}' WHERE seq = 2`,
        'DELETE FROM AuditRecord WHERE seq IN (4, 8)',
      )
      const { code, stdout } = await verify('--json')
      const { intact, problems } = JSON.parse(stdout)
      assert.equal(code, 1)
      assert.equal(intact, false)
      assert.deepEqual(problems, [
        { seq: 2, problem: 'was changed after it was written' },
        { seq: 5, problem: 'record 4 is missing or out of place' },
        { seq: 7, problem: 'the log ends here but had reached record 8' },
      ])
    })
  })

  it('says when there is no database, and makes none', async () => {
    rmSync(installation.databaseFile)
    const { code, stderr } = await verify()
    assert.equal(code, 1)
    assert.equal(stderr, `openrssp: ${installation.databaseFile} cannot be read.\n`)
  })

  it('says when --head names no head', async () => {
    const missing = await verify('--head', '/nowhere/head')
    assert.deepEqual(
      [missing.code, missing.stderr],
      [1, 'openrssp: /nowhere/head cannot be read.\n'],
    )
    const other = await verify('--head', installation.configFile)
    assert.equal(other.code, 1)
    assert.equal(other.stderr, `openrssp: ${installation.configFile} does not hold an audit head\n`)
  })

  describe('of an export, on a machine that has nothing else (S83)', () => {
    let elsewhere: string
    let file: string

    beforeEach(async () => {
      elsewhere = mkdtempSync(join(tmpdir(), 'openrssp-elsewhere-'))
      file = join(elsewhere, 'audit.jsonl')
      const { code, stdout } = await installation.runHere('audit', 'export')
      assert.equal(code, 0)
      writeFileSync(file, stdout)
    })
    afterEach(() => {
      rmSync(elsewhere, { recursive: true })
    })

    const verifyFile = (...args: string[]): Promise<Outcome> =>
      openrsspHere(['audit', 'verify', '--config', '/nowhere', '--file', file, ...args])

    const changeFile = (change: (lines: string[]) => string[]): void => {
      const lines = readFileSync(file, 'utf8').trim().split('\n')
      writeFileSync(file, change(lines).join('\n'))
    }

    it('passes an intact one', async () => {
      const { code, stdout } = await verifyFile()
      assert.equal(code, 0)
      assert.match(stdout, /^The audit log is intact: 8 records, head 8 [0-9a-f]{64}\n$/)
    })

    it('catches a changed line', async () => {
      changeFile((lines) => lines.map((line) => line.replace('user-3', 'user-9')))
      const { code, stdout } = await verifyFile()
      assert.equal(code, 1)
      assert.match(stdout, /^record 4: was changed after it was written$/m)
    })

    it('catches missing lines', async () => {
      changeFile((lines) => lines.toSpliced(2, 2))
      const { code, stdout } = await verifyFile()
      assert.equal(code, 1)
      assert.match(stdout, /^record 5: record 3 is missing or out of place$/m)
    })

    it('catches missing last lines by a head kept elsewhere', async () => {
      changeFile((lines) => lines.slice(0, 6))
      assert.equal((await verifyFile()).code, 0)
      const { code, stdout } = await verifyFile('--head', join(pristine, 'head'))
      assert.equal(code, 1)
      assert.match(stdout, /^record 6: the log ends here but had reached record 8$/m)
    })

    it('refuses a line that no export wrote', async () => {
      changeFile((lines) => lines.with(4, `${lines[4]} `))
      const { code, stderr } = await verifyFile()
      assert.equal(code, 1)
      assert.equal(stderr, `openrssp: Line 5 of ${file} is not as an export writes it.\n`)
    })

    it('says when there is no such file', async () => {
      rmSync(file)
      const { code, stderr } = await verifyFile()
      assert.deepEqual([code, stderr], [1, `openrssp: ${file} cannot be read.\n`])
    })

    it('takes a part when told where it starts', async () => {
      changeFile((lines) => lines.slice(4))
      const { code, stdout } = await verifyFile('--from', '5')
      assert.equal(code, 0, stdout)
      assert.match((await verifyFile()).stdout, /^record 5: record 1 is missing or out of place$/m)
      const late = await verifyFile('--from', '4')
      assert.match(late.stdout, /^record 5: record 4 is missing or out of place$/m)
    })

    it('puts the export itself on record', async () => {
      const { event, detail } = recordsOf(installation).at(-1) as AuditRecord
      assert.deepEqual([event, detail], ['audit.exported', '{"from":1,"to":8}'])
    })
  })

  it('is never shown more than text: fields cannot forge lines or command the terminal (S82)', async () => {
    const evil = 'x\r\n{"seq":9}\u001b[2J\u009b31m\u202e'
    await withRecords(installation, async ({ audit }) => {
      await audit.append(
        auditEvent('sign-in.failed', { username: evil, clientId: evil, address: evil, why: evil }),
      )
    })
    const { stdout } = await installation.run('audit', 'export')
    const lines = stdout.trimEnd().split('\n')
    assert.equal(lines.length, RECORDS + 1)
    for (const line of lines) assert.match(line, /^[\x20-\x7e]+$/)
    assert.equal(JSON.parse(JSON.parse(lines.at(-1) ?? '').detail).username, evil)
  })
})

describe('The server', () => {
  let installation: Installation
  beforeEach(async () => {
    installation = await Installation.make()
    await append(installation, 5)
  })
  afterEach(() => {
    installation.remove()
  })

  for (const command of [['serve'], ['user', 'list'], ['audit', 'export']]) {
    it(`does not touch a log that was cut: openrssp ${command.join(' ')}`, async () => {
      const database = new Sqlite(installation.databaseFile)
      database.exec('DELETE FROM AuditRecord WHERE seq > 3')
      database.close()
      const { code, stderr } = await installation.run(...command)
      assert.equal(code, 1)
      assert.equal(
        stderr,
        `openrssp: the audit log does not hold record 5 as ${installation.headFile} remembers it; ` +
          'run "openrssp audit verify", and when the database was restored on purpose "openrssp database restored"\n',
      )
      assert.equal(recordsOf(installation).length, 3)
    })
  }
})

describe('Two processes that append at once (S78)', () => {
  it('leave no gap and no fork', async () => {
    const installation = await Installation.make()
    try {
      await append(installation, 1)
      const source = `
        const { loadConfig } = await import(${JSON.stringify(modulePath('config/load.ts'))})
        const { openRecords } = await import(${JSON.stringify(modulePath('records.ts'))})
        const { auditEvent } = await import(${JSON.stringify(modulePath('audit/events.ts'))})
        const records = await openRecords(loadConfig(${JSON.stringify(installation.configFile)}, {}))
        for (let round = 0; round < 50; round += 1) {
          await Promise.all(Array.from({ length: 4 }, (_, index) =>
            records.audit.append(auditEvent('user.disabled', { userId: process.argv[1] + round + index }))))
        }
        await records.close()`
      const program = ['--import', 'tsx', '--input-type=module', '--eval', source]
      const writers = ['a', 'b', 'c'].map((name) => new Running([name], { program }).ended)
      for (const { code, stderr } of await Promise.all(writers)) assert.equal(code, 0, stderr)

      const { code, stdout } = await installation.run('audit', 'verify')
      assert.equal(code, 0, stdout)
      const records = recordsOf(installation)
      assert.equal(records.length, 1 + 3 * 200)
      const named = records.slice(1).map(({ detail }) => detail)
      assert.equal(new Set(named).size, 600, 'every record is there once')
      const owners = new Set(named.slice(0, 500).map((detail) => detail.slice(11, 12)))
      assert.ok(owners.size > 1, 'they did write at the same time')
    } finally {
      installation.remove()
    }
  })
})

function modulePath(name: string): string {
  return join(import.meta.dirname, '../../src', name)
}

async function withRecords(
  { configFile }: Installation,
  use: (records: Awaited<ReturnType<typeof openRecords>>) => Promise<unknown>,
): Promise<void> {
  const records = await openRecords(loadConfig(configFile, {}))
  try {
    await use(records)
  } finally {
    await records.close()
  }
}

/** Writes until there are so many; the first is there from the beginning. */
function append(installation: Installation, count: number): Promise<void> {
  return withRecords(installation, async ({ audit }) => {
    for (let index = 1; index < count; index += 1) {
      await audit.append(auditEvent('user.added', { userId: `user-${index}`, username: 'x' }))
    }
  })
}

function recordsOf({ databaseFile }: Installation): AuditRecord[] {
  const database = new Sqlite(databaseFile)
  try {
    return database.prepare('SELECT * FROM AuditRecord ORDER BY seq').all() as AuditRecord[]
  } finally {
    database.close()
  }
}

function forgery(after: { seq: number; hash: string }): AuditRecord {
  const at = '2026-01-01T00:00:00.000Z'
  return chainRecord(after, { at, event: 'user.added', detail: '{"userId":"forged"}' })
}

function insert({ seq, at, event, detail, prevHash, hash }: AuditRecord): string {
  const values = [at, event, detail, prevHash, hash].map((value) => `'${value}'`)
  return `INSERT INTO AuditRecord (seq, at, event, detail, prevHash, hash) VALUES (${seq}, ${values.join(', ')})`
}

/** What a forger with a good grasp of the matter does: changes a record and makes all later hashes anew. */
function rewrite(installation: Installation, from: number): string[] {
  const records = recordsOf(installation)
  const statements = [`DELETE FROM AuditRecord WHERE seq >= ${from}`]
  let head = records[from - 2] ?? EMPTY_LOG
  for (const { at, event, detail } of records.slice(from - 1)) {
    const record = chainRecord(head, { at, event, detail: detail.replace('"x"', '"y"') })
    statements.push(insert(record))
    head = record
  }
  return statements
}
