/** What is told with a code: what it is for, how long it lasts, and that nobody else gets it. */
export interface CodeFacts {
  readonly code: string
  readonly displayName: string
  /** The application that asks. */
  readonly clientName: string
  readonly minutes: number
  /** Null when the application has not said yet. */
  readonly numSignatures: number | null
}

interface Wording {
  readonly subject: string
  mail(facts: CodeFacts): string
  sms(facts: CodeFacts): string
}

const en: Wording = {
  subject: 'Your signing code',
  mail: ({ code, displayName, clientName, minutes, numSignatures }) =>
    paragraphs(
      `Hello ${displayName},`,
      `${clientName} asks for ${englishCount(numSignatures)}. Your code is ${code}.`,
      `It is good for ${minutes} minutes and for this one approval. Never pass it on.`,
      'If you did not ask for it, do nothing and tell your signing service.',
    ),
  sms: ({ code, clientName, minutes, numSignatures }) =>
    `Your code is ${code}. It approves ${englishCount(numSignatures)} for ${clientName}, within ${minutes} minutes. Never pass it on.`,
}

const de: Wording = {
  subject: 'Ihr Signaturcode',
  mail: ({ code, displayName, clientName, minutes, numSignatures }) =>
    paragraphs(
      `Guten Tag ${displayName},`,
      `${clientName} bittet um ${germanCount(numSignatures)}. Ihr Code lautet ${code}.`,
      `Er gilt ${minutes} Minuten und nur für diese eine Freigabe. Geben Sie ihn niemals weiter.`,
      'Wenn Sie ihn nicht angefordert haben, tun Sie nichts und verständigen Sie Ihren Signaturdienst.',
    ),
  sms: ({ code, clientName, minutes, numSignatures }) =>
    `Ihr Code lautet ${code}. Er gibt ${germanCount(numSignatures)} für ${clientName} frei, innerhalb von ${minutes} Minuten. Niemals weitergeben.`,
}

/** @param lang RFC 5646 */
export function codeWording(lang: string): Wording {
  return /^de\b/i.test(lang) ? de : en
}

function englishCount(count: number | null): string {
  if (count === null || count === 1) return 'your signature'
  return `${count} signatures`
}

function germanCount(count: number | null): string {
  return count === null || count === 1 ? 'Ihre Signatur' : `${count} Signaturen`
}

function paragraphs(...texts: readonly string[]): string {
  return texts.join('\n\n')
}
