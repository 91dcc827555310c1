import { execFileSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { classifyCkr } from '../../src/keys/pkcs11/ckr.js'
import type { TestToken } from './softhsm.js'

const SOURCE = join(import.meta.dirname, 'pkcs11-shim/shim.c')
/** pkcs11js brings the headers of PKCS#11 along. */
const HEADERS = join(import.meta.dirname, '../../node_modules/pkcs11js/includes')

/** Functions that can be counted and made to fail, in the order of the list in shim.c. */
const FUNCTIONS = [...readFileSync(SOURCE, 'utf8').matchAll(/each\((C_\w+)\)/g)].map(
  ([, name = '']) => name,
)

// Where shim.c has the members of its control file; integers are little-endian.
const REMOVED = 0
const COMMAND_NUMBER = 4
const COMMAND = 8
const PIN_TRIES = 12
const MAX_SESSIONS = 16
const OPEN_SESSIONS = 20
const HIDDEN_COUNT = 24
const HIDDEN = 32
const REAL = 256
const CONF = REAL + 1024
const ENTRIES = CONF + 1024
const ENTRY_BYTES = 64
const ENTRY = {
  calls: 0,
  struck: 8,
  hanging: 16,
  releases: 20,
  armed: 24,
  flags: 28,
  skip: 32,
  times: 36,
  rv: 40,
  delay: 44,
  length: 48,
}
const FLAGS = { after: 1, hang: 2, abort: 4, segfault: 8, garble: 16, length: 32, other: 64 }
const COMMANDS = { loseSessions: 1, logOut: 2, finalise: 3 }

/** What calls of one function meet. Harm comes before the real call is made, unless `after`. */
export interface Fault {
  /** Return value, by name or number. Without one, the call goes on after a delay or a hang. */
  readonly rv?: string | number
  /** The real call is made first, and whatever it did stands. */
  readonly after?: boolean
  /** Calls that pass unharmed before. */
  readonly skip?: number
  /** Calls that are struck; without it, every call until `heal`. */
  readonly times?: number
  readonly delayMs?: number
  /** Does not return before `release`. */
  readonly hang?: boolean
  readonly crash?: 'abort' | 'segfault'
  /** C_Sign returns other bytes than the token made. */
  readonly garble?: boolean
  /** C_Sign says that the signature has so many octets. */
  readonly length?: number
  /** C_SignInit takes the key that was used before this one, until one is looked up: handles mean other keys now. */
  readonly otherKey?: boolean
}

/**
 * A PKCS#11 library in front of the real one, told over a file what harm to do. It works in every
 * process that opens `token`; faults and counts are those of all of them together.
 */
export class Pkcs11Shim {
  /** The token given, behind the shim. */
  readonly token: TestToken
  readonly #folder: string
  readonly #control: number

  /** The real library is a copy, so that it shares nothing with what else this process has open. */
  constructor(token: TestToken) {
    this.#folder = mkdtempSync(join(tmpdir(), 'openrssp-shim-'))
    folders.add(this.#folder)
    const module = join(this.#folder, 'shim.so')
    copyFileSync(compiledShim(), module)
    const real = join(this.#folder, 'real.so')
    copyFileSync(token.module, real)
    const control = Buffer.alloc(ENTRIES + FUNCTIONS.length * ENTRY_BYTES)
    control.writeInt32LE(-1, PIN_TRIES)
    control.writeInt32LE(-1, MAX_SESSIONS)
    control.write(real, REAL)
    control.write(token.conf, CONF)
    writeFileSync(`${module}.control`, control)
    this.#control = openSync(`${module}.control`, 'r+')
    this.token = { ...token, module }
  }

  /** Replaces what the function met before. */
  fault(name: string, fault: Fault): void {
    const at = entryOf(name)
    const flags =
      (fault.after === true ? FLAGS.after : 0) |
      (fault.hang === true ? FLAGS.hang : 0) |
      (fault.crash === undefined ? 0 : FLAGS[fault.crash]) |
      (fault.garble === true ? FLAGS.garble : 0) |
      (fault.length === undefined ? 0 : FLAGS.length) |
      (fault.otherKey === true ? FLAGS.other : 0)
    this.#write(at + ENTRY.armed, 0)
    this.#write(at + ENTRY.flags, flags)
    this.#write(at + ENTRY.skip, fault.skip ?? 0)
    this.#write(at + ENTRY.times, fault.times ?? -1)
    this.#write(at + ENTRY.rv, numberOf(fault.rv))
    this.#write(at + ENTRY.delay, fault.delayMs ?? 0)
    this.#write(at + ENTRY.length, fault.length ?? 0)
    this.#write(at + ENTRY.armed, 1)
  }

  /** Calls of the function that hang go on; later ones hang again, until `heal`. */
  release(name: string): void {
    const at = entryOf(name) + ENTRY.releases
    this.#write(at, this.#read(at) + 1)
  }

  /** Takes back what was done to one function, or to everything, and lets go what hangs. */
  heal(name?: string): void {
    for (const each of name === undefined ? FUNCTIONS : [name]) {
      this.#write(entryOf(each) + ENTRY.armed, 0)
      this.release(each)
    }
    if (name !== undefined) return
    this.#write(REMOVED, 0)
    this.#write(PIN_TRIES, -1)
    this.#write(MAX_SESSIONS, -1)
    this.#write(HIDDEN_COUNT, 0)
  }

  /** The slot is empty, and sessions are gone with the token. */
  removeToken(): void {
    this.loseSessions()
    this.#write(REMOVED, 1)
  }

  /** Back in its slot; sessions from before are not. Some libraries see it after C_Initialize only. */
  insertToken({ seen = 'at once' }: { seen?: 'at once' | 'after C_Initialize' } = {}): void {
    this.#write(REMOVED, seen === 'at once' ? 0 : 2)
  }

  /** C_CloseAllSessions, before the next call in each process. */
  loseSessions(): void {
    this.#command('loseSessions')
  }

  /** C_Logout, before the next call in each process. */
  logOut(): void {
    this.#command('logOut')
  }

  /** C_Finalize, before the next call in each process. */
  finalise(): void {
    this.#command('finalise')
  }

  /** The token locks after so many wrong PINs. */
  limitPinTries(tries: number): void {
    this.#write(PIN_TRIES, tries)
  }

  /** Sessions that may be open at once, in all processes together. */
  limitSessions(sessions: number): void {
    this.#write(MAX_SESSIONS, sessions)
  }

  /** The token does not show these mechanisms; at most 16. */
  hideMechanisms(...types: number[]): void {
    for (const [index, type] of types.entries()) {
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64LE(BigInt(type))
      writeSync(this.#control, bytes, 0, 8, HIDDEN + index * 8)
    }
    this.#write(HIDDEN_COUNT, types.length)
  }

  /** Calls of the function since the beginning, or since `resetCounts`. */
  calls(name: string): number {
    return this.#read(entryOf(name) + ENTRY.calls)
  }

  /** Calls that met a fault. */
  struck(name: string): number {
    return this.#read(entryOf(name) + ENTRY.struck)
  }

  /** Calls that hang now. */
  hanging(name: string): number {
    return this.#read(entryOf(name) + ENTRY.hanging)
  }

  get openSessions(): number {
    return this.#read(OPEN_SESSIONS)
  }

  resetCounts(): void {
    for (const name of FUNCTIONS) {
      for (const member of [ENTRY.calls, ENTRY.struck]) {
        writeSync(this.#control, Buffer.alloc(8), 0, 8, entryOf(name) + member)
      }
    }
  }

  /** Resolves once so many calls of the function hang. */
  async untilHanging(name: string, calls = 1): Promise<void> {
    while (this.hanging(name) < calls) await new Promise((resolve) => setTimeout(resolve, 1))
  }

  /** Heals everything. The library stays loaded in the processes that loaded it. */
  close(): void {
    this.heal()
    closeSync(this.#control)
  }

  #command(command: keyof typeof COMMANDS): void {
    this.#write(COMMAND, COMMANDS[command])
    this.#write(COMMAND_NUMBER, this.#read(COMMAND_NUMBER) + 1)
  }

  #read(at: number): number {
    const bytes = Buffer.alloc(4)
    readSync(this.#control, bytes, 0, 4, at)
    return bytes.readInt32LE()
  }

  #write(at: number, value: number): void {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32LE(value | 0)
    writeSync(this.#control, bytes, 0, 4, at)
  }
}

function entryOf(name: string): number {
  const index = FUNCTIONS.indexOf(name)
  if (index < 0) throw new Error(`The shim does not know ${name}`)
  return ENTRIES + index * ENTRY_BYTES
}

function numberOf(rv: string | number | undefined): number {
  if (typeof rv !== 'string') return rv ?? 0
  const { code } = classifyCkr(new Error(rv))
  if (code === 0) throw new Error(`${rv} is no return value we know by name`)
  return code
}

const folders = new Set<string>()
let compiled: string | null = null

/** Built once per process of tests: it takes a third of a second. */
function compiledShim(): string {
  if (compiled !== null) return compiled
  const folder = mkdtempSync(join(tmpdir(), 'openrssp-shim-'))
  folders.add(folder)
  compiled = join(folder, 'shim.so')
  const options = ['-std=c11', '-Wall', '-Werror', '-O1', '-fPIC', '-shared', '-fvisibility=hidden']
  const files = ['-I', HEADERS, '-o', compiled, SOURCE, '-ldl', '-lpthread']
  execFileSync('cc', [...options, ...files], { cwd: dirname(SOURCE) })
  return compiled
}

// Before whatever ends a process in which native calls hang.
process.prependListener('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
