/** Writes docs/configuration.md from the configuration schema; with --check, only tells whether it agrees. */
import { readFileSync, writeFileSync } from 'node:fs'
import { format } from 'prettier'
import { ConfigSchema } from '../src/config/schema.js'

interface Setting {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, Setting>>
  readonly items?: Setting
  readonly required?: readonly string[] | undefined
  readonly anyOf?: readonly object[]
}

const FILE = 'docs/configuration.md'

const INTRODUCTION = `# Configuration

\`openrssp serve --config FILE\` reads one JSON file. Every problem in it is reported at once, before
anything is opened. Relative paths start at the file's folder. This page is generated from the schema in
\`src/config/schema.ts\`.

| Setting | Type | Default | What it is |
| --- | --- | --- | --- |
`

function rows(setting: Setting, path: string): string[] {
  return Object.entries(setting.properties ?? {}).flatMap(([name, property]) => {
    const full = path === '' ? name : `${path}.${name}`
    if (property.properties) return rows(property, full)
    const required = setting.required?.includes(name) === true && property.default === undefined
    const fallback = required ? '**required**' : code(property.default)
    const row = `| \`${full}\` | ${type(property)} | ${fallback} | ${property.description ?? ''} |`
    return [row, ...(property.items ? rows(property.items, `${full}[]`) : [])]
  })
}

function type({ type: name = '', minimum, maximum, anyOf }: Setting): string {
  if (anyOf)
    return anyOf.map((choice) => ('const' in choice ? code(choice.const) : 'object')).join(' or ')
  if (minimum === undefined && maximum === undefined) return name
  return `${name}, ${minimum ?? ''} to ${maximum ?? 'any'}`
}

function code(value: unknown): string {
  return value === undefined ? '' : `\`${JSON.stringify(value)}\``
}

const options = { parser: 'markdown', printWidth: 100 }
const text = await format(INTRODUCTION + rows(ConfigSchema, '').join('\n'), options)
if (!process.argv.includes('--check')) {
  writeFileSync(FILE, text)
} else if (readFileSync(FILE, 'utf8') !== text) {
  process.stderr.write(`${FILE} is not what the schema says; run: npm run generate:docs\n`)
  process.exitCode = 1
}
