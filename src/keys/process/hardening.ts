import { koffi } from '../foreign-functions.js'

/*
 * What the operating system does for a process that holds a secret and runs code of others. Linux alone has
 * the first; elsewhere the process runs without it.
 */

const PR_SET_DUMPABLE = 4
const RLIMIT_CORE = 4
/** With this limit the kernel neither writes a dump nor hands one to a program; with 0 it may do the latter. */
const NO_DUMP = 1n

/**
 * No core dump is written, and no process of the same user may attach to this one or read its memory
 * (prctl(2), PR_SET_DUMPABLE): whoever breaks into the server does not get at the PIN that way.
 * @returns whether the system could be asked for it
 */
export function keepMemoryPrivate(): boolean {
  if (process.platform !== 'linux') return false
  const prctl = koffi
    .load(null)
    .func(
      'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
    )
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) === 0
}

/**
 * No core dump of this process is written, nor of those it starts: whoever reads one has the master secret,
 * and what people and applications sent last (core(5), setrlimit(2)).
 * @returns whether the system could be asked for it; not where it allows no dump to begin with
 */
export function writeNoCoreDumps(): boolean {
  if (process.platform !== 'linux') return false
  const limits = Buffer.from(new BigUint64Array([NO_DUMP, NO_DUMP]).buffer)
  const setrlimit = koffi.load(null).func('int setrlimit(int resource, const void *limits)')
  return setrlimit(RLIMIT_CORE, limits) === 0
}

/**
 * Has the kernel end this process when its event loop stands still for so long: inside the library, with
 * nobody left to notice. No code of ours runs then, so none can fail to.
 */
export function endWhenStuck(seconds: number): void {
  const alarm = koffi.load(null).func('unsigned int alarm(unsigned int seconds)')
  const again = () => void alarm(seconds)
  again()
  setInterval(again, (seconds * 1000) / 5).unref()
}
