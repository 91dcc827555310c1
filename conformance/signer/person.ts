import { createInterface } from 'node:readline/promises'
import { Skipped } from '../outcome.js'
import type { Decision, Signer } from './signer.js'

/** A person at a browser, told what to do on the terminal. */
export class PersonSigner implements Signer {
  async authorize(url: string, redirectUri: string, decision: Decision): Promise<URLSearchParams> {
    if (!process.stdin.isTTY) throw new Skipped('needs a person at a terminal')
    const terminal = createInterface({ input: process.stdin, output: process.stderr })
    try {
      const pasted = await terminal.question(
        `\nOpen this address, sign in and ${decision}:\n  ${url}\n` +
          `Then paste the address the browser ended at (it starts with ${redirectUri}):\n> `,
      )
      if (!pasted.trim()) throw new Skipped('the person did not do it')
      return new URL(pasted.trim()).searchParams
    } finally {
      terminal.close()
    }
  }

  close(): Promise<void> {
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
