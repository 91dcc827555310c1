import type { Context } from 'koa'
import getRawBody from 'raw-body'
import { MalformedRequestError, RequestTooLargeError } from '../errors.js'

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
  try {
    return await getRawBody(ctx.req, { limit, length: ctx.get('content-length') || null })
  } catch (error) {
    if ((error as { type?: string }).type === 'entity.too.large') {
      // What is still coming is not read: the connection ends with the answer.
      ctx.set('Connection', 'close')
      throw new RequestTooLargeError('body')
    }
    throw new MalformedRequestError('body', { cause: error })
  }
}

/** As `readBytes`, for text in UTF-8. */
export async function readBody(ctx: Context, limit: number): Promise<string> {
  const bytes = await readBytes(ctx, limit)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new MalformedRequestError('body', { cause })
  }
}
