import type { HashName } from '../../keys/algorithms.js'
import { PdfDocument } from './pdf-document.js'
import { securityStoreRevision, type StoredEvidence } from './security-store.js'
import {
  signatureRevision,
  timestampRevision,
  type SignatureRequest,
} from './signature-revision.js'

/** What is done to a PDF away from the event loop. Plain data: it travels between threads. */
export type PdfTask =
  | { readonly kind: 'sign'; readonly request: SignatureRequest }
  | {
      readonly kind: 'preserve'
      readonly evidence: StoredEvidence
      /** Of the signature the evidence is for, with the zeros behind it. */
      readonly contents: Uint8Array
      /** Of the document time-stamp that follows; null for none. */
      readonly timestamp: { readonly hash: HashName; readonly room: number } | null
    }

/** What is to be appended. */
export interface Appended {
  readonly bytes: Uint8Array
  /** Null where nothing waits for a signature or token. */
  readonly open: OpenPlace | null
}

export interface OpenPlace {
  /** Of the first hexadecimal digit, counted in the appended bytes. */
  readonly start: number
  readonly digits: number
  /** Over the file with what is appended, but for that place. */
  readonly digest: Uint8Array
}

/** @throws {UnfitDocumentError} */
export async function performPdfTask(file: Uint8Array, task: PdfTask): Promise<Appended> {
  const document = await PdfDocument.open(file)
  if (task.kind === 'sign') {
    const { bytes, contents, digest } = signatureRevision(document, task.request)
    return { bytes, open: { ...contents, digest } }
  }
  const store = securityStoreRevision(document, [], task)
  if (!task.timestamp) return { bytes: store, open: null }
  const { bytes, contents, digest } = timestampRevision(document, [store], task.timestamp)
  const open = { start: store.length + contents.start, digits: contents.digits, digest }
  return { bytes: Buffer.concat([store, bytes]), open }
}
