import type { Language } from '../../pages/language.js'

const LOCALES: Record<Language, string> = { en: 'en-GB', de: 'de-DE' }

/** Date and time in UTC, as people write them. */
export function momentText(at: Date, lang: Language): string {
  return new Intl.DateTimeFormat(LOCALES[lang], {
    ...{ day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit' },
    ...{ timeZone: 'UTC', timeZoneName: 'short' },
  }).format(at)
}
