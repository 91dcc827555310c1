import { once } from 'node:events'
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { Option, type Command } from 'commander'
import { escapeCharacter, UNPRINTABLE } from '../audit/export.js'
import { ConfigError, loadConfig } from '../config/load.js'
import type { Config } from '../config/schema.js'
import type { ListedUser, User, UserStore } from '../identity/user.js'
import { createLogger } from '../observability/logger.js'
import type { Records } from '../records.js'
import type { Services } from '../services.js'

const DEFAULT_CONFIG_FILE = 'data/config.json'

/** A failure that is the caller's to mend: the message is all there is to say. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** For many lines: waits while the reader is slower than we are. */
export async function printInTurn(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain')
}

/** Text from the database or a file, with nothing in it that a terminal would obey. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeCharacter)
}

/** @throws {CommandError} */
export function demandReadable(file: string): void {
  try {
    accessSync(file, constants.R_OK)
  } catch {
    throw new CommandError(`${file} cannot be read.`)
  }
  if (statSync(file).isDirectory()) throw new CommandError(`${file} is a folder.`)
}

/** @throws {CommandError} when the text is empty, long or holds what a terminal or page would obey */
export function demandPlainText(name: string, text: string): void {
  if (text.trim() !== '' && text.length <= 200 && printable(text) === text) return
  throw new CommandError(`The ${name} must be 1 to 200 characters of plain text.`)
}

/** @throws {CommandError} also when the person is not as they were put on record */
export async function demandUser(users: UserStore, username: string): Promise<User> {
  const user = await users.findByUsername(username)
  if (user) return user
  await demandListedUser(users, username)
  throw new CommandError(
    `What the database says of "${printable(username)}" was changed by something else. ` +
      `See "openrssp user confirm ${printable(username)}".`,
  )
}

/** Also one who is not as they were put on record. @throws {CommandError} */
export async function demandListedUser(users: UserStore, username: string): Promise<ListedUser> {
  const user = (await users.list()).find((each) => each.username === username)
  if (!user) throw new CommandError(`There is no user "${printable(username)}".`)
  return user
}

/** Adds the options every command that reads the configuration has. */
export function configured(command: Command): Command {
  return command
    .addOption(
      new Option('-c, --config <file>', 'configuration file')
        .env('OPENRSSP_CONFIG')
        .default(existsSync('openrssp.json') ? 'openrssp.json' : DEFAULT_CONFIG_FILE),
    )
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
    throw configCommandError(error)
  }
}

export function configCommandError({ problems }: ConfigError): CommandError {
  const list = problems.map(({ setting, problem }) => `  ${printable(`${setting}: ${problem}`)}`)
  return new CommandError(`The configuration has problems:\n${list.join('\n')}`)
}

/** Runs against the database alone; no token is opened. The rest is loaded when it is needed. */
export async function withRecords<T>(
  options: CommonOptions,
  use: (records: Records) => Promise<T>,
): Promise<T> {
  const config = readConfig(options)
  const { openRecords } = await import('../records.js')
  const records = await openRecords(config)
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
  const config = readConfig(options)
  const { openServices } = await import('../services.js')
  // A command is short and nobody reaches it from outside: a process for its keys would only cost time.
  const inThisProcess = { ...config, hsm: { ...config.hsm, isolation: 'none' as const } }
  const services = await openServices(inThisProcess, { logger: createLogger('error') })
  try {
    return await use(services)
  } finally {
    await services.close()
  }
}

/** Prints rows for people as a table, for scripts as a JSON array. */
export function printRows(rows: readonly Readonly<Record<string, unknown>>[], json = false): void {
  if (json) return print(JSON.stringify(rows, null, 2))
  const [first] = rows
  if (!first) return print('None.')
  const columns = Object.keys(first)
  const cells = [columns, ...rows.map((row) => columns.map((column) => cellText(row[column])))]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index]?.length ?? 0)))
  for (const row of cells) {
    print(
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
  }
}

/** Prints what was done to one thing: for people line by line, for scripts as a JSON object. */
export function printFacts(facts: Readonly<Record<string, unknown>>, json = false): void {
  if (json) return print(JSON.stringify(facts, null, 2))
  const width = Math.max(...Object.keys(facts).map((name) => name.length))
  for (const [name, value] of Object.entries(facts))
    print(`${name.padEnd(width)}  ${cellText(value)}`)
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '-'
  return printable(typeof value === 'string' ? value : JSON.stringify(value))
}
