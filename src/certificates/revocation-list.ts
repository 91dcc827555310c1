import * as asn1js from 'asn1js'
import { AuthorityKeyIdentifier, Extension, Extensions, Time } from 'pkijs'
import type { SignatureAlgorithm } from '../keys/algorithms.js'
import { algorithmIdentifier } from './algorithm-identifier.js'
import type { ParsedCertificate } from './certificate.js'
import { sequenceOf } from './der.js'
import type { RevokedCertificate } from './issued-certificates.js'
import { REVOCATION_REASONS } from './revocation.js'
import { keyIdentifier } from './to-be-signed.js'

export interface RevocationListPlan {
  readonly issuer: ParsedCertificate
  readonly algorithm: SignatureAlgorithm
  /** cRLNumber. */
  readonly number: number
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  /** Since when certificates that ended stay in it; null when they do not. */
  readonly expiredSince: Date | null
}

const CRL_NUMBER = '2.5.29.20'
const REASON_CODE = '2.5.29.21'
const AUTHORITY_KEY_IDENTIFIER = '2.5.29.35'
/** @see X.509, 9.5.2.8, and EN 319 411-2, CSS-6.3.10 */
const EXPIRED_CERTS_ON_CRL = '2.5.29.60'
const EXTENSIONS_TAG = 0

/** TBSCertList of version 2, DER. @see RFC 5280, 5.1 @param entries as `encodeEntry` gives them */
export function encodeRevocationList(
  { issuer, algorithm, number, thisUpdate, nextUpdate, expiredSince }: RevocationListPlan,
  entries: readonly Buffer[],
): Buffer {
  const extensions = new Extensions({
    extensions: [
      extension(AUTHORITY_KEY_IDENTIFIER, authorityKey(issuer)),
      extension(CRL_NUMBER, new asn1js.Integer({ value: number })),
      ...(expiredSince === null
        ? []
        : [
            extension(
              EXPIRED_CERTS_ON_CRL,
              new asn1js.GeneralizedTime({ valueDate: expiredSince }),
            ),
          ]),
    ],
  })
  return sequenceOf(
    der(new asn1js.Integer({ value: 1 })),
    algorithmIdentifier(algorithm),
    issuer.subjectName,
    der(timeOf(thisUpdate)),
    der(timeOf(nextUpdate)),
    // A list of nobody is left out (RFC 5280, 5.1.2.6).
    ...(entries.length > 0 ? [sequenceOf(...entries)] : []),
    der(
      new asn1js.Constructed({
        idBlock: { tagClass: 3, tagNumber: EXTENSIONS_TAG },
        value: [extensions.toSchema()],
      }),
    ),
  )
}

/** One of `revokedCertificates`, DER. */
export function encodeEntry({ serialNumber, revocation }: RevokedCertificate): Buffer {
  const { at, reason } = revocation
  const code = new asn1js.Enumerated({ value: REVOCATION_REASONS[reason] })
  const extensions = new Extensions({ extensions: [extension(REASON_CODE, code)] })
  return sequenceOf(
    der(serialInteger(serialNumber)),
    der(timeOf(at)),
    // Where nobody said why, nothing is said (RFC 5280, 5.3.1).
    ...(reason === 'unspecified' ? [] : [der(extensions.toSchema())]),
  )
}

/** @param serialNumber hexadecimal */
function serialInteger(serialNumber: string): asn1js.Integer {
  return asn1js.Integer.fromBigInt(BigInt(`0x${serialNumber}`))
}

function authorityKey({ publicKey }: ParsedCertificate): asn1js.AsnType {
  const octets = new asn1js.OctetString({ valueHex: keyIdentifier(publicKey) })
  return new AuthorityKeyIdentifier({ keyIdentifier: octets }).toSchema()
}

function extension(extnID: string, value: asn1js.AsnType): Extension {
  return new Extension({ extnID, critical: false, extnValue: value.toBER() })
}

/** UTCTime until 2049, in whole seconds. */
function timeOf(date: Date): asn1js.AsnType {
  const value = new Date(Math.floor(date.getTime() / 1000) * 1000)
  return new Time({ type: value.getUTCFullYear() < 2050 ? 0 : 1, value }).toSchema()
}

function der(block: asn1js.AsnType): Buffer {
  return Buffer.from(block.toBER())
}
