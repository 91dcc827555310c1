/**
 * Mixed load for a while, then demands that nothing has grown: memory, handles, token objects, rows
 * that expire. `npm run soak -- --minutes 60`
 */
import '../src/oauth/unsupported-runtime.js'
import { parseArgs } from 'node:util'
import { judge, table } from './bench/report.js'
import { measureSoak } from './bench/soak.js'

const { values: options } = parseArgs({ options: { minutes: { type: 'string', default: '3' } } })
const say = (line: string) => void process.stdout.write(`${line}\n`)
const figures = await measureSoak({ minutes: Number(options.minutes), say })
const verdicts = figures.map(judge)
say(`\n${table(verdicts)}`)
process.exitCode = verdicts.every(({ met }) => met) ? 0 : 1
