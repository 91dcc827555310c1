import type { AuditRecord } from './chain.js'

/** What a terminal, or a reader of left-to-right text, would take for more than text. */
// eslint-disable-next-line no-control-regex -- these are what it looks for
export const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** The character as JSON may write it, `\u001b` for ESC. */
export function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** One line of an export: JSON in exactly one spelling, with nothing in it that a terminal obeys. */
export function formatRecord(record: AuditRecord): string {
  const { seq, at, event, detail, prevHash, hash } = record
  const json = JSON.stringify({ seq, at, event, detail, prevHash, hash })
  return json.replace(UNPRINTABLE, escapeCharacter)
}

/** The record of a line, or null when the line is not as `formatRecord` writes it. */
export function parseRecord(line: string): AuditRecord | null {
  try {
    const record = JSON.parse(line) as AuditRecord
    const { seq, at, event, detail, prevHash, hash } = record
    const isText = [at, event, detail, prevHash, hash].every((text) => typeof text === 'string')
    return isText && Number.isSafeInteger(seq) && formatRecord(record) === line ? record : null
  } catch {
    return null
  }
}
