import pg from 'pg'
import { chainRecord, EMPTY_LOG, type AuditHead, type AuditRecord } from '../../audit/chain.js'
import { StorageUnavailableError } from '../../errors.js'
import { isLostConnection, openWriter, type Parameter } from './connection.js'
import { PreparedStatements, RoundTrip, type Command, type Completed } from './round-trip.js'

/** What is written together, in the form in which it is sent. */
export interface WriteUnit {
  readonly changes: readonly (Command & { readonly rows: number | null })[]
  readonly audit: readonly { at: string; event: string; detail: string }[]
}

export type UnitResult = 'ok' | { conflict: number } | { failure: string }

/**
 * Whoever holds it is the only one who writes, on any replica: units are decided one after the other,
 * as the conditions in them expect, and the audit log grows in one line.
 */
const WRITE_LOCK = 1869640304

const BEGIN: readonly Command[] = [
  { text: 'BEGIN' },
  { text: `SELECT pg_advisory_xact_lock(${WRITE_LOCK})` },
]
/** The newest record, and the hash of the one that must still be there: often the same. */
const NEWEST = `SELECT "seq", "hash", CASE "seq" WHEN $1 THEN "hash" ELSE
    (SELECT "hash" FROM "AuditRecord" AS "known" WHERE "known"."seq" = $1) END
  FROM "AuditRecord" ORDER BY "seq" DESC LIMIT 1`
const SAVE: Command = { text: 'SAVEPOINT "units"' }
const ROLLBACK: Command = { text: 'ROLLBACK' }
const COMMIT: Command = { text: 'COMMIT' }
const KEEP: readonly Command[] = [{ text: 'RELEASE SAVEPOINT "units"' }, SAVE]
const UNDO: Command = { text: 'ROLLBACK TO SAVEPOINT "units"' }
const RECORD = `INSERT INTO "AuditRecord" ("seq", "at", "event", "detail", "prevHash", "hash")
  SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])`
/** Fails, and with it the COMMIT that was sent along, unless as many records stand there up to this one. */
const DEMAND_RECORDS = `SELECT 1 / (count(*) = $3::bigint)::int FROM "AuditRecord"
  WHERE "seq" BETWEEN $1 AND $2 AND ("seq" < $2 OR "hash" = $4)`
const DIVISION_BY_ZERO = '22012'

/** So often a batch that was certainly not committed is written again: connections break, servers restart. */
const MOST_ATTEMPTS = 20
/** And no longer than this, so that a stopped server is told of instead of waited for. */
const PATIENCE_MS = 2000
const RETRY_MS = 100

/** The connection was lost at a moment that leaves open whether the batch was committed. */
class UnknownOutcome extends Error {
  override readonly name = 'UnknownOutcome'
}

/** A batch as far as it got, for finding out what became of it. */
interface Attempt {
  results: UnitResult[]
  records: AuditRecord[]
  /** From here on only the server knows. */
  committing: boolean
}

/** Writes batches of units, each in one transaction, over one connection that it opens again when it is lost. */
export class Writer {
  readonly #url: string
  readonly #onHead: (head: AuditHead) => void
  /** The newest record that this process has seen or written: the log must keep it. */
  #known: AuditHead
  #client: pg.Client | null = null
  #prepared = new PreparedStatements()
  /** While the server is away, nobody is kept waiting for it. */
  #away = false

  /**
   * @param known a record that the log was seen to hold
   * @param onHead is told after every commit how far the log has come; it does not throw
   */
  constructor(url: string, known: AuditHead, onHead: (head: AuditHead) => void) {
    this.#url = url
    this.#known = known
    this.#onHead = onHead
  }

  /** Never rejects: each unit has its own fate. */
  async commit(units: readonly WriteUnit[]): Promise<UnitResult[]> {
    const end = performance.now() + (this.#away ? 0 : PATIENCE_MS)
    let lost: Attempt | null = null
    let failure = ''
    for (let attempts = 0; attempts < MOST_ATTEMPTS; attempts += 1) {
      const attempt: Attempt = { results: [], records: [], committing: false }
      try {
        return await this.#attempt(units, attempt, lost)
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error)
        if (attempt.committing) lost = attempt
        this.#drop()
        if (
          error instanceof UnknownOutcome ||
          !isWorthAnotherTry(error) ||
          performance.now() >= end
        )
          break
        // A connection that was closed meanwhile is simply opened again.
        if (attempts > 0) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
    const outcome = lost ? `whether it was written is not known: ${failure}` : failure
    return units.map(() => ({ failure: outcome }))
  }

  close(): void {
    const client = this.#client
    this.#client = null
    client?.connection.end()
  }

  /** @param lost an earlier attempt of which nobody knows whether it was committed */
  async #attempt(
    units: readonly WriteUnit[],
    attempt: Attempt,
    lost: Attempt | null,
  ): Promise<UnitResult[]> {
    const client = (this.#client ??= await this.#open())
    let opening = this.#begin()
    let head: AuditHead | null = null
    let isSaved = lost !== null
    if (lost) {
      // Under the lock that the earlier attempt held until it ended, either way.
      head = this.#newest(demandAll(await this.#send(client, opening)))
      opening = [SAVE]
      if (await this.#isCommitted(client, lost)) {
        await this.#send(client, [ROLLBACK])
        return lost.results
      }
    }
    for (let at = 0, size = units.length; at < units.length;) {
      const chunk = units.slice(at, at + size)
      const { completed, error } = await this.#send(client, [
        ...opening,
        ...chunk.flatMap(({ changes }) => changes),
      ])
      const started = completed.slice(0, opening.length)
      if (started.length < opening.length) throw error ?? new Error('no answer')
      head ??= this.#newest(started)
      const failed = firstFailure(chunk, completed.slice(opening.length), error)
      if (!failed) {
        attempt.results.push(...chunk.map((): UnitResult => 'ok'))
        at += size
        size *= 2
        opening = [...KEEP]
        continue
      }
      if (!isSaved) {
        // That one of them fails is rare: what it takes to undo one alone is done only then.
        await this.#send(client, [ROLLBACK])
        if (units.length === 1) return [failed.result]
        opening = [...this.#begin(), SAVE]
        head = null
        isSaved = true
        continue
      }
      // What was undone with it is done again, up to it; under the lock it comes out the same.
      if (failed.unit === 0) {
        attempt.results.push(failed.result)
        at += 1
        size = 1
      } else {
        size = failed.unit
      }
      opening = [UNDO]
    }
    head ??= EMPTY_LOG
    units.forEach(({ audit }, index) => {
      if (attempt.results[index] !== 'ok') return
      for (const entry of audit)
        attempt.records.push(chainRecord(attempt.records.at(-1) ?? head, entry))
    })
    await this.#finish(client, opening, attempt)
    return attempt.results
  }

  async #finish(client: pg.Client, opening: readonly Command[], attempt: Attempt): Promise<void> {
    const { records } = attempt
    const undo = opening[0] === UNDO ? [UNDO] : []
    const head = records.at(-1)
    const record = head ? [{ text: RECORD, values: columnsOf(records) }, demand(records, head)] : []
    const commands = [...undo, ...record, COMMIT]
    attempt.committing = true
    const { completed, error } = await this.#send(client, commands)
    if (error && !isLostConnection(error)) attempt.committing = false
    const failed = commands[completed.length]
    if (head && failed?.text === DEMAND_RECORDS && error?.code === DIVISION_BY_ZERO) {
      throw missing(head)
    }
    if (error) throw error
    if (completed.at(-1)?.tag !== 'COMMIT') {
      attempt.committing = false
      throw new Error('the transaction was rolled back')
    }
    this.#keep(head ?? this.#known)
  }

  #begin(): Command[] {
    return [...BEGIN, { text: NEWEST, values: [this.#known.seq] }]
  }

  /**
   * Who deletes records while this runs is not to be helped by what follows.
   * @param begun what `#begin` asked for
   */
  #newest(begun: readonly Completed[]): AuditHead {
    const [seq, hash, known] = begun[BEGIN.length]?.rows[0] ?? []
    if (this.#known.seq !== EMPTY_LOG.seq && known !== this.#known.hash) throw missing(this.#known)
    this.#known = seq && hash ? { seq: Number(seq), hash } : EMPTY_LOG
    return this.#known
  }

  #keep(head: AuditHead): void {
    this.#known = { seq: head.seq, hash: head.hash }
    this.#onHead(this.#known)
  }

  /** By its audit records; a batch without any leaves no such trace. */
  async #isCommitted(client: pg.Client, { records }: Attempt): Promise<boolean> {
    const last = records.at(-1)
    if (!last) throw new UnknownOutcome('the connection was lost while committing')
    const [found] = demandAll(
      await this.#send(client, [
        {
          text: 'SELECT 1 FROM "AuditRecord" WHERE "seq" = $1 AND "hash" = $2',
          values: [last.seq, last.hash],
        },
      ]),
    )
    if (found?.rows.length !== 1) return false
    this.#keep(last)
    return true
  }

  async #open(): Promise<pg.Client> {
    this.#prepared = new PreparedStatements()
    this.#away = true
    const client = await openWriter(this.#url)
    this.#away = false
    return client
  }

  #send(client: pg.Client, commands: readonly Command[]) {
    return RoundTrip.make(client, this.#prepared, commands)
  }

  /** Ends the connection, and with it a transaction that is still open. */
  #drop(): void {
    this.#client?.connection.stream.destroy()
    this.#client = null
  }
}

/** A broken connection, a deadlock with someone else's transaction, a server that is starting. */
function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof StorageUnavailableError) return false
  if (isLostConnection(error)) return true
  return error instanceof pg.DatabaseError && /^(40|57P03|53300)/.test(error.code ?? '')
}

/**
 * The first unit of which a change failed or touched other rows than it had to.
 * @throws when the failure is not the unit's own, but the transaction's or the connection's
 */
function firstFailure(
  units: readonly WriteUnit[],
  completed: readonly Completed[],
  error: pg.DatabaseError | null,
): { unit: number; result: UnitResult } | null {
  let position = 0
  for (const [unit, { changes }] of units.entries()) {
    for (const [index, { rows }] of changes.entries()) {
      const done = completed[position]
      position += 1
      if (!done) return { unit, result: ownFailure(error, index) }
      if (rows !== null && done.count !== rows) return { unit, result: { conflict: index } }
    }
  }
  return null
}

function ownFailure(error: pg.DatabaseError | null, index: number): UnitResult {
  const code = error?.code ?? ''
  if (error === null) throw new Error('no answer')
  if (code.startsWith('23')) return { conflict: index }
  if (/^(0A|22|42)/.test(code)) return { failure: error.message }
  throw error
}

function demandAll({
  completed,
  error,
}: Awaited<ReturnType<typeof RoundTrip.make>>): readonly Completed[] {
  if (error) throw error
  return completed
}

/** Who has the database drop records on the way is not to be helped either. */
function demand(records: readonly AuditRecord[], { seq, hash }: AuditHead): Command {
  const { length } = records
  return { text: DEMAND_RECORDS, values: [seq - length + 1, seq, length, hash] }
}

function missing({ seq }: AuditHead): StorageUnavailableError {
  return new StorageUnavailableError(`the audit log does not hold record ${seq} any more`)
}

/** One statement for any number of records. */
function columnsOf(records: readonly AuditRecord[]): Parameter[] {
  return [
    records.map(({ seq }) => String(seq)),
    records.map(({ at }) => at),
    records.map(({ event }) => event),
    records.map(({ detail }) => detail),
    records.map(({ prevHash }) => prevHash),
    records.map(({ hash }) => hash),
  ]
}
