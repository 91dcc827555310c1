import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const LIBRARY = 'faketime/libfaketimeMT.so.1'

/** The wall clock of one server and its key process, which can be stepped; durations go on as they were. */
export class Clock {
  readonly environment: Readonly<Record<string, string>>
  readonly #file: string

  private constructor(library: string, file: string) {
    this.#file = file
    this.environment = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DISABLE_SHM: '1',
      NO_FAKE_STAT: '1',
    }
    this.set(0)
  }

  /** @returns null without libfaketime */
  static make(file: string): Clock | null {
    const library = ['/usr/lib', ...foldersIn('/usr/lib'), '/usr/lib64', '/usr/local/lib']
      .map((folder) => join(folder, LIBRARY))
      .find((path) => existsSync(path))
    return library === undefined ? null : new Clock(library, file)
  }

  /** @param offset seconds from the real time */
  set(offset: number): void {
    // At once: it is read at every look at the clock.
    writeFileSync(`${this.#file}.new`, `${offset < 0 ? '' : '+'}${offset}\n`)
    renameSync(`${this.#file}.new`, this.#file)
  }
}

function foldersIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name))
}
