import type { ComponentChild, ComponentChildren } from 'preact'
import { renderToString } from 'preact-render-to-string'
import { displayText } from './display-text.js'
import { clockTime } from './format.js'
import { LANGUAGES, type Language } from './language.js'
import { PAGE_MESSAGES, type PageMessages } from './messages.js'

const STYLESHEET_PATH = '/assets/pages.css'

/** What every page needs. */
export interface PageView {
  readonly lang: Language
  /** Address at which the page can be read again, without `lang`: the other languages are offered there. */
  readonly here?: string
  /** IANA name of the zone in which times are shown; UTC when absent. */
  readonly timeZone?: string
  /** Against which “in 20 seconds” is counted; the clock's time when absent. */
  readonly now?: Date
}

/** The application that asks, named as it was registered. */
export interface ClientView {
  readonly name: string
}

export function pageMessages(view: PageView): PageMessages {
  return PAGE_MESSAGES[view.lang]
}

export function renderPage(
  view: PageView,
  page: { title: string; problem?: boolean; wide?: boolean; navigation?: ComponentChild },
  content: ComponentChild,
): string {
  const messages = pageMessages(view)
  const title = page.problem ? `${messages.problem}: ${page.title}` : page.title
  const document = (
    <html lang={view.lang}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex, nofollow" />
        <meta name="referrer" content="no-referrer" />
        <title>{`${title} – OpenRSSP`}</title>
        <link rel="icon" href={ICON} />
        <link rel="stylesheet" href={STYLESHEET_PATH} />
      </head>
      <body>
        {page.navigation && (
          <a class="skip" href="#content">
            {messages.skip}
          </a>
        )}
        <div class={page.wide ? 'sheet wide' : 'sheet'}>
          <header class="top">
            <div class="brand">
              <Mark />
              <span class="brand-name">OpenRSSP</span>
              <span class="brand-service">{messages.service}</span>
            </div>
            {page.navigation}
          </header>
          <main id="content" tabIndex={page.navigation ? -1 : undefined}>
            {content}
          </main>
          <footer class="caution">
            <p>{messages.caution}</p>
            {view.here !== undefined && <OtherLanguages here={view.here} view={view} />}
          </footer>
        </div>
      </body>
    </html>
  )
  return `<!DOCTYPE html>\n${renderToString(document)}`
}

/** Text that someone else wrote: cleaned, capped, and kept from reordering what surrounds it. */
export function Foreign({ text, max = 100 }: { text: string; max?: number }) {
  return <bdi>{displayText(text, max)}</bdi>
}

export function ClientName({ client, view }: { client: ClientView; view: PageView }) {
  const name = displayText(client.name, 100) || pageMessages(view).unnamedClient
  return (
    <strong class="client">
      <bdi>{name}</bdi>
    </strong>
  )
}

export function Time({ at, view }: { at: Date; view: PageView }) {
  return (
    <time dateTime={at.toISOString()}>
      {clockTime(pageMessages(view), at, view.timeZone ?? 'UTC')}
    </time>
  )
}

export function Asks({ children }: { children: ComponentChildren }) {
  return <p class="asks">{children}</p>
}

/** Nothing that was done is lost by it, but what was typed and not sent. */
function OtherLanguages({ here, view }: { here: string; view: PageView }) {
  const others = LANGUAGES.filter((each) => each !== view.lang)
  return (
    <nav class="languages" aria-label={pageMessages(view).otherLanguages}>
      {others.map((each) => (
        <a
          href={`${here}${here.includes('?') ? '&' : '?'}lang=${each}`}
          lang={each}
          hreflang={each}
        >
          {PAGE_MESSAGES[each].language}
        </a>
      ))}
    </nav>
  )
}

/** An open ring and a pen stroke that leaves it: the key stays inside, the signature goes out. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true">
      <rect class="mark-ground" width="32" height="32" rx="8" />
      <path class="mark-line" d="M22.6 8.9A9.7 9.7 0 1 0 19.6 25" />
      <path
        class="mark-line"
        d="M10.8 20.4c2.9-6.6 5.5-8.6 6.6-7.5 1.3 1.3-2 5.8-.4 6.6 1.5.6 2.7-2.4 4.2-2.2 1.2.2 1.1 1.8 6.1.5"
      />
    </svg>
  )
}

const ICON =
  'data:image/svg+xml,' +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">' +
      '<rect width="32" height="32" rx="8" fill="#0b5d52"/>' +
      '<g fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round">' +
      '<path d="M22.6 8.9A9.7 9.7 0 1 0 19.6 25"/>' +
      '<path d="M10.8 20.4c2.9-6.6 5.5-8.6 6.6-7.5 1.3 1.3-2 5.8-.4 6.6 1.5.6 2.7-2.4 4.2-2.2 1.2.2 1.1 1.8 6.1.5"/>' +
      '</g></svg>',
  )
