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
  if (!entries.every((entry) => isNamedTheSame(entry, archive))) throw new Error('Two names')
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

const NAME_LENGTH_AT = 26
const NAME_AT = 30

/** Whether a reader that goes from file to file finds the name that the directory has. */
function isNamedTheSame(
  { relativeOffsetOfLocalHeader: start, fileNameRaw }: Entry,
  archive: Buffer,
): boolean {
  if (start + NAME_AT > archive.length) return false
  const length = archive.readUInt16LE(start + NAME_LENGTH_AT)
  return archive.subarray(start + NAME_AT, start + NAME_AT + length).equals(fileNameRaw)
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
