import { existsSync, readFileSync } from 'node:fs'
import type { AuditHead } from './chain.js'

/** One line of fixed length, so that a newer head overwrites an older one completely. */
export function formatHead(head: AuditHead): string {
  return `${String(head.seq).padStart(16, '0')} ${head.hash}\n`
}

/** The head kept beside the database, or null when there is none. */
export function readHead(file: string): AuditHead | null {
  if (!existsSync(file)) return null
  const match = /^(\d{16}) ([0-9a-f]{64})\n/.exec(readFileSync(file, 'utf8'))
  if (!match?.[1] || !match[2]) return null
  return { seq: Number(match[1]), hash: match[2] }
}
