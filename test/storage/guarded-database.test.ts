import assert from 'node:assert/strict'
import { StorageUnavailableError } from '../../src/errors.js'
import { Metrics } from '../../src/observability/metrics.js'
import { UNMEASURED } from '../../src/observability/tracing.js'
import { ConflictError, type Database, type Unit } from '../../src/storage/database.js'
import { GuardedDatabase } from '../../src/storage/guarded-database.js'
import { sample } from '../support/figures.js'

const stopped = { event: 'service.stopped', detail: { pid: 1, reason: 'x' } } as const

describe('A guarded database', () => {
  let metrics: Metrics
  let database: GuardedDatabase
  let write: () => void
  let written: Unit[]
  let failure: Error | null

  beforeEach(() => {
    written = []
    failure = null
    metrics = new Metrics()
    const disk = new Promise<void>((resolve) => (write = resolve))
    const slow: Pick<Database, 'commit' | 'close'> = {
      async commit(unit) {
        await disk
        if (failure) throw failure
        written.push(unit)
      },
      close: () => Promise.resolve(),
    }
    database = new GuardedDatabase(slow as Database, { metrics, steps: UNMEASURED, mostWaiting: 2 })
  })

  it('turns work away when too much waits, and loses nothing of what it took (S107)', async () => {
    const taken = [1, 2].map(() => database.commit({ changes: [], audit: [stopped] }))
    await assert.rejects(database.commit({ changes: [] }), StorageUnavailableError)
    write()
    await Promise.all(taken)
    assert.equal(written.length, 2)
    await database.commit({ changes: [] })
    const text = await metrics.text()
    assert.equal(sample(text, 'openrssp_database_commits_refused_total'), 1)
    assert.equal(sample(text, 'openrssp_audit_events_total{event="service.stopped"}'), 2)
  })

  it('always takes what concludes something that was begun', async () => {
    const taken = [1, 2].map(() => database.commit({ changes: [] }))
    const concluding = database.commit({ changes: [], concludes: true })
    write()
    await Promise.all([...taken, concluding])
    assert.equal(written.length, 3)
  })

  it('cannot write from a failed commit on until one succeeds, which it tries when asked (S80)', async () => {
    write()
    await database.commit({ changes: [] })
    assert.equal(await database.canWrite(), true)
    assert.equal(written.length, 1, 'asking wrote something')
    failure = new StorageUnavailableError('SQLITE_FULL')
    await assert.rejects(database.commit({ changes: [] }), failure)
    assert.equal(await database.canWrite(), false)
    failure = null
    assert.equal(await database.canWrite(), true)
  })

  it('can write when somebody else was first, which says nothing of a disk that is full', async () => {
    write()
    failure = new ConflictError(0)
    await assert.rejects(database.commit({ changes: [] }), failure)
    assert.equal(await database.canWrite(), true)
    assert.equal(written.length, 0)
    failure = new StorageUnavailableError('SQLITE_FULL')
    await assert.rejects(database.commit({ changes: [] }), failure)
    const full = failure
    failure = new ConflictError(0)
    await assert.rejects(database.commit({ changes: [] }), failure)
    failure = full
    assert.equal(await database.canWrite(), false)
  })
})
