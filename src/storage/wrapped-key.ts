import type { WrappedKeyRecord } from '../keys/hsm-wrapped.js'

/*
 * Wrapped keys as the custody reads them: with the credential that has the key now, whatever the table of
 * keys says. For the key process it comes without Prisma.
 */

/** @param key how the parameter is written */
export const WRAPPED_KEY = (key: string) => `
  SELECT k."publicKey", k."wrapped", c."id" AS "credentialId", c."userId"
    FROM "HsmKey" k LEFT JOIN "Credential" c ON c."keyId" = k."keyId"
   WHERE k."keyId" = ${key} AND k."wrapped" IS NOT NULL`

export interface StoredWrappedKey {
  readonly publicKey: string | null
  readonly wrapped: string
  readonly credentialId: string | null
  readonly userId: string | null
}

export function wrappedKeyRecord(row: StoredWrappedKey | undefined): WrappedKeyRecord | null {
  if (!row) return null
  const { publicKey, wrapped, credentialId, userId } = row
  return {
    publicKey: Buffer.from(publicKey ?? '', 'base64'),
    wrapped,
    owner: credentialId === null || userId === null ? null : { credentialId, userId },
  }
}
