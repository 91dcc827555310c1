import type { DetachedContent } from '../evidence.js'
import type { DocumentReading } from './document-reading.js'

export function readJws(_bytes: Buffer, _contents: readonly DetachedContent[]): DocumentReading {
  throw new Error('Not read yet')
}
