import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
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
import { conformanceProgram } from '../support/program.js'
import { SignerBrowser } from '../support/signer-browser.js'
import { startOwnTarget, startSmallTarget, type OwnTarget } from './own-target.js'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')

describe('openrssp-conformance', function () {
  // A whole run is one test.
  this.timeout(900_000)
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
      for (const { clause } of requirements) assert.match(clause, /^(CSC|RFC|OWASP|ETSI) /)
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

  for (const [what, limit] of [
    ['approvals', 2],
    ['signatures', 1],
    ['signatures', 4],
  ] as const) {
    it(`uses up ${limit} ${what} where no more may be, and skips the rest`, async () => {
      const target = { ...own.target, consume: { [what]: limit } }
      let signed = 0
      const counting = async (url: string, init: RequestInit): Promise<Response> => {
        const answer = await fetch(url, init)
        if (!url.endsWith('/signatures/signHash')) return answer
        const { signatures = [] } = (await answer.clone().json()) as { signatures?: string[] }
        signed += signatures.length
        return answer
      }
      const { results, used } = await runConformance(target, {
        time,
        fetch: counting,
        only: ['signatures/signHash'],
        titled: (title) => /in their order|the order of|^does not sign the same/.test(title),
      })
      assert.equal(used[what], limit)
      assert.equal(used.signatures, signed)
      assert.ok(results.some(({ message }) => message === `consume.${what} are used up`))
      assert.ok(!results.some(({ outcome }) => outcome === 'fail'))
    })
  }

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

  describe('has a signer sign in', () => {
    const titles = /^(gives a code and the state|says access_denied|name the credential that was)/
    const only = ['oauth2/authorize', 'authorization_details']

    /** The steps of the first signer, who chooses a certificate by these words. */
    function choosing(words: string) {
      const [signer] = own.target.signers
      assert.ok(signer?.signIn.by === 'form')
      const steps = signer.signIn.steps.map((step) =>
        step.button === 'action=approve'
          ? { ...step, fill: { ...step.fill, credentialID: words } }
          : step,
      )
      return { signer, steps }
    }

    async function assertChosen(signers: Target['signers'], chosen: string | null): Promise<void> {
      const ids: unknown[] = []
      const watched = async (url: string, init: RequestInit): Promise<Response> => {
        const response = await fetch(url, init)
        if (!url.endsWith('/oauth2/token')) return response
        const { authorization_details } = (await response.clone().json()) as {
          authorization_details?: { credentialID: string }[]
        }
        ids.push(...(authorization_details ?? []).map(({ credentialID }) => credentialID))
        return response
      }
      const { results } = await runConformance(
        { ...own.target, signers },
        { time, only, fetch: watched, titled: (title) => titles.test(title) },
      )
      assert.deepEqual(
        results.map(({ outcome, message }) => [outcome, message]),
        Array.from({ length: 3 }, () => ['pass', null]),
      )
      if (chosen !== null) assert.deepEqual(ids, [chosen])
    }

    it('by forms, who takes the first certificate where one has to be taken', async () => {
      await assertChosen(own.target.signers.slice(0, 1), null)
    })

    it('by forms, who chooses a certificate by the words beside it', async () => {
      const [certificate] = own.choice.certificates
      const { serialNumber } = new X509Certificate(certificate ?? Buffer.alloc(0))
      const { signer, steps } = choosing(serialNumber)
      await assertChosen([{ ...signer, signIn: { by: 'form', steps } }], own.choice.id)
    })

    it('in a browser where pages need one, choosing by value', async () => {
      const { signer, steps } = choosing(own.choice.id)
      await assertChosen([{ ...signer, signIn: { by: 'browser', steps } }], own.choice.id)
    })

    it('and says so when there is no such choice', async () => {
      const { signer, steps } = choosing('Nobody’s certificate')
      const { results } = await runConformance(
        { ...own.target, signers: [{ ...signer, signIn: { by: 'form', steps } }] },
        { time, only: ['authorization_details'], titled: (title) => /^name the cred/.test(title) },
      )
      assert.match(
        results[0]?.message ?? '',
        /the page has no choice "Nobody’s certificate" for credentialID, but "Test key/,
      )
    })

    it('and stops with what the page says when it comes again', async () => {
      const [signer] = own.target.signers
      assert.ok(signer?.signIn.by === 'form')
      for (const by of ['form', 'browser'] as const) {
        const steps = signer.signIn.steps.map((step) => ({
          ...step,
          fill: { ...step.fill, password: 'wrong' },
        }))
        const { results } = await runConformance(
          { ...own.target, signers: [{ ...signer, signIn: { by, steps } }] },
          { time, only: ['oauth2/authorize'], titled: (title) => /^gives a code/.test(title) },
        )
        assert.match(
          results[0]?.message ?? '',
          /^the page "Sign in" came again after it was filled in: .*(wrong|not right|incorrect|correct)/i,
        )
      }
    })
  })

  describe('finds the authorization server', () => {
    for (const member of ['oauth2Issuer', 'oauth2Servers']) {
      it(`by ${member}, and tries all the same`, async () => {
        const service = { name: 'Test RSSP', region: 'LT', oauthMember: member }
        const { rssp, target } = await startSmallTarget({ service })
        try {
          const small = {
            now: () => rssp.clock.now(),
            advance: (seconds: number) => {
              rssp.clock.advance(seconds)
            },
          }
          const titles =
            /^(names |describes each of oauth2|leads from client_id|lead to a token that)/
          const only = ['info', 'metadata', 'pushed', 'authorization_details']
          const titled = (title: string) => titles.test(title)
          const report = await runConformance(target, { time: small, only, titled })
          assertClean(report)
          const outcomeOf = (start: string) =>
            report.results.find(({ title }) => title.startsWith(start))?.outcome
          assert.equal(outcomeOf('leads from client_id and request_uri alone'), 'pass')
          assert.equal(outcomeOf('lead to a token that signs'), 'pass')
          assert.equal(
            outcomeOf(
              member === 'oauth2Issuer'
                ? 'names the issuer info names'
                : 'describes each of oauth2',
            ),
            'pass',
          )
        } finally {
          await rssp.close()
        }
      })
    }
  })

  for (const [what, spoil, complaint] of [
    ['a foreign digest in it', (token: Buffer) => flipped(token, 'digest'), /imprint/],
    ['a broken signature', (token: Buffer) => flipped(token, 'signature'), /verif/],
    ['something else', () => Buffer.from('0500', 'hex'), /no ContentInfo/],
  ] as const) {
    it(`notices a time-stamp token with ${what}`, async () => {
      const spoilt = async (url: string, init: RequestInit): Promise<Response> => {
        const answer = await fetch(url, init)
        if (!url.endsWith('/timestamp') || answer.status !== 200) return answer
        const { timestamp } = (await answer.json()) as { timestamp: string }
        const token = spoil(Buffer.from(timestamp, 'base64'))
        return Response.json({ timestamp: token.toString('base64') })
      }
      const { results } = await runConformance(own.target, {
        time,
        fetch: spoilt,
        only: ['signatures/timestamp'],
        titled: (title) => title.startsWith('gives a t'),
      })
      assert.ok(
        results.some(({ outcome, message }) => outcome === 'fail' && complaint.test(message ?? '')),
        JSON.stringify(results.map(({ title, message }) => [title, message])),
      )
    })
  }

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

    function commandLine(...options: string[]): string[] {
      return [...conformanceProgram(), ...options]
    }

    async function command(...options: string[]) {
      try {
        const running = run(process.execPath, commandLine(...options), { cwd: folder })
        running.child.stdin?.end()
        return { code: 0, text: (await running).stdout }
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

    it('has a person sign in: prints the address, and reads where the browser ended', async () => {
      const { client, signers } = own.target
      assert.ok(signers[0]?.signIn.by === 'form')
      const { username, password } = signers[0].signIn.steps[0]?.fill ?? {}
      assert.ok(typeof username === 'string' && typeof password === 'string')
      const browser = new SignerBrowser(own.rssp.baseUrl)
      const person = { ...own.target, signers: [{ signIn: { by: 'person' } }] }
      writeFileSync(join(folder, 'person.json'), JSON.stringify(person))
      const title = '^(gives an access token, its|refuses another redirect_uri)'
      const only = ['--only', 'oauth2/token', '--title', title]
      const child = spawn(process.execPath, commandLine('--config', 'person.json', ...only), {
        cwd: folder,
      })
      let output = ''
      let answered = 0
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        const asked = [...output.matchAll(/sign in as signer 1 and approve:\n {2}(\S+)\n[^>]*> /g)]
        for (const [, address = ''] of asked.slice(answered)) {
          answered += 1
          const parameters = Object.fromEntries(new URL(address).searchParams)
          void browser
            .authorize(parameters, { username, password, otp: () => '' })
            .then((told) => child.stdin.write(`${client.redirect_uri}?${told.toString()}\n`))
        }
      })
      const [code] = (await once(child, 'close')) as [number]
      assert.equal(code, 0, output)
      assert.match(output, /2 passed, 0 failed/)
      assert.equal(answered, 2)
    })

    it('skips what needs a person when nobody is there', async () => {
      const person = { ...own.target, signers: [{ signIn: { by: 'person' } }] }
      writeFileSync(join(folder, 'person.json'), JSON.stringify(person))
      const { code, text } = await command(
        ...['--config', 'person.json', '--only', 'oauth2/token', '--title', 'unknown code|scope'],
      )
      assert.equal(code, 0, text)
      assert.match(text, /skipped \d+: needs a person at a terminal/)
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

/** A time-stamp token with one bit wrong: in the digest it is over, or at its end. */
function flipped(token: Buffer, where: 'digest' | 'signature'): Buffer {
  // The octets after the OID of SHA-256, in messageImprint.
  const imprint = token.lastIndexOf(Buffer.from('0609608648016503040201', 'hex'))
  const first = token.indexOf(Buffer.from('0609608648016503040201', 'hex'), 60)
  const at = where === 'signature' ? token.length - 3 : (first < 0 ? imprint : first) + 18
  const changed = Buffer.from(token)
  changed[at] = (changed[at] ?? 0) ^ 1
  return changed
}
