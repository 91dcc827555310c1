import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { ChainVerifier, type AuditHead, type AuditRecord } from '../audit/chain.js'
import { auditEvent } from '../audit/events.js'
import { readHead } from '../audit/head-file.js'
import { SqliteAuditReader } from '../storage/sqlite/audit-reader.js'
import {
  CommandError,
  configured,
  print,
  readConfig,
  withRecords,
  type CommonOptions,
} from './command-line.js'

export function auditCommands(program: Command): void {
  const audit = program.command('audit').description('the audit log')

  configured(audit.command('verify'))
    .description('check the chain: edits, deletions, insertions, reordering and a cut tail')
    .option('--head <file>', 'also check against a head kept elsewhere')
    .option('--file <export>', 'check an exported file instead of the database')
    .action(async (options: CommonOptions & { head?: string; file?: string }) => {
      const heads: AuditHead[] = []
      if (options.head !== undefined) heads.push(headFrom(options.head))
      if (options.file !== undefined) {
        return report(await verify(exportedRecords(options.file), heads), options.json)
      }
      const config = readConfig(options)
      const known = config.auditHeadFile === undefined ? null : readHead(config.auditHeadFile)
      if (known) heads.push(known)
      const reader = new SqliteAuditReader(config.database.slice('file:'.length))
      try {
        report(await verify(reader.read(), heads), options.json)
      } finally {
        reader.close()
      }
    })

  configured(audit.command('export'))
    .description('write the records as JSON lines, for safe keeping; the last line is the head')
    .option('--from <seq>', 'first record', '1')
    .action((options: CommonOptions & { from: string }) =>
      withRecords(options, async ({ audit: log }) => {
        const from = Number(options.from)
        if (!Number.isSafeInteger(from) || from < 1) throw new CommandError('--from is a record number.')
        let last = from - 1
        for await (const record of log.read(from)) {
          print(JSON.stringify(record))
          last = record.seq
        }
        await log.append(auditEvent('audit.exported', { from, to: last }))
      }),
    )
}

interface Verdict {
  readonly records: number
  readonly head: AuditHead
  readonly problems: readonly { seq: number; problem: string }[]
}

async function verify(
  records: AsyncIterable<AuditRecord> | Iterable<AuditRecord>,
  heads: readonly AuditHead[],
): Promise<Verdict> {
  const verifier = new ChainVerifier(heads)
  let count = 0
  for await (const record of records) {
    verifier.add(record)
    count += 1
  }
  return { records: count, head: verifier.finish(), problems: verifier.problems }
}

function report(verdict: Verdict, json = false): void {
  if (json) print(JSON.stringify({ intact: verdict.problems.length === 0, ...verdict }))
  else {
    for (const { seq, problem } of verdict.problems) print(`record ${seq}: ${problem}`)
    const { seq, hash } = verdict.head
    print(
      verdict.problems.length === 0
        ? `The audit log is intact: ${verdict.records} records, head ${seq} ${hash}`
        : `The audit log was tampered with: ${verdict.problems.length} problems in ${verdict.records} records`,
    )
  }
  if (verdict.problems.length > 0) process.exitCode = 1
}

function headFrom(file: string): AuditHead {
  const head = readHead(file)
  if (!head) throw new CommandError(`${file} does not hold an audit head.`)
  return head
}

async function* exportedRecords(file: string): AsyncIterable<AuditRecord> {
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (line.trim() !== '') yield JSON.parse(line) as AuditRecord
  }
}
