import { startOwnTarget, type OwnTarget } from './own-target.js'
import { runConformance } from '../../conformance/runner.js'
describe('try', function () {
  this.timeout(200_000)
  let own: OwnTarget
  before(async () => { own = await startOwnTarget() })
  after(() => own.close())
  it('runs', async () => {
    const started = Date.now()
    const report = await runConformance(own.target, {
      time: { now: () => own.rssp.clock.now(), advance: (s: number) => { own.rssp.clock.advance(s) } },
      only: ['signatures/signDoc'],
    })
    const count: Record<string, number> = {}
    for (const r of report.results) {
      count[r.outcome] = (count[r.outcome] ?? 0) + 1
      if (r.outcome !== 'pass') console.log(r.outcome, r.title, '|', r.message)
    }
    console.log(count, report.used, Date.now() - started)
  })
})
