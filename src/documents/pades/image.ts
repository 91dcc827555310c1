import { PdfDict, PdfName, PdfNumber, type PdfRef, PdfStream } from '@libpdf/core'
import { PNG } from 'pngjs'
import { deflateSync } from 'node:zlib'
import { UnfitDocumentError } from '../../errors.js'
import type { PdfDocument } from './pdf-document.js'

export interface EmbeddedImage {
  readonly ref: PdfRef
  /** Pixels. */
  readonly width: number
  readonly height: number
}

/** @param file PNG or JPEG */
export function embedImage(document: PdfDocument, file: Uint8Array): EmbeddedImage {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length)
  try {
    return isPng(bytes) ? embedPng(document, bytes) : embedJpeg(document, bytes)
  } catch (error) {
    if (error instanceof UnfitDocumentError) throw error
    throw new UnfitDocumentError(
      'The image of the appearance is not a PNG or JPEG that can be read',
      { cause: error },
    )
  }
}

function embedJpeg(document: PdfDocument, bytes: Buffer): EmbeddedImage {
  const image = document.pdf.embedJpeg(bytes)
  rejectLarge(image.width, image.height)
  const stream = document.resolve(image.ref)
  const colours = stream instanceof PdfDict ? document.nameIn(stream, 'ColorSpace') : null
  if (colours === 'DeviceCMYK') {
    throw new UnfitDocumentError('The image of the appearance is in CMYK; it has to be RGB or grey')
  }
  return image
}

const MOST_PIXELS = 4_000_000

function rejectLarge(width: number, height: number): void {
  if (width * height > MOST_PIXELS) {
    throw new UnfitDocumentError(`The image of the appearance has more than ${MOST_PIXELS} pixels`)
  }
}

const PNG_SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex')
/** Width and height in the first chunk, which has to be IHDR. */
const PNG_SIZE_OFFSET = 16
const PNG_SIZE_END = 24
const PNG_INTERLACE_OFFSET = 28

function isPng(bytes: Buffer): boolean {
  const signature = bytes.subarray(0, PNG_SIGNATURE.length)
  return bytes.length > PNG_INTERLACE_OFFSET && signature.equals(PNG_SIGNATURE)
}

/** The PDF library reads fewer kinds of PNG, and no broken one safely. */
function embedPng(document: PdfDocument, bytes: Buffer): EmbeddedImage {
  const size = bytes.subarray(PNG_SIZE_OFFSET, PNG_SIZE_END)
  rejectLarge(size.readUInt32BE(0), size.readUInt32BE(4))
  // Only of others does the library know beforehand how much they unpack to.
  if (bytes.readUInt8(PNG_INTERLACE_OFFSET) !== 0) {
    throw new UnfitDocumentError('The image of the appearance is an interlaced PNG')
  }
  const { width, height, data } = PNG.sync.read(bytes)
  const colours = Buffer.alloc(width * height * 3)
  const opacity = Buffer.alloc(width * height)
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    data.copy(colours, 3 * pixel, 4 * pixel, 4 * pixel + 3)
    opacity[pixel] = data[4 * pixel + 3] ?? OPAQUE
  }
  const { registry } = document.pdf.context
  const image = imageStream({ width, height, colourSpace: 'DeviceRGB', samples: colours })
  if (opacity.some((value) => value !== OPAQUE)) {
    const mask = imageStream({ width, height, colourSpace: 'DeviceGray', samples: opacity })
    image.set('SMask', registry.register(mask))
  }
  return { ref: registry.register(image), width, height }
}

const OPAQUE = 255

interface Samples {
  readonly width: number
  readonly height: number
  readonly colourSpace: string
  /** Eight bits each, row by row. */
  readonly samples: Buffer
}

function imageStream({ width, height, colourSpace, samples }: Samples): PdfStream {
  const entries = {
    Type: PdfName.of('XObject'),
    Subtype: PdfName.of('Image'),
    Width: PdfNumber.of(width),
    Height: PdfNumber.of(height),
    ColorSpace: PdfName.of(colourSpace),
    BitsPerComponent: PdfNumber.of(8),
    Filter: PdfName.of('FlateDecode'),
  }
  return PdfStream.fromDict(entries, deflateSync(samples))
}
