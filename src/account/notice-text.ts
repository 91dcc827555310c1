import type { Language } from '../pages/language.js'
import { displayText } from '../pages/display-text.js'
import type { NoticeEntry } from './notice.js'
import { ACCOUNT_MESSAGES } from './pages/messages.js'
import { momentText } from './pages/moment.js'

export interface NoticeLetter {
  readonly lang: Language
  readonly displayName: string
  readonly service: string
  readonly baseUrl: string
  readonly entries: readonly (NoticeEntry & {
    readonly application: string | null
    readonly credential: string | null
  })[]
}

/** A mail in plain text. Names that others chose are cleaned; nothing in it opens anything. */
export function writeNotice(letter: NoticeLetter): { subject: string; text: string } {
  const { mail } = ACCOUNT_MESSAGES[letter.lang]
  const { entries, displayName, service, baseUrl } = letter
  const made = entries.filter(({ event }) => event === 'signature.created')
  const count = made.reduce((sum, entry) => sum + entry.count, 0)
  const what =
    made.length === entries.length ? mail.subjects.signatures(count) : mail.subjects.events
  const account = `${baseUrl}/account`
  return {
    subject: `${displayText(service, 60)}: ${what}`,
    text: [
      mail.hello(displayText(displayName, 100)),
      entries.map((entry) => line(entry, letter.lang)).join('\n'),
      mail.advice(account),
      [mail.details(account), mail.settings(account)].join('\n'),
    ].join('\n\n'),
  }
}

function line(entry: NoticeLetter['entries'][number], lang: Language): string {
  const { events, mail } = ACCOUNT_MESSAGES[lang]
  const { event, at, count, application, credential } = entry
  const often = event === 'signature.created' ? mail.signatures(count) : mail.times(count)
  const facts = [
    ...(event === 'signature.created' || count > 1 ? [often] : []),
    ...(application === null ? [] : [mail.application(displayText(application, 100))]),
    ...(credential === null ? [] : [mail.credential(displayText(credential, 100))]),
  ]
  const detail = facts.length === 0 ? '' : `: ${facts.join(', ')}`
  return `- ${momentText(new Date(at), lang)}: ${events[event] ?? events.other}${detail}`
}
