import { randomUUID } from 'node:crypto'
import { change, committed, insert, sql, type Change, type Database } from './database.js'
import { LeaseLostError, withFence } from './fenced-database.js'
import { modelReader, type Stored } from './model-reader.js'
import type { LeaseModel } from './prisma-client/models/Lease.js'

const readLease = modelReader<LeaseModel>({ until: 'date' })

/** Of a lease that was given back: over by any clock. */
const LONG_AGO = new Date(0)

/**
 * Work that one process does at a time, of all that share the database. A process that dies loses the
 * lease when its time is over; one that slept past it finds its writes refused, see `FencedDatabase`.
 * The time was written by the clock of the holder, which may have been wrong: a lease that nobody
 * extends while it is watched for as long as it lasts is over, too.
 */
export class Lease {
  readonly #database: Database
  readonly #name: string
  readonly #milliseconds: number
  readonly #now: () => Date
  readonly #elapsed: () => number
  /** Names this holding: whoever takes over writes another. */
  #holder: string | null = null
  /** By `elapsed`. */
  #renewAt = 0
  /** The holding of another as it was last found, and since when, by `elapsed`. */
  #watched: { readonly holder: string; readonly until: Date; readonly since: number } | null = null
  #taking: Promise<string | null> | null = null

  /** @param parts.elapsed milliseconds, by a clock that nobody sets */
  constructor(parts: {
    database: Database
    name: string
    seconds: number
    now: () => Date
    elapsed: () => number
  }) {
    this.#database = parts.database
    this.#name = parts.name
    this.#milliseconds = parts.seconds * 1000
    this.#now = parts.now
    this.#elapsed = parts.elapsed
  }

  /**
   * Does the work if this process holds the lease or can take it.
   * @returns false when it is another's to do
   * @throws {LeaseLostError} when the work wrote after another had taken over
   */
  async run(work: () => Promise<unknown>): Promise<boolean> {
    this.#taking ??= this.#take().finally(() => {
      this.#taking = null
    })
    const holder = await this.#taking
    if (holder === null) return false
    try {
      await withFence(() => this.#held(holder), work)
    } catch (error) {
      if (error instanceof LeaseLostError && this.#holder === holder) this.#holder = null
      throw error
    }
    return true
  }

  /** Lets another process take over at once. */
  async release(): Promise<void> {
    const holder = this.#holder
    this.#holder = null
    if (holder === null) return
    await committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Lease" SET "until" = ${LONG_AGO} WHERE "name" = ${this.#name} AND "holder" = ${holder}`,
          1,
        ),
      ],
    })
  }

  async #take(): Promise<string | null> {
    // That it is still ours is decided with each write; here it only saves asking.
    if (this.#holder !== null && this.#elapsed() < this.#renewAt) return this.#holder
    if (this.#holder !== null && (await this.#renew(this.#holder))) return this.#holder
    this.#holder = null
    const [stored] = await this.#database.rows<Stored<LeaseModel>>(
      sql`SELECT * FROM "Lease" WHERE "name" = ${this.#name}`,
    )
    const lease = stored && readLease(stored)
    if (lease && !this.#isOver(lease)) return null
    const holder = randomUUID()
    const until = this.#until()
    const taken = await committed(this.#database, {
      changes: [
        lease
          ? change(
              sql`UPDATE "Lease" SET "holder" = ${holder}, "until" = ${until}
                   WHERE "name" = ${this.#name} AND "holder" = ${lease.holder} AND "until" = ${lease.until}`,
              1,
            )
          : insert('Lease', { name: this.#name, holder, until }),
      ],
    })
    if (!taken) return null
    this.#holder = holder
    return holder
  }

  #isOver({ holder, until }: LeaseModel): boolean {
    const elapsed = this.#elapsed()
    const watched = this.#watched
    if (watched?.holder !== holder || watched.until.getTime() !== until.getTime()) {
      this.#watched = { holder, until, since: elapsed }
    } else if (elapsed - watched.since >= this.#milliseconds) {
      return true
    }
    return until <= this.#now()
  }

  #renew(holder: string): Promise<boolean> {
    return committed(this.#database, { changes: [this.#held(holder)] })
  }

  /** True of the holder alone, and keeps it the holder for another while. */
  #held(holder: string): Change {
    return change(
      sql`UPDATE "Lease" SET "until" = ${this.#until()} WHERE "name" = ${this.#name} AND "holder" = ${holder}`,
      1,
    )
  }

  #until(): Date {
    this.#renewAt = this.#elapsed() + this.#milliseconds / 3
    return new Date(this.#now().getTime() + this.#milliseconds)
  }
}
