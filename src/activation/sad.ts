import { createHash, randomBytes } from 'node:crypto'
import type { StoredSad } from './authorisation.js'

/** A SAD as it is given out, once. */
export interface IssuedSad {
  readonly SAD: string
  /** Seconds. */
  readonly expiresIn: number
}

/** A value nobody can guess: 256 bits, Base64url. */
export function newBearerValue(): string {
  return randomBytes(32).toString('base64url')
}

/** Who shows a bearer value is believed, so that only its hash is kept. SHA-256, Base64url. */
export function hashBearerValue(value: string): string {
  return createHash('sha256').update(value).digest('base64url')
}

/** A SAD for the store, and its value, known to nobody else. */
export function newSad(
  authorisationId: string,
  now: Date,
  lifetimeSeconds: number,
): { sad: StoredSad; value: string } {
  const value = newBearerValue()
  const expiresAt = new Date(now.getTime() + lifetimeSeconds * 1000)
  const idHash = hashBearerValue(value)
  return { sad: { idHash, authorisationId, expiresAt, operationId: null, endedAt: null }, value }
}
