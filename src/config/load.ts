import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { Ajv } from 'ajv'
import { ConfigSchema, type Config } from './schema.js'

export interface ConfigProblem {
  /** Dotted path of the setting. */
  readonly setting: string
  readonly problem: string
}

/** Every problem of a configuration at once, so that an operator mends it in one go. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ setting, problem }) => `${setting}: ${problem}`).join('\n'))
    this.problems = problems
  }
}

const validate = new Ajv({ allErrors: true, useDefaults: true }).compile<Config>(ConfigSchema)

/** Reads, completes and checks a configuration file. Nothing is opened before it passes. */
export function loadConfig(file: string, environment: NodeJS.ProcessEnv): Config {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    throw new ConfigError([{ setting: file, problem: 'cannot be read' }])
  }
  let settings: unknown
  try {
    settings = JSON.parse(text)
  } catch (error) {
    throw new ConfigError([{ setting: file, problem: `is not JSON: ${(error as Error).message}` }])
  }
  return checkConfig(settings, dirname(file), environment)
}

/** @param folder where relative paths start */
export function checkConfig(
  settings: unknown,
  folder: string,
  environment: NodeJS.ProcessEnv,
): Config {
  const config: unknown = structuredClone(settings)
  if (!validate(config)) {
    throw new ConfigError(
      (validate.errors ?? []).map(({ instancePath, message, params }) => {
        const extra = (params as { additionalProperty?: string }).additionalProperty
        const path = instancePath.slice(1).replaceAll('/', '.')
        if (extra === undefined) return { setting: path || '(file)', problem: message ?? 'is wrong' }
        return { setting: path ? `${path}.${extra}` : extra, problem: 'is not a setting' }
      }),
    )
  }
  const absolute = absolutePaths(config, folder)
  const problems = [...fileProblems(absolute), ...productionProblems(absolute, environment)]
  if (problems.length > 0) throw new ConfigError(problems)
  return absolute
}

function absolutePaths(config: Config, folder: string): Config {
  const absolute = (path: string): string => (isAbsolute(path) ? path : join(folder, path))
  const database = absolute(config.database.slice('file:'.length))
  return {
    ...config,
    database: `file:${database}`,
    auditHeadFile: absolute(config.auditHeadFile ?? `${database}.audit-head`),
    secretsFile: absolute(config.secretsFile),
    hsm: { ...config.hsm, pinFile: absolute(config.hsm.pinFile) },
  }
}

function fileProblems(config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const demand = (setting: string, file: string, secret: boolean): void => {
    if (!existsSync(file)) problems.push({ setting, problem: `${file} does not exist` })
    else if (secret && (statSync(file).mode & 0o077) !== 0) {
      problems.push({ setting, problem: `${file} can be read by others; run chmod 600` })
    }
  }
  demand('secretsFile', config.secretsFile, true)
  demand('hsm.pinFile', config.hsm.pinFile, true)
  demand('hsm.module', config.hsm.module, false)
  const databaseFolder = dirname(config.database.slice('file:'.length))
  demand('database', databaseFolder, false)
  return problems
}

/** S52: what is handy on a laptop must not reach production. */
function productionProblems(config: Config, environment: NodeJS.ProcessEnv): ConfigProblem[] {
  if (environment['NODE_ENV'] !== 'production') return []
  const problems: ConfigProblem[] = []
  if (config.sandbox) {
    problems.push({ setting: 'sandbox', problem: 'must be false with NODE_ENV=production' })
  }
  if (!config.baseUrl.startsWith('https://')) {
    problems.push({ setting: 'baseUrl', problem: 'must be https with NODE_ENV=production' })
  }
  return problems
}

/** Settings that are allowed but that an operator should know about, named one by one. */
export function insecureSettings(config: Config): string[] {
  const warnings: string[] = []
  if (config.sandbox) warnings.push('sandbox: demo users and clients with published secrets')
  if (!config.baseUrl.startsWith('https://')) warnings.push('baseUrl: plain http')
  if (config.hsm.module.includes('softhsm')) {
    warnings.push('hsm.module: SoftHSM keeps keys in files of this machine')
  }
  return warnings
}
