import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { change, ConflictError, insert, sql, type Database } from '../../src/storage/database.js'
import { FencedDatabase, LeaseLostError } from '../../src/storage/fenced-database.js'
import { Lease } from '../../src/storage/lease.js'
import { openDatabase } from '../../src/storage/open-database.js'
import { newPostgresDatabase, type TestDatabase } from '../support/postgresql.js'

const SECONDS = 15
const DAY = 86_400

/** A process: with connections and a clock of its own. */
interface Process {
  readonly database: Database
  readonly lease: Lease
  /** By so many seconds its clock is ahead. */
  ahead: number
}

for (const kind of ['SQLite', 'PostgreSQL']) {
  describe(`Work that one process does at a time, on ${kind}`, () => {
    let folder: string
    let own: TestDatabase | null = null
    let processes: Process[]
    let seconds = 0
    let count = 0
    const now = () => new Date(1_800_000_000_000 + seconds * 1000)

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'openrssp-lease-'))
      if (kind === 'PostgreSQL') own = await newPostgresDatabase()
      const url = own?.url ?? `file:${join(folder, 'test.db')}`
      const databases = await Promise.all(
        [1, 2].map(() => openDatabase({ url, headFile: null, now, connections: 2 })),
      )
      processes = databases.map((opened) => new FencedDatabase(opened)).map(newProcess)
    })
    beforeEach(() => {
      seconds += 1000
    })
    after(async () => {
      await Promise.all((processes ?? []).map(({ database }) => database.close()))
      await own?.drop()
      rmSync(folder, { recursive: true })
    })

    function newProcess(database: Database): Process {
      const own = { database, ahead: 0 }
      const now = () => new Date(1_800_000_000_000 + (seconds + own.ahead) * 1000)
      const elapsed = () => seconds * 1000
      const lease = new Lease({ database, now, elapsed, name: 'work', seconds: SECONDS })
      return Object.assign(own, { lease })
    }

    const two = () => processes as [Process, Process]
    const fresh = () => `fact ${(count += 1)}`
    const put = (name: string) => insert('Installation', { name, value: '1' })
    const isThere = async (name: string) =>
      (await two()[0].database.read.installation.count({ where: { name } })) === 1
    const nothing = () => Promise.resolve()

    it('is done by one of two that ask at once, and goes on being its', async () => {
      const [a, b] = two()
      const did = await Promise.all([a.lease.run(nothing), b.lease.run(nothing)])
      assert.deepEqual([...did].sort(), [false, true])
      seconds += SECONDS - 1
      assert.deepEqual([await a.lease.run(nothing), await b.lease.run(nothing)], did)
      seconds += SECONDS - 1
      assert.deepEqual([await a.lease.run(nothing), await b.lease.run(nothing)], did)
    })

    it('is taken over when its time is over, and at once when it was released', async () => {
      const [a, b] = two()
      assert.ok(await a.lease.run(nothing))
      assert.ok(!(await b.lease.run(nothing)))
      seconds += SECONDS
      assert.ok(await b.lease.run(nothing))
      assert.ok(!(await a.lease.run(nothing)))
      await b.lease.release()
      assert.ok(await a.lease.run(nothing))
    })

    it('writes nothing any more for a process that slept while another took over (S75)', async () => {
      const [a, b] = two()
      const [early, late, other] = [fresh(), fresh(), fresh()]
      let wake: () => void = () => undefined
      const asleep = new Promise<void>((resolve) => (wake = resolve))
      let fallsAsleep: () => void = () => undefined
      const fallenAsleep = new Promise<void>((resolve) => (fallsAsleep = resolve))
      const slept = a.lease.run(async () => {
        await a.database.commit({ changes: [put(early)] })
        fallsAsleep()
        await asleep
        await a.database.commit({ changes: [put(late)], audit: [] })
      })
      await fallenAsleep
      seconds += SECONDS
      assert.ok(await b.lease.run(() => b.database.commit({ changes: [put(other)] })))
      wake()
      await assert.rejects(slept, LeaseLostError)
      assert.deepEqual(await Promise.all([early, late, other].map(isThere)), [true, false, true])
      assert.ok(!(await a.lease.run(nothing)))
    })

    it('is taken over soon from a process that ended while its clock was wrong (S75)', async () => {
      const [a] = two()
      const b = newProcess(a.database)
      const ended = newProcess(a.database)
      for (const ahead of [DAY, -DAY]) {
        seconds += SECONDS
        ended.ahead = ahead
        assert.ok(await ended.lease.run(nothing))
        ended.ahead = 0
        seconds += SECONDS
        if (!(await b.lease.run(nothing))) {
          seconds += SECONDS
          assert.ok(await b.lease.run(nothing), `${ahead} seconds`)
        }
        await b.lease.release()
      }
    })

    it('is left to a process that extends it, whatever its clock says', async () => {
      const [a, b] = two()
      a.ahead = DAY
      assert.ok(await a.lease.run(nothing))
      for (let turn = 0; turn < 4; turn += 1) {
        seconds += SECONDS - 1
        assert.ok(!(await b.lease.run(nothing)))
        assert.ok(await a.lease.run(nothing))
      }
      await a.lease.release()
      assert.ok(await b.lease.run(nothing), 'given back by a clock that was ahead')
      await b.lease.release()
      a.ahead = 0
    })

    it('is extended by a process whose clock was set back', async () => {
      const [a, b] = two()
      assert.ok(await a.lease.run(nothing))
      a.ahead = -SECONDS / 2
      for (let turn = 0; turn < 3; turn += 1) {
        seconds += SECONDS / 2 - 1
        assert.ok(await a.lease.run(nothing))
        assert.ok(!(await b.lease.run(nothing)))
      }
      a.ahead = 0
      await a.lease.release()
    })

    it('is kept by writing, however long it takes, and by a process that slept while nobody came', async () => {
      const [a, b] = two()
      await a.lease.run(async () => {
        for (let turn = 0; turn < 4; turn += 1) {
          seconds += SECONDS - 1
          await a.database.commit({ changes: [put(fresh())] })
          assert.ok(!(await b.lease.run(nothing)))
        }
        seconds += 10 * SECONDS
        await a.database.commit({ changes: [put(fresh())] })
      })
    })

    it('leaves other writes of the process alone, and tells conflicts as they are', async () => {
      const [a, b] = two()
      assert.ok(await a.lease.run(nothing))
      seconds += SECONDS
      assert.ok(await b.lease.run(nothing))
      await a.database.commit({ changes: [put(fresh())] })
      const nobody = change(sql`DELETE FROM "Installation" WHERE "name" = 'nobody'`, 1)
      await assert.rejects(
        b.lease.run(() => b.database.commit({ changes: [put(fresh()), nobody] })),
        (error) => error instanceof ConflictError && error.change === 1,
      )
    })
  })
}
