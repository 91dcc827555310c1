import * as asn1js from 'asn1js'

/**
 * What tokens return, r and s in fixed length one after the other, as DER ECDSA-Sig-Value.
 * @throws {Error} when it is not two positive numbers of `coordinateBytes` each
 */
export function ecdsaSignatureFromRaw(raw: Buffer, coordinateBytes: number): Buffer {
  if (!Number.isInteger(coordinateBytes) || raw.length !== 2 * coordinateBytes)
    throw new Error('ECDSA signature has a wrong length')
  const value = [raw.subarray(0, coordinateBytes), raw.subarray(coordinateBytes)].map((half) => {
    const number = BigInt(`0x${half.toString('hex')}`)
    if (number === 0n) throw new Error('ECDSA signature holds a zero')
    return asn1js.Integer.fromBigInt(number)
  })
  return Buffer.from(new asn1js.Sequence({ value }).toBER())
}
