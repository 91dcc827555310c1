import { readdirSync, readFileSync } from 'node:fs'

/** Processes that this one started. */
export function childrenOf(pid: number): number[] {
  return listFolder(`/proc/${pid}/task`).flatMap((task) =>
    readFile(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number),
  )
}

/** Empty when there is none: processes end while they are looked at. */
export function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Empty when there is none. */
export function listFolder(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
