import { createHash } from 'node:crypto'
import type { HashAlgorithm, SignatureAlgorithm } from '../../keys/algorithms.js'
import {
  EXCLUSIVE_CANONICALIZATION,
  NAMESPACES,
  SIGNED_PROPERTIES_TYPE,
  signatureMethodUri,
} from './identifiers.js'
import { digestMethod, digestValue } from './qualifying-properties.js'
import { base64, element, type XmlAttributes, type XmlText } from './xml-text.js'

/** Identifiers of one signature's parts. */
export interface SignatureIds {
  readonly signature: string
  /** Those of the references follow from it. */
  readonly reference: string
  readonly signedProperties: string
  readonly value: string
  readonly object: string
  readonly timestamp: string
  readonly archiveTimestamp: string
}

/**
 * Nothing random: preparing again has to give the same bytes. Signatures over the same document at
 * the same instant with the same certificate are one and the same.
 *
 * @param seeds all that tells this signature from others
 */
export function signatureIds(...seeds: readonly (Buffer | string)[]): SignatureIds {
  const hash = createHash('sha256')
  for (const seed of seeds) {
    const digest = createHash('sha256').update(seed).digest()
    hash.update(digest)
  }
  const suffix = hash.digest('hex').slice(0, 32)
  return {
    signature: `id-${suffix}`,
    reference: `r-${suffix}`,
    signedProperties: `xades-${suffix}`,
    value: `value-${suffix}`,
    object: `o-${suffix}`,
    timestamp: `ts-${suffix}`,
    archiveTimestamp: `ats-${suffix}`,
  }
}

/** A reference to something that is signed. */
export interface DocumentReference {
  readonly id: string
  /** Null for none: whoever validates has to know what is meant. */
  readonly uri: string | null
  readonly type: string | null
  readonly transforms: readonly XmlText[]
  readonly digest: Buffer
  readonly mediaType: string
}

/** All of a signature but its value and its unsigned properties. */
export interface SignatureContent {
  readonly ids: SignatureIds
  readonly algorithm: SignatureAlgorithm
  readonly references: readonly DocumentReference[]
  readonly signedProperties: XmlText
  /** Over the canonical signed properties. */
  readonly signedPropertiesDigest: Buffer
  /** The signer's first, DER. */
  readonly certificates: readonly Buffer[]
  /** What an enveloping signature holds. */
  readonly objects: readonly XmlText[]
}

/**
 * Every prefix is declared within, so that canonicalisation gives the same octets wherever the
 * signature comes to stand.
 */
export function signatureText(
  content: SignatureContent,
  value: Buffer,
  unsignedProperties: readonly XmlText[],
): XmlText {
  const { ids, certificates, objects } = content
  return element(
    'ds:Signature',
    { 'xmlns:ds': NAMESPACES.ds, Id: ids.signature },
    signedInfo(content),
    element('ds:SignatureValue', { Id: ids.value }, base64(value)),
    element(
      'ds:KeyInfo',
      {},
      element(
        'ds:X509Data',
        {},
        ...certificates.map((each) => element('ds:X509Certificate', {}, base64(each))),
      ),
    ),
    qualifyingProperties(ids, content.signedProperties, unsignedProperties),
    ...objects,
  )
}

/** A signature with nothing but its signed properties: in it, they are canonicalised. */
export function propertiesInPlace(ids: SignatureIds, signedProperties: XmlText): XmlText {
  return element(
    'ds:Signature',
    { 'xmlns:ds': NAMESPACES.ds },
    qualifyingProperties(ids, signedProperties, []),
  )
}

function qualifyingProperties(
  ids: SignatureIds,
  signedProperties: XmlText,
  unsignedProperties: readonly XmlText[],
): XmlText {
  const unsigned = element(
    'xades:UnsignedProperties',
    {},
    element('xades:UnsignedSignatureProperties', {}, ...unsignedProperties),
  )
  return element(
    'ds:Object',
    {},
    element(
      'xades:QualifyingProperties',
      {
        'xmlns:xades': NAMESPACES.xades,
        'xmlns:xades141': NAMESPACES.xades141,
        Target: `#${ids.signature}`,
      },
      signedProperties,
      ...(unsignedProperties.length === 0 ? [] : [unsigned]),
    ),
  )
}

function signedInfo(content: SignatureContent): XmlText {
  const { ids, algorithm, references, signedPropertiesDigest } = content
  const { hash } = algorithm
  return element(
    'ds:SignedInfo',
    {},
    element('ds:CanonicalizationMethod', { Algorithm: EXCLUSIVE_CANONICALIZATION }),
    element('ds:SignatureMethod', { Algorithm: signatureMethodUri(algorithm) }),
    ...references.map(({ id, type, uri, transforms, digest }) =>
      reference({ Id: id, Type: type, URI: uri }, transforms, digest, hash),
    ),
    reference(
      { Type: SIGNED_PROPERTIES_TYPE, URI: `#${ids.signedProperties}` },
      [transform(EXCLUSIVE_CANONICALIZATION)],
      signedPropertiesDigest,
      hash,
    ),
  )
}

function reference(
  attributes: XmlAttributes,
  transforms: readonly XmlText[],
  digest: Buffer,
  hash: HashAlgorithm,
): XmlText {
  return element(
    'ds:Reference',
    attributes,
    ...(transforms.length === 0 ? [] : [element('ds:Transforms', {}, ...transforms)]),
    digestMethod(hash),
    digestValue(digest),
  )
}

export function transform(algorithm: string, ...content: readonly XmlText[]): XmlText {
  return element('ds:Transform', { Algorithm: algorithm }, ...content)
}
