/** The thread in which PDFs are parsed, one task at a time. */
import { parentPort, type TransferListItem } from 'node:worker_threads'
import { UnfitDocumentError } from '../../errors.js'
import { performPdfTask, type Appended, type PdfTask } from './pdf-task.js'

/** A file at the beginning of a buffer, which goes back with the answer. */
export interface PdfThreadTask {
  readonly buffer: ArrayBuffer
  readonly length: number
  readonly task: PdfTask
}

export type PdfThreadMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly buffer: ArrayBuffer; readonly appended: Appended }
  | { readonly kind: 'refused'; readonly reason: string }

if (parentPort === null) throw new Error('This file is a thread')
const port = parentPort

// The library warns of what it meets; what matters of that is in the answers.
// eslint-disable-next-line no-console
console.warn = () => undefined

port.on('message', (message: PdfThreadTask) => {
  void answer(message).then((reply) => {
    const transferred: TransferListItem[] = reply.kind === 'done' ? [reply.buffer] : []
    port.postMessage(reply, transferred)
  })
})
port.postMessage({ kind: 'ready' } satisfies PdfThreadMessage)

/** Whatever goes wrong with a file is wrong about the file. */
async function answer({ buffer, length, task }: PdfThreadTask): Promise<PdfThreadMessage> {
  try {
    const appended = await performPdfTask(new Uint8Array(buffer, 0, length), task)
    return { kind: 'done', buffer, appended }
  } catch (error) {
    const reason = error instanceof UnfitDocumentError ? error.message : UNREADABLE
    return { kind: 'refused', reason }
  }
}

const UNREADABLE = 'The PDF is damaged: its objects cannot be read'
