/** The languages the pages are written in. The first is used when none of the wanted ones is here. */
export const LANGUAGES = ['en', 'de'] as const
export type Language = (typeof LANGUAGES)[number]

/**
 * The best page language for `lang`, `ui_locales` or `Accept-Language`: RFC 5646 tags, separated by
 * commas or spaces, each with an optional weight. What cannot be read is passed over.
 */
export function chooseLanguage(preferences: string): Language {
  const wanted = preferences
    .slice(0, 1000)
    .split(',')
    .flatMap(readRange)
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
  for (const { tag } of wanted) {
    const language = LANGUAGES.find((known) => known === primaryLanguage(tag))
    if (language) return language
  }
  return LANGUAGES[0]
}

function readRange(range: string): { tag: string; weight: number }[] {
  const [tags = '', ...parameters] = range.split(';')
  const q = parameters.map((parameter) => parameter.trim()).find((p) => /^q=/i.test(p))
  const weight = q === undefined ? 1 : Number.parseFloat(q.slice(2)) || 0
  return tags
    .split(/\s+/)
    .filter((tag) => tag !== '')
    .map((tag) => ({ tag, weight }))
}

const PLAIN: ReadonlySet<string> = new Set(LANGUAGES)

function primaryLanguage(tag: string): string | undefined {
  // What browsers send most; and `*`, which is no language.
  if (PLAIN.has(tag)) return tag
  if (tag === '*') return undefined
  try {
    return new Intl.Locale(tag).language
  } catch {
    return undefined
  }
}
