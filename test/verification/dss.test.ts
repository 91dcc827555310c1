import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { examined, verdicts, type Examined } from './examined.js'

const FILES = join(import.meta.dirname, 'dss')
const read = (name: string) => readFileSync(join(FILES, name))
/** When they were made, by version 6.4 of the EU's DSS, with keys nobody has any more. */
const NOW = new Date('2026-11-22T16:00:00Z')

const examine = (document: Buffer): Promise<Examined> =>
  examined(document, [read('root.der')], {
    material: {
      certificates: [read('issuing.der')],
      crls: [read('root.crl'), read('issuing.crl')],
      ocspResponses: [],
    },
    now: NOW,
  })
const codes = ({ signatures }: Examined) =>
  signatures.flatMap(({ findings }) => findings.map(({ code }) => code))

describe('Signatures that DSS made', () => {
  const P = 'TOTAL-PASSED'
  const judged: readonly [string, readonly string[]][] = [
    ['cades-counter.p7s', [P, P]],
    ['cades-counter-revoked.p7s', [P, 'INDETERMINATE/REVOKED_NO_POE: revoked']],
    ['xades-counter.xml', [P, P]],
    ['jades-counter.json', [P, P]],
    ['cades-two-T.p7s', [P, P]],
    ['cades-LTA-again.p7s', [P]],
    ['xades-LTA-again.xml', [P]],
    ['jades-LTA.json', [P]],
    ['asic-cades-LTA.asice', [P]],
    ['cades-content.p7s', [P]],
  ]
  for (const [name, expected] of judged) {
    it(`are judged as DSS judges them: ${name}`, async () => {
      const found = await examine(read(name))
      assert.deepEqual(verdicts(found), expected)
      for (const { level } of found.signatures)
        assert.ok(!name.includes('LTA') || level === 'B-LTA')
    })
  }

  for (const name of ['cades-counter.p7s', 'xades-counter.xml', 'jades-counter.json']) {
    it(`are told from signatures over them: ${name}`, async () => {
      const { signatures } = await examine(read(name))
      const found = signatures.map(({ id, countersigns, signer }) => [
        ...[id, countersigns, signer?.subject],
      ])
      assert.deepEqual(found, [
        ['1', null, 'CN=Signer'],
        ['1.1', '1', 'CN=Second'],
      ])
    })
  }

  it('do not pass with a counter-signature over something else', async () => {
    const xml = read('xades-counter.xml').toString()
    const moved = xml.replace(/URI="#(value-[^"]+)"/, 'URI=""')
    assert.notEqual(moved, xml)
    const [own, counter] = verdicts(await examine(Buffer.from(moved)))
    assert.equal(own, P)
    assert.notEqual(counter, P)
    const jws = JSON.parse(read('jades-counter.json').toString()) as {
      signatures: { header: { etsiU: string[] } }[]
    }
    const unsigned = jws.signatures[0]?.header
    assert.ok(unsigned)
    unsigned.etsiU = unsigned.etsiU.map((each) => {
      const { cSig } = JSON.parse(Buffer.from(each, 'base64url').toString()) as {
        cSig: Record<string, string>
      }
      return Buffer.from(
        JSON.stringify({ cSig: { ...cSig, payload: Buffer.from('x').toString('base64url') } }),
      ).toString('base64url')
    })
    assert.deepEqual(verdicts(await examine(Buffer.from(JSON.stringify(jws)))), [
      P,
      'TOTAL-FAILED/SIG_CRYPTO_FAILURE: signature-broken',
    ])
  })

  for (const [name, code] of [
    ['cades-policy-implied.p7s', 'policy-implied'],
    ['xades-policy-implied.xml', 'policy-implied'],
    ['cades-policy-explicit.p7s', 'policy-not-applied'],
    ['xades-policy-explicit.xml', 'policy-not-applied'],
    ['jades-policy-explicit.json', 'policy-not-applied'],
  ] as const) {
    it(`are judged without the policy they name, and that is said: ${name}`, async () => {
      const found = await examine(read(name))
      assert.deepEqual(verdicts(found), [P])
      assert.ok(codes(found).includes(code))
    })
  }

  it('do not pass when their signed properties are not where properties belong', async () => {
    const xml = read('xades-policy-implied.xml').toString()
    const renamed = xml.replaceAll('QualifyingProperties', 'OtherProperties')
    assert.deepEqual(verdicts(await examine(Buffer.from(renamed))), [
      'TOTAL-FAILED/FORMAT_FAILURE: signature-unreadable',
    ])
  })

  it('do not pass in a container whose files have two names', async () => {
    const zip = Buffer.from(read('asic-cades-LTA.asice'))
    zip.write('X', zip.indexOf('META-INF/signature'))
    const { indication, findings } = await examine(zip)
    assert.deepEqual([indication, findings[0]?.code], ['TOTAL-FAILED', 'document-unreadable'])
  })

  it('never pass with a signed byte changed, and never break the reader', async () => {
    for (const [name, begin, length] of [
      ['cades-two-T.p7s', 'hello judge', 11],
      ['cades-LTA-again.p7s', 'hello judge', 11],
      ['xades-LTA-again.xml', '<ds:SignedInfo', 900],
      ['jades-LTA.json', '"protected":"', 400],
    ] as const) {
      const bytes = read(name)
      const start = bytes.indexOf(begin)
      assert.ok(start > 0, name)
      for (let at = start; at < start + length; at += Math.ceil(length / 8)) {
        const changed = Buffer.from(bytes)
        changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
        const { indication } = await examine(changed)
        assert.notEqual(indication, P, `${name} at ${at}`)
      }
    }
  })

  it('never break the reader wherever they are changed', async () => {
    let state = 42
    const random = (below: number) => (state = (state * 48271) % 0x7fffffff) % below
    for (const name of ['cades-LTA-again.p7s', 'jades-counter.json', 'xades-counter.xml']) {
      for (let round = 0; round < 12; round += 1) {
        const bytes = read(name)
        const [at, kind] = [random(bytes.length), random(3)]
        const pieces = [
          Buffer.concat([bytes.subarray(0, at), Buffer.of(random(256)), bytes.subarray(at + 1)]),
          Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(30))]),
          Buffer.concat([bytes.subarray(0, at), bytes.subarray(random(at + 1), bytes.length)]),
        ]
        const { indication } = await examine(pieces[kind] ?? bytes)
        assert.ok(indication !== null, `${name}, round ${round}`)
      }
    }
  })
})
