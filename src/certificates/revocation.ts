/** CRLReason, by the numbers of RFC 5280, 5.3.1; there is no 7. */
export const REVOCATION_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const

export type RevocationReason = keyof typeof REVOCATION_REASONS

/** Reasons to end a certificate of a signer for good, which people can name. */
export const FINAL_REASONS = [
  ...(['unspecified', 'keyCompromise', 'affiliationChanged', 'superseded'] as const),
  ...(['cessationOfOperation', 'privilegeWithdrawn'] as const),
] as const satisfies readonly RevocationReason[]

export type FinalReason = (typeof FINAL_REASONS)[number]

/** For what a client may say by number: reasons that fit no certificate of a signer say nothing. */
export function finalReason(code: number): FinalReason {
  return FINAL_REASONS.find((name) => REVOCATION_REASONS[name] === code) ?? 'unspecified'
}

/** Since when a certificate is not good, and why; suspended ones have the reason certificateHold. */
export interface Revocation {
  readonly at: Date
  readonly reason: RevocationReason
}
