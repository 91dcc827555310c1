import { X509Certificate } from 'node:crypto'
import type { SignatureParameters, SignedProperty } from '../ades.js'
import { unfitProperties as unfitForCms } from '../cades/signed-properties.js'
import { propertyText, UNPRINTABLE } from '../property-text.js'
import type { SignatureDescription } from './signature-revision.js'

/** Names of the specification, which are entries of the signature dictionary. @see CSC API v2, 11.11 */
const ENTRIES = ['Location', 'Reason', 'Name', 'ContactInfo'] as const

type Entry = (typeof ENTRIES)[number]

const COMMITMENT = ['commitment-type-indication', '1.2.840.113549.1.9.16.2.16']

/** Attributes that a CMS inside a PDF may have. @see EN 319 142-1, table 1 */
const CMS_PROPERTIES = new Set([
  ...COMMITMENT,
  ...['content-time-stamp', '1.2.840.113549.1.9.16.2.20'],
  ...['signer-attributes-v2', '0.4.0.19122.1.1'],
  ...['signature-policy-identifier', '1.2.840.113549.1.9.16.2.15'],
])

const LONGEST_VALUE = 2000

/**
 * Names that a PDF cannot carry, that came before, or whose values are no good. A commitment has no place
 * beside a reason, which says the same in words. @see EN 319 142-1, table 1
 */
export function unfitDescriptions(properties: readonly SignedProperty[]): readonly string[] {
  const names = properties.map(({ name }) => name)
  const unfit = properties.filter(({ name, value }, at) => {
    if (COMMITMENT.includes(name)) return names.includes('Reason')
    if (CMS_PROPERTIES.has(name)) return false
    return !isEntry(name) || names.indexOf(name) !== at || !isFit(name, value)
  })
  const unfitNames = unfit.map(({ name }) => name)
  return [...new Set([...unfitNames, ...unfitForCms(cmsProperties(properties))])]
}

function isEntry(name: string): name is Entry {
  return ENTRIES.some((one) => one === name)
}

/** Of what nobody sent, the service knows the name of the signer. */
function isFit(name: Entry, value: string | null): boolean {
  if (value === null) return name === 'Name'
  return value.length <= LONGEST_VALUE && !UNPRINTABLE.test(propertyText(value))
}

export function cmsProperties(properties: readonly SignedProperty[]): SignedProperty[] {
  return properties.filter(({ name }) => CMS_PROPERTIES.has(name))
}

export function describe(parameters: SignatureParameters): SignatureDescription {
  return {
    signingTime: parameters.signingTime,
    name: sentText(parameters, 'Name'),
    reason: sentText(parameters, 'Reason'),
    location: sentText(parameters, 'Location'),
    contactInfo: sentText(parameters, 'ContactInfo'),
  }
}

/** Who and when, where a field with room of its own is signed and nobody says what to show. */
export function usualText(parameters: SignatureParameters): string {
  const { name, reason, location, signingTime } = describe(parameters)
  const time = signingTime
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC')
  const lines = [name ?? commonName(parameters), time, reason, location]
  return lines.filter((line) => line !== null).join('\n')
}

function sentText(parameters: SignatureParameters, entry: Entry): string | null {
  const property = parameters.signedProperties.find(({ name }) => name === entry)
  if (!property) return null
  return property.value === null ? commonName(parameters) : propertyText(property.value)
}

function commonName({ signatory }: SignatureParameters): string | null {
  const { CN } = new X509Certificate(signatory.certificate).toLegacyObject().subject
  const first: unknown = Array.isArray(CN) ? CN[0] : CN
  return typeof first === 'string' ? first : null
}
