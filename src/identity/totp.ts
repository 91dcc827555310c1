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

/** The newest time step of which a code is accepted at `at`. */
export function newestTotpStep(at: Date): number {
  return Math.floor(seconds(at) / PERIOD_SECONDS) + DRIFT_STEPS
}

/** Seconds until the code shown at `at` gives way to the next. */
export function secondsToNextCode(at: Date): number {
  return PERIOD_SECONDS - (seconds(at) % PERIOD_SECONDS)
}

function seconds(at: Date): number {
  return Math.floor(at.getTime() / 1000)
}

/** What authenticators read from a QR code (the `otpauth` key URI format). */
export function authenticatorAddress(
  secret: string,
  { account, issuer }: { account: string; issuer: string },
): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`
  const parameters = { secret, issuer, algorithm: 'SHA1', digits: '6', period: '30' }
  const query = Object.entries(parameters).map(([name, value]) => {
    // Authenticators take a plus sign for a plus sign.
    return `${name}=${encodeURIComponent(value)}`
  })
  return `otpauth://totp/${label}?${query.join('&')}`
}
