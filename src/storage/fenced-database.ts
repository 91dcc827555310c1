import { AsyncLocalStorage } from 'node:async_hooks'
import { ConflictError, type Change, type Database, type Statement, type Unit } from './database.js'

/** Another process took over meanwhile: what this one wanted to write is left out. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
}

/** A change that every write of the work must come with, and that fails once another has taken over. */
export type Fence = () => Change

const fences = new AsyncLocalStorage<Fence>()

let underWay = 0

/**
 * All that the work writes, however deep in it, is written under the fence or not at all. Following work
 * through its promises slows down every promise of the process (on Node.js before 24), so it is given up
 * as soon as no such work is under way.
 */
export async function withFence<T>(fence: Fence, work: () => Promise<T>): Promise<T> {
  underWay += 1
  try {
    return await fences.run(fence, work)
  } finally {
    underWay -= 1
    if (underWay === 0) fences.disable()
  }
}

/** Writes what is done under a lease only while the lease is held, decided by the database with the write. */
export class FencedDatabase implements Database {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  get read() {
    return this.#database.read
  }

  rows<Row>(statement: Statement): Promise<Row[]> {
    return this.#database.rows<Row>(statement)
  }

  async commit(unit: Unit): Promise<void> {
    const fence = fences.getStore()
    if (!fence) return this.#database.commit(unit)
    try {
      await this.#database.commit({ ...unit, changes: [fence(), ...unit.changes] })
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
      if (error.change === 0) throw new LeaseLostError('another process took over')
      throw new ConflictError(error.change - 1)
    }
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}
