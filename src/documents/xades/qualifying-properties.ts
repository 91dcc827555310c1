import * as asn1js from 'asn1js'
import { childrenOf } from '../../certificates/distinguished-name.js'
import type { HashAlgorithm } from '../../keys/algorithms.js'
import { digestOf } from '../../keys/digest.js'
import { issuerAndSerialNumber } from '../cades/attributes.js'
import { contextTag, joined, sequence } from '../cades/der-encoding.js'
import type { CallerProperty } from './caller-properties.js'
import { digestMethodUri } from './identifiers.js'
import { base64, element, text, type XmlText } from './xml-text.js'

export interface SignedPropertiesContent {
  readonly id: string
  readonly signingTime: Date
  /** Of the signer, DER. */
  readonly certificate: Buffer
  readonly hash: HashAlgorithm
  /** To what is signed. */
  readonly references: readonly { readonly id: string; readonly mediaType: string }[]
  readonly properties: readonly CallerProperty[]
}

/** In the order of the schema. @see EN 319 132-1, 4.3.4 to 4.3.6 */
export function signedProperties(content: SignedPropertiesContent): XmlText {
  return element(
    'xades:SignedProperties',
    { Id: content.id },
    element(
      'xades:SignedSignatureProperties',
      {},
      element('xades:SigningTime', {}, text(dateTime(content.signingTime))),
      signingCertificate(content),
      ...named(content, 'SignaturePolicyIdentifier'),
      ...named(content, 'SignatureProductionPlaceV2'),
      ...named(content, 'SignerRoleV2'),
    ),
    element(
      'xades:SignedDataObjectProperties',
      {},
      ...content.references.map(({ id, mediaType }) =>
        element(
          'xades:DataObjectFormat',
          { ObjectReference: `#${id}` },
          element('xades:MimeType', {}, text(mediaType)),
        ),
      ),
      ...named(content, 'CommitmentTypeIndication'),
      ...named(content, 'AllDataObjectsTimeStamp'),
      ...named(content, 'IndividualDataObjectsTimeStamp'),
    ),
  )
}

function named({ properties }: SignedPropertiesContent, name: string): XmlText[] {
  return properties.filter((property) => property.name === name).map((property) => property.text)
}

/** xsd:dateTime in UTC, whole seconds. */
function dateTime(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** @see EN 319 132-1, 5.2.2 */
function signingCertificate({ certificate, hash }: SignedPropertiesContent): XmlText {
  const digest = digestOf(hash, certificate)
  return element(
    'xades:SigningCertificateV2',
    {},
    element(
      'xades:Cert',
      {},
      element('xades:CertDigest', {}, digestMethod(hash), digestValue(digest)),
      element('xades:IssuerSerialV2', {}, base64(issuerSerial(certificate))),
    ),
  )
}

export function digestMethod(hash: HashAlgorithm): XmlText {
  return element('ds:DigestMethod', { Algorithm: digestMethodUri(hash.name) })
}

export function digestValue(digest: Buffer): XmlText {
  return element('ds:DigestValue', {}, base64(digest))
}

const DIRECTORY_NAME = 4

/** `IssuerSerial`, DER. @see RFC 5035, 4 */
function issuerSerial(certificate: Buffer): Buffer {
  const { result } = asn1js.fromBER(issuerAndSerialNumber(certificate))
  const [issuer, serialNumber] = childrenOf(result).map((part) =>
    Buffer.from(part.valueBeforeDecodeView),
  )
  if (issuer === undefined || serialNumber === undefined) throw new Error('No issuer')
  return joined(sequence(sequence(contextTag(DIRECTORY_NAME, [issuer])), [serialNumber]))
}
