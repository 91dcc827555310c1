import { join } from 'node:path'
import type { Credential } from '../../src/credentials/credential.js'
import type { Ceiling } from './ceiling.js'
import { addCredential, addUser, prepareSignHash, type BenchInstallation } from './installation.js'
import type { LoadResult } from './load.js'
import { generateLoad, measureCeiling, type Running } from './processes.js'
import type { Figure } from './report.js'

/** How much is measured. */
export interface Extent {
  readonly rounds: number
  /** Of each measurement. */
  readonly seconds: number
}

interface Keys {
  readonly p256: readonly Credential[]
  readonly rsa: readonly Credential[]
}

/** Requests laid out for a second of each case: more than it reaches. */
const ENOUGH = { single: 6000, hundred: 200, rsa: 2500 }
const WARM_UP = 300
/** So many signatures it takes until what is used often is compiled; they count for nothing. */
const UNTIL_COMPILED = 10_000

/** signHash with one digest, with a hundred, and with RSA, each against its baseline. */
export async function measureSigning(
  installation: BenchInstallation,
  parts: {
    readonly echo: Running
    readonly extent: Extent
    readonly serveOptions?: readonly string[]
    readonly say: (line: string) => void
  },
): Promise<{
  figures: Figure[]
  loads: Record<string, LoadResult[]>
  cpu: Record<string, number[]>
}> {
  const { echo, extent, say } = parts
  const keys = await installation.lay(async (services): Promise<Keys> => {
    const users = await Promise.all(Array.from({ length: 8 }, () => addUser(services)))
    const of = async (algorithm: 'p-256' | 'rsa-2048') => {
      const made: Credential[] = []
      for (const user of users) made.push(await addCredential(services, user, algorithm))
      return made
    }
    return { p256: await of('p-256'), rsa: await of('rsa-2048') }
  })
  const loads: Record<string, LoadResult[]> = {}
  const cpu: Record<string, number[]> = {}
  const rates: Record<string, number[]> = {}
  const note = (name: string, rate: number, load?: LoadResult, cpuMs?: number) => {
    ;(rates[name] ??= []).push(rate)
    if (load) (loads[name] ??= []).push(load)
    if (cpuMs !== undefined) (cpu[name] ??= []).push(cpuMs)
    const tail = load ? `, p50 ${load.p50.toFixed(1)} ms, p99 ${load.p99.toFixed(1)} ms` : ''
    say(`  ${name}: ${Math.round(rate)} per second${tail}`)
  }

  const file = join(installation.folder, 'requests.jsonl')
  const server = await installation.serve(...(parts.serveOptions ?? []))
  try {
    await layOut(installation, keys.p256, UNTIL_COMPILED, 1, file)
    const anyTime = { ...extent, seconds: 60 }
    await echoLoad(echo, file, 64, extent)
    demandNoFailures(await signLoad(server, file, 64, anyTime))
    for (let round = 1; round <= extent.rounds; round += 1) {
      say(`round ${round} of ${extent.rounds}`)
      for (const connections of [64, 16]) {
        await layOut(installation, keys.p256, extent.seconds * ENOUGH.single, 1, file)
        const echoed = await echoLoad(echo, file, connections, extent)
        note(`echo ${connections}`, echoed.perSecond, echoed)
        const before = server.cpuSeconds()
        const signed = demandNoFailures(await signLoad(server, file, connections, extent))
        const cpuMs = ((server.cpuSeconds() - before) * 1000) / (signed.requests + WARM_UP)
        note(`signHash ${connections}`, signed.perSecond, signed, cpuMs)
      }
      note('ceiling p-256', (await ceiling(installation, 'p-256', extent)).perSecond)
      await layOut(installation, keys.p256, extent.seconds * ENOUGH.hundred, 100, file)
      const hundred = demandNoFailures(await signLoad(server, file, 16, extent, 10))
      note('signHash × 100', hundred.perSecond * 100, hundred)
      note('ceiling rsa-2048', (await ceiling(installation, 'rsa-2048', extent)).perSecond)
      await layOut(installation, keys.rsa, extent.seconds * ENOUGH.rsa, 1, file)
      const rsa = demandNoFailures(await signLoad(server, file, 64, extent))
      note('signHash rsa-2048', rsa.perSecond, rsa)
    }
  } finally {
    await server.stop()
  }
  const of = (name: string) => rates[name] ?? []
  const tails = (name: string, read: (load: LoadResult) => number) => (loads[name] ?? []).map(read)
  const figures: Figure[] = [
    {
      ...{ name: 'signHash, 1 digest, 64 connections', unit: '/s', baseline: 'echo' },
      ...{ values: of('signHash 64'), baselineValues: of('echo 64'), demand: { atLeast: 0.25 } },
    },
    {
      ...{ name: 'signHash, 1 digest, 16 connections', unit: '/s', baseline: 'echo' },
      ...{ values: of('signHash 16'), baselineValues: of('echo 16'), demand: { atLeast: 0.15 } },
    },
    ...[64, 16].map((connections): Figure => {
      const name = `signHash ${connections}`
      return {
        ...{ name: `… its p99, ${connections} connections`, unit: 'ms', baseline: 'p50' },
        values: tails(name, ({ p99 }) => p99),
        baselineValues: tails(name, ({ p50 }) => p50),
        demand: { atMost: 8 },
      }
    }),
    {
      ...{ name: 'signHash, 100 digests', unit: 'digests/s', baseline: 'ceiling' },
      values: of('signHash × 100'),
      baselineValues: of('ceiling p-256'),
      demand: { atLeast: 0.8 },
    },
    {
      ...{ name: 'signHash, 1 digest, RSA-2048', unit: '/s', baseline: 'ceiling' },
      values: of('signHash rsa-2048'),
      baselineValues: of('ceiling rsa-2048'),
      demand: { atLeast: 0.85 },
    },
  ]
  return { figures, loads, cpu }
}

function layOut(
  installation: BenchInstallation,
  credentials: readonly Credential[],
  count: number,
  digests: number,
  file: string,
): Promise<void> {
  return installation.lay((services) =>
    prepareSignHash(services, { credentials, count: count + WARM_UP, digests, file }),
  )
}

function echoLoad(echo: Running, file: string, connections: number, { seconds }: Extent) {
  const { origin } = echo
  return generateLoad({ origin, file, connections, seconds, repeat: true, warmUp: WARM_UP })
}

function signLoad(
  { origin }: Running,
  file: string,
  connections: number,
  { seconds }: Extent,
  warmUp = WARM_UP,
) {
  return generateLoad({ origin, file, connections, seconds, repeat: false, warmUp })
}

/** A server, and credentials that it signs with. */
export interface SigningSide {
  readonly installation: BenchInstallation
  readonly credentials: readonly Credential[]
  readonly server: Running
}

/** Signatures in a second, each of one digest approved for it alone, at 64 connections. */
export async function signRate(side: SigningSide, extent: Extent): Promise<number> {
  const { installation, credentials, server } = side
  const file = join(installation.folder, 'requests.jsonl')
  await layOut(installation, credentials, extent.seconds * ENOUGH.single, 1, file)
  return demandNoFailures(await signLoad(server, file, 64, extent)).perSecond
}

/** A refusal is quick; a figure with refusals in it says nothing. */
export function demandNoFailures(load: LoadResult): LoadResult {
  if (Object.keys(load.failures).length === 0) return load
  throw new Error(`failures ${JSON.stringify(load.failures)}, the last: ${load.lastFailure}`)
}

function ceiling(
  { token }: BenchInstallation,
  algorithm: Ceiling['algorithm'],
  { seconds }: Extent,
) {
  const { module, tokenLabel, pin, conf } = token
  process.env['SOFTHSM2_CONF'] = conf
  return measureCeiling({ module, tokenLabel, pin, algorithm, sessions: 8, seconds })
}
