import type { PdfDict, PdfRef } from '@libpdf/core'
import { UnfitDocumentError } from '../../errors.js'
import type { PdfRectangle } from './pdf-appearance.js'
import { damaged, entry, isDict, type Kept, type PdfDocument } from './pdf-document.js'

/** Degrees clockwise. */
export type Rotation = 0 | 90 | 180 | 270

/** A page, with what it has from the nodes above it. */
export interface Page {
  readonly dict: Kept<PdfDict>
  /** What is shown of it: left, bottom, right, top, in units of the page. */
  readonly box: readonly [number, number, number, number]
  readonly rotation: Rotation
  /** Points in a unit of the page. */
  readonly unit: number
}

interface Inherited {
  readonly mediaBox: number[] | null
  readonly cropBox: number[] | null
  readonly rotate: number
}

const NOTHING: Inherited = { mediaBox: null, cropBox: null, rotate: 0 }

/** @param number from 1 */
export function findPage(document: PdfDocument, number: number): Page {
  const root = document.dictIn(document.catalog, 'Pages')
  const below = (node: Kept<PdfDict>, from: Inherited): [Kept<PdfDict>[], Inherited] => [
    document.dictsIn(node, 'Kids'),
    known(document, node.object, from),
  ]
  let count = 0
  for (const [node, from] of document.walk(root ? [root] : [], NOTHING, below)) {
    if (entry(node.object, 'Kids')) continue
    count++
    if (count === number) return pageOf(document, node, known(document, node.object, from))
  }
  if (count === 0) throw damaged('it has no pages')
  throw new UnfitDocumentError(`The PDF has no page ${number}: its last is ${count}`)
}

function known(document: PdfDocument, node: PdfDict, from: Inherited): Inherited {
  return {
    mediaBox: document.numbersIn(node, 'MediaBox') ?? from.mediaBox,
    cropBox: document.numbersIn(node, 'CropBox') ?? from.cropBox,
    rotate: document.numberIn(node, 'Rotate') ?? from.rotate,
  }
}

/** US Letter: what viewers take where a page does not say. */
const USUAL_BOX: Box = [0, 0, 612, 792]
const FULL_TURN = 360
const QUARTER_TURN = 90

type Box = readonly [number, number, number, number]

function pageOf(document: PdfDocument, dict: Kept<PdfDict>, inherited: Inherited): Page {
  const media = boxOf(inherited.mediaBox) ?? USUAL_BOX
  const crop = boxOf(inherited.cropBox) ?? media
  const box = intersection(crop, media) ?? media
  const turned = ((Math.round(inherited.rotate) % FULL_TURN) + FULL_TURN) % FULL_TURN
  const unit = document.numberIn(dict.object, 'UserUnit') ?? 1
  return {
    dict,
    box,
    rotation: (turned % QUARTER_TURN === 0 ? turned : 0) as Rotation,
    unit: unit > 0 ? unit : 1,
  }
}

/** Any two opposite corners make a rectangle. @see ISO 32000-1, 7.9.5 */
export function boxOf(numbers: readonly number[] | null): Box | null {
  if (numbers?.length !== 4) return null
  const [a = 0, b = 0, c = 0, d = 0] = numbers
  const box: Box = [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)]
  return box[2] > box[0] && box[3] > box[1] ? box : null
}

function intersection(one: Box, other: Box): Box | null {
  return boxOrNull([
    Math.max(one[0], other[0]),
    Math.max(one[1], other[1]),
    Math.min(one[2], other[2]),
    Math.min(one[3], other[3]),
  ])
}

function boxOrNull(box: Box): Box | null {
  return box[2] > box[0] && box[3] > box[1] ? box : null
}

/** Half a point: what is lost where a place was found on a picture of the page. */
const TOLERANCE = 0.5

/** The rectangle in the units of the page, unturned: what the field wants to know. */
export function placeOn(page: Page, rectangle: PdfRectangle): Box {
  const { unit, rotation, box } = page
  const [left, bottom, right, top] = box
  const [x, y] = [rectangle.x / unit, rectangle.y / unit]
  const [width, height] = [rectangle.width / unit, rectangle.height / unit]
  const isTurned = rotation === 90 || rotation === 270
  const shownWidth = isTurned ? top - bottom : right - left
  const shownHeight = isTurned ? right - left : top - bottom
  const fits = x >= -TOLERANCE && y >= -TOLERANCE && width > 0 && height > 0
  if (!fits || x + width > shownWidth + TOLERANCE || y + height > shownHeight + TOLERANCE) {
    throw new UnfitDocumentError(
      `The rectangle does not lie on the page, which is ${size(shownWidth * unit, shownHeight * unit)} points as shown`,
    )
  }
  switch (rotation) {
    case 0:
      return [left + x, bottom + y, left + x + width, bottom + y + height]
    case 90:
      return [right - y - height, bottom + x, right - y, bottom + x + width]
    case 180:
      return [right - x - width, top - y - height, right - x, top - y]
    case 270:
      return [left + y, top - x - width, left + y + height, top - x]
  }
}

function size(width: number, height: number): string {
  return `${Math.round(width * 100) / 100} by ${Math.round(height * 100) / 100}`
}

/** The page as an object of its own, as a widget has to name it. */
export function pageReference(document: PdfDocument, { dict }: Page): PdfRef {
  if (document.resolve(dict.home) !== dict.object)
    throw damaged('a page is not an object of its own')
  return dict.home
}

/** Turning of a widget that stands there already. */
export function rotationOf(document: PdfDocument, widget: PdfDict): Rotation {
  const characteristics = document.lookUp(widget, 'MK')
  const degrees = isDict(characteristics) ? document.numberIn(characteristics, 'R') : null
  const turned = (((degrees ?? 0) % FULL_TURN) + FULL_TURN) % FULL_TURN
  return (turned % QUARTER_TURN === 0 ? turned : 0) as Rotation
}
