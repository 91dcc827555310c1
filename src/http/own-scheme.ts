import type Koa from 'koa'

/**
 * Whether this is a site of TLS the base URL says, as of everything about our address (S51): cookies are kept
 * from plain HTTP also where a proxy forgets to say how it was called.
 */
export function pinScheme({ request }: Koa, baseUrl: string): void {
  const scheme = new URL(baseUrl).protocol.slice(0, -1)
  Object.defineProperty(request, 'protocol', { get: () => scheme })
}
