import type { Command } from 'commander'
import { insecureSettings } from '../config/load.js'
import type { RunningServer } from '../server.js'
import type { Services } from '../services.js'
import { CommandError, configured, readConfig, type CommonOptions } from './command-line.js'
import { VERSION } from '../version.js'

export function serveCommand(program: Command): void {
  configured(program.command('serve'))
    .description('serve the CSC API with this configuration')
    .action(async (options: CommonOptions) => {
      const config = readConfig(options)
      const { openServices, startServer } = await loadServer()
      const services = await openServices(config)
      await rejectSandboxInProduction(services)
      const server = await startServer(services, VERSION).catch((error: unknown) => {
        throw listenError(error, 'listen.host and listen.port')
      })
      for (const warning of insecureSettings(config)) services.logger.warn(warning)
      services.logger.info({ port: server.port, baseUrl: config.baseUrl }, 'serving')
      stopOnSignals(server, services)
    })
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
  { logger }: { logger: Services['logger'] },
): void {
  let asked = false
  const stop = (signal: NodeJS.Signals) => {
    if (asked) process.exit(1)
    asked = true
    server.stop(signal).then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'could not stop cleanly')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
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
