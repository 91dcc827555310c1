/** Bits of `PKIFailureInfo` that an authority may set. @see RFC 3161, 2.4.2 */
export const FAILURE_BITS = {
  badAlg: 0,
  badRequest: 2,
  badDataFormat: 5,
  timeNotAvailable: 14,
  unacceptedPolicy: 15,
  unacceptedExtension: 16,
  addInfoNotAvailable: 17,
  systemFailure: 25,
} as const

export type TimestampFailure = keyof typeof FAILURE_BITS

/** Why there is no token, as a requester is told. Never seen outside of this folder and its mount. */
export class TimestampRefusal extends Error {
  override readonly name = 'TimestampRefusal'
  readonly failure: TimestampFailure
  constructor(failure: TimestampFailure, message: string, options?: ErrorOptions) {
    super(message, options)
    this.failure = failure
  }
}
