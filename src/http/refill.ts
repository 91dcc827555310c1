import { Readable } from 'node:stream'
import type { Context } from 'koa'

/** Gives a request that was read another body: whoever reads it next reads this. */
export function refill(ctx: Context, bytes: Buffer, type: string): void {
  const { headers, headersDistinct, method, url, socket } = ctx.req
  headers['content-type'] = type
  headers['content-length'] = String(bytes.length)
  delete headers['transfer-encoding']
  const { originalUrl } = ctx.req as { originalUrl?: string }
  const facts = { headers, headersDistinct, method, url, socket, originalUrl }
  ctx.req = Object.assign(Readable.from([bytes]), facts) as unknown as Context['req']
}
