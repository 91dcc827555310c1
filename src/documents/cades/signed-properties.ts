import * as asn1js from 'asn1js'
import { isDer } from '../../certificates/der.js'
import { childrenOf } from '../../certificates/distinguished-name.js'
import { UnfitSignedPropertiesError } from '../../errors.js'
import type { HashAlgorithm } from '../../keys/algorithms.js'
import type { SignedProperty } from '../ades.js'
import { propertyText } from '../property-text.js'
import { ATTRIBUTE_OIDS, type Attribute } from './attributes.js'
import { contextTag, encoded, joined, objectIdentifier, sequence } from './der-encoding.js'
import { ID_DATA } from './signed-data.js'
import { timestampsDigest } from './timestamp-imprint.js'

/** What properties may have to do with. */
export interface PropertySubject {
  /** Of what is signed, under that hash. */
  readonly contentDigest: Buffer
  readonly hash: HashAlgorithm
  readonly signingTime: Date
}

interface PropertyFacts {
  readonly oid: string
  /** The ASN.1 of a value. */
  readonly schema: asn1js.AsnType
  /** The value that a text stands for, DER; null where the text says nothing of the kind. */
  readonly ofText?: (text: string) => Buffer | null
  /** The value where none was sent; the same each time, as preparing has to be repeatable. */
  readonly compute?: (subject: PropertySubject) => Buffer
  /** Whether a value that was sent is right for this signature. */
  readonly fits?: (value: Buffer, subject: PropertySubject) => boolean
}

/** Those of EN 319 122-1 that one may ask for, by the names of CSC API v2, 11.11. */
const PROPERTIES: Readonly<Record<string, PropertyFacts>> = {
  'commitment-type-indication': {
    oid: '1.2.840.113549.1.9.16.2.16',
    schema: sequenceOf(oid(), list({ optional: true })),
    ofText: commitmentType,
  },
  'content-hints': {
    oid: '1.2.840.113549.1.9.16.2.4',
    schema: sequenceOf(new asn1js.Utf8String({ optional: true }), oid()),
    ofText: (text) => joined(sequence([utf8(text)], objectIdentifier(ID_DATA))),
  },
  'mime-type': {
    oid: '0.4.0.1733.2.1',
    schema: new asn1js.Utf8String(),
    ofText: (text) => (MIME_TYPE.test(text) ? utf8(text) : null),
  },
  'signer-location': {
    oid: '1.2.840.113549.1.9.16.2.17',
    schema: sequenceOf(tag(0), tag(1), tag(2)),
    ofText: locality,
  },
  'content-time-stamp': {
    oid: '1.2.840.113549.1.9.16.2.20',
    schema: sequenceOf(oid(), tag(0)),
    fits: (token, { contentDigest, hash }) => timestampsDigest(token, contentDigest, hash),
  },
  'signer-attributes-v2': {
    oid: '0.4.0.19122.1.1',
    schema: sequenceOf(tag(0), tag(1), tag(2)),
    ofText: claimedRole,
  },
  'signature-policy-identifier': {
    oid: '1.2.840.113549.1.9.16.2.15',
    schema: sequenceOf(oid(), sequenceOf(list(), octets()), list({ optional: true })),
  },
  'content-reference': {
    oid: '1.2.840.113549.1.9.16.2.10',
    schema: sequenceOf(oid(), octets(), octets()),
  },
  'content-identifier': {
    oid: '1.2.840.113549.1.9.16.2.7',
    schema: octets(),
    ofText: (text) => encoded(new asn1js.OctetString({ valueHex: Buffer.from(text) })),
    compute: identifierOf,
  },
}

/** What is in every signature; one may ask for it, and not say what it is. */
const ALWAYS_THERE: readonly string[] = [
  ...['content-type', ATTRIBUTE_OIDS.contentType],
  ...['message-digest', ATTRIBUTE_OIDS.messageDigest],
  ...['signing-time', ATTRIBUTE_OIDS.signingTime],
  ...['signing-certificate-v2', ATTRIBUTE_OIDS.signingCertificateV2],
]

function isThereAnyway({ name, value }: SignedProperty): boolean {
  return value === null && ALWAYS_THERE.includes(name)
}

/** The names among them that CAdES does not know, that came before, or whose values are no good. */
export function unfitProperties(properties: readonly SignedProperty[]): string[] {
  const seen = new Set<string>()
  return properties
    .filter((property) => {
      if (isThereAnyway(property)) return false
      const facts = factsOf(property)
      if (facts === null || seen.has(facts.oid)) return true
      seen.add(facts.oid)
      return property.value === null ? !facts.compute : valueOf(property.value, facts) === null
    })
    .map(({ name }) => name)
}

/** @throws {UnfitSignedPropertiesError} */
export function propertyAttributes(
  properties: readonly SignedProperty[],
  subject: PropertySubject,
): Attribute[] {
  const unfit = unfitProperties(properties)
  if (unfit.length > 0) throw new UnfitSignedPropertiesError(unfit)
  const asked = properties.filter((property) => !isThereAnyway(property))
  return asked.map((property) => {
    const facts = factsOf(property)
    const value = facts && givenOrComputed(property.value, facts, subject)
    if (!facts || !value) throw new UnfitSignedPropertiesError([property.name])
    return { type: facts.oid, values: [value] }
  })
}

function givenOrComputed(
  sent: string | null,
  facts: PropertyFacts,
  subject: PropertySubject,
): Buffer | null {
  if (sent === null) return facts.compute?.(subject) ?? null
  const value = valueOf(sent, facts)
  return value !== null && (facts.fits?.(value, subject) ?? true) ? value : null
}

function factsOf({ name }: SignedProperty): PropertyFacts | null {
  if (Object.hasOwn(PROPERTIES, name)) return PROPERTIES[name] ?? null
  return Object.values(PROPERTIES).find((facts) => facts.oid === name) ?? null
}

/**
 * Base64 of the DER of a value, or of the whole attribute with one value; any other text, or Base64 of
 * one, stands for itself where the property has a plain meaning.
 */
function valueOf(sent: string, facts: PropertyFacts): Buffer | null {
  const der = BASE64.test(sent) ? Buffer.from(sent, 'base64') : null
  if (der === null || !isDer(der))
    return sent === '' ? null : (facts.ofText?.(propertyText(sent)) ?? null)
  const value = valueOfAttribute(der, facts.oid) ?? der
  return hasForm(value, facts) ? value : null
}

/** Attribute ::= SEQUENCE { attrType, attrValues SET OF }, with one value. */
function valueOfAttribute(der: Buffer, type: string): Buffer | null {
  const block = parse(der)
  const [attrType, attrValues] = block instanceof asn1js.Sequence ? childrenOf(block) : []
  const isOfType =
    attrType instanceof asn1js.ObjectIdentifier && attrType.valueBlock.toString() === type
  if (!isOfType || !(attrValues instanceof asn1js.Set)) return null
  const [value, another] = childrenOf(attrValues)
  return value && !another ? Buffer.from(value.valueBeforeDecodeView) : null
}

/** The library compares what is there with what may be there, and overlooks what is there besides. */
function hasForm(der: Buffer, { schema }: PropertyFacts): boolean {
  const block = parse(der)
  if (!asn1js.compareSchema(block, block, schema).verified) return false
  // none of the sequences may be empty, whatever of them is optional
  return !(schema instanceof asn1js.Sequence) || (count(block) > 0 && count(block) <= count(schema))
}

function count(block: asn1js.AsnType): number {
  return childrenOf(block).length
}

function parse(der: Buffer): asn1js.AsnType {
  return asn1js.fromBER(der, { parseEmbedded: false, maxContentLength: der.length }).result
}

const BASE64 =
  /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$|^[A-Za-z0-9+/]{2,3}={1,2}$/
/** Type and subtype, then parameters. @see RFC 2045, 5.1 */
const MIME_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:;[\x20-\x7e]+)?$/
const OID = /^[0-2](?:\.(?:0|[1-9]\d*))+$/

/** By the names of EN 319 122-1, 5.2.3. */
const COMMITMENT_TYPES: Readonly<Record<string, string>> = {
  proofOfOrigin: '1.2.840.113549.1.9.16.6.1',
  proofOfReceipt: '1.2.840.113549.1.9.16.6.2',
  proofOfDelivery: '1.2.840.113549.1.9.16.6.3',
  proofOfSender: '1.2.840.113549.1.9.16.6.4',
  proofOfApproval: '1.2.840.113549.1.9.16.6.5',
  proofOfCreation: '1.2.840.113549.1.9.16.6.6',
}

function commitmentType(text: string): Buffer | null {
  const type = Object.hasOwn(COMMITMENT_TYPES, text) ? COMMITMENT_TYPES[text] : text
  return type && OID.test(type) ? joined(sequence(objectIdentifier(type))) : null
}

const LOCALITY_NAME = 1

function locality(text: string): Buffer {
  return joined(sequence(contextTag(LOCALITY_NAME, [utf8(text)])))
}

const CLAIMED_ATTRIBUTES = 0
/** A role goes by the attribute `name` of X.520, for want of one with a text for roles. */
const ID_AT_NAME = '2.5.4.41'

function claimedRole(text: string): Buffer {
  const values = encoded(new asn1js.Set({ value: [new asn1js.Utf8String({ value: text })] }))
  const attributes = sequence(sequence(objectIdentifier(ID_AT_NAME), [values]))
  return joined(sequence(contextTag(CLAIMED_ATTRIBUTES, attributes)))
}

/** Time and digest, so nobody else's content has it. @see RFC 2634, 2.7 */
function identifierOf({ contentDigest, signingTime }: PropertySubject): Buffer {
  const time = Buffer.from(signingTime.toISOString())
  return encoded(new asn1js.OctetString({ valueHex: Buffer.concat([time, contentDigest]) }))
}

function utf8(value: string): Buffer {
  return encoded(new asn1js.Utf8String({ value }))
}

function sequenceOf(...value: asn1js.AsnType[]): asn1js.AsnType {
  return new asn1js.Sequence({ value })
}

/** SEQUENCE of whatever. */
function list(facts: { optional?: boolean } = {}): asn1js.AsnType {
  return new asn1js.Sequence(facts)
}

function oid(): asn1js.AsnType {
  return new asn1js.ObjectIdentifier()
}

function octets(): asn1js.AsnType {
  return new asn1js.OctetString()
}

/** `[number]` around whatever, which may be missing. */
function tag(tagNumber: number): asn1js.AsnType {
  return new asn1js.Constructed({ optional: true, idBlock: { tagClass: 3, tagNumber } })
}
