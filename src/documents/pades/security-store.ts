import {
  PdfArray,
  PdfDict,
  PdfName,
  PdfNumber,
  PdfRef,
  PdfStream,
  type PdfObject,
} from '@libpdf/core'
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { entry, setEntry, type Kept, type PdfDocument } from './pdf-document.js'
import { Revision } from './revision.js'

/** What goes into a document security store, each DER. */
export interface StoredEvidence {
  readonly certificates: readonly Uint8Array[]
  readonly crls: readonly Uint8Array[]
  readonly ocspResponses: readonly Uint8Array[]
}

/** Names in the store and in its entries for single signatures. @see EN 319 142-1, 5.4.2 */
const KINDS = [
  { evidence: 'certificates', inStore: 'Certs', inEntry: 'Cert' },
  { evidence: 'ocspResponses', inStore: 'OCSPs', inEntry: 'OCSP' },
  { evidence: 'crls', inStore: 'CRLs', inEntry: 'CRL' },
] as const

/**
 * Appends evidence for one signature; what the document has already is referred to, not repeated.
 * @param contents of that signature, with the zeros behind it
 */
export function securityStoreRevision(
  document: PdfDocument,
  earlier: readonly Buffer[],
  { evidence, contents }: { evidence: StoredEvidence; contents: Uint8Array },
): Buffer {
  const revision = new Revision(document)
  const store = openStore(document, revision)
  const forSignature = new PdfDict()
  for (const { evidence: kind, inStore, inEntry } of KINDS) {
    const refs = stored(document, revision, { store, key: inStore, elements: evidence[kind] })
    if (refs.length > 0) forSignature.set(inEntry, new PdfArray(refs))
  }
  const entries = document.dictIn(store, 'VRI') ?? emptyIn(store, 'VRI')
  setEntry(entries.object, signatureKey(contents), revision.add(forSignature))
  revision.change(entries.home)
  declareExtension(document, revision)
  const start = earlier.reduce((sum, { length }) => sum + length, document.bytes.length)
  return revision.write(start)
}

/** @see ISO 32000-2, 12.8.4.4 */
function signatureKey(contents: Uint8Array): string {
  return createHash('sha1').update(contents).digest('hex').toUpperCase()
}

function openStore(document: PdfDocument, revision: Revision): Kept<PdfDict> {
  const { catalog } = document
  const known = document.dictIn(catalog, 'DSS')
  if (known) return known
  const made = PdfDict.of({ Type: PdfName.of('DSS') })
  const home = revision.add(made)
  setEntry(catalog.object, 'DSS', home)
  revision.change(catalog.home)
  return { object: made, home }
}

function emptyIn(parent: Kept<PdfDict>, key: string): Kept<PdfDict> {
  const object = new PdfDict()
  setEntry(parent.object, key, object)
  return { object, home: parent.home }
}

interface Storing {
  readonly store: Kept<PdfDict>
  readonly key: string
  readonly elements: readonly Uint8Array[]
}

function stored(
  document: PdfDocument,
  revision: Revision,
  { store, key, elements }: Storing,
): PdfRef[] {
  const array = document.arrayIn(store, key)
  const known = knownElements(document, array ? [...array.object] : [])
  const added: PdfRef[] = []
  const refs = elements.map((element) => {
    const digest = digestOf(element)
    const ref = known.get(digest) ?? revision.add(packed(element))
    if (!known.has(digest)) added.push(ref)
    known.set(digest, ref)
    return ref
  })
  if (added.length === 0) return refs
  if (array) {
    array.object.push(...added)
    revision.change(array.home)
  } else {
    setEntry(store.object, key, new PdfArray(added))
    revision.change(store.home)
  }
  return refs
}

/** By digest. */
function knownElements(document: PdfDocument, items: readonly PdfObject[]): Map<string, PdfRef> {
  const known = new Map<string, PdfRef>()
  for (const item of items) {
    const stream = document.resolve(item)
    if (item instanceof PdfRef && stream instanceof PdfStream) {
      known.set(digestOf(stream.getDecodedData()), item)
    }
  }
  return known
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function packed(element: Uint8Array): PdfStream {
  return PdfStream.fromDict({ Filter: PdfName.of('FlateDecode') }, deflateSync(element))
}

const EXTENSION_LEVEL = 2

/** Says that the store is there, to readers of PDF 1.7. @see EN 319 142-1, 5.6 */
function declareExtension(document: PdfDocument, revision: Revision): void {
  const { catalog } = document
  const extensions = document.dictIn(catalog, 'Extensions') ?? emptyIn(catalog, 'Extensions')
  if (entry(extensions.object, 'ESIC')) return
  const level = PdfDict.of({
    BaseVersion: PdfName.of('1.7'),
    ExtensionLevel: PdfNumber.of(EXTENSION_LEVEL),
  })
  setEntry(extensions.object, 'ESIC', level)
  revision.change(extensions.home)
}
