import pg from 'pg'
import { COLUMN_TYPES, parameter, STATEMENT_MS, type Parameter } from './connection.js'

export interface Command {
  readonly text: string
  readonly values?: readonly Parameter[]
}

export interface Completed {
  /** Of rows it touched, inserted or gave. */
  readonly count: number
  /** What the server says it did, such as `COMMIT`. */
  readonly tag: string
  readonly rows: readonly (string | null)[][]
  /** Empty for what gives no rows. */
  readonly columns: readonly Column[]
}

export interface Column {
  readonly name: string
  readonly read: (text: string) => unknown
}

/** What became of commands sent together: all were carried out, or the one after the last of these failed. */
export interface Outcome {
  readonly completed: readonly Completed[]
  readonly error: pg.DatabaseError | null
}

/** More statements than the code has; should there be others, they are not prepared. */
const MOST_PREPARED = 1000

interface Statement {
  /** Empty for one that will not be remembered. */
  readonly name: string
  columns: readonly Column[]
}

/** Statements are parsed and described once on a connection, and known to it by name from then on. */
export class PreparedStatements {
  readonly #statements = new Map<string, Statement>()
  #count = 0

  find(text: string): Statement | undefined {
    return this.#statements.get(text)
  }

  /** Under a name never used before. */
  add(text: string): Statement {
    if (this.#statements.size >= MOST_PREPARED) return { name: '', columns: [] }
    const statement = { name: `s${(this.#count += 1)}`, columns: [] }
    this.#statements.set(text, statement)
    return statement
  }

  forget(text: string): void {
    this.#statements.delete(text)
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
  /** In the order of the commands. */
  readonly #statements: Statement[] = []
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

  /** Rejects when the connection is lost; a server that does not answer in time is given up. */
  static async make(
    client: pg.Client,
    prepared: PreparedStatements,
    commands: readonly Command[],
  ): Promise<Outcome> {
    const watch = setTimeout(() => {
      client.connection.stream.destroy(new Error('the database does not answer'))
    }, STATEMENT_MS)
    try {
      return await new Promise((settle, fail) => {
        client.query(new RoundTrip(commands, prepared, settle, fail))
      })
    } finally {
      clearTimeout(watch)
    }
  }

  submit(connection: pg.Connection): void {
    connection.stream.cork()
    this.#commands.forEach(({ text, values = [] }, index) => {
      const statement = this.#prepared.find(text) ?? this.#prepare(connection, text, index)
      this.#statements.push(statement)
      connection.bind({ statement: statement.name, values: values.map(parameter) }, true)
      connection.execute(null, true)
    })
    connection.sync()
    connection.stream.uncork()
  }

  /** Comes for statements that were described, before their rows. */
  handleRowDescription({ fields }: { fields: pg.FieldDef[] }): void {
    const statement = this.#statements[this.#completed.length]
    if (!statement) return
    statement.columns = fields.map(({ name, dataTypeID }) => {
      return { name, read: COLUMN_TYPES.getTypeParser(dataTypeID, 'text') as Column['read'] }
    })
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.#rows.push(fields)
  }

  handleCommandComplete({ text }: { text: string }): void {
    const count = Number(/\d+$/.exec(text)?.[0] ?? 0)
    const { columns = [] } = this.#statements[this.#completed.length] ?? {}
    this.#completed.push({ count, tag: text, rows: this.#rows, columns })
    this.#rows = []
  }

  handleEmptyQuery(): void {
    this.#completed.push({ count: 0, tag: '', rows: [], columns: [] })
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

  #prepare(connection: pg.Connection, text: string, index: number): Statement {
    const statement = this.#prepared.add(text)
    const { name } = statement
    this.#parsedAt.set(text, index)
    connection.parse({ name, text, types: [] }, true)
    connection.describe({ type: 'S', name }, true)
    return statement
  }
}
