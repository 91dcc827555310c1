import { join } from 'node:path'
import type { BenchInstallation } from './installation.js'
import { measureCeiling, measureStamps } from './processes.js'
import type { Figure } from './report.js'
import type { Extent } from './signing.js'

const AT_ONCE = 64
const BATCH = 100

/** Timestamps of the embedded authority, singly in many places and in batches, against the token. */
export async function measureTimestamps(
  { folder, token, pin }: BenchInstallation,
  { extent, say }: { readonly extent: Extent; readonly say: (line: string) => void },
): Promise<Figure[]> {
  const { seconds } = extent
  const stamps = { configFile: join(folder, 'openrssp.json'), seconds }
  const { module, tokenLabel, conf } = token
  const key = { module, tokenLabel, pin, algorithm: 'p-256', sessions: 8, seconds } as const
  process.env['SOFTHSM2_CONF'] = conf
  const measures = {
    ceiling: () => measureCeiling(key),
    concurrent: () => measureStamps({ ...stamps, atOnce: AT_ONCE, inBatches: false }),
    batches: () => measureStamps({ ...stamps, atOnce: BATCH, inBatches: true }),
  }
  const rates = { ceiling: [] as number[], concurrent: [] as number[], batches: [] as number[] }
  for (let round = 1; round <= extent.rounds; round += 1) {
    say(`round ${round} of ${extent.rounds}`)
    for (const name of ['ceiling', 'concurrent', 'batches'] as const) {
      const { perSecond } = await measures[name]()
      rates[name].push(perSecond)
      say(`  ${name}: ${Math.round(perSecond)} per second`)
    }
  }
  const against = { unit: '/s', baseline: 'ceiling', baselineValues: rates.ceiling }
  const demand = { atLeast: 0.7 }
  return [
    { name: `timestamps, ${AT_ONCE} at a time`, values: rates.concurrent, ...against, demand },
    { name: `timestamps, batches of ${BATCH}`, values: rates.batches, ...against, demand },
  ]
}
