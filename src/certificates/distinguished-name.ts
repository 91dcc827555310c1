import * as asn1js from 'asn1js'
import { AttributeTypeAndValue } from 'pkijs'
import type { SubjectName } from './certificate-authority.js'

export interface NameAttribute {
  readonly oid: string
  /** The text, or null when the value is no string. */
  readonly text: string | null
  /** The value, DER. */
  readonly der: Buffer
}

interface AttributeFacts {
  readonly oid: string
  /** The descriptor that RFC 4514 texts use, of those that are registered; others go by their number. */
  readonly shortName: string | null
  readonly printable?: true
  /** Characters. @see RFC 5280, A.1 */
  readonly maxLength: number
}

/** Attributes we write into names, in the order in which we write them. */
const ATTRIBUTES = {
  country: { oid: '2.5.4.6', shortName: 'C', printable: true, maxLength: 2 },
  organization: { oid: '2.5.4.10', shortName: 'O', maxLength: 64 },
  organizationIdentifier: { oid: '2.5.4.97', shortName: null, maxLength: 64 },
  serialNumber: { oid: '2.5.4.5', shortName: 'serialNumber', printable: true, maxLength: 64 },
  // Not `sn`: Java knows no such name, and others take it for the serial number.
  surname: { oid: '2.5.4.4', shortName: 'surname', maxLength: 32_768 },
  givenName: { oid: '2.5.4.42', shortName: 'givenName', maxLength: 32_768 },
  commonName: { oid: '2.5.4.3', shortName: 'CN', maxLength: 64 },
} as const satisfies Record<string, AttributeFacts>

/** Attributes we read but never write; what clients cannot be expected to know goes by its number. */
const OTHER_SHORT_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
}

const FACTS_BY_OID = new Map<string, AttributeFacts>(
  Object.values(ATTRIBUTES).map((facts) => [facts.oid, facts]),
)

/** A Name, DER: UTF8String everywhere but where X.520 demands PrintableString. */
export function encodeName(name: Omit<SubjectName, 'email'>): Buffer {
  const kinds = Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[]
  const rdns = kinds.flatMap((kind) => {
    const value = name[kind]
    if (value === undefined) return []
    const { oid, ...facts } = ATTRIBUTES[kind]
    const text = 'printable' in facts ? asn1js.PrintableString : asn1js.Utf8String
    const attribute = new AttributeTypeAndValue({ type: oid, value: new text({ value }) })
    return [new asn1js.Set({ value: [attribute.toSchema()] })]
  })
  return Buffer.from(new asn1js.Sequence({ value: rdns }).toBER())
}

/** The RDNs of a Name in their own order; each is a set of attributes. */
function readName(name: Buffer): NameAttribute[][] {
  return childrenOf(asn1js.fromBER(name).result).map((rdn) =>
    childrenOf(rdn).map((attribute) => {
      const [type, value] = childrenOf(attribute)
      if (!(type instanceof asn1js.ObjectIdentifier) || value === undefined) {
        throw new Error('A name has an attribute without type or value')
      }
      const text = value instanceof asn1js.BaseStringBlock ? value.getValue() : null
      return {
        oid: type.valueBlock.toString(),
        text,
        der: Buffer.from(value.valueBeforeDecodeView),
      }
    }),
  )
}

/** What a Name says of those attributes that we write ourselves; the first where one comes twice. */
export function nameAttributes(
  name: Buffer,
): Readonly<Partial<Record<keyof typeof ATTRIBUTES, string>>> {
  const found = readName(name).flat()
  return Object.fromEntries(
    Object.entries(ATTRIBUTES).flatMap(([kind, { oid }]) => {
      const text = found.find((each) => each.oid === oid)?.text
      return typeof text === 'string' ? [[kind, text]] : []
    }),
  )
}

/** The elements of a SEQUENCE or SET. */
export function childrenOf(block: asn1js.AsnType | undefined): asn1js.AsnType[] {
  if (!(block instanceof asn1js.Constructed)) throw new Error('A structure was expected')
  return block.valueBlock.value
}

/** A Name as RFC 4514 writes it: last RDN first. */
export function nameText(name: Buffer): string {
  return readName(name)
    .toReversed()
    .map((rdn) => rdn.map(attributeText).join('+'))
    .join(',')
}

/** What people know attributes as that RFC 4514 texts name by their number. */
const FURTHER_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.12': 'title',
  '2.5.4.97': 'organizationIdentifier',
  '1.2.840.113549.1.9.1': 'emailAddress',
}

/** The text of `nameText` for people: what stands there as octets, because machines want it so, as words. */
export function readableNameText(text: string): string {
  return text.replace(
    /(?<=^|(?<!\\)[,+])([0-9]+(?:\.[0-9]+)+)=#((?:[0-9a-f]{2})+)(?=$|[,+])/g,
    (whole, oid: string, hex: string) => {
      const value = asn1js.fromBER(Buffer.from(hex, 'hex')).result
      if (!(value instanceof asn1js.BaseStringBlock)) return whole
      return `${FURTHER_NAMES[oid] ?? oid}=${escapeValue(value.getValue())}`
    },
  )
}

/** What OpenSSL calls the attributes that have a short name here. */
const BY_OPENSSL_NAME: ReadonlyMap<string, string> = new Map([
  ...['C', 'O', 'serialNumber', 'CN', 'L', 'ST', 'OU', 'UID', 'DC'].map((n) => [n, n] as const),
  ...([
    ['SN', 'surname'],
    ['GN', 'givenName'],
    ['street', 'STREET'],
  ] as const),
])

/**
 * `nameText` of a name as OpenSSL states it, an attribute to each line; null where the two could write it
 * differently: no attributes or some without a short name, RDNs of several, characters that are escaped.
 */
export function plainNameText(lines: string | undefined): string | null {
  if (lines === undefined || /[\\+]/.test(lines)) return null
  const texts = lines.split('\n').map((line) => {
    const [, name = '', value] = /^([A-Za-z]+)=(.*)$/s.exec(line) ?? []
    const shortName = BY_OPENSSL_NAME.get(name)
    return shortName === undefined || value === undefined ? null : `${shortName}=${value}`
  })
  return texts.includes(null) ? null : texts.toReversed().join(',')
}

function attributeText({ oid, text, der }: NameAttribute): string {
  const shortName = FACTS_BY_OID.get(oid)?.shortName ?? OTHER_SHORT_NAMES[oid]
  return shortName === undefined || text === null
    ? `${shortName ?? oid}=#${der.toString('hex')}`
    : `${shortName}=${escapeValue(text)}`
}

/** @see RFC 4514, 2.4 */
function escapeValue(text: string): string {
  return text
    .replace(/[\\"+,;<>]/g, '\\$&')
    .replace(/^[ #]|(?<!^) $/g, '\\$&')
    .replaceAll('\0', '\\00')
}

/** The subject as CSC's sentence on expired certificates wants it: organisation, then name. */
export function shortSubjectText(name: Buffer): string {
  const attributes = readName(name).flat()
  return [ATTRIBUTES.organization, ATTRIBUTES.commonName]
    .flatMap(({ oid }) => attributes.filter((each) => each.oid === oid).slice(0, 1))
    .map(attributeText)
    .join(',')
}

/** What is wrong with a Name for certificates of ours. */
export function nameProblems(name: Buffer): string[] {
  const rdns = readName(name)
  const problems = rdns.some((rdn) => rdn.length !== 1) ? ['an RDN has several attributes'] : []
  const attributes = rdns.flat()
  const oids = attributes.map(({ oid }) => oid)
  if (!oids.includes(ATTRIBUTES.commonName.oid)) problems.push('no common name')
  if (new Set(oids).size !== oids.length) problems.push('an attribute twice')
  return [...problems, ...attributes.flatMap(attributeProblems)]
}

const UTF8_STRING_TAG = 0x0c
const PRINTABLE_STRING_TAG = 0x13

function attributeProblems({ oid, text, der }: NameAttribute): string[] {
  const facts = FACTS_BY_OID.get(oid)
  if (facts === undefined || text === null) return [`attribute ${oid} is none of ours`]
  const name = facts.shortName ?? oid
  const problems = []
  const length = [...text].length
  if (length === 0 || length > facts.maxLength) problems.push(`${name} has a bad length`)
  if (text !== text.trim() || /[\p{Cc}\p{Cs}\u2028\u2029]/u.test(text)) {
    problems.push(`${name} has white space or control characters`)
  }
  const tag = facts.printable ? PRINTABLE_STRING_TAG : UTF8_STRING_TAG
  if (der[0] !== tag) problems.push(`${name} is another string type`)
  if (facts.printable && !/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)) {
    problems.push(`${name} is not printable`)
  }
  if (oid === ATTRIBUTES.country.oid && !/^[A-Z]{2}$/.test(text)) {
    problems.push('C is no country code')
  }
  return problems
}
