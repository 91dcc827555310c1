import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { CHAPTERS } from './cases/index.js'
import { CannotRun } from './outcome.js'
import { ConsoleReport } from './report/console.js'
import { htmlReport } from './report/html.js'
import { jsonReport } from './report/json.js'
import { junitReport } from './report/junit.js'
import { count } from './report/summary.js'
import { runConformance, type Report } from './runner.js'
import { loadTarget, TargetSchema } from './target.js'

interface Options {
  readonly config?: string
  readonly only?: string[]
  readonly title?: string
  readonly bail?: boolean
  readonly verbose?: boolean
  readonly strict?: boolean
  readonly html?: string
  readonly junit?: string
  readonly json?: string
  readonly list?: boolean
  readonly schema?: boolean
}

const EXIT_CODES = `
Exit codes:
  0  no requirement failed
  1  at least one failed (with --strict: or a recommendation was not met)
  2  nothing could be tested: the configuration is wrong, or no server answers`

const program = new Command('openrssp-conformance')
  .description('Tests a remote signing service for what its CSC API claims.')
  .option('--config <file>', 'the target, as JSON; see --schema')
  .option('--only <chapter...>', 'chapters whose name contains this')
  .option('--title <pattern>', 'requirements whose title matches this regular expression')
  .option('--bail', 'stop at the first failure')
  .option('--strict', 'count warnings as failures')
  .option('--verbose', 'one line for each requirement')
  .option('--html <file>', 'write a page to hand on')
  .option('--junit <file>', 'write JUnit XML')
  .option('--json <file>', 'write everything as JSON')
  .option('--list', 'print all requirements and their clauses, and test nothing')
  .option('--schema', 'print the JSON Schema of the configuration')
  .addHelpText('after', EXIT_CODES)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))

const write = (text: string) => void process.stdout.write(text)

process.exitCode = await main(program.parse().opts<Options>()).catch((error: unknown) => {
  if (!(error instanceof CannotRun)) throw error
  process.stderr.write(`openrssp-conformance: ${error.message}\n`)
  return 2
})

async function main(options: Options): Promise<number> {
  if (options.schema) return print(`${JSON.stringify(TargetSchema, null, 2)}\n`)
  if (options.list) return print(listing())
  if (options.config === undefined) throw new CannotRun('--config is missing; try --help')
  const progress = new ConsoleReport(write, options.verbose ?? false)
  const report = await runConformance(loadTarget(options.config), {
    ...(options.only ? { only: options.only } : {}),
    ...(options.title === undefined ? {} : { titled: matching(options.title) }),
    bail: options.bail ?? false,
    onResult: (result) => {
      progress.onResult(result)
    },
  })
  progress.finish(report)
  writeReports(report, options)
  const { pass, fail, warning } = count(report.results)
  if (fail > 0 || (options.strict && warning > 0)) return 1
  if (pass === 0 && report.results.length > 0) return 2
  return 0
}

function matching(pattern: string): (title: string) => boolean {
  const expression = new RegExp(pattern, 'i')
  return (title) => expression.test(title)
}

function print(text: string): number {
  write(text)
  return 0
}

function writeReports(report: Report, { html, junit, json }: Options): void {
  if (html !== undefined) writeFileSync(html, htmlReport(report))
  if (junit !== undefined) writeFileSync(junit, junitReport(report))
  if (json !== undefined) writeFileSync(json, jsonReport(report))
}

function listing(): string {
  return CHAPTERS.map(({ name, versions, requirements }) => {
    const lines = requirements.map(({ title, level, clause }) => `  ${title} [${level} ${clause}]`)
    return `${name} (${versions.join(', ')})\n${lines.join('\n')}\n`
  }).join('\n')
}
