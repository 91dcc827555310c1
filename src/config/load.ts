import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { absolutePaths } from './absolute-paths.js'
import { textAt, type ConfigProblem, type ReadText } from './config-problem.js'
import { productionProblems } from './insecure-settings.js'
import type { Config } from './schema.js'
import {
  addressProblems,
  editionProblems,
  fileProblems,
  identityProviderProblems,
  messageProblems,
  remoteIssuerProblems,
  trustProblems,
} from './setting-problems.js'
import { characterProblems, shapeProblems } from './shape-problems.js'
import { hasShape } from './shape.js'

/** Every problem of a configuration at once, so that an operator mends it in one go. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ setting, problem }) => `${setting}: ${problem}`).join('\n'))
    this.problems = problems
  }
}

/** Reads, completes and checks a configuration file. Nothing is opened before it passes. */
export function loadConfig(file: string, environment: NodeJS.ProcessEnv): Config {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    const problem =
      'cannot be read; name the configuration with --config, or let ./scripts/start make one'
    throw new ConfigError([{ setting: file, problem }])
  }
  let settings: unknown
  try {
    settings = JSON.parse(text)
  } catch (error) {
    throw new ConfigError([{ setting: file, problem: `is not JSON: ${(error as Error).message}` }])
  }
  return checkConfig(withDatabase(settings, environment), dirname(resolve(file)), environment)
}

/** Where the password of a database comes from the environment, the file need not hold it. */
function withDatabase(settings: unknown, environment: NodeJS.ProcessEnv): unknown {
  const database = environment['OPENRSSP_DATABASE_URL']
  if (!database || typeof settings !== 'object') return settings
  return { ...settings, database }
}

/** @param folder where relative paths start */
export function checkConfig(
  settings: unknown,
  folder: string,
  environment: NodeJS.ProcessEnv,
): Config {
  const config: unknown = structuredClone(settings)
  const fits = hasShape(config)
  const problems = fits ? characterProblems(config) : shapeProblems(hasShape.errors ?? [])
  const wrong = new Set(problems.map(({ setting }) => setting))
  // Checks of single settings read those that have their shape, so that their problems show too.
  const read: ReadText = (setting) => (wrong.has(setting) ? null : textAt(config, setting))
  problems.push(
    ...addressProblems(read),
    ...editionProblems(read),
    ...fileProblems(config, read, folder),
    ...messageProblems(config, read, folder),
    ...identityProviderProblems(config, read, folder, wrong),
    ...trustProblems(config, read, folder, wrong),
    ...(fits ? remoteIssuerProblems(config, folder) : []),
    ...(environment['NODE_ENV'] === 'production' ? productionProblems(config, read, folder) : []),
  )
  if (!fits || problems.length > 0) throw new ConfigError(problems)
  return absolutePaths(config, folder)
}
