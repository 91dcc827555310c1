import { createHash } from 'node:crypto'
import type { Document, Hash } from '../algorithms.js'
import type { Answer } from '../exchange.js'
import { openPdf, samplePdf, sampleText, sampleXml, type OpenPdf, type PdfSort } from './samples.js'

export type Format = 'C' | 'X' | 'P' | 'J'

/** A form that signatures come in. */
export interface Kind {
  readonly format: Format
  readonly envelope: string
  /** Our extension: `ASiC-S` or `ASiC-E`. */
  readonly container: string | null
  /** Only a digest is sent. */
  readonly byDigest: boolean
  /** The envelope of the signature that is there before; null where there is none. */
  readonly beside: string | null
}

/** One signature to ask for. */
export interface Order extends Kind {
  /** Such as `B-LT`. */
  readonly level: string
  readonly label: string
  /** What goes to the server: a document, or a signature that gets another one beside it. */
  readonly document: Document
  /** What is signed in the end, and tampered with then. */
  readonly content: Buffer
  /** Where the signature of a digest goes, if it is to be part of a PDF. */
  readonly openPdf: OpenPdf | null
}

const DOCUMENTS: readonly (readonly [Format, string])[] = [
  ...(['Revision', 'Certification'] as const).map((name) => ['P', name] as const),
  ...(['Attached', 'Detached'] as const).map((name) => ['C', name] as const),
  ...(['Enveloped', 'Enveloping', 'Detached'] as const).map((name) => ['X', name] as const),
  ...(['Attached', 'Detached'] as const).map((name) => ['J', name] as const),
]
/** Envelopes that add to a signature, and what that one has to be: of the same format and level. */
const ADDING: readonly (readonly [Format, string, string])[] = [
  ...[['P', 'Revision', 'Certification'] as const, ['P', 'Revision', 'Revision'] as const],
  ...[['C', 'Parallel', 'Attached'] as const, ['J', 'Parallel', 'Attached'] as const],
]
const DIGESTS: readonly (readonly [Format, string])[] = [
  ...[['P', 'Revision'] as const, ['C', 'Detached'] as const],
  ...[['X', 'Detached'] as const, ['J', 'Detached'] as const],
]
const CONTAINERS: readonly (readonly [Format, string, string])[] = [
  ...[['C', 'Detached', 'ASiC-S'] as const, ['C', 'Parallel', 'ASiC-S'] as const],
  ...[['C', 'Detached', 'ASiC-E'] as const, ['C', 'Parallel', 'ASiC-E'] as const],
  ...[['X', 'Detached', 'ASiC-S'] as const, ['X', 'Parallel', 'ASiC-S'] as const],
  ...[['X', 'Detached', 'ASiC-E'] as const, ['X', 'Parallel', 'ASiC-E'] as const],
]

/** The kinds that `info` names; containers, which it has no member for, where they are asked for. */
export function kindsOffered(info: Answer, withExtensions: boolean): Kind[] {
  const { formats = [], envelope_properties: envelopes = [] } = (info.json?.['signature_formats'] ??
    {}) as { formats?: string[]; envelope_properties?: string[][] }
  const isOffered = (format: string, envelope: string) =>
    envelopes[formats.indexOf(format)]?.includes(envelope) ?? false
  const plain = (byDigest: boolean) =>
    (byDigest ? DIGESTS : DOCUMENTS)
      .filter(([format, envelope]) => isOffered(format, envelope))
      .map(([format, envelope]) => ({ ...PLAIN, format, envelope, byDigest }))
  const adding = ADDING.filter(([format, ...envelopes]) =>
    envelopes.every((envelope) => isOffered(format, envelope)),
  ).map(([format, envelope, beside]) => ({ ...PLAIN, format, envelope, beside }))
  const inContainers = CONTAINERS.filter(([format]) => withExtensions && formats.includes(format))
  return [
    ...plain(false),
    ...plain(true),
    ...adding,
    ...inContainers.map(([format, envelope, container]) => {
      const beside = envelope === 'Parallel' ? 'Detached' : null
      return { ...PLAIN, format, envelope, container, beside }
    }),
  ]
}

const PLAIN = { container: null, byDigest: false, beside: null }

/** What the level needs beside a digest is for the application to add, or needs the document. */
const LEVELS_OF_DIGESTS: Readonly<Record<Format, readonly string[]>> = {
  P: ['B-B', 'B-T', 'B-LT'],
  C: ['B-B', 'B-T', 'B-LT', 'B-LTA'],
  X: ['B-B', 'B-T', 'B-LT'],
  J: ['B-B', 'B-T', 'B-LT'],
}

export function isPossible({ format, byDigest }: Kind, level: string): boolean {
  return !byDigest || LEVELS_OF_DIGESTS[format].includes(level)
}

export function labelOf(
  key: string,
  { format, envelope, container, byDigest, beside }: Kind,
  level: string,
) {
  const after = beside === null || envelope === 'Parallel' ? null : `after ${beside}`
  const form = [container, byDigest ? 'digest' : null, after].filter((each) => each !== null)
  return [key, format, level, envelope, ...form].join(' ')
}

/** Over a document of its own. */
export function newOrder(key: string, kind: Kind, level: string, hash: Hash): Order {
  const label = labelOf(key, kind, level)
  const open = kind.byDigest && kind.format === 'P' ? openPdf(label, new Date()) : null
  const content = open?.covered ?? sampleFor(kind, level, label)
  return { ...kind, level, label, content, openPdf: open, document: documentOf(content, hash) }
}

/** Beside a signature that was made for another order, of the same level. */
export function parallelOrder(
  label: string,
  kind: Kind,
  { base, signature, hash }: { base: Order; signature: Buffer; hash: Hash },
): Order {
  const { level, content } = base
  return { ...kind, level, label, content, openPdf: null, document: documentOf(signature, hash) }
}

/** What an order for that kind puts another signature beside; null where it does not. */
export function kindBeside({ format, container, beside }: Kind): Kind | null {
  return beside === null ? null : { ...PLAIN, format, container, envelope: beside }
}

/** An item of `documents` or `documentDigests`, but for the algorithm. @param extended in words of ours as well */
export function itemOf(order: Order, extended: boolean): object {
  const { document, format, level, envelope, container, byDigest, label } = order
  return {
    ...(byDigest
      ? { hashes: [document.base64], hashAlgorithmOID: document.hash.oid }
      : { document: document.bytes.toString('base64') }),
    signature_format: format,
    conformance_level: `AdES-${level}`,
    signed_envelope_property: envelope,
    ...(container !== null && { container }),
    ...(extended && format === 'P' && envelope === 'Revision' && !byDigest && visible(order)),
    // which file a detached JWS is over has to be told by its name
    ...(format === 'J' && envelope === 'Detached' && { referenceUri: contentName(label) }),
  }
}

/** After a certification fields are invisible: pyHanko objects to others. */
function visible({ beside }: Kind): object {
  if (beside === 'Certification') return {}
  const y = beside === null ? 100 : 300
  const rect = { x: 100, y, width: 200, height: 60 }
  return { appearance: { rect, text: 'Žaneta Ćirić, Юлия Ωμέγα' } }
}

const EXTENSIONS = { P: 'pdf', C: 'p7m', X: 'xml', J: 'json' } as const

export function fileName({ label, format, container }: Order): string {
  const extension = container?.toLowerCase().replace('-', '') ?? EXTENSIONS[format]
  return `${label.replaceAll(' ', '_')}.${extension}`
}

/** Of the file with what a detached signature is over. */
export function contentName(label: string): string {
  return `${label.replaceAll(' ', '_')}.content`
}

/** Of each level another sort of PDF. */
const PDFS: Readonly<Record<string, PdfSort>> = {
  'B-B': { version: '1.4' },
  'B-T': { version: '2.0', page: '/Rotate 90' },
  'B-LT': { version: '1.7', page: '/Rotate 180 /CropBox [50 50 500 820]', field: true },
  'B-LTA': { version: '1.7', field: true },
}

function sampleFor({ format, envelope, container }: Kind, level: string, title: string): Buffer {
  if (format === 'P') return samplePdf(title, PDFS[level])
  const isXml = format === 'X' && envelope === 'Enveloped' && container === null
  return isXml ? sampleXml(title) : sampleText(title)
}

function documentOf(bytes: Buffer, hash: Hash): Document {
  const digest = createHash(hash.name).update(bytes).digest()
  return {
    ...{ bytes, digest, hash },
    base64: digest.toString('base64'),
    base64url: digest.toString('base64url'),
  }
}
