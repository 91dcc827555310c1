import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Target } from '../../conformance/target.js'
import type { Result } from '../../conformance/runner.js'
import { Running } from '../commands/openrssp.js'
import { newEmptyDatabase, onPostgresql, type TestDatabase } from '../support/postgresql.js'
import { conformanceProgram } from '../support/program.js'
import { freePort } from '../support/rssp.js'

const run = promisify(execFile)
/** The sandbox's database: an empty one, named by this variable, or a file of its own. */
const DATABASE = 'OPENRSSP_DATABASE_URL'
const MAX_OUTPUT = 50_000_000

interface Outcome {
  readonly code: number
  readonly text: string
  readonly results: readonly Result[]
  readonly used: { readonly approvals: number; readonly signatures: number }
}

/** As people do it: the sandbox in one process, the runner in another, nothing between them but HTTP. */
describe('openrssp-conformance, before the sandbox', function () {
  this.timeout(900_000)
  let folder: string
  let sandbox: Running
  let database: TestDatabase | null = null
  let v2: Outcome
  let v1: Outcome

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'conformance-sandbox-'))
    const port = String(await freePort())
    if (onPostgresql) database = await newEmptyDatabase()
    const databaseUrl = database?.url ?? process.env[DATABASE]
    sandbox = new Running(
      ['sandbox', 'start', '--data-dir', join(folder, 'data'), '--port', port],
      {
        environment: {
          NODE_OPTIONS: `--import=${join(import.meta.dirname, '../support/quick-passwords.js')}`,
          ...(databaseUrl ? { [DATABASE]: databaseUrl } : {}),
        },
      },
    )
    await sandbox.saying('Ctrl-C stops.')
    ;[v2, v1] = await Promise.all([
      conformance('conformance.json'),
      conformance('conformance-v1.json'),
    ])
  })
  after(async () => {
    await sandbox.stop()
    await database?.drop()
    rmSync(folder, { recursive: true })
  })

  /** Runs the command with what the sandbox wrote for it, but without waiting for anything. */
  async function conformance(name: string): Promise<Outcome> {
    const target = JSON.parse(readFileSync(join(folder, 'data', name), 'utf8')) as Target
    const consume = { ...target.consume, waitSecondsInAll: 0 }
    const [config, json] = [join(folder, name), join(folder, `report-${name}`)]
    writeFileSync(config, JSON.stringify({ ...target, consume }))
    const args = [...conformanceProgram(), '--strict', '--config', config, '--json', json]
    const { code, stdout, stderr } = await run(process.execPath, args, { maxBuffer: MAX_OUTPUT })
      .then((output) => ({ code: 0, ...output }))
      .catch((error: unknown) => error as { code: number; stdout: string; stderr: string })
    const { results, used } = JSON.parse(readFileSync(json, 'utf8')) as Omit<Outcome, 'code'>
    return { code, text: stdout + stderr, results, used }
  }

  for (const [version, outcome, floor] of [
    ['v2', () => v2, 580],
    ['v1', () => v1, 150],
  ] as const) {
    it(`objects to nothing in ${version}, not even to a recommendation`, () => {
      const { code, text, results } = outcome()
      const bad = results.filter((each) => each.outcome === 'fail' || each.outcome === 'warning')
      assert.deepEqual(
        bad.map(({ chapter, title, message }) => `${chapter}: ${title}: ${message}`),
        [],
      )
      assert.equal(code, 0, text)
    })

    it(`meets at least ${floor} requirements of ${version}`, () => {
      const { text, results } = outcome()
      const passed = results.filter((each) => each.outcome === 'pass').length
      assert.ok(passed >= floor, text)
    })

    it(`skips in ${version} only what would have to be waited for, or costs something`, () => {
      const reasons = outcome().results.flatMap(({ outcome, message }) =>
        outcome === 'skipped' ? (message ?? '') : [],
      )
      const known = /have to wait|"consume\.(wrongFactors|lock)"|keyClient|announcements|\.basic/
      assert.deepEqual(
        reasons.filter((each) => !known.test(each)),
        [],
      )
    })
  }

  it('really signs: most requirements for signHash are tried', () => {
    for (const { results, used } of [v2, v1]) {
      const signHash = results.filter(({ chapter }) => chapter.endsWith('signatures/signHash'))
      const tried = signHash.filter(({ outcome }) => outcome === 'pass').length
      assert.ok(tried >= signHash.length * 0.8, `${tried} of ${signHash.length}`)
      assert.ok(used.signatures > 5, String(used.signatures))
    }
  })
})
