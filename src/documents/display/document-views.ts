import { LRUCache } from 'lru-cache'
import { isServiceError } from '../../errors.js'
import type { IsolatedProcesses } from '../../isolation/isolated-processes.js'
import { IsolationError, isolatedTask } from '../../isolation/isolated-task.js'
import { moduleUrl } from '../../package-files.js'
import type { DepositedDocument } from '../deposits.js'
import type { ActiveContent } from './active-content.js'
import { decodedText, kindOf } from './document-kind.js'
import type { pdfPage, PdfPage } from './pdf-page.js'

/** Pixels across, by how large a page is wanted. */
const WIDTHS = { 1: 1200, 2: 1800, 3: 2700 } as const
export type Zoom = keyof typeof WIDTHS

export interface Place {
  /** From 1 on. */
  readonly page: number
  readonly zoom: Zoom
}

export const FIRST_PAGE: Place = { page: 1, zoom: 1 }

/** Why a document is not there to be looked at. */
export type Unshowable = 'password' | 'damaged' | 'too-much' | 'busy' | 'other-kind'

export type DocumentView =
  | {
      readonly kind: 'pdf'
      readonly place: Place
      readonly pages: number
      readonly active: readonly ActiveContent[]
      /** PNG. */
      readonly picture: Buffer
      readonly width: number
      readonly height: number
      readonly text: string
    }
  | {
      readonly kind: 'text'
      readonly place: Place
      readonly pages: number
      readonly text: string
    }
  | { readonly kind: 'unshowable'; readonly why: Unshowable }

const TASK = isolatedTask<typeof pdfPage>(moduleUrl('documents/display/pdf-page.js'), 'pdfPage')

/** Characters of text that are one page. */
const TEXT_PAGE = 20_000
/** What was drawn is asked for again at once: as a picture, or after a mistyped code. */
const KEPT_MS = 120_000
const KEPT_BYTES = 64 * 1024 * 1024

/** Documents as people look at them: page by page, without anything in them being executed. */
export class DocumentViews {
  readonly #isolated: Pick<IsolatedProcesses, 'run'>
  readonly #drawn = new LRUCache<string, DocumentView>({
    ttl: KEPT_MS,
    maxSize: KEPT_BYTES,
    sizeCalculation: (view) =>
      1000 + ('picture' in view ? view.picture.length + view.text.length : 0),
  })

  constructor(parts: { isolated: Pick<IsolatedProcesses, 'run'> }) {
    this.#isolated = parts.isolated
  }

  /** Null when there is no such page. */
  async look(document: DepositedDocument, place: Place): Promise<DocumentView | null> {
    switch (kindOf(document.content)) {
      case 'pdf':
        return this.#pdf(document, place)
      case 'text':
        return textPage(document, place)
      case 'other':
        return { kind: 'unshowable', why: 'other-kind' }
    }
  }

  async #pdf({ content, digest }: DepositedDocument, place: Place): Promise<DocumentView | null> {
    const key = `${digest} ${place.page} ${place.zoom}`
    const known = this.#drawn.get(key)
    if (known) return known
    const { page, zoom } = place
    try {
      const drawn = await this.#isolated.run(TASK, { content, page, width: WIDTHS[zoom] })
      const view = asView(drawn, place)
      if (view) this.#drawn.set(key, view)
      return view
    } catch (error) {
      if (error instanceof IsolationError) {
        const tooMuch = { kind: 'unshowable', why: 'too-much' } as const
        this.#drawn.set(key, tooMuch)
        return tooMuch
      }
      if (!isServiceError(error) || error.kind !== 'overloaded') throw error
      return { kind: 'unshowable', why: 'busy' }
    }
  }
}

function asView(drawn: PdfPage, place: Place): DocumentView | null {
  switch (drawn.outcome) {
    case 'shown': {
      const { pages, active, picture, width, height, text } = drawn
      return { kind: 'pdf', place, pages, active, picture, width, height, text }
    }
    case 'no-such-page':
      return null
    case 'password':
    case 'damaged':
      return { kind: 'unshowable', why: drawn.outcome }
  }
}

function textPage({ content }: DepositedDocument, place: Place): DocumentView | null {
  const text = decodedText(content) ?? ''
  const pages = Math.max(1, Math.ceil(text.length / TEXT_PAGE))
  const from = (place.page - 1) * TEXT_PAGE
  if (place.page > pages) return null
  return { kind: 'text', place, pages, text: wholeCharacters(text, from, from + TEXT_PAGE) }
}

/** No character is cut in two: one that straddles the end belongs to the page it began on. */
function wholeCharacters(text: string, from: number, to: number): string {
  const start = isSecondHalf(text, from) ? from + 1 : from
  return text.slice(start, isSecondHalf(text, to) ? to + 1 : to)
}

function isSecondHalf(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return at > 0 && code >= 0xdc00 && code <= 0xdfff
}
