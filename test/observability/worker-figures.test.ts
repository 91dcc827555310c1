import assert from 'node:assert/strict'
import type { Worker } from 'node:cluster'
import { EventEmitter } from 'node:events'
import { Metrics } from '../../src/observability/metrics.js'
import { WorkerFigures } from '../../src/observability/worker-figures.js'
import { sample } from '../support/figures.js'

/** A worker as the process above it sees it. */
class FakeWorker extends EventEmitter {
  readonly #metrics: Metrics | null
  constructor(metrics: Metrics | null) {
    super()
    this.#metrics = metrics
  }
  isConnected(): boolean {
    return true
  }
  send({ figures }: { figures: number }): void {
    void this.#metrics?.data().then((data) => this.emit('message', { figures, data }))
  }
}

describe('The metrics of several workers', () => {
  const signed = (digests: number) => {
    const metrics = new Metrics()
    metrics.ledger('consumed', digests)
    return metrics
  }
  const text = (...workers: FakeWorker[]) =>
    new WorkerFigures({
      workers: () => workers as unknown as Worker[],
      own: new Metrics(),
    }).text()
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
    ending.emit('exit')
    assert.equal(sample(await all, consumed), 2)
  })
})
