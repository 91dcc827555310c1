import {
  PdfArray,
  PdfDict,
  PdfName,
  PdfNumber,
  type PdfObject,
  type PdfRef,
  PdfStream,
  PdfString,
} from '@libpdf/core'
import { createHash } from 'node:crypto'
import type { PdfDocument } from './pdf-document.js'

type ByteWriter = Parameters<PdfObject['toBytes']>[0]
type Encryption = NonNullable<PdfDocument['pdf']['context']['info']['securityHandler']>

/** Bytes of fixed length that notice where they come to stand, to be filled in later. */
export class Gap {
  readonly type = 'raw'
  readonly bytes: Uint8Array
  /** From the beginning of the file. */
  start = -1

  constructor(text: string) {
    this.bytes = Buffer.from(text, 'latin1')
  }

  get end(): number {
    return this.start + this.bytes.length
  }

  toBytes(writer: ByteWriter): void {
    this.start = writer.position
    writer.writeBytes(this.bytes)
  }
}

/**
 * What is appended to a file at once: objects new and changed, and cross-references to them. The
 * bytes before it stay as they are. @see ISO 32000-1, 7.5.6
 *
 * This is the one part of PDF written here: the library's own updates refuse linearised files, leave out
 * entries of the trailer, and copy the whole file. The objects are encoded by the library.
 */
export class Revision {
  readonly #document: PdfDocument
  readonly #changed = new Map<number, PdfRef>()

  constructor(document: PdfDocument) {
    this.#document = document
  }

  add(object: PdfObject): PdfRef {
    return this.#registry.register(object)
  }

  /** @param home the indirect object that was changed */
  change(home: PdfRef): void {
    this.#changed.set(home.objectNumber, home)
  }

  /** @param start the length of the file so far */
  write(start: number): Buffer {
    const writer = new SectionWriter(start)
    if (start > 0) writer.writeAscii('\n')
    const rows = this.#objects().map(([ref, object]) => this.#writeObject(writer, ref, object))
    this.#writeCrossReferences(writer, rows)
    this.#registry.commitNewObjects()
    this.#changed.clear()
    return writer.bytes()
  }

  get #registry() {
    return this.#document.pdf.context.registry
  }

  #objects(): [PdfRef, PdfObject][] {
    const added = [...this.#registry.getNewObjects()]
    const isNew = new Set(added.map(([ref]) => ref.objectNumber))
    const changed = [...this.#changed.values()].filter((ref) => !isNew.has(ref.objectNumber))
    return [...changed.map((ref): [PdfRef, PdfObject] => [ref, this.#current(ref)]), ...added]
  }

  #current(ref: PdfRef): PdfObject {
    const object = this.#registry.resolve(ref)
    if (!object) throw new Error('A changed object has to exist')
    return object
  }

  #writeObject(writer: SectionWriter, ref: PdfRef, object: PdfObject): Row {
    const offset = writer.position
    writer.writeAscii(`${ref.objectNumber} ${ref.generation} obj\n`)
    this.#encrypted(object, ref).toBytes(writer.forLibrary)
    writer.writeAscii('\nendobj\n')
    return { number: ref.objectNumber, generation: ref.generation, offset }
  }

  #encrypted(object: PdfObject, ref: PdfRef): PdfObject {
    const encryption = this.#document.pdf.context.info.securityHandler
    return encryption ? encrypted(object, ref, encryption) : object
  }

  #writeCrossReferences(writer: SectionWriter, rows: readonly Row[]): void {
    const { crossReference } = this.#document
    const offset = writer.position
    if (crossReference.isStream) {
      const ref = this.#registry.allocateRef()
      const own = { number: ref.objectNumber, generation: 0, offset }
      writeStream(writer, ref, [...rows, own], this.#trailer(writer))
    } else {
      writeTable(writer, rows, this.#trailer(writer))
    }
    writer.writeAscii(`startxref\n${offset}\n%%EOF\n`)
    this.#document.crossReference = { offset, isStream: crossReference.isStream }
  }

  #trailer(writer: SectionWriter): PdfDict {
    const { trailer, crossReference } = this.#document
    const kept = [...trailer].filter(([name]) => !OF_ONE_SECTION.has(name.value))
    const size = Math.max(
      this.#document.numberIn(trailer, 'Size') ?? 0,
      this.#registry.nextObjectNumber,
    )
    return new PdfDict([
      ...kept.map(([name, value]): [string, PdfObject] => [name.value, value]),
      ['Size', PdfNumber.of(size)],
      ['Prev', PdfNumber.of(crossReference.offset)],
      ['ID', this.#identifier(writer)],
    ])
  }

  /**
   * The first half stays for ever, the second is of this revision: a digest, so that preparing the same
   * twice gives the same. @see ISO 32000-1, 14.4
   */
  #identifier(writer: SectionWriter): PdfArray {
    const { crossReference } = this.#document
    const digest = createHash('sha256').update(String(crossReference.offset)).update(writer.bytes())
    const revision = PdfString.fromBytes(digest.digest().subarray(0, IDENTIFIER_BYTES))
    const known = this.#document.lookUp(this.#document.trailer, 'ID')
    const permanent = known?.type === 'array' ? known.at(0) : undefined
    if (permanent?.type !== 'string') return PdfArray.of(revision, revision)
    return PdfArray.of(PdfString.fromBytes(permanent.bytes), revision)
  }
}

const IDENTIFIER_BYTES = 16

/** Entries of a trailer that tell of its own section, not of the document. */
const OF_ONE_SECTION = new Set(
  'Size Prev ID XRefStm Type W Index Length Filter DecodeParms DL'.split(' '),
)

interface Row {
  readonly number: number
  readonly generation: number
  readonly offset: number
}

/** Rows in order, those with consecutive numbers together. */
function subsections(rows: readonly Row[]): Row[][] {
  const found: Row[][] = []
  for (const row of rows.toSorted((one, other) => one.number - other.number)) {
    const last = found.at(-1)
    if (last?.at(-1)?.number === row.number - 1) last?.push(row)
    else found.push([row])
  }
  return found
}

/** @see ISO 32000-1, 7.5.4 */
function writeTable(writer: SectionWriter, rows: readonly Row[], trailer: PdfDict): void {
  writer.writeAscii('xref\n')
  for (const group of subsections(rows)) {
    writer.writeAscii(`${group[0]?.number ?? 0} ${group.length}\n`)
    for (const { offset, generation } of group) {
      writer.writeAscii(`${padded(offset, 10)} ${padded(generation, 5)} n\r\n`)
    }
  }
  writer.writeAscii('trailer\n')
  trailer.toBytes(writer.forLibrary)
  writer.writeAscii('\n')
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0')
}

/** Type, offset, generation. */
const FIELD_WIDTHS = [1, 5, 2] as const
const ROW_BYTES = FIELD_WIDTHS[0] + FIELD_WIDTHS[1] + FIELD_WIDTHS[2]
const IN_USE = 1

/** @see ISO 32000-1, 7.5.8 */
function writeStream(writer: SectionWriter, ref: PdfRef, rows: readonly Row[], trailer: PdfDict) {
  const groups = subsections(rows)
  const data = Buffer.alloc(rows.length * ROW_BYTES)
  for (const [at, { offset, generation }] of groups.flat().entries()) {
    data.writeUInt8(IN_USE, at * ROW_BYTES)
    data.writeUIntBE(offset, at * ROW_BYTES + 1, FIELD_WIDTHS[1])
    data.writeUInt16BE(generation, at * ROW_BYTES + 1 + FIELD_WIDTHS[1])
  }
  const index = groups.flatMap((group) => [group[0]?.number ?? 0, group.length])
  const stream = new PdfStream(trailer, data)
  stream.set('Type', PdfName.of('XRef'))
  stream.set('W', new PdfArray(FIELD_WIDTHS.map((width) => PdfNumber.of(width))))
  stream.set('Index', new PdfArray(index.map((number) => PdfNumber.of(number))))
  writer.writeAscii(`${ref.objectNumber} 0 obj\n`)
  stream.toBytes(writer.forLibrary)
  writer.writeAscii('\nendobj\n')
}

/** A copy with its strings and streams encrypted. Gaps are not: a signature is never. @see ISO 32000-1, 7.6.1 */
function encrypted(object: PdfObject, ref: PdfRef, encryption: Encryption): PdfObject {
  const { objectNumber, generation } = ref
  const inner = (item: PdfObject) => encrypted(item, ref, encryption)
  if (object instanceof PdfString) {
    const { bytes } = object
    return PdfString.fromBytes(
      repeatably(bytes, ref, () => encryption.encryptString(bytes, objectNumber, generation)),
    )
  }
  if (object instanceof PdfArray) return new PdfArray([...object].map(inner))
  if (!(object instanceof PdfDict)) return object
  const entries = [...object].map(([name, value]): [string, PdfObject] => [
    name.value,
    inner(value),
  ])
  if (!(object instanceof PdfStream)) return new PdfDict(entries)
  const { data } = object
  const sealed = repeatably(data, ref, () =>
    encryption.encryptStream(data, objectNumber, generation),
  )
  return new PdfStream(entries, sealed)
}

/**
 * Has the library take initialisation vectors from a digest of what it encrypts, and of where that
 * stands: preparing the same twice has to give the same, and equal texts still encrypt to different bytes.
 */
function repeatably<T>(plain: Uint8Array, ref: PdfRef, encrypt: () => T): T {
  const vector = createHash('sha512').update(`${ref.toString()}\n`).update(plain).digest()
  const getRandomValues = (array: Uint8Array) => {
    array.set(vector.subarray(0, array.length))
    return array
  }
  Object.defineProperty(crypto, 'getRandomValues', { value: getRandomValues, configurable: true })
  try {
    return encrypt()
  } finally {
    Reflect.deleteProperty(crypto, 'getRandomValues')
  }
}

/** Takes what the library encodes, at positions counted from the beginning of the file. */
class SectionWriter {
  readonly #start: number
  readonly #parts: Buffer[] = []
  #length = 0

  constructor(start: number) {
    this.#start = start
  }

  get position(): number {
    return this.#start + this.#length
  }

  writeByte(byte: number): void {
    this.writeBytes(Uint8Array.of(byte))
  }

  writeBytes(bytes: Uint8Array): void {
    this.#parts.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    this.#length += bytes.length
  }

  writeAscii(text: string): void {
    this.writeBytes(Buffer.from(text, 'latin1'))
  }

  writeUtf8(text: string): void {
    this.writeBytes(Buffer.from(text))
  }

  /** The library's class of this name is not exported; these are all of its methods that objects call. */
  get forLibrary(): ByteWriter {
    return this as unknown as ByteWriter
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}
