import type { Tracing } from '../observability/tracing.js'

/** More than any metadata, key set, token or userinfo answer needs. */
const LIMIT_BYTES = 512 * 1024

/** `fetch` for answers of others: read at once, and only up to a limit. */
export async function limitedFetch(url: string, options?: object): Promise<Response> {
  const response = await fetch(url, options)
  const { status, statusText, headers, body } = response
  const chunks: Uint8Array[] = []
  let length = 0
  if (body) {
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
      length += chunk.length
      // Leaving the loop cancels the stream.
      if (length > LIMIT_BYTES) throw new TypeError('The answer is too large')
      chunks.push(chunk)
    }
  }
  const empty = status === 204 || status === 205 || status === 304
  return new Response(empty ? null : Buffer.concat(chunks), { status, statusText, headers })
}

export type LimitedFetch = typeof limitedFetch

/** Also says of which trace it is a part, where there is one. */
export function tracedFetch(tracing: Pick<Tracing, 'outgoing'>): LimitedFetch {
  return (url, options: { headers?: HeadersInit } = {}) => {
    const headers = new Headers(options.headers)
    for (const [name, value] of Object.entries(tracing.outgoing())) headers.set(name, value)
    return limitedFetch(url, { ...options, headers })
  }
}
