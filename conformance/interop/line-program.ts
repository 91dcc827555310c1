import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'

/**
 * A program that takes seconds to start, and then answers one question after the other: each is a line with
 * tabs between its parts, each answer any number of lines and an empty one.
 */
export class LineProgram {
  readonly #command: readonly string[]
  #child: ChildProcessWithoutNullStreams | null = null
  #lines: Interface | null = null
  /** Of its log, which nobody wants to read while all is well. */
  #lastWords = ''
  #turn: Promise<unknown> = Promise.resolve()

  /** @param command the program and its arguments; it is started with the first question */
  constructor(command: readonly string[]) {
    this.#command = command
  }

  /** What it answers, line by line. @throws {Error} when it ends without an answer */
  ask(parts: readonly string[]): Promise<string[]> {
    const answer = this.#turn.then(() => this.#answer(parts))
    this.#turn = answer.catch(() => undefined)
    return answer
  }

  close(): void {
    this.#child?.stdin.end()
  }

  async #answer(parts: readonly string[]): Promise<string[]> {
    const { child, lines } = this.#started()
    child.stdin.write(`${parts.join('\t')}\n`)
    const answer: string[] = []
    return new Promise((resolve, reject) => {
      const onLine = (line: string) => {
        if (line === '') {
          lines.off('line', onLine).off('close', onEnd)
          resolve(answer)
        } else answer.push(line)
      }
      const onEnd = () => {
        this.#child = null
        reject(new Error(`${this.#command[0] ?? ''} ended: ${this.#lastWords}`))
      }
      lines.on('line', onLine).once('close', onEnd)
    })
  }

  #started() {
    if (this.#child === null || this.#lines === null) {
      const [program = '', ...rest] = this.#command
      this.#child = spawn(program, rest)
      this.#child.stderr.on('data', (chunk: Buffer) => {
        this.#lastWords = `${this.#lastWords}${chunk.toString()}`.slice(-1000)
      })
      this.#child.once('error', () => undefined) // the end of its output is noticed anyhow
      this.#child.stdin.once('error', () => undefined)
      this.#lines = createInterface({ input: this.#child.stdout })
    }
    return { child: this.#child, lines: this.#lines }
  }
}
