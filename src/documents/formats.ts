import type { AdesFormat, SignatureFormat } from './ades.js'

/** What is known of a format before its code is loaded. */
export interface FormatFacts extends Pick<
  AdesFormat,
  'format' | 'documentEnvelopes' | 'digestEnvelopes'
> {
  load(): Promise<AdesFormat>
}

/**
 * The formats there are, in the order of the specification. Each is loaded when it is first asked for: PDF
 * and XML libraries are as large as the rest of the service.
 */
export const FORMATS: Readonly<Partial<Record<SignatureFormat, FormatFacts>>> = {}
