import { XmlCData, XmlElement, XmlText, type XmlNode } from 'libxml2-wasm'
import { NAMESPACES } from './identifiers.js'
import { childNodes } from './xml-tree.js'

/** Of one element of a signature. */
const MOST_CHILDREN = 5000

/** A signature that is not built as its schema says. The message says what is wrong. */
export class MalformedSignatureError extends Error {
  override readonly name = 'MalformedSignatureError'
}

type Prefix = keyof typeof NAMESPACES

/** The children that XML Signature 4.1 gives a signature; nothing else, nothing twice. */
export interface SignatureParts {
  readonly signature: XmlElement
  readonly signedInfo: XmlElement
  readonly signatureValue: XmlElement
  readonly keyInfo: XmlElement | null
  readonly objects: readonly XmlElement[]
  readonly canonicalizationMethod: XmlElement
  readonly signatureMethod: XmlElement
  readonly references: readonly XmlElement[]
}

export function signatureParts(signature: XmlElement): SignatureParts {
  const [signedInfo, signatureValue, ...rest] = childElements(signature)
  const keyInfo = rest[0] && is(rest[0], 'ds', 'KeyInfo') ? rest[0] : null
  const objects = keyInfo === null ? rest : rest.slice(1)
  if (!objects.every((object) => is(object, 'ds', 'Object'))) malformed('ds:Signature')
  const info = required(signedInfo, 'ds', 'SignedInfo')
  const [canonicalizationMethod, signatureMethod, ...references] = childElements(info)
  if (references.length === 0 || !references.every((each) => is(each, 'ds', 'Reference'))) {
    malformed('ds:SignedInfo')
  }
  return {
    ...{ signature, keyInfo, objects, references },
    signedInfo: info,
    signatureValue: required(signatureValue, 'ds', 'SignatureValue'),
    canonicalizationMethod: required(canonicalizationMethod, 'ds', 'CanonicalizationMethod'),
    signatureMethod: required(signatureMethod, 'ds', 'SignatureMethod'),
  }
}

/** Where XAdES keeps its properties. */
export interface QualifyingParts {
  readonly qualifyingProperties: XmlElement
  readonly signedProperties: XmlElement | null
  /** Of the signature, in order. */
  readonly signedSignatureProperties: readonly XmlElement[]
  readonly signedDataObjectProperties: readonly XmlElement[]
  readonly unsignedSignatureProperties: readonly XmlElement[]
}

/** Null for a plain XML signature. */
export function qualifyingParts({ objects }: SignatureParts): QualifyingParts | null {
  const [qualifyingProperties, another] = objects.flatMap((object) =>
    elementsIn(object).filter((child) => is(child, 'xades', 'QualifyingProperties')),
  )
  if (qualifyingProperties === undefined) return null
  if (another !== undefined) malformed('xades:QualifyingProperties')
  const signedProperties = only(qualifyingProperties, 'SignedProperties')
  const unsignedProperties = only(qualifyingProperties, 'UnsignedProperties')
  return {
    qualifyingProperties,
    signedProperties,
    signedSignatureProperties: propertiesIn(signedProperties, 'SignedSignatureProperties'),
    signedDataObjectProperties: propertiesIn(signedProperties, 'SignedDataObjectProperties'),
    unsignedSignatureProperties: propertiesIn(unsignedProperties, 'UnsignedSignatureProperties'),
  }
}

function propertiesIn(parent: XmlElement | null, name: string): XmlElement[] {
  const list = parent === null ? null : only(parent, name)
  return list === null ? [] : childElements(list)
}

function only(parent: XmlElement, name: string): XmlElement | null {
  const [found, another] = childElements(parent).filter((child) => is(child, 'xades', name))
  if (another !== undefined) malformed(`xades:${name}`)
  return found ?? null
}

export function is(element: XmlElement, prefix: Prefix, name: string): boolean {
  return element.name === name && element.namespaceUri === NAMESPACES[prefix]
}

export function required(
  element: XmlElement | undefined | null,
  prefix: Prefix,
  name: string,
): XmlElement {
  if (!element || !is(element, prefix, name)) malformed(`${prefix}:${name}`)
  return element
}

/** Of a structure: elements and white space; comments and processing instructions say nothing. */
export function childElements(parent: XmlElement): XmlElement[] {
  return nodesIn(parent).flatMap((node) => {
    const isText = node instanceof XmlText || node instanceof XmlCData
    if (isText && node.content.trim() !== '') malformed(parent.name)
    return node instanceof XmlElement ? [node] : []
  })
}

/** Of anything: an Object may hold text, too. */
export function elementsIn(parent: XmlElement): XmlElement[] {
  return nodesIn(parent).filter((node) => node instanceof XmlElement)
}

/** Whether there is text in it beside its elements. */
export function hasText(parent: XmlElement): boolean {
  return nodesIn(parent).some(
    (node) => (node instanceof XmlText || node instanceof XmlCData) && node.content.trim() !== '',
  )
}

function nodesIn(parent: XmlElement): XmlNode[] {
  const nodes: XmlNode[] = []
  for (const node of childNodes(parent)) {
    if (nodes.push(node) > MOST_CHILDREN) malformed(parent.name)
  }
  return nodes
}

/** The text of an element that may hold nothing but text: a comment could hide part of a value. */
export function textOf(element: XmlElement): string {
  const nodes = nodesIn(element)
  if (!nodes.every((node) => node instanceof XmlText)) malformed(element.name)
  return nodes.map((node) => node.content).join('')
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

export function bytesOf(element: XmlElement): Buffer {
  const characters = textOf(element).replace(/[ \t\r\n]+/g, '')
  if (!BASE64.test(characters)) malformed(element.name)
  return Buffer.from(characters, 'base64')
}

/** An attribute in no namespace. */
export function attributeOf(element: XmlElement, name: string): string | null {
  const attribute = element.attrs.find((each) => each.name === name && each.prefix === '')
  return attribute?.value ?? null
}

export function algorithmOf(element: XmlElement): string {
  return attributeOf(element, 'Algorithm') ?? malformed(element.name)
}

export function malformed(what: string): never {
  throw new MalformedSignatureError(`${what} is not as its schema has it`)
}
