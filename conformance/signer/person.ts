import { createInterface, type Interface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { NotMet, Skipped } from '../outcome.js'
import type { Decision, Signer } from './signer.js'

/** After so long nobody is believed to be there. */
const PATIENCE_MILLISECONDS = 600_000

/** Lines somebody types or a program feeds, in their order, shared by all persons of a run. */
export class Terminal {
  readonly #input: NodeJS.ReadableStream
  readonly #output: NodeJS.WritableStream
  #opened: { readonly lines: AsyncIterator<string>; readonly interface: Interface } | null = null

  constructor(input: NodeJS.ReadableStream, output: NodeJS.WritableStream) {
    this.#input = input
    this.#output = output
  }

  /** Null when nobody answers any more. */
  async ask(question: string): Promise<string | null> {
    this.#output.write(question)
    const { lines } = (this.#opened ??= this.#open())
    const given = new AbortController()
    const timeout = sleep(PATIENCE_MILLISECONDS, null, { signal: given.signal }).catch(() => null)
    const next = await Promise.race([lines.next(), timeout])
    given.abort()
    return next === null || next.done ? null : next.value.trim()
  }

  close(): void {
    this.#opened?.interface.close()
  }

  #open() {
    const opened = createInterface({ input: this.#input })
    return { interface: opened, lines: opened[Symbol.asyncIterator]() }
  }
}

/** A person at a browser, told what to do on the terminal. */
export class PersonSigner implements Signer {
  readonly #terminal: Terminal
  readonly #name: string

  constructor(terminal: Terminal, name: string) {
    this.#terminal = terminal
    this.#name = name
  }

  async authorize(url: string, redirectUri: string, decision: Decision): Promise<URLSearchParams> {
    const pasted = await this.#terminal.ask(
      `\nOpen this address, sign in as ${this.#name} and ${decision}:\n  ${url}\n` +
        `Then paste the address the browser ended at (it starts with ${redirectUri}):\n> `,
    )
    if (pasted === null) throw new Skipped('needs a person at a terminal')
    if (pasted === '') throw new Skipped('the person did not do it')
    if (!pasted.startsWith(redirectUri) || !URL.canParse(pasted)) {
      throw new NotMet(`the browser did not end at ${redirectUri}`)
    }
    return new URL(pasted).searchParams
  }

  close(): Promise<void> {
    this.#terminal.close()
    return Promise.resolve()
  }
}

/** Nobody: somebody else got the token. */
export class AbsentSigner implements Signer {
  authorize(): Promise<URLSearchParams> {
    return Promise.reject(new Skipped('needs a signer; the configuration has a token only'))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
