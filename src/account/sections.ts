import { approvals } from './approvals.js'
import { factors } from './factors.js'
import { credentials } from './credentials.js'
import { history } from './history.js'
import { noticeSettings } from './notice-settings.js'
import { overview } from './overview.js'
import { passkeys } from './passkeys.js'
import type { AccountSection } from './section.js'
import { sessions } from './sessions.js'

/**
 * The sections of the signer's pages, in the order of the navigation.
 *
 * To add one, say `/account/factors`:
 *
 * 1. `src/account/factors.ts` exports an `AccountSection`: its path below `/account/`, the key of its
 *    title (add it to `sections` in `pages/messages.ts`, in every language), and `routes`. It gets a
 *    line below. What it needs beyond `AccountParts` is added there and filled in `services.ts`.
 * 2. `routes(section, parts)` declares pages with `section.get('/', handle)` and forms with
 *    `section.post('/:id/remove', handle, { fresh: true })`. Paths are within the section. A handler
 *    gets an `AccountVisit`: somebody is signed in, and a form was not posted by another site. With
 *    `fresh`, the person has signed in with every factor of the account in the last minutes; if not,
 *    they are sent to do so and come back to the page with the form (S29). Whatever changes a factor
 *    has to ask for it, on the page that shows a form as well, so that nothing typed is lost.
 * 3. Everything a handler looks up is looked up for `visit.user.id`. What is another person's is
 *    answered exactly like what does not exist: `notFound(visit, parts)` in `section.ts`.
 *    Ids come out of the address with `pathPart(visit, 'id')`.
 * 4. Pages are `src/account/pages/factors.tsx`, with `renderAccountPage(view, { title }, content)` of
 *    `pages/account-page.tsx`: it brings navigation, skip link, heading and notice. `viewOf(visit)`
 *    makes the view. Forms are `<PostForm action="/account/factors/…">` with a `<label>` for each
 *    field, and work without script. `pages/form.tsx` of `oauth` has Field, Problem and Buttons.
 *    An answer is sent with `parts.pages.send(visit.ctx, 200, html)`.
 * 5. A form that succeeded ends in `done(visit, 'removed')`: 303 to the section's page, which says
 *    so in words from `notices` in `pages/messages.ts`. One that failed shows its page again with
 *    what is wrong, never a redirect that loses it.
 * 6. Changes are one conditional write with their audit record in the same unit. Name events
 *    `factor.enrolled`, `factor.removed` and so on, with `userId`: the person is told by mail.
 * 7. Tests are `test/account/factors.test.ts`, over HTTP: no session, another person's ids, a form of
 *    another site, too old a sign-in. `test/account/signer.ts` has a browser that is signed in.
 */
export const SECTIONS: readonly AccountSection[] = [
  overview,
  history,
  approvals,
  credentials,
  sessions,
  factors,
  passkeys,
  noticeSettings,
]
