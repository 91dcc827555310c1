import type { Context } from 'koa'
import {
  FIRST_PAGE,
  type DocumentViews,
  type Place,
  type Zoom,
} from '../documents/display/document-views.js'
import type { DepositedDocument, Deposits } from '../documents/deposits.js'
import type { Language } from '../pages/language.js'
import { displayText } from '../pages/display-text.js'
import type { Transaction } from '../transactions/transaction.js'
import { shownAlgorithm } from './approval-facts.js'
import type { PageRenderer } from './page-renderer.js'
import { renderDocument, type ShownDocument } from './pages/index.js'

/** Documents that are looked at on the approval page itself; of more, there are links. */
const SHOWN_AT_ONCE = 3

/** What a person is asked to sign. */
export type AskedItems = Pick<Transaction, 'clientId' | 'userId' | 'hashAlgorithm' | 'items'>

interface Asked {
  readonly items: AskedItems
  /** Address of the approval page; documents are below it. */
  readonly action: string
  readonly lang: Language
}

/** The documents behind digests, for those who are asked to sign them and for nobody else. */
export class DocumentPages {
  readonly #deposits: Deposits
  readonly #views: DocumentViews
  readonly #pages: PageRenderer

  constructor(parts: { deposits: Deposits; views: DocumentViews; pages: PageRenderer }) {
    this.#deposits = parts.deposits
    this.#views = parts.views
    this.#pages = parts.pages
  }

  /** What there is to be shown of each item; null for nothing. */
  async ofItems(asked: AskedItems, action: string): Promise<(ShownDocument | null)[]> {
    const { hashAlgorithm, items } = asked
    const digests = items.filter(isOfDocument).map(({ digest }) => digest)
    if (!hashAlgorithm || digests.length === 0) return items.map(() => null)
    const here = await this.#deposits.list(asked, digests, hashAlgorithm)
    let looked = 0
    return Promise.all(
      items.map(async (item, index) => {
        const known = here.get(item.digest.toString('base64'))
        if (!known || !isOfDocument(item)) return null
        const href = `${action}/documents/${index + 1}`
        const line = { name: known.label, size: known.size, href }
        looked += 1
        if (looked > SHOWN_AT_ONCE) return line
        const document = await this.#deposits.find(asked, item.digest, hashAlgorithm)
        const view = document && (await this.#views.look(document, FIRST_PAGE))
        return view && { ...line, view }
      }),
    )
  }

  /** A document of the request: a page of it, its picture, or all of it to take away. */
  async answer(ctx: Context, asked: Asked): Promise<void> {
    const { number: text = '', part } = ctx['params'] as { number?: string; part?: string }
    const number = readNumber(text)
    const document = number === null ? null : await this.#find(asked.items, number)
    const isSent =
      document !== null &&
      (await this.#send(ctx, { ...asked, document, number: number ?? 0 }, part))
    if (!isSent) this.#pages.renderProblem(ctx, 404, 'invalid_request', 'expired')
  }

  async #find(asked: AskedItems, number: number): Promise<DepositedDocument | null> {
    const item = asked.items[number - 1]
    if (!item || !asked.hashAlgorithm || !isOfDocument(item)) return null
    return this.#deposits.find(asked, item.digest, asked.hashAlgorithm)
  }

  async #send(
    ctx: Context,
    asked: Asked & { document: DepositedDocument; number: number },
    part: string | undefined,
  ): Promise<boolean> {
    const { document, number, action, lang } = asked
    if (part === 'content') {
      ctx.attachment(displayText(document.label ?? '', 200) || `document-${number}`)
      // Whatever its name says, it is nothing that a browser opens.
      this.#pages.sendFile(ctx, 'application/octet-stream', document.content)
      return true
    }
    if (part !== undefined && part !== 'picture') return false
    const place = readPlace(ctx)
    const view = place && (await this.#views.look(document, place))
    if (!view) return false
    if (part === 'picture') {
      if (view.kind !== 'pdf') return false
      this.#pages.sendFile(ctx, 'image/png', view.picture)
      return true
    }
    const href = `${action}/documents/${number}`
    const html = renderDocument({
      here: `${href}?page=${place.page}&zoom=${place.zoom}`,
      ...{ lang, number, back: `${action}#document-${number}`, digestHex: document.digest },
      hashAlgorithm: shownAlgorithm(asked.items),
      document: { name: document.label, size: document.content.length, href, view },
    })
    this.#pages.send(ctx, 200, html)
    return true
  }
}

/** The bytes that a key signs are nobody's document. */
function isOfDocument({ hashType }: AskedItems['items'][number]): boolean {
  return hashType !== 'dtbsr'
}

function readPlace({ query }: Context): Place | null {
  const page = query['page'] === undefined ? 1 : readNumber(query['page'])
  const zoom = query['zoom'] === undefined ? 1 : readNumber(query['zoom'])
  if (page === null || zoom === null || zoom > 3) return null
  return { page, zoom: zoom as Zoom }
}

function readNumber(text: string | string[]): number | null {
  return typeof text === 'string' && /^[1-9][0-9]{0,5}$/.test(text) ? Number(text) : null
}
