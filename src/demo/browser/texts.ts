import { GERMAN } from './german.js'

/** The page came in the language of the reader; what is said on it is said in the same. */
export function language(): 'en' | 'de' {
  const { document } = globalThis as { document?: { documentElement: { lang: string } } }
  return document?.documentElement.lang === 'de' ? 'de' : 'en'
}

/** For dates and numbers. */
export function locale(): string {
  return language() === 'de' ? 'de-DE' : 'en-GB'
}

/** @param text in English, with values as `{name}` */
export function t(text: string, values: Readonly<Record<string, string | number>> = {}): string {
  const inLanguage = language() === 'de' ? (GERMAN[text] ?? text) : text
  return inLanguage.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}
