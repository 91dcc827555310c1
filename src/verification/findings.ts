import type { Flaw, FlawCode } from '../certificates/flaws.js'
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

/** What flaws make of a signature (EN 319 102-1, 5.1.3); null for what is only worth knowing. */
const MEANINGS: Readonly<Record<FlawCode, SubIndication | null>> = {
  'not-yet-valid': 'OUT_OF_BOUNDS_NO_POE',
  expired: 'OUT_OF_BOUNDS_NO_POE',
  'not-a-ca': 'CHAIN_CONSTRAINTS_FAILURE',
  'path-too-long': 'CHAIN_CONSTRAINTS_FAILURE',
  'key-usage': 'CHAIN_CONSTRAINTS_FAILURE',
  'critical-extension': 'CERTIFICATE_CHAIN_GENERAL_FAILURE',
  'weak-certificate': 'CRYPTO_CONSTRAINTS_FAILURE_NO_POE',
  constraints: 'CERTIFICATE_CHAIN_GENERAL_FAILURE',
  'other-certificate-named': 'SIG_CONSTRAINTS_FAILURE',
  'certificate-not-named': 'SIG_CONSTRAINTS_FAILURE',
  'unknown-algorithm': 'FORMAT_FAILURE',
  'attributes-missing': 'FORMAT_FAILURE',
  'algorithm-unprotected': 'SIG_CRYPTO_FAILURE',
  'no-signed-attributes': null,
  'content-missing': 'SIGNED_DATA_NOT_FOUND',
  'content-changed': 'HASH_FAILURE',
  'digest-not-enough': 'SIGNED_DATA_NOT_FOUND',
  'signature-broken': 'SIG_CRYPTO_FAILURE',
  'timestamp-other-content': 'HASH_FAILURE',
}

export function findingsOf(flaws: readonly Flaw[]): Finding[] {
  return flaws.map(({ code, about }) => ({ code, about, subIndication: MEANINGS[code] }))
}
