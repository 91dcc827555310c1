import type { Position, SignatureStory } from '../activation/history.js'
import { renderHistory, renderStory } from './pages/history.js'
import { viewOf } from './pages/account-page.js'
import { notFound, pathPart, type AccountParts, type AccountSection } from './section.js'
import type { AccountVisit } from './visit.js'

/** What was signed for whom, and what was asked and not signed. */
export const history: AccountSection = {
  path: 'history',
  title: 'history',
  routes(section, parts) {
    const { pages } = parts

    section.get('/', async (visit) => {
      const before = readPosition(visit.ctx.query['before'])
      const { stories, next } = await parts.history.page(visit.user.id, before)
      const html = renderHistory({
        ...viewOf(visit),
        stories: await Promise.all(stories.map(await nameIn(visit, parts))),
        events: before ? [] : await newestEvents(visit, parts),
        next: next && writePosition(next),
        first: before === null,
      })
      pages.send(visit.ctx, 200, html)
    })
    section.get('/:id', async (visit) => {
      const from = Number(visit.ctx.query['from'] ?? 0)
      const start = Number.isSafeInteger(from) && from > 0 && from < 1e6 ? from : 0
      const found = await parts.history.find(visit.user.id, pathPart(visit, 'id'), start)
      if (!found) return notFound(visit, parts)
      const story = await (await nameIn(visit, parts))(found.story)
      const html = renderStory({ ...viewOf(visit), story, from: start, next: found.next })
      pages.send(visit.ctx, 200, html)
    })
  },
}

/** Adds the names that application and credential have by now. */
async function nameIn({ user }: AccountVisit, { clients, credentials }: AccountParts) {
  const owned = await credentials.list(user.id)
  return async (story: SignatureStory) => {
    const { clientId, credentialId } = story
    const application = (await clients.find(clientId))?.name ?? clientId
    const credential = owned.find(({ id }) => id === credentialId)?.description ?? credentialId
    return { ...story, application, credential }
  }
}

/** Refusals and changes, with the names their application and credential have by now. */
async function newestEvents({ user }: AccountVisit, parts: AccountParts) {
  const { clients, credentials, events } = parts
  const owned = await credentials.list(user.id)
  const newest = await events.newest(user.id)
  return Promise.all(
    newest.map(async ({ event, at, detail: { clientId, credentialId } }) => ({
      ...{ event, at },
      application: clientId === undefined ? null : ((await clients.find(clientId))?.name ?? null),
      credential: owned.find(({ id }) => id === credentialId)?.description ?? null,
    })),
  )
}

function writePosition({ createdAt, id }: Position): string {
  return `${createdAt.getTime()}.${id}`
}

/** What is no position is the beginning. */
function readPosition(text: unknown): Position | null {
  const match = typeof text === 'string' ? /^(\d{1,15})\.([\w-]{1,64})$/.exec(text) : null
  return match?.[2] ? { createdAt: new Date(Number(match[1])), id: match[2] } : null
}
