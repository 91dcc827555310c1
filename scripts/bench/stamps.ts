/** Timestamps a service of ours gives inside itself: what is measured is no HTTP, but all the rest. */
import { createHash, randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { loadConfig } from '../../src/config/load.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { openServices } from '../../src/services.js'

export interface Stamps {
  readonly configFile: string
  readonly seconds: number
  /** Timestamps asked for at a time: each follows another, or all of a batch are asked for at once. */
  readonly atOnce: number
  readonly inBatches: boolean
}

export interface StampsResult {
  readonly perSecond: number
}

const { sha256 } = HASH_ALGORITHMS
/** In seconds: compiled, and with threads that run. */
const WARM_UP = 2

async function run({ configFile, seconds, atOnce, inBatches }: Stamps): Promise<StampsResult> {
  const services = await openServices(loadConfig(configFile, {}), {
    logger: pino({ level: 'silent' }),
  })
  const { source } = services.timestamping
  if (!source) throw new Error('nobody gives timestamps')
  const stamp = () =>
    source.timestamp(createHash('sha256').update(randomBytes(16)).digest(), sha256)
  const batch = (size: number) => Promise.all(Array.from({ length: size }, stamp))
  const stampFor = async (duration: number) => {
    const begun = performance.now()
    const over = begun + duration * 1000
    let stamps = 0
    const inTurn = async () => {
      while (performance.now() < over) {
        await stamp()
        stamps += 1
      }
    }
    if (inBatches) {
      for (; performance.now() < over; stamps += atOnce) await batch(atOnce)
    } else await Promise.all(Array.from({ length: atOnce }, inTurn))
    return stamps / ((performance.now() - begun) / 1000)
  }
  try {
    await stampFor(WARM_UP)
    return { perSecond: await stampFor(seconds) }
  } finally {
    await services.close()
  }
}

process.on('message', (stamps: Stamps) => {
  run(stamps).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    },
  )
})
