import {
  type EmbeddedFont,
  PdfArray,
  PdfDict,
  PdfName,
  PdfNumber,
  type PdfRef,
  PdfStream,
} from '@libpdf/core'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { UnfitDocumentError } from '../../errors.js'
import { embedImage, type EmbeddedImage } from './image.js'
import { isDict, type PdfDocument } from './pdf-document.js'
import type { Rotation } from './page.js'
import type { Revision } from './revision.js'

/** What is to be seen in a rectangle. */
export interface Look {
  readonly text?: string | undefined
  readonly fontSize?: number | undefined
  /** PNG or JPEG. */
  readonly image?: Uint8Array | undefined
  /** Nobody asked for this text: what cannot be drawn of it is left out. */
  readonly isUsual?: boolean
}

export interface Area {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface Drawing {
  readonly look: Look
  readonly width: number
  readonly height: number
  readonly rotation: Rotation
  /** Corners of that size in another order. */
  readonly box?: readonly number[] | undefined
}

/** Draws a look upright, whichever way the page is turned; the result is for `AP`. */
export function drawLook(
  document: PdfDocument,
  revision: Revision,
  { look, width, height, rotation, box = [0, 0, width, height] }: Drawing,
): PdfRef {
  const { imageArea, textArea } = divided(look, { x: 0, y: 0, width, height })
  const image = look.image && imageArea ? embedImage(document, look.image) : null
  const font = look.text !== undefined && look.text !== '' ? embedFont(document) : null
  const drawn = [
    image && imageArea ? drawImage(image, imageArea) : '',
    font && textArea ? drawText(font, look, textArea) : '',
  ]
  const resources = new PdfDict()
  if (image) resources.set('XObject', PdfDict.of({ Image: image.ref }))
  if (font) resources.set('Font', PdfDict.of({ Font: font.ref }))
  document.pdf.fonts.finalize(true)
  nameSubset(document, look.text ?? '')
  const form = PdfDict.of({
    Type: PdfName.of('XObject'),
    Subtype: PdfName.of('Form'),
    BBox: numbers(...box),
    Matrix: numbers(...TURNED[rotation]),
    Resources: resources,
  })
  return revision.add(new PdfStream(form, Buffer.from(drawn.join(''), 'latin1')))
}

const SUBSET_NAME = /^[A-Z]{6}\+/
const SUBSET_LETTERS = 6

/** By a digest of the text instead of by chance, so that preparing the same twice gives the same. */
function nameSubset(document: PdfDocument, text: string): void {
  const digest = createHash('sha256').update(text).digest().subarray(0, SUBSET_LETTERS)
  const tag = String.fromCharCode(...digest.map((byte) => 'A'.charCodeAt(0) + (byte % 26)))
  for (const object of document.pdf.context.registry.getNewObjects().values()) {
    if (!isDict(object)) continue
    for (const key of ['BaseFont', 'FontName']) {
      const name = document.nameIn(object, key)
      if (name) object.set(key, PdfName.of(name.replace(SUBSET_NAME, `${tag}+`)))
    }
  }
}

/** Against the way the page is turned. */
const TURNED: Readonly<Record<Rotation, readonly number[]>> = {
  0: [1, 0, 0, 1, 0, 0],
  90: [0, 1, -1, 0, 0, 0],
  180: [-1, 0, 0, -1, 0, 0],
  270: [0, -1, 1, 0, 0, 0],
}

export function numbers(...values: readonly number[]): PdfArray {
  return new PdfArray(values.map((value) => PdfNumber.of(value)))
}

/** Of a rectangle with both, the share of the image. */
const IMAGE_SHARE = 0.4

function divided(look: Look, whole: Area): { imageArea: Area | null; textArea: Area | null } {
  if (look.image === undefined) return { imageArea: null, textArea: whole }
  if (look.text === undefined || look.text === '') return { imageArea: whole, textArea: null }
  const { x, y, width, height } = whole
  if (width >= height) {
    const share = width * IMAGE_SHARE
    return {
      imageArea: { x, y, width: share, height },
      textArea: { x: x + share, y, width: width - share, height },
    }
  }
  const share = height * IMAGE_SHARE
  return {
    imageArea: { x, y: y + height - share, width, height: share },
    textArea: { x, y, width, height: height - share },
  }
}

/** As large as fits, in the middle. */
function drawImage(image: EmbeddedImage, area: Area): string {
  const scale = Math.min(area.width / image.width, area.height / image.height)
  const [width, height] = [image.width * scale, image.height * scale]
  const x = area.x + (area.width - width) / 2
  const y = area.y + (area.height - height) / 2
  return `q ${decimals(width, 0, 0, height, x, y)} cm /Image Do Q\n`
}

let fontFile: Buffer | null = null

/** DejaVu Sans: Latin, Greek, Cyrillic, Armenian, Georgian, and many signs. */
function embedFont(document: PdfDocument): EmbeddedFont {
  const path = createRequire(import.meta.url).resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf')
  fontFile ??= readFileSync(path)
  return document.pdf.embedFont(fontFile)
}

const LARGEST_SIZE = 12
const SMALLEST_SIZE = 3
const SIZE_STEP = 0.5
const PADDING = 2
const LINE_HEIGHT = 1.2
/** Of the size: where the first line stands below the upper edge. */
const ASCENT = 0.95

function drawText(font: EmbeddedFont, look: Look, area: Area): string {
  const text = look.isUsual
    ? drawableLines(font, plainText(look.text ?? ''))
    : plainText(look.text ?? '')
  rejectUndrawable(font, text)
  const width = area.width - 2 * PADDING
  const height = area.height - 2 * PADDING
  const fit = fitted(font, { text, width, height, fontSize: look.fontSize })
  if (!fit && look.isUsual) return ''
  if (!fit)
    throw new UnfitDocumentError('The text of the appearance does not fit into its rectangle')
  const { size, lines } = fit
  const y = area.y + area.height - PADDING - size * ASCENT
  const shown = lines.map((line) => `<${glyphs(font, line)}> Tj T*\n`)
  return [
    `q BT 0 g /Font ${decimals(size)} Tf ${decimals(size * LINE_HEIGHT)} TL `,
    `${decimals(1, 0, 0, 1, area.x + PADDING, y)} Tm\n`,
    ...shown,
    'ET Q\n',
  ].join('')
}

interface Block {
  readonly text: string
  readonly width: number
  readonly height: number
  readonly fontSize: number | undefined
}

/** The largest size there is room for, and the lines; null where there is not enough for any. */
function fitted(font: EmbeddedFont, { text, width, height, fontSize }: Block) {
  if (fontSize !== undefined && !(fontSize > 0)) {
    throw new UnfitDocumentError('The font size of the appearance is not above zero')
  }
  const smallest = fontSize ?? SMALLEST_SIZE
  for (let size = fontSize ?? LARGEST_SIZE; size >= smallest; size -= SIZE_STEP) {
    const lines = wrapped(font, text, width / size)
    if (lines !== null && lines.length * size * LINE_HEIGHT <= height) return { size, lines }
  }
  return null
}

/** @param width in units of the font size; null where not even a letter has room */
function wrapped(font: EmbeddedFont, text: string, width: number): string[] | null {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    for (const word of paragraph.split(' ').flatMap((one) => pieces(font, one, width))) {
      const longer = line === '' ? word : `${line} ${word}`
      if (widthOf(font, longer) <= width) {
        line = longer
        continue
      }
      if (line === '') return null
      lines.push(line)
      line = word
    }
    lines.push(line)
  }
  return lines.every((line) => widthOf(font, line) <= width) ? lines : null
}

/** A word too long for a line, cut where the line ends. */
function pieces(font: EmbeddedFont, word: string, width: number): string[] {
  if (widthOf(font, word) <= width) return [word]
  const found: string[] = []
  let piece = ''
  for (const letter of word) {
    if (piece !== '' && widthOf(font, piece + letter) > width) {
      found.push(piece)
      piece = ''
    }
    piece += letter
  }
  return [...found, piece]
}

const UNITS_PER_EM = 1000

function widthOf(font: EmbeddedFont, text: string): number {
  let width = 0
  for (const letter of text) width += font.getWidth(letter.codePointAt(0) ?? 0)
  return width / UNITS_PER_EM
}

/** Composed letters, one kind of line end, spaces instead of tabulators. */
function plainText(text: string): string {
  return text.normalize('NFC').replace(/\r\n?/g, '\n').replace(/\t/g, ' ').trimEnd()
}

/** Scripts whose letters change shape or direction, which takes more than choosing glyphs. */
const SHAPED =
  /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Devanagari}\p{Script=Lao}\p{Script=Thai}]/u
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u
const LONGEST_TEXT = 2000

function rejectUndrawable(font: EmbeddedFont, text: string): void {
  if (text.length > LONGEST_TEXT) {
    throw new UnfitDocumentError(
      `The text of the appearance has more than ${LONGEST_TEXT} characters`,
    )
  }
  const missing = undrawable(font, text.replaceAll('\n', ''))
  if (missing === undefined) return
  const code = (missing.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  throw new UnfitDocumentError(
    `The text of the appearance has a character that cannot be drawn: U+${code}`,
  )
}

/** The first letter that has no glyph of its own. */
function undrawable(font: EmbeddedFont, letters: string): string | undefined {
  const bad = SHAPED.exec(letters) ?? UNSEEN.exec(letters)
  const [missing] = bad ?? font.getUnencodableCharacters(letters)
  return missing
}

function drawableLines(font: EmbeddedFont, text: string): string {
  const lines = text.split('\n')
  return lines.filter((line) => undrawable(font, line) === undefined).join('\n')
}

const GLYPH_DIGITS = 4

function glyphs(font: EmbeddedFont, line: string): string {
  const codes = font.encodeTextToGids(line)
  return codes.map((code) => code.toString(16).padStart(GLYPH_DIGITS, '0')).join('')
}

function decimals(...values: readonly number[]): string {
  return values.map((value) => String(Math.round(value * 1000) / 1000)).join(' ')
}
