import type { Appended, PdfTask } from './pdf-task.js'
import type { PdfThreads } from './pdf-threads.js'

/** A PDF that revisions are appended to. Its first bytes are a copy of the document, and stay it. */
export class GrowingPdf {
  readonly #threads: PdfThreads
  #bytes: Buffer<ArrayBuffer>

  constructor(threads: PdfThreads, document: Buffer, space: number) {
    this.#threads = threads
    const memory = Buffer.from(new ArrayBuffer(document.length + space))
    document.copy(memory)
    this.#bytes = memory.subarray(0, document.length)
  }

  get bytes(): Buffer {
    return this.#bytes
  }

  /** @returns what waits for a signature or token now */
  async append(task: PdfTask): Promise<OpenPlace | null> {
    const { length } = this.#bytes
    const { buffer, appended } = await this.#threads.perform(this.#bytes.buffer, length, task)
    this.#bytes = extended(Buffer.from(buffer), length, appended)
    const { open } = appended
    return open && { ...open, start: length + open.start, digest: Buffer.from(open.digest) }
  }

  /** Puts a signature or token into its place. @returns false where it is too long for it */
  fill({ start, digits }: OpenPlace, value: Buffer): boolean {
    if (2 * value.length > digits) return false
    this.#bytes.write(value.toString('hex'), start, 'latin1')
    return true
  }

  /** What stands in a place, with the zeros behind it. */
  valueAt({ start, digits }: OpenPlace): Buffer {
    return Buffer.from(this.#bytes.toString('latin1', start, start + digits), 'hex')
  }
}

/** A place for a signature or token in a file. */
export interface OpenPlace {
  /** Of the first hexadecimal digit. */
  readonly start: number
  readonly digits: number
  /** Over the file but for the place. */
  readonly digest: Buffer
}

/** In the same memory where there is room behind the file. */
function extended(memory: Buffer<ArrayBuffer>, length: number, { bytes }: Appended) {
  const total = length + bytes.length
  const target = total <= memory.length ? memory : Buffer.from(new ArrayBuffer(total))
  if (target !== memory) memory.copy(target, 0, 0, length)
  target.set(bytes, length)
  return target.subarray(0, total)
}
