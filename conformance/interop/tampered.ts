import { buffer } from 'node:stream/consumers'
import { fromBufferPromise } from 'yauzl'
import { ZipFile } from 'yazl'
import type { Exhibit } from './judges.js'
import type { Order } from './orders.js'

/**
 * The signature, or the content apart from it, with one letter of the document changed; null when none is
 * found.
 */
export async function tampered(
  bytes: Buffer,
  { content }: Order,
  exhibit: Exhibit,
): Promise<Buffer | null> {
  if (exhibit.container !== null) return changedContainer(bytes, content)
  if (exhibit.format === 'J' && exhibit.content === null) return changedPayload(bytes, content)
  const plain = bytes.toString('latin1')
  const encoded = content.toString('base64').slice(0, 8)
  for (const [word, instead] of [
    ['B-', 'C-'],
    [encoded, `X${encoded.slice(1)}`],
  ] as const) {
    const at = plain.indexOf(word)
    if (at >= 0) {
      const changed = plain.slice(0, at) + instead + plain.slice(at + word.length)
      return Buffer.from(changed, 'latin1')
    }
  }
  return null
}

function changedPayload(jws: Buffer, content: Buffer): Buffer | null {
  const text = jws.toString('utf8')
  const payload = content.toString('base64url')
  if (!text.includes(payload)) return null
  return Buffer.from(text.replace(payload, changedText(content).toString('base64url')))
}

function changedText(content: Buffer): Buffer {
  return Buffer.from(content.toString('latin1').replace('W', 'V'), 'latin1')
}

/** Its files in their order, of which the one with the document has another letter. */
async function changedContainer(archive: Buffer, content: Buffer): Promise<Buffer | null> {
  const zip = await fromBufferPromise(archive)
  const changed = new ZipFile()
  let isChanged = false
  for await (const entry of zip.eachEntry()) {
    const bytes = await buffer(await zip.openReadStreamPromise(entry))
    const isDocument = bytes.equals(content)
    isChanged ||= isDocument
    const compress = entry.fileName !== 'mimetype'
    changed.addBuffer(isDocument ? changedText(bytes) : bytes, entry.fileName, { compress })
  }
  changed.end()
  return isChanged ? buffer(changed.outputStream) : null
}
