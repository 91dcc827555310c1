/** What EN 319 102-1, 5.1.3 lets a validation end with, and which sub-indications go with what. */
export const SUB_INDICATIONS = {
  'TOTAL-PASSED': [],
  'TOTAL-FAILED': [
    ...(['FORMAT_FAILURE', 'HASH_FAILURE', 'SIG_CRYPTO_FAILURE'] as const),
    ...(['REVOKED', 'EXPIRED', 'NOT_YET_VALID'] as const),
  ],
  INDETERMINATE: [
    ...(['SIG_CONSTRAINTS_FAILURE', 'CHAIN_CONSTRAINTS_FAILURE'] as const),
    ...(['CERTIFICATE_CHAIN_GENERAL_FAILURE', 'CRYPTO_CONSTRAINTS_FAILURE'] as const),
    ...(['CRYPTO_CONSTRAINTS_FAILURE_NO_POE', 'TIMESTAMP_ORDER_FAILURE'] as const),
    ...(['NO_SIGNING_CERTIFICATE_FOUND', 'NO_CERTIFICATE_CHAIN_FOUND'] as const),
    ...(['REVOKED_NO_POE', 'REVOKED_CA_NO_POE', 'OUT_OF_BOUNDS_NO_POE'] as const),
    ...(['OUT_OF_BOUNDS_NOT_REVOKED', 'TRY_LATER', 'SIGNED_DATA_NOT_FOUND', 'NO_POE'] as const),
    ...(['POLICY_PROCESSING_ERROR', 'SIGNATURE_POLICY_NOT_AVAILABLE'] as const),
  ],
} as const

export type Indication = keyof typeof SUB_INDICATIONS
export type SubIndication = (typeof SUB_INDICATIONS)[Indication][number]

/** Worst last. */
const ORDER: readonly Indication[] = ['TOTAL-PASSED', 'INDETERMINATE', 'TOTAL-FAILED']

export function indicationOf(subIndication: SubIndication): Indication {
  const failed: readonly string[] = SUB_INDICATIONS['TOTAL-FAILED']
  return failed.includes(subIndication) ? 'TOTAL-FAILED' : 'INDETERMINATE'
}

export function worst(indications: readonly Indication[]): Indication | null {
  const ranks = indications.map((each) => ORDER.indexOf(each))
  return ranks.length === 0 ? null : (ORDER[Math.max(...ranks)] ?? null)
}
