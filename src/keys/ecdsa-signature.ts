/**
 * What tokens return, r and s in fixed length one after the other, as DER ECDSA-Sig-Value.
 * @throws {Error} when it is not two positive numbers of `coordinateBytes` each
 */
export function ecdsaSignatureFromRaw(raw: Buffer, coordinateBytes: number): Buffer {
  if (!Number.isInteger(coordinateBytes) || raw.length !== 2 * coordinateBytes)
    throw new Error('ECDSA signature has a wrong length')
  const r = derInteger(raw.subarray(0, coordinateBytes))
  const s = derInteger(raw.subarray(coordinateBytes))
  const body = Buffer.concat([r, s])
  return Buffer.concat([derHeader(SEQUENCE, body.length), body])
}

const SEQUENCE = 0x30
const INTEGER = 0x02

/** A positive number: no leading zeros but one, where it would look negative. */
function derInteger(number: Buffer): Buffer {
  const first = number.findIndex((byte) => byte !== 0)
  if (first < 0) throw new Error('ECDSA signature holds a zero')
  const bytes = number.subarray(first)
  const sign = (bytes[0] ?? 0) >= 0x80 ? [0] : []
  return Buffer.concat([derHeader(INTEGER, bytes.length + sign.length), Buffer.from(sign), bytes])
}

/** Lengths here are below 256: two numbers of 66 bytes at most. */
function derHeader(tag: number, length: number): Buffer {
  return Buffer.from(length < 0x80 ? [tag, length] : [tag, 0x81, length])
}
