import type { ActiveContent } from '../../documents/display/active-content.js'
import type { DocumentView, Place, Zoom } from '../../documents/display/document-views.js'
import { displayText } from '../../pages/display-text.js'
import { fileSize, groups } from '../../pages/format.js'
import { Asks, pageMessages, renderPage, type PageView } from '../../pages/layout.js'
import { VisibleText } from '../../pages/visible-text.js'
import { documentMessages } from './document-messages.js'

/** A document that belongs to one of the digests on the approval page. */
export interface ShownDocument {
  /** The application's name for it. */
  readonly name: string | null
  /** Of the document, in bytes. */
  readonly size: number
  /** The page that shows it; what is drawn and downloaded is below. */
  readonly href: string
  /** Absent where looking at it is left to a page of its own. */
  readonly view?: DocumentView
}

/** Characters of a text on the approval page. */
const BEGINNING = 3000

/** The document beside its fingerprint. */
export function DocumentPreview({
  document,
  number,
  view,
}: {
  document: ShownDocument
  number: number
  view: PageView
}) {
  const messages = documentMessages(view)
  const { href, view: shown } = document
  const name = nameOf(document, number, view)
  if (!shown) {
    return (
      <p class="document-links">
        <a href={href}>{messages.look}</a> <Facts document={document} view={view} />
      </p>
    )
  }
  return (
    <div class="document">
      {shown.kind === 'pdf' && (
        <>
          <Active active={shown.active} view={view} />
          <a class="document-page" href={href}>
            <Picture {...{ href, shown, name, view }} />
          </a>
          <PageText text={shown.text} view={view} />
        </>
      )}
      {shown.kind === 'text' && <Beginning {...{ shown, name, view }} />}
      {shown.kind === 'unshowable' && <Unshowable why={shown.why} view={view} />}
      <p class="document-links">
        {shown.kind !== 'unshowable' && <a href={href}>{messages.lookWhole(shown.pages)}</a>}{' '}
        <Download href={href} view={view} /> <Facts document={document} view={view} />
      </p>
      {shown.kind !== 'unshowable' && <p class="hint">{messages.computed}</p>}
    </div>
  )
}

export interface DocumentPageView extends PageView {
  readonly document: ShownDocument & { readonly view: DocumentView }
  /** Of the item on the approval page, from 1 on. */
  readonly number: number
  /** The approval page. */
  readonly back: string
  /** “SHA-256” */
  readonly hashAlgorithm: string
  readonly digestHex: string
}

/** One page of a document, and the way to the others. */
export function renderDocument(page: DocumentPageView): string {
  const { document, number, back } = page
  const messages = documentMessages(page)
  const { view, href } = document
  const name = nameOf(document, number, page)
  return renderPage(
    page,
    { title: messages.title(name), wide: true },
    <>
      <h1>
        <bdi>{name}</bdi>
      </h1>
      <Asks>{messages.asks}</Asks>
      <p>
        <Facts document={document} view={page} /> <Download href={href} view={page} />
      </p>
      {view.kind === 'unshowable' ? (
        <Unshowable why={view.why} view={page} />
      ) : (
        <>
          {view.kind === 'pdf' && <Active active={view.active} view={page} />}
          <Navigation {...{ href, shown: view, view: page }} />
          <Shown {...{ href, shown: view, name, view: page }} />
          <p class="hint">{messages.computed}</p>
        </>
      )}
      <dl class="facts">
        <div>
          <dt>{messages.fingerprint(page.hashAlgorithm)}</dt>
          <dd class="fingerprint">
            {groups(page.digestHex).map((group) => (
              <>
                <span>{group}</span>
                <wbr />
              </>
            ))}
          </dd>
        </div>
      </dl>
      <p class="buttons">
        <a class="button primary" href={back}>
          {messages.back}
        </a>
      </p>
    </>,
  )
}

type Paged = Exclude<DocumentView, { kind: 'unshowable' }>

function Shown(props: { href: string; shown: Paged; name: string; view: PageView }) {
  const { shown, name, view } = props
  const messages = documentMessages(view)
  const { page } = shown.place
  if (shown.kind === 'text') {
    return (
      <pre
        class="document-text"
        dir="auto"
        role="region"
        tabIndex={0}
        aria-label={messages.textOf(name)}
      >
        <VisibleText text={shown.text} />
      </pre>
    )
  }
  const label = messages.pageOf(page, shown.pages, name)
  return (
    <>
      <div class="document-page" role="region" tabIndex={0} aria-label={label}>
        <Picture {...props} shown={shown} />
      </div>
      <PageText text={shown.text} view={view} />
    </>
  )
}

function Picture({
  href,
  shown,
  name,
  view,
}: {
  href: string
  shown: DocumentView & { kind: 'pdf' }
  name: string
  view: PageView
}) {
  const { place, pages, width, height } = shown
  return (
    <img
      class={`zoom-${place.zoom}`}
      src={`${href}/picture?${query(place)}`}
      width={width}
      height={height}
      alt={documentMessages(view).pageOf(place.page, pages, name)}
    />
  )
}

/** What there is for those who cannot see the picture. */
function PageText({ text, view }: { text: string; view: PageView }) {
  const messages = documentMessages(view)
  return (
    <details class="page-text">
      <summary>{messages.pageText}</summary>
      {text.trim() === '' ? (
        <p class="hint">{messages.noText}</p>
      ) : (
        <>
          <p class="hint">{messages.pageTextHint}</p>
          <pre
            class="document-text"
            dir="auto"
            role="region"
            tabIndex={0}
            aria-label={messages.pageText}
          >
            <VisibleText text={text} />
          </pre>
        </>
      )}
    </details>
  )
}

function Beginning({
  shown,
  name,
  view,
}: {
  shown: DocumentView & { kind: 'text' }
  name: string
  view: PageView
}) {
  const messages = documentMessages(view)
  const characters = [...shown.text]
  const isCut = characters.length > BEGINNING || shown.pages > 1
  return (
    <>
      <pre
        class="document-text"
        dir="auto"
        role="region"
        tabIndex={0}
        aria-label={messages.textOf(name)}
      >
        <VisibleText text={characters.slice(0, BEGINNING).join('')} />
      </pre>
      {isCut && <p class="hint">{messages.beginning}</p>}
    </>
  )
}

/** To the pages before and after, to any, and larger or smaller. */
function Navigation({ href, shown, view }: { href: string; shown: Paged; view: PageView }) {
  const messages = documentMessages(view)
  const { place, pages } = shown
  const { page, zoom } = place
  const to = (other: Partial<Place>) => `${href}?${query({ ...place, ...other })}`
  return (
    <nav class="document-nav" aria-label={messages.navigation}>
      <Turn href={page > 1 ? to({ page: page - 1 }) : null}>{messages.previous}</Turn>
      <span>{messages.page(page, pages)}</span>
      <Turn href={page < pages ? to({ page: page + 1 }) : null}>{messages.next}</Turn>
      {pages > 2 && (
        <form method="get" action={href}>
          <label>
            {messages.goTo}{' '}
            <input type="number" name="page" min={1} max={pages} value={page} required />
          </label>
          <input type="hidden" name="zoom" value={zoom} />
          <button class="secondary" type="submit">
            {messages.go}
          </button>
        </form>
      )}
      {shown.kind === 'pdf' && (
        <span class="document-zoom">
          <Turn href={zoom > 1 ? to({ zoom: (zoom - 1) as Zoom }) : null}>{messages.smaller}</Turn>
          <Turn href={zoom < 3 ? to({ zoom: (zoom + 1) as Zoom }) : null}>{messages.larger}</Turn>
        </span>
      )}
    </nav>
  )
}

function Turn({ href, children }: { href: string | null; children: string }) {
  return href === null ? <span class="off">{children}</span> : <a href={href}>{children}</a>
}

function Active({ active, view }: { active: readonly ActiveContent[]; view: PageView }) {
  const messages = documentMessages(view).active
  if (active.length === 0) return null
  return (
    <div class="notice document-warning">
      <p>
        <strong>{messages.title}</strong>
      </p>
      <ul>
        {active.map((each) => (
          <li>{messages[each]}</li>
        ))}
      </ul>
    </div>
  )
}

function Unshowable({
  why,
  view,
}: {
  why: (DocumentView & { kind: 'unshowable' })['why']
  view: PageView
}) {
  const messages = documentMessages(view).unshowable
  return (
    <p class="notice">
      <strong>{messages.title}</strong> {messages[why]} {messages.only}
    </p>
  )
}

/** “PDF, 12 pages, 1.2 MB” */
function Facts({
  document: { view: shown, size },
  view,
}: {
  document: ShownDocument
  view: PageView
}) {
  const messages = documentMessages(view)
  const facts = [
    ...(shown && shown.kind !== 'unshowable' ? [messages.kinds[shown.kind]] : []),
    ...(shown?.kind === 'pdf' ? [messages.pages(shown.pages)] : []),
    fileSize(pageMessages(view), size),
  ]
  return <span class="document-facts">{facts.join(', ')}</span>
}

function Download({ href, view }: { href: string; view: PageView }) {
  return (
    <a href={`${href}/content`} download>
      {documentMessages(view).download}
    </a>
  )
}

function nameOf({ name }: ShownDocument, number: number, view: PageView): string {
  return displayText(name ?? '', 200) || documentMessages(view).unnamed(number)
}

function query({ page, zoom }: Place): string {
  return `page=${page}&zoom=${zoom}`
}
