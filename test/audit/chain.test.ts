import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import {
  chainRecord,
  ChainVerifier,
  EMPTY_LOG,
  type AuditHead,
  type AuditRecord,
} from '../../src/audit/chain.js'
import { formatRecord, parseRecord } from '../../src/audit/export.js'
import { formatHead, readHead } from '../../src/audit/head-file.js'

function chainOf(length: number): AuditRecord[] {
  const records: AuditRecord[] = []
  for (let index = 1; index <= length; index += 1) {
    const at = new Date(Date.UTC(2026, 0, 1, 0, 0, index)).toISOString()
    const entry = { at, event: 'user.added', detail: JSON.stringify({ userId: `u${index}` }) }
    records.push(chainRecord(records.at(-1) ?? EMPTY_LOG, entry))
  }
  return records
}

function verify(records: readonly AuditRecord[], heads: readonly AuditHead[] = []): string[] {
  const verifier = new ChainVerifier(heads)
  for (const record of records) verifier.add(record)
  verifier.finish()
  return verifier.problems.map(({ seq, problem }) => `${seq}: ${problem}`)
}

const chain = chainOf(6)
const head = chain.at(-1) as AuditRecord

describe('The audit chain (S78)', () => {
  it('is intact as it was written', () => {
    assert.deepEqual(verify(chain, [head]), [])
  })

  it('is intact when it is empty and no head is known', () => {
    assert.deepEqual(verify([]), [])
  })

  it('may have grown since a head was kept', () => {
    assert.deepEqual(verify(chain, [chain[2] as AuditRecord]), [])
  })

  it('hashes as the documentation says, so that others can verify it', () => {
    assert.deepEqual(
      chainRecord(EMPTY_LOG, { at: '2026-01-01T00:00:01.000Z', event: 'user.added', detail: '{}' }),
      {
        seq: 1,
        at: '2026-01-01T00:00:01.000Z',
        event: 'user.added',
        detail: '{}',
        prevHash: '0'.repeat(64),
        hash: '92d4043b062e540fab4cd732ce7763049091ccf46782a20049fe9fee1078d904',
      },
    )
  })

  it('shows a change of any field of any record', () => {
    for (const [index, record] of chain.entries()) {
      for (const field of ['at', 'event', 'detail', 'prevHash', 'hash'] as const) {
        const changed = chain.with(index, { ...record, [field]: `${record[field]} ` })
        assert.ok(verify(changed, [head]).length > 0, `${field} of record ${record.seq}`)
      }
    }
  })

  it('shows text moved from one field to the next', () => {
    const [first, ...rest] = chain as [AuditRecord, ...AuditRecord[]]
    const moved = { ...first, event: `${first.event}{`, detail: first.detail.slice(1) }
    assert.deepEqual(verify([moved, ...rest]), ['1: was changed after it was written'])
  })

  it('shows every deletion, also of several records', () => {
    for (let from = 0; from < chain.length; from += 1) {
      for (let to = from + 1; to <= chain.length; to += 1) {
        const left = chain.toSpliced(from, to - from)
        assert.ok(verify(left, [head]).length > 0, `without ${from + 1} to ${to}`)
      }
    }
  })

  it('names the record that is missing', () => {
    assert.deepEqual(verify(chain.toSpliced(2, 1)), ['4: record 3 is missing or out of place'])
  })

  it('shows any other order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(chain, { minLength: chain.length }), (shuffled) => {
        const same = shuffled.every((record, index) => record === chain[index])
        assert.equal(verify(shuffled, [head]).length === 0, same)
      }),
    )
  })

  it('shows records that changed places and took each other’s numbers', () => {
    const [second, third] = [chain[1], chain[2]] as [AuditRecord, AuditRecord]
    const swapped = chain.with(1, { ...third, seq: 2 }).with(2, { ...second, seq: 3 })
    assert.ok(verify(swapped).length > 0)
  })

  it('shows another number on any record, the last too', () => {
    for (const [index, record] of chain.entries()) {
      for (const seq of [0, record.seq + 50, -1]) {
        assert.ok(verify(chain.with(index, { ...record, seq })).length > 0, `${record.seq}`)
      }
    }
  })

  it('shows a record that stands twice', () => {
    const twice = chain.toSpliced(3, 0, chain[2] as AuditRecord)
    assert.deepEqual(verify(twice), ['3: record 4 is missing or out of place'])
  })

  it('shows a cut tail by the head that was reached', () => {
    assert.deepEqual(verify(chain.slice(0, 4), [head]), [
      '4: the log ends here but had reached record 6',
    ])
    assert.deepEqual(verify([], [head]), ['0: the log ends here but had reached record 6'])
  })

  it('shows a chain that was made anew, by the head that was kept', () => {
    const forged = [...chain.slice(0, 3)]
    for (const { at, event, detail } of chain.slice(3)) {
      const entry = { at, event, detail: detail.replace('u4', 'u9') }
      forged.push(chainRecord(forged.at(-1) ?? EMPTY_LOG, entry))
    }
    assert.deepEqual(verify(forged), [], 'without a head it cannot be told')
    assert.deepEqual(verify(forged, [head]), ['6: is not the record that was seen here before'])
  })

  it('is held against every known head, though the forger adapted one', () => {
    const forged = chainOf(5)
    const [fifth] = forged.splice(4, 1) as [AuditRecord]
    forged.push(chainRecord(forged[3] as AuditRecord, { ...fifth, detail: '{"userId":"evil"}' }))
    const adapted = forged[4] as AuditRecord
    const kept = chain[4] as AuditRecord
    for (const heads of [
      [adapted, kept],
      [kept, adapted],
    ]) {
      assert.deepEqual(verify(forged, heads), ['5: is not the record that was seen here before'])
    }
  })
})

describe('The file of the audit head', () => {
  let folder: string
  let file: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-head-'))
    file = join(folder, 'head')
  })
  afterEach(() => {
    rmSync(folder, { recursive: true })
  })

  it('gives back what it keeps', () => {
    writeFileSync(file, formatHead(head))
    assert.deepEqual(readHead(file), { seq: 6, hash: head.hash })
  })

  it('has the same length for every head, so that a new one covers the old', () => {
    const late = formatHead({ seq: 2 ** 53 - 1, hash: 'f'.repeat(64) })
    assert.equal(late.length, formatHead(EMPTY_LOG).length)
  })

  it('may be missing or still empty', () => {
    assert.equal(readHead(file), null)
    writeFileSync(file, '')
    assert.equal(readHead(file), null)
  })

  for (const text of ['garbage', '1 abc\n', `${formatHead(head)}more\n`, ' '.repeat(82)]) {
    it(`is refused when it holds ${JSON.stringify(text.slice(0, 20))}…`, () => {
      writeFileSync(file, text)
      assert.throws(() => readHead(file), { message: `${file} does not hold an audit head` })
    })
  }
})

describe('A line of an audit export', () => {
  it('gives back the record it was made from', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (event, text) => {
        const detail = JSON.stringify({ text })
        const record = chainRecord(EMPTY_LOG, { at: '2026-01-01T00:00:00.000Z', event, detail })
        assert.deepEqual(parseRecord(formatRecord(record)), record)
      }),
    )
  })

  it('is one line of plain text, whatever the record holds', () => {
    const evil = '\r\n\u001b[2J\u0007\u0000\u007f\u009b31m\u0085\u2028\u2029\u202e\u2066'
    const detail = JSON.stringify({ username: evil })
    const line = formatRecord(chainRecord(EMPTY_LOG, { at: evil, event: evil, detail }))
    assert.match(line, /^[\x20-\x7e]+$/)
  })

  const [record] = chain as [AuditRecord]
  const line = formatRecord(record)
  const others: [string, string][] = [
    [
      'another order of members',
      JSON.stringify(Object.fromEntries(Object.entries(record).reverse())),
    ],
    ['a further member', line.replace('}', ',"note":"x"}')],
    ['a member twice', line.replace('{', '{"seq":2,')],
    ['white space', `${line} `],
    ['a number as text', line.replace('"seq":1', '"seq":"1"')],
    ['a missing member', line.replace(/"at":"[^"]*",/, '')],
    ['half of it', line.slice(0, 40)],
    ['null', 'null'],
    ['nothing', ''],
  ]
  for (const [title, text] of others) {
    it(`is refused with ${title}`, () => {
      assert.equal(parseRecord(text), null)
    })
  }
})
