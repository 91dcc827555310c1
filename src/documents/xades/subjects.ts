import { UnfitDocumentError } from '../../errors.js'
import { digestOf } from '../../keys/digest.js'
import type { AdesSignature, SignatureParameters } from '../ades.js'
import { contentDigest } from '../content-digest.js'
import { EXCLUSIVELY, EXCLUSIVE_CANONICALIZATION, TRANSFORMS } from './identifiers.js'
import { mediaTypeOf, UNKNOWN_MEDIA_TYPE } from './media-type.js'
import { transform, type DocumentReference, type SignatureIds } from './signature-text.js'
import {
  readXades,
  rejectManySignatures,
  type XadesReading,
  type XadesReference,
} from './xades-reader.js'
import { encodeXml, type XmlCharacters } from './xml-characters.js'
import { XML_LIMITS } from './xml-scan.js'
import { OUTER_SIGNATURES, XmlSource } from './xml-source.js'
import { base64, element, text, type XmlText } from './xml-text.js'

/** What an envelope decides. */
export interface Subject {
  /** The identifiers of references that have none yet follow from those of the signature. */
  readonly references: readonly SubjectReference[]
  /** What tells it from other subjects. */
  readonly seed: Buffer
  /** Identifiers that are in use around the signature. */
  readonly takenIds: ReadonlyMap<string, number>
  readonly place: Place
  /** Reads what was placed, as a stranger would, and checks what was there before; null when that was done. */
  readonly reread: ((bytes: Buffer) => XadesReading) | null
}

/** Where a signature comes to stand. Plain data: it travels between threads. */
export interface Place extends Omit<XmlCharacters, 'text'> {
  readonly before: string
  readonly after: string
  readonly holdsDocument: boolean
}

export function placed(signature: XmlText, place: Place): Omit<AdesSignature, 'validationInfo'> {
  const { before, after, holdsDocument } = place
  const text = before + signature + after
  return { bytes: encodeXml({ ...place, text }), holdsDocument }
}

/** A document of its own. */
function ownDocument(before: string, after: string, holdsDocument: boolean): Place {
  const form = { encoding: 'utf-8', hasByteOrderMark: false } as const
  return { ...form, before: DECLARATION + before, after, holdsDocument }
}

export interface SubjectReference extends Omit<DocumentReference, 'id' | 'uri'> {
  /** Where the subject is; null when nobody said. */
  readonly uri: string | null
  /** What is hashed; null when only the digest is there. */
  readonly octets: Buffer | null
  /** Whether the signature holds them itself, in an object to which the reference leads. */
  readonly isHeld: boolean
}

const NO_IDS: ReadonlyMap<string, number> = new Map()
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
const NO_SIGNATURES = 'not(ancestor-or-self::ds:Signature)'

/**
 * Behind the last child of the root, and over all of the document but signatures: so several can
 * stand side by side. The bytes around it stay as they are.
 */
export function enveloped(document: Buffer, parameters: SignatureParameters): Subject {
  const source = new XmlSource(document)
  const { octets, isSigned } = withoutSignatures(source)
  const before = isSigned ? readXades(document) : null
  return {
    references: [wholeDocument(digestOf(parameters.algorithm.hash, octets), octets)],
    seed: document,
    takenIds: source.scan.ids,
    place: endOfRoot(source),
    reread: (bytes) => {
      const after = readXades(bytes)
      if (before !== null) rejectBroken(before, after)
      return after
    },
  }
}

/** @param octets what the reference means; null where they are not needed any more */
export function wholeDocument(digest: Buffer, octets: Buffer | null): SubjectReference {
  return {
    ...{ uri: '', type: null, mediaType: 'text/xml', isHeld: false },
    transforms: [
      // For those who know nothing else; by itself, a second signature would break the first.
      transform(TRANSFORMS.envelopedSignature),
      transform(TRANSFORMS.xpath, element('ds:XPath', {}, text(NO_SIGNATURES))),
      transform(EXCLUSIVE_CANONICALIZATION),
    ],
    ...{ digest, octets },
  }
}

function withoutSignatures(source: XmlSource): { octets: Buffer; isSigned: boolean } {
  source.spendOn(EXCLUSIVELY)
  return source.use((tree) => {
    rejectManySignatures(tree)
    if (tree.finds(OUTER_SIGNATURES, tree.root)) {
      throw new UnfitDocumentError('The document is a signature; others cannot be put into it')
    }
    const isSigned = tree.elements(OUTER_SIGNATURES).length > 0
    tree.remove(OUTER_SIGNATURES)
    return { octets: tree.canonicalDocument(EXCLUSIVELY), isSigned }
  })
}

/** In front of the end tag of the root; a root without content gets one. */
function endOfRoot({ characters, scan }: XmlSource): Place {
  const { encoding, hasByteOrderMark, text } = characters
  const [before, after] = [text.slice(0, scan.rootEnd), text.slice(scan.rootEnd)]
  const form = { encoding, hasByteOrderMark, holdsDocument: true }
  if (!scan.rootIsEmpty) return { ...form, before, after }
  return { ...form, before: `${before}>`, after: `</${scan.rootName}>${after.slice('/>'.length)}` }
}

/** What references meant before they have to mean after, as far as it was right. */
function rejectBroken(before: XadesReading, after: XadesReading): void {
  const [unreadable] = before.unreadable
  if (unreadable) {
    throw new UnfitDocumentError(`The signature at ${unreadable.path} is none that can be read`)
  }
  for (const { references, path } of before.signatures) {
    if (references.some(isNotFollowed)) throw new UnfitDocumentError(NOT_FOLLOWED)
    const now = after.signatures.find((each) => each.path === path)
    const isBroken = references.some((reference, index) =>
      isChanged(reference, now?.references[index]),
    )
    if (isBroken) throw new UnfitDocumentError(BROKEN)
  }
}

const BROKEN = 'A signature in the document covers all of it: one more inside would break it'
const NOT_FOLLOWED =
  'A signature in the document has a reference that is not followed here: one more inside might break it'

/** Whether it is about something in the document, and nobody here knows what. */
function isNotFollowed({ uri, covers }: XadesReference): boolean {
  return covers === null && uri !== null && (uri === '' || uri.startsWith('#'))
}

function isChanged(before: XadesReference, after: XadesReference | undefined): boolean {
  const { digestMatches, fingerprint } = before
  if (digestMatches === true) return after?.digestMatches !== true
  return fingerprint !== null && after?.fingerprint?.equals(fingerprint) !== true
}

/** As Base64, the document has to fit into one text. */
const MOST_ENVELOPED = Math.floor(XML_LIMITS.bytesOfText / 4) * 3

/** Base64 of any bytes: what is signed is exactly them, and their digest is that of the document. */
export async function enveloping(
  document: Buffer,
  { algorithm }: SignatureParameters,
): Promise<Subject> {
  if (document.length > MOST_ENVELOPED) {
    throw new UnfitDocumentError('The document is too large for an enveloping signature')
  }
  const digest = await contentDigest(document, algorithm.hash)
  return {
    references: [
      {
        uri: null,
        type: 'http://www.w3.org/2000/09/xmldsig#Object',
        transforms: [transform(TRANSFORMS.base64)],
        mediaType: mediaTypeOf(document),
        octets: document,
        isHeld: true,
        digest,
      },
    ],
    seed: digest,
    takenIds: NO_IDS,
    place: ownDocument('', '', true),
    reread: (bytes) => readXades(bytes),
  }
}

/** `ds:Object`s with what the references say is held. */
export function heldObjects({ references }: Subject, { object }: SignatureIds): XmlText[] {
  return references.flatMap(({ octets, isHeld, mediaType }) => {
    if (!isHeld || octets === null) return []
    const attributes = { Id: object, MimeType: mediaType, Encoding: TRANSFORMS.base64 }
    return [element('ds:Object', attributes, base64(octets))]
  })
}

export async function detached(
  document: Buffer,
  { algorithm, referenceUri }: SignatureParameters,
): Promise<Subject> {
  const digest = await contentDigest(document, algorithm.hash)
  const reference = {
    ...detachedReference(digest, referenceUri),
    mediaType: mediaTypeOf(document),
    octets: document,
  }
  return besideDocument([reference], digest)
}

export function detachedDigest(
  digest: Buffer,
  { level, referenceUri }: SignatureParameters,
): Subject {
  if (level === 'B-LTA') {
    throw new UnfitDocumentError('An archive timestamp covers the document, not only its digest')
  }
  const reference = detachedReference(digest, referenceUri)
  return besideDocument([reference], digest)
}

function detachedReference(digest: Buffer, uri: string | null): SubjectReference {
  rejectUnfitUri(uri)
  const nothing = { type: null, transforms: [], octets: null, isHeld: false }
  return { ...nothing, uri, digest, mediaType: UNKNOWN_MEDIA_TYPE }
}

function besideDocument(references: readonly SubjectReference[], seed: Buffer): Subject {
  const found = new Map(references.map(({ uri, digest }) => [uri, { digest }]))
  return {
    ...{ references, seed },
    takenIds: NO_IDS,
    place: ownDocument('', '', false),
    reread: (bytes) => readXades(bytes, { find: (uri) => found.get(uri) ?? null }),
  }
}

/** A file of a container. */
export interface ContainerFile {
  /** Its path there, not encoded. */
  readonly name: string
  readonly bytes: Buffer
  /** Null when nobody said. */
  readonly mediaType: string | null
}

const ASIC_NAMESPACE = 'http://uri.etsi.org/02918/v1.2.1#'

/**
 * References relative to the root of the container. @see EN 319 162-1, 4.4.3.2
 * @param existing a `META-INF/signatures.xml` that gets another signature; null for a new one
 */
export async function containerFiles(
  files: readonly ContainerFile[],
  { algorithm }: SignatureParameters,
  existing: Buffer | null,
): Promise<Subject> {
  const references: SubjectReference[] = []
  for (const { name, bytes, mediaType } of files) {
    const digest = await contentDigest(bytes, algorithm.hash)
    references.push({
      ...detachedReference(digest, containerUri(name)),
      mediaType: mediaType ?? mediaTypeOf(bytes),
      octets: bytes,
    })
  }
  if (new Set(references.map(({ uri }) => uri)).size !== references.length || files.length === 0) {
    throw new UnfitDocumentError('A container has files, each with a name of its own')
  }
  const seed = Buffer.concat([
    ...references.map(({ digest }) => digest),
    ...(existing === null ? [] : [existing]),
  ])
  const subject = besideDocument(references, seed)
  if (existing !== null) return behindOthers(subject, existing)
  return {
    ...subject,
    place: ownDocument(
      `<asic:XAdESSignatures xmlns:asic="${ASIC_NAMESPACE}">`,
      '</asic:XAdESSignatures>',
      false,
    ),
  }
}

/** Behind the signatures that somebody else put into a container. */
function behindOthers(subject: Subject, existing: Buffer): Subject {
  const source = new XmlSource(existing)
  const isList = source.use(
    ({ root }) => root.name === 'XAdESSignatures' && root.namespaceUri === ASIC_NAMESPACE,
  )
  if (!isList) throw new UnfitDocumentError('The container has a file of signatures that is none')
  const before = readXades(existing)
  return {
    ...subject,
    takenIds: source.scan.ids,
    place: { ...endOfRoot(source), holdsDocument: false },
    reread: (bytes) => {
      rejectBroken(before, readXades(bytes))
      return subject.reread?.(bytes) ?? readXades(bytes)
    },
  }
}

export function containerUri(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/')
}

/** Within the signature, nothing is detached. */
function rejectUnfitUri(uri: string | null): void {
  if (uri === null) return
  const isUri = /^[!-~]{1,2000}$/.test(uri) && !/[<>"{}|\\^`]/.test(uri)
  if (!isUri || uri.startsWith('#') || !URL.canParse(uri, 'http://localhost/')) {
    throw new UnfitDocumentError('The reference is no URI that leads to a document')
  }
}
