import type { DetachedContent } from '../evidence.js'
import type { DocumentReading } from './document-reading.js'

export function readAsic(
  _bytes: Buffer,
  _read: (bytes: Buffer, contents: readonly DetachedContent[]) => Promise<DocumentReading>,
): Promise<DocumentReading> {
  throw new Error('Not read yet')
}
