import type { XmlElement } from 'libxml2-wasm'
import { UnfitDocumentError } from '../../errors.js'
import type { SignedProperty } from '../ades.js'
import { propertyText } from '../property-text.js'
import { NAMESPACES } from './identifiers.js'
import {
  attributeOf,
  bytesOf,
  childElements,
  is,
  malformed,
  MalformedSignatureError,
} from './signature-parts.js'
import { decodeXml } from './xml-characters.js'
import { isIdentifier } from './xml-source.js'
import { scanXml } from './xml-scan.js'
import { element, parsedElement, text, type XmlText } from './xml-text.js'
import { withTree, type XmlTree } from './xml-tree.js'

/** A property that the application wants signed, checked as far as it can be without the document. */
export interface CallerProperty {
  readonly name: string
  readonly text: XmlText
  /** The identifier under which it expects the reference to the document; null when it names none. */
  readonly referenceId: string | null
  /** Identifiers in it. */
  readonly ids: readonly string[]
  /** Of the property itself. */
  readonly id: string | null
  /** `TimeStampToken`s, DER; only of timestamps. */
  readonly tokens: readonly Buffer[]
}

interface PropertyRule {
  /** The element that a plain text stands for; null where the text says nothing of the kind. */
  readonly ofText?: (text: string) => XmlText | null
  /** Whether it may be there more than once. */
  readonly repeats: boolean
}

/** @see EN 319 132-1, 5.2; what applications may send by the CSC API, 11.11 */
const RULES: Readonly<Record<string, PropertyRule>> = {
  SignaturePolicyIdentifier: { repeats: false },
  SignatureProductionPlaceV2: {
    repeats: false,
    ofText: (city) => property('SignatureProductionPlaceV2', element('xades:City', {}, text(city))),
  },
  SignerRoleV2: {
    repeats: false,
    ofText: (role) => {
      const claimed = element('xades:ClaimedRole', {}, text(role))
      return property('SignerRoleV2', element('xades:ClaimedRoles', {}, claimed))
    },
  },
  CommitmentTypeIndication: { repeats: true, ofText: commitmentType },
  AllDataObjectsTimeStamp: { repeats: true },
  IndividualDataObjectsTimeStamp: { repeats: true },
}

const IDENTIFIER = /^Identifier (Description )?(DocumentationReferences )?$/

/** The children that the schema has for elements of XAdES, in order; others may hold anything. */
const CONTENT_MODELS: Readonly<Record<string, RegExp>> = {
  SignaturePolicyIdentifier: /^(SignaturePolicyId|SignaturePolicyImplied) $/,
  SignaturePolicyId: /^SigPolicyId (ds:Transforms )?SigPolicyHash (SigPolicyQualifiers )?$/,
  SigPolicyId: IDENTIFIER,
  SigPolicyHash: /^ds:DigestMethod ds:DigestValue $/,
  SigPolicyQualifiers: /^(SigPolicyQualifier )+$/,
  DocumentationReferences: /^(DocumentationReference )+$/,
  SignatureProductionPlaceV2:
    /^(?=.)(City )?(StreetAddress )?(StateOrProvince )?(PostalCode )?(CountryName )?$/,
  SignerRoleV2: /^(?=.)(ClaimedRoles )?(CertifiedRolesV2 )?(SignedAssertions )?$/,
  ClaimedRoles: /^(ClaimedRole )+$/,
  CertifiedRolesV2: /^(CertifiedRole )+$/,
  SignedAssertions: /^(SignedAssertion )+$/,
  CommitmentTypeIndication:
    /^CommitmentTypeId ((ObjectReference )+|AllSignedDataObjects )(CommitmentTypeQualifiers )?$/,
  CommitmentTypeId: IDENTIFIER,
  CommitmentTypeQualifiers: /^(CommitmentTypeQualifier )*$/,
  AllDataObjectsTimeStamp: /^(ds:CanonicalizationMethod )?(EncapsulatedTimeStamp )+$/,
  IndividualDataObjectsTimeStamp:
    /^(Include )+(ds:CanonicalizationMethod )?(EncapsulatedTimeStamp )+$/,
}

/** What every signature of ours has; naming it without a value asks for nothing new. */
const COMPUTED: ReadonlySet<string> = new Set([
  'SigningTime',
  'SigningCertificateV2',
  'DataObjectFormat',
])

/** Names of those that cannot be signed: unknown ones, and values that are not what the name says. */
export function unfitProperties(properties: readonly SignedProperty[]): string[] {
  const names = properties.map(({ name }) => name)
  return properties
    .filter(({ name, value }, index) => {
      if (COMPUTED.has(name)) return value !== null
      const isRepeated = names.indexOf(name) !== index
      if (isRepeated && ruleOf(name)?.repeats !== true) return true
      return value === null || callerProperty({ name, value }) === null
    })
    .map(({ name }) => name)
}

/** @param properties that `unfitProperties` found nothing in */
export function callerProperties(properties: readonly SignedProperty[]): CallerProperty[] {
  return properties.flatMap(({ name, value }) => {
    const read = value === null ? null : callerProperty({ name, value })
    return read === null ? [] : [read]
  })
}

function ruleOf(name: string): PropertyRule | null {
  return Object.hasOwn(RULES, name) ? (RULES[name] ?? null) : null
}

const LONGEST_PROPERTY = 1024 * 1024
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function callerProperty({ name, value }: { name: string; value: string }): CallerProperty | null {
  const rule = ruleOf(name)
  if (rule === null || value.length > LONGEST_PROPERTY) return null
  try {
    const source = sourceOf(value, rule)
    if (source === null) return null
    const { rootStart, rootLimit, ids } = scanXml(source)
    if ([...ids.values()].some((count) => count > 1)) return null
    // The element alone: what stands around it is not part of it.
    const xml = source.slice(rootStart, rootLimit)
    const facts = withTree(xml, (tree) => read(tree, name))
    return { name, text: parsedElement(xml), ids: [...ids.keys()], ...facts }
  } catch (error) {
    const isUnfit = error instanceof UnfitDocumentError || error instanceof MalformedSignatureError
    if (isUnfit) return null
    throw error
  }
}

/** An element, or any other text where that has a meaning; either may be in Base64. */
function sourceOf(value: string, { ofText }: PropertyRule): string | null {
  if (value.startsWith('<')) return value
  const decoded = BASE64.test(value) ? Buffer.from(value, 'base64') : Buffer.alloc(0)
  if (STARTS_AS_XML.test(decoded.toString('latin1', 0, 8))) return decodeXml(decoded).text
  return value === '' ? null : (ofText?.(propertyText(value)) ?? null)
}

/** Behind a byte order mark and white space, with or without every other byte empty. */
const STARTS_AS_XML = /^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\0]*</

function property(name: string, ...content: readonly XmlText[]): XmlText {
  return element(`xades:${name}`, { 'xmlns:xades': NAMESPACES.xades }, ...content)
}

const COMMITMENT_TYPES = ['Origin', 'Receipt', 'Delivery', 'Sender', 'Approval', 'Creation']
const OID = /^[0-2](?:\.(?:0|[1-9]\d*))+$/

/** By the names of EN 319 132-1, 5.2.3, by OID, or by URI. */
function commitmentType(name: string): XmlText | null {
  const known = COMMITMENT_TYPES.find(
    (type) => `proofof${type}`.toLowerCase() === name.toLowerCase(),
  )
  const uri = known === undefined ? name : `http://uri.etsi.org/01903/v1.2.2#ProofOf${known}`
  if (!OID.test(uri) && !URL.canParse(uri)) return null
  const identifier = OID.test(uri)
    ? element('xades:Identifier', { Qualifier: 'OIDAsURN' }, text(`urn:oid:${uri}`))
    : element('xades:Identifier', {}, text(uri))
  return property(
    'CommitmentTypeIndication',
    element('xades:CommitmentTypeId', {}, identifier),
    element('xades:AllSignedDataObjects'),
  )
}

function read(tree: XmlTree, name: string) {
  const { root } = tree
  if (!is(root, 'xades', name)) malformed(name)
  rejectOtherContent(root)
  // In another document, they would come into the namespace that is the default there.
  if (tree.count('//*[namespace-uri()=""]') > 0) malformed(name)
  const children = childElements(root)
  const tokens = children
    .filter((child) => is(child, 'xades', 'EncapsulatedTimeStamp'))
    .map(bytesOf)
  return { tokens, id: attributeOf(root, 'Id'), referenceId: referenceIdIn(children, name) }
}

function rejectOtherContent(parent: XmlElement): void {
  const model = Object.hasOwn(CONTENT_MODELS, parent.name) ? CONTENT_MODELS[parent.name] : undefined
  if (model === undefined) return
  const children = childElements(parent)
  const names = children.map((child) => `${prefixOf(child)}${child.name} `)
  if (!model.test(names.join(''))) malformed(parent.name)
  for (const child of children)
    if (child.namespaceUri === NAMESPACES.xades) rejectOtherContent(child)
}

function prefixOf({ namespaceUri }: XmlElement): string {
  if (namespaceUri === NAMESPACES.xades) return ''
  return namespaceUri === NAMESPACES.ds ? 'ds:' : 'other:'
}

/** An application cannot know how references will be called. So the one it names gets that name. */
function referenceIdIn(children: readonly XmlElement[], name: string): string | null {
  const uris = children.flatMap((child) => {
    if (is(child, 'xades', 'Include')) return [attributeOf(child, 'URI') ?? '']
    return is(child, 'xades', 'ObjectReference') ? [child.content.trim()] : []
  })
  const [uri, another] = [...new Set(uris)]
  if (uri === undefined) return null
  if (another !== undefined || !uri.startsWith('#') || !isIdentifier(uri.slice(1))) malformed(name)
  return uri.slice(1)
}
