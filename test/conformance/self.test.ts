import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { htmlReport } from '../../conformance/report/html.js'
import { jsonReport } from '../../conformance/report/json.js'
import { junitReport } from '../../conformance/report/junit.js'
import { chaptersFor, runConformance, type Report } from '../../conformance/runner.js'
import { checkTarget, type Target } from '../../conformance/target.js'
import { startOwnTarget, type OwnTarget } from './own-target.js'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')

describe('openrssp-conformance', function () {
  // A whole run is one test.
  this.timeout(240_000)
  let own: OwnTarget
  before(async () => {
    own = await startOwnTarget()
  })
  after(() => own.close())
  beforeEach(() => {
    // Each run has to find one-time codes that the one before did not use.
    own.rssp.clock.advance(60)
  })

  const advance = (seconds: number) => {
    own.rssp.clock.advance(seconds)
  }
  const time = { now: () => own.rssp.clock.now(), advance }

  function assertClean({ results }: Report): void {
    const bad = results.filter(({ outcome }) => outcome === 'fail' || outcome === 'warning')
    assert.deepEqual(
      bad.map(({ chapter, title, message }) => `${chapter}: ${title}: ${message}`),
      [],
    )
  }

  it('has at least 250 requirements of v2, each named once in its chapter, with a clause', () => {
    const chapters = chaptersFor('v2')
    const number = chapters.reduce((sum, { requirements }) => sum + requirements.length, 0)
    assert.ok(number >= 250, String(number))
    for (const { name, requirements } of chapters) {
      const titles = requirements.map(({ title }) => title)
      assert.deepEqual(
        titles.filter((title, index) => titles.indexOf(title) !== index),
        [],
        name,
      )
      for (const { clause } of requirements) assert.match(clause, /^(CSC|RFC|OWASP) /)
    }
  })

  for (const version of ['v2', 'v1', 'v0'] as const) {
    it(`finds nothing to object to in our own server, ${version}`, async () => {
      const baseUrl = `${own.rssp.baseUrl}/csc/${version}`
      // v0 is v1 but for what these chapters look at.
      const only = version === 'v0' ? ['v1 info', 'v1 credentials/'] : []
      const report = await runConformance({ ...own.target, baseUrl }, { time, only })
      assertClean(report)
      const passed = report.results.filter(({ outcome }) => outcome === 'pass').length
      assert.ok(passed >= { v2: 400, v1: 120, v0: 30 }[version], `${passed} passed`)
      const skipped = report.results.filter(({ outcome }) => outcome === 'skipped')
      assert.deepEqual(
        skipped.map(({ title, message }) => `${title}: ${message}`),
        [],
      )
    })
  }

  it('does without a second signer, a second application and factors to waste, and says so', async () => {
    const { name, baseUrl, client, signers } = own.target
    const alone = checkTarget({ name, baseUrl, client, signers: signers.slice(0, 1) })
    const { results } = await runConformance(alone, { time, only: ['credentials/authorize'] })
    assert.equal(results.filter(({ outcome }) => outcome === 'fail').length, 0)
    const reasons = new Set(
      results.filter(({ outcome }) => outcome === 'skipped').map((r) => r.message),
    )
    assert.ok(reasons.has('the configuration has one signer only'))
    assert.ok(reasons.has('the configuration has no otherClient'))
    assert.ok(reasons.has('needs "consume.wrongFactors"'))
  })

  it('skips what needs approvals when there are none left', async () => {
    const target = { ...own.target, consume: { approvals: 2 } }
    const { results, used } = await runConformance(target, { time, only: ['signHash'] })
    assert.equal(used.approvals, 2)
    assert.ok(results.some(({ message }) => message === 'consume.approvals are used up'))
    assert.ok(!results.some(({ outcome }) => outcome === 'fail'))
  })

  it('works with a token alone, skipping what needs the signer', async () => {
    const user = own.target.signers[0]
    assert.ok(user?.signIn.by === 'form')
    const serviceToken = await own.newServiceToken()
    const signers = [{ signIn: { by: 'token' as const, serviceToken } }]
    const { results } = await runConformance(
      { ...own.target, signers },
      { time, only: ['credentials/info', 'credentials/list'] },
    )
    assert.ok(results.filter(({ outcome }) => outcome === 'pass').length > 50)
    assert.ok(!results.some(({ outcome }) => outcome === 'fail'))
  })

  it('has a browser sign in where pages need one', async () => {
    const [signer] = own.target.signers
    assert.ok(signer?.signIn.by === 'form')
    const { steps } = signer.signIn
    const signers = [{ ...signer, signIn: { by: 'browser' as const, steps } }]
    const { results } = await runConformance(
      { ...own.target, signers },
      {
        time,
        only: ['oauth2/authorize'],
        titled: (title) => /^(gives a code|says access_d)/.test(title),
      },
    )
    assert.deepEqual(
      results.map(({ outcome, message }) => [outcome, message]),
      [
        ['pass', null],
        ['pass', null],
      ],
    )
  })

  describe('when a requirement is not met', () => {
    let report: Report
    before(async () => {
      const spoilt = async (url: string, init: RequestInit): Promise<Response> => {
        const response = await fetch(url, init)
        if (!url.endsWith('/signatures/signHash')) return response
        const text = (await response.text()).replace('is not authorized', 'is not authorised')
        return new Response(text, { status: response.status, headers: response.headers })
      }
      own.rssp.clock.advance(60)
      report = await runConformance(own.target, { time, fetch: spoilt, only: ['signHash'] })
    })

    it('keeps what was said, and masks every secret in it', () => {
      const failed = report.results.filter(({ outcome }) => outcome === 'fail')
      assert.ok(failed.length > 0)
      for (const { exchanges } of failed) assert.ok(exchanges.length > 0)
      const all = [jsonReport(report), htmlReport(report), junitReport(report)].join('\n')
      for (const secret of own.secrets)
        assert.ok(!all.includes(secret), 'a secret is in the report')
      assert.doesNotMatch(all, /Bearer [\w-]{20,}|Basic [\w+/]{20,}/)
    })

    it('tells in HTML, without script, what was expected, said and how to repeat it', () => {
      const html = htmlReport(report)
      assert.match(html, /<html lang="en">/)
      assert.match(html, /requirements are not met/)
      assert.match(html, /refuses a hash that was not authorised/)
      assert.match(html, /Hash is not authorized by the SAD\./)
      assert.match(html, /curl -i -X POST -H 'Content-Type: application\/json'/)
      assert.doesNotMatch(html, /<script|src=|https?:\/\/[^ ]*\.(css|js)/)
    })

    it('tells in JUnit which case failed, and in JSON everything', () => {
      const xml = junitReport(report)
      assert.match(xml, /<testsuite name="signatures\/signHash" tests="\d+" failures="[1-9]\d*"/)
      assert.match(xml, /<failure message="error_description: expected/)
      const json = JSON.parse(jsonReport(report)) as { counts: Record<string, number> }
      assert.ok((json.counts['fail'] ?? 0) > 0)
    })
  })

  describe('command', () => {
    let folder: string
    let config: Target
    let clock: Server
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'conformance-'))
      clock = createServer((request, response) => {
        const chunks: Buffer[] = []
        request.on('data', (chunk: Buffer) => chunks.push(chunk))
        request.on('end', () => {
          const { seconds } = JSON.parse(Buffer.concat(chunks).toString()) as { seconds: number }
          advance(seconds)
          response.end()
        })
      })
      await new Promise<void>((resolve) => clock.listen(0, '127.0.0.1', resolve))
      const { port } = clock.address() as AddressInfo
      config = { ...own.target, advance: `http://127.0.0.1:${port}/` }
      writeFileSync(join(folder, 'wrong.json'), JSON.stringify({ ...config, colour: 'red' }))
    })
    after(() => {
      clock.close()
      rmSync(folder, { recursive: true })
    })

    async function command(...options: string[]) {
      const tsx = join(root, 'node_modules/tsx/dist/esm/index.mjs')
      const main = ['--import', tsx, join(root, 'conformance/main.ts'), ...options]
      try {
        const { stdout } = await run(process.execPath, main, { cwd: folder })
        return { code: 0, text: stdout }
      } catch (error) {
        const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
        return { code, text: stdout + stderr }
      }
    }

    it('says 0 when all is well, and writes the reports', async () => {
      const ahead = own.rssp.clock.now().getTime() - Date.now()
      const target = { ...config, clockSkewSeconds: Math.round(ahead / 1000) }
      writeFileSync(join(folder, 'target.json'), JSON.stringify(target))
      const reports = ['--html', 'r.html', '--junit', 'r.xml', '--json', 'r.json']
      const { code, text } = await command('--config', 'target.json', '--only', 'info', ...reports)
      assert.equal(code, 0, text)
      assert.match(text, /\d+ passed, 0 failed, 0 warnings/)
      assert.ok(readdirSync(folder).includes('r.html'))
      assert.match(readFileSync(join(folder, 'r.xml'), 'utf8'), /^<\?xml/)
    })

    it('says 2 and why when there is nothing to test', async () => {
      const { code, text } = await command('--config', 'wrong.json')
      assert.deepEqual([code, /colour/.test(text)], [2, true], text)
      const nowhere = { ...own.target, baseUrl: 'http://127.0.0.1:1/csc/v2' }
      await assert.rejects(runConformance(nowhere), /\/info does not answer/)
    })

    it('explains its exit codes', async () => {
      const { code, text } = await command('--help')
      assert.equal(code, 0)
      assert.match(text, /Exit codes:\n {2}0 .*\n {2}1 .*\n/)
    })
  })

  it('refuses a configuration it does not understand, naming every place', () => {
    const wrong = { baseUrl: 'x', client: {}, signers: [], consume: { approvals: -1 } }
    assert.throws(() => checkTarget(wrong), /\/baseUrl[\s\S]*\/client[\s\S]*\/signers/)
  })

  it('knows nothing of the server but what anybody sees', () => {
    for (const file of readdirSync(join(root, 'conformance'), { recursive: true }) as string[]) {
      if (!file.endsWith('.ts')) continue
      const text = readFileSync(join(root, 'conformance', file), 'utf8')
      assert.doesNotMatch(text, /from '(\.\.\/)+(src|test)\//, file)
    }
  })
})
