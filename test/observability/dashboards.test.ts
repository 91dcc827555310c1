import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Metrics } from '../../src/observability/metrics.js'

const DOCS = join(import.meta.dirname, '../../docs')
const NAME = /\b(?:openrssp|nodejs|process)_[a-z0-9_]+/g

interface Described {
  readonly name: string
  readonly type: string
  readonly help: string
}

describe('Dashboard, alert rules and documentation', () => {
  let known: Described[]
  /** Every name a series can have. */
  let series: Set<string>

  before(async () => {
    known = (await new Metrics().data()) as Described[]
    series = new Set(
      known.flatMap(({ name, type }) =>
        type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
      ),
    )
  })

  const read = (file: string) => readFileSync(join(DOCS, file), 'utf8')
  const namesIn = (text: string) => [...new Set(text.match(NAME))]

  it('the dashboard asks for metrics that there are', () => {
    const dashboard = JSON.parse(read('grafana/openrssp.json')) as {
      panels: { targets?: { expr: string }[] }[]
    }
    const asked = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    const names = namesIn(asked.join('\n'))
    assert.ok(names.length > 20)
    assert.deepEqual(
      names.filter((name) => !series.has(name)),
      [],
    )
  })

  it('the alert rules do, too', () => {
    const names = namesIn(read('prometheus/alerts.yml'))
    assert.ok(names.length > 10)
    assert.deepEqual(
      names.filter((name) => !series.has(name)),
      [],
    )
  })

  it('whose increase an alert rule waits for is there before it happens: nothing increases to one', async () => {
    const metrics = new Metrics()
    metrics.choreRan('reservations', 'done')
    const series = (await metrics.text()).split('\n').filter((line) => line.endsWith(' 0'))
    const waited = [...read('prometheus/alerts.yml').matchAll(/increase\((\w+)(?:\{(.*?)\})?\[/g)]
    assert.ok(waited.length > 6)
    for (const [expression, name = '', labels = ''] of waited) {
      const [, label, values] = /^(\w+)=~?"(.*)"$/.exec(labels) ?? []
      for (const value of values?.split('|') ?? ['']) {
        const isThere = series.some(
          (line) =>
            line.startsWith(name) && (label === undefined || line.includes(`${label}="${value}"`)),
        )
        assert.ok(isThere, `${expression} ${value}`)
      }
    }
  })

  it('docs/observability.md says what each metric of ours means, in the words of /metrics', () => {
    const described = [
      ...read('observability.md').matchAll(/^\| `(openrssp_\w+)` +\| (.*?) +\|$/gm),
    ]
    const ours = known.filter(({ name }) => name.startsWith('openrssp_'))
    assert.deepEqual(
      described.map(([, name, help]) => `${name}: ${help}`).sort(),
      ours.map(({ name, help }) => `${name}: ${help}`).sort(),
    )
  })
})
