/**
 * Random load and faults from a seed, then everything is compared: what applications hold, what was agreed to,
 * the ledger, the audit log, the counters. `npm run chaos -- --database postgresql --processes 3 --seed 7`
 */
import '../src/oauth/unsupported-runtime.js'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { DATABASES } from './chaos/installation.js'
import { run } from './chaos/run.js'

const { values: options } = parseArgs({
  options: {
    database: { type: 'string', default: 'sqlite' },
    processes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    seconds: { type: 'string', default: '25' },
    minutes: { type: 'string' },
    log: { type: 'string', default: 'chaos.log' },
  },
})
const database = DATABASES.find((name) => name === options.database)
if (!database) throw new Error(`--database is one of ${DATABASES.join(', ')}`)
const say = (line: string) => void process.stdout.write(`${line}\n`)
const seed = Number(options.seed)
const processes = Number(options.processes)
const seconds =
  options.minutes === undefined ? Number(options.seconds) : Number(options.minutes) * 60

// Servers, mounts and folders go with us.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const again = `npm run chaos -- --database ${database} --processes ${processes} --seed ${seed} --seconds ${seconds}`
say(again)
const { mismatches, journal, summary } = await run({ database, processes, seed, seconds, say })
writeFileSync(
  options.log,
  journal
    .lines()
    .map((line) => `${line}\n`)
    .join(''),
)
for (const line of summary) say(`  ${line}`)

if (mismatches.length === 0) {
  say('zero mismatches')
} else {
  for (const { invariant, what } of mismatches) say(`MISMATCH: ${invariant}: ${what}`)
  const stories = mismatches.flatMap(({ what }) => /^(round [^:]*):/.exec(what)?.[1] ?? [])
  say('\nWhat was done, and what those applications did:')
  for (const line of journal.lines(new Set(['fault', 'run', ...stories]))) say(line)
  say(`\nAll steps are in ${options.log}. Again: ${again}`)
}
process.exit(mismatches.length === 0 ? 0 : 1)
