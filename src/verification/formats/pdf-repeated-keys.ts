import { PdfRef, PdfStream } from '@libpdf/core'
import type { PdfDocument } from '../../documents/pades/pdf-document.js'

/** So many times the length of a file is read at most; objects of honest files do not overlap. */
const MOST_READING = 4
const MOST_FOUND = 10

/**
 * Keys that a dictionary has twice, with two values. Some readers take the first, others the last (ISO
 * 32000-2, 7.3.7, leaves it open): what one of them shows, another does not.
 * @param from where in the file to begin
 */
export function repeatedKeys(document: PdfDocument, from = 0): string[] {
  const text = Buffer.from(document.bytes.subarray(from)).toString('latin1')
  const found = new Set<string>()
  let left = text.length * MOST_READING + 10_000
  const read = (part: string, at: number, once: boolean) => {
    const object = readDictionaries(part, at, { found, once, most: left })
    left -= object.read
    return object
  }
  for (const { 0: marker, 1: number, 2: generation, index } of text.matchAll(OBJECT)) {
    if (left <= 0 || found.size >= MOST_FOUND) break
    const { isObjectStream } = read(text, index + marker.length, true)
    if (!isObjectStream || number === undefined) continue
    const stream = document.resolve(PdfRef.of(Number(number), Number(generation)))
    if (!(stream instanceof PdfStream)) continue
    read(Buffer.from(stream.getDecodedData()).toString('latin1'), 0, false)
  }
  // What takes that long to read is no honest file either.
  if (left <= 0) found.add('…')
  return [...found]
}

/** Before every object of a file, wherever it stands, and before the trailer. */
const OBJECT = /(?<![^\s>])(?:(\d{1,10})\s+(\d{1,5})\s+obj|trailer)(?![A-Za-z])/g

const TOKEN = /%[^\r\n]*|<<|>>|<[^<>]*>|[[\]{}()]|\/[^\s\0()<>[\]{}/%]*|[^\s\0()<>[\]{}/%]+|>/g

interface Dictionary {
  /** Texts of values, by key. */
  readonly values: Map<string, string>
  /** Whose value is being read; null before the first. */
  key: { readonly name: string; readonly end: number } | null
  hasValue: boolean
}

/** Looks through the object that begins there, or through all there are. */
function readDictionaries(
  text: string,
  start: number,
  { found, once, most }: { found: Set<string>; once: boolean; most: number },
): { read: number; isObjectStream: boolean } {
  const open: (Dictionary | null)[] = []
  let isObjectStream = false
  TOKEN.lastIndex = start
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    const [token] = match
    if (match.index - start > most || (once && ENDS.has(token))) break
    if (token.startsWith('%')) continue
    if (token === '(') TOKEN.lastIndex = endOfString(text, match.index)
    const top = open.at(-1)
    if (token === '>>' || token === ']') {
      const closed = open.pop()
      if (closed) endValue(closed, text, match.index, found)
      if (open.length === 0 && closed) isObjectStream ||= closed.values.get('Type') === '/ObjStm'
      const around = open.at(-1)
      if (around) around.hasValue = true
    } else if (top && token.startsWith('/') && (top.key === null || top.hasValue)) {
      endValue(top, text, match.index, found)
      Object.assign(top, { key: { name: nameOf(token), end: TOKEN.lastIndex }, hasValue: false })
    } else if (token === '<<' || token === '[') {
      open.push(token === '[' ? null : { values: new Map(), key: null, hasValue: false })
    } else if (top) {
      top.hasValue = true
    }
  }
  return {
    read: Math.max(0, Math.min(TOKEN.lastIndex || text.length, text.length) - start),
    isObjectStream,
  }
}

const ENDS: ReadonlySet<string> = new Set(['endobj', 'stream', 'obj', 'startxref'])

function endValue({ key, values }: Dictionary, text: string, end: number, found: Set<string>) {
  if (key === null) return
  const value = text.slice(key.end, end).trim()
  const before = values.get(key.name)
  if (before !== undefined && before !== value) found.add(key.name)
  values.set(key.name, value)
}

/** Any letter of a name may be written by its number (ISO 32000-1, 7.3.5). */
function nameOf(token: string): string {
  return token
    .slice(1)
    .replace(/#([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}

function endOfString(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at += 1) {
    const character = text[at]
    if (character === '\\') at += 1
    else if (character === '(') depth += 1
    else if (character === ')' && --depth === 0) return at + 1
  }
  return text.length
}
