import { accountMessages, renderAccountPage, type AccountPageView } from './account-page.js'

export function renderOverview(view: AccountPageView): string {
  const messages = accountMessages(view).overview
  return renderAccountPage(view, { title: messages.title }, null)
}
