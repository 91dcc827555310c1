import { tmpdir } from 'node:os'
import type { Credential } from '../../src/credentials/credential.js'
import { PrivatePostgres } from '../../test/support/postgresql.js'
import { addCredential, addUser, BenchInstallation } from './installation.js'
import type { Figure } from './report.js'
import { signRate, type Extent, type SigningSide } from './signing.js'

const OWNERS = 8

interface Side extends SigningSide {
  readonly name: string
}

/**
 * signHash of one digest by two workers on PostgreSQL, against one process on SQLite. Both databases are
 * on the same disk and flush to it.
 */
export async function measurePostgresql(parts: {
  readonly extent: Extent
  readonly say: (line: string) => void
}): Promise<Figure[]> {
  const { extent, say } = parts
  const postgres = await PrivatePostgres.start([], tmpdir())
  const sides: Side[] = []
  const rates: Record<string, number[]> = {}
  try {
    sides.push(await open('SQLite', {}, []))
    sides.push(await open('PostgreSQL', { database: postgres.url }, ['--workers', '2']))
    for (let round = 0; round < extent.rounds; round += 1) {
      for (const side of sides) {
        const rate = await signRate(side, extent)
        ;(rates[side.name] ??= []).push(rate)
        say(`  ${side.name}: ${Math.round(rate)} per second`)
      }
    }
  } finally {
    for (const { server, installation } of sides) {
      await server.stop()
      installation.remove()
    }
    await postgres.stop()
  }
  return [
    {
      ...{ name: 'signHash, 1 digest, PostgreSQL, 2 workers', unit: '/s', baseline: 'SQLite' },
      ...{ values: rates['PostgreSQL'] ?? [], baselineValues: rates['SQLite'] ?? [] },
      demand: { atLeast: 0.8 },
    },
  ]
}

async function open(
  name: string,
  settings: Record<string, unknown>,
  serveOptions: readonly string[],
): Promise<Side> {
  const installation = await BenchInstallation.make(settings)
  const credentials = await installation.lay(async (services) => {
    const made: Credential[] = []
    for (let owner = 0; owner < OWNERS; owner += 1) {
      made.push(await addCredential(services, await addUser(services), 'p-256'))
    }
    return made
  })
  return { name, installation, credentials, server: await installation.serve(...serveOptions) }
}
