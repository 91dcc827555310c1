import { LANGUAGES } from '../pages/language.js'
import { renderNoticeSettings } from './pages/notice-settings.js'
import { viewOf } from './pages/account-page.js'
import { done, type AccountSection } from './section.js'

/** Which mails a person gets. Whoever got hold of a session alone cannot silence them. */
export const noticeSettings: AccountSection = {
  path: 'notices',
  title: 'notices',
  routes(section, { pages, users }) {
    section.get(
      '/',
      (visit) => {
        const { email, signatureNotices = true, lang } = visit.user
        const mailLanguage = LANGUAGES.find((each) => each === lang) ?? visit.lang
        const view = { ...viewOf(visit), email, signatureNotices, mailLanguage }
        pages.send(visit.ctx, 200, renderNoticeSettings(view))
      },
      { fresh: true },
    )
    section.post(
      '/',
      async (visit, form) => {
        const lang = LANGUAGES.find((each) => each === form['lang']) ?? visit.lang
        const signatureNotices = form['signatures'] === 'on'
        await users.setNotices(visit.user.id, { signatureNotices, lang })
        done(visit, 'saved')
      },
      { fresh: true },
    )
  },
}
