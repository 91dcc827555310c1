import type { FindingCode } from './messages.js'
import type { SubIndication } from './indications.js'

/** Something a person should know about a signature; its words are in messages.ts. */
export interface Finding {
  readonly code: FindingCode
  /** What the sentence names: a date, an algorithm, a file. */
  readonly about: string
  /** What this makes of the signature; null for what is only worth knowing. */
  readonly subIndication: SubIndication | null
}

/** A reason why a signature does not pass. */
export function problem(subIndication: SubIndication, code: FindingCode, about = ''): Finding {
  return { code, about, subIndication }
}

/** A remark that changes nothing. */
export function remark(code: FindingCode, about = ''): Finding {
  return { code, about, subIndication: null }
}
