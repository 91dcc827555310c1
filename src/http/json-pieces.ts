import { Readable } from 'node:stream'

/** Bytes that become Base64 at a time; divisible by 3. */
const PIECE = 48 * 1024

/** Text of JSON, and between it bytes that are to stand there as Base64. */
type Part = string | Buffer

/** JSON of what holds bytes, as Base64: made while it is sent, so that there is never all of it. */
export function jsonInPieces(value: unknown): {
  readonly length: number
  readonly stream: Readable
} {
  const parts = partsOf(value)
  const length = parts.reduce((sum, part) => sum + lengthOf(part), 0)
  return { length, stream: Readable.from(pieces(parts), { objectMode: false }) }
}

function partsOf(value: unknown): Part[] {
  if (Buffer.isBuffer(value)) return ['"', value, '"']
  if (typeof value !== 'object' || value === null) return [JSON.stringify(value)]
  if (Array.isArray(value)) return ['[', ...separated(value.map(partsOf)), ']']
  const members = Object.entries(value).map(([name, each]) => {
    return [`${JSON.stringify(name)}:`, ...partsOf(each)]
  })
  return ['{', ...separated(members), '}']
}

function separated(elements: readonly Part[][]): Part[] {
  return elements.flatMap((parts, index) => (index === 0 ? parts : [',', ...parts]))
}

/** In bytes, as it is sent. */
function lengthOf(part: Part): number {
  return Buffer.isBuffer(part) ? Math.ceil(part.length / 3) * 4 : Buffer.byteLength(part)
}

function* pieces(parts: readonly Part[]): Generator<Buffer> {
  for (const part of parts) {
    if (!Buffer.isBuffer(part)) yield Buffer.from(part)
    else {
      for (let at = 0; at < part.length; at += PIECE) {
        yield Buffer.from(part.toString('base64', at, at + PIECE), 'latin1')
      }
    }
  }
}
