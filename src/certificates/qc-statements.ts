import * as asn1js from 'asn1js'
import type { QcStatements } from './profiles.js'

/** id-etsi-qcs, EN 319 412-5, 4.2 and 4.3. */
const COMPLIANCE = '0.4.0.1862.1.1'
const SSCD = '0.4.0.1862.1.4'
const DISCLOSURES = '0.4.0.1862.1.5'
const TYPE = '0.4.0.1862.1.6'
const TYPES = { esign: '0.4.0.1862.1.6.1', eseal: '0.4.0.1862.1.6.2' } as const

/** QCStatements of RFC 3739, 3.2.6, with the statements of EN 319 412-5. */
export function encodeQcStatements(statements: QcStatements): asn1js.AsnType {
  const { compliance, sscd, type, disclosures } = statements
  return sequence(
    ...(compliance ? [sequence(oid(COMPLIANCE))] : []),
    ...(sscd ? [sequence(oid(SSCD))] : []),
    ...(type === null ? [] : [sequence(oid(TYPE), sequence(oid(TYPES[type])))]),
    ...(disclosures.length > 0
      ? [sequence(oid(DISCLOSURES), sequence(...disclosures.map(location)))]
      : []),
  )
}

/** Those of them by which a certificate is a qualified one: their OIDs. */
export function qualifyingOids({ compliance, sscd }: QcStatements): string[] {
  return [...(compliance ? [COMPLIANCE] : []), ...(sscd ? [SSCD] : [])]
}

function location({ url, language }: QcStatements['disclosures'][number]): asn1js.AsnType {
  return sequence(
    new asn1js.IA5String({ value: url }),
    new asn1js.PrintableString({ value: language }),
  )
}

function sequence(...value: asn1js.AsnType[]): asn1js.AsnType {
  return new asn1js.Sequence({ value })
}

function oid(value: string): asn1js.AsnType {
  return new asn1js.ObjectIdentifier({ value })
}
