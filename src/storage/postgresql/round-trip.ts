import pg from 'pg'
import type { Value } from '../database.js'
import { parameter } from './connection.js'

export interface Command {
  readonly text: string
  readonly values?: readonly Value[]
}

export interface Completed {
  /** Of rows it touched, inserted or gave. */
  readonly count: number
  /** What the server says it did, such as `COMMIT`. */
  readonly tag: string
  readonly rows: readonly (string | null)[][]
}

/** What became of commands sent together: all were carried out, or the one after the last of these failed. */
export interface Outcome {
  readonly completed: readonly Completed[]
  readonly error: pg.DatabaseError | null
}

/** More statements than the code has; should there be others, they are not prepared. */
const MOST_PREPARED = 1000

/** Statements are parsed once on a connection and known to it by name from then on. */
export class PreparedStatements {
  readonly #names = new Map<string, string>()
  #count = 0

  nameOf(text: string): string | undefined {
    return this.#names.get(text)
  }

  /** A name for it, never used before; empty for one that will not be remembered. */
  add(text: string): string {
    if (this.#names.size >= MOST_PREPARED) return ''
    const name = `s${(this.#count += 1)}`
    this.#names.set(text, name)
    return name
  }

  forget(text: string): void {
    this.#names.delete(text)
  }
}

/**
 * Several commands in one message and one answer: waiting for each would cost a round trip each. After
 * one that fails the server skips the rest.
 */
export class RoundTrip implements pg.Submittable {
  readonly #commands: readonly Command[]
  readonly #prepared: PreparedStatements
  readonly #settle: (outcome: Outcome) => void
  readonly #fail: (error: Error) => void
  readonly #completed: Completed[] = []
  readonly #parsedAt = new Map<string, number>()
  #rows: (string | null)[][] = []

  private constructor(
    commands: readonly Command[],
    prepared: PreparedStatements,
    settle: (outcome: Outcome) => void,
    fail: (error: Error) => void,
  ) {
    this.#commands = commands
    this.#prepared = prepared
    this.#settle = settle
    this.#fail = fail
  }

  /** Rejects when the connection is lost. */
  static make(
    client: pg.Client,
    prepared: PreparedStatements,
    commands: readonly Command[],
  ): Promise<Outcome> {
    return new Promise((settle, fail) => {
      client.query(new RoundTrip(commands, prepared, settle, fail))
    })
  }

  submit(connection: pg.Connection): void {
    connection.stream.cork()
    this.#commands.forEach(({ text, values = [] }, index) => {
      let name = this.#prepared.nameOf(text)
      if (name === undefined) {
        name = this.#prepared.add(text)
        this.#parsedAt.set(text, index)
        connection.parse({ name, text, types: [] }, true)
      }
      connection.bind({ statement: name, values: values.map(parameter) }, true)
      connection.execute(null, true)
    })
    connection.sync()
    connection.stream.uncork()
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.#rows.push(fields)
  }

  handleCommandComplete({ text }: { text: string }): void {
    const count = Number(/\d+$/.exec(text)?.[0] ?? 0)
    this.#completed.push({ count, tag: text, rows: this.#rows })
    this.#rows = []
  }

  handleEmptyQuery(): void {
    this.#completed.push({ count: 0, tag: '', rows: [] })
  }

  handleReadyForQuery(): void {
    this.#settle({ completed: this.#completed, error: null })
  }

  handleError(error: Error): void {
    // What came after the failed command was not parsed; of that one itself nobody knows.
    for (const [text, index] of this.#parsedAt) {
      if (index >= this.#completed.length) this.#prepared.forget(text)
    }
    if (error instanceof pg.DatabaseError) this.#settle({ completed: this.#completed, error })
    else this.#fail(error)
  }
}
