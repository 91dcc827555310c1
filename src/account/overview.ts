import { renderOverview } from './pages/overview.js'
import { viewOf } from './pages/account-page.js'
import type { AccountSection } from './section.js'
import { redirect } from './visit.js'

/** The first page, and the way out. */
export const overview: AccountSection = {
  path: '',
  title: 'overview',
  routes(section, { pages, visits }) {
    section.get('/', (visit) => {
      const { authenticatedAt, amr } = visit
      pages.send(visit.ctx, 200, renderOverview({ ...viewOf(visit), authenticatedAt, amr }))
    })
    section.post('/sign-out', async (visit) => {
      await visits.signOut(visit)
      redirect(visit.ctx, '/account')
    })
  },
}
