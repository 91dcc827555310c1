import { createHash } from 'node:crypto'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { RecordAdapter } from '../../src/oauth/adapter.js'
import {
  addCredential,
  addUser,
  BENCH_CLIENT,
  BenchInstallation,
  writeRequests,
} from './installation.js'
import { generateLoad } from './processes.js'
import type { Figure } from './report.js'
import { demandNoFailures, signRate, type Extent, type SigningSide } from './signing.js'
import type { Credential } from '../../src/credentials/credential.js'

const OWNERS = 10
const EACH = 10
const MEBIBYTE = 1024 * 1024

/**
 * The same hundred wrapped credentials used, once with nothing else in the database and once among
 * very many: rate of signHash, time of credentials/list, and memory.
 */
export async function measureMillion(parts: {
  readonly extent: Extent
  readonly credentials: number
  readonly say: (line: string) => void
}): Promise<Figure[]> {
  const { extent, credentials, say } = parts
  const few = await open(0)
  const begun = performance.now()
  const many = await open(credentials)
  say(`  ${credentials} laid out in ${Math.round((performance.now() - begun) / 1000)} s`)
  const rates: [number[], number[]] = [[], []]
  const lists: [number[], number[]] = [[], []]
  const memory: number[] = []
  try {
    for (let round = 0; round < extent.rounds; round += 1) {
      for (const [index, side] of [few, many].entries()) {
        const rate = await signRate(side, extent)
        const list = await listTime(side, extent)
        rates[index]?.push(rate)
        lists[index]?.push(list)
        say(`  ${index === 0 ? 'few' : 'many'}: ${Math.round(rate)}/s, list ${list.toFixed(2)} ms`)
      }
      memory.push(many.server.residentBytes() / MEBIBYTE)
    }
  } finally {
    for (const { server, installation } of [few, many]) {
      await server.stop()
      installation.remove()
    }
  }
  const name = `among ${credentials.toLocaleString('en')} wrapped credentials`
  return [
    {
      ...{ name: `signHash ${name}`, unit: '/s', baseline: 'among 100' },
      ...{ values: rates[1], baselineValues: rates[0], demand: { atLeast: 0.9 } },
    },
    {
      ...{ name: `credentials/list ${name}, p50`, unit: 'ms', baseline: 'among 100' },
      ...{ values: lists[1], baselineValues: lists[0], demand: { atMost: 1.2 } },
    },
    {
      ...{ name: `resident memory ${name}`, unit: 'MiB', baseline: 'MiB' },
      ...{ values: memory, baselineValues: memory.map(() => 1), demand: { atMost: 300 } },
    },
  ]
}

async function open(ballast: number): Promise<SigningSide> {
  const installation = await BenchInstallation.make({}, { custody: 'wrapped' })
  const credentials = await installation.lay(async (services) => {
    const made: Credential[] = []
    for (let owner = 0; owner < OWNERS; owner += 1) {
      const user = await addUser(services)
      for (let each = 0; each < EACH; each += 1) {
        made.push(await addCredential(services, user, 'p-256'))
      }
    }
    return made
  })
  if (ballast > 0) fill(join(installation.folder, 'rssp.db'), ballast)
  return { installation, credentials, server: await installation.serve() }
}

/** As names of wrapped keys are. */
const KEY_ID = `printf('w%032x', i)`

/** Copies of one person, credential, key and certificate under other names, ten credentials to each person. */
function fill(file: string, count: number): void {
  const database = new Sqlite(file)
  database.pragma('synchronous = OFF')
  copy(database, 'User', Math.ceil(count / EACH), {
    id: `'ballast-' || i`,
    username: `'ballast-' || i`,
  })
  copy(database, 'Credential', count, {
    id: `'ballast-' || i`,
    userId: `'ballast-' || (1 + (i - 1) / ${EACH})`,
    keyId: KEY_ID,
  })
  copy(database, 'HsmKey', count, { keyId: KEY_ID })
  copy(database, 'IssuedCertificate', count, {
    serialNumber: `'ballast-' || i`,
    keyId: KEY_ID,
  })
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.exec('ANALYZE')
  database.close()
}

function copy(
  database: Sqlite.Database,
  table: string,
  count: number,
  renamed: Readonly<Record<string, string>>,
): void {
  const columns = database.pragma(`table_info("${table}")`) as { name: string }[]
  const names = columns.map(({ name }) => `"${name}"`)
  const values = columns.map(({ name }) => renamed[name] ?? `"${name}"`)
  const key = columns[0]?.name ?? ''
  database.exec(`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO "${table}" (${names.join()})
    SELECT ${values.join()} FROM n, (SELECT * FROM "${table}" ORDER BY "${key}" DESC LIMIT 1)`)
}

async function listTime({ installation, credentials, server }: SigningSide, { seconds }: Extent) {
  const file = join(installation.folder, 'list.jsonl')
  await installation.lay(async (services) => {
    const { oauthRecords, secrets, now } = services
    const owners = [...new Set(credentials.map(({ userId }) => userId))]
    const requests = []
    for (const accountId of owners) {
      const token = createHash('sha256').update(accountId).digest('base64url')
      const adapter = (model: string) => new RecordAdapter(model, oauthRecords, secrets, now)
      const owner = { accountId, clientId: BENCH_CLIENT.id }
      await adapter('Grant').upsert(token, { ...owner, kind: 'Grant' }, 3600)
      const access = { ...owner, kind: 'AccessToken', grantId: token, scope: 'service' }
      await adapter('AccessToken').upsert(token, access, 3600)
      requests.push({ path: '/csc/v2/credentials/list', token, body: {} })
    }
    writeRequests(file, requests)
  })
  const load = await generateLoad({
    ...{ origin: server.origin, file, connections: 1, seconds: Math.min(seconds, 3) },
    ...{ repeat: true, warmUp: 50 },
  })
  return demandNoFailures(load).p50
}
