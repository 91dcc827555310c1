import assert from 'node:assert/strict'
import { Integer, ObjectIdentifier, OctetString, Sequence, Set as Asn1Set } from 'asn1js'
import { namesDigest } from '../../src/keys/named-digest.js'
import { digestOf } from '../support/rssp.js'

const MESSAGE_DIGEST = '1.2.840.113549.1.9.4'
const SIGNING_TIME = '1.2.840.113549.1.9.5'

describe('Whether bytes to be signed name a digest', () => {
  const digest = digestOf('a')
  const other = digestOf('b')

  const octets = (bytes: Buffer) => new OctetString({ valueHex: new Uint8Array(bytes).buffer })
  const attribute = (value: string, ...values: (OctetString | Integer)[]) =>
    new Sequence({ value: [new ObjectIdentifier({ value }), new Asn1Set({ value: values })] })
  const attributes = (...value: Sequence[]) => Buffer.from(new Asn1Set({ value }).toBER())
  const jws = (header: unknown) =>
    Buffer.from(`${Buffer.from(JSON.stringify(header)).toString('base64url')}.`)
  const xml = (value: string) =>
    Buffer.from(`<ds:SignedInfo><ds:DigestValue>${value}</ds:DigestValue></ds:SignedInfo>`)

  const good: [string, Buffer][] = [
    ['the message-digest attribute of CMS', attributes(attribute(MESSAGE_DIGEST, octets(digest)))],
    ['a DigestValue of SignedInfo', xml(digest.toString('base64'))],
    [
      'one of several of sigD',
      jws({ sigD: { hashV: [other, digest].map((d) => d.toString('base64url')) } }),
    ],
  ]
  for (const [title, bytes] of good) {
    it(`finds it as ${title}`, () => {
      assert.ok(namesDigest(bytes, digest))
      assert.ok(!namesDigest(bytes, digestOf('c')))
    })
  }

  const bad: [string, Buffer][] = [
    ['as another attribute', attributes(attribute(SIGNING_TIME, octets(digest)))],
    [
      'as one of two message digests',
      attributes(
        attribute(MESSAGE_DIGEST, octets(other)),
        attribute(MESSAGE_DIGEST, octets(digest)),
      ),
    ],
    ['as a second value', attributes(attribute(MESSAGE_DIGEST, octets(other), octets(digest)))],
    ['as a number', attributes(attribute(MESSAGE_DIGEST, new Integer({ value: 1 })))],
    [
      'behind the attributes',
      Buffer.concat([attributes(attribute(MESSAGE_DIGEST, octets(digest))), Buffer.alloc(1)]),
    ],
    ['outside of a DigestValue', Buffer.from(`<a>${digest.toString('base64')}</a>`)],
    ['in another member of the header', jws({ nonce: [digest.toString('base64url')] })],
    ['as hashV that is no list', jws({ sigD: { hashV: digest.toString('base64url') } })],
    ['in a header that is null', jws(null)],
    ['nowhere', Buffer.alloc(0)],
    ['in truncated DER', attributes(attribute(MESSAGE_DIGEST, octets(digest))).subarray(0, 20)],
  ]
  for (const [title, bytes] of bad) {
    it(`does not take it ${title}`, () => {
      assert.ok(!namesDigest(bytes, digest))
    })
  }
})
