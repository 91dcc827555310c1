import { randomBytes } from 'node:crypto'

/**
 * Where a private key lives: in the token as an object of its own, or outside, wrapped under a key that
 * never leaves the token.
 */
export const CUSTODIES = ['resident', 'wrapped'] as const
export type Custody = (typeof CUSTODIES)[number]

/** Whose key it is. */
export interface KeyOwner {
  readonly credentialId: string
  readonly userId: string
}

/** A name nobody has: 16 random bytes in hexadecimal, with a letter in front that tells the custody. */
export function newKeyId(custody: Custody): string {
  return `${custody === 'wrapped' ? 'w' : ''}${randomBytes(16).toString('hex')}`
}

export function custodyOf(keyId: string): Custody {
  return keyId.startsWith('w') ? 'wrapped' : 'resident'
}

/** CKA_ID of the key's objects, or null when this is no name of ours. */
export function objectIdOf(keyId: string): Buffer | null {
  const [, hex] = /^w?([0-9a-f]{32})$/.exec(keyId) ?? []
  return hex === undefined ? null : Buffer.from(hex, 'hex')
}
