/**
 * - `unknown`: no passkey that opens anything here, whatever the reason
 * - `expired`: the question was answered already, or too late
 * - `cloned`: the authenticator has counted fewer signatures than it had before
 * - `taken`: enrolled already
 * - `refused`: what came back does not stand up
 */
export type PasskeyRefusal = 'unknown' | 'expired' | 'cloned' | 'taken' | 'refused'

/** The answer opens nothing. `message` is for the audit log. */
export class PasskeyRefusedError extends Error {
  override readonly name = 'PasskeyRefusedError'
  readonly kind: PasskeyRefusal
  constructor(kind: PasskeyRefusal, why: string) {
    super(why)
    this.kind = kind
  }
}
