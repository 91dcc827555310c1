import type { Report, Result } from '../runner.js'
import { count, inWords, skippedBecause } from './summary.js'

const MARKS = { pass: '.', fail: 'F', warning: 'w', skipped: 's', 'not applicable': '-' } as const

type Write = (text: string) => void

/** Progress while it runs, one mark per requirement; then what did not pass. */
export class ConsoleReport {
  readonly #write: Write
  readonly #verbose: boolean
  #chapter = ''

  constructor(write: Write, verbose: boolean) {
    this.#write = write
    this.#verbose = verbose
  }

  onResult(result: Result): void {
    if (result.chapter !== this.#chapter) {
      this.#chapter = result.chapter
      this.#write(`\n${result.chapter}\n  `)
    }
    if (this.#verbose) {
      this.#write(`${MARKS[result.outcome]} ${result.title}${reason(result)}\n  `)
    } else this.#write(MARKS[result.outcome])
  }

  finish({ results, target, server, used, milliseconds }: Report): void {
    this.#write('\n')
    for (const outcome of ['fail', 'warning'] as const) {
      for (const each of results.filter((result) => result.outcome === outcome)) {
        this.#write(`\n${outcome.toUpperCase()}  ${each.chapter}: ${each.title}\n`)
        this.#write(`      ${each.clause}\n      ${each.message ?? ''}\n`)
      }
    }
    for (const [message, number] of skippedBecause(results)) {
      this.#write(`\nskipped ${number}: ${message}`)
    }
    this.#write(
      `\n\n${target.name} (${server.specs}) at ${target.baseUrl}: ${inWords(count(results))}\n` +
        `${used.approvals} approvals, ${used.signatures} signatures, ${Math.round(milliseconds / 1000)} s\n`,
    )
  }
}

function reason({ outcome, message }: Result): string {
  return outcome === 'pass' || message === null ? '' : ` (${outcome}: ${message})`
}
