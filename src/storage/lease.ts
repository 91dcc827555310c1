import { randomUUID } from 'node:crypto'
import { change, committed, insert, sql, type Change, type Database } from './database.js'
import { LeaseLostError, withFence } from './fenced-database.js'
import { modelReader, type Stored } from './model-reader.js'
import type { LeaseModel } from './prisma-client/models/Lease.js'

const readLease = modelReader<LeaseModel>({ until: 'date' })

/**
 * Work that one process does at a time, of all that share the database. A process that dies loses the
 * lease when its time is over; one that slept past it finds its writes refused, see `FencedDatabase`.
 */
export class Lease {
  readonly #database: Database
  readonly #name: string
  readonly #milliseconds: number
  readonly #now: () => Date
  /** Names this holding: whoever takes over writes another. */
  #holder: string | null = null
  #renewAt = 0
  #taking: Promise<string | null> | null = null

  constructor(parts: { database: Database; name: string; seconds: number; now: () => Date }) {
    this.#database = parts.database
    this.#name = parts.name
    this.#milliseconds = parts.seconds * 1000
    this.#now = parts.now
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
    const now = this.#now()
    await committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Lease" SET "until" = ${now} WHERE "name" = ${this.#name} AND "holder" = ${holder}`,
          1,
        ),
      ],
    })
  }

  async #take(): Promise<string | null> {
    const now = this.#now()
    // That it is still ours is decided with each write; here it only saves asking.
    if (this.#holder !== null && now.getTime() < this.#renewAt) return this.#holder
    if (this.#holder !== null && (await this.#renew(this.#holder))) return this.#holder
    this.#holder = null
    const [lease] = await this.#database.rows<Stored<LeaseModel>>(
      sql`SELECT * FROM "Lease" WHERE "name" = ${this.#name}`,
    )
    if (lease && readLease(lease).until > now) return null
    const holder = randomUUID()
    const until = this.#until()
    const taken = await committed(this.#database, {
      changes: [
        lease
          ? change(
              sql`UPDATE "Lease" SET "holder" = ${holder}, "until" = ${until}
                   WHERE "name" = ${this.#name} AND "holder" = ${lease.holder} AND "until" <= ${now}`,
              1,
            )
          : insert('Lease', { name: this.#name, holder, until }),
      ],
    })
    if (!taken) return null
    this.#holder = holder
    return holder
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
    const now = this.#now().getTime()
    this.#renewAt = now + this.#milliseconds / 3
    return new Date(now + this.#milliseconds)
  }
}
