import cluster from 'node:cluster'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { insecureSettings } from '../config/insecure-settings.js'
import type { Config } from '../config/schema.js'
import { DRAIN_SECONDS } from '../http/drain.js'
import type { KeyProcess } from '../keys/process/supervisor.js'
import { createLogger, type Logger } from '../observability/logger.js'
import type { MetricsListener } from '../observability/metrics-listener.js'
import type { RunningServer } from '../server.js'
import type { Services } from '../services.js'
import { VERSION } from '../version.js'
import type { WorkerOrders } from '../workers/messages.js'
import { socketHandedOver, tellServing, tellStopping } from '../workers/service-manager.js'
import { Supervisor } from '../workers/supervisor.js'
import { followSupervisor, ordersOfWorker } from '../workers/worker.js'
import { CommandError, configured, readConfig, type CommonOptions } from './command-line.js'

/** For closing token and database, once the last request is answered or cut off. */
const CLOSING_SECONDS = 25
const MOST_WORKERS = 64

interface ServeOptions extends CommonOptions {
  readonly workers?: number
}

export function serveCommand(program: Command): void {
  configured(program.command('serve'))
    .description('serve the CSC API with this configuration')
    .addOption(workersOption())
    .action(async ({ workers, ...options }: ServeOptions) => {
      const config = readConfig(options)
      if (cluster.isWorker) return serveAsWorker(config)
      if (workers !== undefined) return supervise(config, { workers })
      const { services, server } = await serve(config)
      // Whoever is told that it serves may ask it to end in the next moment.
      stopOnSignals(server, services)
      noteServing(server, services)
      warnOfInsecureSettings(config, services)
      tellServing(services.logger)
    })
}

export function workersOption(): Option {
  return new Option(
    '--workers <number>',
    'processes that share the port, watched by one more; SIGHUP replaces them one by one',
  )
    .env('OPENRSSP_WORKERS')
    .argParser(workersNumber)
}

function workersNumber(text: string): number {
  const workers = Number(text)
  if (Number.isInteger(workers) && workers >= 1 && workers <= MOST_WORKERS) return workers
  throw new InvalidArgumentError(`Give a number from 1 to ${MOST_WORKERS}.`)
}

async function serve(config: Config, { keyProcess }: WorkerOrders = { keyProcess: null }) {
  await forbidCoreDumps()
  const { beginKeyProcess } = await import('../keys/process/supervisor.js')
  // It gets ready while the server is loaded.
  const begun = keyProcess ? null : beginKeyProcess(config)
  const { openServices, startServer } = await loadServer()
  const services = await openServices(config, {
    ...(keyProcess ? { keyProcess } : {}),
    ...(begun ? { begun } : {}),
  })
  await rejectSandboxInProduction(services)
  // Workers share what was handed over to the process above them.
  const pid = cluster.isWorker ? process.ppid : process.pid
  const where = socketHandedOver(pid, process.env) ?? config.listen
  const server = await startServer(services, VERSION, where).catch((error: unknown) => {
    throw listenError(error, 'listen.host and listen.port')
  })
  return { services, server }
}

function noteServing({ port }: RunningServer, { logger, config }: Services): void {
  logger.info({ port, baseUrl: config.baseUrl }, 'serving')
}

async function serveAsWorker(config: Config): Promise<void> {
  const { services, server } = await serve(config, await ordersOfWorker())
  followSupervisor(server, services.logger)
  noteServing(server, services)
  logUnhandledRejections(services)
}

/** Runs workers until a signal ends it: the first one cleanly, a second one at once. */
export async function supervise(
  config: Config,
  { workers, args }: { workers: number; args?: readonly string[] },
): Promise<void> {
  const logger = createLogger(config.log.level)
  await forbidCoreDumps()
  const keyProcess = await keyProcessOf(config, logger)
  const supervisor = new Supervisor({
    ...{ workers, logger, stopSeconds: secondsToStop(config) },
    silentSeconds: config.listen.silentSeconds,
    orders: { keyProcess: keyProcess && { socket: keyProcess.socket, token: keyProcess.token } },
    ...(args ? { args } : {}),
  })
  const figures = await offerFiguresOf(supervisor, keyProcess, config)
  onSignals(async (signal) => {
    tellStopping(logger)
    await supervisor.stop(signal)
    await keyProcess?.stop()
    await figures?.close()
  }, logger)
  process.on('SIGHUP', (signal) => void supervisor.reload(signal))
  process.on('exit', () => supervisor.kill())
  if (!(await supervisor.start())) {
    await keyProcess?.stop()
    process.exit(1)
  }
  warnOfInsecureSettings(config, { logger })
  logger.info({ workers, baseUrl: config.baseUrl }, 'all workers serve')
  tellServing(logger)
}

/** One for all workers; null when each of them opens the token itself. */
async function keyProcessOf(config: Config, logger: Logger): Promise<KeyProcess | null> {
  if (config.hsm.isolation === 'none') return null
  const { startKeyProcess } = await import('../keys/process/supervisor.js')
  return startKeyProcess(config, { logger })
}

/** `/metrics` of all workers together, and of the key process they share. */
async function offerFiguresOf(
  supervisor: Supervisor,
  keyProcess: KeyProcess | null,
  config: Config,
): Promise<MetricsListener | null> {
  if (!config.metrics.listen) return null
  const { Metrics, tokenLoads } = await import('../observability/metrics.js')
  const { offerFigures } = await import('../observability/metrics-listener.js')
  const { WorkerFigures } = await import('../observability/worker-figures.js')
  const own = new Metrics()
  if (keyProcess) {
    own.watch({
      keyProcess: () => keyProcess.state,
      tokens: () => tokenLoads(config.hsm.tokenLabel, keyProcess.state.token),
    })
  }
  const figures = new WorkerFigures({ workers: () => supervisor.workers, own })
  return offerFigures(figures, config)
}

function warnOfInsecureSettings(config: Config, { logger }: Pick<Services, 'logger'>): void {
  for (const warning of insecureSettings(config)) logger.warn(warning)
}

/** The longest that a process needs which was told to stop. */
function secondsToStop({ listen }: Config): number {
  return listen.leaveSeconds + DRAIN_SECONDS + CLOSING_SECONDS
}

/** Demo people and published secrets stay marked in the database, whatever the configuration says. */
async function rejectSandboxInProduction(services: Services): Promise<void> {
  if (process.env['NODE_ENV'] !== 'production') return
  if ((await services.installation.get('sandbox')) === null) return
  await services.close()
  throw new CommandError(
    'database: holds sandbox data, with demo people and demo keys; it is not served with NODE_ENV=production.',
  )
}

/** One signal ends the service cleanly, a second one at once. */
export function stopOnSignals(
  server: RunningServer,
  services: Pick<Services, 'logger' | 'config'>,
): void {
  const { logger, config } = services
  onSignals(async (signal) => {
    tellStopping(logger)
    const tooLate = setTimeout(
      () => {
        logger.error('could not stop in time')
        process.exit(1)
      },
      secondsToStop(config) * 1000,
    )
    await server.stop(signal, { isPatient: true })
    clearTimeout(tooLate)
  }, logger)
  process.on('SIGHUP', () => process.kill(process.pid, 'SIGTERM'))
  logUnhandledRejections(services)
}

function onSignals(stop: (signal: NodeJS.Signals) => Promise<void>, logger: Logger): void {
  let asked = false
  const end = (signal: NodeJS.Signals) => {
    if (asked) process.exit(1)
    asked = true
    stop(signal).then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'could not stop cleanly')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}

function logUnhandledRejections({ logger }: Pick<Services, 'logger'>): void {
  process.on('unhandledRejection', (error) => {
    logger.error({ err: error }, 'unhandled rejection')
  })
}

/** The server's modules, loaded only by the commands that serve. */
export async function loadServer() {
  // One after the other: Node 20 trips over two imports at once that share modules.
  const { openServices } = await import('../services.js')
  const { startServer } = await import('../server.js')
  return { openServices, startServer }
}

/** Of a process that holds the master secret for long, and of those it starts. */
export async function forbidCoreDumps(): Promise<void> {
  const { writeNoCoreDumps } = await import('../keys/process/hardening.js')
  writeNoCoreDumps()
}

/** The usual reasons for which an address cannot be had, in words that name what to change. */
export function listenError(error: unknown, toChange: string): unknown {
  const { code, port, address } = error as NodeJS.ErrnoException & {
    port?: number
    address?: string
  }
  const place = `port ${port ?? ''} of ${address ?? ''}`
  const reasons: Partial<Record<string, string>> = {
    EADDRINUSE: `${place} is taken`,
    EACCES: `${place} needs more rights`,
    EADDRNOTAVAIL: `${address ?? 'the host'} is not an address of this machine`,
    ENOTFOUND: 'the host is not known',
  }
  const reason = reasons[code ?? '']
  return reason ? new CommandError(`Cannot listen: ${reason}. Change ${toChange}.`) : error
}
