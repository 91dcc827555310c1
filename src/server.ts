import cluster from 'node:cluster'
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { auditEvent } from './audit/events.js'
import { Drain, DRAIN_SECONDS } from './http/drain.js'
import { offerFigures, type MetricsListener } from './observability/metrics-listener.js'
import { answerPrimary } from './observability/worker-figures.js'
import { recordStart, type Services } from './services.js'

const SWEEP_SECONDS = 5
const CLEAN_UP_SECONDS = 600
/** Lists of revoked certificates are also signed when somebody asks. */
const AUTHORITY_SECONDS = 60

/** To CONNECT, which Node.js leaves without an answer: this is no proxy (RFC 9110, 9.3.6). */
const NO_TUNNEL = 'HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'

export interface RunningServer {
  readonly port: number
  /**
   * Says that it is leaving, takes no more connections, lets requests under way finish, then closes token
   * and database in that order.
   */
  stop(reason: string, departure?: DepartureOptions): Promise<void>
}

export interface DepartureOptions {
  /** Whether another process serves the port already, so that nobody outside needs to notice. */
  readonly isReplaced?: boolean
  /** Whether idle connections are given the time they were promised. */
  readonly isPatient?: boolean
}

/** An address of this machine, or a socket somebody else has opened and handed over. */
export type Where = { readonly host: string; readonly port: number } | { readonly fd: number }

export async function startServer(
  services: Services,
  version: string,
  where: Where = services.config.listen,
): Promise<RunningServer> {
  const { config, app, departure } = services
  const { keepAliveSeconds, leaveSeconds } = config.listen
  await recordStart(services, version)
  await services.activations.settleAbandoned()
  await services.notices.begin()
  const server = createServer({
    maxHeaderSize: 32 * 1024,
    requestTimeout: 60_000,
    keepAliveTimeout: keepAliveSeconds * 1000,
  })
  const connections = new Drain(server)
  // What a worker refuses by `maxConnections` Node.js offers to the next one, round and round.
  server.on('connection', (socket: Socket) => {
    if (connections.open > config.overload.connections) socket.destroy()
  })
  // Koa answers and logs its own failures; the promise it returns says nothing more.
  const handle = app.callback()
  server.on('request', (request, response) => void handle(request, response))
  server.on('connect', (_request, socket) => {
    // Nobody else listens: a caller that hangs up meanwhile would end the process.
    socket.on('error', () => socket.destroy())
    socket.end(NO_TUNNEL, () => socket.destroy())
  })
  try {
    await listen(server, where)
  } catch (error) {
    await services.close()
    throw error
  }
  const stopChores = startChores(services)
  const prometheus = await offerMetrics(services).catch(async (error: unknown) => {
    await stopChores()
    server.close()
    await services.close()
    throw error
  })

  const stop = async (reason: string, { isReplaced, isPatient }: DepartureOptions) => {
    if (!isReplaced) departure.announce()
    const choresStopped = stopChores()
    if (isPatient && !isReplaced) await pause(leaveSeconds * 1000)
    const ended = connections.finish({
      idle: isPatient ? keepAliveSeconds : 0,
      most: DRAIN_SECONDS,
    })
    departure.release()
    await Promise.all([ended, choresStopped])
    await prometheus?.close()
    await services.audit.append(auditEvent('service.stopped', { pid: process.pid, reason }))
    await services.close()
  }
  let stopped: Promise<void> | null = null
  return {
    port: portOf(server),
    stop: (reason, options = {}) => (stopped ??= stop(reason, options)),
  }
}

/** A worker tells its figures to the process above it, which alone listens for those who collect them. */
async function offerMetrics({ metrics, config }: Services): Promise<MetricsListener | null> {
  if (!cluster.isWorker) return offerFigures(metrics, config)
  answerPrimary(metrics)
  return null
}

/** 0 when it is no TCP port. */
function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function listen(server: Server, where: Where): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/**
 * Sweeps up abandoned reservations, tells people what happened, and forgets what expired. A failure is
 * logged and tried again; none waits for another, and none runs twice at once, on any replica.
 */
function startChores(services: Services): () => Promise<void> {
  const { activations, announcements, expiredRows, notices, config, logger, now, metrics } =
    services
  const { register, keyPool, choresLease, revocationLists, serviceKeys, earlierCertificates } =
    services
  const { credentials, documentJobs } = services
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  const every = (
    seconds: number,
    name: string,
    chore: () => Promise<unknown>,
    atStart = false,
  ): NodeJS.Timeout => {
    let idle = true
    const run = async () => {
      try {
        await choresLease.run(chore)
        metrics.choreRan(name, 'done')
      } catch (error) {
        metrics.choreRan(name, 'failed')
        logger.error({ err: error, chore: name }, 'chore failed')
      }
      idle = true
    }
    const runOnce = () => {
      if (!idle) return
      idle = false
      const done = run().finally(() => running.delete(done))
      running.add(done)
    }
    if (atStart) runOnce()
    return setInterval(runOnce, seconds * 1000)
  }
  // What a crash left of the making of keys is cleared away at once, as far as it is surely abandoned.
  const checkKeys = async () => {
    await register.destroyAbandoned(stopping.signal)
    await register.flagMissing(stopping.signal)
  }
  // Whoever asks for these first would wait for them to be signed.
  const prepareAuthority = async () => {
    await revocationLists.current('root')
    await revocationLists.current('issuing')
    await serviceKeys.prepare()
  }
  const timers = [
    every(SWEEP_SECONDS, 'reservations', () => activations.settleAbandoned()),
    every(SWEEP_SECONDS, 'one-time-keys', () => credentials.endPast(stopping.signal)),
    every(SWEEP_SECONDS, 'announcements', async () => {
      await documentJobs.finishLeft(now())
      await announcements.deliverDue()
    }),
    every(config.notices.everySeconds, 'notices', () => notices.run(stopping.signal)),
    every(CLEAN_UP_SECONDS, 'keys', checkKeys, true),
    every(AUTHORITY_SECONDS, 'authority', prepareAuthority),
    every(
      CLEAN_UP_SECONDS,
      'certificates',
      () => earlierCertificates.reconcile(stopping.signal),
      true,
    ),
    every(SWEEP_SECONDS, 'key-pool', () => keyPool.fill(stopping.signal)),
    every(CLEAN_UP_SECONDS, 'expired-rows', () => expiredRows.remove(now(), stopping.signal)),
  ]
  return async () => {
    for (const timer of timers) clearInterval(timer)
    stopping.abort()
    await Promise.all(running)
    // Where the database is away, its time runs out.
    await choresLease.release().catch(() => undefined)
  }
}
