import { StorageUnavailableError } from '../errors.js'
import type { Metrics } from '../observability/metrics.js'
import type { Steps } from '../observability/tracing.js'
import { sql, sweep, type Database, type Statement, type Unit } from './database.js'

/** Leaves nothing behind, but has to be written: SQLite leaves out what stands there already. */
const TRIAL: Unit = {
  changes: [
    sweep(
      sql`INSERT INTO "Installation" ("name", "value") VALUES ('trial', '') ON CONFLICT DO NOTHING`,
    ),
    sweep(sql`DELETE FROM "Installation" WHERE "name" = 'trial'`),
  ],
  concludes: true,
}

/**
 * A database before which only so many units of work wait, whose commits are timed, and whose audit
 * records are counted. What concludes something that was begun, a signature for one, is never turned away.
 */
export class GuardedDatabase implements Database {
  readonly #database: Database
  readonly #metrics: Metrics
  readonly #steps: Steps
  readonly #mostWaiting: number
  #waiting = 0
  /** Whether the newest commit that was tried came to the disk; a conflict says nothing of that. */
  #wrote = true

  constructor(database: Database, parts: { metrics: Metrics; steps: Steps; mostWaiting: number }) {
    this.#database = database
    this.#metrics = parts.metrics
    this.#steps = parts.steps
    this.#mostWaiting = parts.mostWaiting
    parts.metrics.watch({ commitsWaiting: () => this.#waiting })
  }

  get read() {
    return this.#database.read
  }

  rows<Row>(statement: Statement): Promise<Row[]> {
    return this.#database.rows<Row>(statement)
  }

  async commit(unit: Unit): Promise<void> {
    if (this.#waiting >= this.#mostWaiting && !unit.concludes) {
      this.#metrics.commitRefused()
      throw new StorageUnavailableError('too much waits to be written')
    }
    this.#waiting += 1
    try {
      await this.#steps.measure('database.commit', () => this.#database.commit(unit))
      this.#wrote = true
    } catch (error) {
      if (error instanceof StorageUnavailableError) this.#wrote = false
      throw error
    } finally {
      this.#waiting -= 1
    }
    for (const { event } of unit.audit ?? []) this.#metrics.audited(event)
  }

  /** Tries it where it failed last: a full disk still reads, and nobody else may write here meanwhile. */
  async canWrite(): Promise<boolean> {
    if (!this.#wrote) await this.commit(TRIAL).catch(() => undefined)
    return this.#wrote
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}
