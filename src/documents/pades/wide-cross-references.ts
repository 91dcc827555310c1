import { PdfArray, PdfNumber, PdfStream, type PdfObject } from '@libpdf/core'
import { UnfitDocumentError } from '../../errors.js'

/** Octets of the fields that the library reads; they are enough for 256 TB. */
const WIDEST = 6

let isTaken = false

/**
 * Has cross-reference streams with wider fields read, too: pyHanko writes offsets of eight octets
 * (ISO 32000-1, 7.5.8 sets no limit). The library is given the same rows with leading zeros left out. This
 * changes its class for the whole thread.
 */
export function takeWideCrossReferences(): void {
  if (isTaken) return
  isTaken = true
  const getArray: unknown = Reflect.get(PdfStream.prototype, 'getArray')
  const arrayOf = getArray as (this: PdfStream, ...key: unknown[]) => PdfArray | undefined
  const getDecodedData: unknown = Reflect.get(PdfStream.prototype, 'getDecodedData')
  const dataOf = getDecodedData as (this: PdfStream) => Uint8Array
  const widthsOf = (stream: PdfStream) =>
    stream.has('Size') ? wideFields(arrayOf.call(stream, 'W')) : null

  PdfStream.prototype.getArray = function narrow(this: PdfStream, ...key: [string, ...never[]]) {
    const widths = key[0] === 'W' ? widthsOf(this) : null
    if (widths === null) return arrayOf.apply(this, key)
    return new PdfArray(widths.map((width) => PdfNumber.of(Math.min(width, WIDEST))))
  }
  PdfStream.prototype.getDecodedData = function rows(this: PdfStream) {
    const widths = widthsOf(this)
    return widths === null ? dataOf.call(this) : narrowed(dataOf.call(this), widths)
  }
}

/** Null where the library reads the fields as they are, or says itself what is wrong with them. */
function wideFields(array: PdfArray | undefined): number[] | null {
  if (array === undefined) return null
  const widths = [...array].map((item: PdfObject) => (item.type === 'number' ? item.value : -1))
  const areFields = widths.every((width) => Number.isInteger(width) && width >= 0 && width <= 16)
  return areFields && widths.some((width) => width > WIDEST) ? widths : null
}

/** @throws {UnfitDocumentError} for numbers that do not fit into less */
function narrowed(rows: Uint8Array, widths: readonly number[]): Uint8Array {
  const row = widths.reduce((sum, width) => sum + width, 0)
  const kept: number[] = []
  let at = 0
  for (const width of widths) {
    for (let octet = Math.max(0, width - WIDEST); octet < width; octet++) kept.push(at + octet)
    at += width
  }
  const count = Math.floor(rows.length / row)
  const result = new Uint8Array(count * kept.length)
  const isKept = new Set(kept)
  for (let index = 0; index < count; index++) {
    const start = index * row
    for (const [to, from] of kept.entries())
      result[index * kept.length + to] = rows[start + from] ?? 0
    for (let octet = 0; octet < row; octet++) {
      if (rows[start + octet] !== 0 && !isKept.has(octet)) {
        throw new UnfitDocumentError('The PDF is damaged: a cross-reference leads out of it')
      }
    }
  }
  return result
}
