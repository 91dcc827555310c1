import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Activations } from '../../src/activation/activations.js'
import { ChainVerifier } from '../../src/audit/chain.js'
import { readHead } from '../../src/audit/head-file.js'
import { loadConfig } from '../../src/config/load.js'
import { openRecords } from '../../src/records.js'
import { DatabaseActivationStore } from '../../src/storage/activation-store.js'
import { EXTENDED, digestOf, type Application, type StoryStart } from './application.js'
import type { AuditEntry, History } from './history.js'
import type { ChaosInstallation } from './installation.js'

/** Later than any reservation, also one that was made while the clock was a day ahead. */
const LATER_MS = 3 * 24 * 3600_000

/** Reads what the service has on record, after settling what whoever died left behind. */
export async function collect(
  installation: ChaosInstallation,
  parts: Pick<History, 'keys' | 'notRecovered'> & {
    readonly starts: readonly StoryStart[]
    readonly stories: readonly Application[]
  },
): Promise<History> {
  const { keys, notRecovered, starts, stories } = parts
  const { bench, shim, headFiles } = installation
  const later = () => new Date(Date.now() + LATER_MS)
  const config = loadConfig(join(bench.folder, 'openrssp.json'), {})
  const records = await openRecords(config, { now: later })
  try {
    const activations = new Activations({
      ...{ store: new DatabaseActivationStore(records.database), now: later },
      ...{ binder: records.secrets, unboundUntil: records.unboundUntil },
      ...{ lifetimeSeconds: 1, sadSeconds: 1, reservationSeconds: 1 },
    })
    while ((await activations.settleAbandoned()) > 0);
    const { read } = records.database
    const files = [...headFiles, join(bench.folder, 'audit-head')].filter((file) =>
      existsSync(file),
    )
    const verifier = new ChainVerifier(files.flatMap((file) => readHead(file) ?? []))
    const audit: AuditEntry[] = []
    for await (const record of records.audit.read(1)) {
      verifier.add(record)
      const { seq, event, detail } = record
      audit.push({ seq, event, detail: JSON.parse(detail) as AuditEntry['detail'] })
    }
    verifier.finish()
    return {
      ...{ keys, notRecovered, stories, audit },
      documents: documentsOf(starts),
      ledger: {
        authorisations: await read.authorisation.findMany(),
        rows: await read.authorisedDigest.findMany(),
        sads: await read.sad.findMany(),
      },
      chainProblems: verifier.problems.map(({ seq, problem }) => `record ${seq}: ${problem}`),
      tokenSignatures: shim.calls('C_Sign'),
    }
  } finally {
    await records.close()
  }
}

function documentsOf(starts: readonly StoryStart[]): Map<string, string> {
  const documents = starts.flatMap((start) => [
    ...start.documents,
    ...start.documents.map((document) => document + EXTENDED),
  ])
  return new Map(documents.map((document) => [digestOf(document), document]))
}
