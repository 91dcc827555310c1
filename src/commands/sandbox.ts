import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { secondsToNextCode, totpCode } from '../identity/totp.js'
import { markFinished, openDataFolder, type SandboxOptions } from '../sandbox/data-folder.js'
import { readSandboxFile, type SandboxFile } from '../sandbox/sandbox-file.js'
import { fillSandbox } from '../sandbox/sandbox.js'
import { VERSION } from '../version.js'
import { CommandError, print } from './command-line.js'
import {
  forbidCoreDumps,
  listenError,
  loadServer,
  stopOnSignals,
  supervise,
  workersOption,
} from './serve.js'

interface StartOptions {
  readonly port: number
  readonly host: string
  readonly dataDir: string
  readonly workers?: number
}

export function sandboxCommands(program: Command): void {
  const sandbox = program.command('sandbox').description('a complete service with demo data')
  const { env } = process

  sandbox
    .command('start')
    .description('create the sandbox where it is missing, and serve it')
    .addOption(
      new Option('--port <number>', 'TCP port')
        .env('OPENRSSP_PORT')
        .argParser(portNumber)
        .default(8700),
    )
    .addOption(
      new Option('--host <address>', 'address to listen on')
        .env('OPENRSSP_HOST')
        .default('127.0.0.1'),
    )
    .addOption(dataDirOption('where everything is kept'))
    .addOption(workersOption())
    .action(async ({ port, host, dataDir, workers }: StartOptions) => {
      if (env['NODE_ENV'] === 'production') {
        throw new CommandError(
          'The sandbox does not start with NODE_ENV=production; use "openrssp serve".',
        )
      }
      const databaseUrl = env['OPENRSSP_DATABASE_URL']
      const database = databaseUrl ? { databaseUrl } : {}
      await start({ port, host, dataDir, environment: env, ...database }, workers)
    })

  sandbox
    .command('code')
    .description('the current one-time code of a demo person')
    .argument('[username]', 'whose', 'alice')
    .addOption(dataDirOption('the sandbox'))
    .option('--json', 'print JSON, for scripts')
    .action((username: string, { dataDir, json }: { dataDir: string; json?: true }) => {
      const file = readSandboxFile(join(dataDir, 'sandbox.json'))
      const user = file?.users.find((each) => each.username === username)
      if (!user) throw new CommandError(`There is no "${username}" in a sandbox at ${dataDir}.`)
      const now = new Date()
      const code = totpCode(user.totpSecret, now)
      const seconds = secondsToNextCode(now)
      print(
        json
          ? JSON.stringify({ code, validSeconds: seconds })
          : `${code}  (the next one in ${seconds} s)`,
      )
    })
}

function dataDirOption(description: string): Option {
  return new Option('--data-dir <dir>', description).env('OPENRSSP_DATA_DIR').default('./data')
}

async function start(options: SandboxOptions, workers?: number): Promise<void> {
  const folder = openDataFolder(options)
  if (!folder.hasToken) {
    print('Making the token …')
    initToken(options)
  }
  await forbidCoreDumps()
  const { beginKeyProcess } = await import('../keys/process/supervisor.js')
  // It gets ready while the server is loaded.
  const begun = beginKeyProcess(folder.config)
  const { openServices, startServer } = await loadServer()
  const services = await openServices(folder.config, begun ? { begun } : {})
  const sandbox = await fillSandbox(services, folder, (step, done, of) => {
    print(`Making key ${String(done).padStart(2)} of ${of}  ${step} …`)
  })
  markFinished(options)
  if (workers !== undefined) {
    await services.close()
    const config = ['--config', join(options.dataDir, 'config.json')]
    await supervise(folder.config, { workers, args: ['serve', ...config] })
    print(panel(sandbox, options))
    return
  }
  const server = await startServer(services, VERSION).catch((error: unknown) => {
    throw listenError(error, '--host or --port')
  })
  stopOnSignals(server, services)
  print(panel(sandbox, options))
}

/** In a process of its own, with the PIN in a file: nothing secret is in a process list. */
function initToken({ dataDir }: SandboxOptions): void {
  const cli = process.argv[1] ?? ''
  const { status } = spawnSync(
    process.execPath,
    [...process.execArgv, cli, 'token', 'init', '--config', join(dataDir, 'config.json')],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  if (status !== 0) throw new CommandError('The token could not be made; see above.')
}

function panel({ baseUrl, users }: SandboxFile, { dataDir }: SandboxOptions): string {
  const [user] = users
  if (!user) return `OpenRSSP answers at ${baseUrl}`
  const now = new Date()
  const elsewhere = dataDir === './data' ? '' : ` --data-dir ${shellWord(dataDir)}`
  return `
  OpenRSSP sandbox ${VERSION} is ready.

    Base URL    ${baseUrl}   (CSC API: ${baseUrl}/csc/v2)
    Demo        ${baseUrl}/demo/
    Account     ${baseUrl}/account     the signer’s own pages, with requests to confirm
    Reference   ${baseUrl}/reference   the API, to read
    Sign in as  ${user.username}   password ${user.password}
    Code        ${totpCode(user.totpSecret, now)} for the next ${secondsToNextCode(now)} s; then: npx openrssp sandbox code ${user.username}${elsewhere}
    Messages    ${dataDir}/outbox   codes by e-mail and text message
    Others      ${dataDir}/sandbox.json   (docs/sandbox.md)

  Sign a file and let openssl verify it (in a second terminal, in this folder):

    ./scripts/sign README.md${elsewhere}

  Test everything it claims, with the conformance runner:

    npx openrssp-conformance --config ${shellWord(`${dataDir}/conformance.json`)}

  Ctrl-C stops.
`
}

/** The text as a shell takes it for one word. */
function shellWord(text: string): string {
  return /^[\w./~+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

function portNumber(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new InvalidArgumentError('Give a port from 1 to 65535.')
  }
  return port
}
