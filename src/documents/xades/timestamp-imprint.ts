import type { XmlElement } from 'libxml2-wasm'
import { NAMESPACES, type Canonicalization } from './identifiers.js'
import { elementsIn, is, type QualifyingParts, type SignatureParts } from './signature-parts.js'
import type { XmlTree } from './xml-tree.js'

/** What is hashed, one piece after the other. @see EN 319 132-1, 5.3 */
export function signatureTimestampInput(
  tree: XmlTree,
  { signatureValue }: SignatureParts,
  canonicalization: Canonicalization,
): Buffer[] {
  return [tree.canonicalElement(signatureValue, canonicalization)]
}

export interface ArchiveTimestampInput {
  /** What the references mean, in their order, the one to the signed properties among them. */
  readonly references: readonly Buffer[]
  readonly parts: SignatureParts
  readonly qualifying: QualifyingParts
  /** The timestamp in question; null for the next one, which comes behind all properties. */
  readonly timestamp: XmlElement | null
}

/** The pieces in the order of the clause, nothing between. @see EN 319 132-1, 5.5.2.2, not distributed */
export function archiveTimestampInput(
  tree: XmlTree,
  { references, parts, qualifying, timestamp }: ArchiveTimestampInput,
  canonicalization: Canonicalization,
): Buffer[] {
  const { signedInfo, signatureValue, keyInfo, objects } = parts
  const elements = [
    signedInfo,
    signatureValue,
    ...(keyInfo === null ? [] : [keyInfo]),
    ...propertiesBefore(timestamp, qualifying),
    ...objects.filter((object) => !holdsQualifyingProperties(object)),
  ]
  const canonical = elements.map((element) => tree.canonicalElement(element, canonicalization))
  return [...references, ...canonical]
}

function propertiesBefore(
  timestamp: XmlElement | null,
  { unsignedSignatureProperties: properties }: QualifyingParts,
): readonly XmlElement[] {
  if (timestamp === null) return properties
  return properties.slice(
    0,
    properties.findIndex((each) => each.isSameNode(timestamp)),
  )
}

function holdsQualifyingProperties(object: XmlElement): boolean {
  return elementsIn(object).some((child) => is(child, 'xades', 'QualifyingProperties'))
}

/** Under this name in the later of the two namespaces alone is the imprint made so. */
export function isArchiveTimestamp(element: XmlElement): boolean {
  return element.name === 'ArchiveTimeStamp' && element.namespaceUri === NAMESPACES.xades141
}
