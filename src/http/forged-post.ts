import type { Context } from 'koa'

/**
 * Another site's form: browsers say so in `Sec-Fetch-Site`, older ones in `Origin` ("null" is what our
 * own no-referrer pages send there). The SameSite cookie stands behind both.
 */
export function isForgedPost(ctx: Context, baseUrl: string): boolean {
  const site = ctx.get('sec-fetch-site')
  if (site !== '') return site !== 'same-origin' && site !== 'none'
  const origin = ctx.get('origin')
  return origin !== '' && origin !== 'null' && origin !== new URL(baseUrl).origin
}
