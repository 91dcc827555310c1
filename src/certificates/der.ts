/*
 * The parsers we use are lenient: a SEQUENCE with the bit of a primitive, a long length in many
 * bytes, or TRUE as 01 pass through them. What we sign is DER and nothing else.
 */

const BOOLEAN = 0x01
const INTEGER = 0x02
const NULL = 0x05
const SEQUENCE = 0x10
const SET = 0x11
const CONSTRUCTED = 0x20
const CLASS_BITS = 0xc0

interface Element {
  readonly tag: number
  readonly content: Buffer
  readonly end: number
}

/** Whether `bytes` is one DER element, as far as form goes: tags, lengths, nesting, short values. */
export function isDer(bytes: Buffer): boolean {
  const element = readElement(bytes, 0)
  return element?.end === bytes.length && isWellFormed(element)
}

/** A SEQUENCE of elements as they are: encoded anew, they might be mended on the way. */
export function sequenceOf(...elements: readonly Buffer[]): Buffer {
  const content = Buffer.concat(elements)
  return Buffer.concat([header(CONSTRUCTED | SEQUENCE, content.length), content])
}

function header(tag: number, bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.of(tag, bytes)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes)
  const short = length.subarray(length.findIndex((byte) => byte !== 0))
  return Buffer.concat([Buffer.of(tag, 0x80 | short.length), short])
}

function isWellFormed({ tag, content }: Element): boolean {
  const constructed = (tag & CONSTRUCTED) !== 0
  if ((tag & CLASS_BITS) === 0) {
    const number = tag & ~CONSTRUCTED
    if (constructed !== (number === SEQUENCE || number === SET)) return false
    if (number === BOOLEAN && !isBoolean(content)) return false
    if (number === INTEGER && !isInteger(content)) return false
    if (number === NULL && content.length > 0) return false
  }
  return !constructed || holdsWellFormedElements(content)
}

function holdsWellFormedElements(content: Buffer): boolean {
  for (let at = 0; at < content.length;) {
    const element = readElement(content, at)
    if (element === null || !isWellFormed(element)) return false
    at = element.end
  }
  return true
}

function isBoolean(content: Buffer): boolean {
  return content.length === 1 && (content[0] === 0x00 || content[0] === 0xff)
}

function isInteger(content: Buffer): boolean {
  const [first, second = 0] = content
  if (first === undefined) return false
  const padded = (first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80)
  return content.length === 1 || !padded
}

function readElement(bytes: Buffer, at: number): Element | null {
  const [tag, first] = bytes.subarray(at, at + 2)
  if (tag === undefined || first === undefined) return null
  if (tag === 0 || (tag & 0x1f) === 0x1f) return null // end of contents; no tag of ours is that high
  let start = at + 2
  let length = first
  if (first >= 0x80) {
    const digits = bytes.subarray(start, start + (first & 0x7f))
    if (digits.length !== (first & 0x7f) || digits.length === 0 || digits.length > 4) return null
    length = digits.readUIntBE(0, digits.length)
    if (length < 0x80 || digits[0] === 0) return null
    start += digits.length
  }
  const end = start + length
  return end > bytes.length ? null : { tag, content: bytes.subarray(start, end), end }
}

/**
 * The elements inside one, each whole, without a look into them: lists of revoked certificates have
 * hundreds of thousands. @throws {Error} when it is not DER as far as that
 */
export function* elementsIn(der: Buffer): Generator<Buffer> {
  const outer = readElement(der, 0)
  if (outer?.end !== der.length || (outer.tag & CONSTRUCTED) === 0) {
    throw new Error('Not one structure in DER')
  }
  const { content } = outer
  for (let at = 0; at < content.length;) {
    const element = readElement(content, at)
    if (element === null) throw new Error('Not DER')
    yield content.subarray(at, element.end)
    at = element.end
  }
}
