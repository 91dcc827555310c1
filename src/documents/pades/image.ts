import { PdfDict, type PdfRef } from '@libpdf/core'
import { UnfitDocumentError } from '../../errors.js'
import type { PdfDocument } from './pdf-document.js'

export interface EmbeddedImage {
  readonly ref: PdfRef
  /** Pixels. */
  readonly width: number
  readonly height: number
}

/** @param file PNG or JPEG */
export async function embedImage(document: PdfDocument, file: Uint8Array): Promise<EmbeddedImage> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length)
  try {
    const embedded = document.pdf.embedImage(isPng(bytes) ? await plainPng(bytes) : bytes)
    rejectUnusual(document, embedded)
    return embedded
  } catch (error) {
    if (error instanceof UnfitDocumentError) throw error
    throw new UnfitDocumentError(
      'The image of the appearance is not a PNG or JPEG that can be read',
      {
        cause: error,
      },
    )
  }
}

const MOST_PIXELS = 4_000_000

function rejectUnusual(document: PdfDocument, { ref, width, height }: EmbeddedImage): void {
  rejectLarge(width, height)
  const stream = document.resolve(ref)
  const colours = stream instanceof PdfDict ? document.nameIn(stream, 'ColorSpace') : null
  if (colours === 'DeviceCMYK') {
    throw new UnfitDocumentError('The image of the appearance is in CMYK; it has to be RGB or grey')
  }
}

function rejectLarge(width: number, height: number): void {
  if (width * height > MOST_PIXELS) {
    throw new UnfitDocumentError(`The image of the appearance has more than ${MOST_PIXELS} pixels`)
  }
}

const PNG_SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex')
/** Width and height in the first chunk, which has to be IHDR. */
const PNG_SIZE_OFFSET = 16
const PNG_SIZE_END = 24

function isPng(bytes: Buffer): boolean {
  const signature = bytes.subarray(0, PNG_SIGNATURE.length)
  return bytes.length >= PNG_SIZE_END && signature.equals(PNG_SIGNATURE)
}

/** The same picture with eight bits a sample, not interlaced: the only kind the PDF library reads. */
async function plainPng(bytes: Buffer): Promise<Buffer> {
  const size = bytes.subarray(PNG_SIZE_OFFSET, PNG_SIZE_END)
  rejectLarge(size.readUInt32BE(0), size.readUInt32BE(4))
  const { createCanvas, loadImage } = await import('@napi-rs/canvas')
  const image = await loadImage(bytes)
  const canvas = createCanvas(image.width, image.height)
  canvas.getContext('2d').drawImage(image, 0, 0)
  return canvas.encode('png')
}
