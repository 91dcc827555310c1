import type { ErrorObject } from 'ajv'
import type { ConfigProblem } from './config-problem.js'

/** One problem per setting, in words that need no look at the schema. */
export function shapeProblems(errors: readonly ErrorObject[]): ConfigProblem[] {
  const problems = new Map<string, string>()
  // What is wrong with each of several alternatives says less than that none of them fits.
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf')
  const inUnion = ({ keyword, instancePath }: ErrorObject) =>
    keyword !== 'anyOf' &&
    unions.some((union) => `${instancePath}/`.startsWith(`${union.instancePath}/`))
  for (const error of errors) {
    if (inUnion(error)) continue
    const { setting, problem } = shapeProblem(error)
    if (!problems.has(setting)) problems.set(setting, problem)
  }
  return [...problems].map(([setting, problem]) => ({ setting, problem }))
}

/** Texts that no operating system, library or protocol takes. */
export function characterProblems(value: unknown, setting = ''): ConfigProblem[] {
  if (typeof value === 'string') {
    return value.includes('\0') ? [{ setting, problem: 'has a NUL character' }] : []
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, each]) => {
    const below = setting === '' ? name : `${setting}.${name}`
    if (name.includes('\0')) return [{ setting: below, problem: 'has a NUL character' }]
    return characterProblems(each, below)
  })
}

function shapeProblem({ keyword, instancePath, params, parentSchema, message }: ErrorObject) {
  const path = instancePath.slice(1).replaceAll('/', '.')
  const below = (name: string) => (path === '' ? name : `${path}.${name}`)
  const { additionalProperty, missingProperty, pattern } = params as Record<string, string>
  if (additionalProperty !== undefined) {
    return { setting: below(additionalProperty), problem: 'is not a setting' }
  }
  if (missingProperty !== undefined) {
    return { setting: below(missingProperty), problem: 'is missing' }
  }
  const setting = path || '(file)'
  const { description = '', anyOf = [] } = (parentSchema ?? {}) as {
    description?: string
    anyOf?: { const?: string }[]
  }
  if (keyword === 'pattern') {
    return { setting, problem: `must match ${pattern}. ${description}`.trim() }
  }
  if (keyword === 'anyOf') {
    const choices = anyOf.flatMap((choice) => choice.const ?? [])
    const problem =
      choices.length === anyOf.length
        ? `must be one of ${choices.join(', ')}`
        : `has none of its forms. ${description}`
    return { setting, problem }
  }
  return { setting, problem: message ?? 'is wrong' }
}
