/** What a signature in a PDF is over, judged by the bytes of the file alone. */
export interface SignedBytes {
  /** What was hashed: all up to the end of the revision but the value of the signature. */
  readonly signed: Buffer
  /** The value, as the digits between its brackets say. */
  readonly contents: Buffer
  /** Where the signed revision ends in the file. */
  readonly end: number
}

const HEX = /^(?:[0-9A-Fa-f]{2})+$/
const END_OF_REVISION = /%%EOF[\r\n]{0,2}$/

/**
 * The byte range has to begin at the beginning, leave out one hexadecimal string and nothing else, and end
 * where a revision ends. Null for any other: what it leaves out would be for anybody to change.
 * @see ISO 32000-2, 12.8.1
 */
export function signedBytes(file: Buffer, byteRange: readonly number[]): SignedBytes | null {
  const [start, before = -1, after = -1, rest = -1, more] = byteRange
  const areOffsets = byteRange.every((each) => Number.isSafeInteger(each) && each >= 0)
  if (!areOffsets || start !== 0 || more !== undefined) return null
  const end = after + rest
  if (before >= after || rest <= 0 || end > file.length) return null
  const digits = file.toString('latin1', before + 1, after - 1)
  if (file[before] !== 0x3c || file[after - 1] !== 0x3e || !HEX.test(digits)) return null
  if (!END_OF_REVISION.test(file.toString('latin1', Math.max(after, end - 8), end))) return null
  return {
    signed: Buffer.concat([file.subarray(0, before), file.subarray(after, end)]),
    contents: Buffer.from(digits, 'hex'),
    end,
  }
}

const LAST_LINES = /startxref\s+(\d{1,10})\s+%%EOF\s*$/

/**
 * Whether what stands in a file from `start` to `end` ends as a revision does, white space apart: by saying
 * where in it its cross-references are.
 */
export function isRevision(file: Buffer, start: number, end: number): boolean {
  const [, offset] = LAST_LINES.exec(file.toString('latin1', Math.max(start, end - 128), end)) ?? []
  return offset !== undefined && Number(offset) >= start && Number(offset) < end
}

/** Whether nothing but an end of line follows. */
export function isEnd(file: Buffer, end: number): boolean {
  return /^[\r\n]{0,2}$/.test(file.toString('latin1', end, Math.min(file.length, end + 3)))
}
