import { generateSecret, generateSync, verifySync } from 'otplib'

const PERIOD_SECONDS = 30
/** One step of clock drift either way, as RFC 6238, 5.2 suggests. */
const DRIFT_STEPS = 1

export { generateSecret as generateTotpSecret }

/** The code an authenticator shows at `at`. */
export function totpCode(secret: string, at: Date): string {
  return generateSync({ secret, epoch: seconds(at) })
}

/**
 * The time step a code belongs to, or null when it is not a current code. Only six ASCII digits count,
 * with spaces between groups as authenticators show them; whether the step is still unused is for the
 * store to decide.
 */
export function totpStep(secret: string, code: string, at: Date): number | null {
  const digits = code.replaceAll(' ', '')
  if (!/^[0-9]{6}$/.test(digits)) return null
  const epochTolerance = DRIFT_STEPS * PERIOD_SECONDS
  const result = verifySync({ secret, token: digits, epoch: seconds(at), epochTolerance })
  if (!result.valid) return null
  return Math.floor(seconds(at) / PERIOD_SECONDS) + result.delta
}

/** Seconds until the code shown at `at` gives way to the next. */
export function secondsToNextCode(at: Date): number {
  return PERIOD_SECONDS - (seconds(at) % PERIOD_SECONDS)
}

function seconds(at: Date): number {
  return Math.floor(at.getTime() / 1000)
}
