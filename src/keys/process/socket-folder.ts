import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'openrssp-keys-'
const OWNER = 'owner'
const SOCKET = 'socket'

/**
 * A folder for the socket of a key process, which nobody else can look into. Its owner and the key process
 * remove it; where both were killed, the next one that is made anywhere on this machine does.
 */
export function newSocketFolder(within = tmpdir()): string {
  removeLeftFolders(within)
  const folder = mkdtempSync(join(within, PREFIX))
  const owner = identityOf('self')
  if (owner !== null) writeFileSync(join(folder, OWNER), owner, { mode: 0o600 })
  return folder
}

export function socketIn(folder: string): string {
  return join(folder, SOCKET)
}

/** Only what is surely ours, and surely nobody's any more: whatever cannot be told is left alone. */
function removeLeftFolders(within: string): void {
  const namespace = pidNamespace()
  if (namespace === null) return
  const names = attempt(() => readdirSync(within)) ?? []
  for (const folder of names.filter((name) => name.startsWith(PREFIX))) {
    attempt(() => removeIfLeft(join(within, folder), namespace))
  }
}

function removeIfLeft(folder: string, namespace: string): void {
  const { uid, mode } = lstatSync(folder)
  // By its mode it is a folder, no link, and nobody else can have put anything into it.
  if (uid !== process.getuid?.() || mode !== PRIVATE_FOLDER) return
  const owner = readFileSync(join(folder, OWNER), 'utf8')
  const [itsNamespace, pid = ''] = owner.split(' ')
  // Processes of another container cannot be seen from here.
  if (itsNamespace !== namespace || !isGone(pid, owner)) return
  attempt(() => unlinkSync(socketIn(folder)))
  unlinkSync(join(folder, OWNER))
  rmdirSync(folder)
}

function isGone(pid: string, owner: string): boolean {
  if (!/^[1-9]\d*$/.test(pid)) return false
  const identity = identityOf(pid)
  if (identity !== null) return identity !== owner
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** S_IFDIR with the rights 0700. */
const PRIVATE_FOLDER = 0o040700

/**
 * What no other process is ever called while the machine runs: numbers are given again, but not to one that
 * started at the same time. Null when there is no such process, and where the system does not tell (proc(5)).
 */
function identityOf(which: string): string | null {
  const namespace = pidNamespace()
  const stat = attempt(() => readFileSync(`/proc/${which}/stat`, 'latin1'))
  if (namespace === null || stat === null) return null
  const [pid] = stat.split(' ', 1)
  // The name in parentheses may hold anything; field 22 is the 20th after it.
  const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return `${namespace} ${pid} ${startedAt}`
}

function pidNamespace(): string | null {
  return attempt(() => readlinkSync('/proc/self/ns/pid'))
}

function attempt<Result>(act: () => Result): Result | null {
  try {
    return act()
  } catch {
    return null
  }
}
