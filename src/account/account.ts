import Router from '@koa/router'
import { notFound, SectionRoutes, type AccountParts } from './section.js'
import { SECTIONS } from './sections.js'

/** The signer's own pages: what was signed, who has access, what protects the account. */
export function account(parts: AccountParts): Router {
  const router = new Router()
  router.get('/account/signed-in', (ctx) => parts.visits.signedIn(ctx))
  for (const section of SECTIONS) section.routes(new SectionRoutes(section, router, parts), parts)
  router.get('/account/*path', async (ctx) => {
    const visit = await parts.visits.open(ctx, { section: '', fresh: false })
    if (visit) notFound(visit, parts)
  })
  return router
}
