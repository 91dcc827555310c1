import type { SignatureStory, StoryItem } from '../../activation/history.js'
import { displayText } from '../../pages/display-text.js'
import { groups } from '../../pages/format.js'
import { Foreign } from '../../pages/layout.js'
import { accountMessages, Moment, renderAccountPage, type AccountPageView } from './account-page.js'

export interface StoryView extends SignatureStory {
  readonly application: string
  readonly credential: string
}

interface EventView {
  readonly event: string
  readonly at: Date
  readonly application: string | null
  readonly credential: string | null
}

export interface HistoryView extends AccountPageView {
  readonly stories: readonly StoryView[]
  /** Refusals and changes, newest first. */
  readonly events: readonly EventView[]
  /** Where the next page begins. */
  readonly next: string | null
  readonly first: boolean
}

export function renderHistory(view: HistoryView): string {
  const { history: messages, sections } = accountMessages(view)
  return renderAccountPage(
    view,
    { title: sections.history },
    <>
      {view.stories.length === 0 ? (
        <p class="empty">{messages.none}</p>
      ) : (
        <ol class="entries">
          {view.stories.map((story) => (
            <Entry story={story} view={view} />
          ))}
        </ol>
      )}
      <nav class="buttons" aria-label={messages.pages}>
        {!view.first && (
          <a class="button secondary" href="/account/history">
            {messages.newest}
          </a>
        )}
        {view.next !== null && (
          <a
            class="button secondary"
            rel="next"
            href={`/account/history?before=${encodeURIComponent(view.next)}`}
          >
            {messages.older}
          </a>
        )}
      </nav>
      {view.first && <Events view={view} />}
    </>,
  )
}

function Entry({ story, view }: { story: StoryView; view: AccountPageView }) {
  const messages = accountMessages(view).history
  const hidden = story.numSignatures - story.items.length
  return (
    <li>
      <h2>{messages.entry(<Foreign text={story.application} />, story.numSignatures)}</h2>
      <Facts story={story} view={view} />
      <Items items={story.items} from={0} view={view} />
      <p>
        <a href={`/account/history/${encodeURIComponent(story.id)}`}>
          {hidden > 0 ? messages.showAll(story.numSignatures) : messages.show}
        </a>
      </p>
    </li>
  )
}

function Facts({ story, view }: { story: StoryView; view: AccountPageView }) {
  const messages = accountMessages(view).history
  const description = displayText(story.description ?? '', 500)
  return (
    <dl class="facts">
      <div>
        <dt>{messages.outcome}</dt>
        <dd>
          <strong>{messages.outcomes[story.outcome](story.signed, story.numSignatures)}</strong>
        </dd>
      </div>
      <div>
        <dt>{messages.time}</dt>
        <dd>
          <Moment at={story.createdAt} view={view} />
        </dd>
      </div>
      <div>
        <dt>{messages.credential}</dt>
        <dd>
          <Foreign text={story.credential} />
        </dd>
      </div>
      {description !== '' && (
        <div>
          <dt>{messages.description}</dt>
          <dd>
            <bdi>{description}</bdi>
          </dd>
        </div>
      )}
      {story.hashAlgorithm && (
        <div>
          <dt>{messages.algorithm}</dt>
          <dd>{story.hashAlgorithm.name.replace('sha', 'SHA-')}</dd>
        </div>
      )}
    </dl>
  )
}

function Items(props: { items: readonly StoryItem[]; from: number; view: AccountPageView }) {
  const { items, from, view } = props
  const messages = accountMessages(view).history
  if (items.length === 0) return null
  return (
    <ul class="items plain">
      {items.map(({ label, digest, state }, index) => (
        <li>
          <span class="item-label">
            {label === null ? messages.item(from + index + 1) : <Foreign text={label} />}
            {state !== null && ` – ${messages.states[state]}`}
          </span>
          {digest ? (
            <code class="fingerprint">
              {groups(digest.toString('hex')).map((group) => (
                <span>{group}</span>
              ))}
            </code>
          ) : (
            <span class="fingerprint">{messages.noDigest}</span>
          )}
        </li>
      ))}
    </ul>
  )
}

function Events({ view }: { view: HistoryView }) {
  const messages = accountMessages(view).history
  const { events } = accountMessages(view)
  return (
    <section aria-labelledby="events">
      <h2 id="events">{messages.events}</h2>
      {view.events.length === 0 ? (
        <p class="empty">{messages.noEvents}</p>
      ) : (
        <ul class="entries">
          {view.events.map(({ event, at, application, credential }) => (
            <li>
              <Moment at={at} view={view} />: {events[event] ?? events.other}
              {[application, credential].map(
                (name) =>
                  name !== null && (
                    <span class="detail">
                      <Foreign text={name} />
                    </span>
                  ),
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

export interface StoryPageView extends AccountPageView {
  readonly story: StoryView
  /** Number of the first signature shown, from 0. */
  readonly from: number
  readonly next: number | null
}

export function renderStory(view: StoryPageView): string {
  const { story, from, next } = view
  const messages = accountMessages(view).history
  const address = `/account/history/${encodeURIComponent(story.id)}`
  return renderAccountPage(
    view,
    { title: messages.title(story.numSignatures) },
    <>
      <p class="asks">
        {messages.entry(<Foreign text={story.application} />, story.numSignatures)}
      </p>
      <Facts story={story} view={view} />
      <Items items={story.items} from={from} view={view} />
      <nav class="buttons" aria-label={messages.pages}>
        {next !== null && (
          <a class="button secondary" rel="next" href={`${address}?from=${next}`}>
            {messages.more}
          </a>
        )}
        <a class="button secondary" href="/account/history">
          {messages.back}
        </a>
      </nav>
    </>,
  )
}
