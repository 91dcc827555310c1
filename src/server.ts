import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { auditEvent } from './audit/events.js'
import { recordStart, type Services } from './services.js'

const SWEEP_SECONDS = 5
const CLEAN_UP_SECONDS = 600
const DRAIN_SECONDS = 20

export interface RunningServer {
  readonly port: number
  /** Stops accepting, lets requests under way finish, then closes token and database in that order. */
  stop(reason: string): Promise<void>
}

export async function startServer(services: Services, version: string): Promise<RunningServer> {
  const { config, app } = services
  await recordStart(services, version)
  await services.activations.settleAbandoned()
  await services.notices.begin()
  const server = createServer({ maxHeaderSize: 32 * 1024, requestTimeout: 60_000 })
  // Koa answers and logs its own failures; the promise it returns says nothing more.
  const handle = app.callback()
  server.on('request', (request, response) => void handle(request, response))
  try {
    await listen(server, config.listen)
  } catch (error) {
    await services.close()
    throw error
  }
  const stopChores = startChores(services)

  let stopped: Promise<void> | null = null
  return {
    port: (server.address() as AddressInfo).port,
    stop(reason) {
      stopped ??= (async () => {
        await stopChores()
        await drain(server)
        await services.audit.append(auditEvent('service.stopped', { pid: process.pid, reason }))
        await services.close()
      })()
      return stopped
    },
  }
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function drain(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const cutOff = setTimeout(() => {
    server.closeAllConnections()
  }, DRAIN_SECONDS * 1000)
  await closed
  clearTimeout(cutOff)
}

/**
 * Sweeps up abandoned reservations, tells people what happened, and forgets what expired. A failure is
 * logged and tried again; none waits for another, and none runs twice at once.
 */
function startChores(services: Services): () => Promise<void> {
  const { activations, announcements, expiredRows, notices, config, logger, now } = services
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  const every = (seconds: number, chore: () => Promise<unknown>): NodeJS.Timeout => {
    let idle = true
    const run = async () => {
      try {
        await chore()
      } catch (error) {
        logger.error({ err: error }, 'chore failed')
      }
      idle = true
    }
    return setInterval(() => {
      if (!idle) return
      idle = false
      const done = run().finally(() => running.delete(done))
      running.add(done)
    }, seconds * 1000)
  }
  const timers = [
    every(SWEEP_SECONDS, () => activations.settleAbandoned()),
    every(SWEEP_SECONDS, () => announcements.deliverDue()),
    every(config.notices.everySeconds, () => notices.run(stopping.signal)),
    every(CLEAN_UP_SECONDS, () => expiredRows.remove(now(), stopping.signal)),
  ]
  return async () => {
    for (const timer of timers) clearInterval(timer)
    stopping.abort()
    await Promise.all(running)
  }
}
