import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bytesOf, childrenOf, readElement } from '../../src/certificates/asn1.js'
import type { Examination } from '../../src/verification/examine.js'
import { NO_POLICIES, type PolicyRules } from '../../src/verification/signature-policy.js'
import { examined, verdicts, type Examined } from './examined.js'

const FILES = join(import.meta.dirname, 'dss')
const read = (name: string) => readFileSync(join(FILES, name))
/** When they were made, by version 6.4 of the EU's DSS, with keys nobody has any more. */
const NOW = new Date('2026-11-22T16:00:00Z')

const POLICY = '1.2.3.4.5'
const POLICY_TEXT = Buffer.from('Signatures mean what they say.\n')
/** An element of `etsiU` with the text of a policy. */
const JADES_STORE = /eyJzaWdQU3Qi[\w-]+/
const withOtherText = (store: string) =>
  Buffer.from(
    Buffer.from(store, 'base64url')
      .toString()
      .replace(POLICY_TEXT.toString('base64'), Buffer.from('Other.').toString('base64')),
  ).toString('base64url')

const examine = (document: Buffer, more: Partial<Examination> = {}): Promise<Examined> =>
  examined(document, [read('root.der')], {
    material: {
      certificates: [read('issuing.der')],
      crls: [read('root.crl'), read('issuing.crl')],
      ocspResponses: [],
    },
    now: NOW,
    ...more,
  })
const codes = ({ signatures }: Examined) =>
  signatures.flatMap(({ findings }) => findings.map(({ code }) => code))

describe('Signatures that DSS made (S65)', () => {
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

  for (const name of ['cades-policy-implied.p7s', 'xades-policy-implied.xml']) {
    it(`pass under a policy that they do not name, and that is said: ${name}`, async () => {
      const found = await examine(read(name))
      assert.deepEqual([...verdicts(found), codes(found).includes('policy-implied')], [P, true])
    })
  }

  const unknown = 'INDETERMINATE/SIGNATURE_POLICY_NOT_AVAILABLE: policy-unknown'
  const otherText = 'INDETERMINATE/POLICY_PROCESSING_ERROR: policy-other-text'
  const policy = { ...NO_POLICIES, texts: [{ identifier: POLICY, text: POLICY_TEXT }] }
  const other = { ...NO_POLICIES, texts: [{ identifier: POLICY, text: Buffer.from('Other.') }] }

  for (const name of ['cades-policy.p7s', 'xades-policy.xml', 'jades-policy.json']) {
    it(`are undecided under a policy nobody knows, and pass with its text: ${name}`, async () => {
      const verdict = async (policies: PolicyRules) =>
        verdicts(await examine(read(name), { policies })).join()
      assert.equal(await verdict(NO_POLICIES), unknown)
      assert.equal(await verdict({ ...NO_POLICIES, unknown: 'remark' }), P)
      assert.equal(await verdict(policy), P)
      assert.equal(await verdict(other), otherText)
    })
  }

  for (const name of [
    'cades-policy-store.p7s',
    'xades-policy-store.xml',
    'jades-policy-store.json',
  ]) {
    it(`pass with the text of their policy inside, if it is the one: ${name}`, async () => {
      const bytes = read(name)
      assert.deepEqual(verdicts(await examine(bytes)), [P])
      const changed = Buffer.from(
        bytes
          .toString('latin1')
          .replace(POLICY_TEXT.toString(), POLICY_TEXT.toString().toUpperCase())
          .replace(POLICY_TEXT.toString('base64'), POLICY_TEXT.toString('base64').toLowerCase())
          .replace(JADES_STORE, (store) => withOtherText(store)),
        'latin1',
      )
      assert.ok(!changed.equals(bytes))
      assert.deepEqual(verdicts(await examine(changed)), [otherText])
    })
  }

  it('count the digest of a policy in ASN.1 as RFC 3125 has it, and that of XML after transforms', async () => {
    for (const [name, text] of [
      ['cades-policy-asn1.p7s', 'policy.der'],
      ['xades-policy-transformed.xml', 'policy.xml'],
    ] as const) {
      const texts = [{ identifier: POLICY, text: read(text) }]
      const found = await examine(read(name), { policies: { ...NO_POLICIES, texts } })
      assert.deepEqual(verdicts(found), [P], name)
    }
  })

  it('do not pass when their signed properties are not where properties belong', async () => {
    const xml = read('xades-policy-implied.xml').toString()
    const renamed = xml.replaceAll('QualifyingProperties', 'OtherProperties')
    assert.deepEqual(verdicts(await examine(Buffer.from(renamed))), [
      'TOTAL-FAILED/FORMAT_FAILURE: signature-unreadable',
    ])
  })

  it('do not pass in a CMS with other tags than it has to have', async () => {
    const bytes = read('cades-content.p7s')
    const data = bytes.indexOf(Buffer.from('2a864886f70d010702', 'hex')) + 9
    const hashes = bytes.indexOf(Buffer.from('310d300b0609608648', 'hex'))
    const content = bytes.indexOf(Buffer.from('2a864886f70d010701', 'hex')) + 9
    for (const [at, tag] of [
      [data, 0xa0],
      [hashes, 0x31],
      [content, 0xa0],
    ] as const) {
      const changed = Buffer.from(bytes)
      assert.equal(changed[at], tag)
      // of another number, and said to hold nothing that is built
      for (const other of [tag ^ 1, tag ^ 0x20]) {
        changed.writeUInt8(other, at)
        assert.equal((await examine(changed)).indication, 'TOTAL-FAILED', `${other} at ${at}`)
      }
    }
  })

  it('do not pass in a CMS with what is no algorithm, no version and no name', async () => {
    const bytes = read('cades-content.p7s')
    const hashes = bytes.indexOf(Buffer.from('310d300b0609608648', 'hex'))
    const stamp = bytes.indexOf(Buffer.from('2a864886f70d010910020e', 'hex')) - 2
    const fields = childrenOf(childrenOf(childrenOf(readElement(bytes))[1])[0])
    const version = bytes.indexOf(bytesOf(childrenOf(fields.at(-1))[0])) + 4
    assert.equal(bytes.toString('hex', version, version + 3), '020101')
    for (const [at, other] of [
      [hashes + 2, 0x31],
      [version, 0x04],
      [stamp, 0x04],
    ] as const) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(other, at)
      assert.equal((await examine(changed)).indication, 'TOTAL-FAILED', `${at}`)
    }
  })

  it('do not pass with elements of etsiU that say nothing, or two things', async () => {
    for (const element of [{}, { sigTst: {}, arcTst: {} }]) {
      const jws = JSON.parse(read('jades-policy.json').toString()) as Record<string, unknown>
      const document = Buffer.from(JSON.stringify({ ...jws, header: { etsiU: [element] } }))
      assert.equal((await examine(document)).indication, 'TOTAL-FAILED')
    }
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
