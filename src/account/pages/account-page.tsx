import type { ComponentChild, ComponentChildren } from 'preact'
import { Foreign, renderPage, type PageView } from '../../pages/layout.js'
import { sectionPath, type AccountVisit, type SectionName } from '../visit.js'
import { momentText } from './moment.js'
import { ACCOUNT_MESSAGES, type AccountMessages, type AccountNotice } from './messages.js'

/** What every page of a signed-in person shows. */
export interface AccountPageView extends PageView {
  readonly user: { readonly displayName: string }
  /** Path of the section that is marked in the navigation. */
  readonly section: string
  readonly navigation: readonly SectionName[]
  /** What was just done. */
  readonly notice?: AccountNotice
}

export function viewOf({ ctx, lang, user, section, navigation }: AccountVisit): AccountPageView {
  const notice = ctx.query['done']
  const known = typeof notice === 'string' && Object.hasOwn(ACCOUNT_MESSAGES.en.notices, notice)
  // What was posted to cannot always be read.
  const here = ctx.method === 'GET' ? addressOf(ctx) : sectionPath(section)
  return {
    ...{ lang, here, section, navigation, user: { displayName: user.displayName } },
    ...(known ? { notice: notice as AccountNotice } : {}),
  }
}

/** Without what is said once. */
function addressOf({ path, querystring }: AccountVisit['ctx']): string {
  const query = new URLSearchParams(querystring)
  for (const once of ['lang', 'done']) query.delete(once)
  return query.size === 0 ? path : `${path}?${query.toString()}`
}

export function accountMessages(view: PageView): AccountMessages {
  return ACCOUNT_MESSAGES[view.lang]
}

/** A page with navigation; its title is its heading. */
export function renderAccountPage(
  view: AccountPageView,
  page: { title: string; problem?: boolean },
  content: ComponentChild,
): string {
  const { notices } = accountMessages(view)
  return renderPage(
    view,
    { ...page, wide: true, navigation: <Navigation view={view} /> },
    <>
      <h1>{page.title}</h1>
      {view.notice && (
        <p class="notice" role="status">
          {notices[view.notice]}
        </p>
      )}
      {content}
    </>,
  )
}

function Navigation({ view }: { view: AccountPageView }) {
  const messages = accountMessages(view)
  return (
    <>
      <nav class="sections" aria-label={messages.navigation}>
        <ul>
          {view.navigation.map(({ path, title }) => (
            <li>
              <a href={sectionPath(path)} aria-current={path === view.section ? 'page' : undefined}>
                {messages.sections[title]}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <PostForm action="/account/sign-out" class="who">
        <span>{messages.signedInAs(<Foreign text={view.user.displayName} />)}</span>
        <button class="quiet" type="submit">
          {messages.signOut}
        </button>
      </PostForm>
    </>
  )
}

/** A time with its year; the server cannot know the zone of the person's device, so it is named. */
export function Moment({ at, view }: { at: Date; view: PageView }) {
  return <time dateTime={at.toISOString()}>{momentText(at, view.lang)}</time>
}

/** A form for one thing to do; it works without script. */
export function PostForm(props: { action: string; class?: string; children: ComponentChildren }) {
  return (
    <form method="post" action={props.action} class={props.class ?? 'form'}>
      {props.children}
    </form>
  )
}

/** For what does not exist, or is another person's: the two look the same. */
export function renderNotFound(view: AccountPageView): string {
  const { title, detail } = accountMessages(view).notFound
  return renderAccountPage(view, { title, problem: true }, <p>{detail}</p>)
}
