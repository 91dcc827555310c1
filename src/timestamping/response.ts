import * as asn1js from 'asn1js'
import { PKIStatusInfo } from 'pkijs'
import { FAILURE_BITS, type TimestampFailure, type TimestampRefusal } from './refusal.js'

const GRANTED = 0
const REJECTION = 2

const GRANTED_STATUS = Buffer.from(new PKIStatusInfo({ status: GRANTED }).toSchema().toBER())
const SEQUENCE = 16

/** `TimeStampResp` with a token, DER. @see RFC 3161, 2.4.2 */
export function grantedResponse(token: Buffer): Buffer {
  // What is encoded already is not taken apart again, so the library is told of octets only.
  const response = new asn1js.Primitive({
    idBlock: { tagClass: 1, tagNumber: SEQUENCE },
    valueHex: Buffer.concat([GRANTED_STATUS, token]),
  })
  response.idBlock.isConstructed = true
  return Buffer.from(response.toBER())
}

/** `TimeStampResp` without one, DER, which says why. */
export function rejectedResponse({ failure, message }: TimestampRefusal): Buffer {
  const status = new PKIStatusInfo({
    status: REJECTION,
    statusStrings: [new asn1js.Utf8String({ value: message })],
    failInfo: failureInfo(failure),
  })
  return Buffer.from(new asn1js.Sequence({ value: [status.toSchema()] }).toBER())
}

/** A named bit list, which has no trailing zeros in DER. */
function failureInfo(failure: TimestampFailure): asn1js.BitString {
  const bit = FAILURE_BITS[failure]
  const bytes = new Uint8Array(Math.floor(bit / 8) + 1)
  bytes[bytes.length - 1] = 0x80 >> (bit % 8)
  return new asn1js.BitString({ valueHex: bytes, unusedBits: 7 - (bit % 8) })
}
