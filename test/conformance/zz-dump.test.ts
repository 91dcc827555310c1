import { writeFileSync } from 'node:fs'
import { htmlReport } from '../../conformance/report/html.js'
import { runConformance } from '../../conformance/runner.js'
import { startOwnTarget } from './own-target.js'
describe('dump', function () {
  this.timeout(240000)
  it('x', async () => {
    const own = await startOwnTarget()
    const time = {
      now: () => own.rssp.clock.now(),
      advance: (s: number) => own.rssp.clock.advance(s),
    }
    const spoilt = async (url: string, init: RequestInit): Promise<Response> => {
      const response = await fetch(url, init)
      if (!url.endsWith('/signatures/signHash')) return response
      const text = (await response.text()).replace('is not authorized', 'is not authorised')
      return new Response(text, { status: response.status, headers: response.headers })
    }
    const report = await runConformance(own.target, { time, fetch: spoilt })
    writeFileSync('/tmp/cb-report.html', htmlReport(report))
    for (const r of report.results)
      if (r.outcome !== 'pass') console.log(r.outcome, '|', r.chapter, '|', r.title, '|', r.message)
    console.log(report.results.filter((r) => r.outcome === 'pass').length, report.used)
    const slow = report.results.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, 15)
    for (const r of slow) console.log(r.milliseconds, r.chapter, r.title)
    await own.close()
  })
})
