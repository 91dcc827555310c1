import type { DetachedContent } from '../evidence.js'
import type { DocumentReading } from './document-reading.js'

export function readXml(
  _bytes: Buffer,
  _contents: readonly DetachedContent[],
): Promise<DocumentReading> {
  throw new Error('Not read yet')
}
