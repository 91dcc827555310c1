import type { Middleware } from 'koa'

export interface HealthChecks {
  readonly hsm: () => Promise<boolean>
  readonly database: () => Promise<boolean>
}

/** `/health/live`: the process answers. `/health/ready`: it can sign, too. */
export function health(checks: HealthChecks): Middleware {
  return async (ctx, next) => {
    if (ctx.path === '/health/live') {
      ctx.body = { status: 'live' }
    } else if (ctx.path === '/health/ready') {
      const [hsm, database] = await Promise.all([works(checks.hsm), works(checks.database)])
      ctx.status = hsm && database ? 200 : 503
      ctx.body = { status: hsm && database ? 'ready' : 'not ready', hsm, database }
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
