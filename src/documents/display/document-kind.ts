export type DocumentKind = 'pdf' | 'text' | 'other'

/** So far into a file readers look for it (ISO 32000-1, implementation note 13). */
const HEADER_WITHIN = 1024

/**
 * What a document is shown as. Its bytes decide, not what somebody says of them; what viewers would open as
 * a PDF is never shown as anything else.
 */
export function kindOf(content: Buffer): DocumentKind {
  if (content.subarray(0, HEADER_WITHIN).includes('%PDF-')) return 'pdf'
  return decodedText(content) === null ? 'other' : 'text'
}

/** UTF-8 without NUL, else null. */
export function decodedText(content: Buffer): string | null {
  if (content.includes(0)) return null
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch {
    return null
  }
}
