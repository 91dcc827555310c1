import type { IncomingMessage } from 'node:http'
import type { Context } from 'koa'
import getRawBody from 'raw-body'
import { MalformedRequestError, RequestTooLargeError } from '../errors.js'
import { LARGE } from './large-members.js'

/**
 * Reads a body while counting its bytes. Compressed bodies are refused, so that a small request cannot
 * become a large one.
 * @throws {RequestTooLargeError} @throws {MalformedRequestError}
 */
export async function readBytes(ctx: Context, limit: number): Promise<Buffer> {
  const encoding = ctx.get('content-encoding')
  if (encoding !== '' && encoding !== 'identity') {
    throw new MalformedRequestError('content encoding')
  }
  const length = ctx.get('content-length')
  try {
    if (Number(length) >= LARGE && Number(length) <= limit) {
      return await readExactly(ctx.req, Number(length))
    }
    return await getRawBody(ctx.req, { limit, length: length || null })
  } catch (error) {
    if ((error as { type?: string }).type === 'entity.too.large') {
      // The connection ends with the answer, whatever is still coming then.
      ctx.set('Connection', 'close')
      if (!(Number(length) > MOST_DISCARDED)) await discardRest(ctx.req)
      throw new RequestTooLargeError('body')
    }
    throw new MalformedRequestError('body', { cause: error })
  }
}

const MOST_DISCARDED = 16 * 1024 * 1024
const DISCARD_MS = 1_000

/** Who is still sending when a connection is closed may meet a reset in the place of the answer. */
function discardRest(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0
    const end = () => {
      clearTimeout(timer)
      request.off('data', count).off('end', end).off('close', end)
      request.pause()
      resolve()
    }
    const count = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MOST_DISCARDED) end()
    }
    const timer = setTimeout(end, DISCARD_MS)
    request.on('data', count).on('end', end).on('close', end)
    request.resume()
  })
}

/** Into memory of just that size, which the operating system gives as it is written to. */
async function readExactly(request: IncomingMessage, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  let at = 0
  for await (const chunk of request as AsyncIterable<Buffer>) at += chunk.copy(bytes, at)
  if (at !== length) throw new Error('The body has another length than it says')
  return bytes
}

/** As `readBytes`, for text in UTF-8. */
export async function readBody(ctx: Context, limit: number): Promise<string> {
  return decodeUtf8(await readBytes(ctx, limit))
}

/** @throws {MalformedRequestError} */
export function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new MalformedRequestError('body', { cause })
  }
}
