import type pg from 'pg'
import { StorageUnavailableError } from '../../errors.js'
import { AT_ONCE_MS, isLostConnection, isOutdated, isQueryFault, openReader } from './connection.js'
import { PreparedStatements, RoundTrip, type Command, type Completed } from './round-trip.js'

type Row = Record<string, unknown>

interface Asked {
  readonly commands: readonly Command[]
  /** Monotonic, milliseconds. */
  readonly since: number
  readonly settle: (rows: Row[][]) => void
  readonly fail: (error: unknown) => void
  isRepeated: boolean
}

interface Line {
  client: pg.Client | null
  prepared: PreparedStatements
  isBusy: boolean
}

/** Those who ask for more wait for the next message. */
const MOST_TOGETHER = 64

/**
 * Reads over a few connections that stay open. What is asked for within one turn of the event loop goes
 * over in one message, by statements prepared once, and is answered in one.
 */
export class Reader {
  readonly #url: string
  readonly #lines: readonly Line[]
  #waiting: Asked[] = []
  #isPlanned = false
  #isClosed = false

  /** @param connections at most; each is opened when the others are in use */
  constructor(url: string, connections: number) {
    this.#url = url
    this.#lines = Array.from({ length: connections }, () => ({
      ...{ client: null, prepared: new PreparedStatements(), isBusy: false },
    }))
  }

  /**
   * The rows of each command; they are carried out in this order, each as of its own moment.
   * @throws {StorageUnavailableError} when the database does not answer
   */
  ask(commands: readonly Command[]): Promise<Row[][]> {
    if (this.#isClosed) return Promise.reject(new StorageUnavailableError('it is closed'))
    return new Promise((settle, fail) => {
      const since = performance.now()
      this.#waiting.push({ commands, since, settle, fail, isRepeated: false })
      this.#plan()
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#lines.map(({ client }) => client?.end() ?? Promise.resolve()))
  }

  #plan(): void {
    if (this.#isPlanned || this.#lines.every(({ isBusy }) => isBusy)) return
    this.#isPlanned = true
    setImmediate(() => {
      this.#isPlanned = false
      for (const line of this.#lines) {
        if (this.#waiting.length === 0) return
        if (!line.isBusy) void this.#read(line, this.#waiting.splice(0, MOST_TOGETHER))
      }
    })
  }

  async #read(line: Line, together: readonly Asked[]): Promise<void> {
    line.isBusy = true
    try {
      line.client ??= await openReader(this.#url)
      const commands = together.flatMap(({ commands }) => commands)
      const { completed, error } = await RoundTrip.make(line.client, line.prepared, commands)
      if (error && isLostConnection(error)) this.#hangUp(line)
      this.#answer(together, completed, error)
    } catch (error) {
      this.#hangUp(line)
      for (const asked of together) this.#failed(asked, error)
    }
    line.isBusy = false
    if (this.#waiting.length > 0) this.#plan()
  }

  /** What ended one connection may have ended the others; those in use find out by themselves. */
  #hangUp(line: Line): void {
    for (const each of this.#lines) {
      if (each !== line && each.isBusy) continue
      each.client?.connection.stream.destroy()
      each.client = null
      each.prepared = new PreparedStatements()
    }
  }

  #answer(
    together: readonly Asked[],
    completed: readonly Completed[],
    error: pg.DatabaseError | null,
  ): void {
    let position = 0
    let cause: unknown = error ?? new Error('no answer')
    for (const asked of together) {
      const { length } = asked.commands
      const results = completed.slice(position, position + length)
      position += length
      if (results.length === length) {
        asked.settle(results.map(rowsOf))
      } else if (cause !== null) {
        this.#failed(asked, cause)
        cause = null
      } else {
        // The server skips what comes after a command that fails.
        this.#waiting.push(asked)
      }
    }
  }

  /** Reading again is safe. */
  #failed(asked: Asked, error: unknown): void {
    const isFresh = performance.now() - asked.since < AT_ONCE_MS
    const isWorthIt = isOutdated(error) || (isFresh && isLostConnection(error))
    if (isOutdated(error)) {
      for (const { prepared } of this.#lines)
        for (const { text } of asked.commands) prepared.forget(text)
    }
    if (isWorthIt && !asked.isRepeated && !this.#isClosed) {
      asked.isRepeated = true
      this.#waiting.push(asked)
      this.#plan()
    } else if (isQueryFault(error)) {
      asked.fail(error)
    } else {
      const why = error instanceof Error ? error.message : String(error)
      asked.fail(new StorageUnavailableError(why, { cause: error }))
    }
  }
}

function rowsOf({ rows, columns }: Completed): Row[] {
  return rows.map((fields) => {
    const row: Row = {}
    columns.forEach(({ name, read }, index) => {
      const field = fields[index] ?? null
      row[name] = field === null ? null : read(field)
    })
    return row
  })
}
