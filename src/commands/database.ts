import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { ChainVerifier, EMPTY_LOG, type AuditHead } from '../audit/chain.js'
import { formatHead, readHead } from '../audit/head-file.js'
import type { RevocationReason } from '../certificates/revocation.js'
import type { EndedSince } from '../storage/restored-database.js'
import { exportedRecords } from './audit.js'
import {
  CommandError,
  configured,
  printFacts,
  readConfig,
  type CommonOptions,
} from './command-line.js'

export function databaseCommands(program: Command): void {
  const database = program.command('database').description('the database')

  configured(database.command('restored'))
    .description('after restoring a backup: end all approvals, codes and tokens it brought back')
    .option('--log <export>', 'exported audit log that goes on where the backup ends')
    .action(async ({ log, ...options }: CommonOptions & { log?: string }) => {
      const config = readConfig(options)
      const { auditHeadFile: headFile = '' } = config
      const known = readHead(headFile)
      const { openRecords } = await import('../records.js')
      const { RestoredDatabase } = await import('../storage/restored-database.js')
      // That it is not the log the head file remembers is why this is run.
      const records = await openRecords(config, { withoutHead: true })
      try {
        const { auditRecord } = records.database.read
        const newest = async (): Promise<AuditHead> =>
          (await auditRecord.findFirst({ orderBy: { seq: 'desc' } })) ?? EMPTY_LOG
        const restored = await newest()
        const ended = log === undefined ? [] : await endedSince(log, restored)
        const lost = known && known.seq > restored.seq ? known : null
        await new RestoredDatabase(records.database, records.now).end(lost, ended)
        writeFileSync(headFile, formatHead(await newest()), { mode: 0o600 })
        printFacts({ restoredTo: restored.seq, endedAgain: ended.length }, options.json)
      } finally {
        await records.close()
      }
    })
}

/** What the log says was ended after the head. @throws {CommandError} when it does not follow on it */
async function endedSince(file: string, head: AuditHead): Promise<EndedSince[]> {
  const verifier = new ChainVerifier([], head)
  const ended: EndedSince[] = []
  /** By credential: what was resumed again is not suspended. */
  const suspended = new Map<string, EndedSince>()
  for await (const record of exportedRecords(file)) {
    if (record.seq <= head.seq) continue
    verifier.add(record)
    const detail = JSON.parse(record.detail) as Record<string, string | undefined>
    const { credentialId = '', userId = '', clientId = '', reason = '' } = detail
    const at = new Date(record.at)
    switch (record.event) {
      case 'credential.revoked':
        ended.push({ at, what: 'credential revoked', id: credentialId })
        break
      case 'credential.deleted':
        ended.push({ at, what: 'credential deleted', id: credentialId })
        break
      case 'credential.suspended': {
        const by = reason === 'signer' ? 'signer' : 'operator'
        suspended.set(credentialId, { at, what: 'credential suspended', id: credentialId, by })
        break
      }
      case 'credential.resumed':
        suspended.delete(credentialId)
        break
      case 'certificate.revoked': {
        const { serialNumber = '' } = detail
        ended.push({
          ...{ at, what: 'certificate revoked', serialNumber },
          reason: reason as RevocationReason,
        })
        break
      }
      case 'user.disabled':
        ended.push({ at, what: 'user disabled', id: userId })
        break
      case 'client.disabled':
        ended.push({ at, what: 'client disabled', id: clientId })
        break
      case 'factor.removed':
      case 'factor.enrolled':
        if (detail['factor'] === 'totp') ended.push({ at, what: 'authenticator removed', userId })
        else if (record.event === 'factor.removed')
          ended.push({ at, what: 'passkey removed', id: detail['passkeyId'] ?? '' })
        break
      case 'identity.unlinked': {
        const { issuer = '', subject = '' } = detail
        ended.push({ at, what: 'identity unlinked', issuer, subject })
      }
    }
  }
  const [problem] = verifier.problems
  if (problem) throw new CommandError(`${file}, record ${problem.seq}: ${problem.problem}`)
  return [...ended, ...suspended.values()]
}
