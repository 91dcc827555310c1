import { HsmUnavailableError } from '../../errors.js'
import { TokenError } from './ckr.js'
import type { PooledSession, SessionPool } from './session-pool.js'

/**
 * When the token was certainly not asked to sign, because sessions, login or handles were lost, `use`
 * runs once more, on a new session and with handles found again.
 */
export async function withSessionAgain<T>(
  pool: SessionPool,
  use: (session: PooledSession) => Promise<T>,
): Promise<T> {
  try {
    return await pool.withSession(use)
  } catch (error) {
    if (!isDeviceLoss(error)) throw error
    return pool.withSession(use)
  }
}

const FULL = ['CKR_DEVICE_MEMORY', 'CKR_TOKEN_RESOURCE_EXCEEDED']

/** Whether the token had no room for one object more. */
export function isFull(error: unknown): boolean {
  if (!(error instanceof HsmUnavailableError)) return false
  return error.cause instanceof TokenError && FULL.includes(error.cause.ckr.name)
}

/** Whether sessions, login or handles were lost before anything was signed. */
export function isDeviceLoss(error: unknown): boolean {
  if (!(error instanceof HsmUnavailableError)) return false
  return error.cause instanceof TokenError && error.cause.ckr.deviceLost
}
