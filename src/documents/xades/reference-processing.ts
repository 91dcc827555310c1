import type { XmlElement } from 'libxml2-wasm'
import { UnfitDocumentError } from '../../errors.js'
import {
  canonicalizationOf,
  DEFAULT_CANONICALIZATION,
  NAMESPACES,
  TRANSFORMS,
  type Canonicalization,
} from './identifiers.js'
import { algorithmOf, attributeOf, childElements, malformed, textOf } from './signature-parts.js'
import { isIdentifier, OUTER_SIGNATURES, XmlSource, xpathOfId } from './xml-source.js'
import type { CanonicalizationRequest } from './xml-tree.js'

/** What a reference means, before and between its transforms. */
export type ReferencedData =
  | { readonly kind: 'octets'; readonly octets: Buffer }
  | {
      readonly kind: 'nodes'
      readonly source: XmlSource
      /** The identifier of the one element that is meant; null for all of the document. */
      readonly id: string | null
      /** What an expression finds and a transform takes out; null for nothing. */
      readonly without: string | null
    }

export interface Transform {
  readonly algorithm: string
  readonly element: XmlElement | null
}

/** A reference that we do not follow, with the reason. */
export class UnsupportedReferenceError extends Error {
  override readonly name = 'UnsupportedReferenceError'
}

/**
 * References inside a document mean all of it, or the one element of that name. There is no other
 * way to point at something: with XPointer, a signature can be made to mean what it does not hold.
 *
 * @returns null when the URI leads out of the document
 */
export function nodesOf(uri: string | null, source: XmlSource): ReferencedData | null {
  if (uri === '') return { kind: 'nodes', source, id: null, without: null }
  if (uri === null || !uri.startsWith('#')) return null
  const id = uri.slice(1)
  if (!isIdentifier(id)) throw new UnsupportedReferenceError('XPointers are not followed')
  if (!source.isUnique(id)) {
    throw new UnsupportedReferenceError('No element, or more than one, has this identifier')
  }
  return { kind: 'nodes', source, id, without: null }
}

const LONGEST_CHAIN = 8

/** @param transforms `ds:Transforms`, or null when there are none */
export function readTransforms(transforms: XmlElement | null): Transform[] {
  const elements = transforms === null ? [] : childElements(transforms)
  if (elements.length > LONGEST_CHAIN) throw new UnsupportedReferenceError('Too many transforms')
  if (elements.some(({ name }) => name !== 'Transform')) malformed('ds:Transforms')
  return elements.map((element) => ({ algorithm: algorithmOf(element), element }))
}

/** @param ownSignature an expression for the signature that the reference is in */
export function transformed(
  data: ReferencedData,
  transforms: readonly Transform[],
  ownSignature: string,
): ReferencedData {
  return transforms.reduce((current, each) => transformOnce(current, each, ownSignature), data)
}

/** What `ds:Transforms` make of XML that lies elsewhere, where they do nothing but canonicalise. */
export function canonicalisation(transforms: XmlElement): (octets: Buffer) => Buffer {
  const requests = readTransforms(transforms).map(({ algorithm, element }) => {
    const known = canonicalizationOf(algorithm)
    return known && element && { ...known, inclusivePrefixes: inclusivePrefixesOf(element) }
  })
  return (octets) =>
    requests.reduce<Buffer>((current, request) => {
      if (request === null) throw new UnsupportedReferenceError('A transform is not supported')
      return canonicalDocument(new XmlSource(current), request)
    }, octets)
}

/** The octets to hash. @param canonicalization what is used for nodes that nothing made octets of */
export function octetsOf(
  data: ReferencedData,
  canonicalization: Canonicalization = DEFAULT_CANONICALIZATION,
): Buffer {
  return data.kind === 'octets' ? data.octets : canonical(data, canonicalization)
}

function transformOnce(
  data: ReferencedData,
  { algorithm, element }: Transform,
  ownSignature: string,
): ReferencedData {
  const canonicalization = canonicalizationOf(algorithm)
  if (canonicalization !== null) {
    const inclusivePrefixes = element === null ? [] : inclusivePrefixesOf(element)
    const octets = canonical(data, { ...canonicalization, inclusivePrefixes })
    return { kind: 'octets', octets }
  }
  switch (algorithm) {
    case TRANSFORMS.base64:
      return { kind: 'octets', octets: decoded(data) }
    case TRANSFORMS.envelopedSignature:
      return without(data, ownSignature)
    case TRANSFORMS.xpath:
      return without(data, filteredByXpath(element))
    case TRANSFORMS.xpathFilter2:
      return without(data, subtractedByFilter2(element, ownSignature))
    default:
      throw new UnsupportedReferenceError(`A transform is not supported: ${algorithm}`)
  }
}

/** @see Exclusive XML Canonicalization, 3: InclusiveNamespaces/@PrefixList */
export function inclusivePrefixesOf(method: XmlElement): string[] {
  const [list] = childElements(method)
  const prefixes = list === undefined ? null : attributeOf(list, 'PrefixList')
  return (prefixes ?? '').split(/\s+/).filter((prefix) => prefix !== '')
}

function without(data: ReferencedData, expression: string): ReferencedData {
  if (data.kind === 'octets') {
    throw new UnsupportedReferenceError('A filter stands behind a canonicalisation')
  }
  if (data.without !== null && data.without !== expression) {
    // Who leaves out all signatures leaves out his own.
    return { ...data, without: OUTER_SIGNATURES }
  }
  return { ...data, without: expression }
}

const NO_SIGNATURES = /^not\((?:ancestor-or-self::)([\w.-]+):Signature\)$/
const ALL_SIGNATURES = /^(?:\/descendant::|\/\/)([\w.-]+):Signature$/
const OWN_SIGNATURE = /^here\(\)\/ancestor::([\w.-]+):Signature\[1\]$/

/** The one filter that signatures are made with in practice: everything that is not in a signature. */
function filteredByXpath(transform: XmlElement | null): string {
  const xpath = transform === null ? undefined : childElements(transform)[0]
  if (xpath?.name !== 'XPath' || xpath.namespaceUri !== NAMESPACES.ds) malformed('ds:XPath')
  if (namesSignatures(xpath, NO_SIGNATURES)) return OUTER_SIGNATURES
  throw new UnsupportedReferenceError('An XPath filter is not supported')
}

function subtractedByFilter2(transform: XmlElement | null, ownSignature: string): string {
  const filters = transform === null ? [] : childElements(transform)
  const [filter, another] = filters
  if (filter?.namespaceUri !== TRANSFORMS.xpathFilter2) malformed('XPath')
  if (another === undefined && attributeOf(filter, 'Filter') === 'subtract') {
    if (namesSignatures(filter, ALL_SIGNATURES)) return OUTER_SIGNATURES
    if (namesSignatures(filter, OWN_SIGNATURE)) return ownSignature
  }
  throw new UnsupportedReferenceError('An XPath filter is not supported')
}

function namesSignatures(xpath: XmlElement, pattern: RegExp): boolean {
  const prefix = pattern.exec(textOf(xpath).replace(/\s+/g, ''))?.[1]
  return prefix !== undefined && xpath.namespaces[prefix] === NAMESPACES.ds
}

function canonical(data: ReferencedData, request: CanonicalizationRequest): Buffer {
  if (data.kind === 'octets') return canonicalDocument(new XmlSource(data.octets), request)
  const { source, id, without: unwanted } = data
  source.spendOn(request)
  // References within a document leave comments out, whatever the method. @see XML Signature, 4.4.3.3
  const uncommented = { ...request, withComments: false }
  return source.use((tree) => {
    if (unwanted !== null) {
      if (tree.finds(unwanted, tree.root)) {
        throw new UnsupportedReferenceError('Nothing of the document is left')
      }
      tree.remove(unwanted)
    }
    if (id === null) return tree.canonicalDocument(uncommented)
    source.spendOnce()
    const [element, another] = tree.elements(xpathOfId(id))
    if (element === undefined || another !== undefined) {
      throw new UnsupportedReferenceError('No element, or more than one, has this identifier')
    }
    return tree.canonicalElement(element, uncommented)
  })
}

function canonicalDocument(source: XmlSource, request: CanonicalizationRequest): Buffer {
  source.spendOn(request)
  return source.use((tree) => tree.canonicalDocument(request))
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** @see XML Signature, 6.6.2: of nodes, the text without any tags. */
function decoded(data: ReferencedData): Buffer {
  const characters = data.kind === 'octets' ? data.octets.toString('latin1') : textOfNodes(data)
  const compact = characters.replace(/[ \t\r\n]+/g, '')
  if (!BASE64.test(compact) || compact.length % 4 !== 0) {
    throw new UnsupportedReferenceError('What should be Base64 is none')
  }
  return Buffer.from(compact, 'base64')
}

function textOfNodes(data: Extract<ReferencedData, { kind: 'nodes' }>): string {
  const { source, id } = data
  if (id === null || data.without !== null) {
    throw new UnsupportedReferenceError('A document is no Base64')
  }
  return source.use((tree) => {
    const [element] = tree.elements(xpathOfId(id))
    if (element === undefined) throw new UnfitDocumentError('An element is missing')
    return element.content
  })
}
