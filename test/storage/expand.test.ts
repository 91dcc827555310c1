import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'

const PRISMA = join(import.meta.dirname, '../../prisma')
/** Takes away what the former release no longer uses, and says since when. */
const CONTRACT = /^-- contract: \S/m

interface Migration {
  readonly name: string
  readonly sql: string
}

function migrationsOf(engine: string): Migration[] {
  const folder = join(PRISMA, engine, 'migrations')
  if (!existsSync(folder)) return []
  const names = readdirSync(folder, { withFileTypes: true }).filter((each) => each.isDirectory())
  return names
    .map(({ name }) => ({ name, sql: readFileSync(join(folder, name, 'migration.sql'), 'utf8') }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

interface Column {
  readonly name: string
  readonly type: string
  readonly notnull: number
  readonly dflt_value: string | null
}

/** Tables with their columns by name, and the columns of each unique index. */
function schemaOf(database: Sqlite.Database) {
  const tables = database
    .prepare<[], { name: string }>(
      `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
    )
    .all()
  return new Map(
    tables.map(({ name }) => {
      const columns = database.pragma(`table_info("${name}")`) as Column[]
      const indexes = database.pragma(`index_list("${name}")`) as { name: string; unique: number }[]
      const unique = indexes
        .filter((each) => each.unique)
        .map((each) => {
          const members = database.pragma(`index_info("${each.name}")`) as { name: string }[]
          return members.map((member) => member.name).join(', ')
        })
      return [name, { columns: new Map(columns.map((each) => [each.name, each])), unique }]
    }),
  )
}

/** What a process of the release before would stumble over. */
function stumblingBlocks(
  before: ReturnType<typeof schemaOf>,
  after: ReturnType<typeof schemaOf>,
): string[] {
  const problems: string[] = []
  for (const [table, was] of before) {
    const is = after.get(table)
    if (!is) {
      problems.push(`table ${table} is gone`)
      continue
    }
    for (const [name, column] of was.columns) {
      const now = is.columns.get(name)
      if (!now) problems.push(`${table}.${name} is gone`)
      else if (now.type !== column.type) problems.push(`${table}.${name} has another type`)
      else if (now.notnull > column.notnull) problems.push(`${table}.${name} may no longer be null`)
    }
    for (const [name, { notnull, dflt_value }] of is.columns) {
      if (was.columns.has(name) || !notnull || dflt_value !== null) continue
      problems.push(`${table}.${name} is new and has to be given`)
    }
    for (const columns of is.unique) {
      const concernsOld = columns.split(', ').every((name) => was.columns.has(name))
      if (concernsOld && !was.unique.includes(columns)) {
        problems.push(`${table} (${columns}) has to be unique now`)
      }
    }
  }
  return problems
}

describe('Migrations, while the release before still serves (S108)', () => {
  it('take nothing away from it on SQLite, unless they say that nobody uses it', () => {
    const database = new Sqlite(':memory:')
    let before = schemaOf(database)
    for (const { name, sql } of migrationsOf('sqlite')) {
      database.exec(sql)
      const after = schemaOf(database)
      if (!CONTRACT.test(sql)) assert.deepEqual(stumblingBlocks(before, after), [], name)
      before = after
    }
    assert.ok(before.has('AuthorisedDigest'))
    database.close()
  })

  it('take nothing away from it on PostgreSQL, either', () => {
    const taking =
      /\bDROP\s+(TABLE|COLUMN)\b|\bRENAME\b|\bSET\s+NOT\s+NULL\b|\bALTER\s+COLUMN\s+\S+\s+(SET\s+DATA\s+)?TYPE\b|\bADD\s+COLUMN\s+(?![^,;]*\bDEFAULT\b)[^,;]*\bNOT\s+NULL\b/i
    for (const { name, sql } of migrationsOf('postgresql')) {
      if (CONTRACT.test(sql)) continue
      assert.doesNotMatch(sql.replaceAll(/^--.*$/gm, ''), taking, name)
    }
  })

  const refused: [string, string, string][] = [
    ['drops a column', 'ALTER TABLE t DROP COLUMN b', 't.b is gone'],
    ['renames a column', 'ALTER TABLE t RENAME COLUMN b TO c', 't.b is gone'],
    ['drops a table', 'DROP TABLE t', 'table t is gone'],
    [
      'demands a new value',
      'DROP TABLE t; CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT, c TEXT NOT NULL)',
      't.c is new and has to be given',
    ],
    [
      'demands what could be missing',
      'DROP TABLE t; CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT NOT NULL)',
      't.b may no longer be null',
    ],
    [
      'changes a type',
      'DROP TABLE t; CREATE TABLE t (a TEXT PRIMARY KEY, b INTEGER)',
      't.b has another type',
    ],
    ['forbids what could be twice', 'CREATE UNIQUE INDEX i ON t (b)', 't (b) has to be unique now'],
  ]
  for (const [what, sql, problem] of refused) {
    it(`notices one that ${what}`, () => {
      const database = new Sqlite(':memory:')
      database.exec('CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT)')
      const before = schemaOf(database)
      database.exec(sql)
      assert.deepEqual(stumblingBlocks(before, schemaOf(database)), [problem])
      database.close()
    })
  }
})
