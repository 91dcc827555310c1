import type { HashAlgorithm } from '../../keys/algorithms.js'
import { digestOf } from '../../keys/digest.js'
import { digestMethodUri } from '../xades/identifiers.js'
import { mediaTypeOf } from '../xades/media-type.js'
import { containerUri } from '../xades/subjects.js'
import { base64, element, type XmlText } from '../xades/xml-text.js'
import { CONTAINER_MEDIA_TYPES, type ContainerType } from './container-type.js'
import type { ZipEntry } from './zip.js'

const ASIC_NAMESPACE = 'http://uri.etsi.org/02918/v1.2.1#'
const DSIG_NAMESPACE = 'http://www.w3.org/2000/09/xmldsig#'
const OPEN_DOCUMENT_MANIFEST = 'urn:oasis:names:tc:opendocument:xmlns:manifest:1.0'
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** What an ASiCManifest ties together. */
export interface ManifestFacts {
  /** The signature, or the timestamp, that will be over the manifest. */
  readonly proof: { readonly name: string; readonly mediaType: string }
  readonly files: readonly ZipEntry[]
  readonly hash: HashAlgorithm
  /** The manifest among the files that is to be looked at next, of an archive manifest. */
  readonly rootFile?: string | undefined
}

/** Names files with their digests, and what proves them. @see EN 319 162-1, A.4 */
export function asicManifest({ proof, files, hash, rootFile }: ManifestFacts): Buffer {
  const { name, mediaType } = proof
  const manifest = element(
    'asic:ASiCManifest',
    { 'xmlns:asic': ASIC_NAMESPACE, 'xmlns:ds': DSIG_NAMESPACE },
    element('asic:SigReference', { URI: containerUri(name), MimeType: mediaType }),
    ...files.map((file) => dataObjectReference(file, hash, file.name === rootFile)),
  )
  return Buffer.from(DECLARATION + manifest)
}

function dataObjectReference(
  { name, bytes }: ZipEntry,
  hash: HashAlgorithm,
  isRoot: boolean,
): XmlText {
  const digest = digestOf(hash, bytes)
  return element(
    'asic:DataObjectReference',
    { URI: containerUri(name), MimeType: mediaTypeOf(bytes), Rootfile: isRoot ? 'true' : null },
    element('ds:DigestMethod', { Algorithm: digestMethodUri(hash.name) }),
    element('ds:DigestValue', {}, base64(digest)),
  )
}

/** The files by name, which readers of OpenDocument packages look for. @see EN 319 162-1, 4.4.3.1 */
export function openDocumentManifest(type: ContainerType, files: readonly ZipEntry[]): Buffer {
  const entry = (path: string, mediaType: string) =>
    element('manifest:file-entry', {
      'manifest:full-path': path,
      'manifest:media-type': mediaType,
    })
  const manifest = element(
    'manifest:manifest',
    { 'xmlns:manifest': OPEN_DOCUMENT_MANIFEST, 'manifest:version': '1.2' },
    entry('/', CONTAINER_MEDIA_TYPES[type]),
    ...files.map(({ name, bytes }) => entry(name, mediaTypeOf(bytes))),
  )
  return Buffer.from(DECLARATION + manifest)
}
