import { renderSessions } from './pages/sessions.js'
import { viewOf } from './pages/account-page.js'
import { done, notFound, pathPart, type AccountParts, type AccountSection } from './section.js'
import type { AccountVisit } from './visit.js'

/** Who is signed in as this person, and which applications have access; each can be ended (S28, S44). */
export const sessions: AccountSection = {
  path: 'sessions',
  title: 'sessions',
  routes(section, parts) {
    const { access, history, activations } = parts

    section.get('/', (visit) => show(visit, parts))

    section.post('/end-others', async (visit) => {
      await access.endOtherSessions(visit.user.id, visit.sessionUid)
      done(visit, 'ended')
    })
    section.post('/applications/end-all', async (visit) => {
      for (const clientId of await applicationsOf(visit, parts)) {
        await access.endApplication(visit.user.id, clientId)
      }
      done(visit, 'ended')
    })
    section.post('/applications/:id/end', async (visit) => {
      const clientId = pathPart(visit, 'id')
      const known = await applicationsOf(visit, parts)
      if (!known.includes(clientId)) return notFound(visit, parts)
      await access.endApplication(visit.user.id, clientId)
      done(visit, 'ended')
    })
    section.post('/approvals/:id/end', async (visit) => {
      const id = pathPart(visit, 'id')
      const standing = await history.standing(visit.user.id)
      const isTheirs = standing.some((approval) => approval.id === id)
      if (!isTheirs || !(await activations.revoke(id, 'signer'))) return notFound(visit, parts)
      await access.endApproval(id)
      done(visit, 'ended')
    })
    section.post('/:handle/end', async (visit) => {
      const ended = await access.endSession(visit.user.id, pathPart(visit, 'handle'))
      if (!ended) return notFound(visit, parts)
      done(visit, 'ended')
    })
  },
}

async function applicationsOf({ user }: AccountVisit, { access, history }: AccountParts) {
  const [applications, approvals] = await Promise.all([
    access.applications(user.id),
    history.standing(user.id),
  ])
  return [...new Set([...applications, ...approvals].map(({ clientId }) => clientId))]
}

async function show(visit: AccountVisit, parts: AccountParts): Promise<void> {
  const { access, history, clients, credentials, pages } = parts
  const { user, sessionUid } = visit
  const [open, applications, approvals, owned, known] = await Promise.all([
    access.sessions(user.id),
    access.applications(user.id),
    history.standing(user.id),
    credentials.list(user.id),
    applicationsOf(visit, parts),
  ])
  const own = access.handleOf(sessionUid)
  const ids = [...new Set([...known, ...open.flatMap(({ clientIds }) => clientIds)])]
  const names = new Map(
    await Promise.all(
      ids.map(async (id) => [id, (await clients.find(id))?.name ?? id] as [string, string]),
    ),
  )
  const html = renderSessions({
    ...viewOf(visit),
    sessions: open.map(({ clientIds, ...session }) => ({
      ...session,
      current: session.handle === own,
      applications: clientIds.map((id) => names.get(id) ?? id),
    })),
    applications: known.map((clientId) => {
      const access = applications.find((each) => each.clientId === clientId)
      return {
        ...{ id: clientId, name: names.get(clientId) ?? clientId },
        ...{ until: access?.until ?? null, renewableUntil: access?.renewableUntil ?? null },
        approvals: approvals
          .filter((approval) => approval.clientId === clientId)
          .map(({ id, credentialId, numSignatures, expiresAt }) => ({
            ...{ id, numSignatures, expiresAt },
            credential: owned.find((each) => each.id === credentialId)?.description ?? credentialId,
          })),
      }
    }),
  })
  pages.send(visit.ctx, 200, html)
}
