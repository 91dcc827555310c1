import assert from 'node:assert/strict'
import { createHash, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as asn1js from 'asn1js'
import {
  bytesOf,
  childrenOf,
  isContext,
  octetsOf,
  readElement,
} from '../../src/certificates/asn1.js'
import { sequenceOf } from '../../src/certificates/der.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { TokenEncoder, TstInfoEncoder } from '../../src/timestamping/token.js'
import { EKU, makeUp, noRevAvail } from '../support/made-up-pki.js'
import { examined } from './examined.js'

const FILES = join(import.meta.dirname, 'dss')
const read = (name: string) => readFileSync(join(FILES, name))
const NOW = new Date('2026-11-22T16:00:00Z')
const LONG = { notBefore: new Date('2026-01-01'), notAfter: new Date('2036-01-01') }
const ARCHIVE_TIMESTAMP_V2 = '1.2.840.113549.1.9.16.2.48'
const SHA256 = HASH_ALGORITHMS.sha256

const root = makeUp({ name: 'Old root', authority: true, ...LONG })
const unit = makeUp({
  ...{ name: 'Old unit', issuer: root, eku: [EKU.timeStamping], more: [noRevAvail()], ...LONG },
})

function token(input: Buffer): Buffer {
  const digest = createHash('sha256').update(input).digest()
  const tstInfo = new TstInfoEncoder({ accuracyMilliseconds: 1000 }).encode({
    ...{ hash: SHA256, digest, withNull: true, policy: '1.2.3', time: NOW, nonce: null },
  })
  const encoder = new TokenEncoder({
    ...{ certificate: unit.certificate, chain: [] },
    algorithm: { scheme: 'ecdsa', hash: SHA256 },
  })
  const signature = sign('sha256', encoder.signedAttributes(tstInfo), unit.key)
  return encoder.encode({ tstInfo, signature, withCertificates: true })
}

const under = (tag: number, ...parts: readonly Buffer[]) => {
  const bytes = Buffer.from(sequenceOf(...parts))
  bytes[0] = tag
  return bytes
}

/** The signature of another maker, with an archive timestamp over all of it. @see TS 101 733, 6.4.1 */
function archived({ withHeader, more = [] }: { withHeader: boolean; more?: readonly Buffer[] }) {
  const [type, wrapped] = childrenOf(readElement(read('cades-content.p7s')))
  const fields = childrenOf(childrenOf(wrapped)[0])
  const [version, hashes, content, ...rest] = fields.map(bytesOf)
  const certificates = rest.slice(0, -1)
  const [info] = childrenOf(fields.at(-1))
  const parts = childrenOf(info)
  const signed = parts.filter((each) => !isContext(each, 1)).map(bytesOf)
  const unsigned = parts
    .filter((each) => isContext(each, 1))
    .flatMap(childrenOf)
    .map(bytesOf)
  assert.ok(version && hashes && content && unsigned.length > 0)
  const last = withHeader ? under(0xa1, ...unsigned) : Buffer.concat(unsigned)
  const stamp = token(Buffer.concat([content, ...certificates, ...signed, last]))
  const oid = Buffer.from(new asn1js.ObjectIdentifier({ value: ARCHIVE_TIMESTAMP_V2 }).toBER())
  const attribute = sequenceOf(oid, under(0x31, stamp))
  const signer = sequenceOf(...signed, under(0xa1, ...unsigned, ...more, attribute))
  const data = sequenceOf(version, hashes, content, ...certificates, under(0x31, signer))
  return sequenceOf(bytesOf(type), under(0xa0, data))
}

const oidOf = (value: string) => Buffer.from(new asn1js.ObjectIdentifier({ value }).toBER())
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()
const octets = (bytes: Buffer) => Buffer.concat([Buffer.of(4, bytes.length), bytes])
const SHA256_OID = '2.16.840.1.101.3.4.2.1'

/** The same with version 3, whose index of what it protects is of one of its older versions. */
function indexed(version: string, index: (...lists: readonly Buffer[]) => Buffer) {
  const [type, wrapped] = childrenOf(readElement(read('cades-content.p7s')))
  const fields = childrenOf(childrenOf(wrapped)[0])
  const [contentType, content] = childrenOf(fields[2])
  const parts = childrenOf(childrenOf(fields.at(-1))[0])
  const signed = parts.filter((each) => !isContext(each, 1)).map(bytesOf)
  const unsigned = childrenOf(parts.at(-1)).map(bytesOf)
  const list = (bytes: readonly Buffer[]) =>
    sequenceOf(...bytes.map((each) => octets(sha256(each))))
  const certificates = childrenOf(fields.find((each) => isContext(each, 0))).map(bytesOf)
  const der = index(list(certificates), list([]), list(unsigned))
  const digest = sha256(octetsOf(childrenOf(content)[0]))
  const stamp = token(Buffer.concat([bytesOf(contentType), digest, ...signed, der]))
  const attribute = under(0xa1, sequenceOf(oidOf(version), under(0x31, der)))
  const attributes = [
    ...unsigned,
    sequenceOf(oidOf('0.4.0.1733.2.4'), under(0x31, behind(stamp, attribute))),
  ]
  const signer = sequenceOf(...signed, under(0xa1, ...attributes))
  const data = sequenceOf(...fields.slice(0, -1).map(bytesOf), under(0x31, signer))
  return sequenceOf(bytesOf(type), under(0xa0, data))
}

/** A token with something behind all that its SignerInfo has. */
function behind(stamp: Buffer, more: Buffer): Buffer {
  const [type, wrapped] = childrenOf(readElement(stamp))
  const fields = childrenOf(childrenOf(wrapped)[0])
  const parts = childrenOf(childrenOf(fields.at(-1))[0]).map(bytesOf)
  const signers = under(0x31, sequenceOf(...parts, more))
  const data = sequenceOf(...fields.slice(0, -1).map(bytesOf), signers)
  return sequenceOf(bytesOf(type), under(0xa0, data))
}

const examine = (document: Buffer) =>
  examined(document, [read('root.der'), root.certificate], {
    material: {
      certificates: [read('issuing.der')],
      crls: [read('root.crl'), read('issuing.crl')],
      ocspResponses: [],
    },
    now: NOW,
  })

describe('An archive timestamp of CAdES, version 2', () => {
  for (const withHeader of [true, false]) {
    const how = withHeader ? 'with' : 'without'
    it(`is over all that was there, ${how} the header of the attributes`, async () => {
      const { indication, signatures } = await examine(archived({ withHeader }))
      const stamps = signatures[0]?.timestamps.map((each) => [each.kind, each.indication])
      assert.deepEqual(stamps?.at(-1), ['archive', 'TOTAL-PASSED'])
      assert.equal(indication, 'TOTAL-PASSED')
    })
  }

  it('fails where something was put before it', async () => {
    const oid = Buffer.from(new asn1js.ObjectIdentifier({ value: '1.2.3' }).toBER())
    const more = [sequenceOf(oid, under(0x31, Buffer.of(5, 0)))]
    const { signatures } = await examine(archived({ withHeader: true, more }))
    const last = signatures[0]?.timestamps.at(-1)
    assert.deepEqual([last?.kind, last?.subIndication], ['archive', 'HASH_FAILURE'])
  })
})

describe('An archive timestamp of CAdES, version 3', () => {
  const algorithm = sequenceOf(oidOf(SHA256_OID))
  for (const [name, oid, index] of [
    ['ATSHashIndex', '0.4.0.1733.2.5', sequenceOf],
    [
      ...(['ATSHashIndexV2', '0.4.0.19122.1.4'] as const),
      (...lists: readonly Buffer[]) => sequenceOf(algorithm, ...lists),
    ],
  ] as const) {
    it(`may have the older ${name}, of whole attributes`, async () => {
      const { indication, signatures } = await examine(indexed(oid, index))
      const last = signatures[0]?.timestamps.at(-1)
      assert.deepEqual([last?.kind, last?.indication], ['archive', 'TOTAL-PASSED'])
      assert.equal(indication, 'TOTAL-PASSED')
    })
  }

  it('fails where its index lists something that is not there', async () => {
    const index = (certificates: Buffer) =>
      sequenceOf(algorithm, certificates, sequenceOf(octets(sha256(Buffer.of(1)))), sequenceOf())
    const { signatures } = await examine(indexed('0.4.0.19122.1.4', index))
    assert.equal(signatures[0]?.timestamps.at(-1)?.subIndication, 'HASH_FAILURE')
  })
})
