import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { KeyProcess } from '../../src/keys/process/supervisor.js'

/** Asks until it is so; a test that waits in vain ends by its timeout. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10))
}

/** Never 0, which would name the processes of this test run. */
export function pidOf({ state }: KeyProcess): number {
  assert.ok(state.pid)
  return state.pid
}

export function isAlive(pid: number): boolean {
  try {
    // A child that ended and was not waited for yet is dead, too.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
