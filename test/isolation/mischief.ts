import { execFileSync } from 'node:child_process'
import { lookup } from 'node:dns/promises'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { Worker } from 'node:worker_threads'
import { UnfitDocumentError } from '../../src/errors.js'

/** What a parser might be led to do, for tests of the process it does it in. */

export const double = ({ bytes }: { bytes: Buffer }) => Buffer.concat([bytes, bytes])
export const isBuffer = ({ bytes }: { bytes: unknown }) => Buffer.isBuffer(bytes)
export const loopForever = () => {
  for (;;);
}
export const neverAnswer = () => new Promise<void>(() => undefined)
export const processId = () => process.pid
export const die = () => process.kill(process.pid, 'SIGKILL')
export const leave = () => process.exit(0)
export const fail = () => {
  throw new RangeError('no such thing')
}
export const refuse = () => {
  throw new UnfitDocumentError('The document is encrypted')
}
export const fillHeap = () => {
  const all: object[] = []
  for (;;) all.push({ all: new Array(1000).fill(all.length) })
}
export const fillMemory = () => {
  const all: Buffer[] = []
  for (;;) all.push(Buffer.alloc(50_000_000, 1))
}
export const environment = () =>
  Object.keys(process.env).filter((name) => !/^NODE_CHANNEL/.test(name))

const attempts: Readonly<Record<string, () => unknown>> = {
  'read a file': () => readFileSync('/etc/hostname'),
  'read the configuration': () => readFileSync(`${process.cwd()}/data/config.json`),
  'write a file': () => writeFileSync('/tmp/openrssp-isolated', 'x'),
  'run a program': () => execFileSync('id'),
  'start a thread': () => new Worker('0', { eval: true }),
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- that is the mischief
  'compile text': () => new Function('return 1')() as unknown,
  connect: () => connect(80, '127.0.0.1'),
  fetch: () => fetch('http://127.0.0.1/'),
  'look up a name': () => lookup('localhost'),
}
/** Which of these it could do. */
export async function possible(): Promise<string[]> {
  const done: string[] = []
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      await attempt()
      done.push(name)
    } catch {
      // as it should be
    }
  }
  return done
}
