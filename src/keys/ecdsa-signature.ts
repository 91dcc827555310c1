import { joseToDer } from 'ecdsa-sig-formatter'

/** What JWS calls signatures of that many octets; the curve is all that counts here. */
const CURVES: Readonly<Record<number, string>> = { 64: 'ES256', 96: 'ES384', 132: 'ES512' }

/**
 * What tokens return, r and s in fixed length one after the other, as DER ECDSA-Sig-Value.
 * @throws {Error} when it is not two positive numbers of `coordinateBytes` each
 */
export function ecdsaSignatureFromRaw(raw: Buffer, coordinateBytes: number): Buffer {
  const curve = CURVES[raw.length]
  if (curve === undefined || raw.length !== 2 * coordinateBytes)
    throw new Error('ECDSA signature has a wrong length')
  const halves = [raw.subarray(0, coordinateBytes), raw.subarray(coordinateBytes)]
  if (halves.some((half) => half.every((byte) => byte === 0)))
    throw new Error('ECDSA signature holds a zero')
  return joseToDer(raw, curve)
}
