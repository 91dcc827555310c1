import type { Middleware } from 'koa'

export interface HealthChecks {
  readonly hsm: () => Promise<boolean>
  readonly database: () => Promise<boolean>
  /** Whether the process is about to end. */
  readonly leaving: () => boolean
}

/** `/health/live`: the process answers. `/health/ready`: it can sign, too, and goes on doing so. */
export function health(checks: HealthChecks): Middleware {
  return async (ctx, next) => {
    if (ctx.path === '/health/live') {
      ctx.body = { status: 'live' }
    } else if (ctx.path === '/health/ready') {
      const [hsm, database] = await Promise.all([works(checks.hsm), works(checks.database)])
      const leaving = checks.leaving()
      const ready = hsm && database && !leaving
      ctx.status = ready ? 200 : 503
      ctx.body = { status: ready ? 'ready' : 'not ready', hsm, database, leaving }
    } else {
      await next()
      return
    }
    ctx.set('Cache-Control', 'no-store')
  }
}

async function works(check: () => Promise<boolean>): Promise<boolean> {
  try {
    return await check()
  } catch {
    return false
  }
}
