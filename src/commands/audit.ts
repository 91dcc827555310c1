import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { InvalidArgumentError, type Command } from 'commander'
import { ApprovalVerifier } from '../audit/approvals.js'
import { ChainVerifier, type AuditHead, type AuditRecord } from '../audit/chain.js'
import { auditEvent } from '../audit/events.js'
import { formatRecord, parseRecord } from '../audit/export.js'
import { readHead } from '../audit/head-file.js'
import { fileOf, isPostgresql } from '../config/database-url.js'
import { openAuditReader } from '../storage/open-audit-reader.js'
import {
  CommandError,
  configured,
  demandReadable,
  print,
  printInTurn,
  readConfig,
  withRecords,
  type CommonOptions,
} from './command-line.js'

interface VerifyOptions extends CommonOptions {
  readonly head?: string
  readonly file?: string
  readonly from: number
}

export function auditCommands(program: Command): void {
  const audit = program.command('audit').description('the audit log')

  configured(audit.command('verify'))
    .description(
      'check the chain: edits, deletions, insertions, reordering and a cut tail; and that what was signed was approved',
    )
    .option('--head <file>', 'also check against a head kept elsewhere')
    .option('--file <export>', 'check an exported file; needs no configuration')
    .option('--from <seq>', 'record the exported file starts with', recordNumber, 1)
    .action(async (options: VerifyOptions) => {
      const kept = options.head === undefined ? [] : [headFrom(options.head)]
      report(
        options.file === undefined
          ? await verifyDatabase(options, kept)
          : await verify(exportedRecords(options.file), kept, options.from),
        options.json,
      )
    })

  configured(audit.command('export'))
    .description('write the records as JSON lines, for safe keeping elsewhere')
    .option('--from <seq>', 'first record', recordNumber, 1)
    .action(({ from, ...options }: CommonOptions & { from: number }) =>
      withRecords(options, async ({ audit: log }) => {
        let last = from - 1
        for await (const record of log.read(from)) {
          await printInTurn(formatRecord(record))
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

/** Looks at the log as it lies there, and writes nothing. */
async function verifyDatabase(
  options: VerifyOptions,
  kept: readonly AuditHead[],
): Promise<Verdict> {
  const { database, auditHeadFile = '' } = readConfig(options)
  if (!isPostgresql(database)) demandReadable(fileOf(database))
  // The head is read first: records that are written meanwhile come after it.
  const known = readHead(auditHeadFile)
  const reader = await openAuditReader(database)
  try {
    const verdict = await verify(reader.read(), known ? [...kept, known] : kept)
    if (known) return verdict
    const problem = `no head is kept in ${auditHeadFile}, so a tail cut off after this would not show`
    return { ...verdict, problems: [...verdict.problems, { seq: verdict.head.seq, problem }] }
  } finally {
    await reader.close()
  }
}

/** @param from the first record there should be; of what came before it, its hash says enough */
async function verify(
  records: AsyncIterable<AuditRecord> | Iterable<AuditRecord>,
  heads: readonly AuditHead[],
  from = 1,
): Promise<Verdict> {
  let verifier = new ChainVerifier(heads)
  const approvals = new ApprovalVerifier(from === 1)
  let count = 0
  for await (const record of records) {
    if (count === 0 && from > 1) {
      verifier = new ChainVerifier(heads, { seq: from - 1, hash: record.prevHash })
    }
    verifier.add(record)
    approvals.add(record)
    count += 1
  }
  const head = verifier.finish()
  return { records: count, head, problems: [...verifier.problems, ...approvals.problems] }
}

function report(verdict: Verdict, json = false): void {
  const { records, problems, head } = verdict
  if (json) print(JSON.stringify({ intact: problems.length === 0, ...verdict }))
  else {
    for (const { seq, problem } of problems) print(`record ${seq}: ${problem}`)
    print(
      problems.length === 0
        ? `The audit log is intact: ${counted(records, 'record')}, head ${head.seq} ${head.hash}`
        : `The audit log is not intact: ${counted(problems.length, 'problem')} in ${counted(records, 'record')}`,
    )
  }
  if (problems.length > 0) process.exitCode = 1
}

function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`
}

function headFrom(file: string): AuditHead {
  demandReadable(file)
  const head = readHead(file)
  if (!head) throw new CommandError(`${file} does not hold an audit head.`)
  return head
}

export async function* exportedRecords(file: string): AsyncIterable<AuditRecord> {
  demandReadable(file)
  let number = 0
  for await (const line of createInterface({ input: createReadStream(file) })) {
    number += 1
    const record = parseRecord(line)
    if (!record) throw new CommandError(`Line ${number} of ${file} is not as an export writes it.`)
    yield record
  }
}

function recordNumber(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text))
    throw new InvalidArgumentError('Give the number of a record.')
  return Number(text)
}
