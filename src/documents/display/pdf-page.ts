import { fileURLToPath } from 'node:url'
import { createCanvas } from '@napi-rs/canvas'
import type { PDFDocumentProxy, PDFPageProxy } from 'pdfjs-dist'
import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs'
import { activeContent, type ActiveContent } from './active-content.js'

/*
 * Runs in an isolated process (src/isolation): what comes in is anybody's. Nothing in the document is
 * executed, and nothing outside of it is fetched; fonts that it does not bring along are ours.
 */

export interface PdfPageRequest {
  readonly content: Buffer
  /** From 1 on. */
  readonly page: number
  /** Pixels across. */
  readonly width: number
}

export type PdfPage =
  | { readonly outcome: 'password' | 'damaged' }
  | { readonly outcome: 'no-such-page'; readonly pages: number }
  | {
      readonly outcome: 'shown'
      readonly pages: number
      readonly active: readonly ActiveContent[]
      /** PNG. */
      readonly picture: Buffer
      readonly width: number
      readonly height: number
      /** What can be read on the page, as far as it is there as text. */
      readonly text: string
    }

const MOST_PIXELS = 12_000_000
const LONGEST_SIDE = 8000
const MOST_TEXT = 20_000

const FILES = new URL('../../', import.meta.resolve('pdfjs-dist/legacy/build/pdf.mjs'))
const folder = (name: string) => fileURLToPath(new URL(`${name}/`, FILES))

const SETTINGS = {
  isEvalSupported: false,
  enableXfa: false,
  useSystemFonts: false,
  disableFontFace: true,
  disableRange: true,
  disableStream: true,
  disableAutoFetch: true,
  verbosity: 0,
  standardFontDataUrl: folder('standard_fonts'),
  cMapUrl: folder('cmaps'),
  wasmUrl: folder('wasm'),
  iccUrl: folder('iccs'),
} as const

/** One page as a picture, with what there is to know about the document. */
export async function pdfPage({ content, page, width }: PdfPageRequest): Promise<PdfPage> {
  // It is taken away from us by the reader.
  const loading = getDocument({ ...SETTINGS, data: new Uint8Array(content) })
  try {
    const document = await loading.promise
    const pages = document.numPages
    if (page > pages) return { outcome: 'no-such-page', pages }
    const active = await activeContent(content)
    return { outcome: 'shown', pages, active, ...(await draw(document, page, width)) }
  } catch (error) {
    const { name } = error as Error
    return { outcome: name === 'PasswordException' ? 'password' : 'damaged' }
  } finally {
    await loading.destroy()
  }
}

async function draw(document: PDFDocumentProxy, number: number, wanted: number) {
  const page = await document.getPage(number)
  const viewport = page.getViewport({ scale: scaleOf(page, wanted) })
  const width = Math.max(1, Math.floor(viewport.width))
  const height = Math.max(1, Math.floor(viewport.height))
  const canvas = createCanvas(width, height)
  const context = canvas.getContext('2d')
  await page.render({ canvas: null, canvasContext: context as never, viewport }).promise
  return { picture: await canvas.encode('png'), width, height, text: await textOf(page) }
}

function scaleOf(page: PDFPageProxy, wanted: number): number {
  const { width, height } = page.getViewport({ scale: 1 })
  const [across, down] = [Math.max(width, 1), Math.max(height, 1)]
  const fits = Math.min(LONGEST_SIDE / across, LONGEST_SIDE / down)
  return Math.min(wanted / across, fits, Math.sqrt(MOST_PIXELS / (across * down)))
}

async function textOf(page: PDFPageProxy): Promise<string> {
  const { items } = await page.getTextContent()
  const text = items
    .map((item) => ('str' in item ? `${item.str}${item.hasEOL ? '\n' : ''}` : ''))
    .join('')
  return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text
}
