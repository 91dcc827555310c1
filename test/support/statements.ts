import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'
import type { HashName } from '../../src/keys/algorithms.js'

/*
 * What authorities and services sign, as small as it can be: enough for the key process to tell what it is.
 */

const der = (block: asn1js.AsnType) => Buffer.from(block.toBER())
const oid = (value: string) => new asn1js.ObjectIdentifier({ value })
const sequence = (...value: asn1js.AsnType[]) => new asn1js.Sequence({ value })
const set = (...value: asn1js.AsnType[]) => new asn1js.Set({ value })
const octets = (bytes: Buffer) => new asn1js.OctetString({ valueHex: bytes })
const generalized = (valueDate: Date) =>
  new asn1js.GeneralizedTime({ valueDate: new Date(Math.floor(+valueDate / 1000) * 1000) })

export function tstInfo(time: Date): Buffer {
  const imprint = sequence(sequence(oid('2.16.840.1.101.3.4.2.1')), octets(Buffer.alloc(32, 7)))
  const [one, serial] = [new asn1js.Integer({ value: 1 }), new asn1js.Integer({ value: 5 })]
  return der(sequence(one, oid('1.3.6.1.4.1.99999.1'), imprint, serial, generalized(time)))
}

/** Signed attributes of a timestamp, those named left out or put in the place of others. */
export function timestampAttributes(
  info: Buffer,
  changes: { contentType?: string; digest?: Buffer; bare?: true; twice?: true } = {},
  hash: HashName = 'sha256',
): Buffer {
  const digest = changes.digest ?? createHash(hash).update(info).digest()
  const type = changes.contentType ?? '1.2.840.113549.1.9.16.1.4'
  const contentType = sequence(oid('1.2.840.113549.1.9.3'), set(oid(type)))
  const signingCertificate = sequence(oid('1.2.840.113549.1.9.16.2.47'), set(sequence()))
  return der(
    set(
      contentType,
      ...(changes.twice ? [contentType] : []),
      sequence(oid('1.2.840.113549.1.9.4'), set(octets(digest))),
      ...(changes.bare ? [] : [signingCertificate]),
    ),
  )
}

export function responseData(producedAt = new Date()): Buffer {
  const byKey = new asn1js.Constructed({
    idBlock: { tagClass: 3, tagNumber: 2 },
    value: [octets(Buffer.alloc(20, 3))],
  })
  return der(sequence(byKey, generalized(producedAt), sequence()))
}

export function certificateList(thisUpdate = new Date()): Buffer {
  const time = new asn1js.UTCTime({ valueDate: thisUpdate })
  return der(sequence(new asn1js.Integer({ value: 1 }), sequence(), sequence(), time))
}
