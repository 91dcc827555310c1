import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { MalformedRequestError } from '../errors.js'

/**
 * A document that came as Base64 in a large body. It was decoded where it stood there: no string was ever
 * made of it.
 */
export class LargeMember {
  /** Null when it was no Base64. */
  readonly bytes: Buffer | null
  /** Of its text. */
  readonly length: number
  constructor(bytes: Buffer | null, length: number) {
    this.bytes = bytes
    this.length = length
  }
}

/** Of the members that are decoded so. */
const NAME = Buffer.from('"document"')
/** Smaller ones are strings as any other. */
export const LARGE = 64 * 1024
const MOST_STRINGS = 100_000

/** A body without its large members, by what stands in their place. */
export interface LightBody {
  readonly json: Buffer
  readonly members: ReadonlyMap<string, LargeMember>
}

/**
 * Takes the large members out of JSON that nobody has looked at yet. What is no JSON stays none.
 * @param body is written over
 * @throws {MalformedRequestError} when there are more strings in it than in any honest request
 */
export async function withoutLargeMembers(body: Buffer): Promise<LightBody> {
  const members = new Map<string, LargeMember>()
  const parts: Buffer[] = []
  let copied = 0
  for (const { start, end } of largeTexts(body)) {
    // Not to be guessed: no other string of the request is taken for it.
    const name = randomUUID()
    parts.push(Buffer.from(body.subarray(copied, start)), Buffer.from(name))
    members.set(name, new LargeMember(await decodeInPlace(body.subarray(start, end)), end - start))
    copied = end
  }
  return { json: Buffer.concat([...parts, body.subarray(copied)]), members }
}

/** Between its quotation marks. */
interface Span {
  readonly start: number
  readonly end: number
}

function largeTexts(body: Buffer): Span[] {
  const found: Span[] = []
  let name: Span = { start: 0, end: 0 }
  let strings = 0
  for (let open = body.indexOf(QUOTE); open >= 0; open = body.indexOf(QUOTE, name.end + 1)) {
    const text = { start: open + 1, end: endOfString(body, open + 1) }
    if (text.end - text.start >= LARGE && isDocument(body, name, text)) found.push(text)
    if ((strings += 1) > MOST_STRINGS) throw new MalformedRequestError('strings')
    name = text
  }
  return found
}

const QUOTE = '"'.charCodeAt(0)
const BACKSLASH = '\\'.charCodeAt(0)

/** @returns the end of the body for one that has no end */
function endOfString(body: Buffer, start: number): number {
  for (let end = body.indexOf(QUOTE, start); end >= 0; end = body.indexOf(QUOTE, end + 1)) {
    let before = end
    while (before > start && body[before - 1] === BACKSLASH) before -= 1
    if ((end - before) % 2 === 0) return end
  }
  return body.length
}

const MOST_SPACE = 100

function isDocument(body: Buffer, name: Span, { start }: Span): boolean {
  if (!body.subarray(name.start - 1, name.end + 1).equals(NAME)) return false
  const between = body.subarray(name.end + 1, start - 1)
  return between.length <= MOST_SPACE && between.toString('latin1').trim() === ':'
}

/** Divisible by 4. */
const PIECE = 64 * 1024
const LONGEST_ESCAPE = 6
/** Pieces after which others have their turn. */
const PIECES_AT_ONCE = 16

/** Either alphabet, padded or not; with another character in it there are fewer bytes than there should be. */
async function decodeInPlace(text: Buffer): Promise<Buffer | null> {
  let [at, length, left] = [0, 0, '']
  for (let pieces = 1; at < text.length; pieces += 1) {
    const end = endOfPiece(text, at)
    const piece = unescaped(text.toString('latin1', at, end))
    if (piece === null) return null
    const isLast = end === text.length
    const whole = left + piece
    const digits = isLast ? whole : whole.slice(0, whole.length - (whole.length % 4))
    const expected = isLast ? decodedLength(digits) : (digits.length / 4) * 3
    if (expected === null || text.write(digits, length, 'base64') !== expected) return null
    left = whole.slice(digits.length)
    length += expected
    at = end
    if (pieces % PIECES_AT_ONCE === 0) await setImmediate()
  }
  return text.subarray(0, length)
}

/** No escape is divided. */
function endOfPiece(text: Buffer, start: number): number {
  const end = start + PIECE
  if (end >= text.length) return text.length
  const escape = text.subarray(end - LONGEST_ESCAPE, end).lastIndexOf(BACKSLASH)
  return escape < 0 ? end : end - LONGEST_ESCAPE + escape
}

/** Slashes and plus signs come escaped from some. */
function unescaped(text: string): string | null {
  if (!text.includes('\\')) return text
  try {
    return JSON.parse(`"${text}"`) as string
  } catch {
    return null
  }
}

/** Bytes in so much Base64; null where it cannot be. */
export function decodedLength(text: string): number | null {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const digits = text.length - padding
  if (digits % 4 === 1 || (padding > 0 && text.length % 4 !== 0)) return null
  return Math.floor((digits * 3) / 4)
}
