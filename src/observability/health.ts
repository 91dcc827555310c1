import type { Middleware } from 'koa'
import { sharedLook } from './shared-look.js'

export interface HealthChecks {
  /** The token, and where keys live in a process of their own, that it answers. */
  readonly hsm: () => Promise<boolean>
  readonly database: () => Promise<boolean>
  /** Whether the process is about to end. */
  readonly leaving: () => boolean
}

/** What hangs does not work. */
const PATIENCE_MS = 2_000

/** `/health/live`: the process answers. `/health/ready`: it can sign, too, and goes on doing so. */
export function health(checks: HealthChecks): Middleware {
  const look = sharedLook(() => readiness(checks))
  return async (ctx, next) => {
    if (ctx.path === '/health/live') {
      ctx.body = { status: 'live' }
    } else if (ctx.path === '/health/ready') {
      const { hsm, database } = await look()
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

/** Whether each part works, also when one of them hangs. */
export async function readiness(checks: Pick<HealthChecks, 'hsm' | 'database'>) {
  const [hsm, database] = await Promise.all([worksInTime(checks.hsm), worksInTime(checks.database)])
  return { hsm, database }
}

async function worksInTime(check: () => Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), PATIENCE_MS)
  })
  try {
    return await Promise.race([check(), late])
  } catch {
    return false
  } finally {
    clearTimeout(timer)
  }
}
