import { createHash, timingSafeEqual } from 'node:crypto'
import { joseToDer } from 'ecdsa-sig-formatter'
import { XmlElement } from 'libxml2-wasm'
import { UnfitDocumentError } from '../../errors.js'
import { HASH_ALGORITHMS, type HashName, type SignatureAlgorithm } from '../../keys/algorithms.js'
import { readTimestampToken } from '../../timestamping/timestamp-token.js'
import type { ValidationData } from '../ades.js'
import {
  algorithmOfSignatureMethod,
  canonicalizationOf,
  DEFAULT_CANONICALIZATION,
  hashOfDigestMethod,
  SIGNED_PROPERTIES_TYPE,
  type Canonicalization,
} from './identifiers.js'
import {
  canonicalisation,
  inclusivePrefixesOf,
  nodesOf,
  octetsOf,
  readTransforms,
  transformed,
  UnsupportedReferenceError,
  type ReferencedData,
} from './reference-processing.js'
import {
  algorithmOf,
  attributeOf,
  bytesOf,
  childElements,
  elementsIn,
  hasText,
  is,
  malformed,
  MalformedSignatureError,
  qualifyingParts,
  required,
  signatureParts,
  textOf,
  type QualifyingParts,
  type SignatureParts,
} from './signature-parts.js'
import {
  archiveTimestampInput,
  isArchiveTimestamp,
  signatureTimestampInput,
} from './timestamp-imprint.js'
import {
  COUNTER_SIGNATURES,
  OUTER_SIGNATURES,
  xpathOfCounterSignature,
  xpathOfId,
  xpathOfSignature,
  XmlSource,
} from './xml-source.js'
import { siblings, type XmlTree } from './xml-tree.js'

/** What lies outside of the XML, for signatures that are detached. */
export interface DetachedData {
  /** What a reference means: its bytes, or their digest; null when it is not at hand. */
  find(uri: string | null, hash: HashName): { bytes: Buffer } | { digest: Buffer } | null
}

export const NO_DETACHED_DATA: DetachedData = { find: () => null }

/** What a reference is about. */
export type Coverage =
  /** All of the XML document, but for signatures. */
  | { readonly kind: 'document' }
  /** One element of the document; the path names it and those above it, with their positions. */
  | { readonly kind: 'element'; readonly path: string }
  /** A `ds:Object` of this very signature: what an enveloping signature holds. */
  | { readonly kind: 'object' }
  | { readonly kind: 'signed-properties' }
  | { readonly kind: 'detached'; readonly uri: string | null }

export interface XadesReference {
  readonly id: string | null
  readonly type: string | null
  readonly uri: string | null
  /** Null when it is not known what is meant. */
  readonly covers: Coverage | null
  readonly hash: HashName | null
  /** Null when that cannot be told: the data are not at hand, or the reference is not one we follow. */
  readonly digestMatches: boolean | null
  /** Why it cannot be told. */
  readonly problem: string | null
  /** The octets that were hashed, where they are at hand and an enveloping signature holds them. */
  readonly content: Buffer | null
  /** SHA-256 of those octets where the hash is one that is not accepted: whether they stay the same can be told. */
  readonly fingerprint: Buffer | null
}

export type XadesTimestampKind =
  | 'AllDataObjectsTimeStamp'
  | 'IndividualDataObjectsTimeStamp'
  | 'SignatureTimeStamp'
  | 'SigAndRefsTimeStamp'
  | 'RefsOnlyTimeStamp'
  | 'ArchiveTimeStamp'

export interface XadesTimestamp {
  readonly kind: XadesTimestampKind
  /** `TimeStampToken`, DER. Nothing but its imprint was looked at. */
  readonly token: Buffer
  /** Whether it is about what this signature has there; null when that cannot be told. */
  readonly imprintMatches: boolean | null
  /** Of an archive timestamp: the validation data and the timestamps before it, which it is over. */
  readonly covered: ValidationData & { readonly timestamps: readonly Buffer[] }
}

/** One entry of `SigningCertificateV2`. */
export interface SigningCertificateReference {
  readonly hash: HashName | null
  readonly digest: Buffer
  /** `IssuerSerial` of RFC 5035, DER. */
  readonly issuerSerial: Buffer | null
}

export interface XadesSignature {
  readonly id: string | null
  /** Where it stands, e.g. `/invoice[1]/Signature[1]`. */
  readonly path: string
  /** What the key signed: SignedInfo, canonical. */
  readonly signedInfo: Buffer
  /** The `Algorithm` of its `SignatureMethod`. */
  readonly signatureMethod: string
  /** Null for one that we do not accept. */
  readonly algorithm: SignatureAlgorithm | null
  /** PKCS#1 octets, or a DER ECDSA-Sig-Value, as `signHash` gives it. */
  readonly signatureValue: Buffer
  readonly references: readonly XadesReference[]
  /** Of KeyInfo, in its order, DER. */
  readonly keyInfoCertificates: readonly Buffer[]
  readonly signingCertificateReferences: readonly SigningCertificateReference[]
  /** The certificate whose digest the signed properties have first; null when it is not there. */
  readonly signingCertificate: Buffer | null
  readonly signingTime: Date | null
  /** Whether the properties at hand are those that a reference covers. */
  readonly propertiesAreSigned: boolean
  /** Local names of the signed properties. */
  readonly signedPropertyNames: readonly string[]
  /** Its signature policy; `implied` for one that it does not name. */
  readonly policy: XadesPolicy | 'implied' | 'unreadable' | null
  readonly hasCertifiedRoles: boolean
  /** Whether something stands in a `ds:Object` of it that no reference names. */
  readonly hasUnsignedObjects: boolean
  /** Names of the unsigned ones. */
  readonly unsignedPropertyNames: readonly string[]
  readonly timestamps: readonly XadesTimestamp[]
  /** All that is inside, KeyInfo included. */
  readonly embedded: ValidationData
  /** What is not as it has to be, apart from the references. */
  readonly problems: readonly string[]
}

/** `SignaturePolicyId` (EN 319 132-1, 5.2.9), and the text of it that came along. */
export interface XadesPolicy {
  readonly identifier: string
  /** Null where it is of zeros: the text is not said. */
  readonly digest: { readonly hash: HashName; readonly value: Buffer } | null
  readonly stored: Buffer | null
  /** What of a text is hashed. @throws {Error} */
  readonly transformed: (text: Buffer) => Buffer
}

/** A `ds:Signature` that cannot be read. */
export interface UnreadableSignature {
  readonly path: string
  readonly why: string
}

export interface XadesReading {
  readonly signatures: readonly XadesSignature[]
  /** Those that stand in one of the others, and are over its value. */
  readonly counterSignatures: readonly XadesSignature[]
  readonly unreadable: readonly UnreadableSignature[]
}

const MOST_SIGNATURES = 50
const MOST_REFERENCES = 200

/**
 * Reads every signature that stands in no other one. Nothing that is read may be relied upon before
 * the value verifies and every reference matches.
 *
 * @throws {UnfitDocumentError} when the bytes are no XML that can be read safely
 */
export function readXades(bytes: Buffer, detached: DetachedData = NO_DETACHED_DATA): XadesReading {
  const source = new XmlSource(bytes)
  const [outer, counter] = source.use((tree) => {
    rejectManySignatures(tree)
    return [tree.elements(OUTER_SIGNATURES).length, tree.elements(COUNTER_SIGNATURES).length]
  })
  const unreadable: UnreadableSignature[] = []
  const read = (count: number, xpathOf: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => {
      const found = readSignature(source, xpathOf(index), detached)
      if (!('why' in found)) return [found]
      unreadable.push(found)
      return []
    }).flat()
  return {
    signatures: read(outer ?? 0, xpathOfSignature),
    counterSignatures: read(counter ?? 0, xpathOfCounterSignature),
    unreadable,
  }
}

/** Those within others count, too. @throws {UnfitDocumentError} */
export function rejectManySignatures(tree: XmlTree): void {
  if (tree.count('//ds:Signature') > MOST_SIGNATURES) {
    throw new UnfitDocumentError('Too many signatures')
  }
}

function readSignature(
  source: XmlSource,
  xpath: string,
  detached: DetachedData,
): XadesSignature | UnreadableSignature {
  return source.use((tree) => {
    const [element] = tree.elements(xpath)
    if (element === undefined) throw new UnfitDocumentError('A signature is missing')
    const path = pathOf(element)
    prune(element)
    try {
      return new SignatureReader({ source, tree, xpath, detached }, element, path).read()
    } catch (error) {
      if (!(error instanceof MalformedSignatureError)) throw error
      return { path, why: error.message }
    }
  })
}

/** Leaves what is above and in the signature: all that its own parts are canonicalised in. */
function prune(signature: XmlElement): void {
  for (let each: XmlElement | null = signature; each !== null; each = parentOf(each)) {
    for (const node of siblings(each)) node.remove()
  }
}

function pathOf(element: XmlElement): string {
  const names: string[] = []
  for (let each: XmlElement | null = element; each !== null; each = parentOf(each)) {
    const before = each.eval(`count(preceding-sibling::*[local-name()="${each.name}"])`)
    names.unshift(`/${each.name}[${1 + Number(before)}]`)
  }
  return names.join('')
}

function parentOf(element: XmlElement): XmlElement | null {
  const { parent } = element
  return parent instanceof XmlElement ? parent : null
}

interface ReadingContext {
  readonly source: XmlSource
  /** Pruned. */
  readonly tree: XmlTree
  /** Of the signature. */
  readonly xpath: string
  readonly detached: DetachedData
}

interface FollowedReference {
  readonly reference: XadesReference
  /** What the transforms left; null when they were not followed. */
  readonly data: ReferencedData | null
}

class SignatureReader {
  readonly #context: ReadingContext
  readonly #path: string
  readonly #parts: SignatureParts
  readonly #qualifying: QualifyingParts | null
  readonly #problems: string[] = []

  constructor(context: ReadingContext, element: XmlElement, path: string) {
    this.#context = context
    this.#path = path
    this.#parts = signatureParts(element)
    this.#qualifying = qualifyingParts(this.#parts)
  }

  read(): XadesSignature {
    const { tree } = this.#context
    const { signature, canonicalizationMethod, signatureMethod, signedInfo } = this.#parts
    if (this.#parts.references.length > MOST_REFERENCES) malformed('ds:SignedInfo')
    const followed = this.#parts.references.map((each) => this.#follow(each))
    const method = algorithmOf(signatureMethod)
    const algorithm = algorithmOfSignatureMethod(method)
    const embedded = this.#embedded()
    const keyInfoCertificates = this.#keyInfoCertificates()
    const signingCertificateReferences = this.#signingCertificateReferences()
    const signingCertificate = findCertificate(signingCertificateReferences[0], [
      ...keyInfoCertificates,
      ...embedded.certificates,
    ])
    const propertiesAreSigned = this.#propertiesAreSigned(followed)
    return {
      id: attributeOf(signature, 'Id'),
      path: this.#path,
      signedInfo: tree.canonicalElement(signedInfo, {
        ...this.#canonicalization(canonicalizationMethod),
        inclusivePrefixes: inclusivePrefixesOf(canonicalizationMethod),
      }),
      signatureMethod: method,
      algorithm,
      signatureValue: this.#signatureValue(algorithm),
      references: followed.map(({ reference }) => reference),
      ...{ keyInfoCertificates, signingCertificateReferences, signingCertificate },
      signingTime: this.#signingTime(),
      propertiesAreSigned,
      policy: this.#policy(),
      hasCertifiedRoles: this.#hasCertifiedRoles(),
      hasUnsignedObjects: this.#hasUnsignedObjects(),
      signedPropertyNames: this.#signedProperties().map(({ name }) => name),
      unsignedPropertyNames: this.#unsignedProperties().map(({ name }) => name),
      timestamps: this.#timestamps(followed),
      embedded,
      problems: this.#problems,
    }
  }

  #signedProperties(): readonly XmlElement[] {
    const { signedSignatureProperties = [], signedDataObjectProperties = [] } =
      this.#qualifying ?? {}
    return [...signedSignatureProperties, ...signedDataObjectProperties]
  }

  #unsignedProperties(): readonly XmlElement[] {
    return this.#qualifying?.unsignedSignatureProperties ?? []
  }

  #canonicalization(method: XmlElement): Canonicalization {
    const canonicalization = canonicalizationOf(algorithmOf(method))
    if (canonicalization === null) malformed('ds:CanonicalizationMethod')
    return canonicalization
  }

  /** XML Signature has r and s one after the other. @see RFC 9231, 2.3.6 */
  #signatureValue(algorithm: SignatureAlgorithm | null): Buffer {
    const value = bytesOf(this.#parts.signatureValue)
    if (algorithm?.scheme !== 'ecdsa') return value
    const curve = ECDSA_CURVES[value.length]
    if (curve === undefined) malformed('ds:SignatureValue')
    return joseToDer(value, curve)
  }

  #follow(element: XmlElement): FollowedReference {
    const children = childElements(element)
    const transforms = is(children[0] ?? element, 'ds', 'Transforms') ? children.shift() : null
    const [digestMethod, digestValue, ...rest] = children
    if (rest.length > 0) malformed('ds:Reference')
    const hash = hashOfDigestMethod(algorithmOf(required(digestMethod, 'ds', 'DigestMethod')))
    const expected = bytesOf(required(digestValue, 'ds', 'DigestValue'))
    const uri = attributeOf(element, 'URI')
    const [id, type] = [attributeOf(element, 'Id'), attributeOf(element, 'Type')]
    const facts = { id, type, uri, hash }
    try {
      const { covers, data, digest } = this.#dereference(uri, transforms ?? null, hash)
      const actual = digest ?? (data && hash ? sha(hash, octetsOf(data)) : null)
      const isHeld = covers.kind === 'object' && data !== null
      const reference = {
        ...{ ...facts, covers },
        digestMatches: actual === null ? null : isSame(actual, expected),
        problem: hash === null ? 'A hash is not accepted' : null,
        content: isHeld ? octetsOf(data) : null,
        fingerprint: hash === null && data ? sha('sha256', octetsOf(data)) : null,
      }
      return { reference, data }
    } catch (error) {
      const isOurs = error instanceof UnsupportedReferenceError
      if (!isOurs && !(error instanceof UnfitDocumentError)) throw error
      const problem = error.message
      const nothing = { covers: null, digestMatches: null, content: null, fingerprint: null }
      return { reference: { ...facts, ...nothing, problem }, data: null }
    }
  }

  #dereference(uri: string | null, transforms: XmlElement | null, hash: HashName | null) {
    const { source, detached, xpath } = this.#context
    const steps = readTransforms(transforms)
    const nodes = nodesOf(uri, source)
    if (nodes !== null) {
      const covers = this.#coverage(uri)
      const data = transformed(nodes, steps, xpath)
      return { covers, data, digest: null }
    }
    const covers: Coverage = { kind: 'detached', uri }
    const found = hash === null ? null : detached.find(uri, hash)
    if (found === null) return { covers, data: null, digest: null }
    if ('digest' in found) {
      if (steps.length > 0) {
        throw new UnsupportedReferenceError('A digest does not do: the reference has transforms')
      }
      return { covers, data: null, digest: found.digest }
    }
    const octets: ReferencedData = { kind: 'octets', octets: found.bytes }
    const data = transformed(octets, steps, xpath)
    return { covers, data, digest: null }
  }

  #coverage(uri: string | null): Coverage {
    if (uri === '') return { kind: 'document' }
    const { source, tree } = this.#context
    const xpath = xpathOfId((uri ?? '').slice(1))
    const [inside] = tree.elements(xpath)
    if (inside === undefined) {
      source.spendOnce()
      const path = source.use((whole) => whole.elements(xpath).map(pathOf)[0])
      if (path === undefined) throw new UnsupportedReferenceError('An element is missing')
      return { kind: 'element', path }
    }
    if (inside.isSameNode(tree.root)) return { kind: 'document' }
    const { signedProperties } = this.#qualifying ?? {}
    if (signedProperties?.isSameNode(inside)) return { kind: 'signed-properties' }
    if (this.#parts.objects.some((object) => isWithin(inside, object))) return { kind: 'object' }
    return { kind: 'element', path: this.#pathInside(inside) }
  }

  /** The pruned tree has lost the brothers by which the positions above the signature are counted. */
  #pathInside(element: XmlElement): string {
    const xpath = xpathOfId(
      ID_NAMES.map((name) => idOf(element, name)).find((id) => id !== null) ?? '',
    )
    return this.#context.source.use((whole) => whole.elements(xpath).map(pathOf)[0] ?? '')
  }

  #propertiesAreSigned(followed: readonly FollowedReference[]): boolean {
    const qualifying = this.#qualifying
    if (qualifying === null) return false
    const id = attributeOf(this.#parts.signature, 'Id')
    const target = attributeOf(qualifying.qualifyingProperties, 'Target')
    if (id === null || target !== `#${id}`) {
      this.#problems.push('The qualifying properties are of another signature')
    }
    const [reference, another] = followed
      .map((each) => each.reference)
      .filter(({ covers }) => covers?.kind === 'signed-properties')
    if (reference === undefined || another !== undefined) {
      this.#problems.push('The signed properties are not covered by one reference')
      return false
    }
    if (reference.type !== SIGNED_PROPERTIES_TYPE) {
      this.#problems.push('The reference to the signed properties has another type')
    }
    return reference.digestMatches === true
  }

  #keyInfoCertificates(): Buffer[] {
    const { keyInfo } = this.#parts
    const data = keyInfo === null ? [] : childElements(keyInfo)
    return data
      .filter((each) => is(each, 'ds', 'X509Data'))
      .flatMap(childElements)
      .filter((each) => is(each, 'ds', 'X509Certificate'))
      .map(bytesOf)
  }

  #signingTime(): Date | null {
    const property = this.#signedProperties().find((each) => is(each, 'xades', 'SigningTime'))
    if (property === undefined) return null
    const time = textOf(property).trim()
    if (!DATE_TIME.test(time) || Number.isNaN(Date.parse(time))) malformed('xades:SigningTime')
    return new Date(time)
  }

  #policy(): XadesSignature['policy'] {
    const properties = this.#signedProperties().filter((each) => is(each, 'xades', POLICY))
    const [property, another] = properties
    if (property === undefined) return null
    try {
      if (another !== undefined) malformed(POLICY)
      const [choice] = childElements(property)
      if (choice !== undefined && is(choice, 'xades', 'SignaturePolicyImplied')) return 'implied'
      return this.#namedPolicy(required(choice, 'xades', 'SignaturePolicyId'))
    } catch (error) {
      if (!(error instanceof MalformedSignatureError)) throw error
      return 'unreadable'
    }
  }

  #namedPolicy(policy: XmlElement): XadesPolicy {
    const [id, ...rest] = childElements(policy)
    const transforms = rest[0] && is(rest[0], 'ds', 'Transforms') ? rest.shift() : undefined
    const [identifier] = childElements(required(id, 'xades', 'SigPolicyId'))
    const [method, value] = childElements(required(rest[0], 'xades', 'SigPolicyHash'))
    const hash = hashOfDigestMethod(algorithmOf(required(method, 'ds', 'DigestMethod')))
    const digest = bytesOf(required(value, 'ds', 'DigestValue'))
    if (hash === null) malformed('xades:SigPolicyHash')
    return {
      identifier: textOf(required(identifier, 'xades', 'Identifier')).trim(),
      digest: digest.some((octet) => octet !== 0) ? { hash, value: digest } : null,
      stored: this.#storedPolicy(),
      transformed: transforms === undefined ? (text) => text : canonicalisation(transforms),
    }
  }

  /** @see EN 319 132-1, 5.2.10 */
  #storedPolicy(): Buffer | null {
    const store = this.#unsignedProperties().find((each) =>
      is(each, 'xades141', 'SignaturePolicyStore'),
    )
    const parts = store === undefined ? [] : childElements(store)
    const text = parts.find((each) => is(each, 'xades141', 'SignaturePolicyDocument'))
    return text === undefined ? null : bytesOf(text)
  }

  /** The properties apart: of those, each is known to be signed or not. */
  #hasUnsignedObjects(): boolean {
    const { objects, references } = this.#parts
    const named = new Set(references.map((each) => attributeOf(each, 'URI')))
    named.delete('#')
    const isNamed = (element: XmlElement) =>
      ID_NAMES.some((name) => named.has(`#${idOf(element, name) ?? ''}`))
    return objects.some((object) => {
      if (isNamed(object)) return false
      const elements = elementsIn(object).filter(
        (each) => !is(each, 'xades', 'QualifyingProperties'),
      )
      return hasText(object) || !elements.every(isNamed)
    })
  }

  #hasCertifiedRoles(): boolean {
    return this.#signedProperties()
      .filter(({ name }) => name.startsWith('SignerRole'))
      .flatMap(childElements)
      .some(({ name }) => name.startsWith('CertifiedRoles'))
  }

  #signingCertificateReferences(): SigningCertificateReference[] {
    const properties = this.#signedProperties()
    const list = properties.find((each) => is(each, 'xades', 'SigningCertificateV2'))
    const older = properties.find((each) => is(each, 'xades', 'SigningCertificate'))
    const found = list ?? older
    if (found === undefined) {
      this.#problems.push('The signed properties name no certificate')
      return []
    }
    return childElements(found).map((cert) => signingCertificateReference(cert))
  }

  #embedded(properties = this.#unsignedProperties()): ValidationData {
    const values = properties.flatMap((property) =>
      is(property, 'xades141', 'TimeStampValidationData') ||
      is(property, 'xades141', 'AnyValidationData')
        ? childElements(property)
        : [property],
    )
    const named = (list: string, name: string) =>
      values
        .filter((each) => is(each, 'xades', list))
        .flatMap(childElements)
        .filter((each) => is(each, 'xades', name))
    const revocations = (list: string, name: string) =>
      named('RevocationValues', list)
        .flatMap(childElements)
        .filter((each) => is(each, 'xades', name))
        .map(bytesOf)
    return {
      certificates: [
        ...this.#keyInfoCertificates(),
        ...named('CertificateValues', 'EncapsulatedX509Certificate').map(bytesOf),
      ],
      crls: revocations('CRLValues', 'EncapsulatedCRLValue'),
      ocspResponses: revocations('OCSPValues', 'EncapsulatedOCSPValue'),
    }
  }

  #timestamps(followed: readonly FollowedReference[]): XadesTimestamp[] {
    return [...this.#signedProperties(), ...this.#unsignedProperties()].flatMap((property) => {
      const kind = timestampKind(property)
      if (kind === null) return []
      const children = childElements(property)
      const method = children.find((each) => is(each, 'ds', 'CanonicalizationMethod'))
      const canonicalization =
        method === undefined ? DEFAULT_CANONICALIZATION : this.#canonicalization(method)
      const input = this.#timestampInput(kind, property, followed, canonicalization)
      const covered = this.#before(property)
      return tokensIn(property).map((token) => {
        const matches = hasImprint(token, input)
        // Under its older name it may be over other things than we know.
        const isOlder = kind === 'ArchiveTimeStamp' && !isArchiveTimestamp(property)
        return { kind, token, covered, imprintMatches: matches || !isOlder ? matches : null }
      })
    })
  }

  #before(property: XmlElement): XadesTimestamp['covered'] {
    const all = this.#unsignedProperties()
    const at = all.findIndex((each) => each.isSameNode(property))
    const before = all.slice(0, Math.max(0, at))
    return { ...this.#embedded(before), timestamps: before.flatMap(tokensIn) }
  }

  /** Null when what is timestamped is not at hand, or is not defined. */
  #timestampInput(
    kind: XadesTimestampKind,
    property: XmlElement,
    followed: readonly FollowedReference[],
    canonicalization: Canonicalization,
  ): readonly Buffer[] | null {
    const { tree } = this.#context
    const qualifying = this.#qualifying
    const octets = (each: FollowedReference) =>
      each.data === null ? null : octetsOf(each.data, canonicalization)
    const isSigned = (each: FollowedReference) =>
      each.reference.covers?.kind === 'signed-properties'
    switch (kind) {
      case 'SignatureTimeStamp':
        return signatureTimestampInput(tree, this.#parts, canonicalization)
      case 'ArchiveTimeStamp': {
        const references = all(followed.map(octets))
        if (references === null || qualifying === null) return null
        const input = { references, parts: this.#parts, qualifying, timestamp: property }
        return archiveTimestampInput(tree, input, canonicalization)
      }
      case 'AllDataObjectsTimeStamp':
        return pieces(followed.filter((each) => !isSigned(each)).map(octets))
      case 'IndividualDataObjectsTimeStamp': {
        const ids = childElements(property)
          .filter((each) => is(each, 'xades', 'Include'))
          .map((include) => attributeOf(include, 'URI'))
        const included = ids.map((id) =>
          followed.find(({ reference }) => reference.id !== null && `#${reference.id}` === id),
        )
        return pieces(included.map((each) => (each === undefined ? null : octets(each))))
      }
      case 'SigAndRefsTimeStamp':
      case 'RefsOnlyTimeStamp':
        return null
    }
  }
}

/** By the length of r and s together; how the library calls the curves. */
const ECDSA_CURVES: Readonly<Record<number, string>> = { 64: 'ES256', 96: 'ES384', 132: 'ES512' }
const POLICY = 'SignaturePolicyIdentifier'
const ID_NAMES = ['Id', 'ID', 'id', 'xml:id'] as const
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?$/

function idOf(element: XmlElement, name: string): string | null {
  const [prefix, local] = name.includes(':') ? ['xml', 'id'] : ['', name]
  return element.attrs.find((each) => each.name === local && each.prefix === prefix)?.value ?? null
}

function isWithin(element: XmlElement, outer: XmlElement): boolean {
  for (let each: XmlElement | null = element; each !== null; each = parentOf(each)) {
    if (each.isSameNode(outer)) return true
  }
  return false
}

const TIMESTAMP_KINDS: readonly XadesTimestampKind[] = [
  'AllDataObjectsTimeStamp',
  'IndividualDataObjectsTimeStamp',
  'SignatureTimeStamp',
  'SigAndRefsTimeStamp',
  'RefsOnlyTimeStamp',
  'ArchiveTimeStamp',
]

function timestampKind(property: XmlElement): XadesTimestampKind | null {
  const kind = TIMESTAMP_KINDS.find((each) => property.name.replace(/V2$/, '') === each)
  const isOurs =
    kind !== undefined && /^http:\/\/uri\.etsi\.org\/01903\/v1\.[34]\./.test(property.namespaceUri)
  return isOurs ? kind : null
}

function signingCertificateReference(cert: XmlElement): SigningCertificateReference {
  const [certDigest, issuerSerial] = childElements(required(cert, 'xades', 'Cert'))
  const [method, value] = childElements(required(certDigest, 'xades', 'CertDigest'))
  const isV2 = issuerSerial !== undefined && is(issuerSerial, 'xades', 'IssuerSerialV2')
  return {
    hash: hashOfDigestMethod(algorithmOf(required(method, 'ds', 'DigestMethod'))),
    digest: bytesOf(required(value, 'ds', 'DigestValue')),
    issuerSerial: isV2 ? bytesOf(issuerSerial) : null,
  }
}

function tokensIn(property: XmlElement): Buffer[] {
  const children = timestampKind(property) === null ? [] : childElements(property)
  return children.filter((each) => is(each, 'xades', 'EncapsulatedTimeStamp')).map(bytesOf)
}

function findCertificate(
  reference: SigningCertificateReference | undefined,
  certificates: readonly Buffer[],
): Buffer | null {
  if (!reference || reference.hash === null) return null
  const { hash, digest } = reference
  return certificates.find((der) => isSame(sha(hash, der), digest)) ?? null
}

function hasImprint(token: Buffer, input: readonly Buffer[] | null): boolean | null {
  if (input === null) return null
  try {
    const { hash, imprint } = readTimestampToken(token)
    const known = Object.values(HASH_ALGORITHMS).find(({ name }) => name === hash)
    return known === undefined ? null : isSame(sha(known.name, ...input), imprint)
  } catch {
    return false // the parsers throw on whatever is no token
  }
}

function sha(name: HashName, ...pieces: readonly Buffer[]): Buffer {
  const hash = createHash(name)
  for (const piece of pieces) hash.update(piece)
  return hash.digest()
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

/** Null when one is missing, or there are none. */
function pieces(values: readonly (Buffer | null)[]): Buffer[] | null {
  const present = all(values)
  return present?.length === 0 ? null : present
}

function all<T>(values: readonly (T | null)[]): T[] | null {
  const present = values.filter((value) => value !== null)
  return present.length === values.length ? present : null
}
