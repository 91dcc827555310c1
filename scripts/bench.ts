/**
 * Measures how fast OpenRSSP is, as ratios to baselines measured in the same run: prints a table and
 * writes bench.json. See docs/performance.md.
 */
import '../src/oauth/unsupported-runtime.js'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { measureFlows } from './bench/flows.js'
import { BenchInstallation } from './bench/installation.js'
import { measureMillion } from './bench/million.js'
import { measurePostgresql } from './bench/postgresql.js'
import { startBaseline } from './bench/processes.js'
import { judge, table, type Figure } from './bench/report.js'
import { measureSignDoc } from './bench/sign-doc.js'
import { measureSigning } from './bench/signing.js'
import { measureStartUp } from './bench/start-up.js'
import { measureTimestamps } from './bench/timestamp.js'

const CASES = [
  ...(['signing', 'signdoc', 'postgresql', 'timestamp', 'flows', 'million', 'start-up'] as const),
]

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    credentials: { type: 'string', default: '1000000' },
    out: { type: 'string', default: 'bench.json' },
  },
})
const extent = { rounds: Number(options.rounds), seconds: Number(options.seconds) }
const say = (line: string) => void process.stdout.write(`${line}\n`)
const wanted = CASES.filter((name) => positionals.length === 0 || positionals.includes(name))
const figures: Figure[] = []
const details: Record<string, unknown> = {}

for (const name of wanted) {
  say(`${name} …`)
  switch (name) {
    case 'signing': {
      const { figures: more, ...rest } = await withInstallation(async (installation) => {
        const echo = await startBaseline('echo')
        return measureSigning(installation, { echo, extent, say }).finally(() => echo.stop())
      })
      figures.push(...more)
      details[name] = rest
      break
    }
    case 'postgresql':
      figures.push(...(await measurePostgresql({ extent, say })))
      break
    case 'signdoc':
      figures.push(...(await withInstallation((made) => measureSignDoc(made, { extent, say }))))
      break
    case 'timestamp':
      figures.push(...(await withInstallation((made) => measureTimestamps(made, { extent, say }))))
      break
    case 'flows': {
      const { figures: more, ...rest } = await withInstallation(async (installation) => {
        const bare = await startBaseline('bare')
        return measureFlows(installation, { bare, extent, say }).finally(() => bare.stop())
      })
      figures.push(...more)
      details[name] = rest
      say(`  hashing a password, not counted: ${rest.passwordMs.toFixed(0)} ms`)
      break
    }
    case 'million':
      figures.push(
        ...(await measureMillion({ extent, credentials: Number(options.credentials), say })),
      )
      break
    case 'start-up':
      figures.push(await measureStartUp(extent))
  }
}

const verdicts = figures.map(judge)
say(`\n${table(verdicts)}`)
writeFileSync(options.out, `${JSON.stringify({ extent, verdicts, details }, null, 2)}\n`)
process.exitCode = verdicts.every(({ met }) => met) ? 0 : 1

async function withInstallation<T>(work: (made: BenchInstallation) => Promise<T>): Promise<T> {
  const installation = await BenchInstallation.make()
  try {
    return await work(installation)
  } finally {
    installation.remove()
  }
}
