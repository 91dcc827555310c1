import { createPublicKey } from 'node:crypto'
import * as asn1js from 'asn1js'
import { KEY_ALGORITHMS } from './algorithms.js'
import type { PublicKeyValue } from './pkcs11/session.js'

/**
 * A public key as the token states it, as SubjectPublicKeyInfo DER.
 * @throws {Error} when it is not an RSA key, or a point on one of our curves
 */
export function subjectPublicKeyInfo(value: PublicKeyValue): Buffer {
  return value.type === 'rsa' ? rsaInfo(value.modulus, value.exponent) : ecInfo(value)
}

function rsaInfo(modulus: Buffer, exponent: Buffer): Buffer {
  const jwk = { kty: 'RSA', n: modulus.toString('base64url'), e: exponent.toString('base64url') }
  return createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' })
}

function ecInfo({ parameters, point }: { parameters: Buffer; point: Buffer }): Buffer {
  const curve = asn1js.fromBER(parameters).result
  if (!(curve instanceof asn1js.ObjectIdentifier)) throw new Error('EC_PARAMS names no curve')
  const curveOid = curve.valueBlock.toString()
  const facts = Object.values(KEY_ALGORITHMS).find((row) => row.curveOid === curveOid)
  if (facts === undefined) throw new Error(`Curve ${curveOid} is none of ours`)
  const info = new asn1js.Sequence({
    value: [
      new asn1js.Sequence({
        value: [new asn1js.ObjectIdentifier({ value: facts.keyOid }), curve],
      }),
      new asn1js.BitString({ valueHex: rawPoint(point, Math.ceil(facts.bits / 8)) }),
    ],
  })
  const key = Buffer.from(info.toBER())
  // OpenSSL refuses a point that is not on the curve
  return createPublicKey({ key, format: 'der', type: 'spki' }).export({
    type: 'spki',
    format: 'der',
  })
}

/**
 * PKCS#11 2.40 wants EC_POINT wrapped in an OCTET STRING; tokens after 2.20 give the bare point.
 * Both begin with 04, so the length decides.
 */
function rawPoint(point: Buffer, coordinateBytes: number): Buffer {
  const length = 1 + 2 * coordinateBytes
  if (point.length === length && point[0] === 0x04) return point
  const { result, offset } = asn1js.fromBER(point)
  if (!(result instanceof asn1js.OctetString) || offset !== point.length) {
    throw new Error('EC_POINT is neither a point nor an OCTET STRING')
  }
  const inner = Buffer.from(result.valueBlock.valueHexView)
  if (inner.length !== length || inner[0] !== 0x04) {
    throw new Error('EC_POINT is not an uncompressed point of its curve')
  }
  return inner
}
