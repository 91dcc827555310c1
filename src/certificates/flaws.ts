/**
 * What does not hold of something that was signed, by a word that programs know. What it makes of a
 * signature is for `verification` to say, which has the sentences, too.
 */
export interface Flaw {
  readonly code: FlawCode
  /** What a sentence would name: a certificate, an algorithm. */
  readonly about: string
}

/** Of paths, of signatures in CMS, and of timestamps. */
export type FlawCode =
  | 'not-yet-valid'
  | 'expired'
  | 'not-a-ca'
  | 'path-too-long'
  | 'key-usage'
  | 'critical-extension'
  | 'weak-certificate'
  | 'constraints'
  | 'other-certificate-named'
  | 'certificate-not-named'
  | 'unknown-algorithm'
  | 'attributes-missing'
  | 'algorithm-unprotected'
  | 'no-signed-attributes'
  | 'content-missing'
  | 'content-changed'
  | 'digest-not-enough'
  | 'signature-broken'
  | 'timestamp-other-content'

export function flaw(code: FlawCode, about = ''): Flaw {
  return { code, about }
}
