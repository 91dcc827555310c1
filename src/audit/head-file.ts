import { existsSync, readFileSync } from 'node:fs'
import type { AuditHead } from './chain.js'

/** One line of fixed length, so that a newer head overwrites an older one completely. */
export function formatHead(head: AuditHead): string {
  return `${String(head.seq).padStart(16, '0')} ${head.hash}\n`
}

/**
 * The head kept in the file, or null when none is: there is no file, or nothing was written to it yet.
 * @throws when it holds something else, which is no reason to take the log as it comes
 */
export function readHead(file: string): AuditHead | null {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (text === '') return null
  const match = /^(\d{16}) ([0-9a-f]{64})\n?$/.exec(text)
  if (!match?.[1] || !match[2]) throw new Error(`${file} does not hold an audit head`)
  return { seq: Number(match[1]), hash: match[2] }
}
