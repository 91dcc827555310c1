import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ChainVerifier } from '../../src/audit/chain.js'
import { readHead } from '../../src/audit/head-file.js'
import { StorageUnavailableError } from '../../src/errors.js'
import {
  change,
  ConflictError,
  dateOf,
  insert,
  sql,
  sweep,
  type Change,
  type Database,
  type StoredDate,
} from '../../src/storage/database.js'
import type { DatabaseLog } from '../../src/storage/kept-head.js'

const stopped = { event: 'service.stopped', detail: { pid: 1, reason: 'x' } } as const

export interface AnotherServer {
  readonly headFile: string
  readonly now: () => Date
  readonly log: DatabaseLog
}

export interface OpenedDatabase {
  readonly database: Database
  /** Another server over the same database, without a head file unless said so. */
  another(options?: AnotherServer): Promise<Database>
  close(): Promise<void>
}

/** What `Database` promises, held against one kind. @param open with a head file in the folder */
export function describeDatabase(
  kind: string,
  open: (headFile: string) => Promise<OpenedDatabase>,
): void {
  describe(`A ${kind} database`, () => {
    let folder: string
    let opened: OpenedDatabase
    let database: Database
    let counter = 0

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'openrssp-contract-'))
      opened = await open(join(folder, 'head'))
      database = opened.database
    })
    after(async () => {
      await opened?.close()
      rmSync(folder, { recursive: true })
    })

    /** A name nobody used. */
    const fresh = () => `name ${(counter += 1)}`
    const put = (name: string, value = '1') => insert('Installation', { name, value })
    const spend = (name: string): Change =>
      change(
        sql`UPDATE "Installation" SET "value" = 'used' WHERE "name" = ${name} AND "value" = 'unused'`,
        1,
      )
    const value = async (name: string) =>
      (await database.read.installation.findUnique({ where: { name } }))?.value

    it('refuses a write through the reading connection (S73)', async () => {
      const name = fresh()
      await assert.rejects(
        database.read.installation.create({ data: { name, value: 'b' } }),
        /read-?only/,
      )
      assert.equal(await value(name), undefined)
    })

    it('keeps a unit as a whole or not at all', async () => {
      const name = fresh()
      const before = await database.read.auditRecord.count()
      await assert.rejects(
        database.commit({ changes: [put(name), spend('nobody')], audit: [stopped] }),
        (error) => error instanceof ConflictError && error.change === 1,
      )
      assert.equal(await value(name), undefined)
      assert.equal(await database.read.auditRecord.count(), before)
    })

    it('takes a row count of none, of several, and any for a sweep', async () => {
      const [a, b] = [fresh(), fresh()]
      await database.commit({ changes: [put(a, 'both'), put(b, 'both')] })
      const both = sql`UPDATE "Installation" SET "value" = 'x' WHERE "value" = 'both'`
      await assert.rejects(database.commit({ changes: [change(both, 1)] }), ConflictError)
      await database.commit({ changes: [change(both, 2)] })
      await database.commit({ changes: [change(both, 0), sweep(both)] })
      assert.deepEqual([await value(a), await value(b)], ['x', 'x'])
    })

    it('refuses a taken unique value, a missing reference and a missing value as conflicts', async () => {
      const name = fresh()
      await database.commit({ changes: [put(name)] })
      const identity = { issuer: 'i', subject: name, userId: 'nobody', binding: '' }
      for (const refused of [
        put(name),
        insert('Identity', { ...identity, linkedAt: new Date() }),
        insert('Installation', { name: fresh(), value: null }),
      ]) {
        await assert.rejects(
          database.commit({ changes: [refused] }),
          (error) => error instanceof ConflictError && error.change === 0,
        )
      }
    })

    it('keeps units although those committed beside them fail, and tells each its own fate (S73)', async () => {
      const names = Array.from({ length: 60 }, fresh)
      const results = await Promise.allSettled(
        names.map((name, index) => {
          if (index % 3 === 1) return database.commit({ changes: [put(name), put(name)] })
          if (index % 7 === 2) return database.commit({ changes: [put(name), spend('nobody')] })
          return database.commit({ changes: [put(name)], audit: [stopped] })
        }),
      )
      const stands = names.map((_, index) => index % 3 !== 1 && index % 7 !== 2)
      assert.deepEqual(
        results.map(({ status }) => status === 'fulfilled'),
        stands,
      )
      assert.deepEqual(
        await Promise.all(names.map(async (name) => (await value(name)) === '1')),
        stands,
      )
    })

    it('lets exactly one of 100 conditional writes win, on one server and on two (S8)', async () => {
      const other = await opened.another()
      const audited = await database.read.auditRecord.count()
      for (const servers of [[database], [database, other]]) {
        const name = fresh()
        await database.commit({ changes: [put(name, 'unused')] })
        const results = await Promise.allSettled(
          Array.from({ length: 100 }, (_, index) =>
            (servers[index % servers.length] ?? database).commit({
              ...{ changes: [spend(name)], audit: [stopped] },
            }),
          ),
        )
        assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
      }
      await other.close()
      assert.equal(await database.read.auditRecord.count(), audited + 2)
    })

    it('decides one after the other what two servers write: a condition over rows holds (S76)', async () => {
      const other = await opened.another()
      const prefix = fresh()
      const within = (index: number): Change =>
        change(
          sql`INSERT INTO "Installation" ("name", "value")
              SELECT ${`${prefix} ${index}`}, 'seat'
               WHERE (SELECT COUNT(*) FROM "Installation" WHERE "value" = ${prefix}) < 3`,
          1,
        )
      const results = await Promise.allSettled(
        Array.from({ length: 40 }, (_, index) =>
          (index % 2 === 0 ? database : other).commit({
            changes: [
              within(index),
              change(
                sql`UPDATE "Installation" SET "value" = ${prefix} WHERE "name" = ${`${prefix} ${index}`}`,
                1,
              ),
            ],
          }),
        ),
      )
      await other.close()
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 3)
    })

    it('chains the records of all servers in one line, and keeps the head beside the database (S78)', async () => {
      const other = await opened.another()
      await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          (index % 2 === 0 ? database : other).commit({ changes: [], audit: [stopped, stopped] }),
        ),
      )
      await other.close()
      await database.commit({ changes: [], audit: [stopped] })
      const verifier = new ChainVerifier([])
      for (const record of await database.read.auditRecord.findMany({ orderBy: { seq: 'asc' } })) {
        verifier.add(record)
      }
      const head = verifier.finish()
      assert.deepEqual(verifier.problems, [])
      assert.deepEqual(readHead(join(folder, 'head')), head)
      assert.match(readFileSync(join(folder, 'head'), 'utf8'), /^\d{16} [0-9a-f]{64}\n$/)
    })

    it('answers what it committed although the head cannot be kept, says so, and keeps it later (S78)', async () => {
      const headFile = join(folder, 'full')
      const said: string[] = []
      const say = (_: unknown, message: string) => said.push(message)
      let isFull = false
      const other = await opened.another({
        ...{ headFile, log: { error: say, info: say } as unknown as DatabaseLog },
        now() {
          // Before the first head is written to it, and after the file was looked at.
          if (!isFull) rmSync(headFile, { force: true })
          if (!isFull) symlinkSync('/dev/full', headFile)
          isFull = true
          return new Date()
        },
      })
      const names = [fresh(), fresh()]
      for (const name of names) await other.commit({ changes: [put(name)], audit: [stopped] })
      assert.deepEqual(await Promise.all(names.map(value)), ['1', '1'])
      assert.deepEqual(said, ['the audit head cannot be kept'])
      rmSync(headFile)
      await other.commit({ changes: [put(fresh())] })
      await other.close()
      const newest = await database.read.auditRecord.findFirst({ orderBy: { seq: 'desc' } })
      assert.equal(readHead(headFile)?.hash, newest?.hash)
      assert.deepEqual(said.slice(1), ['the audit head is kept again'])
    })

    it('opens with a head older than its log, and keeps the newer one (S78)', async () => {
      const headFile = join(folder, 'older')
      const options = { headFile, log: { error: () => undefined, info: () => undefined } }
      const open = () => opened.another({ ...options, now: () => new Date() })
      await (await open()).close()
      const older = readHead(headFile)
      await database.commit({ changes: [], audit: [stopped] })
      await (await open()).close()
      assert.equal(readHead(headFile)?.seq, (older?.seq ?? 0) + 1)
    })

    it('takes nothing more once it is closed, and answers what it took', async () => {
      const other = await opened.another()
      const name = fresh()
      const taken = other.commit({ changes: [put(name)] })
      await Promise.all([taken, other.close()])
      await assert.rejects(other.commit({ changes: [] }), StorageUnavailableError)
      assert.equal(await value(name), '1')
    })

    it('shows what was acknowledged to every later read (S73)', async () => {
      for (let index = 0; index < 50; index += 1) {
        const name = fresh()
        await database.commit({ changes: [put(name)] })
        assert.equal(await value(name), '1')
        const rows = sql`SELECT "value" FROM "Installation" WHERE "name" = ${name}`
        assert.deepEqual(await database.rows(rows), [{ value: '1' }])
      }
    })

    it('reports a broken statement to its caller and goes on', async () => {
      await assert.rejects(
        database.commit({ changes: [sweep(sql`UPDATE "Nonsense" SET "x" = 1`)] }),
        StorageUnavailableError,
      )
      await assert.rejects(database.rows(sql`SELECT * FROM "Nonsense"`))
      const name = fresh()
      await database.commit({ changes: [put(name)] })
      assert.equal(await value(name), '1')
    })

    it('gives back what it was given: times to the millisecond, bytes, truth, any text, large numbers', async () => {
      const at = new Date('2026-03-29T01:30:00.007Z')
      const detail = 'quotes " \' and \\, a line\nend, ünï¢ode, 😀, $1, ?, {"a":[1]}'
      const seq = 2 ** 40 + counter
      await database.commit({
        changes: [
          insert('AccountEvent', { seq, userId: 'u', at, event: 'x', detail }),
          insert('AuthorityKey', {
            ...{ name: `bytes ${seq}`, keyId: 'k' },
            certificate: Buffer.from([0, 1, 255, 92, 0]),
          }),
        ],
      })
      const where = { seq: { gt: 2 ** 33 }, at: { gte: at, lte: at }, detail }
      assert.deepEqual(await database.read.accountEvent.findFirst({ where }), {
        ...{ seq, userId: 'u', at, event: 'x', detail },
      })
      const [row] = await database.rows<{ at: StoredDate; seq: number }>(
        sql`SELECT "at", "seq" FROM "AccountEvent" WHERE "at" = ${at} AND "detail" = ${detail}`,
      )
      assert.deepEqual([dateOf(row?.at ?? null), row?.seq], [at, seq])
      const key = await database.read.authorityKey.findUnique({ where: { name: `bytes ${seq}` } })
      assert.deepEqual([...(key?.certificate ?? [])], [0, 1, 255, 92, 0])
    })

    it('orders and compares times as times', async () => {
      const at = (ms: number) => new Date(1_800_000_000_000 + ms)
      const key = fresh()
      await database.commit({
        changes: [0, 1, 999, 1000].map((ms) =>
          insert('Throttle', { key: `${key} ${ms}`, count: 1, windowEnd: at(ms) }),
        ),
      })
      const later = await database.read.throttle.findMany({
        where: { windowEnd: { gt: at(1) }, key: { startsWith: key } },
        orderBy: { windowEnd: 'asc' },
      })
      assert.deepEqual(
        later.map(({ windowEnd }) => windowEnd.getTime() - 1_800_000_000_000),
        [999, 1000],
      )
    })

    it('takes text that a database may not hold for something else than what it begins with', async () => {
      const name = `${fresh()}\0`
      await database.commit({ changes: [put(name)] })
      assert.equal(await value(name), '1')
      assert.equal(await value(name.slice(0, -1)), undefined)
    })

    it('takes a unit of 1000 changes and 1000 units at once', async () => {
      const prefix = fresh()
      const all = Array.from({ length: 1000 }, (_, index) => `${prefix} ${index}`)
      await database.commit({ changes: all.map((name) => put(name)) })
      await Promise.all(all.map((name) => database.commit({ changes: [put(`${name} again`)] })))
      const found = await database.read.installation.count({
        where: { name: { startsWith: `${prefix} ` } },
      })
      assert.equal(found, 2000)
    })
  })
}
