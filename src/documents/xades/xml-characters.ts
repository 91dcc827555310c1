import { UnfitDocumentError } from '../../errors.js'

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'iso-8859-1' | 'us-ascii'

/** A document as characters, and the way back to its bytes. */
export interface XmlCharacters {
  readonly encoding: Encoding
  /** Without the byte order mark. */
  readonly text: string
  readonly hasByteOrderMark: boolean
}

const BYTE_ORDER_MARKS: readonly { readonly encoding: Encoding; readonly bytes: Buffer }[] = [
  { encoding: 'utf-8', bytes: Buffer.from('efbbbf', 'hex') },
  { encoding: 'utf-16le', bytes: Buffer.from('fffe', 'hex') },
  { encoding: 'utf-16be', bytes: Buffer.from('feff', 'hex') },
]

/** Names in XML declarations, in lower case. */
const DECLARED: Readonly<Record<string, readonly Encoding[]>> = {
  'utf-8': ['utf-8'],
  'utf-16': ['utf-16le', 'utf-16be'],
  'utf-16le': ['utf-16le'],
  'utf-16be': ['utf-16be'],
  'iso-8859-1': ['iso-8859-1'],
  'us-ascii': ['us-ascii'],
}

/**
 * Every parser that comes later gets these characters, so that no two of them can take the same
 * bytes for different text.
 *
 * @throws {UnfitDocumentError} when the encoding is not one of ours, or the bytes are none of it
 */
export function decodeXml(bytes: Buffer): XmlCharacters {
  const mark = BYTE_ORDER_MARKS.find((each) =>
    bytes.subarray(0, each.bytes.length).equals(each.bytes),
  )
  const content = bytes.subarray(mark?.bytes.length ?? 0)
  rejectOtherFiles(content)
  const encoding = mark?.encoding ?? declaredEncoding(content.toString('latin1', 0, 200))
  const text = decode(content, encoding)
  const characters = { encoding, text, hasByteOrderMark: mark !== undefined }
  rejectContradiction(text.slice(0, 200), encoding)
  if (!encodeXml(characters).equals(bytes)) throw foreignBytes(encoding)
  return characters
}

/** White space of XML, and what stands beside each character in UTF-16. */
const BEFORE_XML: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0d, 0x0a, 0x00])

/** Who sends something else need not hear about characters. */
function rejectOtherFiles(content: Buffer): void {
  const first = content.find((octet) => !BEFORE_XML.has(octet))
  if (first !== '<'.charCodeAt(0)) throw new UnfitDocumentError('The document is not XML')
}

function foreignBytes(encoding: Encoding, options?: ErrorOptions): UnfitDocumentError {
  return new UnfitDocumentError(`The XML has bytes that are no characters in ${encoding}`, options)
}

/** The bytes, as they were. Characters that the encoding does not have become references to them. */
export function encodeXml({ encoding, text, hasByteOrderMark }: XmlCharacters): Buffer {
  const mark = BYTE_ORDER_MARKS.find((each) => hasByteOrderMark && each.encoding === encoding)
  return Buffer.concat([mark?.bytes ?? Buffer.alloc(0), encode(text, encoding)])
}

const DECLARATION = /^<\?xml\s[^>]*?\sencoding\s*=\s*(?:"([^"]{1,40})"|'([^']{1,40})')/
const VERSION = /^<\?xml\s+version\s*=\s*(?:"([^"]*)"|'([^']*)')/

function declaredEncoding(start: string): Encoding {
  if (start.includes('\0')) throw new UnfitDocumentError('UTF-16 needs a byte order mark')
  const name = encodingName(start)
  const [encoding, another] = name === null ? (['utf-8'] as const) : known(name)
  if (encoding === undefined) {
    throw new UnfitDocumentError(
      `XML in the character encoding ${JSON.stringify(name)} is not signed: send it as UTF-8`,
    )
  }
  if (another !== undefined) throw new UnfitDocumentError('UTF-16 needs a byte order mark')
  return encoding
}

function encodingName(start: string): string | null {
  const match = DECLARATION.exec(start)
  return match?.[1] ?? match?.[2] ?? null
}

function known(name: string): readonly Encoding[] {
  const key = name.toLowerCase()
  return Object.hasOwn(DECLARED, key) ? (DECLARED[key] ?? []) : []
}

function rejectContradiction(start: string, encoding: Encoding): void {
  const name = encodingName(start)
  if (name !== null && !known(name).includes(encoding)) {
    throw new UnfitDocumentError(
      'The declared character encoding is another than that of the bytes',
    )
  }
  const match = VERSION.exec(start)
  const version = match?.[1] ?? match?.[2] ?? '1.0'
  if (version !== '1.0') throw new UnfitDocumentError('Only XML 1.0 can be signed')
}

function decode(bytes: Buffer, encoding: Encoding): string {
  if (encoding === 'iso-8859-1' || encoding === 'us-ascii') return bytes.toString('latin1')
  if (encoding === 'utf-8') return decodeStrictly(bytes, 'utf-8')
  if (bytes.length % 2 !== 0) throw foreignBytes(encoding)
  return decodeStrictly(encoding === 'utf-16le' ? bytes : swapped(bytes), 'utf-16le')
}

function decodeStrictly(bytes: Buffer, label: 'utf-8' | 'utf-16le'): string {
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw foreignBytes(label, { cause })
  }
}

function encode(text: string, encoding: Encoding): Buffer {
  switch (encoding) {
    case 'utf-8':
      return Buffer.from(text, 'utf8')
    case 'utf-16le':
      return Buffer.from(text, 'utf16le')
    case 'utf-16be':
      return swapped(Buffer.from(text, 'utf16le'))
    case 'iso-8859-1':
      return Buffer.from(withReferencesAbove(0xff, text), 'latin1')
    case 'us-ascii':
      return Buffer.from(withReferencesAbove(0x7f, text), 'latin1')
  }
}

function withReferencesAbove(last: number, text: string): string {
  return text.replace(/[^ -~]/gu, (character) => {
    const codePoint = character.codePointAt(0) ?? 0
    return codePoint <= last ? character : `&#x${codePoint.toString(16).toUpperCase()};`
  })
}

function swapped(bytes: Buffer): Buffer {
  return Buffer.from(bytes).swap16()
}
