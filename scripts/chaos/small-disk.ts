import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CHUNK = Buffer.alloc(1024 * 1024)
const LAST_CHUNK = Buffer.alloc(4096)

/** A file system in memory that can be filled to the last byte. Only root may mount one. */
export class SmallDisk {
  readonly folder: string
  readonly #filler: string
  readonly #unmount = () => {
    execFileSync('umount', ['--lazy', this.folder], { stdio: 'ignore' })
    rmdirSync(this.folder)
  }

  private constructor(folder: string) {
    this.folder = folder
    this.#filler = join(folder, 'filler')
    process.once('exit', this.#unmount)
  }

  /** @returns the reason when there can be none */
  static make(megabytes: number): SmallDisk | string {
    const folder = mkdtempSync(join(tmpdir(), 'openrssp-chaos-disk-'))
    try {
      const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]
      execFileSync('mount', options, { stdio: 'ignore' })
    } catch {
      rmdirSync(folder)
      return 'mounting a small file system is for root alone'
    }
    chmodSync(folder, 0o755)
    return new SmallDisk(folder)
  }

  fill(): void {
    for (const chunk of [CHUNK, LAST_CHUNK]) {
      try {
        for (;;) appendFileSync(this.#filler, chunk)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true })
  }

  remove(): void {
    process.off('exit', this.#unmount)
    this.#unmount()
  }
}
