import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { ConfigError, loadConfig } from '../config/load.js'
import type { Config } from '../config/schema.js'
import { createLogger } from '../observability/logger.js'
import type { Records, Services } from '../services.js'

export const DEFAULT_CONFIG_FILE = 'data/config.json'

/** A failure that is the caller's to mend: the message is all there is to say. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Adds the options every command that reads the configuration has. */
export function configured(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration file', defaultConfigFile())
    .option('--json', 'print JSON, for scripts')
}

export interface CommonOptions {
  readonly config: string
  readonly json?: true
}

export function readConfig({ config }: Pick<CommonOptions, 'config'>): Config {
  try {
    return loadConfig(config, process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const list = error.problems.map(({ setting, problem }) => `  ${setting}: ${problem}`)
    throw new CommandError(`The configuration has problems:\n${list.join('\n')}`)
  }
}

/** Runs against the database alone; no token is opened. The rest is loaded when it is needed. */
export async function withRecords<T>(
  options: CommonOptions,
  use: (records: Records) => Promise<T>,
): Promise<T> {
  const { openRecords } = await import('../services.js')
  const records = await openRecords(readConfig(options))
  try {
    return await use(records)
  } finally {
    await records.close()
  }
}

export async function withServices<T>(
  options: CommonOptions,
  use: (services: Services) => Promise<T>,
): Promise<T> {
  const { openServices } = await import('../services.js')
  const services = await openServices(readConfig(options), { logger: createLogger('error') })
  try {
    return await use(services)
  } finally {
    await services.close()
  }
}

/** Prints rows for people as a table, for scripts as JSON. */
export function printRows(rows: readonly Readonly<Record<string, unknown>>[], json = false): void {
  if (json) return print(JSON.stringify(rows, null, 2))
  const [first] = rows
  if (!first) return print('None.')
  const columns = Object.keys(first)
  const cells = [columns, ...rows.map((row) => columns.map((column) => cellText(row[column])))]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index]?.length ?? 0)))
  for (const row of cells) {
    print(row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ').trimEnd())
  }
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function defaultConfigFile(): string {
  const named = process.env['OPENRSSP_CONFIG']
  if (named) return named
  return existsSync('openrssp.json') ? 'openrssp.json' : DEFAULT_CONFIG_FILE
}
