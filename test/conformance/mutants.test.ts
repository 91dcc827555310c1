import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format } from 'prettier'
import { CannotRun } from '../../conformance/outcome.js'
import { runConformance } from '../../conformance/runner.js'
import { MUTANTS, type Mutant } from './mutants.js'
import { startOwnTarget, type OwnTarget } from './own-target.js'

const TABLE = join(import.meta.dirname, '../../docs/conformance-mutants.md')

describe('openrssp-conformance, before faulty servers', () => {
  let own: OwnTarget
  const caught = new Map<string, string>()
  const known = readTable()
  before(async () => {
    own = await startOwnTarget()
  })
  after(() => own.close())
  beforeEach(() => {
    // Each run has to find codes that the one before did not use, and accounts that are not locked.
    own.rssp.clock.advance(3600)
  })

  for (const mutant of MUTANTS) {
    it(`catches that ${mutant.name}`, async () => {
      const found = await catchMutant(mutant)
      caught.set(mutant.name, found)
      // That a server with no proxy before it meets every requirement is for self.test.ts to say.
      if (mutant.proxy) return
      own.rssp.clock.advance(3600)
      const { name, chapter, version = 'v2' } = mutant
      const unbroken = { name, chapter, version }
      const [, title] = found.split(': ', 2)
      assert.equal(await firstNotMet(unbroken, title), null, 'it objects to a sound server, too')
    })
  }

  it('names every faulty server, and what caught it, in the documentation', async () => {
    const names = MUTANTS.map(({ name }) => name)
    assert.equal(new Set(names).size, names.length)
    assert.ok(names.length >= 40)
    if (process.env['OPENRSSP_WRITE_MUTANTS']) {
      writeFileSync(TABLE, await format(table(), { parser: 'markdown' }))
    }
    const text = readFileSync(TABLE, 'utf8')
    for (const name of names) assert.ok(text.includes(`| ${name} `), name)
  })

  /**
   * Tries the requirement that caught it last time; only when that does not, the whole chapter.
   * @returns the requirement that was not met
   */
  async function catchMutant(mutant: Mutant): Promise<string> {
    const mend = mutant.within?.(own.rssp, own.userIds)
    try {
      const [, title] = known.get(mutant.name)?.split(': ', 2) ?? []
      const found = (title && (await firstNotMet(mutant, title))) || (await firstNotMet(mutant))
      assert.ok(found, 'nobody noticed')
      return found
    } finally {
      mend?.()
    }
  }

  async function firstNotMet(mutant: Mutant, title?: string): Promise<string | null> {
    const { chapter, version = 'v2', proxy } = mutant
    const target = { ...own.target, baseUrl: `${own.rssp.baseUrl}/csc/${version}` }
    try {
      const { results } = await runConformance(target, {
        only: [chapter],
        bail: true,
        time: {
          now: () => own.rssp.clock.now(),
          advance: (seconds) => {
            own.rssp.clock.advance(seconds)
          },
        },
        ...(title === undefined ? {} : { titled: (each) => each === title }),
        ...(proxy ? { fetch: proxy(fetch) } : {}),
      })
      const found =
        results.find(({ outcome }) => outcome === 'fail') ??
        results.find(({ outcome }) => outcome === 'warning')
      return found ? `${found.chapter}: ${found.title}` : null
    } catch (error) {
      if (error instanceof CannotRun) return error.message
      throw error
    }
  }

  function table(): string {
    const rows = MUTANTS.map(({ name }) => `| ${name} | ${caught.get(name) ?? ''} |`)
    return `# Faulty servers the conformance runner was shown

Each is our own server with one rule broken, by a proxy before it or by a change within; the runner has to notice every one.
\`test/conformance/mutants.test.ts\` holds it to that, and writes this table when \`OPENRSSP_WRITE_MUTANTS=1\` is set.

| What is wrong | The first requirement that was not met |
| --- | --- |
${rows.join('\n')}
`
  }
})

function readTable(): Map<string, string> {
  const rows = existsSync(TABLE) ? readFileSync(TABLE, 'utf8').split('\n') : []
  return new Map(
    rows
      .map((row) => row.split('|').map((cell) => cell.trim()))
      .map(([, name = '', by = '']) => [name, by]),
  )
}
