import { AUTH_OBJECTS } from '../credentials/auth-object.js'
import type { Language } from '../pages/language.js'

const { PIN, OTP, EMAIL, SMS, PUSH } = AUTH_OBJECTS

/** What applications ask signers for, by the text that is on record for it. */
const LABELS: Readonly<Record<Exclude<Language, 'en'>, Readonly<Record<string, string>>>> = {
  de: {
    [PIN.label]: 'PIN zum Signieren',
    [OTP.label]: 'Code aus Ihrer Authentifizierungs-App',
    [EMAIL.label]: 'Code aus unserer E-Mail',
    [SMS.label]: 'Code aus unserer SMS',
    [PUSH.label]: 'Auf Ihren eigenen Seiten bestätigen',
  },
}

/** The label of an authentication object in a language; an operator's own text stays as it is. */
export function labelIn(language: Language, label: string): string {
  const labels = language === 'en' ? {} : LABELS[language]
  return Object.hasOwn(labels, label) ? (labels[label] ?? label) : label
}
