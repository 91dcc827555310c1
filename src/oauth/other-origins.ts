import type { Middleware } from 'koa'

/**
 * The library lets pages of every origin read what it answers before it knows the application, and its
 * public documents; here no page of another origin reads anything (S50).
 * @param admits whether pages of this origin may
 */
export function hideFromOtherOrigins(admits: (origin: string) => boolean): Middleware {
  return async (ctx, next) => {
    try {
      await next()
    } finally {
      if (!admits(ctx.get('origin'))) {
        const names = Object.keys(ctx.response.headers)
        for (const name of names.filter((each) => each.startsWith('access-control-'))) {
          ctx.remove(name)
        }
      }
    }
  }
}
