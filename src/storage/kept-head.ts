import { closeSync, constants, openSync, writeSync } from 'node:fs'
import type { AuditHead } from '../audit/chain.js'
import { formatHead } from '../audit/head-file.js'
import type { Logger } from '../observability/logger.js'

/** How a database tells its operator what no answer to a request says. */
export type DatabaseLog = Pick<Logger, 'error' | 'info'>

/** The file that remembers the newest record of the log. */
export class KeptHead {
  readonly #path: string | null
  #file: number | null = null
  #hash: string | null = null

  /** @param path null to keep none */
  constructor(path: string | null) {
    this.#path = path
  }

  /**
   * Overwrites one line of fixed length: cheap enough for every commit, and never half a head. What was
   * committed stays so when this fails; the next commit tries it again, on the file opened anew.
   * @returns why it could not be written, null when it was
   */
  keep({ seq, hash }: AuditHead): string | null {
    if (this.#path === null || hash === this.#hash) return null
    try {
      this.#file ??= openHeadFile(this.#path)
      const line = formatHead({ seq, hash })
      if (writeSync(this.#file, line, 0) < line.length) throw new Error('no room for a whole line')
      this.#hash = hash
      return null
    } catch (error) {
      this.#hash = null
      this.close()
      return error instanceof Error ? error.message : String(error)
    }
  }

  close(): void {
    const file = this.#file
    this.#file = null
    try {
      if (file !== null) closeSync(file)
    } catch {
      // A share that went away: there is nothing left to close.
    }
  }
}

/** @throws when the file cannot be written to, as a wrong setting has it */
export function demandHeadFile(path: string): void {
  closeSync(openHeadFile(path))
}

/** Says once that the head cannot be kept, and once that it is kept again. */
export class HeadWatch {
  readonly #path: string | null
  readonly #log: DatabaseLog | null
  #isKept = true

  constructor(path: string | null, log: DatabaseLog | null) {
    this.#path = path
    this.#log = log
  }

  /** @param problem why the newest head could not be written; null when it was */
  look(problem: string | null): void {
    const isKept = problem === null
    if (isKept === this.#isKept) return
    this.#isKept = isKept
    if (isKept) this.#log?.info({ file: this.#path }, 'the audit head is kept again')
    else this.#log?.error({ file: this.#path, problem }, 'the audit head cannot be kept')
  }
}

function openHeadFile(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
}
