import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { fromBufferPromise, type Entry } from 'yauzl'
import { ZipFile } from 'yazl'

/** A file of an archive. */
export interface ZipEntry {
  /** Its path, with slashes. */
  readonly name: string
  readonly bytes: Buffer
}

/** More than a container of documents has. */
const MOST_ENTRIES = 1_000
/** Of all files together, unpacked. */
const MOST_BYTES = 256 * 1024 * 1024

/**
 * The files of an archive, in its order. Sizes are looked at before anything is unpacked, and hold:
 * the library stops a file that is longer than its entry says.
 * @throws {Error} when it is none or damaged, when names are doubled or unsafe, and for what unpacks to too much
 */
export async function readZip(archive: Buffer): Promise<ZipEntry[]> {
  const zip = await fromBufferPromise(archive, { strictFileNames: true })
  if (zip.entryCount > MOST_ENTRIES) throw new Error('Too many files')
  const entries: Entry[] = []
  for await (const entry of zip.eachEntry()) entries.push(entry)
  rejectUnfit(entries, archive.length)
  if (!isReadOneWay(entries, archive)) throw new Error('Readers find different files')
  const files: ZipEntry[] = []
  for (const entry of entries.filter(({ fileName }) => !fileName.endsWith('/'))) {
    const bytes = await buffer(await zip.openReadStreamPromise(entry))
    if (crc32(bytes) !== entry.crc32) throw new Error('A file is damaged')
    files.push({ name: entry.fileName, bytes })
  }
  return files
}

function rejectUnfit(entries: readonly Entry[], archiveBytes: number): void {
  const sum = (size: (entry: Entry) => number) =>
    entries.reduce((total, entry) => total + size(entry), 0)
  if (sum(({ uncompressedSize }) => uncompressedSize) > MOST_BYTES) throw new Error('Too large')
  // entries that share their bytes are how small archives become large
  if (sum(({ compressedSize }) => compressedSize) > archiveBytes) throw new Error('Overlapping')
  const names = new Set(entries.map(({ fileName }) => fileName.toLowerCase()))
  if (names.size !== entries.length) throw new Error('A file name is there twice')
  if (entries.some((entry) => !entry.canDecodeFileData())) throw new Error('Not readable')
}

/** Offsets in what stands before a file. @see APPNOTE 4.3.7 */
const AT = { flags: 6, method: 8, packed: 18, nameLength: 26, extraLength: 28, name: 30 }
const HAS_DESCRIPTOR = 1 << 3
/** Of the sizes behind a file (APPNOTE 4.3.9), at most; a hidden file would need more. */
const DESCRIPTOR_BYTES = 24
const IN_EXTRA_FIELD = 0xffffffff
const UNICODE_PATH = 0x7075
const DIRECTORY = Buffer.from('PK\x01\x02', 'latin1')

/** Whether a reader that goes from file to file finds what the directory has, and nothing else. */
function isReadOneWay(entries: readonly Entry[], archive: Buffer): boolean {
  if (!entries.every((entry) => isSaidTwice(entry, archive))) return false
  const places = entries
    .map((entry) => ({ start: entry.relativeOffsetOfLocalHeader, end: endOf(entry, archive) }))
    .toSorted((one, other) => one.start - other.start)
  const directory = archive.indexOf(DIRECTORY, places.at(-1)?.end ?? 0)
  let at = 0
  for (const { start, end } of [...places, { start: directory, end: directory }]) {
    if (start < at || start - at > DESCRIPTOR_BYTES) return false
    at = end
  }
  return true
}

/** Whether what stands before a file says of it what the directory says. */
function isSaidTwice(entry: Entry, archive: Buffer): boolean {
  const start = entry.relativeOffsetOfLocalHeader
  if (start + AT.name > archive.length) return false
  const extraAt = start + AT.name + archive.readUInt16LE(start + AT.nameLength)
  const packed = archive.readUInt32LE(start + AT.packed)
  const isLater = (archive.readUInt16LE(start + AT.flags) & HAS_DESCRIPTOR) !== 0
  return (
    archive.subarray(start + AT.name, extraAt).equals(entry.fileNameRaw) &&
    archive.readUInt16LE(start + AT.method) === entry.compressionMethod &&
    (isLater || packed === IN_EXTRA_FIELD || packed === entry.compressedSize) &&
    [entry.extraFieldRaw, archive.subarray(extraAt, dataOf(entry, archive))].every((extra) =>
      unicodePaths(extra).every((path) => hasName(entry, path)),
    )
  )
}

/** An ASCII name has no other one beside it. */
function hasName({ fileName, fileNameRaw }: Entry, path: Buffer): boolean {
  const isAscii = fileNameRaw.every((octet) => octet < 0x80)
  return path.equals(isAscii ? fileNameRaw : Buffer.from(fileName))
}

/** Names in UTF-8, which some readers take in the place of the one that all know. @see APPNOTE 4.6.9 */
function unicodePaths(extra: Buffer): Buffer[] {
  const paths: Buffer[] = []
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    const field = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2))
    if (extra.readUInt16LE(at) === UNICODE_PATH) paths.push(field.subarray(5))
  }
  return paths
}

function dataOf({ relativeOffsetOfLocalHeader: start }: Entry, archive: Buffer): number {
  const lengths = [AT.nameLength, AT.extraLength].map((at) => archive.readUInt16LE(start + at))
  return lengths.reduce((sum, each) => sum + each, start + AT.name)
}

function endOf(entry: Entry, archive: Buffer): number {
  return dataOf(entry, archive) + entry.compressedSize
}

/**
 * An archive of these files. The first is neither compressed nor has extra fields, so that its
 * content stands at a known place. @see EN 319 162-1, A.1
 */
export function writeZip(files: readonly ZipEntry[], modified: Date): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [at, { name, bytes }] of files.entries()) {
    zip.addBuffer(bytes, name, { compress: at > 0, forceDosTimestamp: true, mtime: modified })
  }
  zip.end()
  return buffer(zip.outputStream)
}
