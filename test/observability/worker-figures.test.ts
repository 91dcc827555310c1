import assert from 'node:assert/strict'
import type { Worker } from 'node:cluster'
import { EventEmitter } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { Metrics } from '../../src/observability/metrics.js'
import { WorkerFigures } from '../../src/observability/worker-figures.js'
import { sample } from '../support/figures.js'

/** A worker as the process above it sees it. */
class FakeWorker extends EventEmitter {
  readonly #metrics: Metrics | null
  silent = false
  constructor(metrics: Metrics | null) {
    super()
    this.#metrics = metrics
  }
  isConnected(): boolean {
    return true
  }
  send({ figures }: { figures: number }): void {
    if (!this.silent)
      void this.#metrics?.data().then((data) => this.emit('message', { figures, data }))
  }
}

describe('The metrics of several workers', () => {
  const signed = (digests: number) => {
    const metrics = new Metrics()
    metrics.ledger('consumed', digests)
    return metrics
  }
  const figuresOf = (workers: FakeWorker[]) =>
    new WorkerFigures({ workers: () => workers as unknown as Worker[], own: new Metrics() })
  const text = (...workers: FakeWorker[]) => figuresOf(workers).text()
  const consumed = 'openrssp_ledger_digests_total{state="consumed"}'

  it('are added up', async () => {
    const workers = [new FakeWorker(signed(2)), new FakeWorker(signed(3))]
    assert.equal(sample(await text(...workers), consumed), 5)
    assert.deepEqual(
      workers.map((worker) => worker.listenerCount('message')),
      [0, 0],
    )
  })

  it('do without a worker that does not answer, or ends while it is asked', async () => {
    const ending = new FakeWorker(null)
    const all = text(new FakeWorker(signed(2)), new FakeWorker(null), ending)
    await turn()
    ending.emit('exit')
    assert.equal(sample(await all, consumed), 2)
  })

  it('never fall when a worker ends or is silent, which Prometheus would take for a new beginning', async () => {
    const [first, second] = [new FakeWorker(signed(2)), new FakeWorker(signed(3))]
    const workers = [first, second]
    const figures = figuresOf(workers)
    assert.equal(sample(await figures.text(), consumed), 5)
    second.silent = true
    const silent = figures.text()
    await turn()
    second.emit('exit')
    assert.equal(sample(await silent, consumed), 5)
    for (const worker of [second, first]) {
      workers.splice(workers.indexOf(worker), 1)
      const texts = await Promise.all([figures.text(), figures.text()])
      assert.deepEqual(
        texts.map((each) => sample(each, consumed)),
        [5, 5],
      )
    }
    workers.push(new FakeWorker(signed(4)))
    assert.equal(sample(await figures.text(), consumed), 9)
  })

  it('are levels of those alone who are there', async () => {
    const waiting = new Metrics()
    waiting.watch({ commitsWaiting: () => 7 })
    const workers = [new FakeWorker(waiting)]
    const figures = figuresOf(workers)
    assert.equal(sample(await figures.text(), 'openrssp_database_commits_waiting'), 7)
    workers.pop()
    assert.equal(sample(await figures.text(), 'openrssp_database_commits_waiting'), 0)
  })
})
