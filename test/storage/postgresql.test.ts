import assert from 'node:assert/strict'
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatHead, readHead } from '../../src/audit/head-file.js'
import { StorageUnavailableError } from '../../src/errors.js'
import { change, ConflictError, insert, sql } from '../../src/storage/database.js'
import { migrationFiles } from '../../src/storage/migration-files.js'
import { openClient, openWriter } from '../../src/storage/postgresql/connection.js'
import { applyMigrations } from '../../src/storage/postgresql/migrations.js'
import { PostgresqlDatabase } from '../../src/storage/postgresql/postgresql-database.js'
import { postgresqlDifference } from '../../scripts/schema-diff.js'
import {
  newEmptyDatabase,
  newPostgresDatabase,
  PrivatePostgres,
  type TestDatabase,
} from '../support/postgresql.js'
import { soonestOf } from '../support/soonest.js'

const now = () => new Date()
const stopped = { event: 'service.stopped', detail: { pid: 1, reason: 'x' } } as const
const put = (name: string, value = '1') => insert('Installation', { name, value })
const spend = (name: string) =>
  change(
    sql`UPDATE "Installation" SET "value" = 'used' WHERE "name" = ${name} AND "value" = 'unused'`,
    1,
  )

describe('Migrations of PostgreSQL', () => {
  let empty: TestDatabase
  beforeEach(async () => {
    empty = await newEmptyDatabase()
  })
  afterEach(() => empty.drop())

  it('produce exactly what the models say', async () => {
    assert.equal(await postgresqlDifference(empty.url), '-- This is an empty migration.')
  })

  it('have no number that ends at 2^31', () => {
    for (const { name, sql: text } of migrationFiles('postgresql')) {
      assert.doesNotMatch(text, /\b(INTEGER|INT4?|SERIAL)\b/i, name)
    }
  })

  it('are applied once by servers that start at once, and recorded as Prisma records them', async () => {
    const clients = await Promise.all([1, 2, 3, 4].map(() => openClient(empty.url, 'test')))
    const applied = await Promise.all(clients.map((client) => applyMigrations(client)))
    const files = migrationFiles('postgresql')
    assert.deepEqual(
      applied.flat(),
      files.map(({ name }) => name),
    )
    const { rows } = (await clients[0]?.query(
      `SELECT "migration_name" AS name, "checksum", "applied_steps_count" AS steps,
              "finished_at" IS NOT NULL AND "rolled_back_at" IS NULL AS done
         FROM "_prisma_migrations" ORDER BY "migration_name"`,
    )) ?? { rows: [] }
    assert.deepEqual(
      rows,
      files.map(({ name, checksum }) => ({ name, checksum, steps: 1, done: true })),
    )
    await Promise.all(clients.map((client) => client.end()))
  })

  it('that were changed after they were applied are refused', async () => {
    const client = await openClient(empty.url, 'test')
    await applyMigrations(client)
    await client.query(`UPDATE "_prisma_migrations" SET "checksum" = 'other'`)
    await client.end()
    await assert.rejects(
      PostgresqlDatabase.open({ url: empty.url, headFile: null, now }),
      /was changed after it was applied/,
    )
  })
})

describe('The PostgreSQL database', () => {
  let folder: string
  let own: TestDatabase
  let database: PostgresqlDatabase

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-postgresql-test-'))
    own = await newPostgresDatabase()
    database = await PostgresqlDatabase.open({ url: own.url, headFile: null, now })
  })
  after(async () => {
    await database.close()
    await own.drop()
    rmSync(folder, { recursive: true })
  })

  it('answers a commit when it is on disk, whatever the role is set to (S72)', async () => {
    const role = new URL(own.url).username
    const name = new URL(own.url).pathname.slice(1)
    const client = await openClient(own.url, 'test')
    for (const [value, kept] of [
      ['off', 'on'],
      ['local', 'on'],
      ['remote_apply', 'remote_apply'],
    ]) {
      await client.query(
        `ALTER ROLE ${role} IN DATABASE "${name}" SET synchronous_commit = ${value}`,
      )
      const writer = await openWriter(own.url)
      const { rows } = await writer.query('SHOW synchronous_commit')
      assert.deepEqual(rows, [{ synchronous_commit: kept }])
      await writer.end()
    }
    await client.query(`ALTER ROLE ${role} IN DATABASE "${name}" RESET synchronous_commit`)
    await client.end()
  })

  it('keeps times and bytes as they are, whatever the role is set to', async () => {
    const name = `"${new URL(own.url).pathname.slice(1)}"`
    const client = await openClient(own.url, 'test')
    for (const setting of [
      "datestyle = 'German, DMY'",
      "timezone = 'Asia/Kolkata'",
      'bytea_output = escape',
    ]) {
      await client.query(`ALTER ROLE CURRENT_USER IN DATABASE ${name} SET ${setting}`)
    }
    const other = await PostgresqlDatabase.open({ url: own.url, headFile: null, now })
    const until = new Date('2027-02-03T04:05:06.789Z')
    const lease = { name: 'odd', holder: 'nobody', until }
    const list = { issuer: 'odd', bytes: Buffer.from([0, 92, 255]), nextUpdate: until }
    try {
      await other.commit({
        changes: [insert('Lease', lease), insert('RevocationList', { ...list, number: 1 })],
      })
      assert.deepEqual(await other.rows(sql`SELECT * FROM "Lease" WHERE "name" = 'odd'`), [lease])
      assert.deepEqual(await other.read.lease.findUnique({ where: { name: 'odd' } }), lease)
      const found = await other.read.revocationList.findUnique({ where: { issuer: 'odd' } })
      assert.deepEqual(Buffer.from(found?.bytes ?? []), list.bytes)
    } finally {
      await other.close()
      await client.query(`ALTER ROLE CURRENT_USER IN DATABASE ${name} RESET ALL`)
      await client.end()
    }
  })

  it('is in the schema that the role looks into, such as one of its own name', async () => {
    const empty = await newEmptyDatabase()
    const client = await openClient(empty.url, 'test')
    await client.query('CREATE SCHEMA AUTHORIZATION CURRENT_USER')
    const other = await PostgresqlDatabase.open({ url: empty.url, headFile: null, now })
    try {
      await other.commit({ changes: [put('here')] })
      const where = { name: 'here' }
      assert.equal(await other.read.installation.count({ where }), 1)
      const rows = await other.rows(sql`SELECT "name" FROM "Installation" WHERE "name" = 'here'`)
      assert.deepEqual(rows, [where])
    } finally {
      await other.close()
      await client.end()
      await empty.drop()
    }
  })

  it('is not opened where nothing can be written, as on a standby (S76)', async () => {
    const client = await openClient(own.url, 'test')
    const name = new URL(own.url).pathname.slice(1)
    const role = new URL(own.url).username
    await client.query(
      `ALTER ROLE ${role} IN DATABASE "${name}" SET default_transaction_read_only = on`,
    )
    await assert.rejects(
      PostgresqlDatabase.open({ url: own.url, headFile: null, now }),
      (error) =>
        error instanceof StorageUnavailableError && /accepts no writes/.test(error.message),
    )
    await client.query('SET default_transaction_read_only = off')
    await client.query(
      `ALTER ROLE ${role} IN DATABASE "${name}" RESET default_transaction_read_only`,
    )
    await client.end()
  })

  it('is not opened when its log is shorter than a head kept elsewhere says (S78)', async () => {
    const headFile = join(folder, 'head')
    await database.commit({ changes: [], audit: [stopped] })
    writeFileSync(headFile, formatHead({ seq: 4711, hash: 'a'.repeat(64) }))
    await assert.rejects(
      PostgresqlDatabase.open({ url: own.url, headFile, now }),
      /does not hold record 4711/,
    )
    assert.match(readFileSync(headFile, 'utf8'), /4711/)
  })

  it('gives up a write for which another holds the lock too long, and writes again after (S74)', async () => {
    const holder = await openClient(own.url, 'test')
    await holder.query('BEGIN')
    await holder.query('SELECT pg_advisory_xact_lock(1869640304)')
    const start = performance.now()
    await assert.rejects(database.commit({ changes: [put('late')] }), StorageUnavailableError)
    assert.ok(performance.now() - start < 20_000)
    await holder.query('ROLLBACK')
    await holder.end()
    await database.commit({ changes: [put('late')] })
  })

  it('takes the lock from a writer that sleeps in the middle of a transaction (S75)', async () => {
    const sleeper = await openWriter(own.url)
    await sleeper.query('BEGIN')
    await sleeper.query('SELECT pg_advisory_xact_lock(1869640304)')
    await sleeper.query(`INSERT INTO "Installation" VALUES ('asleep', '1')`)
    await database.commit({ changes: [put('awake')] })
    await assert.rejects(sleeper.query('COMMIT'))
    assert.equal(await database.read.installation.findUnique({ where: { name: 'asleep' } }), null)
  })

  it('reads on when a newer version adds a column to what is being read (S108)', async () => {
    const all = sql`SELECT * FROM "Throttle"`
    await database.rows(all)
    const client = await openClient(own.url, 'test')
    await client.query(`ALTER TABLE "Throttle" ADD COLUMN "added" TEXT`)
    for (let turn = 0; turn < 2; turn += 1) {
      const rows = await Promise.all(Array.from({ length: 10 }, () => database.rows(all)))
      assert.equal(rows.length, 10)
      assert.equal(await database.read.throttle.count(), 0)
    }
    await client.query(`ALTER TABLE "Throttle" DROP COLUMN "added"`)
    await client.end()
    assert.deepEqual(await database.rows(all), [])
  })

  it('answers each of those who read at the same moment, whatever becomes of the others', async () => {
    const name = (value: string) =>
      sql`SELECT ${value} AS "name", NULL AS "none", 7::bigint AS "count"`
    const wrong = sql`SELECT 1 / ${0}::int AS "never"`
    const asked = await Promise.allSettled([
      ...Array.from({ length: 70 }, (_, index) => database.rows(name(`before ${index}`))),
      ...[database.rows(wrong), database.rows(name('after "it" \\'))],
    ])
    const answers = asked.map((each) => (each.status === 'fulfilled' ? each.value : null))
    assert.deepEqual(answers[69], [{ name: 'before 69', none: null, count: 7 }])
    assert.deepEqual(answers[71], [{ name: 'after "it" \\', none: null, count: 7 }])
    assert.equal(answers.filter((each) => each === null).length, 1)
    assert.ok(asked[70]?.status === 'rejected' && /division by zero/.test(String(asked[70].reason)))
  })

  it('reads nothing by a connection that could write', async () => {
    await assert.rejects(
      database.rows(sql`INSERT INTO "Installation" VALUES ('read', '1') RETURNING "name"`),
      /read-only transaction/,
    )
  })

  it('goes on over new connections after all were cut, and nobody notices', async () => {
    const all = sql`SELECT count(*) AS "count" FROM "Throttle"`
    await Promise.all([1, 2, 3].map(() => database.rows(all)))
    await Promise.all([1, 2, 3].map(() => database.read.installation.count()))
    const client = await openClient(own.url, 'test')
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    )
    await client.end()
    await Promise.all([1, 2, 3].map(() => database.rows(all)))
    await database.commit({ changes: [put('after the cut')], audit: [stopped] })
    assert.ok(await database.read.installation.findUnique({ where: { name: 'after the cut' } }))
  })
})

describe('Connections to PostgreSQL that died while nobody used them', () => {
  let own: TestDatabase
  let relay: Relay
  let database: PostgresqlDatabase

  before(async () => {
    own = await newPostgresDatabase()
    relay = await Relay.open(own.url)
    database = await PostgresqlDatabase.open({ url: relay.url, headFile: null, now })
  })
  after(async () => {
    await database.close()
    relay.close()
    await own.drop()
  })

  const asleep = (seconds: number) => sql`SELECT pg_sleep(${seconds})::text AS "slept"`

  it('are replaced one after the other, however many there are, and nobody notices', async () => {
    await Promise.all([1, 2, 3, 4].map(() => database.read.installation.count()))
    relay.cutWhenUsed()
    assert.equal(await database.read.installation.count(), 0)
    assert.ok(relay.lost > 1, 'only one was idle')
  })

  it('are not asked again for what another of them was asked when it died', async () => {
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    const first = database.rows(asleep(0.1))
    await turn()
    const second = database.rows(asleep(0.5))
    await first
    relay.cutWhenUsed()
    assert.equal((await second).length, 1)
  })

  it('are not asked again when the server says that it ends them', async () => {
    const client = await openClient(own.url, 'test')
    for (let turn = 0; turn < 2; turn += 1) {
      const asked = [1, 2, 3].map(() => database.rows(asleep(0.2)))
      for (let ended: number | null = 0; ended === 0;) {
        const { rowCount } = await client.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND state = 'active' AND query LIKE '%AS "slept"'`,
        )
        ended = rowCount
      }
      assert.equal((await Promise.all(asked)).length, 3)
    }
    await client.end()
  })
})

describe('The audit log in PostgreSQL, tampered with while a server runs (S70, S78)', () => {
  let own: TestDatabase
  let database: PostgresqlDatabase

  beforeEach(async () => {
    own = await newPostgresDatabase()
    database = await PostgresqlDatabase.open({ url: own.url, headFile: null, now })
  })
  afterEach(async () => {
    await database.close()
    await own.drop()
  })

  const record = (through = database) => through.commit({ changes: [], audit: [stopped] })
  const numbers = async () => {
    const records = await database.read.auditRecord.findMany({ orderBy: { seq: 'asc' } })
    return records.map(({ seq }) => seq)
  }
  const tamper = async (text: string) => {
    const client = await openClient(own.url, 'test')
    await client.query(text)
    await client.end()
  }

  it('takes no more when its end was cut off, which nothing would show afterwards', async () => {
    await record()
    await record()
    await tamper('DELETE FROM "AuditRecord" WHERE "seq" = 2')
    for (const unit of [{ changes: [], audit: [stopped] }, { changes: [put('without')] }]) {
      await assert.rejects(
        database.commit(unit),
        (error) =>
          error instanceof StorageUnavailableError &&
          /does not hold record 2 any more/.test(error.message),
      )
    }
    assert.deepEqual(await numbers(), [1])
    assert.equal(await database.read.installation.findUnique({ where: { name: 'without' } }), null)
  })

  it('takes no more when all of it was deleted', async () => {
    await record()
    await tamper('DELETE FROM "AuditRecord"')
    await assert.rejects(record(), /does not hold record 1 any more/)
  })

  it('takes no more when the newest record was made anew', async () => {
    await record()
    await tamper(`UPDATE "AuditRecord" SET "hash" = repeat('f', 64)`)
    await assert.rejects(record(), /does not hold record 1 any more/)
  })

  it('takes no more of any server whose newest record is gone, whoever wrote after it', async () => {
    const other = await PostgresqlDatabase.open({ url: own.url, headFile: null, now })
    await record()
    await record(other)
    await record(other)
    await record()
    await record(other)
    await tamper('DELETE FROM "AuditRecord" WHERE "seq" = 4')
    await assert.rejects(record(), /does not hold record 4 any more/)
    await other.close()
  })

  it('is not committed to where the database drops records on the way, one among many either', async () => {
    await record()
    await tamper(`
      CREATE FUNCTION hush() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.seq = TG_ARGV[0]::bigint THEN RETURN NULL; END IF; RETURN NEW; END $$;
      CREATE TRIGGER hush BEFORE INSERT ON "AuditRecord" FOR EACH ROW EXECUTE FUNCTION hush(3)`)
    const three = Array.from({ length: 3 }, () => stopped)
    for (const audit of [three, three.slice(1)]) {
      await assert.rejects(
        database.commit({ changes: [put('hushed')], audit }),
        (error) =>
          error instanceof StorageUnavailableError && /does not hold record/.test(error.message),
      )
    }
    assert.equal(await database.read.installation.findUnique({ where: { name: 'hushed' } }), null)
    await tamper('DROP TRIGGER hush ON "AuditRecord"')
    await record()
    assert.deepEqual(await numbers(), [1, 2])
  })

  it('shows with the next commit what the database drops at the end of one', async () => {
    await record()
    await tamper(`
      CREATE FUNCTION hush() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN DELETE FROM "AuditRecord" WHERE "seq" = NEW.seq; RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER hush AFTER INSERT ON "AuditRecord" DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION hush()`)
    await record()
    await assert.rejects(record(), /does not hold record 2 any more/)
  })
})

describe('A commit to PostgreSQL whose answer is lost', () => {
  let own: TestDatabase
  let relay: Relay
  let database: PostgresqlDatabase

  before(async () => {
    own = await newPostgresDatabase()
    relay = await Relay.open(own.url)
    database = await PostgresqlDatabase.open({ url: relay.url, headFile: null, now })
  })
  after(async () => {
    await database.close()
    relay.close()
    await own.drop()
  })

  it('is found by its audit records, and not made twice (S74)', async () => {
    await database.commit({ changes: [put('code', 'unused')] })
    relay.loseNextAnswer()
    const before = await database.read.auditRecord.count()
    await database.commit({ changes: [spend('code')], audit: [stopped] })
    assert.equal(relay.lost, 1)
    assert.equal(await database.read.auditRecord.count(), before + 1)
  })

  it('tells each unit of the batch the fate it had', async () => {
    await database.commit({ changes: [put('code 2', 'unused')] })
    relay.loseNextAnswer()
    const results = await Promise.allSettled([
      database.commit({ changes: [put('first')], audit: [stopped] }),
      database.commit({ changes: [spend('code 2')], audit: [stopped] }),
      database.commit({ changes: [spend('code 2')], audit: [stopped] }),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected'],
    )
    assert.ok(results[2]?.status === 'rejected' && results[2].reason instanceof ConflictError)
  })

  it('is not taken for done, nor for undone, when it left no record (S74)', async () => {
    relay.loseNextAnswer()
    await assert.rejects(
      database.commit({ changes: [put('unknown')] }),
      (error) => error instanceof StorageUnavailableError && /not known/.test(error.message),
    )
    assert.ok(await database.read.installation.findUnique({ where: { name: 'unknown' } }))
  })

  it('is made again when it never arrived, as its records show', async () => {
    relay.cutBeforeCommit()
    await database.commit({ changes: [put('again')], audit: [stopped] })
    assert.equal(relay.lost, 4)
    assert.ok(await database.read.installation.findUnique({ where: { name: 'again' } }))
  })
})

describe('A PostgreSQL server that comes to harm', function () {
  let server: PrivatePostgres
  let folder: string
  let database: PostgresqlDatabase

  before(async () => {
    server = await PrivatePostgres.start()
    folder = mkdtempSync(join(tmpdir(), 'openrssp-postgresql-test-'))
    const headFile = join(folder, 'head')
    database = await PostgresqlDatabase.open({ url: server.url, headFile, now })
  })
  after(async () => {
    await database.close()
    await server.stop()
    rmSync(folder, { recursive: true })
  })

  it('keeps what it answered when it is killed among writes, and no code is spent twice (S102)', async () => {
    const codes = Array.from({ length: 400 }, (_, index) => `code ${index}`)
    await database.commit({ changes: codes.map((name) => put(name, 'unused')) })
    const spent: string[] = []
    let up = Promise.resolve()
    const spendAll = async () => {
      for (let name = codes.pop(); name !== undefined; name = codes.pop()) {
        // Those that are being spent meet the crash; however long it takes, the others wait.
        await up
        const [a, b] = await Promise.allSettled(
          [1, 2].map(() => database.commit({ changes: [spend(name)], audit: [stopped] })),
        )
        assert.ok(a?.status === 'rejected' || b?.status === 'rejected', 'spent twice')
        if (a?.status === 'fulfilled' || b?.status === 'fulfilled') spent.push(name)
      }
    }
    const spending = Promise.all(Array.from({ length: 8 }, spendAll))
    for (const left of [300, 150]) {
      while (codes.length > left) await new Promise((resolve) => setImmediate(resolve))
      up = server.crash().then(() => server.restart())
      await up
    }
    await spending
    const used = await database.read.installation.findMany({ where: { value: 'used' } })
    const names = new Set(used.map(({ name }) => name))
    assert.ok(spent.length > 100, `only ${spent.length} were spent`)
    assert.deepEqual(
      spent.filter((name) => !names.has(name)),
      [],
    )
    assert.equal(await database.read.auditRecord.count(), used.length)
    assert.equal(readHead(join(folder, 'head'))?.seq, used.length)
  })

  it('is answered for at once with a refusal while it is stopped, and used again when it is back', async () => {
    await server.crash()
    await assert.rejects(database.commit({ changes: [put('stopped')] }), StorageUnavailableError)
    const took = await soonestOf(5, 1000, async () => {
      await Promise.all(
        Array.from({ length: 20 }, () =>
          assert.rejects(database.commit({ changes: [put('stopped')] }), StorageUnavailableError),
        ),
      )
      await assert.rejects(database.read.installation.count(), StorageUnavailableError)
      await assert.rejects(database.rows(sql`SELECT 1`), StorageUnavailableError)
    })
    assert.ok(took < 1000, `${took} ms`)
    await server.restart()
    await database.commit({ changes: [put('back')] })
    assert.equal(await database.read.installation.count({ where: { name: 'stopped' } }), 0)
  })

  it('is not waited for when it stands still', async () => {
    server.pause()
    const start = performance.now()
    try {
      await Promise.all([
        assert.rejects(database.commit({ changes: [put('still')] }), StorageUnavailableError),
        assert.rejects(database.read.installation.count(), StorageUnavailableError),
      ])
      assert.ok(performance.now() - start < 30_000)
    } finally {
      server.resume()
    }
    await database.commit({ changes: [put('moving')] })
    assert.equal(await database.read.installation.count({ where: { name: 'still' } }), 0)
  })

  it('is refused when it can lose what it answered (S72)', async () => {
    for (const name of ['fsync', 'full_page_writes']) {
      const unsafe = await PrivatePostgres.start([`${name}=off`])
      await assert.rejects(
        PostgresqlDatabase.open({ url: unsafe.url, headFile: null, now }),
        (error) =>
          error instanceof StorageUnavailableError && error.message.includes(`${name}=off`),
      )
      await unsafe.stop()
    }
  })
})

/** Between a server and its client, to lose what passes. */
class Relay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly url: string
  #losing: 'answer' | 'commit' | null = null
  readonly #asking = new Set<Socket>()
  readonly #dead = new Set<Socket>()
  lost = 0

  private constructor(server: Server, target: URL) {
    this.#server = server
    const url = new URL(target)
    url.port = String((server.address() as AddressInfo).port)
    this.url = url.href
    server.on('connection', (client) => {
      const upstream = connect(Number(target.port), target.hostname)
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket)
        socket.on('error', () => undefined)
        socket.on('close', () => {
          client.destroy()
          upstream.destroy()
          this.#sockets.delete(socket)
        })
      }
      let hasBegun = false
      client.on('data', (data) => {
        if (this.#dead.has(client)) return this.#lose(client)
        this.#asking.add(client)
        // The writer's first message begins, its second one commits.
        if (this.#losing === 'commit' && hasBegun) return this.#lose(client)
        upstream.write(data)
      })
      upstream.on('data', (data) => {
        this.#asking.delete(client)
        if (data.includes('BEGIN\0')) hasBegun = true
        const isCommitted = data.includes('COMMIT\0')
        if (isCommitted) hasBegun = false
        if (this.#losing === 'answer' && isCommitted) return this.#lose(client)
        client.write(data)
      })
    })
  }

  static async open(url: string): Promise<Relay> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new Relay(server, new URL(url))
  }

  /** The next commit takes place, and its answer does not arrive. */
  loseNextAnswer(): void {
    this.#losing = 'answer'
  }

  /** The next commit does not reach the server. */
  cutBeforeCommit(): void {
    this.#losing = 'commit'
  }

  /** Connections that are open now are gone, as who waits for an answer learns; others when they are used. */
  cutWhenUsed(): void {
    for (const socket of this.#sockets) this.#dead.add(socket)
    for (const client of this.#asking) client.destroy()
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #lose(client: Socket): void {
    this.#losing = null
    this.lost += 1
    client.destroy()
  }
}
